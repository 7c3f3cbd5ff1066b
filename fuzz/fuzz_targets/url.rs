#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| homeroom_fuzz::watched(homeroom_fuzz::url, text));
