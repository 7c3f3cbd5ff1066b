//! Reading a collection: filter, search, order, paging.
//!
//! Pages are keyset pages. Without `$orderby` the key is the id, which for ids made by Homeroom is
//! the order of creation; with it the key is the ordered values and the id. Either way a page
//! starts after the last thing the client has seen, so inserts and deletes in between move nothing.

use super::data::{Data, Stored};
use super::expand;
use super::place::{CollectionPlace, EntityPlace};
use super::pushdown::Exact;
use crate::error::AppError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use industry_data::MODEL;
use odata::edm::{Navigation, StructuredType};
use odata::filter::{Budget, SortKey, compare_keys, evaluate, sort_keys};
use odata::limits::Limits;
use odata::query::QueryOptions;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Entities a page when the client does not say (decision 6).
pub(super) const PAGE_SIZE_DEFAULT: usize = 100;
/// Largest page, as Graph has it.
pub(super) const PAGE_SIZE_MAX: usize = 999;
/// Largest `$skip`: skipping reads what it skips.
pub(super) const SKIP_MAX: usize = 100_000;
/// Entities in an expanded collection; the rest is behind its own `@odata.nextLink`.
pub(super) const EXPANDED_MAX: usize = 999;
/// Rows read from the store at a time.
const BATCH: usize = 500;

/// What to read.
#[derive(Debug)]
pub(super) struct ListPlan<'a> {
    options: &'a QueryOptions,
    /// Entities on this page.
    pub page_size: usize,
    after: Option<Cursor>,
}

/// Where the page before ended.
#[derive(Debug, Clone)]
struct Cursor {
    id: String,
    /// What the last entity was ordered by; without `$orderby` there is nothing.
    keys: Vec<SortKey>,
}

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    /// The entities.
    pub items: Vec<Stored>,
    /// `$skiptoken` of the next page.
    pub next: Option<String>,
}

impl<'a> ListPlan<'a> {
    /// A first page of a given size, or of what `$top` says when that is less.
    pub(super) fn new(options: &'a QueryOptions, page_size: usize) -> Self {
        Self { options, page_size: options.top.map_or(page_size, |top| (top as usize).min(page_size)), after: None }
    }

    /// The page that a request asks for: `$top`, `Prefer: odata.maxpagesize`, `$skiptoken`.
    pub(super) fn for_request(options: &'a QueryOptions, preferred: Option<u32>) -> Result<Self, AppError> {
        check_limits(options)?;
        let after = options.skiptoken.as_deref().map(|token| Cursor::decode(token, options)).transpose()?;
        // In Graph $top is the size of a page: what remains is behind @odata.nextLink (concepts/query-parameters.md).
        let preferred = || preferred.map_or(PAGE_SIZE_DEFAULT, |size| size as usize).min(PAGE_SIZE_MAX);
        Ok(Self { options, page_size: options.top.map_or_else(preferred, |top| top as usize), after })
    }
}

/// Refuses what would read or answer too much, on a URL of its own as inside `$expand`.
pub(super) fn check_limits(options: &QueryOptions) -> Result<(), AppError> {
    if options.skip.is_some_and(|skip| skip as usize > SKIP_MAX) {
        return Err(AppError::invalid_at("$skip", format!("$skip goes up to {SKIP_MAX}; follow @odata.nextLink instead.")));
    }
    match options.top.filter(|top| *top as usize > PAGE_SIZE_MAX) {
        Some(top) => Err(AppError::invalid_at("$top", format!("$top is the size of a page and goes up to {PAGE_SIZE_MAX}, not {top}."))),
        None => Ok(()),
    }
}

/// Where entities are read from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'p> {
    /// A collection.
    Collection(&'p CollectionPlace),
    /// The members of a group, the groups of a user; who asks has been checked.
    Links(&'p EntityPlace, &'static Navigation),
}

impl Source<'_> {
    fn batch(self, data: &Data<'_, '_>, after: Option<&str>, exact: &[Exact]) -> Result<Vec<Stored>, AppError> {
        match self {
            Self::Collection(place) => data.batch(place, after, BATCH, exact),
            Self::Links(at, nav) => super::links::batch(data, at, nav, after, BATCH),
        }
    }

    fn count(self, data: &Data<'_, '_>) -> Result<u64, AppError> {
        match self {
            Self::Collection(place) => data.count(place),
            Self::Links(at, nav) => super::links::length(data, at, nav),
        }
    }

    /// Where an entity of this source lives.
    pub(super) fn home(self) -> Result<CollectionPlace, AppError> {
        match self {
            Self::Collection(place) => Ok(place.clone()),
            Self::Links(_, nav) => super::links::home(nav),
        }
    }

    fn cast(self) -> Option<&'static StructuredType> {
        match self {
            Self::Collection(place) => place.cast,
            Self::Links(..) => None,
        }
    }

    /// The entity as filter and order see it: as a client may see it, with what the navigation
    /// properties that they name lead to.
    fn seen<'s>(
        self,
        data: &Data<'_, '_>,
        stored: &'s Stored,
        looked_through: &[&'static Navigation],
    ) -> Result<Cow<'s, Map<String, Value>>, AppError> {
        let Self::Collection(place) = self else { return refuse(looked_through).map(|()| Cow::Borrowed(&stored.body)) };
        // The directory holds no secrets, and copying each of its entities would be felt.
        if matches!(place.collection.name, "users" | "groups") {
            return refuse(looked_through).map(|()| Cow::Borrowed(&stored.body));
        }
        let mut seen = industry_data::rules::present(place.collection.name, &stored.body);
        let at = EntityPlace { within: place.clone(), id: stored.id.clone() };
        for nav in looked_through {
            seen.insert(nav.name.to_owned(), expand::related(data, &at, stored, nav)?);
        }
        Ok(Cow::Owned(seen))
    }
}

/// The directory's links are too many to be looked through for each entity.
fn refuse(looked_through: &[&'static Navigation]) -> Result<(), AppError> {
    match looked_through.first() {
        None => Ok(()),
        Some(nav) => {
            let message = format!("'{0}' cannot be used in $filter and $orderby here; read it at its own URL, …/{0}.", nav.name);
            Err(AppError::invalid_at("$filter", message))
        }
    }
}

impl Cursor {
    fn encode(&self) -> String {
        let keys: Vec<Value> = self.keys.iter().map(SortKey::to_json).collect();
        URL_SAFE_NO_PAD.encode(json!({ "i": self.id, "k": keys }).to_string())
    }

    fn decode(token: &str, options: &QueryOptions) -> Result<Self, AppError> {
        let broken =
            || AppError::invalid_at("$skiptoken", "This $skiptoken was not made by Homeroom for this query; start again without it.");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| broken())?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| broken())?;
        let keys = value["k"].as_array().ok_or_else(broken)?.iter().map(SortKey::from_json).collect::<Option<Vec<_>>>();
        let keys = keys.filter(|keys| keys.len() == options.orderby.len()).ok_or_else(broken)?;
        Ok(Self { id: value["i"].as_str().ok_or_else(broken)?.to_owned(), keys })
    }
}

/// An entity with what it is ordered by.
struct Candidate {
    stored: Stored,
    keys: Vec<SortKey>,
}

/// Reads one page.
pub(super) fn page(data: &Data<'_, '_>, source: Source<'_>, plan: &ListPlan<'_>) -> Result<Page, AppError> {
    if plan.page_size == 0 {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let skip = if plan.after.is_some() { 0 } else { plan.options.skip.unwrap_or(0) as usize };
    // One more than the page tells whether there is a next one: a link to an empty page would
    // end the paging of Microsoft's Python SDK.
    let wanted = skip + plan.page_size + 1;
    let mut found =
        if plan.options.orderby.is_empty() { by_id(data, source, plan, wanted)? } else { by_order(data, source, plan, wanted)? };
    let mut items = found.split_off(skip.min(found.len()));
    let more = items.len() > plan.page_size;
    items.truncate(plan.page_size);
    let next = items.last().filter(|_| more).map(|last| Cursor { id: last.stored.id.clone(), keys: last.keys.clone() }.encode());
    Ok(Page { items: items.into_iter().map(|candidate| candidate.stored).collect(), next })
}

/// Gives every entity of a collection.
pub(super) fn all(
    data: &Data<'_, '_>,
    place: &CollectionPlace,
    options: &QueryOptions,
    mut give: impl FnMut(Stored),
) -> Result<(), AppError> {
    scan(data, Source::Collection(place), &ListPlan::new(options, PAGE_SIZE_MAX), None, |candidate| {
        give(candidate.stored);
        true
    })
}

/// Counts what a filter and search leave.
pub(super) fn count(data: &Data<'_, '_>, source: Source<'_>, options: &QueryOptions) -> Result<u64, AppError> {
    if options.filter.is_none() && options.search.is_none() && source.cast().is_none() {
        return source.count(data);
    }
    // The order changes no count.
    let unordered = QueryOptions { orderby: Vec::new(), ..options.clone() };
    let plan = ListPlan::new(&unordered, PAGE_SIZE_MAX);
    let mut count = 0;
    scan(data, source, &plan, None, |_| {
        count += 1;
        true
    })?;
    Ok(count)
}

fn by_id(data: &Data<'_, '_>, source: Source<'_>, plan: &ListPlan<'_>, wanted: usize) -> Result<Vec<Candidate>, AppError> {
    let mut found = Vec::new();
    let after = plan.after.as_ref().map(|cursor| cursor.id.clone());
    scan(data, source, plan, after, |candidate| {
        found.push(candidate);
        found.len() < wanted
    })?;
    Ok(found)
}

/// Keeps the first `wanted` in order while reading all: memory stays at the page, not the collection.
fn by_order(data: &Data<'_, '_>, source: Source<'_>, plan: &ListPlan<'_>, wanted: usize) -> Result<Vec<Candidate>, AppError> {
    let order =
        |a: &[SortKey], a_id: &str, b: &[SortKey], b_id: &str| compare_keys(&plan.options.orderby, a, b).then_with(|| a_id.cmp(b_id));
    let by = |a: &Candidate, b: &Candidate| order(&a.keys, &a.stored.id, &b.keys, &b.stored.id);
    let mut found: Vec<Candidate> = Vec::new();
    scan(data, source, plan, None, |candidate| {
        let seen = plan
            .after
            .as_ref()
            .is_some_and(|cursor| order(&candidate.keys, &candidate.stored.id, &cursor.keys, &cursor.id) != Ordering::Greater);
        if !seen {
            found.push(candidate);
        }
        if found.len() >= wanted.saturating_mul(2).max(BATCH) {
            found.sort_by(by);
            found.truncate(wanted);
        }
        true
    })?;
    found.sort_by(by);
    found.truncate(wanted);
    Ok(found)
}

/// Walks the source by id from `after`, giving what matches, until told to stop.
fn scan(
    data: &Data<'_, '_>,
    source: Source<'_>,
    plan: &ListPlan<'_>,
    mut after: Option<String>,
    mut give: impl FnMut(Candidate) -> bool,
) -> Result<(), AppError> {
    let options = plan.options;
    let pushed = super::pushdown::exact(options.filter.as_ref());
    let looked_through = options.navigations();
    // What cannot be looked through is refused whether or not there is anything to look at.
    if !matches!(source, Source::Collection(place) if !matches!(place.collection.name, "users" | "groups")) {
        refuse(&looked_through)?;
    }
    let budget = Budget::new(Limits::DEFAULT.filter_conditions);
    let looks = options.filter.is_some() || !options.orderby.is_empty();
    loop {
        let batch = source.batch(data, after.as_deref(), &pushed)?;
        let full = batch.len() == BATCH;
        after = batch.last().map(|stored| stored.id.clone());
        for stored in batch {
            let of_type = match source {
                Source::Collection(place) => place.cast.is_none_or(|ty| data.is_of_type(place, &stored, ty)),
                Source::Links(..) => true,
            };
            if !of_type || options.search.as_ref().is_some_and(|search| !search.matches(&stored.body)) {
                continue;
            }
            let mut keys = Vec::new();
            if looks {
                let seen = source.seen(data, &stored, &looked_through)?;
                if options.filter.as_ref().is_some_and(|filter| !evaluate(&MODEL, filter, &seen, &budget)) {
                    if budget.is_exhausted() {
                        return Err(too_much());
                    }
                    continue;
                }
                keys = sort_keys(&MODEL, &options.orderby, &seen, &budget);
            }
            if budget.is_exhausted() {
                return Err(too_much());
            }
            if !give(Candidate { stored, keys }) {
                return Ok(());
            }
        }
        if budget.is_exhausted() {
            return Err(too_much());
        }
        if !full {
            return Ok(());
        }
    }
}

fn too_much() -> AppError {
    AppError::invalid_at(
        "$filter",
        "To answer this filter would take too much work; take out any and all, or narrow it by a property with an index such as id.",
    )
}
