//! All pages of a collection, and the proof that they are all of it.
//!
//! With `X-Total-Count` on the first page, the others are fetched in parallel, each of a known size,
//! and must add up. Without it, `Link rel=next` is followed, or else offsets are counted up to the
//! first empty page. In every case a record that comes on two pages is a fault: pages that overlap
//! may as well have gaps.

use crate::api::Api;
use crate::collection::Collection;
use crate::fault::{Fault, FaultCode, Retry};
use crate::http::Answer;
use crate::link;
use crate::page::{self, Page, Reading};
use futures_util::{StreamExt as _, stream};
use std::collections::HashSet;
use url::Url;
use xxhash_rust::xxh3::xxh3_64;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) reading: Reading,
    /// Value of `filter`.
    pub(crate) filter: String,
}

/// A page with what the answer says about the others.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    pub(crate) page: Page,
    /// `X-Total-Count`
    pub(crate) total: Option<u64>,
    /// Query of the link to the next page.
    next: Option<String>,
    /// It would be an error, but for collections that need not be there.
    pub(crate) missing: bool,
}

/// Ids of the records that have come, as hashes of 64 bits: of ten million ids, two share one in a few of
/// a million rosters.
#[derive(Debug, Default)]
pub(crate) struct Seen(HashSet<u64>);

impl Seen {
    pub(crate) fn has(&self, sourced_id: &str) -> bool {
        self.0.contains(&xxh3_64(sourced_id.as_bytes()))
    }

    /// Takes in what another one has seen.
    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Takes in the records of one page; gives one that has come before.
    fn take(&mut self, page: &Page) -> Option<String> {
        let known = page.records.iter().map(|r| &r.sourced_id).filter(|id| !id.is_empty());
        let again = known.clone().find(|id| self.has(id)).cloned();
        // Twice on one page is a fault of the data, and found with the others of that kind.
        self.0.extend(known.map(|id| xxh3_64(id.as_bytes())));
        again
    }
}

/// What a walk can end with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WalkError {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// How a walk over a collection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walked {
    /// All of it has gone to `on_page`.
    Whole,
    /// The provider has no such collection.
    Missing,
}

/// Gives every page of a collection to `on_page`, in order. What `on_page` got is only good when
/// this ends well.
pub(crate) async fn walk(
    api: &Api,
    query: &Query,
    seen: &mut Seen,
    on_page: &mut dyn FnMut(Page, Option<u64>) -> std::io::Result<()>,
) -> Result<Walked, WalkError> {
    let first_url = url(api, query, 0, api.limits().page_records);
    let first = fetch(api, query, &first_url, true).await?;
    if first.missing {
        return Ok(Walked::Missing);
    }
    match first.total {
        Some(total) if !has_cursor(&first) => by_total(api, query, first, total, seen, on_page).await?,
        _ => one_by_one(api, query, first, &first_url, seen, on_page).await?,
    }
    Ok(Walked::Whole)
}

/// Whether the next page is named by something else than where it begins: then it cannot be asked for
/// before this one is there.
fn has_cursor(first: &Fetched) -> bool {
    first.next.as_deref().is_some_and(|query| !url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "offset"))
}

/// The pages beyond the first in parallel, in order, each as large as the first one.
async fn by_total(
    api: &Api,
    query: &Query,
    first: Fetched,
    total: u64,
    seen: &mut Seen,
    on_page: &mut dyn FnMut(Page, Option<u64>) -> std::io::Result<()>,
) -> Result<(), WalkError> {
    let place = query.reading.collection.name();
    // Servers may give fewer than asked for.
    let size = first.page.records.len();
    let count = accept(query, first, total, 0, size as u64, seen, on_page)?;
    if count == total {
        return Ok(());
    }
    if size == 0 {
        let what = format!("it announces {total} records and gives none");
        return Err(Fault::new(FaultCode::AnswerIncomplete, place, what).into());
    }
    let pages = (total - count).div_ceil(size as u64);
    if pages >= api.limits().pages as u64 {
        let what = format!("{total} records in pages of {size} are more than {} pages", api.limits().pages);
        return Err(Fault::new(FaultCode::TooManyPages, place, what).into());
    }
    // Each page has to be as full as it must be, so that in the end nothing is missing.
    let offsets = (1..=pages).map(|n| n * size as u64);
    let fetches = stream::iter(offsets).map(|offset| async move {
        let url = url(api, query, offset, size);
        fetch(api, query, &url, false).await.map(|fetched| (offset, fetched))
    });
    let mut fetches = std::pin::pin!(fetches.buffered(api.limits().parallel.max(1)));
    while let Some(fetched) = fetches.next().await {
        let (offset, fetched) = fetched?;
        let wanted = (total - offset).min(size as u64);
        accept(query, fetched, total, offset, wanted, seen, on_page)?;
    }
    Ok(())
}

/// Checks one page of a known total and passes it on; gives the number of its records.
fn accept(
    query: &Query,
    fetched: Fetched,
    total: u64,
    offset: u64,
    wanted: u64,
    seen: &mut Seen,
    on_page: &mut dyn FnMut(Page, Option<u64>) -> std::io::Result<()>,
) -> Result<u64, WalkError> {
    let place = query.reading.collection.name();
    let inconsistent = |what: String| Err(Fault::new(FaultCode::PagesInconsistent, place, what).into());
    if let Some(now) = fetched.total.filter(|now| *now != total) {
        return inconsistent(format!("the total was {total} at first and is {now} on the page at {offset}"));
    }
    let count = fetched.page.records.len() as u64;
    if count > wanted || count > total {
        return inconsistent(format!("{count} records on the page at {offset}, where {} are left", wanted.min(total)));
    }
    if count < wanted {
        let what = format!("{count} records on the page at {offset}, where {wanted} of {total} should be");
        return Err(Fault::new(FaultCode::AnswerIncomplete, place, what).into());
    }
    if let Some(again) = seen.take(&fetched.page) {
        return inconsistent(format!("the record '{}' comes again on the page at {offset}", crate::fault::excerpt(&again)));
    }
    on_page(fetched.page, Some(total))?;
    Ok(count)
}

/// One page after the other, by links as long as there are some, else up to the first empty page.
async fn one_by_one(
    api: &Api,
    query: &Query,
    first: Fetched,
    first_url: &Url,
    seen: &mut Seen,
    on_page: &mut dyn FnMut(Page, Option<u64>) -> std::io::Result<()>,
) -> Result<(), WalkError> {
    let place = query.reading.collection.name();
    let inconsistent = |what: String| WalkError::from(Fault::new(FaultCode::PagesInconsistent, place, what));
    let (by_links, total) = (first.next.is_some(), first.total);
    let mut visited = HashSet::from([first_url.clone()]);
    let (mut fetched, mut count) = (first, 0_u64);
    loop {
        if let (Some(before), Some(now)) = (total, fetched.total)
            && before != now
        {
            return Err(inconsistent(format!("the total was {before} at first and is {now} after {count} records")));
        }
        let size = fetched.page.records.len() as u64;
        let next = fetched.next.take();
        if let Some(again) = seen.take(&fetched.page) {
            return Err(inconsistent(format!("the record '{}' comes again after {count} records", crate::fault::excerpt(&again))));
        }
        count += size;
        if size > 0 {
            on_page(fetched.page, total)?;
        }
        // An empty page is the end, also where a link leads on and on.
        let next = match (by_links, next) {
            _ if size == 0 => break,
            (true, None) => break,
            (true, Some(query_text)) => {
                let mut next = first_url.clone();
                next.set_query(Some(&query_text));
                next
            }
            (false, _) => url(api, query, count, api.limits().page_records),
        };
        if !visited.insert(next.clone()) {
            return Err(inconsistent(format!("the link to the next page leads back after {count} records")));
        }
        if visited.len() > api.limits().pages {
            return Err(Fault::new(FaultCode::TooManyPages, place, format!("more than {} pages", api.limits().pages)).into());
        }
        fetched = fetch(api, query, &next, false).await?;
    }
    match total.filter(|total| *total != count) {
        Some(total) => Err(Fault::new(FaultCode::AnswerIncomplete, place, format!("{count} of {total} records")).into()),
        None => Ok(()),
    }
}

/// Fetches and reads one page. A 404 on the first page of a collection that need not be there is no fault.
pub(crate) async fn fetch(api: &Api, query: &Query, url: &Url, first: bool) -> Result<Fetched, Fault> {
    let collection = query.reading.collection;
    let place = collection.name();
    let read = |answer: Answer| {
        let (total, next) = (total(&answer), next_query(collection, &answer));
        // No content is an empty page, as some say it.
        let page = if answer.status.as_u16() == 204 { Ok(Page::default()) } else { page::read(query.reading, &answer.body) };
        // It may be cut off; then it is whole the next time.
        let unread = |why| Fault::new(FaultCode::AnswerInvalid, place, format!("the answer cannot be read: {why}")).retry(Retry::Soon);
        Ok(Fetched { page: page.map_err(unread)?, total, next, missing: false })
    };
    match api.get(place, url, read).await {
        Err(fault) if fault.code == FaultCode::NotFound && first && !collection.is_required() => {
            Ok(Fetched { missing: true, ..Fetched::default() })
        }
        outcome => outcome,
    }
}

fn total(answer: &Answer) -> Option<u64> {
    answer.headers.get("x-total-count")?.to_str().ok()?.trim().parse().ok()
}

/// The query of the link to the next page. Only that: behind a proxy, servers write hosts and paths
/// that lead nowhere, and a token must not go where a link says.
fn next_query(collection: Collection, answer: &Answer) -> Option<String> {
    let target = link::next(&answer.headers)?;
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let ours =
        path.trim_end_matches('/').rsplit('/').next().is_some_and(|last| last.is_empty() || last.eq_ignore_ascii_case(collection.name()));
    (ours && !query.is_empty()).then(|| query.to_owned())
}

/// The URL of a page.
pub(crate) fn url(api: &Api, query: &Query, offset: u64, limit: usize) -> Url {
    let mut url = api.collection_url(query.reading.collection.name());
    let mut pairs = url.query_pairs_mut();
    pairs.append_pair("offset", &offset.to_string()).append_pair("limit", &limit.to_string());
    if !query.filter.is_empty() {
        pairs.append_pair("filter", &query.filter);
    }
    drop(pairs);
    url
}
