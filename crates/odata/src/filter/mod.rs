//! Expressions of `$filter` and `$orderby` (OData 4.01 part 2, §5.1.1): lexer, parser with types,
//! evaluation.
//!
//! ```text
//! or      = and *( "or" and )
//! and     = not *( "and" not )
//! not     = "not" not / compare
//! compare = sum [ ( "eq" / "ne" / "gt" / "ge" / "lt" / "le" / "has" ) sum / "in" list ]
//! list    = "(" [ literal *( "," literal ) ] ")" / "[" [ json *( "," json ) ] "]"
//! sum     = product *( ( "add" / "sub" ) product )
//! product = unary *( ( "mul" / "div" / "divby" / "mod" ) unary )
//! unary   = "-" unary / "(" or ")" / call / literal / path / "@" alias
//! call    = function "(" [ or *( "," or ) ] ")" / ( "isof" / "cast" ) "(" [ or "," ] type ")"
//! path    = [ "$it" / variable ] *( "/" ( name / type ) ) [ lambda / "/$count" ]
//! lambda  = "/any(" [ variable ":" or ] ")" / "/all(" variable ":" or ")"
//! ```
//!
//! Operators and functions are recognised in any case. What OData has beyond this (geography,
//! `case`, `$root`, bound functions, annotations, collection literals outside `in`) is refused by
//! name, with the position.

mod ast;
mod eval;
mod functions;
mod lexer;
mod parser;
mod path;
mod value;

pub use ast::{Arithmetic, Comparison, Expr, Literal, PropertyPath, Step};
pub use eval::{Budget, evaluate};
pub use functions::Function;
pub use parser::{Aliases, parse, parse_value, parse_with};
pub use path::{resolve, resolve_selected};
pub use value::{SortKey, compare_keys, sort_keys};

#[cfg(test)]
mod tests;
