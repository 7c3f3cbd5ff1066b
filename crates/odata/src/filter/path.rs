//! Property paths, resolved step by step against the model.

use super::ast::{Kind, PropertyPath, Start, Step};
use crate::edm::{Model, StructuredType};
use crate::error::{Error, nearest};
use crate::limits::Limits;

/// What a lambda variable stands for.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// Where a path may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Its value is calculated with.
    Value,
    /// It is shown: it may go through collections and end at a navigation property.
    Show,
}

/// Segments of a path; the deepest real one has four.
const SEGMENTS_MAX: usize = 16;

/// Resolves a property path such as `creationOptions/createBasedOnRoleGroup`.
pub fn resolve(text: &str, ty: &'static StructuredType, model: &Model, _: &Limits) -> Result<PropertyPath, Error> {
    walk(text, 0, ty, model, &[], Purpose::Value)
}

/// Resolves a path of `$select`, which may also go through collections and end at a navigation property;
/// it stands at `base` of the option.
pub fn resolve_selected(text: &str, base: usize, ty: &'static StructuredType, model: &Model) -> Result<PropertyPath, Error> {
    walk(text, base, ty, model, &[], Purpose::Show)
}

/// A path inside an expression that starts at a byte position.
pub(super) fn in_expression(
    text: &str,
    position: usize,
    ty: &'static StructuredType,
    model: &Model,
    variables: &[Variable],
) -> Result<PropertyPath, Error> {
    walk(text, position, ty, model, variables, Purpose::Value)
}

fn walk(
    text: &str,
    start: usize,
    ty: &'static StructuredType,
    model: &Model,
    variables: &[Variable],
    purpose: Purpose,
) -> Result<PropertyPath, Error> {
    let mut found = PropertyPath { start: Start::Entity, steps: Vec::new(), kind: Kind::Object(ty), collection: false, navigation: None };
    let mut position = start;
    for (index, part) in text.split('/').enumerate() {
        let at = position;
        position += part.len() + 1;
        let fail = |message: String| Err(Error::bad(message).position(at));
        if index >= SEGMENTS_MAX {
            return fail(format!("The path at position {start} has more than {SEGMENTS_MAX} segments."));
        }
        if index == 0 {
            if part == "$it" && purpose == Purpose::Value {
                continue;
            }
            if let Some(number) = variables.iter().rposition(|variable| variable.name == part) {
                found.start = Start::Variable(number);
                found.kind = variables[number].kind;
                continue;
            }
        }
        if part.is_empty() {
            return fail(format!("A segment of the path at position {start} is empty."));
        }
        if let Some(reserved) = part.strip_prefix(['$', '@']) {
            let what = if part.starts_with('$') { "path segment" } else { "annotation" };
            return fail(format!("The {what} '{}{reserved}' at position {at} is not supported.", &part[..1]));
        }
        let Kind::Object(here) = found.kind else {
            return fail(format!("'{part}' at position {at} cannot follow: what stands before it is {}.", found.kind.words()));
        };
        if part.contains('.') {
            let Some(to) = model.find_type(part) else {
                return fail(format!("'{part}' at position {at} is not a type that Homeroom knows."));
            };
            // A cast to a base is true of every value.
            if !model.is_subtype(to, here) && !model.is_subtype(here, to) {
                return fail(format!("'{part}' at position {at} does not derive from {}.", here.qualified()));
            }
            found.steps.push(Step::Cast { to, from: here });
            found.kind = Kind::Object(to);
            continue;
        }
        if found.collection && purpose == Purpose::Value {
            return fail(format!("'{text}' goes through a collection at position {at}; use any(…), all(…) or /$count."));
        }
        if let Some(nav) = model.navigation(here, part) {
            if found.navigation.is_some() {
                return fail(format!(
                    "'{text}' goes through more than one navigation property; '{part}' at position {at} is not supported."
                ));
            }
            let direct = found.start == Start::Entity && found.steps.iter().all(|step| matches!(step, Step::Cast { .. }));
            if purpose == Purpose::Value && !direct {
                return fail(format!(
                    "'{part}' at position {at} is a navigation property inside another value; only those of the entity itself are supported."
                ));
            }
            let Some(target) = model.find_type(nav.target) else { return fail(format!("the model lacks {}", nav.target)) };
            found.navigation = Some(nav);
            found.steps.push(Step::Name(nav.name));
            found.kind = Kind::Object(target);
            found.collection = nav.collection;
            continue;
        }
        let Some(property) = model.property(here, part) else { return fail(unknown(model, here, part)) };
        if property.write_only {
            return fail(format!("'{part}' is never answered, so it cannot be asked for."));
        }
        let Some(kind) = Kind::of(property.ty, model) else { return fail(format!("the model lacks {}", property.ty.name())) };
        found.steps.push(Step::Name(property.name));
        found.kind = kind;
        found.collection |= property.collection;
    }
    Ok(found)
}

fn unknown(model: &Model, here: &'static StructuredType, part: &str) -> String {
    let derived = model.concrete(here).into_iter().find(|sub| model.property(sub, part).is_some());
    let known = model.properties(here).into_iter().map(|p| p.name).chain(model.navigations(here).into_iter().map(|n| n.name));
    let hint = match derived {
        Some(sub) => format!(" It is a property of {0}: write {0}/{part}.", sub.qualified()),
        None => nearest(part, known).map_or_else(String::new, |near| format!(" Did you mean '{near}'?")),
    };
    format!("'{part}' is not a property of {}.{hint}", here.qualified())
}
