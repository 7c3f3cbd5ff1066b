//! Providers of rosters: from a connector, as it is stored, to a connection that can be used.

use crate::app::App;
use oneroster::{Connection, Credential, Fault, FaultCode, Limits, Secret, Surroundings, Switches, Version};
use roster::Format;
use serde_json::{Map, Value};
use std::sync::Arc;
use store::{OpContext, StoreError};

/// Whether rosters are pulled by way of a connector.
pub(crate) fn is_pulled(connector: &Map<String, Value>) -> bool {
    text(connector, "@odata.type").ends_with(".oneRosterApiDataConnector")
}

/// The name of the format that a connector's rosters are in once they are files, when the connector decides it.
pub(crate) fn format(connector: &Map<String, Value>) -> Option<String> {
    if !is_pulled(connector) {
        return file_format(connector).map(|format| format.name().to_owned());
    }
    Version::parse(text(connector, "apiVersion")).map(|version| format!("oneroster-{}", version.as_str()))
}

/// The format that a client has set a file connector to. One that was only assumed is told from the files.
pub(crate) fn file_format(connector: &Map<String, Value>) -> Option<Format> {
    if connector.contains_key(industry_data::rules::FILE_FORMAT_ASSUMED) {
        return None;
    }
    match connector.get("fileFormat")?.get("code")?.as_str()? {
        "schoolDataSyncV1" => Some(Format::SdsV1),
        "schoolDataSyncV2Rev1" => Some(Format::SdsV21),
        _ => None,
    }
}

/// The connection that a connector describes; the inner error says what is wrong with it.
pub(crate) fn connection(
    app: &App,
    ctx: &OpContext,
    id: &str,
    connector: Map<String, Value>,
) -> Result<Result<Connection, Fault>, StoreError> {
    let connector = app.open_secrets(ctx.tenant, "dataConnectors", id, connector)?;
    let given = text(&connector, "apiVersion");
    let Some(version) = Version::parse(given) else {
        return Ok(Err(Fault::new(FaultCode::VersionNotSupported, "apiVersion", format!("it is '{given}'"))));
    };
    let none = Map::new();
    let credential = connector.get("credential").and_then(Value::as_object).unwrap_or(&none);
    let (client_id, secret) = (text(credential, "clientId").to_owned(), text(credential, "clientSecret"));
    if secret.is_empty() {
        return Ok(Err(Fault::new(FaultCode::CredentialRefused, "credential", "there is no clientSecret")));
    }
    let client_secret = Secret::new(secret);
    let credential = if text(credential, "@odata.type").ends_with(".oAuth1ClientCredential") {
        Credential::OAuth1 { client_id, client_secret }
    } else {
        let scope = credential.get("scope").and_then(Value::as_str).map(str::to_owned);
        Credential::OAuth2 { client_id, client_secret, token_url: text(credential, "tokenUrl").to_owned(), scope }
    };
    let switch = |name: &str| connector.get(name) == Some(&Value::Bool(true));
    let switches =
        Switches { contacts: switch("isContactsEnabled"), demographics: switch("isDemographicsEnabled"), flags: switch("isFlagsEnabled") };
    Ok(Ok(Connection { base_url: text(&connector, "baseUrl").to_owned(), version, credential, switches }))
}

/// What the client of providers needs of the server.
pub(crate) fn surroundings(app: &App) -> Surroundings {
    let (clock, ids) = (app.clone(), app.clone());
    Surroundings {
        egress: app.egress().clone(),
        now: Arc::new(move || clock.now()),
        nonce: Arc::new(move || ids.new_id().simple().to_string()),
        limits: Limits::default(),
    }
}

fn text<'d>(document: &'d Map<String, Value>, name: &str) -> &'d str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}
