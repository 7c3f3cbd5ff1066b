//! POST, PATCH and DELETE of entities.

use super::collections::Writes;
use super::data::{Data, Stored};
use super::place::{CollectionPlace, EntityPlace};
use super::request::{GraphRequest, GraphResponse, Return};
use super::{declared_type, element_type, read};
use crate::app::App;
use crate::error::AppError;
use crate::jobs;
use crate::runs::SECURITY_GROUP_FLOW;
use industry_data::MODEL;
use industry_data::permissions::Action;
use odata::decode::{Mode, check_required, decode, merge_patch};
use odata::limits::Limits;
use odata::query::QueryOptions;
use serde_json::{Map, Value, json};

/// What a PATCH answers when the client does not say (decisions 1 and 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// 204, as the reference publishes it.
    NoContent,
    /// 200 with the object: the seed's short URL and every securityGroupProvisioningFlow.
    Object,
}

/// POST to a collection.
pub(super) fn create(app: &App, data: &Data<'_, '_>, request: &GraphRequest, at: &CollectionPlace) -> Result<GraphResponse, AppError> {
    require_writable(at, "GET")?;
    // Before the body is looked at: what is wrong with it is nothing for those who may not write.
    data.require(at.collection, Action::Write)?;
    let expected = element_type(at)?;
    let mut given = decode(&MODEL, expected, &request.body, Mode::Create, &Limits::DEFAULT)?;
    let ty = concrete_type(expected, &given);
    check_required(&MODEL, ty, &given)?;
    // The URL may have said the type, which the document has to say from now on.
    if MODEL.is_polymorphic(declared_type(at)?) {
        given.insert("@odata.type".to_owned(), Value::String(format!("#{}", ty.qualified())));
    }
    let stored = data.create(app, at, given)?;
    let place = EntityPlace { within: at.clone(), id: stored.id.clone() };
    jobs::after_change(app, data, at.collection.name)?;
    let location = request.link(&at.collection.entity_path(at.parent.as_deref(), &stored.id));
    if request.prefer.returns == Some(Return::Minimal) {
        return Ok(GraphResponse::no_content()
            .with("location", location.clone())
            .with("odata-entityid", location)
            .with("preference-applied", "return=minimal".to_owned()));
    }
    let body = read::entity_body(data, request, &place, &stored, &QueryOptions::default())?;
    let response = GraphResponse::json(201, body).with("location", location).with("etag", stored.etag());
    Ok(preference_applied(response, request))
}

/// PATCH of an entity.
pub(super) fn update(
    app: &App,
    data: &Data<'_, '_>,
    request: &GraphRequest,
    at: &EntityPlace,
    default: Answer,
) -> Result<GraphResponse, AppError> {
    require_writable(&at.within, "GET")?;
    let stored = data.get_for_write(at)?;
    check_conditions(request, &stored)?;
    let declared = declared_type(&at.within)?;
    let ty = concrete_type(declared, &stored.body);
    let patch = decode(&MODEL, declared, &request.body, Mode::Patch { stored: &stored.body }, &Limits::DEFAULT)?;
    let merged = merge_patch(&MODEL, ty, &stored.body, &patch);
    let updated = data.update(app, at, &stored, &patch, merged)?;
    jobs::after_change(app, data, at.within.collection.name)?;
    let is_seed = updated.body.get("@odata.type").and_then(Value::as_str) == Some(SECURITY_GROUP_FLOW);
    let object = match request.prefer.returns {
        Some(Return::Representation) => true,
        Some(Return::Minimal) => false,
        None => default == Answer::Object || is_seed,
    };
    let response = if object {
        let body = read::entity_body(data, request, at, &updated, &QueryOptions::default())?;
        GraphResponse::json(200, body)
    } else {
        GraphResponse::no_content()
    };
    Ok(preference_applied(response.with("etag", updated.etag()), request))
}

/// DELETE of an entity.
pub(super) fn delete(app: &App, data: &Data<'_, '_>, request: &GraphRequest, at: &EntityPlace) -> Result<GraphResponse, AppError> {
    require_writable(&at.within, "GET")?;
    let stored = data.get_for_write(at)?;
    check_conditions(request, &stored)?;
    data.delete(app, at)?;
    jobs::after_change(app, data, at.within.collection.name)?;
    Ok(GraphResponse::no_content())
}

/// The type that a stored document says it is, else the declared one.
pub(super) fn concrete_type(
    declared: &'static odata::edm::StructuredType,
    body: &Map<String, Value>,
) -> &'static odata::edm::StructuredType {
    body.get("@odata.type").and_then(Value::as_str).and_then(|name| MODEL.find_type(name)).unwrap_or(declared)
}

fn require_writable(at: &CollectionPlace, allow: &str) -> Result<(), AppError> {
    if at.collection.writes == Writes::None {
        return Err(AppError::MethodNotAllowed { allow: allow.to_owned() });
    }
    Ok(())
}

/// `If-Match` and `If-None-Match` (decision 8): absent is fine, `*` is any, weak and strong forms are
/// compared alike.
fn check_conditions(request: &GraphRequest, stored: &Stored) -> Result<(), AppError> {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let current = bare(&stored.etag());
    let names_it = |given: &str| given.trim() == "*" || given.split(',').any(|tag| bare(tag) == current);
    if request.if_match.as_deref().is_some_and(|given| !names_it(given)) || request.if_none_match.as_deref().is_some_and(names_it) {
        return Err(AppError::PreconditionFailed);
    }
    Ok(())
}

fn preference_applied(response: GraphResponse, request: &GraphRequest) -> GraphResponse {
    match request.prefer.returns {
        Some(Return::Representation) => response.with("preference-applied", "return=representation".to_owned()),
        Some(Return::Minimal) => response.with("preference-applied", "return=minimal".to_owned()),
        None => response,
    }
}

/// Server-set times of a new document.
pub(super) fn stamp(body: &mut Map<String, Value>, ty: &'static odata::edm::StructuredType, now: jiff::Timestamp) {
    for name in ["createdDateTime", "lastModifiedDateTime"] {
        if MODEL.property(ty, name).is_some() {
            body.insert(name.to_owned(), json!(industry_data::rules::format_time(now)));
        }
    }
}
