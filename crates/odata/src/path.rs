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
    Leaf,
}

/// Parses what follows the version in a URL, still percent-encoded.
pub fn parse_path(model: &Model, path: &str) -> Result<ResourcePath, Error> {
    let mut segments = Vec::new();
    let mut at = At::Service;
    for raw in path.trim_matches('/').split('/') {
        if segments.len() >= SEGMENTS_MAX {
            return Err(Error::segment(raw, format!("The URL has more than {SEGMENTS_MAX} segments.")));
        }
        let text = decode(raw)?;
        let (name, parentheses) = split_parentheses(&text)?;
        at = step(model, at, name, parentheses, &text, &mut segments)?;
    }
    Ok(ResourcePath { segments })
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
        None => Err(Error::segment(text, format!("'{text}' has an opening parenthesis without a closing one."))),
    }
}

fn step(model: &Model, at: At, name: &str, parentheses: Option<&str>, text: &str, out: &mut Vec<Segment>) -> Result<At, Error> {
    match at {
        At::Service => service(model, name, parentheses, out),
        At::Entity(ty) => entity(model, ty, name, parentheses, out),
        At::Collection(ty) => collection(model, ty, name, parentheses, text, out),
        At::Complex(ty) => complex(model, ty, name, out),
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
        return keyed(find(model, ty)?, parentheses, out);
    }
    let known = model.singletons.iter().chain(model.entity_sets).map(|(n, _)| *n);
    let hint = nearest(name, known).map_or_else(String::new, |near| format!(" Did you mean '{near}'?"));
    Err(Error::segment(name, format!("Resource not found for the segment '{name}'.{hint}")))
}

/// A collection, with its key when one follows in parentheses.
fn keyed(ty: &'static StructuredType, parentheses: Option<&str>, out: &mut Vec<Segment>) -> Result<At, Error> {
    match parentheses {
        None | Some("") => Ok(At::Collection(ty)),
        Some(inside) => {
            out.push(Segment::Key(key(inside)?));
            Ok(At::Entity(ty))
        }
    }
}

/// `'a''b'`, `a`, or `id='a'`.
fn key(inside: &str) -> Result<String, Error> {
    let inside = match inside.split_once('=') {
        Some((name, rest)) if name.trim().eq_ignore_ascii_case("id") => rest,
        _ => inside,
    };
    let inside = inside.trim();
    let text = match inside.strip_prefix('\'') {
        Some(rest) => {
            let body = rest.strip_suffix('\'').ok_or_else(|| Error::segment(inside, format!("The key {inside} has no closing quote.")))?;
            if body.replace("''", "").contains('\'') {
                return Err(Error::segment(inside, format!("A quote inside the key {inside} must be doubled.")));
            }
            body.replace("''", "'")
        }
        None => inside.to_owned(),
    };
    if text.is_empty() { Err(Error::segment(inside, "The key is empty.")) } else { Ok(text) }
}

fn entity(model: &Model, ty: &'static StructuredType, name: &str, parentheses: Option<&str>, out: &mut Vec<Segment>) -> Result<At, Error> {
    if let Some(nav) = model.navigation(ty, name) {
        out.push(Segment::Navigation(nav));
        let target = find(model, nav.target)?;
        return if nav.collection { keyed(target, parentheses, out) } else { Ok(At::Entity(target)) };
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
        return keyed(cast, parentheses, out);
    }
    out.push(Segment::Key(text.to_owned()));
    Ok(At::Entity(ty))
}

fn complex(model: &Model, ty: &'static StructuredType, name: &str, out: &mut Vec<Segment>) -> Result<At, Error> {
    match model.property(ty, name) {
        Some(property) => structural(model, property, out),
        None => Err(unknown(model, ty, name, false)),
    }
}

fn structural(model: &Model, property: &'static Property, out: &mut Vec<Segment>) -> Result<At, Error> {
    out.push(Segment::Property(property));
    match property.ty {
        TypeRef::Complex(name) if !property.collection => Ok(At::Complex(find(model, name)?)),
        _ => Ok(At::Leaf),
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
    fn tails() {
        assert_eq!(shape("people/$count").unwrap(), "people $count");
        assert_eq!(shape("zoo/pets/1/$ref").unwrap(), "zoo nav:pets key:1 $ref");
        assert_eq!(shape("people/a/age/$value").unwrap(), "people key:a prop:age $value");
    }
}
