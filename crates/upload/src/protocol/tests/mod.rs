//! The protocols against [`super::handle`], as hostile and as clumsy as clients are.

mod blob;
mod checks;
mod lake;
mod limits;
mod names;
mod properties;
mod races;
mod rights;
mod shape;
mod survival;
