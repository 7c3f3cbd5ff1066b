//! OASIS' cases for the grammar of URLs (`odata-abnf-testcases.yaml`).
//!
//! Each case whose rule the API serves is run. It has to parse, or to be refused at the file's own
//! position: see [`Place`] for what counts as that. The rest is listed with the reason, so that
//! nothing changes unseen: a case that is in no list must come out as the file says, and one that is
//! must not.

use crate::model::{MODEL, everything, sized};
use odata::edm::StructuredType;
use odata::filter;
use odata::limits::Limits;
use odata::path::parse_path;
use odata::query::{Search, parse_query};
use odata::time;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rules that the API does not serve, with the reason.
const NOT_SERVED: &[(&str, &str)] = &[
    ("header", "OData headers belong to HTTP, which this crate does not know"),
    ("preference", "preferences belong to HTTP, which this crate does not know"),
    ("prefer", "preferences belong to HTTP, which this crate does not know"),
    ("includeAnnotationsPreference", "annotations are not served"),
    ("maxpagesizePreference", "preferences belong to HTTP, which this crate does not know"),
    ("request-id", "belongs to batches, which this crate does not know"),
    ("context", "contexts are written, never read"),
    ("odataUri", "scheme and host belong to HTTP; the rest are cases of odataRelativeUri"),
    ("compute", "$compute is not served"),
    ("deltatoken", "delta queries are not served"),
    ("skiptoken", "$skiptoken is opaque: any text is taken, and checked by who made it"),
    ("customQueryOption", "options of others are kept as they are"),
    ("odataIdentifier", "identifiers are the model's; an unknown one is refused as such"),
    ("entitySetName", "a terminal that each path uses"),
    ("functionParameter", "a part of paths"),
    ("binaryLiteral", "the model has no Edm.Binary"),
    ("geographyPoint", GEO),
    ("geographyCollection", GEO),
    ("geographyLineString", GEO),
    ("geographyMultiLineString", GEO),
    ("geographyMultiPoint", GEO),
    ("geographyMultiPolygon", GEO),
    ("geographyPolygon", GEO),
    ("geometryCollection", GEO),
    ("geometryLineString", GEO),
    ("geometryMultiLineString", GEO),
    ("geometryMultiPoint", GEO),
    ("geometryMultiPolygon", GEO),
    ("geometryPoint", GEO),
    ("geometryPolygon", GEO),
    ("primitiveValue", "values of bodies are JSON"),
    ("booleanValue", "values of bodies are JSON"),
    ("byteValue", "values of bodies are JSON"),
    ("sbyteValue", "values of bodies are JSON"),
    ("int16Value", "values of bodies are JSON"),
    ("int32Value", "values of bodies are JSON"),
    ("int64Value", "values of bodies are JSON"),
    ("decimalValue", "values of bodies are JSON"),
    ("doubleValue", "values of bodies are JSON"),
    ("singleValue", "values of bodies are JSON"),
    ("enumValue", "values of bodies are JSON"),
    ("stringInUrl", "a part of collection literals"),
    ("systemQueryOption", "$schemaversion is not served"),
];
const GEO: &str = "the model has no Edm.Geography and no Edm.Geometry";

struct Case {
    rule: String,
    input: String,
    fail_at: Option<usize>,
}

/// The file, when a folder above this crate has it.
fn file() -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above.map(|folder| folder.join("shared/spec/odata/odata-abnf-testcases.yaml")).find(|path| path.exists())
}

/// Reads the cases line by line: the file has tabs where YAML allows none.
fn cases(text: &str) -> Vec<Case> {
    let (mut found, mut fields, mut last): (Vec<Case>, BTreeMap<String, String>, String) = Default::default();
    let mut finish = |fields: &mut BTreeMap<String, String>| {
        if let (Some(rule), Some(input)) = (fields.remove("Rule"), fields.remove("Input")) {
            let fail_at = fields.remove("FailAt").map(|text| text.parse().unwrap());
            found.push(Case { rule: unquoted(&rule), input: unquoted(&input), fail_at });
        }
        fields.clear();
    };
    for line in text.split_once("\nTestCases:").unwrap().1.lines() {
        if let Some(rest) = line.strip_prefix("  - Name:") {
            finish(&mut fields);
            last = "Name".to_owned();
            fields.insert(last.clone(), rest.trim().to_owned());
        } else if let Some((name, rest)) = line.strip_prefix("    ").filter(|l| !l.starts_with(' ')).and_then(|l| l.split_once(':')) {
            last = name.to_owned();
            fields.insert(last.clone(), rest.trim().to_owned());
        } else if line.starts_with("      ") && last != "Expect" {
            let field = fields.get_mut(&last).unwrap();
            *field = format!("{field} {}", line.trim()).trim().to_owned();
        }
    }
    finish(&mut fields);
    found
}

/// A YAML scalar.
fn unquoted(text: &str) -> String {
    let inner = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    match (inner('"'), inner('\'')) {
        (Some(inner), _) => inner.replace("\\ ", "").replace("\\r", "\r").replace("\\\"", "\""),
        (_, Some(inner)) => inner.replace("''", "'"),
        _ => text.to_owned(),
    }
}

/// Refusal: its byte position in the input, and the message.
type Outcome = Result<(), (Option<usize>, String)>;

/// Where Homeroom refuses what the file refuses too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// At the file's position.
    Same,
    /// The file says which character of a name, number, date or other word is the first wrong one;
    /// Homeroom reads words as a whole and refuses them where they start.
    Word,
    /// The file points at the slash in front of a segment that cannot follow, Homeroom at the segment.
    Slash,
    /// The file points at the end of the input, where a quote was still missing; Homeroom at the
    /// quote that is not closed.
    Unclosed,
}

impl Place {
    fn of(input: &str, theirs: usize, ours: usize) -> Option<Self> {
        let rest = input.get(ours..).unwrap_or_default();
        let word = rest.find(|c: char| "/(),;&=?'\" ".contains(c)).unwrap_or(rest.len());
        match theirs.checked_sub(ours) {
            Some(0) => Some(Self::Same),
            Some(inside) if inside <= word => Some(Self::Word),
            Some(_) if theirs == input.len() && (rest.starts_with(['"', '\'']) || rest.starts_with("%22")) => Some(Self::Unclosed),
            None if theirs + 1 == ours && input[theirs..].starts_with('/') => Some(Self::Slash),
            _ => None,
        }
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// Where a byte of the decoded text stands in the encoded one.
fn encoded_position(raw: &str, decoded: usize) -> usize {
    let mut at = 0;
    for _ in 0..decoded {
        at += if raw[at..].starts_with('%') { 3 } else { 1 };
    }
    at
}

/// The options of a URL; positions count from the start of the input.
fn query(input: &str) -> Outcome {
    let Err(error) = parse_query(input, everything(), &MODEL, &Limits::DEFAULT) else { return Ok(()) };
    let target = error.target.unwrap_or_default();
    let bare = |name: &str| decoded(name).trim_start_matches('$').to_lowercase();
    let mut start = 0;
    for pair in input.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if bare(name) == bare(&target) {
            let value_at = start + pair.len() - value.len();
            let position = error.position.map_or(start, |inside| value_at + encoded_position(value, inside));
            return Err((Some(position), error.message));
        }
        start += pair.len() + 1;
    }
    Err((None, error.message))
}

/// An expression: the file has no types, and uses some names as two.
fn expression(input: &str, front: &str, parse: impl Fn(&str, &'static StructuredType) -> Result<(), odata::Error>) -> Outcome {
    let text = format!("{front}{}", decoded(input));
    let outcomes = [everything(), sized()].map(|ty| parse(&text, ty));
    if outcomes.iter().any(Result::is_ok) {
        return Ok(());
    }
    let [Err(error), _] = outcomes else { return Ok(()) };
    let position = error.position.and_then(|position| position.checked_sub(front.len())).map(|position| encoded_position(input, position));
    Err((position, error.message))
}

/// Runs a case; `None` when its rule is not served.
fn run(case: &Case) -> Option<Outcome> {
    let limits = Limits::DEFAULT;
    let input = case.input.as_str();
    let condition = |front: &str| expression(input, front, |text, ty| filter::parse(text, ty, &MODEL, &limits).map(|_| ()));
    let value = || expression(input, "", |text, ty| filter::parse_value(text, 0, ty, &MODEL, &limits, &[]).map(|_| ()));
    let property = || expression(input, "", |text, ty| filter::resolve(text, ty, &MODEL, &limits).map(|_| ()));
    // A value of a body is taken or refused as a whole.
    let known = |fits: bool| if fits { Ok(()) } else { Err((Some(0), "not of that form".to_owned())) };
    let path = |path: &str| parse_path(&MODEL, path).map(|_| ()).map_err(|error| (error.position, error.message));
    Some(match case.rule.as_str() {
        "filter" | "orderby" | "orderBy" | "select" | "expand" | "search" | "queryOptions" => query(input),
        "searchExpr" => expression(input, "", |text, _| Search::parse(text, 0, &limits).map(|_| ())),
        // The file leaves the variable undeclared.
        "boolCommonExpr" | "firstMemberExpr" if input.starts_with("lambda/") => {
            expression(input, "Items/any(lambda:", |text, ty| filter::parse(&format!("{text})"), ty, &MODEL, &limits).map(|_| ()))
        }
        "boolCommonExpr" | "boolcommonExpr" | "isofExpr" | "notExpr" => condition(""),
        "commonExpr" if input.starts_with("cast(") => {
            expression(input, "", |text, ty| filter::parse(&format!("{text} ne null"), ty, &MODEL, &limits).map(|_| ()))
        }
        // Any expression that is one value, conditions among them, or the name of something.
        "commonExpr" => value().or_else(|refused| property().map_err(|_| refused)),
        "firstMemberExpr" if input.ends_with("/$count") => value(),
        "firstMemberExpr" | "propertyPathExpr" => property(),
        "anyExpr" => condition("Products/"),
        // A literal is tried as what something is compared with.
        "boolean" => condition("Completed eq "),
        "date" | "dateValue" => known(time::date(input).is_some()),
        "dateTimeOffsetValue" => known(time::canonical_date_time(input).is_some()),
        "dateTimeOffsetValueInUrl" | "dateTimeOffsetLiteral" => condition("ReleaseDate eq "),
        "timeOfDayValue" => known(time::time_of_day(input).is_some()),
        "timeOfDayLiteral" => condition("time(ReleaseDate) eq "),
        "durationValue" => known(time::duration(input).is_some()),
        "durationLiteral" => condition("ReleaseDate sub now() eq "),
        "stringLiteral" | "guid" => condition("Name eq "),
        "enumLiteral" => condition("style eq "),
        "null" | "primitiveLiteral" | "decimalLiteral" | "doubleLiteral" | "singleLiteral" | "sbyteLiteral" | "int16Literal"
        | "int32Literal" | "int64Literal" => condition("null eq "),
        "resourcePath" => path(input),
        "odataRelativeUri" => {
            let (front, options) = input.split_once('?').unwrap_or((input, ""));
            let shifted = |(position, message): (Option<usize>, String)| (position.map(|at| at + front.len() + 1), message);
            path(front).and_then(|()| query(options).map_err(shifted))
        }
        _ => return None,
    })
}

#[test]
fn every_case_comes_out_as_the_file_says_or_is_listed() {
    let Some(path) = file() else {
        println!("skipped: no shared/spec/odata/odata-abnf-testcases.yaml here");
        return;
    };
    let mut parsed = 0;
    let mut refused: BTreeMap<Place, usize> = BTreeMap::new();
    let mut by_rule: BTreeMap<String, usize> = BTreeMap::new();
    // By list and reason.
    let mut listed: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut wrong = Vec::new();
    for case in cases(&std::fs::read_to_string(path).unwrap()) {
        let Some(outcome) = run(&case) else {
            if !NOT_SERVED.iter().any(|(rule, _)| *rule == case.rule) {
                wrong.push(format!("{} is neither run nor listed", case.rule));
            }
            *by_rule.entry(case.rule).or_default() += 1;
            continue;
        };
        let input = case.input.as_str();
        let lists = match (case.fail_at, &outcome) {
            (None, Ok(())) => {
                parsed += 1;
                continue;
            }
            (Some(theirs), Err((ours, _))) => {
                if let Some(place) = ours.and_then(|ours| Place::of(input, theirs, ours)) {
                    *refused.entry(place).or_default() += 1;
                    continue;
                }
                &[("not served", CONSTRUCTS), ("elsewhere", ELSEWHERE)][..]
            }
            (None, Err(_)) => &[("not served", CONSTRUCTS), ("refused", REFUSED)][..],
            (Some(_), Ok(())) => &[("lenient", LENIENT)][..],
        };
        let found = lists.iter().find_map(|(list, rows)| rows.iter().find(|(part, _)| input.contains(part)).map(|row| (*list, row)));
        match (found, &outcome) {
            // What is refused is refused at a place.
            (Some(_), Err((None, message))) => wrong.push(format!("{} | {input} | no position: {message}", case.rule)),
            (Some((list, (part, reason))), _) => {
                used.insert(*part);
                *listed.entry((list, *reason)).or_default() += 1;
            }
            (None, _) => wrong.push(format!("{} | {input} | {:?} | {outcome:?}", case.rule, case.fail_at)),
        }
    }
    let total = |wanted: &str| listed.iter().filter(|((list, _), _)| *list == wanted).map(|(_, count)| count).sum::<usize>();
    let rules: usize = by_rule.values().sum();
    println!("{parsed} parse; {} are refused at the file's own place: {refused:?}", refused.values().sum::<usize>());
    println!(
        "{} are refused elsewhere, {} are refused and {} are taken against the file:",
        total("elsewhere"),
        total("refused"),
        total("lenient")
    );
    for ((_, reason), count) in listed.iter().filter(|((list, _), _)| *list != "not served") {
        println!("  {count}: {reason}");
    }
    println!("{} have something in them that is not served:", total("not served"));
    for ((_, reason), count) in listed.iter().filter(|((list, _), _)| *list == "not served") {
        println!("  {count}: {reason}");
    }
    println!("{rules} are of rules that are not served: {by_rule:?}");
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    let rows = || [CONSTRUCTS, ELSEWHERE, REFUSED, LENIENT].into_iter().flatten();
    let idle: Vec<&str> = rows().map(|(part, _)| *part).filter(|part| !used.contains(part)).collect();
    assert!(idle.is_empty(), "listed, and nothing needs it: {idle:?}");
    for (rule, _) in NOT_SERVED {
        assert!(by_rule.contains_key(*rule), "{rule} is listed and the file has no case of it");
    }
}

type Rows = &'static [(&'static str, &'static str)];

/// What the API does not serve inside of rules that it serves, with the reason. It is refused by name.
const CONSTRUCTS: Rows = &[
    // singleNavPropertyExpr, collectionPathExpr: what a filter may look through.
    ("Product/Supplier", ONE_HOP),
    ("Supplier/Products", ONE_HOP),
    ("Products/$filter(", FILTER_SEGMENT),
    ("Addresses/$filter(", FILTER_SEGMENT),
    ("$count($filter=Price", "filterExpr behind /$count in expressions: any and all ask the same"),
    ("Items(1)", "keyPredicate in expressions: a filter asks about the entity, not about others"),
    ("$root", "rootExpr: a filter asks about the entity, not about others"),
    ("$this", "implicitVariableExpr $this: Graph's filters have $it and named variables"),
    ("$filter=endswith($it,", "$it as a primitive value: no collection of primitive values takes $filter"),
    // arrayOrObject, listExpr of other than single values.
    ("[\"", LISTS),
    ("[[", LISTS),
    ("[FirstName", LISTS),
    ("[4,1", LISTS),
    ("{", "objectExpr: complex values are compared property by property"),
    // boundFunctionCall, functionImportCall, actionImportCall.
    ("ProductsBy", IMPORTS),
    ("TheBestProduct", IMPORTS),
    ("TheMostPopular", IMPORTS),
    ("Activation", IMPORTS),
    ("MostPopular", FUNCTIONS),
    ("AllOrders()/$count", FUNCTIONS),
    ("Model.Available", FUNCTIONS),
    ("BestProduct()", FUNCTIONS),
    ("PhoneticallySimilar", FUNCTIONS),
    ("geo.", GEO),
    ("GeographyPoint", GEO),
    ("matchesPattern", "matchesPatternMethodCallExpr: the cost of a regular expression has no bound"),
    // Segments of resourcePath.
    ("$entity", "entityCast and $entity: entities are addressed by their URL"),
    ("$crossjoin", "crossjoin"),
    ("$all", "$all"),
    ("$query", "queryOptions in the body of POST /$query: URLs may have 16 KiB"),
    ("$metadata#", "context: a fragment never reaches a server"),
    ("$ref?$id=", "a reference is removed by its own URL, not by $id"),
    ("(1)/$value", "$value of media entities: the model has none"),
    ("Thumbnail", "streamProperty: the model has no Edm.Stream"),
    ("/2001/1", "compoundKey: all keys have one part"),
    ("(1)/Addresses/", ELEMENTS),
    ("EmailAddresses/1", ELEMENTS),
    ("MainSupplier/Addresses/0", ELEMENTS),
    ("Address/Country", CONTAINED),
    ("Addresses/Country", CONTAINED),
    ("Address/Products", CONTAINED),
    ("=Address/*", CONTAINED),
    ("Address/AddressWithLocation", UNQUALIFIED),
    ("=AddressWithLocation/", UNQUALIFIED),
    ("BestSellingProduct/Sales", UNQUALIFIED),
    ("Products/BestSellingProduct", UNQUALIFIED),
    ("(Customer)", UNQUALIFIED),
    (",Customer)", UNQUALIFIED),
    // Options.
    ("$expand=@", ANNOTATIONS),
    ("$select=@", ANNOTATIONS),
    ("/@", ANNOTATIONS),
    ("=@Core", ANNOTATIONS),
    ("=@Messages", ANNOTATIONS),
    (";@c=15", "parameterAlias inside $expand and $select"),
    ("xpand=Items/$count", "$count in place of an expansion; $count=true inside of it gives it"),
    ("/$ref", "ref in $expand; …/$ref is a URL of its own"),
    ("levels=", "levels: no type of the model expands into itself"),
    ("index=", "index: no collection is ordered by hand"),
    ("compute=", "compute"),
    ("$format=", "formats other than JSON, and a second $format"),
    ("Solid,Yellow", FLAGS),
    ("Solid%2CYellow", FLAGS),
    ("'Yellow,32'", FLAGS),
];
const ONE_HOP: &str = "a second navigation property in a path of a filter: what it costs multiplies";
const FILTER_SEGMENT: &str = "filterInPath: $filter, any and all do it";
const LISTS: &str = "listExpr and arrayOrObject, but a list of single values after in";
const IMPORTS: &str = "functionImportCall and actionImportCall: the model has neither";
const FUNCTIONS: &str = "functions of the model in expressions, in $select and before other segments: they end a URL";
const ELEMENTS: &str = "elements, casts and counts of elements of collections of complex values";
const CONTAINED: &str = "navigation properties of complex values: they stand inline in answers";
const UNQUALIFIED: &str = "unqualified type names: the model has no default namespace";
const ANNOTATIONS: &str = "annotations in queries: no entity has any to ask for";
const FLAGS: &str = "several enumMembers: the model has no enumeration of flags";

/// What is refused as the file says, at another place.
const ELSEWHERE: Rows = &[("Products/all()", "the file's grammar takes all() for a function of the model first, and wants more behind it")];

/// What is refused though the rule is served, with the reason.
const REFUSED: Rows = &[
    ("-10000-", "years go from -9999 to 9999, as in every calendar that clients have"),
    ("totalseconds(LifeTime)", "types: the model has no Edm.Duration, so no property can stand here"),
    ("cast(Category,Edm.Boolean)", "types: an entity is no boolean, and the cast would always be null"),
    ("$select=Model.AddressWithLocation/Location", "types: a cast has to be derived from what it casts"),
    ("a%3Bb", "an escaped semicolon ends an option inside $expand: clients escape all of them"),
];

/// Cases that parse though the file says that they must not, with the reason.
const LENIENT: Rows = &[
    ("Categories(ID=wrong)", "all keys are texts, and clients leave the quotes out"),
    ("OrderItems(OrderID=1;ItemID='a')", "all keys are texts; nothing has this one"),
    ("Categories/TheBestProduct()", "what follows a collection is a key, and a key may have parentheses"),
    ("Products(1)/Model.BestSellingProduct/Model.BestSellingProduct", "a cast to what something is changes nothing"),
    ("$filter= true", "blanks around an expression do no harm"),
    ("$search=#1", "a URL with # never reaches a server"),
    ("$search=more&more", "an option of somebody else follows"),
    ("$search=a;b", "words may hold what no operator needs"),
    ("FirstName in (FirstName,LastName)", "a list may hold properties"),
];
