//! `/securityGroupProvisioningFlow`: the short URL that Homeroom started from (decision 1).
//!
//! It names a flow when the tenant has exactly one of the kind, when the body carries an `id`,
//! or when a key follows.

use super::data::Data;
use super::place::{CollectionPlace, EntityPlace};
use super::request::{GraphRequest, GraphResponse, Method};
use super::{collections, read, write};
use crate::app::App;
use crate::error::{AppError, Detail};
use crate::runs::SECURITY_GROUP_FLOW;
use industry_data::permissions::Action;
use odata::json::parse_object;
use serde_json::Value;

const NAME: &str = "securityGroupProvisioningFlow";

/// What the path says: `None` when it is not the short URL, `Some(None)` without a key.
#[expect(clippy::option_option, reason = "the outer says whether it is this URL, the inner whether it has a key")]
pub(super) fn matches(path: &str) -> Option<Option<String>> {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    let (head, rest) = match decoded.get(..NAME.len()) {
        Some(head) => (head, decoded.get(NAME.len()..)?),
        None => return None,
    };
    if !head.eq_ignore_ascii_case(NAME) {
        return None;
    }
    if rest.is_empty() {
        return Some(None);
    }
    let key = rest.strip_prefix('/').filter(|key| !key.contains('/')).or_else(|| rest.strip_prefix("('")?.strip_suffix("')"))?;
    Some(Some(key.to_owned()))
}

/// GET or PATCH.
pub(super) fn handle(app: &App, data: &Data<'_, '_>, request: &GraphRequest, key: Option<String>) -> Result<GraphResponse, AppError> {
    let collection = collections::find("provisioningFlows").ok_or_else(|| AppError::Internal("no provisioningFlows".to_owned()))?;
    if !matches!(request.method, Method::Get | Method::Patch) {
        return Err(AppError::MethodNotAllowed { allow: "GET, PATCH".to_owned() });
    }
    let writes = request.method == Method::Patch;
    data.require(collection, if writes { Action::Write } else { Action::Read })?;
    let body = if writes { Some(parse_object(&request.body)?) } else { None };
    let given = |name: &str| body.as_ref().and_then(|b| b.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    let in_body = given("id").and_then(Value::as_str).map(str::to_owned);
    let has_options = given("creationOptions").is_some();
    let at = find(data, request, collection, key.or(in_body))?;
    match request.method {
        Method::Get => read::entity(data, request, &at),
        Method::Patch => {
            if !has_options {
                return Err(AppError::invalid_at(
                    "creationOptions",
                    "creationOptions is required on this URL: send { \"creationOptions\": { \"createBasedOnRoleGroup\": …, \"createBasedOnOrgPlusRoleGroup\": … } }. On the canonical URL a PATCH may be partial.",
                ));
            }
            write::update(app, data, request, &at, write::Answer::Object)
        }
        _ => Err(AppError::MethodNotAllowed { allow: "GET, PATCH".to_owned() }),
    }
}

/// The one flow, or the one with that id.
fn find(
    data: &Data<'_, '_>,
    request: &GraphRequest,
    collection: &'static collections::Collection,
    id: Option<String>,
) -> Result<EntityPlace, AppError> {
    let flows = data.all_provisioning_flows(SECURITY_GROUP_FLOW, request.method == Method::Patch)?;
    let place = |(parent, id): &(String, String)| EntityPlace {
        within: CollectionPlace { collection, parent: Some(parent.clone()), cast: None },
        id: id.clone(),
    };
    if let Some(id) = id {
        return flows.iter().find(|flow| flow.1 == id).map(place).ok_or_else(|| AppError::no_such("securityGroupProvisioningFlow", &id));
    }
    match flows.as_slice() {
        [only] => Ok(place(only)),
        [] => Err(AppError::NotFound(
            "This tenant has no securityGroupProvisioningFlow; POST one to /external/industryData/outboundProvisioningFlowSets/{id}/provisioningFlows.".to_owned(),
        )),
        several => Err(AppError::Conflict {
            message: format!("This tenant has {} securityGroupProvisioningFlows; name one by its canonical URL, by an id in the body, or by a key after this URL.", several.len()),
            details: several
                .iter()
                .map(|flow| Detail {
                    code: "Candidate".to_owned(),
                    message: format!("securityGroupProvisioningFlow '{}'", flow.1),
                    target: Some(request.link(&collection.entity_path(Some(&flow.0), &flow.1))),
                })
                .collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_url_and_its_keys() {
        assert_eq!(matches("securityGroupProvisioningFlow"), Some(None));
        assert_eq!(matches("SecurityGroupProvisioningFlow/a-b"), Some(Some("a-b".to_owned())));
        assert_eq!(matches("securityGroupProvisioningFlow('a-b')"), Some(Some("a-b".to_owned())));
        assert_eq!(matches("securityGroupProvisioningFlow(%27a-b%27)"), Some(Some("a-b".to_owned())));
        assert_eq!(matches("securityGroupProvisioningFlows"), None);
        assert_eq!(matches("users"), None);
    }
}
