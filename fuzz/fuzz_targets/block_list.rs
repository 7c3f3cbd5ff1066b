//! Any bytes as the XML of Put Block List: read or refused, and what was read says the same when it is
//! written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fmt::Write as _;
use upload::read_block_list;

fn list(bytes: &[u8]) {
    let Ok(blocks) = read_block_list(bytes) else { return };
    let mut again = String::from("<BlockList>");
    for (source, id) in &blocks {
        write!(again, "<{source:?}> {id} </{source:?}>").unwrap();
    }
    again.push_str("</BlockList>");
    assert_eq!(read_block_list(again.as_bytes()), Ok(blocks));
}

fuzz_target!(|bytes: &[u8]| homeroom_fuzz::watched(list, bytes));
