//! GET.

use super::data::Data;
use super::list::{self, ListPlan, Source};
use super::place::{CollectionPlace, EntityPlace, Place, PropertyStep};
use super::request::{GraphRequest, GraphResponse, Metadata};
use super::{declared_type, element_type, expand, options};
use crate::error::AppError;
use industry_data::MODEL;
use odata::edm::{Property, StructuredType, TypeRef};
use odata::encode::{EncodeOptions, encode};
use odata::query::QueryOptions;
use serde_json::{Map, Value, json};

/// Type of `/external/industryData`.
const ROOT_TYPE: &str = "microsoft.graph.industryData.industryDataRoot";

/// A page of a collection.
pub(super) fn collection(data: &Data<'_, '_>, request: &GraphRequest, at: &CollectionPlace) -> Result<GraphResponse, AppError> {
    let element = element_type(at)?;
    let declared = declared_type(at)?;
    let options = options(data, request, element)?;
    let source = Source::Collection(at);
    let page = list::page(data, source, &ListPlan::for_request(&options, request.prefer.page_size)?)?;
    let mut items = Vec::with_capacity(page.items.len());
    for stored in &page.items {
        let place = EntityPlace { within: at.clone(), id: stored.id.clone() };
        items.push(Value::Object(expand::present(data, request, &place, stored, declared, &options)?));
    }
    let count = options.count.then(|| list::count(data, source, &options)).transpose()?;
    let body = envelope(request, &at.collection.url_path(at.parent.as_deref()), count, page.next.as_deref(), items);
    Ok(applied_page_size(GraphResponse::json(200, body), request))
}

/// `{ context, count, nextLink, value }`.
pub(super) fn envelope(
    request: &GraphRequest,
    fragment: &str,
    count: Option<u64>,
    next: Option<&str>,
    items: Vec<Value>,
) -> Map<String, Value> {
    let mut body = Map::new();
    if request.metadata != Metadata::None {
        body.insert("@odata.context".to_owned(), json!(request.context(fragment)));
    }
    if let Some(count) = count {
        body.insert("@odata.count".to_owned(), json!(count));
    }
    if let Some(token) = next {
        body.insert("@odata.nextLink".to_owned(), json!(next_link(request, token)));
    }
    body.insert("value".to_owned(), Value::Array(items));
    body
}

/// The request's own URL with another `$skiptoken` and without `$skip`, which the token has used up.
fn next_link(request: &GraphRequest, token: &str) -> String {
    let kept = request.query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        let name = name.strip_prefix("%24").or_else(|| name.strip_prefix('$')).unwrap_or(name).to_ascii_lowercase();
        !pair.is_empty() && !matches!(name.as_str(), "skiptoken" | "skip")
    });
    let mut query: Vec<String> = kept.map(escape_braces).collect();
    query.push(format!("$skiptoken={token}"));
    format!("{}?{}", request.link(&request.path), query.join("&"))
}

/// Kiota for JavaScript reads a link as a URI template: raw braces would be expanded.
fn escape_braces(pair: &str) -> String {
    pair.replace('{', "%7B").replace('}', "%7D")
}

pub(super) fn applied_page_size(response: GraphResponse, request: &GraphRequest) -> GraphResponse {
    match request.prefer.page_size {
        Some(size) => response.with("preference-applied", format!("odata.maxpagesize={size}")),
        None => response,
    }
}

/// One entity.
pub(super) fn entity(data: &Data<'_, '_>, request: &GraphRequest, at: &EntityPlace) -> Result<GraphResponse, AppError> {
    let options = single_options(data, request, element_type(&at.within)?)?;
    let stored = data.get(at)?;
    let body = entity_body(data, request, at, &stored, &options)?;
    Ok(GraphResponse::json(200, body).with("etag", stored.etag()))
}

/// Body of an answer that is one entity.
pub(super) fn entity_body(
    data: &Data<'_, '_>,
    request: &GraphRequest,
    at: &EntityPlace,
    stored: &super::data::Stored,
    options: &QueryOptions,
) -> Result<Map<String, Value>, AppError> {
    let encoded = expand::present(data, request, at, stored, declared_type(&at.within)?, options)?;
    let mut body = Map::new();
    if request.metadata != Metadata::None {
        let collection = at.within.collection.url_path(at.within.parent.as_deref());
        body.insert("@odata.context".to_owned(), json!(request.context(&format!("{collection}/$entity"))));
    }
    body.extend(encoded);
    Ok(body)
}

/// The options that make sense on one entity; the others are refused, not ignored (decision 6).
pub(super) fn single_options(data: &Data<'_, '_>, request: &GraphRequest, ty: &'static StructuredType) -> Result<QueryOptions, AppError> {
    let options = options(data, request, ty)?;
    let misplaced = [
        ("$filter", options.filter.is_some()),
        ("$orderby", !options.orderby.is_empty()),
        ("$top", options.top.is_some()),
        ("$skip", options.skip.is_some()),
        ("$count", options.count),
        ("$search", options.search.is_some()),
        ("$skiptoken", options.skiptoken.is_some()),
    ];
    match misplaced.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(AppError::invalid_at(*name, format!("{name} applies to collections; this URL names one resource."))),
        None => Ok(options),
    }
}

/// A property: `{ "value": … }`, or a complex value as an object.
pub(super) fn property(
    data: &Data<'_, '_>,
    request: &GraphRequest,
    at: &EntityPlace,
    steps: &[PropertyStep],
) -> Result<GraphResponse, AppError> {
    let select = match complex_type(steps) {
        Some(ty) => {
            let options = single_options(data, request, ty)?;
            if !options.expand.is_empty() {
                return Err(AppError::invalid_at("$expand", "A complex value has nothing to expand here."));
            }
            options.select
        }
        None => no_options(data, request, at).map(|()| Vec::new())?,
    };
    let value = property_value(data, request, at, steps)?;
    let mut body = Map::new();
    if request.metadata != Metadata::None {
        body.insert("@odata.context".to_owned(), json!(request.context(&property_path(at, steps))));
    }
    match value {
        Value::Null => return Ok(GraphResponse::no_content()),
        // By its declared type, so that it says which one it is.
        Value::Object(complex) => body.extend(match steps.iter().rev().find_map(declared_value_type).filter(|_| !select.is_empty()) {
            Some(declared) => encode(&MODEL, declared, &complex, &EncodeOptions { select: &select, metadata: request.metadata }),
            None => complex,
        }),
        other => {
            body.insert("value".to_owned(), other);
        }
    }
    Ok(GraphResponse::json(200, body))
}

fn property_path(at: &EntityPlace, steps: &[PropertyStep]) -> String {
    let mut path = at.within.collection.entity_path(at.within.parent.as_deref(), &at.id);
    for step in steps {
        path.push('/');
        match step {
            PropertyStep::To(property) => path.push_str(property.name),
            PropertyStep::Cast(ty) => path.push_str(&ty.qualified()),
        }
    }
    path
}

/// The type of what a path leads to, when that is one complex value.
fn complex_type(steps: &[PropertyStep]) -> Option<&'static StructuredType> {
    match steps.last()? {
        PropertyStep::Cast(ty) => Some(ty),
        to @ PropertyStep::To(_) => declared_value_type(to),
    }
}

/// The declared type of a property that is one complex value.
fn declared_value_type(step: &PropertyStep) -> Option<&'static StructuredType> {
    match step {
        PropertyStep::To(Property { ty: TypeRef::Complex(name), collection: false, .. }) => MODEL.find_type(name),
        PropertyStep::To(_) | PropertyStep::Cast(_) => None,
    }
}

/// Refuses what has no meaning where one primitive value or a reference is answered.
fn no_options(data: &Data<'_, '_>, request: &GraphRequest, at: &EntityPlace) -> Result<(), AppError> {
    let options = single_options(data, request, element_type(&at.within)?)?;
    let misplaced = [("$select", !options.select.is_empty()), ("$expand", !options.expand.is_empty())];
    match misplaced.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(AppError::invalid_at(*name, format!("{name} applies to resources; this URL names a value without parts."))),
        None => Ok(()),
    }
}

fn property_value(data: &Data<'_, '_>, request: &GraphRequest, at: &EntityPlace, steps: &[PropertyStep]) -> Result<Value, AppError> {
    let stored = data.get(at)?;
    let encoded = expand::present(data, request, at, &stored, element_type(&at.within)?, &QueryOptions::default())?;
    let mut value = Value::Object(encoded);
    for step in steps {
        match step {
            PropertyStep::To(property) => value = value.get_mut(property.name).map(Value::take).unwrap_or_default(),
            PropertyStep::Cast(wanted) => {
                // A value whose declared type has no others does not say it, and can only be cast to that.
                let named = value.get("@odata.type").and_then(Value::as_str).and_then(|name| MODEL.find_type(name));
                if named.is_some_and(|ty| !MODEL.is_subtype(ty, wanted)) {
                    return Err(AppError::NotFound(format!("This value is not a {}.", wanted.qualified())));
                }
            }
        }
    }
    Ok(value)
}

/// `/$value` of a primitive property.
pub(super) fn value(data: &Data<'_, '_>, request: &GraphRequest, inner: Place) -> Result<GraphResponse, AppError> {
    let Place::Property(at, steps) = inner else {
        return Err(AppError::NotFound("$value follows a property.".to_owned()));
    };
    no_options(data, request, &at)?;
    match property_value(data, request, &at, &steps)? {
        Value::Null => Ok(GraphResponse::no_content()),
        Value::String(text) => Ok(GraphResponse::text(text)),
        Value::Object(_) | Value::Array(_) => Err(AppError::invalid("$value is for primitive properties; read this one without it.")),
        other => Ok(GraphResponse::text(other.to_string())),
    }
}

/// `/$count`
pub(super) fn count(data: &Data<'_, '_>, request: &GraphRequest, inner: Place) -> Result<GraphResponse, AppError> {
    match inner {
        Place::Collection(at) => {
            let options = options(data, request, element_type(&at)?)?;
            Ok(GraphResponse::text(list::count(data, Source::Collection(&at), &options)?.to_string()))
        }
        Place::Links(at, nav) => Ok(GraphResponse::text(super::links::count(data, request, &at, nav)?.to_string())),
        Place::Property(at, steps) => {
            no_options(data, request, &at)?;
            let value = property_value(data, request, &at, &steps)?;
            Ok(GraphResponse::text(value.as_array().map_or(0, Vec::len).to_string()))
        }
        _ => Err(AppError::NotFound("$count follows a collection.".to_owned())),
    }
}

/// `/external/industryData` itself, with the collections that `$expand` names.
pub(super) fn root(data: &Data<'_, '_>, request: &GraphRequest) -> Result<GraphResponse, AppError> {
    let ty = MODEL.find_type(ROOT_TYPE).ok_or_else(|| AppError::Internal(format!("the model lacks {ROOT_TYPE}")))?;
    let options = single_options(data, request, ty)?;
    let mut body = Map::new();
    if request.metadata != Metadata::None {
        body.insert("@odata.context".to_owned(), json!(request.context("external/industryData/$entity")));
    }
    body.insert("id".to_owned(), json!("industryData"));
    for expand in &options.expand {
        expand::root_collection(data, request, expand, &mut body)?;
    }
    Ok(GraphResponse::json(200, body))
}

/// `GET …/$ref`: where a navigation leads, for who may read what is there.
pub(super) fn reference(data: &Data<'_, '_>, request: &GraphRequest, inner: &Place) -> Result<GraphResponse, AppError> {
    let Place::Entity(at) = inner else {
        return Err(AppError::MethodNotAllowed { allow: "POST".to_owned() });
    };
    no_options(data, request, at)?;
    data.require_exists(at)?;
    let mut body = Map::new();
    if request.metadata != Metadata::None {
        body.insert("@odata.context".to_owned(), json!(request.context("$ref")));
    }
    let path = at.within.collection.entity_path(at.within.parent.as_deref(), &at.id);
    body.insert("@odata.id".to_owned(), json!(request.link(&path)));
    Ok(GraphResponse::json(200, body))
}
