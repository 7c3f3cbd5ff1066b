//! An answer of a OneRoster provider: one byte says how it is read, the rest is the page. Whatever it
//! is, it becomes rows of the right width or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oneroster::page::{Reading, read};
use oneroster::{Collection, Switches, Version};

fn page(bytes: &[u8]) {
    let Some((how, body)) = bytes.split_first() else { return };
    let reading = Reading {
        collection: Collection::ALL[usize::from(how & 7) % Collection::ALL.len()],
        version: if how & 8 == 0 { Version::V1p1 } else { Version::V1p2 },
        switches: Switches { contacts: how & 16 == 0, demographics: true, flags: how & 32 == 0 },
        delta: how & 64 != 0,
    };
    if let Ok(page) = read(reading, body) {
        assert!(page.records.iter().all(|record| record.is_well_formed(reading)));
    }
}

fuzz_target!(|bytes: &[u8]| homeroom_fuzz::watched(page, bytes));
