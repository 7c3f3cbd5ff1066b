//! A `$filter` on every entity type, parsed and evaluated on an empty entity.
#![no_main]

use industry_data::MODEL;
use libfuzzer_sys::fuzz_target;
use odata::filter::{Budget, evaluate, parse};
use odata::limits::Limits;

fuzz_target!(|text: &str| {
    let empty = Default::default();
    for ty in MODEL.all_types().filter(|ty| ty.entity) {
        if let Ok(filter) = parse(text, ty, &MODEL, &Limits::DEFAULT) {
            evaluate(&MODEL, &filter, &empty, &Budget::new(100_000));
        }
    }
});
