//! OASIS' cases for the grammar of URLs (`odata-abnf-testcases.yaml`).
//!
//! Each case whose rule the API serves is run. What comes out otherwise than the file says is listed
//! here by name with the reason, so that nothing changes unseen: a case that is not in a list must
//! come out as the file says, and one that is must not.

use crate::model::{MODEL, everything};
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

/// Refusal: its byte position, when it has one.
type Outcome = Result<(), (Option<usize>, String)>;

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// Runs a case; `None` when its rule is not served.
fn run(case: &Case) -> Option<Outcome> {
    let limits = Limits::DEFAULT;
    let query = |text: &str| parse_query(text, everything(), &MODEL, &limits).map(|_| ());
    let input = case.input.as_str();
    let plain = decoded(input);
    let known = |fits: bool| if fits { Ok(()) } else { Err(odata::Error::bad("not of that form")) };
    // A literal is tried as what something is compared with.
    let literal = |front: &str| filter::parse(&format!("{front}{plain}"), everything(), &MODEL, &limits).map(|_| ());
    let outcome = match case.rule.as_str() {
        "filter" | "orderby" | "orderBy" | "select" | "expand" | "search" | "queryOptions" => query(input),
        "searchExpr" => Search::parse(&plain, &limits).map(|_| ()),
        "boolCommonExpr" | "boolcommonExpr" | "isofExpr" | "notExpr" => filter::parse(&plain, everything(), &MODEL, &limits).map(|_| ()),
        "commonExpr" if plain.starts_with("cast(") => filter::parse(&format!("{plain} ne null"), everything(), &MODEL, &limits).map(|_| ()),
        // Any expression that is one value; conditions among them.
        "commonExpr" => filter::parse_value(&plain, 0, everything(), &MODEL, &limits, &[]).map(|_| ()),
        "firstMemberExpr" if plain.ends_with("/$count") => filter::parse_value(&plain, 0, everything(), &MODEL, &limits, &[]).map(|_| ()),
        "firstMemberExpr" | "propertyPathExpr" => filter::resolve(&plain, everything(), &MODEL, &limits).map(|_| ()),
        "anyExpr" => filter::parse(&format!("Products/{plain}"), everything(), &MODEL, &limits).map(|_| ()),
        "boolean" => literal("Size eq "),
        "date" | "dateValue" => known(time::date(input).is_some()),
        "dateTimeOffsetValue" => known(time::canonical_date_time(input).is_some()),
        "dateTimeOffsetValueInUrl" | "dateTimeOffsetLiteral" => literal("ReleaseDate eq "),
        "timeOfDayValue" => known(time::time_of_day(input).is_some()),
        "timeOfDayLiteral" => literal("time(ReleaseDate) eq "),
        "durationValue" => known(time::duration(input).is_some()),
        "durationLiteral" => literal("ReleaseDate sub now() eq "),
        "stringLiteral" | "guid" => literal("Name eq "),
        "enumLiteral" => literal("style eq "),
        "null" | "primitiveLiteral" | "decimalLiteral" | "doubleLiteral" | "singleLiteral" | "sbyteLiteral" | "int16Literal"
        | "int32Literal" | "int64Literal" => literal("null eq "),
        "resourcePath" => parse_path(&MODEL, input).map(|_| ()),
        "odataRelativeUri" => {
            let (path, options) = input.split_once('?').unwrap_or((input, ""));
            parse_path(&MODEL, path).map(|_| ()).and_then(|()| query(options))
        }
        _ => return None,
    };
    Some(outcome.map_err(|error| (error.position, error.message)))
}

#[test]
fn every_case_comes_out_as_the_file_says_or_is_listed() {
    let Some(path) = file() else {
        println!("skipped: no shared/spec/odata/odata-abnf-testcases.yaml here");
        return;
    };
    let (mut parsed, mut refused, mut placed) = (0, 0, 0);
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    let mut listed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut wrong = Vec::new();
    for case in cases(&std::fs::read_to_string(path).unwrap()) {
        let Some(outcome) = run(&case) else {
            if !NOT_SERVED.iter().any(|(rule, _)| *rule == case.rule) {
                wrong.push(format!("{} is neither run nor listed", case.rule));
            }
            *left.entry(case.rule).or_default() += 1;
            continue;
        };
        let reason = match outcome {
            Ok(()) => LENIENT.iter().find(|(input, _)| *input == case.input),
            Err(_) => DIFFERENT.iter().find(|(part, _)| case.input.contains(part)),
        };
        match (reason, outcome.is_ok() == case.fail_at.is_none()) {
            (_, true) => match (case.fail_at, outcome) {
                (Some(place), Err((position, _))) => {
                    refused += 1;
                    // The file counts from the start of the input, Homeroom from the start of the option.
                    let front = if case.input.starts_with('$') { case.input.find('=').map_or(0, |at| at + 1) } else { 0 };
                    placed += usize::from(position.is_some_and(|position| position + front == place));
                }
                _ => parsed += 1,
            },
            (Some((part, reason)), false) => {
                used.insert(*part);
                *listed.entry(*reason).or_default() += 1;
            }
            (None, false) => wrong.push(match outcome {
                Ok(()) => format!("{} | {} | parsed, should fail at {}", case.rule, case.input, case.fail_at.unwrap_or_default()),
                Err((position, message)) => format!("{} | {} | {position:?} {message}", case.rule, case.input),
            }),
        }
    }
    let unserved: usize = left.values().sum();
    println!(
        "{parsed} cases parse, {refused} are refused ({placed} at the file's own position), {} differ:",
        listed.values().sum::<usize>()
    );
    for (reason, count) in &listed {
        println!("  {count}: {reason}");
    }
    println!("{unserved} belong to rules that are not served: {left:?}");
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    let idle: Vec<&str> = DIFFERENT.iter().chain(LENIENT).map(|(part, _)| *part).filter(|part| !used.contains(part)).collect();
    assert!(idle.is_empty(), "listed, and nothing needs it: {idle:?}");
    for (rule, _) in NOT_SERVED {
        assert!(left.contains_key(*rule), "{rule} is listed and the file has no case of it");
    }
}

/// What a case has in it that comes out otherwise than the file says, with the reason. What is here
/// as [`LENIENT`] parses though the file says that it must not; the rest is refused.
const DIFFERENT: &[(&str, &str)] = &[
    // Literals.
    ("-10000-", "years have four digits"),
    ("'P6DT23H59M59.9999S'", "a duration is written with its prefix"),
    ("'Solid,Yellow", FLAGS),
    ("'Solid%2CYellow", FLAGS),
    ("'Yellow,32'", FLAGS),
    ("[\"", LISTS),
    ("[[", LISTS),
    ("[FirstName", LISTS),
    ("[4,1", LISTS),
    ("{", "JSON objects stand in bodies, not in expressions"),
    // Paths.
    ("ProductsBy", IMPORTS),
    ("TheBestProduct", IMPORTS),
    ("TheMostPopular", IMPORTS),
    ("ProductsOrderedBy", IMPORTS),
    ("Activation", IMPORTS),
    ("$entity", "entities are addressed by their URL, not by $entity"),
    ("$crossjoin", "no $crossjoin"),
    ("$all", "no $all"),
    ("$query", "options stand in the URL; there is no /$query"),
    ("$root", "no $root"),
    ("$this", "no $this"),
    ("$each", "no operations on members of a collection"),
    ("$filter(", "no /$filter in paths; any, all and $filter do it"),
    ("$count($filter", "no options behind /$count in expressions"),
    ("$metadata#", "a fragment never reaches a server"),
    ("$ref?$id=", "references are removed by their own URL"),
    ("(1)/$value", "no media entities"),
    ("Thumbnail", "no streams"),
    ("/2001/1", "keys have one part"),
    ("MostPopular", FUNCTIONS),
    ("AllOrders()/$count", FUNCTIONS),
    ("Model.Available", FUNCTIONS),
    ("BestProduct()", FUNCTIONS),
    ("PhoneticallySimilar", FUNCTIONS),
    ("geo.", "the model has no Edm.Geography and no Edm.Geometry"),
    ("GeographyPoint", "the model has no Edm.Geography and no Edm.Geometry"),
    ("matchesPattern", "no regular expressions: their cost has no bound"),
    ("Sizes/$count", "no /$count of properties that are collections"),
    ("(1)/Addresses/", "no access to elements of properties that are collections"),
    ("EmailAddresses/1", "no access to elements of properties that are collections"),
    ("MainSupplier/Addresses/0", "no access to elements of properties that are collections"),
    ("(1)/Address/", "no casts and navigation properties behind complex values in the path of a URL"),
    ("Address/AddressWithLocation", UNQUALIFIED),
    ("=AddressWithLocation/", UNQUALIFIED),
    ("BestSellingProduct/Sales", UNQUALIFIED),
    ("Products/BestSellingProduct", UNQUALIFIED),
    ("(Customer)", UNQUALIFIED),
    (",Customer)", UNQUALIFIED),
    ("PreferredSupplier", "OASIS' cases use names of other namespaces here"),
    ("Namespace.", "OASIS' cases use names of other namespaces here"),
    ("Model.AddressWithLocation/Location", "a cast has to be derived from what it casts"),
    // Navigation.
    ("Supplier/", "a filter looks through one navigation property of the entity itself"),
    ("Product/", "a filter looks through one navigation property of the entity itself"),
    ("lambda/", "a variable of a lambda that OASIS' cases leave undeclared"),
    ("Items(1)", "no keys in paths of expressions"),
    ("@", "annotations and aliases inside $expand are not served"),
    // Options.
    ("$expand=Items/$count", "no $count in place of an expansion; $count=true inside gives it"),
    ("expand=Items/$count", "no $count in place of an expansion; $count=true inside gives it"),
    ("/$ref", "no references in $expand"),
    ("levels=", "no $levels: expansions are named"),
    ("expand=Address", "no navigation properties of complex values in $expand"),
    ("a%3Bb", "an escaped semicolon inside $expand ends the option; a phrase in quotes holds it"),
    ("$format=", "one $format, and JSON is all there is"),
    ("index=", "no $index: no collection is ordered by hand"),
    ("Size eq 4.0", "OASIS' cases use Size as two types"),
    ("totalseconds(LifeTime)", "OASIS' cases use LifeTime as two types"),
    ("endswith($it", "no collection of primitive values has a URL that takes $filter"),
    ("Items", "a collection is no value; any, all and /$count look at it"),
    ("cast(Category,Edm.Boolean)", "an entity is no boolean"),
];
const FLAGS: &str = "the model has no enumeration of flags";
const LISTS: &str = "collection literals stand after in only, with single values in them";
const IMPORTS: &str = "the API has no function or action imports";
const FUNCTIONS: &str = "functions of the model stand at the end of a URL, not in expressions or before other segments";
const UNQUALIFIED: &str = "type names are qualified";

/// Cases that parse though the file says that they must not, with the reason.
const LENIENT: &[(&str, &str)] = &[
    ("Categories(ID=wrong)", "all keys are texts, and clients leave the quotes out"),
    ("OrderItems(OrderID=1;ItemID='a')", "all keys are texts; nothing has this one"),
    ("Categories/TheBestProduct()", "what follows a collection is a key, and a key may have parentheses"),
    ("Products(1)/Model.BestSellingProduct/Model.BestSellingProduct", "a cast to what something is changes nothing"),
    ("$filter= true", "blanks around an expression do no harm"),
    ("$search=#1", "a URL with # never reaches a server"),
    ("$search=more&more", "an option of somebody else follows"),
    ("$search=a;b", "words may hold what no operator needs"),
    ("\"blue%22green", "what is left of a word after a quotation mark is another word"),
    ("FirstName in (FirstName,LastName)", "a list may hold properties"),
];
