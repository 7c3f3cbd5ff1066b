use super::*;
use crate::limits::Limits;
use crate::testing::{MODEL, ty};
use proptest::prelude::*;
use serde_json::{Value, json};

fn holds(filter: &str, document: &Value) -> bool {
    let expr = parse(filter, ty("animal"), &MODEL, &Limits::DEFAULT).unwrap_or_else(|error| panic!("{filter}: {error}"));
    evaluate(&MODEL, &expr, document.as_object().unwrap(), &Budget::new(1_000))
}

fn refused(filter: &str) -> String {
    parse(filter, ty("animal"), &MODEL, &Limits::DEFAULT).unwrap_err().message
}

fn rex() -> Value {
    json!({"@odata.type": "#t.cat", "id": "1", "name": "O'Brien", "mood": "happy", "home": {"size": 3}, "tags": ["red", "blue"], "lives": 9})
}

#[test]
fn filters_that_hold() {
    for filter in [
        "name eq 'O''Brien'",
        "NAME ne 'x' and not (mood eq 'sad')",
        "mood eq 'HAPPY'",
        "mood eq t.mood'happy'",
        "mood in ('sad','happy')",
        "home/size gt 2 and home/size le 3",
        "home/colour eq null",
        "home/size add 1 mul 2 eq 5",
        "-home/size lt -2",
        "startswith(name,'O') and endswith(name,'n') and contains(tolower(name),'brien')",
        "length(name) eq 7",
        "tags/any(t:t eq 'red') and tags/all(x:length(x) gt 2)",
        "tags/any()",
        "tags/$count eq 2",
        "t.cat/lives eq 9",
        "indexof(name,'B') eq 2 and substring(name,2) eq 'Brien'",
        "7 div 2 eq 3 and 7 mod 2 eq 1",
    ] {
        assert!(holds(filter, &rex()), "{filter}");
    }
}

#[test]
fn more_filters_that_hold() {
    for filter in [
        "mood has t.mood'happy' and not (mood has 'sad')",
        "mood lt t.mood'sad' and mood eq t.mood'0'",
        "cast(mood,Edm.String) eq 'happy' and cast('sad',t.mood) gt mood",
        "name in [\"O'Brien\",\"x\"] and not (name in ())",
        "$it/name eq name and isof(t.cat) and isof($it,t.animal) and not isof(t.dog)",
        "cast(t.cat) ne null and cast(t.dog) eq null",
        "home ne null and home/home eq null and owner eq null",
        "isof(name,Edm.String) and not isof(home/size,Edm.String) and isof(home,'t.house')",
        "cast(home/size,Edm.String) eq '3' and cast('7',Edm.Int32) eq 7 and cast('x',Edm.Int32) eq null",
        "7 divby 2 eq 3.5 and 7.0 div 2 eq 3.5 and 1 div 0 eq null and 1e308 mul 10 eq null",
        "9223372036854775807 gt 9223372036854775806 and 9223372036854775807 add 1 eq null",
        "9007199254740993 gt 9007199254740992.0 and 3 eq 3.0 and 1 lt INF and NaN ne NaN",
        "tags/any(t:t eq $it/name or tags/any(u:u ne t))",
        "tags/all(t:not (t eq 'x')) and not tags/any(t:t eq name)",
        "round(2.5) eq 3 and floor(-0.5) eq -1 and ceiling(1.2) eq 2",
        "2026-08-01T10:00:00+02:00 eq 2026-08-01T08:00:00Z and 2026-08-01T10:00:00 02:00 eq 2026-08-01T08:00:00Z",
        "2026-08-02 sub 2026-08-01 eq duration'P1D' and 2026-08-01 add duration'P1D' eq 2026-08-02",
        "totalseconds(duration'PT1M1.5S' mul 2) eq 123 and -duration'PT1S' lt duration'PT0S'",
        "time(2026-08-01T10:20:30.5Z) eq 10:20:30.5 and fractionalseconds(10:20:30.5) eq 0.5 and hour(10:20) eq 10",
        "mindatetime() lt 2026-08-01 and maxdatetime() gt 2026-08-01 and date(2026-08-01T23:00:00-02:00) eq 2026-08-02",
        "datetime'2026-08-01T00:00:00' eq 2026-08-01",
        "length(null) eq null and (null eq null) and not (null ne null) and concat('a',null) eq null",
    ] {
        assert!(holds(filter, &rex()), "{filter}");
    }
    // What is unknown is neither, and stays so under not.
    for filter in ["contains(home/colour,'x')", "not contains(home/colour,'x')", "contains(home/colour,'x') and true"] {
        assert!(!holds(filter, &rex()), "{filter}");
    }
    assert!(holds("contains(home/colour,'x') or true", &rex()));
}

#[test]
fn now_is_the_callers() {
    let mut filter = parse("now() eq 2026-08-01T00:00:00Z", ty("animal"), &MODEL, &Limits::DEFAULT).unwrap();
    assert!(!evaluate(&MODEL, &filter, rex().as_object().unwrap(), &Budget::new(1_000)));
    filter.bind_now("2026-08-01T00:00:00Z".parse().unwrap());
    assert!(evaluate(&MODEL, &filter, rex().as_object().unwrap(), &Budget::new(1_000)));
}

#[test]
fn navigation_is_looked_through_and_named() {
    let filter =
        parse("pets/any(p:p/t.cat/lives gt 1) and pets/t.cat/$count eq 1 and pets/$count eq 2", ty("person"), &MODEL, &Limits::DEFAULT);
    let filter = filter.unwrap();
    assert_eq!(filter.navigations().iter().map(|nav| nav.name).collect::<Vec<_>>(), ["pets"]);
    let document = json!({"id": "1", "pets": [rex(), {"@odata.type": "#t.dog", "breed": "collie"}]});
    assert!(evaluate(&MODEL, &filter, document.as_object().unwrap(), &Budget::new(1_000)));
    assert!(refused("owner/pets/any()").contains("more than one navigation"));
}

#[test]
fn null_is_neither_less_nor_more() {
    for filter in ["home/colour eq 'red'", "home/colour lt 'red'", "not (home/colour ne null)  and name eq 'x'", "t.dog/breed eq 'collie'"]
    {
        assert!(!holds(filter, &rex()), "{filter}");
    }
    assert!(holds("home/colour ne 'red'", &rex()));
}

#[test]
fn times_compare_as_times() {
    let document = json!({"id": "1", "born": "2023-03-12T11:10:46.924769Z"}).as_object().unwrap().clone();
    let test =
        |filter: &str| evaluate(&MODEL, &parse(filter, ty("person"), &MODEL, &Limits::DEFAULT).unwrap(), &document, &Budget::new(1_000));
    assert!(test("born eq 2023-03-12T16:40:46.924769+05:30"));
    assert!(test("born gt 2023-03-12 and year(born) eq 2023 and date(born) eq 2023-03-12"));
    assert!(parse("born gt '2023-03-12'", ty("person"), &MODEL, &Limits::DEFAULT).unwrap_err().message.contains("without quotes"));
}

#[test]
fn mistakes_say_where_and_what() {
    assert!(refused("nmae eq 'x'").contains("Did you mean 'name'?"));
    assert!(refused("name eq").contains("position 7"));
    assert!(refused("name eq 'x").contains("closing quote"));
    assert!(refused("mood eq 'angry'").contains("happy, sad"));
    assert!(refused("breed eq 'x'").contains("t.dog/breed"));
    assert!(refused("secret eq 'x'").contains("never answered"));
    assert!(refused("name eq 3").contains("single quotes"));
    assert!(refused("name").contains("condition"));
    assert!(refused("tags eq 'x'").contains("any("));
    assert!(refused("name eq 'x' extra").contains("should end"));
}

#[test]
fn deep_nesting_is_refused_quickly() {
    let deep = format!("{}name eq 'x'{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(refused(&deep).contains("more than"));
    let within_tokens = format!("{}name eq 'x'{}", "(".repeat(500), ")".repeat(500));
    assert!(refused(&within_tokens).contains("nested deeper"));
    assert!(refused(&format!("{}true", "not ".repeat(500))).contains("nested deeper"));
}

#[test]
fn sort_keys_survive_the_link() {
    let keys = crate::query::parse_query(
        "$orderby=home/size,name desc,mood,7.5,2026-01-01,11:00,now(),duration'P1D'",
        ty("animal"),
        &MODEL,
        &Limits::DEFAULT,
    )
    .unwrap()
    .orderby;
    let source = rex();
    let found = sort_keys(&MODEL, &keys, source.as_object().unwrap(), &Budget::new(1_000));
    let back: Vec<SortKey> = found.iter().map(|key| SortKey::from_json(&key.to_json()).unwrap()).collect();
    assert_eq!(compare_keys(&keys, &found, &back), std::cmp::Ordering::Equal);
    let empty = sort_keys(&MODEL, &keys, json!({"name": "Z"}).as_object().unwrap(), &Budget::new(1_000));
    assert_eq!(compare_keys(&keys, &empty, &found), std::cmp::Ordering::Less);
}

proptest! {
    #[test]
    fn the_parser_never_panics(text in "\\PC{0,80}") {
        let _ = parse(&text, ty("animal"), &MODEL, &Limits::DEFAULT);
    }

    #[test]
    fn the_parser_never_panics_on_near_filters(words in proptest::collection::vec(prop_oneof![
        Just("name"), Just("eq"), Just("and"), Just("not"), Just("("), Just(")"), Just("'x'"), Just("3"), Just("tags/any(t:"), Just("in"), Just(","), Just("null"), Just("-")
    ], 0..30)) {
        let _ = parse(&words.join(" "), ty("animal"), &MODEL, &Limits::DEFAULT);
    }

    #[test]
    fn and_or_not_follow_de_morgan(a in 0..5_i32, b in 0..5_i32, size in 0..5_i32) {
        let document = json!({"id": "1", "home": {"size": size}});
        let left = format!("not (home/size gt {a} and home/size lt {b})");
        let right = format!("home/size le {a} or home/size ge {b}");
        prop_assert_eq!(holds(&left, &document), holds(&right, &document));
    }

    #[test]
    fn any_text_survives_quoting(text in "[^\\p{C}]{0,20}") {
        let document = json!({"id": "1", "name": text});
        let filter = format!("name eq '{}'", text.replace('\'', "''"));
        prop_assert!(holds(&filter, &document));
    }
}

#[test]
fn a_filter_that_asks_for_too_much_comes_to_an_end() {
    let phones: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let document = json!({ "tags": phones });
    let nested = |depth: usize| {
        let open: String = (0..depth).map(|n| format!("tags/any(p{n}:")).collect();
        format!("{open}p0 eq 'nobody'{}", ")".repeat(depth))
    };
    let filter = parse(&nested(1), ty("animal"), &MODEL, &Limits::DEFAULT).unwrap();
    let budget = Budget::new(100_000);
    assert!(!evaluate(&MODEL, &filter, document.as_object().unwrap(), &budget) && !budget.is_exhausted());
    let filter = parse(&nested(12), ty("animal"), &MODEL, &Limits::DEFAULT).unwrap();
    let budget = Budget::new(100_000);
    assert!(!evaluate(&MODEL, &filter, document.as_object().unwrap(), &budget) && budget.is_exhausted());
}
