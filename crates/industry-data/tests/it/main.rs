//! The model as a whole: against the published metadata and examples where they are at hand, and
//! against the committed list of facts everywhere.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that fails panics, and one that is skipped says so")]

mod examples;
mod facts;
mod fuzz_corpus;
mod metadata;
mod round_trip;

use std::path::{Path, PathBuf};

/// A file or folder of the shared specification, when a folder above this crate has one.
fn specification(relative: &str) -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = above.map(|folder| folder.join("shared").join("spec").join("api").join(relative)).find(|path| path.exists());
    if found.is_none() {
        println!("skipped: no shared/spec/api/{relative} here");
    }
    found
}
