//! Pulls from a provider without a server around it, to see what it is like and what a pull costs:
//!
//! ```text
//! CLIENT_SECRET=… cargo run --profile dist -p oneroster --example pull -- BASE_URL TOKEN_URL CLIENT_ID SCOPE 1.1|1.2 FOLDER [SINCE]
//! ```
//!
//! Any address is allowed, and without encryption: it is for providers of one's own.
#![allow(clippy::print_stdout)]

use oneroster::{Connection, Credential, Limits, Mode, Secret, Surroundings, Switches, Version, pull};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [base_url, token_url, client_id, scope, version, folder, since @ ..] = arguments.as_slice() else {
        return Err("give base URL, token URL, client id, scope, version and folder".into());
    };
    let client_secret = Secret::new(std::env::var("CLIENT_SECRET")?);
    let connection = Connection {
        base_url: base_url.clone(),
        version: Version::parse(version).ok_or("the version is 1.1 or 1.2")?,
        credential: Credential::OAuth2 {
            client_id: client_id.clone(),
            client_secret,
            token_url: token_url.clone(),
            scope: Some(scope.clone()),
        },
        switches: Switches { contacts: true, demographics: true, flags: true },
    };
    let count = AtomicU64::new(0);
    let surroundings = Surroundings {
        egress: egress::Egress::new(&["0.0.0.0/0", "::/0"])?,
        now: Arc::new(jiff::Timestamp::now),
        nonce: Arc::new(move || count.fetch_add(1, Ordering::Relaxed).to_string()),
        limits: Limits::default(),
    };
    let probe = oneroster::probe(&connection, &surroundings).await;
    probe.errors.iter().chain(&probe.warnings).for_each(|fault| println!("{}: {fault}", fault.code.as_str()));
    let mode = since.first().map_or(Ok(Mode::Full), |since| since.parse().map(Mode::Since))?;
    let report = pull(&connection, &surroundings, mode, Path::new(folder), &mut |_| {}).await?;
    report.files.iter().for_each(|file| println!("{:>9} {}", file.rows, file.name));
    println!("{:>9} left out, {} notes, at the provider it is {:?}", report.left_out, report.notes_total, report.provider_time);
    Ok(())
}
