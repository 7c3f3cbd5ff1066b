//! Rules across properties and across entities, collection by collection.

use super::secrets::is_mask;
use super::{Document, Lookup, Refusal, objects, text};
use crate::limits::CODE_CHARACTERS;
use crate::reference;
use jiff::Timestamp;
use serde_json::{Value, json};

/// What only a new entity has to satisfy; completes what its rules settle on the way.
pub(super) fn new(collection: &str, parent: Option<&str>, document: &mut Document, lookup: &dyn Lookup) -> Result<(), Refusal> {
    match (collection, parent) {
        ("provisioningFlows", Some(set)) => {
            if lookup.get("outboundProvisioningFlowSets", set).is_none() {
                return Err(Refusal::NotFound { message: format!("'{set}' does not exist in outboundProvisioningFlowSets.") });
            }
            only_one_of_a_kind(set, document, lookup)
        }
        ("referenceDefinitions", _) => reference_row(document, lookup),
        _ => Ok(()),
    }
}

/// What every stored document satisfies, new or changed.
pub(super) fn always(collection: &str, document: &Document, lookup: &dyn Lookup) -> Result<(), Refusal> {
    if collection != "referenceDefinitions"
        && document.get("displayName").and_then(Value::as_str).is_some_and(|name| name.trim().is_empty())
    {
        return Err(Refusal::invalid("displayName", "displayName cannot be blank."));
    }
    match collection {
        "years" => year(document),
        "sourceSystems" => identifiers(document),
        "inboundFlows" => inbound_flow(document, lookup),
        "dataConnectors" => connector(document),
        "provisioningFlows" => user_configurations(document),
        _ => Ok(()),
    }
}

/// What an entity is made of once and for all: a change of it is refused, the same value accepted.
pub(super) fn fixed(collection: &str, stored: &Document, merged: &Document) -> Result<(), Refusal> {
    let names: &[&str] = match collection {
        "roleGroups" if reference::is_built_in_role_group(text(stored, "id")) => &["displayName", "roles"],
        "referenceDefinitions" if text(stored, "source") != reference::TENANT_SOURCE => &["displayName", "isDisabled", "sortIndex"],
        _ => super::fixed_on_create(collection),
    };
    match names.iter().find(|name| stored.get(**name) != merged.get(**name)) {
        Some(name) if matches!(collection, "roleGroups" | "referenceDefinitions") => {
            Err(Refusal::invalid(*name, format!("'{}' comes with the service and cannot be changed.", text(stored, "id"))))
        }
        Some(name) => Err(Refusal::invalid(*name, format!("'{name}' cannot be changed after creation."))),
        None => Ok(()),
    }
}

/// The identifiers that a column of a roster can be. The list of values has more: of an identity
/// provider, of other products of the service.
const IDENTIFIERS: [&str; 9] = [
    "username",
    "email",
    "activeDirectoryMatchId",
    "activeDirectory",
    "activeDirectoryId",
    "upn",
    "identifier",
    "sourceExternalId",
    "studentOrTeacherNumberOrId",
];

/// A rule that nothing can ever match by would be taken for one that works.
fn identifiers(document: &Document) -> Result<(), Refusal> {
    for (index, setting) in objects(document, "userMatchingSettings").enumerate() {
        let code = setting.get("sourceIdentifier").and_then(|v| v.get("code")).and_then(Value::as_str);
        if let Some(code) = code.filter(|code| !IDENTIFIERS.contains(code)) {
            return Err(Refusal::invalid(
                format!("userMatchingSettings[{index}].sourceIdentifier.code"),
                format!("People cannot be matched by '{code}': no roster has a column for it. It can be {}.", IDENTIFIERS.join(", ")),
            ));
        }
    }
    Ok(())
}

/// Canonical dates compare as text.
fn year(document: &Document) -> Result<(), Refusal> {
    let (start, end) = (text(document, "startDate"), text(document, "endDate"));
    if start > end {
        return Err(Refusal::invalid("endDate", format!("endDate {end} is before startDate {start}.")));
    }
    Ok(())
}

fn inbound_flow(document: &Document, lookup: &dyn Lookup) -> Result<(), Refusal> {
    let time = |name: &str| text(document, name).parse::<Timestamp>().ok();
    if let (Some(from), Some(until)) = (time("effectiveDateTime"), time("expirationDateTime"))
        && until < from
    {
        let message = "expirationDateTime is before effectiveDateTime.";
        return Err(Refusal::invalid("expirationDateTime", message));
    }
    let connector = text(document, "dataConnector@odata.bind").split_once('/').and_then(|(c, id)| lookup.get(c, id));
    let Some(connector) = connector else {
        return Ok(());
    };
    let flow = short_type(document);
    let file_connector = short_type(&connector) == "azureDataLakeConnector";
    if (flow == "inboundFileFlow") == file_connector {
        return Ok(());
    }
    let wanted = if file_connector { "inboundFileFlow" } else { "inboundApiFlow" };
    let message = format!("A connector of type {} feeds a flow of type {wanted}, not {flow}.", short_type(&connector));
    Err(Refusal::invalid("dataConnector@odata.bind", message))
}

fn connector(document: &Document) -> Result<(), Refusal> {
    if let Some(Value::String(url)) = document.get("baseUrl") {
        web_address("baseUrl", url)?;
    }
    let Some(Value::Object(credential)) = document.get("credential") else {
        return Ok(());
    };
    if let Some(Value::String(url)) = credential.get("tokenUrl") {
        web_address("credential.tokenUrl", url)?;
    }
    if credential.get("clientSecret").is_some_and(is_mask) {
        return Err(Refusal::invalid("credential.clientSecret", "That is the mask of a secret, and none is stored yet."));
    }
    Ok(())
}

/// Scheme, host and perhaps a path.
fn web_address(target: &str, url: &str) -> Result<(), Refusal> {
    let scheme = ["https://", "http://"].iter().find(|scheme| url.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme)));
    let host = scheme.and_then(|scheme| url[scheme.len()..].split(['/', '?', '#']).next()).unwrap_or_default();
    if host.is_empty() || url.contains(char::is_whitespace) {
        let message = format!("'{target}' must be a URL with scheme and host, such as https://sis.example/ims/oneroster/v1p1.");
        return Err(Refusal::invalid(target, message));
    }
    // It would come back in answers, and the URL of a connector is shown in many places.
    if host.contains('@') {
        let message = format!("'{target}' cannot have a user name or password in it; the credential has its own place.");
        return Err(Refusal::invalid(target, message));
    }
    Ok(())
}

/// One configuration for each role group, each with a real password.
fn user_configurations(document: &Document) -> Result<(), Refusal> {
    let Some(Value::Object(options)) = document.get("creationOptions") else {
        return Ok(());
    };
    let mut seen: Vec<&str> = Vec::new();
    for (index, configuration) in objects(options, "configurations").enumerate() {
        let here = format!("creationOptions.configurations[{index}]");
        let group = text(configuration, "roleGroup@odata.bind");
        if seen.contains(&group) {
            let message = format!("There is a configuration for '{group}' already; a role group has one.");
            return Err(Refusal::invalid(format!("{here}.roleGroup@odata.bind"), message));
        }
        seen.push(group);
        let password = configuration.get("defaultPasswordSettings").and_then(|settings| settings.get("password"));
        if password.is_some_and(is_mask) {
            let target = format!("{here}.defaultPasswordSettings.password");
            return Err(Refusal::invalid(target, "That is the mask of a password, and none is stored for this role group yet."));
        }
    }
    Ok(())
}

/// At most one flow of each kind in a set (decision 7).
fn only_one_of_a_kind(set: &str, document: &Document, lookup: &dyn Lookup) -> Result<(), Refusal> {
    let kind = short_type(document);
    let same = |flow: &Document| short_type(flow).eq_ignore_ascii_case(kind);
    let Some(other) = lookup.list("provisioningFlows", Some(set)).into_iter().find(same) else {
        return Ok(());
    };
    let id = text(&other, "id");
    Err(Refusal::Conflict {
        message: format!("The flow set has a {kind} already; a set has one flow of each kind at most."),
        details: vec![(
            "FlowKindExists".to_owned(),
            format!("The {kind} that is there is '{id}'."),
            format!("/external/industryData/outboundProvisioningFlowSets/{set}/provisioningFlows/{id}"),
        )],
    })
}

/// A row that a tenant adds: to an extensible type, with a code and a place of its own.
fn reference_row(document: &mut Document, lookup: &dyn Lookup) -> Result<(), Refusal> {
    let given = text(document, "referenceType");
    let Some(reference_type) = reference::canonical_type(given).filter(|ty| reference::is_tenant_extensible(ty)) else {
        let message = format!("Rows can be added to {}, not to '{given}'.", reference::TENANT_EXTENSIBLE.join(", "));
        return Err(Refusal::invalid("referenceType", message));
    };
    document.insert("referenceType".to_owned(), json!(reference_type));
    let code = text(document, "code").to_owned();
    // The code is part of the id, which stands in URLs between slashes and quotes.
    if code.trim().is_empty() || code.chars().count() > CODE_CHARACTERS || code.contains(['/', '\\', '\'', '?', '#', '%']) {
        let message = format!("A code has 1 to {CODE_CHARACTERS} characters and none of / \\ ' ? # %.");
        return Err(Refusal::invalid("code", message));
    }
    // A second row may well share its place with a built-in one (the published example does), so
    // only the tenant's own rows count there.
    let own = lookup.list("referenceDefinitions", None);
    let own = || own.iter().filter(|row| text(row, "referenceType") == reference_type && text(row, "source") == reference::TENANT_SOURCE);
    let taken = |id: String, what: &str| Refusal::Conflict {
        message: format!("{reference_type} has a row with this {what} already."),
        details: vec![(
            "Duplicate".to_owned(),
            format!("The row that is there is '{id}'."),
            format!("/external/industryData/referenceDefinitions/{id}"),
        )],
    };
    if let Some(row) = reference::rows(reference_type).iter().find(|row| row.code.eq_ignore_ascii_case(&code)) {
        return Err(taken(row.id(), "code"));
    }
    if let Some(row) = own().find(|row| text(row, "code").eq_ignore_ascii_case(&code)) {
        return Err(taken(text(row, "id").to_owned(), "code"));
    }
    if let Some(row) = own().find(|row| row.get("sortIndex") == document.get("sortIndex")) {
        return Err(taken(text(row, "id").to_owned(), "sortIndex"));
    }
    Ok(())
}

/// `inboundFileFlow` of `#microsoft.graph.industryData.inboundFileFlow`.
fn short_type(document: &Document) -> &str {
    text(document, "@odata.type").rsplit('.').next().unwrap_or_default()
}
