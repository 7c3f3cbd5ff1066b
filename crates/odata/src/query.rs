//! Query options: `$select $expand $filter $orderby $top $skip $skiptoken $count $search $format`.
//!
//! With and without `$` (Graph's beta takes both), names without regard to case. An option that is
//! not known is refused: nothing is ignored silently.

use crate::edm::{Model, Navigation, StructuredType};
use crate::error::{Error, nearest};
use crate::filter::{self, Expr, PropertyPath};
use crate::limits::Limits;
use serde_json::{Map, Value};

/// A property path of `$select`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectPath {
    names: Vec<&'static str>,
}

impl SelectPath {
    /// First name.
    pub fn first(&self) -> Option<&'static str> {
        self.names.first().copied()
    }
    /// Names after the first.
    pub fn rest(&self) -> &[&'static str] {
        self.names.get(1..).unwrap_or_default()
    }
}

/// One key of `$orderby`.
#[derive(Debug, Clone)]
pub struct OrderBy {
    /// By what.
    pub path: PropertyPath,
    /// From great to small.
    pub descending: bool,
}

/// One navigation property of `$expand`.
#[derive(Debug, Clone)]
pub struct Expand {
    /// Which.
    pub navigation: &'static Navigation,
    /// Options in parentheses.
    pub options: QueryOptions,
}

/// `$search`: words that must all occur.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    words: Vec<String>,
}

impl Search {
    /// Whether the display name has all the words, without regard to case.
    pub fn matches(&self, document: &Map<String, Value>) -> bool {
        let name = document.get("displayName").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        self.words.iter().all(|word| name.contains(word))
    }
}

/// All options of a request.
#[derive(Debug, Clone, Default)]
pub struct QueryOptions {
    /// Properties wanted; empty means all.
    pub select: Vec<SelectPath>,
    /// Navigation properties inline.
    pub expand: Vec<Expand>,
    /// Condition.
    pub filter: Option<Expr>,
    /// Order.
    pub orderby: Vec<OrderBy>,
    /// Most entities.
    pub top: Option<u32>,
    /// Entities left out in front.
    pub skip: Option<u32>,
    /// Where the page before ended.
    pub skiptoken: Option<String>,
    /// Whether to count.
    pub count: bool,
    /// Words to look for.
    pub search: Option<Search>,
    /// Options that are not OData's.
    pub custom: Vec<(String, String)>,
}

const KNOWN: [&str; 10] = ["select", "expand", "filter", "orderby", "top", "skip", "skiptoken", "count", "search", "format"];

/// Parses a query string, still percent-encoded, for a resource of a type.
pub fn parse_query(raw: &str, ty: &'static StructuredType, model: &Model, limits: &Limits) -> Result<QueryOptions, Error> {
    let mut options = QueryOptions::default();
    let mut seen = Vec::new();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        option(&name, &value, ty, model, limits, limits.expand_depth, &mut seen, &mut options)?;
    }
    Ok(options)
}

/// `application/x-www-form-urlencoded`, as every client writes queries: `+` is a blank.
fn decode(text: &str) -> Result<String, Error> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Error::bad("The query string is not UTF-8."))
}

#[expect(clippy::too_many_arguments, reason = "the state of one pass over the options")]
fn option(
    name: &str,
    value: &str,
    ty: &'static StructuredType,
    model: &Model,
    limits: &Limits,
    depth: usize,
    seen: &mut Vec<String>,
    out: &mut QueryOptions,
) -> Result<(), Error> {
    let bare = name.strip_prefix('$').unwrap_or(name).to_ascii_lowercase();
    if !KNOWN.contains(&bare.as_str()) {
        if name.starts_with('$') {
            let hint = nearest(&bare, KNOWN.into_iter()).map_or_else(String::new, |near| format!(" Did you mean '${near}'?"));
            return Err(Error::at(name, format!("The query option '{name}' is not supported.{hint}")));
        }
        out.custom.push((name.to_owned(), value.to_owned()));
        return Ok(());
    }
    if seen.contains(&bare) {
        return Err(Error::at(format!("${bare}"), format!("The query option '${bare}' is given twice.")));
    }
    let target = format!("${bare}");
    let named = |error: Error| Error { target: error.target.or(Some(target.clone())), ..error };
    match bare.as_str() {
        "select" => out.select = select(value, ty, model, limits).map_err(named)?,
        "expand" => out.expand = expand(value, ty, model, limits, depth).map_err(named)?,
        "filter" => out.filter = Some(filter::parse(value, ty, model, limits).map_err(named)?),
        "orderby" => out.orderby = orderby(value, ty, model, limits).map_err(named)?,
        "top" => out.top = Some(number(value).map_err(named)?),
        "skip" => out.skip = Some(number(value).map_err(named)?),
        "skiptoken" => out.skiptoken = Some(value.to_owned()),
        "count" => {
            out.count = match value.to_ascii_lowercase().as_str() {
                "true" => true,
                "false" => false,
                _ => return Err(named(Error::bad(format!("$count can be true or false, not '{value}'.")))),
            }
        }
        "search" => out.search = Some(search(value).map_err(named)?),
        _ => {
            if !(value.eq_ignore_ascii_case("json") || value.to_ascii_lowercase().starts_with("application/json")) {
                return Err(named(Error::bad(format!("$format can be json, not '{value}'."))));
            }
        }
    }
    seen.push(bare);
    Ok(())
}

fn number(text: &str) -> Result<u32, Error> {
    text.trim().parse().map_err(|_| Error::bad(format!("A number from 0 up is needed, not '{text}'.")))
}

/// Splits at a character outside parentheses and quotes.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut depth, mut quoted, mut start) = (Vec::new(), 0_usize, false, 0);
    for (index, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            c if c == at && depth == 0 && !quoted => {
                parts.push(&text[start..index]);
                start = index + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn items<'t>(value: &'t str, limits: &Limits) -> Result<Vec<&'t str>, Error> {
    let parts: Vec<&str> = split(value, ',').into_iter().map(str::trim).collect();
    if parts.len() > limits.list_items {
        return Err(Error::bad(format!("More than {} items.", limits.list_items)));
    }
    if parts.iter().any(|part| part.is_empty()) {
        return Err(Error::bad("An item is empty."));
    }
    Ok(parts)
}

fn select(value: &str, ty: &'static StructuredType, model: &Model, limits: &Limits) -> Result<Vec<SelectPath>, Error> {
    let mut paths = Vec::new();
    for item in items(value, limits)? {
        if item == "*" {
            return Ok(Vec::new());
        }
        if model.navigation(ty, item).is_some() {
            continue;
        }
        paths.push(SelectPath { names: filter::resolve(item, ty, model, limits)?.names().to_vec() });
    }
    Ok(paths)
}

fn orderby(value: &str, ty: &'static StructuredType, model: &Model, limits: &Limits) -> Result<Vec<OrderBy>, Error> {
    let mut keys = Vec::new();
    for item in items(value, limits)? {
        let (path, direction) = item.split_once(char::is_whitespace).unwrap_or((item, "asc"));
        let descending = match direction.trim().to_ascii_lowercase().as_str() {
            "asc" => false,
            "desc" => true,
            other => return Err(Error::bad(format!("The order of '{path}' can be asc or desc, not '{other}'."))),
        };
        let path = filter::resolve(path, ty, model, limits)?;
        if !path.is_primitive() {
            return Err(Error::bad(format!("'{item}' is not a single value that can be ordered by.")));
        }
        keys.push(OrderBy { path, descending });
    }
    Ok(keys)
}

fn expand(value: &str, ty: &'static StructuredType, model: &Model, limits: &Limits, depth: usize) -> Result<Vec<Expand>, Error> {
    if depth == 0 {
        return Err(Error::bad(format!("$expand goes {} levels deep.", limits.expand_depth)));
    }
    let mut found: Vec<Expand> = Vec::new();
    for item in items(value, limits)? {
        let (name, inside) = match item.split_once('(') {
            Some((name, rest)) => {
                (name, rest.strip_suffix(')').ok_or_else(|| Error::bad(format!("'{item}' has no closing parenthesis.")))?)
            }
            None => (item, ""),
        };
        let known =
            || model.concrete(ty).into_iter().chain([ty]).find_map(|ty| model.navigation(ty, name.rsplit('/').next().unwrap_or(name)));
        let Some(navigation) = known() else {
            let names = model.navigations(ty);
            let hint = nearest(name, names.iter().map(|n| n.name)).map_or_else(String::new, |near| format!(" Did you mean '{near}'?"));
            return Err(Error::bad(format!("'{name}' is not a navigation property of {}.{hint}", ty.qualified())));
        };
        if found.iter().any(|e| std::ptr::eq(e.navigation, navigation)) {
            return Err(Error::bad(format!("'{name}' is expanded twice.")));
        }
        let target = model.find_type(navigation.target).ok_or_else(|| Error::bad(format!("the model lacks {}", navigation.target)))?;
        let mut options = QueryOptions::default();
        let mut seen = Vec::new();
        for pair in split(inside, ';').into_iter().map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| Error::bad(format!("'{pair}' is not of the form $option=value.")))?;
            option(name.trim(), value.trim(), target, model, limits, depth - 1, &mut seen, &mut options)?;
        }
        found.push(Expand { navigation, options });
    }
    Ok(found)
}

fn search(value: &str) -> Result<Search, Error> {
    let mut words = Vec::new();
    let mut rest = value.trim();
    // Graph's directory wants "displayName:word" in quotes; the prefix is the only property there is.
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(|| Error::bad("A quotation mark is not closed."))?,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        let word = word.strip_prefix("displayName:").unwrap_or(word);
        if !word.is_empty() && word != "AND" {
            words.push(word.to_lowercase());
        }
        rest = after.trim_start();
    }
    if words.is_empty() { Err(Error::bad("$search needs a word to look for.")) } else { Ok(Search { words }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MODEL, ty};

    fn parse(raw: &str) -> Result<QueryOptions, Error> {
        parse_query(raw, ty("person"), &MODEL, &Limits::DEFAULT)
    }

    #[test]
    fn options_with_and_without_the_dollar_sign() {
        let options = parse("$top=5&skip=2&%24count=true&$orderBy=age%20desc,id&$select=ID,age").unwrap();
        assert_eq!((options.top, options.skip, options.count), (Some(5), Some(2), true));
        assert_eq!(options.orderby.len(), 2);
        assert!(options.orderby[0].descending);
        assert_eq!(options.select[0].first(), Some("id"));
    }

    #[test]
    fn nested_expansion_takes_its_own_options_to_depth_two() {
        let options = parse("$expand=pets($select=name;$expand=owner)").unwrap();
        assert_eq!(options.expand[0].options.expand[0].navigation.name, "owner");
        assert!(parse("$expand=pets($expand=owner($expand=pets))").is_err());
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for (raw, what) in [
            ("$fliter=x", "Did you mean '$filter'?"),
            ("$select=nam", "'nam'"),
            ("$expand=age", "'age'"),
            ("$orderby=pets", "'pets'"),
            ("$top=-1", "'-1'"),
            ("$top=1&top=2", "twice"),
            ("$count=maybe", "maybe"),
            ("$format=xml", "xml"),
        ] {
            let error = parse(raw).unwrap_err();
            assert!(error.message.contains(what), "{raw}: {error}");
        }
    }

    #[test]
    fn a_search_needs_all_its_words() {
        let search = search("\"north school\" staff").unwrap();
        let named = |name: &str| serde_json::json!({ "displayName": name }).as_object().unwrap().clone();
        assert!(search.matches(&named("Staff - North School")));
        assert!(!search.matches(&named("Staff - South School")));
    }
}
