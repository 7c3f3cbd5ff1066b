//! `$expand`: navigation properties inline, each read with the caller's own permissions.

use super::collections::find;
use super::data::{Data, Stored};
use super::list::{self, ListPlan};
use super::place::{CollectionPlace, EntityPlace, target};
use super::request::{GraphRequest, Method};
use crate::error::AppError;
use industry_data::MODEL;
use industry_data::rules::Lookup;
use odata::edm::{Navigation, StructuredType, TypeRef};
use odata::encode::{EncodeOptions, Metadata, encode};
use odata::query::{Expand, QueryOptions};
use serde_json::{Map, Value};

/// Encodes an entity with its expansions.
///
/// `declared` is the type that the URL promises; where it has subtypes the answer says which one it is.
pub(super) fn present(
    data: &Data<'_, '_>,
    request: &GraphRequest,
    place: &EntityPlace,
    stored: &Stored,
    declared: &'static StructuredType,
    options: &QueryOptions,
) -> Result<Map<String, Value>, AppError> {
    let metadata = request.metadata;
    let mut document = industry_data::rules::present(place.within.collection.name, &stored.body);
    if request.method != Method::Post {
        let ty = super::write::concrete_type(declared, &stored.body);
        let at = place.within.collection.keyed_path(place.within.parent.as_deref(), &place.id);
        show_contained(data, request, ty, &mut document, &format!("{at}/{}", ty.qualified()))?;
    }
    for expand in &options.expand {
        let value = expanded(data, request, place, stored, expand)?;
        document.insert(expand.navigation.name.to_owned(), value);
    }
    let mut encoded = encode(&MODEL, declared, &document, &EncodeOptions { select: &options.select, metadata });
    if metadata == Metadata::Full {
        encoded.insert("@odata.etag".to_owned(), Value::String(stored.etag()));
    }
    Ok(encoded)
}

/// A collection of the root, inline.
pub(super) fn root_collection(data: &Data<'_, '_>, request: &GraphRequest, expand: &Expand) -> Result<Value, AppError> {
    let collection = find(expand.navigation.name).ok_or_else(|| unsupported(expand.navigation))?;
    let within = CollectionPlace { collection, parent: None, cast: None };
    inline(data, request, &within, expand)
}

/// The entities of a collection as `$expand` wants them.
fn inline(data: &Data<'_, '_>, request: &GraphRequest, within: &CollectionPlace, expand: &Expand) -> Result<Value, AppError> {
    let declared = declared_type(expand.navigation)?;
    let page = list::page(data, within, &ListPlan::new(&expand.options, list::EXPANDED_MAX))?;
    let items = page.items.iter().map(|item| {
        let at = EntityPlace { within: within.clone(), id: item.id.clone() };
        present(data, request, &at, item, declared, &expand.options).map(Value::Object)
    });
    Ok(Value::Array(items.collect::<Result<_, _>>()?))
}

fn expanded(data: &Data<'_, '_>, request: &GraphRequest, place: &EntityPlace, stored: &Stored, expand: &Expand) -> Result<Value, AppError> {
    let nav = expand.navigation;
    let declared = declared_type(nav)?;
    if nav.contained && nav.collection {
        let collection = find(nav.name).ok_or_else(|| unsupported(nav))?;
        let within = CollectionPlace { collection, parent: Some(place.id.clone()), cast: None };
        return inline(data, request, &within, expand);
    }
    if nav.collection {
        return Err(unsupported(nav));
    }
    let Some(at) = target(&stored.body, nav) else { return Ok(Value::Null) };
    match data.find(&at)? {
        Some(found) => present(data, request, &at, &found, declared, &expand.options).map(Value::Object),
        None => Ok(Value::Null),
    }
}

/// What a complex value contains stands inline without being asked for, as the published answers
/// show the `roleGroup` of a `userConfiguration`; only the answer to POST does not echo it.
///
/// `path` leads to the document in contexts. It is a part of the document, so that it takes no
/// permission of its own.
fn show_contained(
    data: &Data<'_, '_>,
    request: &GraphRequest,
    ty: &'static StructuredType,
    document: &mut Map<String, Value>,
    path: &str,
) -> Result<(), AppError> {
    for property in MODEL.properties(ty) {
        let TypeRef::Complex(name) = property.ty else { continue };
        let Some(declared) = MODEL.find_type(name) else { continue };
        let path = format!("{path}/{}", property.name);
        let values: Vec<&mut Map<String, Value>> = match document.get_mut(property.name) {
            Some(Value::Object(value)) => vec![value],
            Some(Value::Array(values)) => values.iter_mut().filter_map(Value::as_object_mut).collect(),
            _ => Vec::new(),
        };
        for value in values {
            let ty = super::write::concrete_type(declared, value);
            for nav in MODEL.navigations(ty).into_iter().filter(|nav| nav.contained && !nav.collection) {
                let Some(at) = target(value, nav) else { continue };
                let Some(found) = Lookup::get(data, at.within.collection.name, &at.id) else { continue };
                if request.metadata != Metadata::None {
                    let context = request.context(&format!("{path}/{}/$entity", nav.name));
                    value.insert(format!("{}@odata.context", nav.name), Value::String(context));
                }
                let shown = encode(&MODEL, declared_type(nav)?, &found, &EncodeOptions { select: &[], metadata: request.metadata });
                value.insert(nav.name.to_owned(), Value::Object(shown));
            }
            show_contained(data, request, ty, value, &path)?;
        }
    }
    Ok(())
}

fn declared_type(nav: &Navigation) -> Result<&'static StructuredType, AppError> {
    MODEL.find_type(nav.target).ok_or_else(|| AppError::Internal(format!("the model lacks {}", nav.target)))
}

fn unsupported(nav: &Navigation) -> AppError {
    AppError::invalid_at("$expand", format!("'{0}' cannot be expanded here; read it at its own URL, …/{0}.", nav.name))
}
