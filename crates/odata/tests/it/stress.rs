//! Random mutations of the corpus through every parser: none may panic, none may be slow. It is what
//! a fuzzer does, where there is none.
//!
//! `ODATA_STRESS=10000000 cargo test --release -p odata --test it stress -- --nocapture` runs that
//! many; `ODATA_STRESS_SEED` starts elsewhere.

use crate::corpus::{FILTERS, PATHS, QUERIES, lines};
use crate::model::{MODEL, everything};
use odata::decode::{Mode, decode};
use odata::encode::{EncodeOptions, Metadata, encode};
use odata::filter;
use odata::limits::Limits;
use odata::path::parse_path;
use odata::query::parse_query;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Executions when the environment names no number.
const DEFAULT: u64 = 20_000;
/// Longest that one may take, built with optimization.
const SLOWEST: Duration = Duration::from_millis(100);
/// Bytes of an input; a URL may have as many.
const BYTES_MAX: usize = 8 * 1024;

/// SplitMix64: the same seed, the same inputs.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len())]
    }
}

const BODIES: [&str; 4] = [
    r#"{"Name":"x","Price":1.5,"Rating":3,"Completed":true,"BirthDate":"2026-08-01T10:00:00+02:00","style":"Yellow","Names":["a","b"]}"#,
    r##"{"@odata.type":"#Model.VipCustomer","Address":{"Street":"a","City":null},"Addresses":[{"Street":"b"}],"Supplier@odata.bind":"Products/1"}"##,
    r#"{"Name":null,"Sizes":[1,2,3],"Supplier@odata.bind":"https://graph.microsoft.com/beta/Products('1')"}"#,
    r#"{"a":{"b":[{"c":[[],[{}]]}]},"n":-1.5e300,"u":"\u00e9\ud83d\ude00"}"#,
];

const WORDS: [&str; 40] = [
    "(",
    ")",
    "'",
    "''",
    "\"",
    ",",
    ";",
    ":",
    "/",
    "$",
    "@",
    "%",
    "%27",
    "%C3",
    "&",
    "=",
    " and ",
    " or ",
    "not ",
    " eq ",
    " in ",
    " has ",
    "null",
    "any(",
    "all(x:",
    "x/",
    "$count",
    "$it",
    "-",
    "1e309",
    "9223372036854775807",
    "duration'P1D'",
    "now()",
    "cast(",
    "isof(",
    "é",
    "\u{0}",
    "{",
    "[",
    "\\",
];

fn mutate(random: &mut Random, seeds: &[&str]) -> String {
    let mut bytes = random.pick(seeds).as_bytes().to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => {
                let word = random.pick(&WORDS).as_bytes().to_vec();
                bytes.splice(at..at, word);
            }
            2 if at < bytes.len() => bytes[at] = random.next() as u8,
            3 => {
                let end = (at + random.below(12)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let other = random.pick(seeds).as_bytes();
                let from = random.below(other.len());
                bytes.splice(at..at, other[from..].iter().copied());
            }
            _ => {
                let end = (at + random.below(24)).min(bytes.len());
                let part = bytes[at..end].repeat(1 + random.below(40));
                bytes.splice(at..at, part);
            }
        }
    }
    bytes.truncate(BYTES_MAX);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn execute(kind: usize, text: &str) {
    let limits = Limits::DEFAULT;
    let document = || decode(&MODEL, everything(), BODIES[0].as_bytes(), Mode::Create, &limits).unwrap();
    match kind {
        0 => {
            if let Ok(filter) = filter::parse(text, everything(), &MODEL, &limits) {
                filter::evaluate(&MODEL, &filter, &document(), &filter::Budget::new(100_000));
            }
        }
        1 => {
            if let Ok(options) = parse_query(text, everything(), &MODEL, &limits) {
                let document = document();
                let keys = filter::sort_keys(&MODEL, &options.orderby, &document, &filter::Budget::new(100_000));
                assert!(filter::compare_keys(&options.orderby, &keys, &keys).is_eq(), "{text}");
                encode(&MODEL, everything(), &document, &EncodeOptions { select: &options.select, metadata: Metadata::Minimal });
            }
        }
        2 => drop(parse_path(&MODEL, text)),
        _ => {
            if let Ok(mut decoded) = decode(&MODEL, everything(), text.as_bytes(), Mode::Create, &limits) {
                // What has been taken is canonical: it is taken again, unchanged. (References are
                // stored as they are used, not as they are sent.)
                decoded.retain(|name, _| !name.ends_with("@odata.bind"));
                let again = decode(&MODEL, everything(), Value::Object(decoded.clone()).to_string().as_bytes(), Mode::Create, &limits);
                assert_eq!(again.map(Value::Object), Ok(Value::Object(decoded)), "{text}");
            }
        }
    }
}

#[test]
fn mutated_input_neither_panics_nor_takes_long() {
    let number = |name: &str, default: u64| std::env::var(name).ok().map_or(default, |text| text.parse().unwrap());
    let executions = number("ODATA_STRESS", DEFAULT);
    let mut random = Random(number("ODATA_STRESS_SEED", 1));
    let bare = |text: &'static str| lines(text).map(|line| line.rsplit('\t').next().unwrap().trim_start_matches('!')).collect::<Vec<_>>();
    let seeds = [bare(FILTERS), bare(QUERIES), bare(PATHS), BODIES.to_vec()];
    let mut slowest = (Duration::ZERO, String::new());
    for _ in 0..executions {
        let kind = random.below(seeds.len());
        let text = mutate(&mut random, &seeds[kind]);
        let start = Instant::now();
        let outcome = std::panic::catch_unwind(|| execute(kind, &text));
        let mut took = start.elapsed();
        assert!(outcome.is_ok(), "{} panics", ["filter", "query", "path", "JSON"][kind].to_owned() + ": " + &text);
        if took > slowest.0 {
            // On a machine with others on it a single time says little: the best of a few counts.
            for _ in 0..5 {
                let start = Instant::now();
                execute(kind, &text);
                took = took.min(start.elapsed());
            }
        }
        if took > slowest.0 {
            slowest = (took, text);
        }
    }
    let shown: String = slowest.1.chars().take(200).collect();
    println!("{executions} executions, no panic, slowest {:?}: {shown}", slowest.0);
    // Without optimization, and beside other tests, time says nothing.
    assert!(cfg!(debug_assertions) || slowest.0 < SLOWEST, "{:?}: {}", slowest.0, slowest.1);
}
