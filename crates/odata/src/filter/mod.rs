//! `$filter` and `$orderby`: lexer, parser with types, evaluation.
//!
//! ```text
//! or      = and *( "or" and )
//! and     = not *( "and" not )
//! not     = "not" not / compare
//! compare = sum [ ( "eq" / "ne" / "gt" / "ge" / "lt" / "le" ) sum / "in" "(" literal *( "," literal ) ")" ]
//! sum     = product *( ( "add" / "sub" ) product )
//! product = unary *( ( "mul" / "div" / "mod" ) unary )
//! unary   = "-" unary / "(" or ")" / function "(" [ or *( "," or ) ] ")" / literal / path
//! path    = name *( "/" name ) [ "/" ( "any" / "all" ) "(" [ variable ":" or ] ")" / "/$count" ]
//! ```

mod ast;
mod eval;
mod lexer;
mod parser;

pub use ast::{Arithmetic, Comparison, Expr, Function, Literal, PropertyPath};
pub use eval::{compare_by, copy_path, evaluate};
pub use parser::{parse, resolve};

#[cfg(test)]
mod tests;
