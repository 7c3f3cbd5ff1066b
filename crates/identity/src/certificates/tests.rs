use super::*;
use crate::testing::{Signer, as_pem};

const RSA: &str = include_str!("rsa.pem");
const EC: &str = include_str!("ec.pem");

#[test]
fn certificates_of_openssl() {
    // `openssl x509 -noout -enddate -fingerprint -sha256`
    let rsa = PublicKey::from_pem(RSA.as_bytes()).unwrap();
    assert_eq!(rsa.algorithm(), "RSA");
    assert_eq!(rsa.expires, Some("2126-11-01T04:35:41Z".parse().unwrap()));
    assert_eq!(rsa.thumbprint, "e90f3937454d3eb0d67fd115d7168f0c12ffe015a7c011214b035aee84197a47");
    let ec = PublicKey::from_pem(EC.as_bytes()).unwrap();
    assert_eq!((ec.algorithm(), ec.bytes().len()), ("P-256", 65));
    assert_eq!(ec.expires, Some("2027-11-25T04:35:41Z".parse().unwrap()));
    assert_eq!(ec.thumbprint, "ac6fe75372e8d654c7d94aa6578bb636cff36673db0499bea8831f9f6d33a4e3");
}

#[test]
fn public_keys_and_files_with_more_than_one_part() {
    let (rsa, ec) = (Signer::any(), Signer::ec());
    for (signer, kind) in [(&rsa, "RSA"), (&ec, "P-256")] {
        let key = PublicKey::from_pem(signer.public_pem.as_bytes()).unwrap();
        assert_eq!((key.algorithm(), key.expires), (kind, None));
    }
    // As Azure's tools write it: the private key, then the certificate.
    let both = format!("{}{RSA}{EC}", as_pem("PRIVATE KEY", b"never looked at"));
    assert_eq!(PublicKey::from_pem(both.as_bytes()).unwrap(), PublicKey::from_pem(RSA.as_bytes()).unwrap());
    let windows = RSA.replace('\n', "\r\n");
    assert_eq!(PublicKey::from_pem(windows.as_bytes()).unwrap(), PublicKey::from_pem(RSA.as_bytes()).unwrap());
}

#[test]
fn files_that_are_of_no_use() {
    let der = |text: &str| pem::parse(text).unwrap().into_contents();
    let (certificate, key) = (der(RSA), der(&Signer::any().public_pem));
    let mut cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("text", b"certificate".to_vec()),
        ("DER", certificate.clone()),
        ("a private key alone", as_pem("PRIVATE KEY", &key).into_bytes()),
        ("a request for a certificate", as_pem("CERTIFICATE REQUEST", &certificate).into_bytes()),
        ("a key called a certificate", as_pem("CERTIFICATE", &key).into_bytes()),
        ("a certificate called a key", as_pem("PUBLIC KEY", &certificate).into_bytes()),
        ("nothing in it", as_pem("CERTIFICATE", b"").into_bytes()),
        ("too long", [RSA.as_bytes(), &[b'\n'; 70_000]].concat()),
    ];
    // Cut anywhere.
    cases.extend((0..certificate.len()).step_by(7).map(|end| ("cut", as_pem("CERTIFICATE", &certificate[..end]).into_bytes())));
    // An Ed25519 key (RFC 8410 §4), a point in short form, P-384 by name.
    let ed = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &[7; 32]].concat();
    cases.push(("Ed25519", as_pem("PUBLIC KEY", &ed).into_bytes()));
    for (what, file) in cases {
        assert!(matches!(PublicKey::from_pem(&file), Err(IdentityError::Invalid(_))), "{what}");
    }
}

#[test]
fn a_key_checks_only_what_it_can_have_signed() {
    let rsa = PublicKey::from_pem(RSA.as_bytes()).unwrap();
    let ec = PublicKey::from_pem(EC.as_bytes()).unwrap();
    for algorithm in [Algorithm::HS256, Algorithm::HS512, Algorithm::RS512, Algorithm::ES384, Algorithm::EdDSA] {
        assert!(rsa.decoding(algorithm).is_none() && ec.decoding(algorithm).is_none());
    }
    assert!(rsa.decoding(Algorithm::ES256).is_none() && ec.decoding(Algorithm::RS256).is_none());
}
