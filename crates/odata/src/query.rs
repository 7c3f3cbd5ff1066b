//! Query options: `$select $expand $filter $orderby $top $skip $skiptoken $count $search $format`.
//!
//! With and without `$` (OData 4.01 part 2, §5.1; Graph's beta takes both), names without regard to
//! case, parameter aliases (§5.3). An option that is not known is refused: nothing is ignored silently.

use crate::edm::{Model, Navigation, StructuredType};
use crate::encode::Metadata;
use crate::error::{Error, nearest};
use crate::filter::{self, Aliases, Expr, Step};
use crate::limits::Limits;
pub use crate::search::Search;

/// A property path of `$select`.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectPath {
    steps: Vec<Step>,
}

impl SelectPath {
    /// The steps, names as the model spells them.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// One key of `$orderby`.
#[derive(Debug, Clone)]
pub struct OrderBy {
    /// By what.
    pub key: Expr,
    /// From great to small.
    pub descending: bool,
}

/// One navigation property of `$expand`.
#[derive(Debug, Clone)]
pub struct Expand {
    /// Which.
    pub navigation: &'static Navigation,
    /// Only what is of that type.
    pub cast: Option<&'static StructuredType>,
    /// Named by `*`: what cannot be expanded is left out then.
    pub wildcard: bool,
    /// Options in parentheses.
    pub options: QueryOptions,
    /// The same as text: what the link of a cut expansion carries on.
    pub texts: Vec<(String, String)>,
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

impl QueryOptions {
    /// Fixes `now()` everywhere: one request sees one time.
    pub fn bind_now(&mut self, now: jiff::Timestamp) {
        if let Some(filter) = &mut self.filter {
            filter.bind_now(now);
        }
        self.orderby.iter_mut().for_each(|order| order.key.bind_now(now));
        self.expand.iter_mut().for_each(|expand| expand.options.bind_now(now));
    }

    /// The navigation properties that filter and order look through.
    pub fn navigations(&self) -> Vec<&'static Navigation> {
        let mut found: Vec<&'static Navigation> = Vec::new();
        for nav in self.filter.iter().chain(self.orderby.iter().map(|order| &order.key)).flat_map(Expr::navigations) {
            if !found.iter().any(|known| std::ptr::eq(*known, nav)) {
                found.push(nav);
            }
        }
        found
    }
}

const KNOWN: [&str; 10] = ["select", "expand", "filter", "orderby", "top", "skip", "skiptoken", "count", "search", "format"];
/// What OData has and Homeroom has not: refused with and without `$`.
const UNSUPPORTED: [&str; 6] = ["apply", "compute", "deltatoken", "index", "levels", "schemaversion"];

/// What the options of one level are read with.
struct Reader<'m> {
    ty: &'static StructuredType,
    model: &'m Model,
    limits: &'m Limits,
    aliases: Aliases<'m>,
    narrow: Narrowing<'m>,
    /// Levels of `$expand` that may still follow.
    depth: usize,
    /// The option that this level stands in, with its text: positions count from its start. On the
    /// outermost level each option is its own.
    within: Option<(&'m str, &'m str)>,
}

/// What a navigation property leads to in truth, where the model promises less: Graph declares the
/// members of a group as directory objects, and clients select the properties of users from them.
pub type Narrowing<'a> = &'a dyn Fn(&Navigation) -> Option<&'static StructuredType>;

/// Parses a query string, still percent-encoded, for a resource of a type.
pub fn parse_query(raw: &str, ty: &'static StructuredType, model: &Model, limits: &Limits) -> Result<QueryOptions, Error> {
    parse_query_with(raw, ty, model, limits, &|_| None)
}

/// The same where some navigation properties lead to more than the model promises.
pub fn parse_query_with(
    raw: &str,
    ty: &'static StructuredType,
    model: &Model,
    limits: &Limits,
    narrow: Narrowing<'_>,
) -> Result<QueryOptions, Error> {
    let mut pairs = Vec::new();
    let mut aliases: Vec<(String, String)> = Vec::new();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        if !name.starts_with('@') {
            pairs.push((name, value));
        } else if aliases.iter().any(|(known, _)| *known == name) {
            return Err(Error::at(name.clone(), format!("The parameter alias '{name}' is given twice.")));
        } else if aliases.len() >= limits.list_items {
            return Err(Error::at(name, format!("More than {} parameter aliases.", limits.list_items)));
        } else {
            aliases.push((name, value));
        }
    }
    let reader = Reader { ty, model, limits, aliases: &aliases, narrow, depth: limits.expand_depth, within: None };
    reader.options(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// Amount of metadata that a `$format` asks for; it wins over `Accept` (OData 4.01 part 2, §5.1.8).
/// `None` without the option, and where it says nothing or nothing right: [`parse_query`] refuses the latter.
pub fn requested_metadata(raw: &str) -> Option<Metadata> {
    let mut pairs = raw.split('&').filter_map(|pair| pair.split_once('='));
    let text = pairs.find_map(|(name, value)| {
        let name = decode(name).ok()?;
        name.strip_prefix('$').unwrap_or(&name).eq_ignore_ascii_case("format").then(|| decode(value).ok())?
    });
    format(&text?).ok()?
}

/// `application/x-www-form-urlencoded`, as every client writes queries: `+` is a blank.
fn decode(text: &str) -> Result<String, Error> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Error::bad("The query string is not UTF-8."))
}

impl Reader<'_> {
    fn options<'t>(&self, pairs: impl Iterator<Item = (&'t str, &'t str)>) -> Result<QueryOptions, Error> {
        let mut options = QueryOptions::default();
        let mut seen = Vec::new();
        for (name, value) in pairs {
            self.option(name, value, &mut seen, &mut options)?;
        }
        Ok(options)
    }

    fn option(&self, name: &str, value: &str, seen: &mut Vec<String>, out: &mut QueryOptions) -> Result<(), Error> {
        let bare = name.strip_prefix('$').unwrap_or(name).to_ascii_lowercase();
        // A mistake in the name itself: on the outermost level it is the name that is the target.
        let misnamed = |message: String| match self.within {
            Some((outer, text)) => Error::at(outer, message).position(offset(text, name)),
            None => Error::at(name, message),
        };
        if !KNOWN.contains(&bare.as_str()) {
            // Inside $expand there is no room for options of somebody else.
            if name.starts_with('$') || self.within.is_some() || UNSUPPORTED.contains(&bare.as_str()) {
                let near = nearest(&bare, KNOWN.into_iter()).filter(|_| !UNSUPPORTED.contains(&bare.as_str()));
                let hint = near.map_or_else(String::new, |near| format!(" Did you mean '${near}'?"));
                return Err(misnamed(format!("The query option '{name}' is not supported.{hint}")));
            }
            out.custom.push((name.to_owned(), value.to_owned()));
            return Ok(());
        }
        if seen.contains(&bare) {
            return Err(misnamed(format!("The query option '${bare}' is given twice.")));
        }
        if self.within.is_some() && matches!(bare.as_str(), "skiptoken" | "format") {
            return Err(misnamed(format!("The query option '${bare}' is not supported inside $expand.")));
        }
        let own = format!("${bare}");
        let (target, text) = self.within.unwrap_or((&own, value));
        let inner = Reader { within: Some((target, text)), ..*self };
        inner.set(&bare, value, out).map_err(|error| Error {
            target: Some(target.to_owned()),
            position: error.position.or_else(|| Some(offset(text, value))),
            ..error
        })?;
        seen.push(bare);
        Ok(())
    }

    /// Where a part of the outermost option's text starts in it.
    fn place(&self, part: &str) -> usize {
        self.within.map_or(0, |(_, text)| offset(text, part))
    }

    fn set(&self, bare: &str, value: &str, out: &mut QueryOptions) -> Result<(), Error> {
        match bare {
            "select" => out.select = self.select(value)?,
            "expand" => out.expand = self.expand(value)?,
            "filter" => {
                out.filter = Some(filter::parse_with(value, self.place(value), self.ty, self.model, self.limits, self.aliases)?);
            }
            "orderby" => out.orderby = self.orderby(value)?,
            "top" => out.top = Some(number(value)?),
            "skip" => out.skip = Some(number(value)?),
            "skiptoken" => out.skiptoken = Some(value.to_owned()),
            "count" => {
                out.count = match value.to_ascii_lowercase().as_str() {
                    "true" => true,
                    "false" => false,
                    _ => return Err(Error::bad(format!("$count can be true or false, not '{value}'."))),
                }
            }
            "search" => out.search = Some(Search::parse(value, self.place(value), self.limits)?),
            // Who answers has asked `requested_metadata` before; here it is only checked.
            _ => {
                format(value)?;
            }
        }
        Ok(())
    }

    fn items<'t>(&self, value: &'t str) -> Result<Vec<&'t str>, Error> {
        let parts: Vec<&str> = split(value, ',').into_iter().map(str::trim).collect();
        if let Some(beyond) = parts.get(self.limits.list_items) {
            return Err(Error::bad(format!("More than {} items.", self.limits.list_items)).position(self.place(beyond)));
        }
        match parts.iter().map(|part| (part, self.place(part))).find(|(part, _)| part.is_empty()) {
            Some((_, position)) => Err(Error::bad(format!("An item is empty at position {position}.")).position(position)),
            None => Ok(parts),
        }
    }

    fn select(&self, value: &str) -> Result<Vec<SelectPath>, Error> {
        let mut paths = Vec::new();
        let mut all = false;
        for item in self.items(value)? {
            let position = self.place(item);
            if item == "*" {
                all = true;
                continue;
            }
            let (path, inside) = self.parentheses(item)?;
            let found = filter::resolve_selected(path, position, self.ty, self.model)?;
            let Some(inside) = inside else {
                paths.push(SelectPath { steps: found.steps().to_vec() });
                continue;
            };
            let Some(inner) = found.structured().filter(|_| self.depth > 0) else {
                return Err(Error::bad(format!("'{path}' has no properties to select from.")).position(position));
            };
            // The limit of $expand serves here as well: both nest, and both recurse.
            let reader = Reader { ty: inner, depth: self.depth - 1, ..*self };
            let options = reader.options(self.nested(inside)?.into_iter())?;
            if options.has_other_than_select() {
                return Err(Error::bad(format!("Inside $select, '{path}' takes $select only.")).position(position));
            }
            let prefixed = options.select.iter().map(|rest| SelectPath { steps: [found.steps(), &rest.steps].concat() });
            let whole = options.select.is_empty().then(|| SelectPath { steps: found.steps().to_vec() });
            paths.extend(prefixed.chain(whole));
        }
        Ok(if all { Vec::new() } else { paths })
    }

    fn orderby(&self, value: &str) -> Result<Vec<OrderBy>, Error> {
        let mut keys = Vec::new();
        for item in self.items(value)? {
            let (text, descending) = match item.rsplit_once(char::is_whitespace) {
                Some((text, word)) if word.eq_ignore_ascii_case("asc") => (text.trim_end(), false),
                Some((text, word)) if word.eq_ignore_ascii_case("desc") => (text.trim_end(), true),
                _ => (item, false),
            };
            let key = filter::parse_value(text, self.place(item), self.ty, self.model, self.limits, self.aliases)?;
            keys.push(OrderBy { key, descending });
        }
        Ok(keys)
    }

    fn expand(&self, value: &str) -> Result<Vec<Expand>, Error> {
        if self.depth == 0 {
            return Err(Error::bad(format!("$expand goes {} levels deep.", self.limits.expand_depth)));
        }
        let mut found: Vec<Expand> = Vec::new();
        let mut all = false;
        for item in self.items(value)? {
            let refuse = |message: String| Err(Error::bad(message).position(self.place(item)));
            let (path, inside) = self.parentheses(item)?;
            if path == "*" {
                if inside.is_some() {
                    return refuse("'*' takes no options in $expand; name the navigation properties.".to_owned());
                }
                all = true;
                continue;
            }
            let (navigation, cast) = self.expanded(path)?;
            if found.iter().any(|e| std::ptr::eq(e.navigation, navigation)) {
                return refuse(format!("'{path}' is expanded twice."));
            }
            let target = self.target(navigation)?;
            let inner = cast.filter(|cast| !self.model.is_subtype(target, cast)).unwrap_or(target);
            let reader = Reader { ty: inner, depth: self.depth - 1, ..*self };
            let pairs = self.nested(inside.unwrap_or_default())?;
            let options = reader.options(pairs.iter().copied())?;
            let texts = pairs.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
            found.push(Expand { navigation, cast, wildcard: false, options, texts });
        }
        if all {
            for navigation in self.model.navigations(self.ty) {
                if !found.iter().any(|e| std::ptr::eq(e.navigation, navigation)) {
                    found.push(Expand { navigation, cast: None, wildcard: true, options: QueryOptions::default(), texts: Vec::new() });
                }
            }
        }
        Ok(found)
    }

    fn target(&self, navigation: &Navigation) -> Result<&'static StructuredType, Error> {
        if let Some(narrowed) = (self.narrow)(navigation) {
            return Ok(narrowed);
        }
        self.model.find_type(navigation.target).ok_or_else(|| Error::bad(format!("the model lacks {}", navigation.target)))
    }

    /// `[type/]navigation[/type]`
    fn expanded(&self, path: &str) -> Result<(&'static Navigation, Option<&'static StructuredType>), Error> {
        let (mut here, mut navigation, mut cast) = (self.ty, None, None);
        for part in path.split('/') {
            let refused = |message: String| Error::bad(message).position(self.place(part));
            if part.starts_with(['$', '@']) {
                return Err(refused(format!("'{part}' is not supported in $expand.")));
            }
            if part.contains('.') {
                let to = self.model.find_type(part).filter(|to| self.model.is_subtype(to, here) || self.model.is_subtype(here, to));
                here = to.ok_or_else(|| refused(format!("'{part}' is not a type derived from {}.", here.qualified())))?;
                if navigation.is_some() {
                    cast = Some(here);
                }
                continue;
            }
            if navigation.is_some() {
                return Err(refused(format!("'{part}' in '{path}' is not supported; expand it inside: …($expand={part}).")));
            }
            // A navigation property of a derived type is found without the cast, too.
            let known = [here].into_iter().chain(self.model.concrete(here)).find_map(|ty| self.model.navigation(ty, part));
            let Some(nav) = known else {
                let names = self.model.navigations(here);
                let hint = nearest(part, names.iter().map(|n| n.name)).map_or_else(String::new, |near| format!(" Did you mean '{near}'?"));
                return Err(refused(format!("'{part}' is not a navigation property of {}.{hint}", here.qualified())));
            };
            here = self.target(nav)?;
            navigation = Some(nav);
        }
        match navigation {
            Some(navigation) => Ok((navigation, cast)),
            None => Err(Error::bad(format!("'{path}' names no navigation property.")).position(self.place(path))),
        }
    }

    /// `name(inside)`
    fn parentheses<'t>(&self, item: &'t str) -> Result<(&'t str, Option<&'t str>), Error> {
        match item.split_once('(') {
            Some((name, rest)) => match rest.strip_suffix(')') {
                Some(inside) => Ok((name, Some(inside))),
                None => Err(Error::bad(format!("'{item}' has no closing parenthesis.")).position(self.place(item) + item.len())),
            },
            None => Ok((item, None)),
        }
    }

    /// `$option=value;$option=value`
    fn nested<'t>(&self, inside: &'t str) -> Result<Vec<(&'t str, &'t str)>, Error> {
        let pairs = split(inside, ';').into_iter().map(str::trim).filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| match pair.split_once('=') {
                Some((name, value)) => Ok((name.trim(), value.trim())),
                None => Err(Error::bad(format!("'{pair}' is not of the form $option=value.")).position(self.place(pair))),
            })
            .collect()
    }
}

impl QueryOptions {
    fn has_other_than_select(&self) -> bool {
        !self.expand.is_empty()
            || self.filter.is_some()
            || !self.orderby.is_empty()
            || self.top.is_some()
            || self.skip.is_some()
            || self.count
            || self.search.is_some()
    }
}

fn number(text: &str) -> Result<u32, Error> {
    text.trim().parse().map_err(|_| Error::bad(format!("A number from 0 up is needed, not '{text}'.")))
}

/// `json`, or a media type with `odata.metadata`.
fn format(value: &str) -> Result<Option<Metadata>, Error> {
    let lower = value.to_ascii_lowercase();
    let mut parts = lower.split(';').map(str::trim);
    if !matches!(parts.next(), Some("json" | "application/json")) {
        return Err(Error::bad(format!("$format can be json, not '{value}'.")));
    }
    let mut found = None;
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if matches!(name, "odata.metadata" | "metadata") {
            found = Some(match value {
                "none" => Metadata::None,
                "minimal" => Metadata::Minimal,
                "full" => Metadata::Full,
                _ => return Err(Error::bad(format!("odata.metadata can be none, minimal or full, not '{value}'."))),
            });
        }
    }
    Ok(found)
}

/// Splits at a character outside parentheses and quotes.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut depth, mut quote, mut start) = (Vec::new(), 0_usize, None, 0);
    for (index, c) in text.char_indices() {
        match c {
            c if quote == Some(c) => quote = None,
            _ if quote.is_some() => {}
            '\'' | '"' => quote = Some(c),
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            c if c == at && depth == 0 => {
                parts.push(&text[start..index]);
                start = index + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Where a part of a text starts in it.
fn offset(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MODEL, ty};

    fn parse(raw: &str) -> Result<QueryOptions, Error> {
        parse_query(raw, ty("person"), &MODEL, &Limits::DEFAULT)
    }

    /// As ASP.NET reads it, and so Microsoft Graph.
    #[test]
    fn a_plus_is_a_blank() {
        let read = |raw: &str| format!("{:?}", parse(raw).unwrap().filter);
        assert_eq!(read("$filter=id+eq+'a%2Bb'"), read("$filter=id%20eq%20'a%2Bb'"));
        assert_eq!(read("$filter=id+eq+'a+b'"), read("$filter=id%20eq%20'a%20b'"));
        assert_ne!(read("$filter=id+eq+'a+b'"), read("$filter=id%20eq%20'a%2Bb'"));
    }

    #[test]
    fn options_with_and_without_the_dollar_sign() {
        let options = parse("$top=5&skip=2&%24count=true&$orderBy=age%20desc,id&$select=ID,age").unwrap();
        assert_eq!((options.top, options.skip, options.count), (Some(5), Some(2), true));
        assert_eq!(options.orderby.len(), 2);
        assert!(options.orderby[0].descending);
        assert_eq!(options.select[0].steps(), [Step::Name("id")]);
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
    fn a_path_of_select_may_be_cast_and_nested() {
        let animal = |raw: &str| parse_query(raw, ty("animal"), &MODEL, &Limits::DEFAULT);
        let options = animal("$select=t.dog/breed,home/colour,Home($select=size,home($select=size)),owner").unwrap();
        let shown: Vec<String> = options.select.iter().map(|path| format!("{:?}", path.steps().len())).collect();
        assert_eq!(shown, ["2", "2", "2", "3", "1"]);
        assert!(animal("$select=name,*").unwrap().select.is_empty());
        assert!(animal("$select=home($top=1)").unwrap_err().message.contains("$select only"));
        assert!(animal("$select=name($select=size)").is_err());
        assert_eq!(animal("$select=name,nmae").unwrap_err().position, Some(5));
    }

    #[test]
    fn every_navigation_property_by_a_star() {
        let options = parse("$expand=*").unwrap();
        assert!(options.expand[0].wildcard);
        let explicit = parse("$expand=*,pets($top=1)").unwrap();
        assert_eq!((explicit.expand.len(), explicit.expand[0].wildcard), (1, false));
        assert!(parse("$expand=pets/$ref").unwrap_err().message.contains("'$ref'"));
        assert!(parse("$expand=pets($levels=2)").unwrap_err().message.contains("'$levels'"));
        assert_eq!(parse("$expand=pets/t.dog($select=breed)").unwrap().expand[0].cast, Some(ty("dog")));
        assert!(parse("compute=age as x").unwrap_err().message.contains("'compute'"));
    }

    #[test]
    fn an_alias_stands_for_its_text() {
        let options = parse("$filter=age%20gt%20@a and @b&@a=1%20add%202&@b=id%20ne%20@c&@c='x'").unwrap();
        let plain = parse("$filter=age gt 1 add 2 and id ne 'x'").unwrap();
        assert_eq!(options.filter, plain.filter);
        assert!(parse("$filter=age gt @a").unwrap_err().message.contains("'@a'"));
        assert!(parse("$filter=@a&@a=@a").unwrap_err().message.contains("deeper"));
        let bomb = "$filter=@a&@a=@b or @b or @b&@b=@c or @c or @c&@c=@d or @d or @d&@d=@e or @e or @e&@e=@f or @f or @f&@f=@g or @g&@g=true or true or true or true or true or true";
        assert!(parse(bomb).unwrap_err().message.contains("tokens"));
    }

    #[test]
    fn an_order_may_be_calculated_and_says_where_it_is_wrong() {
        assert_eq!(parse("$orderby=age mul 2 desc,length(id),pets/$count").unwrap().orderby.len(), 3);
        assert_eq!(parse("$orderby=age,aeg desc").unwrap_err().position, Some(4));
        assert!(parse("$orderby=age sideways").is_err());
    }

    #[test]
    fn format_says_how_much_metadata() {
        let full = "$top=1&%24format=application/json;odata.metadata=full";
        assert!(parse(full).is_ok());
        assert_eq!(requested_metadata(full), Some(Metadata::Full));
        assert_eq!(requested_metadata("format=JSON"), None);
        assert_eq!(requested_metadata("$format=atom"), None);
        assert!(parse("$format=application/jsonx").is_err());
    }
}
