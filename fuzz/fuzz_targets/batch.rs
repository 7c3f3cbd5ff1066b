#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| homeroom_fuzz::watched(homeroom_fuzz::batch, bytes));
