//! `path?query` of the API: no input may panic or take long.
#![no_main]

use industry_data::MODEL;
use libfuzzer_sys::fuzz_target;
use odata::limits::Limits;
use odata::path::parse_path;
use odata::query::{parse_query, requested_metadata};

fuzz_target!(|text: &str| {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let _ = parse_path(&MODEL, path);
    let _ = requested_metadata(query);
    for ty in MODEL.all_types().filter(|ty| ty.entity) {
        let _ = parse_query(query, ty, &MODEL, &Limits::DEFAULT);
    }
});
