//! A filter says the same wherever it is evaluated: generated filters over every type and operator,
//! answered by the server, against the evaluation of the entities that the server shows. What the
//! store answers by an index is among them: equalities of ids, names and addresses.

use crate::harness::{self, Server};
use crate::query::{group, id, ids, user};
use industry_data::MODEL;
use odata::edm::{EnumType, Primitive, Property, StructuredType, TypeRef};
use odata::filter::{self, Budget};
use odata::limits::Limits;
use reqwest::Url;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Filters for each collection; a failure names its own.
const FILTERS: usize = 120;

/// The same number, the same choices.
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit.max(1) as u64) as usize
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// Something of a type that can stand in a filter, with the values that entities have there.
struct Operand {
    path: String,
    property: &'static Property,
    seen: Vec<Value>,
}

/// Every operand of a type: its properties, those of complex values, and those of derived types by a cast.
fn operands(ty: &'static StructuredType, rows: &[&Value]) -> Vec<Operand> {
    let mut found = Vec::new();
    for of in MODEL.concrete(ty) {
        let cast = if of == ty || MODEL.lineage(ty).any(|base| base == of) { String::new() } else { format!("{}/", of.qualified()) };
        for property in MODEL.properties(of) {
            let declared_above = !cast.is_empty() && MODEL.property(ty, property.name).is_some();
            if !property.write_only && !declared_above {
                collect(&format!("{cast}{}", property.name), &[property.name], property, rows, &mut found);
            }
        }
    }
    found
}

fn collect(path: &str, names: &[&'static str], property: &'static Property, rows: &[&Value], found: &mut Vec<Operand>) {
    if let (TypeRef::Complex(name), false) = (property.ty, property.collection) {
        let declared = MODEL.find_type(name).unwrap();
        for ty in MODEL.concrete(declared).into_iter().filter(|_| names.len() < 3) {
            let cast = if ty == declared { String::new() } else { format!("{}/", ty.qualified()) };
            for inner in MODEL.properties(ty).into_iter().filter(|inner| !inner.write_only) {
                collect(&format!("{path}/{cast}{}", inner.name), &[names, &[inner.name]].concat(), inner, rows, found);
            }
        }
    }
    let at = |row: &&Value| names.iter().fold((*row).clone(), |value, name| value[*name].clone());
    let seen = rows.iter().map(at).flat_map(|value| match value {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        other => vec![other],
    });
    found.push(Operand { path: path.to_owned(), property, seen: seen.collect() });
}

/// Filters over the operands of a type; `used` gathers the words that have been written.
struct Writer<'a> {
    choices: Choices,
    ty: &'static StructuredType,
    operands: &'a [Operand],
    used: BTreeSet<String>,
}

impl<'a> Writer<'a> {
    fn condition(&mut self, depth: usize) -> String {
        if depth > 0 && self.choices.below(3) > 0 {
            let left = self.condition(depth - 1);
            return match self.choices.below(5) {
                0 => self.word("not", format!("not ({left})")),
                1 | 2 => {
                    let right = self.condition(depth - 1);
                    self.word("or", format!("({left}) or ({right})"))
                }
                _ => {
                    let right = self.condition(depth - 1);
                    self.word("and", format!("({left}) and ({right})"))
                }
            };
        }
        if self.choices.below(12) == 0 {
            let types = MODEL.concrete(self.ty);
            let name = types[self.choices.below(types.len())].qualified();
            return self.word("isof", format!("isof({name})"));
        }
        // Most properties of a user are null for everybody; the others tell entities apart.
        let choices = &mut self.choices;
        let rich: Vec<&'a Operand> = self.operands.iter().filter(|operand| choices.below(5) == 0 || operand.seen.len() > 1).collect();
        let operand = rich[self.choices.below(rich.len())];
        match (operand.property.collection, operand.property.ty) {
            (true, ty) => self.of_collection(operand, ty),
            (false, TypeRef::Complex(name)) => {
                let types = MODEL.concrete(MODEL.find_type(name).unwrap());
                let ty = types[self.choices.below(types.len())].qualified();
                match self.choices.below(3) {
                    0 => self.word("isof", format!("isof({},{ty})", operand.path)),
                    1 => self.word("cast", format!("cast({},{ty}) ne null", operand.path)),
                    _ => self.word("null", format!("{} ne null", operand.path)),
                }
            }
            (false, ty) => self.of_value(&operand.path, ty, &operand.seen),
        }
    }

    fn word(&mut self, word: &str, text: String) -> String {
        self.used.insert(word.to_owned());
        text
    }

    fn of_collection(&mut self, operand: &Operand, ty: TypeRef) -> String {
        let path = &operand.path;
        match (self.choices.below(4), ty) {
            (0, _) => self.word("$count", format!("{path}/$count gt 1")),
            (1, _) => self.word("any()", format!("{path}/any()")),
            (_, TypeRef::Complex(name)) => {
                let inner = MODEL.properties(MODEL.find_type(name).unwrap());
                let simple = inner.into_iter().find(|p| !p.collection && !p.write_only && !matches!(p.ty, TypeRef::Complex(_)));
                let Some(property) = simple else { return self.word("any()", format!("{path}/any()")) };
                let seen: Vec<Value> = operand.seen.iter().map(|value| value[property.name].clone()).collect();
                let body = self.of_value(&format!("x/{}", property.name), property.ty, &seen);
                self.lambda(path, &body)
            }
            (_, ty) => {
                let body = self.of_value("x", ty, &operand.seen);
                self.lambda(path, &body)
            }
        }
    }

    fn lambda(&mut self, path: &str, body: &str) -> String {
        let word = self.choices.of(&["any", "all"]);
        self.word(word, format!("{path}/{word}(x:{body})"))
    }

    fn of_value(&mut self, path: &str, ty: TypeRef, seen: &[Value]) -> String {
        if self.choices.below(8) == 0 {
            let op = self.choices.of(&["eq", "ne"]);
            return self.word("null", format!("{path} {op} null"));
        }
        let value = seen.iter().filter(|value| !value.is_null()).nth(self.choices.below(seen.len())).cloned();
        match ty {
            TypeRef::Enum(name) => self.of_enum(path, MODEL.find_enum(name).unwrap(), value.as_ref()),
            TypeRef::Primitive(Primitive::Boolean) => match self.choices.below(3) {
                0 => self.word("boolean", path.to_owned()),
                1 => self.word("cast", format!("cast({path},Edm.String) eq 'true'")),
                _ => self.compared(path, "true", "false"),
            },
            TypeRef::Primitive(Primitive::DateTimeOffset) => {
                let time = value.as_ref().and_then(Value::as_str).unwrap_or("2026-08-01T00:00:00Z").to_owned();
                self.of_time(path, &time)
            }
            TypeRef::Primitive(Primitive::Date) => {
                let date = value.as_ref().and_then(Value::as_str).unwrap_or("2026-08-01").to_owned();
                self.of_date(path, &date)
            }
            TypeRef::Primitive(Primitive::Int32 | Primitive::Int64 | Primitive::Double) => {
                let number = value.as_ref().and_then(Value::as_i64).unwrap_or(1);
                self.of_number(path, number)
            }
            TypeRef::Primitive(_) => {
                let text = value.as_ref().and_then(Value::as_str).unwrap_or("x").to_owned();
                self.of_text(path, &text)
            }
            TypeRef::Complex(_) => self.word("null", format!("{path} ne null")),
        }
    }

    fn compared(&mut self, path: &str, literal: &str, other: &str) -> String {
        match self.choices.below(9) {
            0 => self.word("in", format!("{path} in ({other},{literal})")),
            1 => self.word("eq", format!("{literal} eq {path}")),
            // Equality with a literal is what an index can answer.
            2 | 3 => self.word("eq", format!("{path} eq {literal}")),
            _ => {
                let op = self.choices.of(&["ne", "gt", "ge", "lt", "le"]);
                self.word(op, format!("{path} {op} {literal}"))
            }
        }
    }

    fn of_enum(&mut self, path: &str, ty: &EnumType, value: Option<&Value>) -> String {
        let word = value.and_then(Value::as_str).unwrap_or(ty.members[self.choices.below(ty.members.len())].0).to_owned();
        let other = ty.members[self.choices.below(ty.members.len())].0;
        let qualified = format!("{}.{}'{word}'", ty.namespace, ty.name);
        match self.choices.below(4) {
            0 => self.word("has", format!("{path} has {qualified}")),
            1 => self.word("cast", format!("startswith(cast({path},Edm.String),'{}')", &word[..1])),
            _ => self.compared(path, &qualified, &format!("'{other}'")),
        }
    }

    fn of_text(&mut self, path: &str, text: &str) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let part: String = text.chars().skip(self.choices.below(3)).take(3).collect();
        let (whole, part) = (quoted(text), quoted(&part));
        let function = self.choices.of(&[
            "contains",
            "startswith",
            "endswith",
            "tolower",
            "toupper",
            "trim",
            "concat",
            "length",
            "indexof",
            "substring",
            "compare",
            "compare",
            "compare",
        ]);
        let written = match function {
            "contains" | "startswith" | "endswith" => format!("{function}({path},{part})"),
            "tolower" | "toupper" => format!("{function}({path}) eq {function}({whole})"),
            "trim" => format!("trim(concat(' ',{path})) eq {whole}"),
            "concat" => format!("concat({path},{part}) gt {whole}"),
            "length" => format!("length({path}) gt {}", self.choices.below(20)),
            "indexof" => format!("indexof({path},{part}) ge {}", self.choices.below(3)),
            "substring" => format!("substring({path},1,{}) eq substring({whole},1,2)", self.choices.below(4)),
            _ => return self.compared(path, &whole, "'x'"),
        };
        self.word(function, written)
    }

    fn of_number(&mut self, path: &str, number: i64) -> String {
        let op = self.choices.of(&["add", "sub", "mul", "div", "divby", "mod", "-", "round", "floor", "ceiling", "compare"]);
        let written = match op {
            "compare" => return self.compared(path, &number.to_string(), "-1"),
            "-" => format!("-{path} lt {number}"),
            "round" | "floor" | "ceiling" => format!("{op}({path} divby 4) le {number}"),
            op => format!("{path} {op} 3 ge {number}"),
        };
        self.word(op, written)
    }

    fn of_date(&mut self, path: &str, date: &str) -> String {
        match self.choices.of(&["year", "month", "day", "date", "sub", "compare", "compare"]) {
            "compare" => self.compared(path, date, "2000-01-01"),
            "date" => self.word("date", format!("date({path}) le {date}")),
            "sub" => {
                let days = self.choices.below(3);
                self.word("sub", format!("{path} sub duration'P{days}D' lt {date}"))
            }
            part => self.word(part, format!("{part}({path}) eq {part}({date})")),
        }
    }

    fn of_time(&mut self, path: &str, time: &str) -> String {
        let part = self.choices.of(&[
            "year",
            "hour",
            "minute",
            "second",
            "fractionalseconds",
            "totaloffsetminutes",
            "date",
            "time",
            "add",
            "totalseconds",
            "now",
            "compare",
            "compare",
        ]);
        let written = match part {
            "compare" => return self.compared(path, time, "2000-01-01T00:00:00+02:00"),
            "date" | "time" => format!("{part}({path}) ge {part}({time})"),
            "add" => format!("{path} add duration'PT{}H' gt {time}", self.choices.below(3)),
            "totalseconds" => format!("totalseconds({path} sub {time}) lt {}", self.choices.below(3)),
            // A day and more away: who evaluates it later says the same.
            "now" => format!("{path} lt now() add duration'P{}D'", 1 + self.choices.below(3)),
            part => format!("{part}({path}) eq {part}({time})"),
        };
        self.word(part, written)
    }
}

/// Asks for filters on a collection and evaluates them on what it shows without one.
async fn compare(server: &Server, path: &str, element: &str, seed: u64, used: &mut BTreeSet<String>) {
    let all = server.get(&format!("{path}?$top=999")).await;
    let rows: BTreeMap<String, Value> = all["value"].as_array().unwrap().iter().map(|row| (id(row), row.clone())).collect();
    assert!(rows.len() > 1, "{path} has too little to tell filters apart");
    let ty = MODEL.find_type(element).unwrap();
    let operands = operands(ty, &rows.values().collect::<Vec<_>>());
    let mut writer = Writer { choices: Choices(seed), ty, operands: &operands, used: BTreeSet::new() };
    let mut told_apart = 0;
    for _ in 0..FILTERS {
        let text = writer.condition(2);
        let mut filter = filter::parse(&text, ty, &MODEL, &Limits::DEFAULT).unwrap_or_else(|error| panic!("{text}: {error}"));
        filter.bind_now(jiff::Timestamp::now());
        let holds = |row: &Value| filter::evaluate(&MODEL, &filter, row.as_object().unwrap(), &Budget::new(10_000));
        let wanted: Vec<&String> = rows.iter().filter(|(_, row)| holds(row)).map(|(id, _)| id).collect();
        let url = Url::parse_with_params(&format!("{}{path}", server.base), [("$filter", text.as_str()), ("$top", "999")]).unwrap();
        let found = ids(&server.get(url.as_str()).await);
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{path}: {text}");
        told_apart += usize::from(!wanted.is_empty() && wanted.len() < rows.len());
    }
    assert!(told_apart > FILTERS / 10, "filters that match all or nothing prove little: {told_apart} of {path}");
    used.extend(writer.used);
}

mod thorough {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_filter_says_the_same_in_the_store_and_in_memory() {
        let server = Server::start().await;
        let mut users = Vec::new();
        for number in 0..12 {
            let mail = if number % 3 == 0 { Value::Null } else { json!(format!("User.{number}@Contoso.example")) };
            let name = ["O'Neil", "Ångström", "Same"][number % 3];
            let department = if number % 2 == 0 { json!("North") } else { Value::Null };
            let phones = if number % 4 == 0 { json!(["1", "2"]) } else { json!([]) };
            let extra = json!({
                "mail": mail,
                "displayName": name,
                "department": department,
                "businessPhones": phones,
                "accountEnabled": number % 5 > 0,
            });
            users.push(id(&user(&server, number, &extra).await));
        }
        for name in ["North", "north", "South", "West"] {
            group(&server, name, &users[..1]).await;
        }
        let (_, set, flow) = server.configure(&json!({ "createBasedOnRoleGroup": true })).await;
        server
            .wait_for(
                &format!("/beta/external/industryData/outboundProvisioningFlowSets/{set}/provisioningFlows/{flow}"),
                "/readinessStatus",
                &["ready"],
            )
            .await;
        let units = json!({
            "@odata.type": "#microsoft.graph.industryData.administrativeUnitProvisioningFlow",
            "creationOptions": { "createBasedOnOrg": true, "createBasedOnOrgPlusRoleGroup": false },
        });
        server.create(&format!("outboundProvisioningFlowSets/{set}/provisioningFlows"), &units).await;
        for number in 1..5 {
            let mut system = harness::source_system();
            system["displayName"] = json!(format!("System {number}"));
            system["vendor"] = if number % 2 == 0 { json!("Contoso's") } else { Value::Null };
            server.create("sourceSystems", &system).await;
            let organizations = ["1", "2"].into_iter().take(number).collect::<Vec<_>>();
            let filter = json!({
                "@odata.type": "#microsoft.graph.industryData.basicFilter",
                "attribute": "orgExternalId",
                "in": organizations,
            });
            let filter = if number < 4 { filter } else { Value::Null };
            server.create("outboundProvisioningFlowSets", &json!({ "displayName": format!("Set {number}"), "filter": filter })).await;
            let starts = 2026 + number;
            let year = json!({
                "displayName": starts.to_string(),
                "startDate": format!("{starts}-08-01"),
                "endDate": format!("{}-07-31", starts + 1),
                "year": { "code": (starts + 1).to_string() },
            });
            server.create("years", &year).await;
        }
        let mut used = BTreeSet::new();
        let flows = format!("/beta/external/industryData/outboundProvisioningFlowSets/{set}/provisioningFlows");
        for (seed, (path, element)) in [
            (&*flows, "microsoft.graph.industryData.provisioningFlow"),
            ("/v1.0/users", "microsoft.graph.user"),
            ("/v1.0/groups", "microsoft.graph.group"),
            ("/beta/external/industryData/sourceSystems", "microsoft.graph.industryData.sourceSystemDefinition"),
            ("/beta/external/industryData/years", "microsoft.graph.industryData.yearTimePeriodDefinition"),
            ("/beta/external/industryData/referenceDefinitions", "microsoft.graph.industryData.referenceDefinition"),
            ("/beta/external/industryData/roleGroups", "microsoft.graph.industryData.roleGroup"),
            ("/beta/external/industryData/outboundProvisioningFlowSets", "microsoft.graph.industryData.outboundProvisioningFlowSet"),
        ]
        .into_iter()
        .enumerate()
        {
            compare(&server, path, element, seed as u64, &mut used).await;
        }
        server.stop().await;
        for word in [
            "eq",
            "ne",
            "gt",
            "ge",
            "lt",
            "le",
            "in",
            "has",
            "and",
            "or",
            "not",
            "add",
            "sub",
            "mul",
            "div",
            "divby",
            "mod",
            "-",
            "null",
            "boolean",
            "contains",
            "startswith",
            "endswith",
            "tolower",
            "toupper",
            "trim",
            "concat",
            "length",
            "indexof",
            "substring",
            "year",
            "month",
            "day",
            "hour",
            "minute",
            "second",
            "fractionalseconds",
            "totaloffsetminutes",
            "date",
            "time",
            "totalseconds",
            "now",
            "round",
            "floor",
            "ceiling",
            "isof",
            "cast",
            "any",
            "any()",
            "all",
            "$count",
        ] {
            assert!(used.contains(word), "no filter had {word}");
        }
    }
}
