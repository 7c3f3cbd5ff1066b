//! `homeroom serve`

use super::{Failure, data_dir, listen_failure};
use crate::{cli, output};
use server::Tls;
use server::config::Http;
use std::net::SocketAddr;
use std::path::Path;

/// Serves until SIGINT or SIGTERM.
pub(super) async fn run(arguments: cli::Serve) -> Result<(), Failure> {
    let mut config = super::config(&arguments.data)?;
    apply(&mut config.server, &arguments);
    config.check().map_err(super::unusable)?;
    let data_dir = data_dir(&arguments.data)?;
    let http = config.server.clone();
    let app = server::App::open(&data_dir, arguments.data.database_url.clone(), config)?;
    let tls = tls(&http, &data_dir, arguments.listen)?;
    let listener = tokio::net::TcpListener::bind(arguments.listen).await.map_err(|e| listen_failure(arguments.listen, &e))?;
    let address = listener.local_addr().map_err(Failure::io("read the address listened on"))?;
    let shutdown = server::Shutdown::on_signal();
    let Some(tls) = tls else {
        if !address.ip().is_loopback() {
            output::note(
                "warning: listening beyond loopback without TLS; use --tls-cert and --tls-key, or put a TLS proxy in front and name it in \
                 [server] trusted_proxies",
            );
        }
        output::line(&format!("listening on http://{address}"));
        return Ok(server::serve(app, listener, shutdown).await?);
    };
    if let Some(authority) = tls.authority() {
        how_to_trust(authority);
    }
    output::line(&format!("listening on https://{address}"));
    Ok(server::serve_tls(app, listener, tls, shutdown).await?)
}

/// The command line wins over the settings, and one kind of TLS over the other.
fn apply(http: &mut Http, arguments: &cli::Serve) {
    if arguments.public_url.is_some() {
        http.public_url.clone_from(&arguments.public_url);
    }
    if arguments.tls_self_signed {
        (http.tls_self_signed, http.tls_cert, http.tls_key) = (true, None, None);
    }
    if arguments.tls_cert.is_some() {
        http.tls_self_signed = false;
        http.tls_cert.clone_from(&arguments.tls_cert);
        http.tls_key.clone_from(&arguments.tls_key);
    }
}

fn tls(http: &Http, data_dir: &Path, listen: SocketAddr) -> Result<Option<Tls>, Failure> {
    if let (Some(cert), Some(key)) = (&http.tls_cert, &http.tls_key) {
        return Ok(Some(Tls::from_files(cert, key)?));
    }
    if !http.tls_self_signed {
        return Ok(None);
    }
    let public = http.public_host();
    // An address that stands for all is nobody's name.
    let own = Some(listen.ip()).filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string());
    let names: Vec<String> = public.into_iter().chain(own).collect();
    // One path that holds wherever it is pasted.
    let data_dir = std::path::absolute(data_dir).map_err(Failure::io("find the data directory"))?;
    Ok(Some(Tls::self_signed(&data_dir, &names)?))
}

/// Where the authority is and how each kind of client learns to trust it.
fn how_to_trust(authority: &Path) {
    let ca = authority.display();
    output::note(&format!(
        "TLS with a certificate of the local authority {ca}
Trust it in one process, by its environment:
  Python          REQUESTS_CA_BUNDLE={ca} SSL_CERT_FILE={ca}
  Node.js         NODE_EXTRA_CA_CERTS={ca}
  Go, .NET        SSL_CERT_FILE={ca}   (on Linux)
  Java            keytool -importcert -noprompt -alias homeroom -file {ca} -keystore homeroom.p12 -storepass changeit
                  JAVA_TOOL_OPTIONS='-Djavax.net.ssl.trustStore=homeroom.p12 -Djavax.net.ssl.trustStorePassword=changeit'
  curl            curl --cacert {ca}
or on the whole machine (whoever can read its key, next to it, can then pose as any site to this machine):
  Debian, Ubuntu  sudo cp {ca} /usr/local/share/ca-certificates/homeroom.crt && sudo update-ca-certificates
  Fedora, RHEL    sudo trust anchor {ca}
  macOS           sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {ca}
  Windows         certutil -addstore Root {ca}   (as administrator)
docs/emulator.md has the lines for each SDK."
    ));
}
