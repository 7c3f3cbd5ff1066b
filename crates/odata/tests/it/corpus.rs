//! A corpus of our own, so that the grammar is tested where OASIS' cases are not at hand.

use crate::model::{MODEL, everything};
use odata::filter;
use odata::limits::Limits;
use odata::path::parse_path;
use odata::query::parse_query;

pub(crate) const FILTERS: &str = include_str!("corpus/filters.txt");
pub(crate) const QUERIES: &str = include_str!("corpus/queries.txt");
pub(crate) const PATHS: &str = include_str!("corpus/paths.txt");

/// Lines that are no comments.
pub(crate) fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[test]
fn filters_parse_or_fail_where_the_corpus_says() {
    let mut wrong = Vec::new();
    for line in lines(FILTERS) {
        let (place, text) = line.split_once('\t').map_or((None, line), |(place, text)| (Some(place.parse().unwrap()), text));
        match (place, filter::parse(text, everything(), &MODEL, &Limits::DEFAULT)) {
            (None, Ok(_)) => {}
            (Some(place), Err(error)) if error.position == Some(place) => {}
            (place, Ok(_)) => wrong.push(format!("{text} parses, should fail at {place:?}")),
            (place, Err(error)) => wrong.push(format!("{text} fails at {:?}, not {place:?}: {error}", error.position)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(text: &'static str, parse: impl Fn(&str) -> Result<(), odata::Error>) {
    let mut wrong = Vec::new();
    for line in lines(text) {
        let (refused, text) = line.strip_prefix('!').map_or((false, line), |text| (true, text));
        let outcome = parse(text);
        if outcome.is_err() != refused {
            wrong.push(format!("{text}: {outcome:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn queries_and_paths_parse_or_are_refused() {
    check(QUERIES, |text| parse_query(text, everything(), &MODEL, &Limits::DEFAULT).map(|_| ()));
    check(PATHS, |text| parse_path(&MODEL, text).map(|_| ()));
}
