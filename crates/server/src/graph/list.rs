//! Reading a collection: filter, search, order, paging.
//!
//! Pages are keyset pages. Without `$orderby` the key is the id, which for ids made by Homeroom is
//! the order of creation; with it the key is the ordered values and the id. Either way a page
//! starts after the last thing the client has seen, so inserts and deletes in between move nothing.

use super::data::{Data, Stored};
use super::place::CollectionPlace;
use crate::error::AppError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use industry_data::MODEL;
use odata::query::QueryOptions;
use serde_json::{Map, Value, json};
use std::cmp::Ordering;

/// Entities a page when the client does not say (decision 6).
pub(super) const PAGE_SIZE_DEFAULT: usize = 100;
/// Largest page, as Graph has it.
pub(super) const PAGE_SIZE_MAX: usize = 999;
/// Largest `$skip`: skipping reads what it skips.
pub(super) const SKIP_MAX: usize = 100_000;
/// Entities in an expanded collection; the contained collections that exist stay far below it.
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
    /// The last entity's ordered properties; without `$orderby` there are none.
    values: Map<String, Value>,
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
    /// A first page of a given size.
    pub(super) fn new(options: &'a QueryOptions, page_size: usize) -> Self {
        Self { options, page_size: options.top.map_or(page_size, |top| (top as usize).min(page_size)), after: None }
    }

    /// The page that a request asks for: `$top`, `Prefer: odata.maxpagesize`, `$skiptoken`.
    pub(super) fn for_request(options: &'a QueryOptions, preferred: Option<u32>) -> Result<Self, AppError> {
        if options.skip.is_some_and(|skip| skip as usize > SKIP_MAX) {
            return Err(AppError::invalid_at("$skip", format!("$skip goes up to {SKIP_MAX}; follow @odata.nextLink instead.")));
        }
        let after = options.skiptoken.as_deref().map(Cursor::decode).transpose()?;
        // In Graph $top is the size of a page: what remains is behind @odata.nextLink (concepts/query-parameters.md).
        let page_size = match options.top.map(|top| top as usize) {
            Some(top) if top > PAGE_SIZE_MAX => {
                return Err(AppError::invalid_at("$top", format!("$top is the size of a page and goes up to {PAGE_SIZE_MAX}, not {top}.")));
            }
            Some(top) => top,
            None => preferred.map_or(PAGE_SIZE_DEFAULT, |size| size as usize).min(PAGE_SIZE_MAX),
        };
        Ok(Self { options, page_size, after })
    }

    fn matches(&self, data: &Data<'_, '_>, place: &CollectionPlace, stored: &Stored) -> bool {
        place.cast.is_none_or(|ty| data.is_of_type(place, stored, ty))
            && self.options.filter.as_ref().is_none_or(|filter| odata::filter::evaluate(&MODEL, filter, &stored.body))
            && self.options.search.as_ref().is_none_or(|search| search.matches(&stored.body))
    }
}

impl Cursor {
    fn of(last: &Stored, options: &QueryOptions) -> Self {
        let mut values = Map::new();
        for order in &options.orderby {
            odata::filter::copy_path(&order.path, &last.body, &mut values);
        }
        Self { id: last.id.clone(), values }
    }

    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(json!({ "i": self.id, "v": self.values }).to_string())
    }

    fn decode(token: &str) -> Result<Self, AppError> {
        let broken = || AppError::invalid_at("$skiptoken", "This $skiptoken was not made by Homeroom; start again without it.");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| broken())?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| broken())?;
        Ok(Self { id: value["i"].as_str().ok_or_else(broken)?.to_owned(), values: value["v"].as_object().cloned().unwrap_or_default() })
    }
}

/// Reads one page.
pub(super) fn page(data: &Data<'_, '_>, place: &CollectionPlace, plan: &ListPlan<'_>) -> Result<Page, AppError> {
    if plan.page_size == 0 {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let skip = if plan.after.is_some() { 0 } else { plan.options.skip.unwrap_or(0) as usize };
    // One more than the page tells whether there is a next one: a link to an empty page would
    // end the paging of Microsoft's Python SDK.
    let wanted = skip + plan.page_size + 1;
    let mut found = if plan.options.orderby.is_empty() { by_id(data, place, plan, wanted)? } else { by_order(data, place, plan, wanted)? };
    let mut items = found.split_off(skip.min(found.len()));
    let more = items.len() > plan.page_size;
    items.truncate(plan.page_size);
    let next = items.last().filter(|_| more).map(|last| Cursor::of(last, plan.options).encode());
    Ok(Page { items, next })
}

/// Counts what a filter and search leave.
pub(super) fn count(data: &Data<'_, '_>, place: &CollectionPlace, options: &QueryOptions) -> Result<u64, AppError> {
    if options.filter.is_none() && options.search.is_none() && place.cast.is_none() {
        return data.count(place);
    }
    let plan = ListPlan::new(options, PAGE_SIZE_MAX);
    let mut count = 0;
    scan(data, place, &plan, None, |_| {
        count += 1;
        true
    })?;
    Ok(count)
}

fn by_id(data: &Data<'_, '_>, place: &CollectionPlace, plan: &ListPlan<'_>, wanted: usize) -> Result<Vec<Stored>, AppError> {
    let mut found = Vec::new();
    let after = plan.after.as_ref().map(|cursor| cursor.id.clone());
    scan(data, place, plan, after, |stored| {
        found.push(stored);
        found.len() < wanted
    })?;
    Ok(found)
}

/// Keeps the first `wanted` in order while reading all: memory stays at the page, not the collection.
fn by_order(data: &Data<'_, '_>, place: &CollectionPlace, plan: &ListPlan<'_>, wanted: usize) -> Result<Vec<Stored>, AppError> {
    let order = |a: &Map<String, Value>, a_id: &str, b: &Map<String, Value>, b_id: &str| {
        odata::filter::compare_by(&MODEL, &plan.options.orderby, a, b).then_with(|| a_id.cmp(b_id))
    };
    let mut found: Vec<Stored> = Vec::new();
    scan(data, place, plan, None, |stored| {
        let seen =
            plan.after.as_ref().is_some_and(|cursor| order(&stored.body, &stored.id, &cursor.values, &cursor.id) != Ordering::Greater);
        if !seen {
            found.push(stored);
        }
        if found.len() >= wanted.saturating_mul(2).max(BATCH) {
            found.sort_by(|a, b| order(&a.body, &a.id, &b.body, &b.id));
            found.truncate(wanted);
        }
        true
    })?;
    found.sort_by(|a, b| order(&a.body, &a.id, &b.body, &b.id));
    found.truncate(wanted);
    Ok(found)
}

/// Walks the collection by id from `after`, giving what matches, until told to stop.
fn scan(
    data: &Data<'_, '_>,
    place: &CollectionPlace,
    plan: &ListPlan<'_>,
    mut after: Option<String>,
    mut give: impl FnMut(Stored) -> bool,
) -> Result<(), AppError> {
    let pushed = super::pushdown::exact(plan.options.filter.as_ref());
    loop {
        let batch = data.batch(place, after.as_deref(), BATCH, &pushed)?;
        let full = batch.len() == BATCH;
        after = batch.last().map(|stored| stored.id.clone());
        for stored in batch {
            if plan.matches(data, place, &stored) && !give(stored) {
                return Ok(());
            }
        }
        if !full {
            return Ok(());
        }
    }
}
