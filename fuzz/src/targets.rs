//! What the fuzz targets do with an input. The test over the committed corpus does the same, without
//! a fuzzer: it includes this file.

use industry_data::MODEL;
use odata::decode::{Mode, decode};
use odata::edm::{Primitive, Property, StructuredType, TypeRef};
use odata::encode::{EncodeOptions, Metadata, encode};
use odata::filter::{Budget, compare_keys, evaluate, parse, sort_keys};
use odata::limits::Limits;
use odata::path::parse_path;
use odata::query::{parse_query, requested_metadata};
use odata::{batch, filter};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// Work that one evaluation may do; a request may do two hundred times as much, over all entities of a page.
const CONDITIONS: u64 = 100_000;

/// The entity types, each with an entity that has a value of everything.
static TYPES: LazyLock<Vec<(&'static StructuredType, Map<String, Value>)>> =
    LazyLock::new(|| MODEL.all_types().filter(|ty| ty.entity).map(|ty| (ty, filled(ty, 2))).collect());

/// A row of [`TYPES`] by the first character, and what follows it.
///
/// One type for each input and not all of them: a fuzzer lives on executions.
fn typed(text: &str) -> Option<(&'static StructuredType, &'static Map<String, Value>, &str)> {
    let first = text.chars().next()?;
    let (ty, document) = &TYPES[first as usize % TYPES.len()];
    Some((ty, document, &text[first.len_utf8()..]))
}

/// `path?query` of the API.
pub fn url(text: &str) {
    let Some((ty, document, text)) = typed(text) else { return };
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let placed = |error: odata::Error, whole: &str| assert!(error.position.is_none_or(|at| at <= whole.len()), "{error}: {whole}");
    if let Err(error) = parse_path(&MODEL, path) {
        placed(error, path);
    }
    let _ = requested_metadata(query);
    match parse_query(query, ty, &MODEL, &Limits::DEFAULT) {
        Ok(options) => {
            let keys = sort_keys(&MODEL, &options.orderby, document, &Budget::new(CONDITIONS));
            assert!(compare_keys(&options.orderby, &keys, &keys).is_eq(), "an order that is none: {query}");
            encode(&MODEL, ty, document, &EncodeOptions { select: &options.select, metadata: Metadata::Minimal });
        }
        Err(error) => placed(error, query),
    }
}

/// A `$filter`, parsed and evaluated on an entity that has a value of everything and on one that has none.
pub fn filter(text: &str) {
    let Some((ty, document, text)) = typed(text) else { return };
    match parse(text, ty, &MODEL, &Limits::DEFAULT) {
        Ok(condition) => {
            for document in [&Map::new(), document] {
                let truth = evaluate(&MODEL, &condition, document, &Budget::new(CONDITIONS));
                let again = evaluate(&MODEL, &condition, document, &Budget::new(CONDITIONS));
                assert_eq!(truth, again, "two answers for one question: {text}");
            }
        }
        Err(error) => assert!(error.position.is_none_or(|at| at <= text.len()), "{error}: {text}"),
    }
    let _ = filter::resolve(text, ty, &MODEL, &Limits::DEFAULT);
}

/// A body to create an entity with: what is taken is canonical, so it is taken again unchanged.
pub fn json(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let (ty, _) = &TYPES[usize::from(*first) % TYPES.len()];
    let Ok(mut document) = decode(&MODEL, ty, bytes, Mode::Create, &Limits::DEFAULT) else { return };
    encode(&MODEL, ty, &document, &EncodeOptions { select: &[], metadata: Metadata::Full });
    let _ = decode(&MODEL, ty, bytes, Mode::Patch { stored: &document }, &Limits::DEFAULT);
    // References are stored as they are used, not as they are sent.
    without_references(&mut document);
    let text = Value::Object(document.clone()).to_string();
    let again = decode(&MODEL, ty, text.as_bytes(), Mode::Create, &Limits::DEFAULT);
    assert_eq!(again.map(Value::Object), Ok(Value::Object(document)), "{text}");
}

fn without_references(document: &mut Map<String, Value>) {
    document.retain(|name, _| !name.ends_with("@odata.bind"));
    for value in document.values_mut() {
        match value {
            Value::Object(inner) => without_references(inner),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(without_references),
            _ => {}
        }
    }
}

/// The envelope of a batch, and where its parts lead.
pub fn batch(bytes: &[u8]) {
    let Ok(parts) = batch::parse(bytes, &Limits::DEFAULT) else { return };
    let ordered = batch::order(&parts);
    for part in &parts {
        let (path, query) = batch::target(&part.url);
        assert!(!path.contains(' ') && !query.contains(' '), "a URL with a blank: {path}?{query}");
        let _ = parse_path(&MODEL, &path);
    }
    let Ok(order) = ordered else { return };
    assert_eq!(order.len(), parts.len(), "every part once");
    for (place, part) in order.iter().enumerate() {
        let after = |on: &usize| order[..place].contains(on);
        assert!(parts[*part].depends_on.iter().all(after), "{order:?} breaks the order");
    }
}

/// An entity or complex value with a value of everything, and two in each collection.
fn filled(ty: &'static StructuredType, depth: usize) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("@odata.type".to_owned(), json!(format!("#{}", ty.qualified())));
    for property in MODEL.properties(ty) {
        let value = value(property, depth);
        let value = if property.collection { json!([value, value]) } else { value };
        out.insert(property.name.to_owned(), value);
    }
    for nav in MODEL.navigations(ty) {
        let Some(target) = MODEL.find_type(nav.target).filter(|_| depth > 0) else { continue };
        let target = MODEL.concrete(target).last().copied().unwrap_or(target);
        let one = Value::Object(filled(target, 0));
        out.insert(nav.name.to_owned(), if nav.collection { json!([one, one]) } else { one });
    }
    out
}

fn value(property: &Property, depth: usize) -> Value {
    match property.ty {
        TypeRef::Primitive(primitive) => match primitive {
            Primitive::Boolean => json!(true),
            Primitive::Int32 | Primitive::Int64 => json!(7),
            Primitive::Double => json!(-0.5),
            Primitive::String => json!("O'Neil é😀"),
            Primitive::Guid => json!("0190a7c3-0000-7000-8000-000000000000"),
            Primitive::Date => json!("2026-08-01"),
            Primitive::DateTimeOffset => json!("2026-08-01T10:20:30.5Z"),
        },
        TypeRef::Enum(name) => json!(MODEL.find_enum(name).map_or("", |ty| ty.members[0].0)),
        TypeRef::Complex(name) => match MODEL.find_type(name).filter(|_| depth > 0) {
            Some(declared) => Value::Object(filled(MODEL.concrete(declared).first().copied().unwrap_or(declared), depth - 1)),
            None => Value::Null,
        },
    }
}
