//! The protocols against [`super::handle`], as hostile and as clumsy as clients are.

mod blob;
mod lake;
mod names;
mod races;
mod shape;
mod survival;
