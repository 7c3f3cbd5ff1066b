//! `$expand`: navigation properties inline, each read with the caller's own permissions.

use super::collections::find;
use super::data::{Data, Stored};
use super::list::{self, ListPlan};
use super::place::{CollectionPlace, EntityPlace, target};
use crate::error::AppError;
use industry_data::MODEL;
use odata::edm::{Navigation, StructuredType};
use odata::encode::{EncodeOptions, Metadata, encode};
use odata::query::{Expand, QueryOptions};
use serde_json::{Map, Value};

/// Encodes an entity with its expansions.
///
/// `declared` is the type that the URL promises; where it has subtypes the answer says which one it is.
pub(super) fn present(
    data: &Data<'_, '_>,
    place: &EntityPlace,
    stored: &Stored,
    declared: &'static StructuredType,
    options: &QueryOptions,
    metadata: Metadata,
) -> Result<Map<String, Value>, AppError> {
    let mut document = industry_data::rules::present(place.within.collection.name, &stored.body);
    for expand in &options.expand {
        let value = expanded(data, place, stored, expand, metadata)?;
        document.insert(expand.navigation.name.to_owned(), value);
    }
    let mut encoded = encode(&MODEL, declared, &document, &EncodeOptions { select: &options.select, metadata });
    if metadata == Metadata::Full {
        encoded.insert("@odata.etag".to_owned(), Value::String(stored.etag()));
    }
    Ok(encoded)
}

/// A collection of the root, inline.
pub(super) fn root_collection(data: &Data<'_, '_>, expand: &Expand, metadata: Metadata) -> Result<Value, AppError> {
    let collection = find(expand.navigation.name).ok_or_else(|| unsupported(expand.navigation))?;
    let within = CollectionPlace { collection, parent: None, cast: None };
    inline(data, &within, expand, metadata)
}

/// The entities of a collection as `$expand` wants them.
fn inline(data: &Data<'_, '_>, within: &CollectionPlace, expand: &Expand, metadata: Metadata) -> Result<Value, AppError> {
    let declared = declared_type(expand.navigation)?;
    let page = list::page(data, within, &ListPlan::new(&expand.options, list::EXPANDED_MAX))?;
    let items = page.items.iter().map(|item| {
        let at = EntityPlace { within: within.clone(), id: item.id.clone() };
        present(data, &at, item, declared, &expand.options, metadata).map(Value::Object)
    });
    Ok(Value::Array(items.collect::<Result<_, _>>()?))
}

fn expanded(data: &Data<'_, '_>, place: &EntityPlace, stored: &Stored, expand: &Expand, metadata: Metadata) -> Result<Value, AppError> {
    let nav = expand.navigation;
    let declared = declared_type(nav)?;
    if nav.contained && nav.collection {
        let collection = find(nav.name).ok_or_else(|| unsupported(nav))?;
        let within = CollectionPlace { collection, parent: Some(place.id.clone()), cast: None };
        return inline(data, &within, expand, metadata);
    }
    if nav.collection {
        return Err(unsupported(nav));
    }
    let Some(at) = target(&stored.body, nav) else { return Ok(Value::Null) };
    match data.find(&at)? {
        Some(found) => present(data, &at, &found, declared, &expand.options, metadata).map(Value::Object),
        None => Ok(Value::Null),
    }
}

fn declared_type(nav: &Navigation) -> Result<&'static StructuredType, AppError> {
    MODEL.find_type(nav.target).ok_or_else(|| AppError::Internal(format!("the model lacks {}", nav.target)))
}

fn unsupported(nav: &Navigation) -> AppError {
    AppError::invalid_at("$expand", format!("'{0}' cannot be expanded here; read it at its own URL, …/{0}.", nav.name))
}
