//! `/groups/{id}/members` and `/users/{id}/memberOf`: references between directory objects.

use super::data::{Data, Stored, directory_error};
use super::list::{self, ListPlan, Source};
use super::place::{CollectionPlace, EntityPlace, Place};
use super::read::{applied_page_size, envelope, single_options};
use super::request::{GraphRequest, GraphResponse, Metadata};
use super::{collections, expand, options};
use crate::error::AppError;
use directory::embedded::graph as dir;
use industry_data::MODEL;
use industry_data::permissions::{Action, Resource, allowed};
use odata::edm::{Navigation, StructuredType};
use odata::json::parse_object;
use serde_json::{Map, Value, json};

fn of_group(nav: &Navigation) -> bool {
    nav.name == "members"
}

/// Whether a navigation property of users and groups is kept as links.
pub(super) fn are_links(nav: &Navigation) -> bool {
    matches!(nav.name, "members" | "memberOf")
}

/// 403 without permission, 404 when the user or group is not there.
pub(super) fn require(data: &Data<'_, '_>, at: &EntityPlace, action: Action) -> Result<(), AppError> {
    data.ctx().grants.require(allowed(Resource::GroupMembers, action))?;
    if data.directory_object(at)?.is_none() {
        return Err(AppError::no_such(at.within.collection.name, &at.id));
    }
    Ok(())
}

/// Type of what the list leads to.
pub(super) fn target(nav: &Navigation) -> Result<&'static StructuredType, AppError> {
    let name = if of_group(nav) { "microsoft.graph.user" } else { "microsoft.graph.group" };
    MODEL.find_type(name).ok_or_else(|| AppError::Internal("no directory types".to_owned()))
}

/// Whether all that the list leads to is of a type.
pub(super) fn are_all(nav: &Navigation, ty: &StructuredType) -> bool {
    target(nav).is_ok_and(|target| MODEL.is_subtype(target, ty))
}

/// The collection that what the list leads to lives in.
pub(super) fn home(nav: &Navigation) -> Result<CollectionPlace, AppError> {
    let name = if of_group(nav) { "users" } else { "groups" };
    let collection = collections::find(name).ok_or_else(|| AppError::Internal(format!("no {name}")))?;
    Ok(CollectionPlace { collection, parent: None, cast: None })
}

/// The lists hold no type of their own: what stands in one says of which type it is.
fn typed(document: dir::Document, target: &StructuredType) -> Stored {
    let mut body = Map::new();
    body.insert("@odata.type".to_owned(), json!(format!("#{}", target.qualified())));
    body.extend(document.body);
    Stored { id: document.id, body, version: document.version }
}

/// Up to `limit` entries after an id, in order of id.
pub(super) fn batch(
    data: &Data<'_, '_>,
    at: &EntityPlace,
    nav: &Navigation,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Stored>, AppError> {
    let target = target(nav)?;
    let found = data.with_tx(|tx| dir::linked(tx, of_group(nav), &at.id, after, limit)).map_err(directory_error)?;
    Ok(found.into_iter().map(|document| typed(document, target)).collect())
}

/// Length of the list.
pub(super) fn length(data: &Data<'_, '_>, at: &EntityPlace, nav: &Navigation) -> Result<u64, AppError> {
    data.with_tx(|tx| dir::linked_count(tx, of_group(nav), &at.id)).map_err(directory_error)
}

/// A page of the list.
pub(super) fn list(
    data: &Data<'_, '_>,
    request: &GraphRequest,
    at: &EntityPlace,
    nav: &'static Navigation,
) -> Result<GraphResponse, AppError> {
    require(data, at, Action::List)?;
    let ty = target(nav)?;
    let options = options(data, request, ty)?;
    let source = Source::Links(at, nav);
    let page = list::page(data, source, &ListPlan::for_request(&options, request.prefer.page_size)?)?;
    let declared = MODEL.find_type(nav.target).unwrap_or(ty);
    let home = home(nav)?;
    let items = page.items.iter().map(|stored| {
        let place = EntityPlace { within: home.clone(), id: stored.id.clone() };
        expand::present(data, request, &place, stored, declared, &options).map(Value::Object)
    });
    let items = items.collect::<Result<Vec<_>, _>>()?;
    let count = options.count.then(|| list::count(data, source, &options)).transpose()?;
    let body = envelope(request, "directoryObjects", count, page.next.as_deref(), items);
    Ok(applied_page_size(GraphResponse::json(200, body), request))
}

/// `/$count` of the list, with `$filter` and `$search`.
pub(super) fn count(data: &Data<'_, '_>, request: &GraphRequest, at: &EntityPlace, nav: &'static Navigation) -> Result<u64, AppError> {
    require(data, at, Action::List)?;
    let options = options(data, request, target(nav)?)?;
    list::count(data, Source::Links(at, nav), &options)
}

/// One entry.
pub(super) fn get(
    data: &Data<'_, '_>,
    request: &GraphRequest,
    at: &EntityPlace,
    nav: &'static Navigation,
    id: &str,
) -> Result<GraphResponse, AppError> {
    require(data, at, Action::Read)?;
    let target = target(nav)?;
    let options = single_options(data, request, target)?;
    let found = data.with_tx(|tx| dir::linked_get(tx, of_group(nav), &at.id, id)).map_err(directory_error)?;
    let stored = typed(found.ok_or_else(|| AppError::no_such(nav.name, id))?, target);
    let place = EntityPlace { within: home(nav)?, id: stored.id.clone() };
    let declared = MODEL.find_type(nav.target).unwrap_or(target);
    let mut body = Map::new();
    if request.metadata != Metadata::None {
        body.insert("@odata.context".to_owned(), json!(request.context("directoryObjects/$entity")));
    }
    body.extend(expand::present(data, request, &place, &stored, declared, &options)?);
    Ok(GraphResponse::json(200, body).with("etag", stored.etag()))
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
