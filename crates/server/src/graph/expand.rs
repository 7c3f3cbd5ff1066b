//! `$expand`: navigation properties inline, each read with the caller's own permissions.

use super::collections::find;
use super::data::{Data, Stored};
use super::list::{self, ListPlan, Source};
use super::place::{CollectionPlace, EntityPlace, target};
use super::request::{GraphRequest, Method};
use crate::error::AppError;
use industry_data::MODEL;
use industry_data::permissions::Action;
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
        expanded(data, request, place, stored, expand, &mut document)?;
    }
    let mut encoded = encode(&MODEL, declared, &document, &EncodeOptions { select: &options.select, metadata });
    if metadata == Metadata::Full {
        encoded.insert("@odata.etag".to_owned(), Value::String(stored.etag()));
    }
    Ok(encoded)
}

/// A collection of the root, inline; annotations of the expansion go beside it.
pub(super) fn root_collection(
    data: &Data<'_, '_>,
    request: &GraphRequest,
    expand: &Expand,
    into: &mut Map<String, Value>,
) -> Result<(), AppError> {
    let collection = find(expand.navigation.name).ok_or_else(|| unsupported(expand.navigation))?;
    let within = CollectionPlace { collection, parent: None, cast: expand.cast };
    inline(data, request, Source::Collection(&within), expand, collection.path, into)
}

/// The entities of a collection as `$expand` wants them. When there are more than fit, a link leads
/// to the rest: `path` is the collection's own URL below the version.
fn inline(
    data: &Data<'_, '_>,
    request: &GraphRequest,
    source: Source<'_>,
    expand: &Expand,
    path: &str,
    into: &mut Map<String, Value>,
) -> Result<(), AppError> {
    let name = expand.navigation.name;
    let declared = declared_type(expand.navigation)?;
    // The preference counts for every collection of an answer (OData 4.01 part 1, §8.2.8.6).
    list::check_limits(&expand.options)?;
    let size = request.prefer.page_size.map_or(list::EXPANDED_MAX, |size| (size as usize).min(list::EXPANDED_MAX));
    let page = list::page(data, source, &ListPlan::new(&expand.options, size))?;
    let items = page.items.iter().map(|item| {
        let at = EntityPlace { within: source.home()?, id: item.id.clone() };
        present(data, request, &at, item, declared, &expand.options).map(Value::Object)
    });
    let items = Value::Array(items.collect::<Result<_, _>>()?);
    if expand.options.count {
        let count = list::count(data, source, &expand.options)?;
        into.insert(format!("{name}@odata.count"), Value::from(count));
    }
    if let Some(token) = page.next {
        let path = expand.cast.map_or_else(|| path.to_owned(), |cast| format!("{path}/{}", cast.qualified()));
        into.insert(format!("{name}@odata.nextLink"), Value::String(rest_link(request, &path, expand, &token)));
    }
    into.insert(name.to_owned(), items);
    Ok(())
}

/// The URL of the rest of a cut expansion, with the options it was asked with.
fn rest_link(request: &GraphRequest, path: &str, expand: &Expand, token: &str) -> String {
    let mut query: Vec<String> = Vec::new();
    for (name, text) in &expand.texts {
        let bare = name.trim_start_matches('$').to_ascii_lowercase();
        if bare != "skip" {
            query.push(format!("${bare}={}", super::collections::encode_segment(text)));
        }
    }
    query.push(format!("$skiptoken={token}"));
    format!("{}?{}", request.link(path), query.join("&"))
}

fn expanded(
    data: &Data<'_, '_>,
    request: &GraphRequest,
    place: &EntityPlace,
    stored: &Stored,
    expand: &Expand,
    into: &mut Map<String, Value>,
) -> Result<(), AppError> {
    let nav = expand.navigation;
    let ty = super::write::concrete_type(super::declared_type(&place.within)?, &stored.body);
    if MODEL.navigation(ty, nav.name).is_none() {
        // A navigation property of another subtype.
        return Ok(());
    }
    let own = place.within.collection.entity_path(place.within.parent.as_deref(), &place.id);
    let path = format!("{own}/{}", nav.name);
    if super::links::are_links(nav) {
        if expand.cast.is_some_and(|cast| !super::links::are_all(nav, cast)) {
            return Err(unsupported(nav));
        }
        super::links::require(data, place, Action::List)?;
        return inline(data, request, Source::Links(place, nav), expand, &path, into);
    }
    if nav.contained && nav.collection {
        let collection = find(nav.name).ok_or_else(|| unsupported(nav))?;
        let within = CollectionPlace { collection, parent: Some(place.id.clone()), cast: expand.cast };
        return inline(data, request, Source::Collection(&within), expand, &path, into);
    }
    if nav.collection {
        return if expand.wildcard { Ok(()) } else { Err(unsupported(nav)) };
    }
    let value = match target(&stored.body, nav) {
        None => Value::Null,
        Some(at) => match data.find(&at)? {
            Some(found) if expand.cast.is_none_or(|ty| data.is_of_type(&at.within, &found, ty)) => {
                Value::Object(present(data, request, &at, &found, declared_type(nav)?, &expand.options)?)
            }
            _ => Value::Null,
        },
    };
    into.insert(nav.name.to_owned(), value);
    Ok(())
}

/// What a navigation property leads to, for a filter that looks through it: read with the caller's
/// own permissions, like an expansion.
pub(super) fn related(data: &Data<'_, '_>, place: &EntityPlace, stored: &Stored, nav: &'static Navigation) -> Result<Value, AppError> {
    let shown = |collection: &str, body: &Map<String, Value>| Value::Object(industry_data::rules::present(collection, body));
    if nav.contained && nav.collection {
        let collection = find(nav.name).ok_or_else(|| unsupported(nav))?;
        let within = CollectionPlace { collection, parent: Some(place.id.clone()), cast: None };
        let options = QueryOptions::default();
        let mut all = Vec::new();
        list::all(data, &within, &options, |item| all.push(shown(collection.name, &item.body)))?;
        return Ok(Value::Array(all));
    }
    if nav.collection {
        let message = format!("'{0}' cannot be used in $filter and $orderby here; read it at its own URL, …/{0}.", nav.name);
        return Err(AppError::invalid_at("$filter", message));
    }
    let Some(at) = target(&stored.body, nav) else { return Ok(Value::Null) };
    let found = data.find(&at)?;
    Ok(found.map_or(Value::Null, |found| shown(at.within.collection.name, &found.body)))
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
