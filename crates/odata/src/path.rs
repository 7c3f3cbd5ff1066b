//! URL paths as grammar: segments resolved one by one against the model.
//!
//! Segments are matched without regard to case; keys stand in parentheses or as a segment of their
//! own; operations may be qualified or not, with or without parentheses (OData 4.01 part 2, §4).

use crate::edm::{Model, Navigation, Operation, Property, StructuredType, TypeRef};
use crate::error::{Error, nearest};

/// Segments in a path; the longest real one has eight.
const SEGMENTS_MAX: usize = 24;

/// A path that the model knows.
#[derive(Debug, Clone)]
pub struct ResourcePath {
    /// Its segments.
    pub segments: Vec<Segment>,
}

/// One segment.
#[derive(Debug, Clone)]
pub enum Segment {
    /// An entity set or a singleton.
    Root {
        /// Name as the model spells it.
        name: &'static str,
    },
    /// A navigation property.
    Navigation(&'static Navigation),
    /// A key.
    Key(String),
    /// A type cast.
    Cast(&'static StructuredType),
    /// A structural property.
    Property(&'static Property),
    /// An action or function.
    Operation {
        /// Which.
        op: &'static Operation,
        /// Arguments in parentheses, names as given.
        args: Vec<(String, String)>,
    },
    /// `$count`
    Count,
    /// `$ref`
    Ref,
    /// `$value`
    Value,
}

/// What the segments so far name.
#[derive(Clone, Copy)]
enum At {
    Service,
    Entity(&'static StructuredType),
    Collection(&'static StructuredType),
    Complex(&'static StructuredType),
    /// A property that is a collection of values.
    Values,
    Leaf,
}

/// Parses what follows the version in a URL, still percent-encoded.
///
/// # Errors
/// What is wrong, at its byte position in `path`: that of the segment, or inside of it where a key is.
pub fn parse_path(model: &Model, path: &str) -> Result<ResourcePath, Error> {
    let mut segments = Vec::new();
    let mut at = At::Service;
    let mut position = path.len() - path.trim_start_matches('/').len();
    for raw in path.trim_matches('/').split('/') {
        let placed = |error: Error| {
            let inside = error.position.unwrap_or_default();
            error.position(position + encoded_position(raw, inside))
        };
        if segments.len() >= SEGMENTS_MAX {
            return Err(placed(Error::segment(raw, format!("The URL has more than {SEGMENTS_MAX} segments."))));
        }
        let text = decode(raw).map_err(placed)?;
        let (name, parentheses) = split_parentheses(&text).map_err(placed)?;
        at = step(model, at, name, parentheses, &text, &mut segments).map_err(placed)?;
        position += raw.len() + 1;
    }
    Ok(ResourcePath { segments })
}

/// Where a byte of the decoded text stands in the encoded one.
fn encoded_position(raw: &str, decoded: usize) -> usize {
    let bytes = raw.as_bytes();
    let is_escape = |at: usize| bytes.get(at..at + 3).is_some_and(|b| b[0] == b'%' && b[1].is_ascii_hexdigit() && b[2].is_ascii_hexdigit());
    let mut at = 0;
    for _ in 0..decoded {
        at += if is_escape(at) { 3 } else { 1 };
    }
    at.min(raw.len())
}

fn decode(raw: &str) -> Result<String, Error> {
    let text =
        percent_encoding::percent_decode_str(raw).decode_utf8().map_err(|_| Error::segment(raw, "A segment of the URL is not UTF-8."))?;
    if text.is_empty() {
        return Err(Error::segment("", "The URL has an empty segment."));
    }
    Ok(text.into_owned())
}

/// `name(inside)`; a key segment may itself hold parentheses, so only a name in front counts.
fn split_parentheses(text: &str) -> Result<(&str, Option<&str>), Error> {
    let Some(open) = text.find('(') else { return Ok((text, None)) };
    if !text[..open].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_' || b == b'$') {
        return Ok((text, None));
    }
    match text[open + 1..].strip_suffix(')') {
        Some(inside) => Ok((&text[..open], Some(inside))),
        None => Err(Error::segment(text, format!("'{text}' has an opening parenthesis without a closing one.")).position(text.len())),
    }
}

fn step(model: &Model, at: At, name: &str, parentheses: Option<&str>, text: &str, out: &mut Vec<Segment>) -> Result<At, Error> {
    match at {
        At::Service => service(model, name, parentheses, out),
        At::Entity(ty) => entity(model, ty, name, parentheses, out),
        At::Collection(ty) => collection(model, ty, name, parentheses, text, out),
        At::Complex(ty) => complex(model, ty, name, out),
        At::Values if name.eq_ignore_ascii_case("$count") => {
            out.push(Segment::Count);
            Ok(At::Leaf)
        }
        At::Values => Err(Error::segment(name, format!("Only $count can follow a collection of values, not '{name}'."))),
        At::Leaf => match name.to_ascii_lowercase().as_str() {
            "$value" => {
                out.push(Segment::Value);
                Ok(At::Leaf)
            }
            _ => Err(Error::segment(name, format!("Nothing can follow here, so '{name}' names no resource."))),
        },
    }
}

fn find(model: &Model, name: &str) -> Result<&'static StructuredType, Error> {
    model.find_type(name).ok_or_else(|| Error::bad(format!("the model lacks {name}")))
}

fn service(model: &Model, name: &str, parentheses: Option<&str>, out: &mut Vec<Segment>) -> Result<At, Error> {
    if let Some((name, ty)) = model.singletons.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
        out.push(Segment::Root { name });
        return Ok(At::Entity(find(model, ty)?));
    }
    if let Some((name, ty)) = model.entity_sets.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
        out.push(Segment::Root { name });
        return keyed(find(model, ty)?, name, parentheses, out);
    }
    let known = model.singletons.iter().chain(model.entity_sets).map(|(n, _)| *n);
    let hint = nearest(name, known).map_or_else(String::new, |near| format!(" Did you mean '{near}'?"));
    Err(Error::segment(name, format!("Resource not found for the segment '{name}'.{hint}")))
}

/// A collection, with its key when one follows the name in parentheses.
fn keyed(ty: &'static StructuredType, name: &str, parentheses: Option<&str>, out: &mut Vec<Segment>) -> Result<At, Error> {
    match parentheses {
        None | Some("") => Ok(At::Collection(ty)),
        Some(inside) => {
            out.push(Segment::Key(key(inside, name.len() + 1)?));
            Ok(At::Entity(ty))
        }
    }
}

/// `'a''b'`, `a`, or `id='a'`; it stands at `base` of the segment.
fn key(inside: &str, base: usize) -> Result<String, Error> {
    let value = match inside.split_once('=') {
        Some((name, rest)) if name.trim().eq_ignore_ascii_case("id") => rest.trim(),
        _ => inside.trim(),
    };
    let start = base + inside.find(value).unwrap_or_default();
    let refuse = |at: usize, message: String| Err(Error::segment(value, message).position(start + at));
    let Some(rest) = value.strip_prefix('\'') else {
        return if value.is_empty() { refuse(0, "The key is empty.".to_owned()) } else { Ok(value.to_owned()) };
    };
    let Some(body) = rest.strip_suffix('\'') else { return refuse(value.len(), format!("The key {value} has no closing quote.")) };
    let unpaired = body.replace("''", "\0\0").find('\'');
    match unpaired {
        // What stands behind the quote is what should not.
        Some(quote) => refuse(quote + 2, format!("A quote inside the key {value} must be doubled.")),
        None if body.is_empty() => refuse(0, "The key is empty.".to_owned()),
        None => Ok(body.replace("''", "'")),
    }
}

fn entity(model: &Model, ty: &'static StructuredType, name: &str, parentheses: Option<&str>, out: &mut Vec<Segment>) -> Result<At, Error> {
    if let Some(nav) = model.navigation(ty, name) {
        out.push(Segment::Navigation(nav));
        let target = find(model, nav.target)?;
        return if nav.collection { keyed(target, nav.name, parentheses, out) } else { Ok(At::Entity(target)) };
    }
    if let Some(property) = model.property(ty, name) {
        return structural(model, property, out);
    }
    if let Some(op) = model.operation(name, ty, false) {
        return operation(model, op, parentheses, out);
    }
    if let Some(cast) = cast(model, ty, name)? {
        out.push(Segment::Cast(cast));
        return Ok(At::Entity(cast));
    }
    match name.to_ascii_lowercase().as_str() {
        "$ref" => {
            out.push(Segment::Ref);
            Ok(At::Leaf)
        }
        _ => Err(unknown(model, ty, name, false)),
    }
}

fn collection(
    model: &Model,
    ty: &'static StructuredType,
    name: &str,
    parentheses: Option<&str>,
    text: &str,
    out: &mut Vec<Segment>,
) -> Result<At, Error> {
    match name.to_ascii_lowercase().as_str() {
        "$count" => {
            out.push(Segment::Count);
            return Ok(At::Leaf);
        }
        "$ref" => {
            out.push(Segment::Ref);
            return Ok(At::Leaf);
        }
        other if other.starts_with('$') => return Err(Error::segment(name, format!("'{name}' cannot follow a collection."))),
        _ => {}
    }
    if let Some(op) = model.operation(name, ty, true) {
        return operation(model, op, parentheses, out);
    }
    if name.contains('.')
        && let Some(cast) = cast(model, ty, name)?
    {
        out.push(Segment::Cast(cast));
        return keyed(cast, name, parentheses, out);
    }
    out.push(Segment::Key(text.to_owned()));
    Ok(At::Entity(ty))
}

fn complex(model: &Model, ty: &'static StructuredType, name: &str, out: &mut Vec<Segment>) -> Result<At, Error> {
    if let Some(property) = model.property(ty, name) {
        return structural(model, property, out);
    }
    match cast(model, ty, name)? {
        Some(cast) => {
            out.push(Segment::Cast(cast));
            Ok(At::Complex(cast))
        }
        None => Err(unknown(model, ty, name, false)),
    }
}

fn structural(model: &Model, property: &'static Property, out: &mut Vec<Segment>) -> Result<At, Error> {
    out.push(Segment::Property(property));
    match property.ty {
        _ if property.collection => Ok(At::Values),
        TypeRef::Complex(name) => Ok(At::Complex(find(model, name)?)),
        TypeRef::Primitive(_) | TypeRef::Enum(_) => Ok(At::Leaf),
    }
}

/// A type cast: the qualified name of the type or of one derived from it.
fn cast(model: &Model, ty: &'static StructuredType, name: &str) -> Result<Option<&'static StructuredType>, Error> {
    if !name.contains('.') {
        return Ok(None);
    }
    match model.find_type(name) {
        Some(cast) if model.is_subtype(cast, ty) => Ok(Some(cast)),
        Some(cast) => Err(Error::segment(name, format!("{} does not derive from {}.", cast.qualified(), ty.qualified()))),
        None => Ok(None),
    }
}

fn operation(model: &Model, op: &'static Operation, parentheses: Option<&str>, out: &mut Vec<Segment>) -> Result<At, Error> {
    out.push(Segment::Operation { op, args: arguments(op, parentheses.unwrap_or_default())? });
    match op.returns.and_then(|name| model.find_type(name)) {
        Some(ty) if op.composable => Ok(At::Complex(ty)),
        _ => Ok(At::Leaf),
    }
}

fn arguments(op: &Operation, inside: &str) -> Result<Vec<(String, String)>, Error> {
    let mut found = Vec::new();
    for pair in inside.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| Error::segment(pair, format!("'{pair}' is not of the form name=value.")))?;
        let (name, _, _) = op
            .parameters
            .iter()
            .find(|(known, _, _)| known.eq_ignore_ascii_case(name.trim()))
            .ok_or_else(|| Error::segment(name, format!("'{name}' is not a parameter of {}.", op.name)))?;
        found.push(((*name).to_owned(), value.trim().trim_matches('\'').to_owned()));
    }
    Ok(found)
}

fn unknown(model: &Model, ty: &'static StructuredType, name: &str, collection: bool) -> Error {
    let names = model.navigations(ty).into_iter().map(|n| n.name).chain(model.properties(ty).into_iter().map(|p| p.name));
    let operations = model.operations.iter().filter(|op| model.operation(op.name, ty, collection).is_some()).map(|op| op.name);
    let hint = nearest(name, names.chain(operations)).map_or_else(String::new, |near| format!(" Did you mean '{near}'?"));
    Error::segment(name, format!("Resource not found for the segment '{name}' of {}.{hint}", ty.qualified()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MODEL;

    fn shape(path: &str) -> Result<String, String> {
        let parsed = parse_path(&MODEL, path).map_err(|e| e.message)?;
        let words = parsed.segments.iter().map(|segment| match segment {
            Segment::Root { name } => (*name).to_owned(),
            Segment::Navigation(nav) => format!("nav:{}", nav.name),
            Segment::Key(key) => format!("key:{key}"),
            Segment::Cast(ty) => format!("cast:{}", ty.name),
            Segment::Property(p) => format!("prop:{}", p.name),
            Segment::Operation { op, args } => format!("op:{}{args:?}", op.name),
            Segment::Count => "$count".to_owned(),
            Segment::Ref => "$ref".to_owned(),
            Segment::Value => "$value".to_owned(),
        });
        Ok(words.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn both_forms_of_key_in_any_case() {
        assert_eq!(shape("PEOPLE/a").unwrap(), "people key:a");
        assert_eq!(shape("people('a''b')").unwrap(), "people key:a'b");
        assert_eq!(shape("people(%27a%2Fb%27)/Pets").unwrap(), "people key:a/b nav:pets");
        assert_eq!(shape("people/RefRole-x(y)").unwrap(), "people key:RefRole-x(y)");
    }

    #[test]
    fn operations_qualified_or_not_with_or_without_parentheses() {
        for path in ["zoo/pets/1/wake", "zoo/pets/1/t.wake", "zoo/pets('1')/T.Wake()"] {
            assert_eq!(shape(path).unwrap(), "zoo nav:pets key:1 op:wake[]", "{path}");
        }
        assert_eq!(shape("zoo/pets/1/t.dog/bark(Loud=true)").unwrap(), "zoo nav:pets key:1 cast:dog op:bark[(\"loud\", \"true\")]");
        assert_eq!(shape("people/t.census()/size").unwrap(), "people op:census[] prop:size");
    }

    #[test]
    fn an_operation_of_a_subtype_needs_the_cast() {
        assert!(shape("zoo/pets/1/bark").is_err());
    }

    #[test]
    fn what_is_unknown_is_named_with_a_hint() {
        assert!(shape("peple").unwrap_err().contains("Did you mean 'people'?"));
        assert!(shape("people/a/pest").unwrap_err().contains("Did you mean 'pets'?"));
        assert!(shape("people//a").is_err());
        assert!(shape(&"zoo/".repeat(100)).is_err());
        assert!(shape("people('a").is_err());
    }

    #[test]
    fn a_mistake_is_placed_in_the_url_as_it_was_written() {
        let place = |path: &str| parse_path(&MODEL, path).unwrap_err().position;
        assert_eq!(place("people/a/pest"), Some(9));
        assert_eq!(place("/people/a/age/x"), Some(14));
        assert_eq!(place("people('a/b')"), Some(9));
        assert_eq!(place("people('O%27Neil')"), Some(12), "behind the quote that ends the key");
        assert_eq!(place("people(%27%C3%A9''%27x')"), Some(21), "in encoded bytes");
        assert_eq!(place("people( id = 'a )"), Some(15));
        assert_eq!(place("people('')"), Some(7));
        assert_eq!(place("people//age"), Some(7));
    }

    #[test]
    fn a_complex_value_can_be_cast_and_its_collections_counted() {
        assert_eq!(shape("zoo/pets/1/home/t.house/size").unwrap(), "zoo nav:pets key:1 prop:home cast:house prop:size");
        assert_eq!(shape("zoo/pets/1/tags/$count").unwrap(), "zoo nav:pets key:1 prop:tags $count");
        assert!(shape("zoo/pets/1/home/t.dog").unwrap_err().contains("does not derive"));
        assert!(shape("zoo/pets/1/tags/0").unwrap_err().contains("Only $count"));
        assert!(shape("zoo/pets/1/tags/$value").is_err());
    }

    #[test]
    fn tails() {
        assert_eq!(shape("people/$count").unwrap(), "people $count");
        assert_eq!(shape("zoo/pets/1/$ref").unwrap(), "zoo nav:pets key:1 $ref");
        assert_eq!(shape("people/a/age/$value").unwrap(), "people key:a prop:age $value");
    }
}
