//! `/groups/{id}/members` and `/users/{id}/memberOf`: references between directory objects.

use super::data::{Data, directory_error};
use super::list::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use super::place::{EntityPlace, Place};
use super::read::envelope;
use super::request::{GraphRequest, GraphResponse};
use crate::error::AppError;
use directory::embedded::graph as dir;
use industry_data::MODEL;
use industry_data::permissions::{Action, Resource, allowed};
use odata::edm::Navigation;
use odata::encode::{EncodeOptions, encode};
use odata::json::parse_object;
use odata::limits::Limits;
use odata::query::parse_query;
use serde_json::Value;

fn of_group(nav: &Navigation) -> bool {
    nav.name == "members"
}

fn require(data: &Data<'_, '_>, at: &EntityPlace, action: Action) -> Result<(), AppError> {
    data.ctx().grants.require(allowed(Resource::GroupMembers, action))?;
    if data.directory_object(at)?.is_none() {
        return Err(AppError::no_such(at.within.collection.name, &at.id));
    }
    Ok(())
}

/// Type of what the list leads to.
fn target(nav: &Navigation) -> &'static str {
    if of_group(nav) { "microsoft.graph.user" } else { "microsoft.graph.group" }
}

/// A page of the list.
pub(super) fn list(data: &Data<'_, '_>, request: &GraphRequest, at: &EntityPlace, nav: &Navigation) -> Result<GraphResponse, AppError> {
    require(data, at, Action::List)?;
    let ty = MODEL.find_type(target(nav)).ok_or_else(|| AppError::Internal("no directory types".to_owned()))?;
    let options = parse_query(&request.query, ty, &MODEL, &Limits::DEFAULT)?;
    let unsupported = [
        ("$filter", options.filter.is_some()),
        ("$orderby", !options.orderby.is_empty()),
        ("$search", options.search.is_some()),
        ("$expand", !options.expand.is_empty()),
        ("$skip", options.skip.is_some()),
    ];
    if let Some((name, _)) = unsupported.iter().find(|(_, given)| *given) {
        return Err(AppError::invalid_at(*name, format!("{name} is not supported on '{}'; it is on /users and /groups.", nav.name)));
    }
    let size = options.top.or(request.prefer.page_size).map_or(PAGE_SIZE_DEFAULT, |n| n as usize).clamp(1, PAGE_SIZE_MAX);
    let mut found =
        data.with_tx(|tx| dir::linked(tx, of_group(nav), &at.id, options.skiptoken.as_deref(), size + 1)).map_err(directory_error)?;
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|last| last.id.clone());
    let declared = MODEL.find_type(nav.target).unwrap_or(ty);
    let items = found.into_iter().map(|document| {
        let mut body = document.body;
        body.insert("@odata.type".to_owned(), Value::String(format!("#{}", target(nav))));
        Value::Object(encode(&MODEL, declared, &body, &EncodeOptions { select: &options.select, metadata: request.metadata }))
    });
    let items: Vec<Value> = items.collect();
    let count = options.count.then(|| count(data, at, nav)).transpose()?;
    Ok(GraphResponse::json(200, envelope(request, "directoryObjects", count, next.as_deref(), items)))
}

/// Length of the list.
pub(super) fn count(data: &Data<'_, '_>, at: &EntityPlace, nav: &Navigation) -> Result<u64, AppError> {
    require(data, at, Action::List)?;
    data.with_tx(|tx| dir::linked_count(tx, of_group(nav), &at.id)).map_err(directory_error)
}

/// One entry.
pub(super) fn get(
    data: &Data<'_, '_>,
    request: &GraphRequest,
    at: &EntityPlace,
    nav: &Navigation,
    id: &str,
) -> Result<GraphResponse, AppError> {
    require(data, at, Action::Read)?;
    let missing = || AppError::no_such(nav.name, id);
    let declared = MODEL.find_type(nav.target).ok_or_else(missing)?;
    // Ids are compared from just before: the first at or after it is the one, or there is none.
    let page = data.with_tx(|tx| dir::linked(tx, of_group(nav), &at.id, None, usize::from(u16::MAX))).map_err(directory_error)?;
    let found = page.into_iter().find(|document| document.id == id).ok_or_else(missing)?;
    let mut body = found.body;
    body.insert("@odata.type".to_owned(), Value::String(format!("#{}", target(nav))));
    let encoded = encode(&MODEL, declared, &body, &EncodeOptions { select: &[], metadata: request.metadata });
    Ok(GraphResponse::json(200, encoded))
}

/// `POST /groups/{id}/members/$ref`
pub(super) fn add(data: &Data<'_, '_>, request: &GraphRequest, inner: Place) -> Result<GraphResponse, AppError> {
    let Place::Links(at, nav) = inner else { return Err(AppError::MethodNotAllowed { allow: "DELETE".to_owned() }) };
    if !of_group(nav) {
        return Err(AppError::MethodNotAllowed { allow: "GET".to_owned() });
    }
    require(data, &at, Action::Write)?;
    let body = parse_object(&request.body)?;
    let url = body.get("@odata.id").and_then(Value::as_str);
    let reference = url
        .and_then(odata::decode::reference)
        .ok_or_else(|| AppError::invalid_at("@odata.id", "The body must be { \"@odata.id\": \"…/users/{id}\" }."))?;
    let (_, user) = reference.split_once('/').unwrap_or_default();
    data.with_tx(|tx| dir::member_add(tx, &at.id, user)).map_err(directory_error)?;
    Ok(GraphResponse::no_content())
}

/// `DELETE /groups/{id}/members/{user}/$ref`
pub(super) fn remove(data: &Data<'_, '_>, inner: Place) -> Result<GraphResponse, AppError> {
    match inner {
        Place::Link(at, nav, user) if of_group(nav) => {
            require(data, &at, Action::Write)?;
            data.with_tx(|tx| dir::member_remove(tx, &at.id, &user)).map_err(directory_error)?;
            Ok(GraphResponse::no_content())
        }
        _ => Err(AppError::NotFound("Only members of groups can be removed by reference.".to_owned())),
    }
}
