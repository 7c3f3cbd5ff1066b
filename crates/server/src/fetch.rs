//! Documents of other issuers over HTTPS. Which ones, `identity` decides; it also ends what takes too long.

use crate::error::chain;
use crate::limits::ISSUER_DOCUMENT_BYTES_MAX;
use identity::Fetch;
use reqwest::{Client, StatusCode, redirect};
use std::sync::Arc;
use std::time::Duration;

/// For connections that `identity` has given up on.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Fetches a document with the certificate authorities of the system.
///
/// No redirect is followed: an issuer could send Homeroom anywhere in its own network. A client is
/// made for each fetch, some an hour, so that a certificate authority that was added is seen.
pub(crate) fn fetch() -> Fetch {
    Arc::new(|url| {
        Box::pin(async move {
            let plain = url.scheme() == "http";
            let builder = Client::builder().redirect(redirect::Policy::none()).timeout(TIMEOUT).https_only(!plain);
            // Plain HTTP is for this machine only, and must not leave it by way of a proxy.
            let builder = if plain { builder.no_proxy() } else { builder };
            let client = builder.build().map_err(|error| chain(&error))?;
            let request = client.get(url).header("accept", "application/json");
            let mut response = request.send().await.map_err(|error| chain(&error.without_url()))?;
            if response.status() != StatusCode::OK {
                return Err(format!("it answers {}", response.status()));
            }
            let mut document = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| chain(&error.without_url()))? {
                if document.len() + chunk.len() > ISSUER_DOCUMENT_BYTES_MAX {
                    return Err(format!("it is longer than {ISSUER_DOCUMENT_BYTES_MAX} bytes"));
                }
                document.extend_from_slice(&chunk);
            }
            Ok(document)
        })
    })
}
