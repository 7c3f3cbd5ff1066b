//! The part of a `$filter` that the store can answer by an index: `property eq 'text'`
//! among the operands of a top-level `and`. The whole filter is evaluated all the same, so
//! pushing down narrows what is read and never changes what is answered.

use odata::filter::{Comparison, Expr, Literal};

/// An equality that every match fulfils.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exact {
    /// Property.
    pub property: String,
    /// Text it equals.
    pub value: String,
}

/// All of them.
pub(super) fn exact(filter: Option<&Expr>) -> Vec<Exact> {
    let mut found = Vec::new();
    if let Some(expr) = filter {
        collect(expr, &mut found);
    }
    found
}

fn collect(expr: &Expr, found: &mut Vec<Exact>) {
    match expr {
        Expr::And(left, right) => {
            collect(left, found);
            collect(right, found);
        }
        Expr::Compare { op: Comparison::Eq, left, right } => {
            if let (Some(property), Some(value)) = (property_name(left), text(right)) {
                found.push(Exact { property: property.to_owned(), value: value.to_owned() });
            }
        }
        _ => {}
    }
}

fn property_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Path(path) => path.single(),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(Literal::String(text)) => Some(text),
        _ => None,
    }
}
