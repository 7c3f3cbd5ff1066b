//! A body of every entity type: what is decoded can be encoded.
#![no_main]

use industry_data::MODEL;
use libfuzzer_sys::fuzz_target;
use odata::decode::{Mode, decode};
use odata::encode::{EncodeOptions, Metadata, encode};
use odata::limits::Limits;

fuzz_target!(|bytes: &[u8]| {
    for ty in MODEL.all_types().filter(|ty| ty.entity) {
        if let Ok(document) = decode(&MODEL, ty, bytes, Mode::Create, &Limits::DEFAULT) {
            encode(&MODEL, ty, &document, &EncodeOptions { select: &[], metadata: Metadata::Full });
        }
    }
});
