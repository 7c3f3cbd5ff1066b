//! The reference in `docs/api`: written from the tables, with examples from the transcripts, which
//! the tests play. `HOMEROOM_BLESS=1` writes the pages anew.

use crate::openapi::{answer, endpoint_of};
use crate::transcript::{self, Step};
use industry_data::MODEL;
use odata::edm::{OnCreate, OnUpdate, Property, StructuredType, TypeRef};
use server::describe::endpoints::{Endpoint, Served, endpoints};
use server::describe::{ERRORS, permission_text, words};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

const GENERATED: &str = "This page is generated from the tables in the code.";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/api")
}

fn is_current(name: &str, text: &str) {
    let path = folder().join(name);
    if std::env::var_os("HOMEROOM_BLESS").is_some() {
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(there == text, "docs/api/{name} is not what the code says; HOMEROOM_BLESS=1 writes it anew");
}

/// All endpoints with the steps of the transcripts that show them.
struct Reference {
    endpoints: Vec<Endpoint>,
    /// With the id of the endpoint that each asks.
    steps: Vec<(String, Step)>,
}

impl Reference {
    fn new() -> Self {
        let endpoints = endpoints();
        let steps = crate::TRANSCRIPTS.iter().flat_map(|name| transcript::steps(name));
        let steps = steps.filter_map(|step| Some((endpoint_of(&endpoints, &step)?.id.clone(), step))).collect();
        Self { endpoints, steps }
    }

    /// The first step that shows it done, with the caller's full permissions.
    fn example(&self, endpoint: &Endpoint) -> Option<&Step> {
        let shows = |step: &&Step| answer(step).0.starts_with('2') && step.caller.is_none();
        // One that shows nothing else beside it, where there is one.
        let asked = self.steps.iter().filter(|(id, _)| *id == endpoint.id).map(|(_, step)| step);
        asked.filter(shows).min_by_key(|step| step.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("accept")).count())
    }

    fn collections(&self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = Vec::new();
        for endpoint in &self.endpoints {
            if !names.contains(&endpoint.collection) {
                names.push(endpoint.collection);
            }
        }
        names
    }
}

/// What a transcript puts in place of what differs from run to run, as a reader wants to see it.
fn readable(text: &str) -> String {
    text.replace("{base}", "https://homeroom.example")
        .replace("{time}", "2026-09-01T06:00:00Z")
        .replace("{later}", "2026-09-01T20:00:00Z")
        .replace("{minute}", "2026-09-01 06:00 UTC")
}

/// Lines of a long answer that are shown.
const SHOWN_LINES: usize = 60;

fn example(page: &mut String, step: &Step) {
    let _ = writeln!(page, "\n```http\n{} {}", step.method, readable(&step.url));
    for (name, value) in &step.headers {
        let _ = writeln!(page, "{name}: {}", readable(value));
    }
    if !step.body.is_empty() {
        let _ = writeln!(page, "Content-Type: application/json\n\n{}", readable(&step.body));
    }
    let _ = writeln!(page, "```\n\n```http");
    let expected = readable(&step.expected);
    let mut lines = expected.lines();
    let _ = writeln!(page, "HTTP/1.1 {}", lines.next().unwrap_or_default());
    let rest: Vec<_> = lines.collect();
    for line in rest.iter().take(SHOWN_LINES) {
        let _ = writeln!(page, "{line}");
    }
    if rest.len() > SHOWN_LINES {
        let _ = writeln!(page, "…");
    }
    let _ = writeln!(page, "```");
}

fn has_page(name: &str, collections: &[&str]) -> Option<String> {
    let collection = server::graph::collections::COLLECTIONS.iter().find(|c| {
        collections.contains(&c.name)
            && MODEL.find_type(c.element).is_some_and(|element| MODEL.find_type(name).is_some_and(|ty| MODEL.is_subtype(ty, element)))
    });
    collection.map(|c| format!("{}.md", c.name))
}

/// A type's name, linked to where it is described.
fn link(qualified: &str, collections: &[&str]) -> String {
    let short = qualified.rsplit('.').next().unwrap_or(qualified);
    if qualified.starts_with("Edm.") {
        return short.to_owned();
    }
    let page = has_page(qualified, collections).unwrap_or_else(|| "types.md".to_owned());
    format!("[{short}]({page}#{})", short.to_lowercase())
}

fn wrapped(name: String, collection: bool) -> String {
    if collection { format!("list of {name}") } else { name }
}

fn on_create(property: &Property) -> &'static str {
    match property.create {
        OnCreate::Required => "required",
        OnCreate::Optional => "optional",
        OnCreate::Computed => "server",
    }
}

fn on_update(property: &Property, fixed: &[&str]) -> &'static str {
    match property.update {
        OnUpdate::Mutable if fixed.contains(&property.name) => "no",
        OnUpdate::Mutable => "yes",
        OnUpdate::Immutable => "no",
        OnUpdate::Computed => "server",
    }
}

/// One row for each property, inherited ones first.
/// `within` is the collection whose entities these are; complex types have none.
fn properties(page: &mut String, ty: &'static StructuredType, writable: bool, within: &str, collections: &[&str]) {
    let fixed = industry_data::rules::fixed_on_create(within);
    let mut lineage: Vec<_> = MODEL.lineage(ty).collect();
    lineage.reverse();
    let mut rows = String::new();
    for of in &lineage {
        for property in of.properties {
            let mut meaning = words::property(of.name, property.name).to_owned();
            if let Some(most) = property.max_length {
                let _ = write!(meaning, " At most {most} characters.");
            }
            let name = wrapped(link(property.ty.name(), collections), property.collection);
            let null = if property.nullable { "yes" } else { "no" };
            let _ = if writable {
                let (create, update) = (on_create(property), on_update(property, fixed));
                writeln!(rows, "| `{}` | {name} | {null} | {create} | {update} | {} |", property.name, meaning.trim())
            } else {
                writeln!(rows, "| `{}` | {name} | {null} | {} |", property.name, meaning.trim())
            };
        }
    }
    if !rows.is_empty() {
        let head = if writable {
            "| property | type | may be null | on create | changeable | meaning |\n| --- | --- | --- | --- | --- | --- |\n"
        } else {
            "| property | type | may be null | meaning |\n| --- | --- | --- | --- |\n"
        };
        let _ = write!(page, "\n{head}{rows}");
    }
    let mut rows = String::new();
    for of in &lineage {
        for navigation in of.navigations {
            let name = wrapped(link(navigation.target, collections), navigation.collection);
            let how = match (navigation.contained, navigation.collection, navigation.required_on_create) {
                (_, true, _) => "",
                (_, false, true) if fixed.contains(&format!("{}@odata.bind", navigation.name).as_str()) => "required, not changeable",
                (_, false, true) => "required",
                (_, false, false) => "optional",
            };
            let how = if writable { how } else { "" };
            let _ = writeln!(rows, "| `{}` | {name} | {how} | {} |", navigation.name, words::property(of.name, navigation.name));
        }
    }
    if !rows.is_empty() {
        let _ = write!(page, "\n| navigation | leads to | `@odata.bind` | meaning |\n| --- | --- | --- | --- |\n{rows}");
    }
}

fn derives(ty: &StructuredType) -> String {
    ty.base.map_or_else(String::new, |base| format!(" Derives from {}.", base.rsplit('.').next().unwrap_or(base)))
}

fn collection_page(reference: &Reference, name: &'static str) -> String {
    let collections = reference.collections();
    let about = words::collection(name);
    let mut page = format!("# {name}\n\n{} {GENERATED}\n", about.text);
    let own: Vec<&Endpoint> = reference.endpoints.iter().filter(|e| e.collection == name).collect();
    let _ = writeln!(page, "\n## Operations\n\n| operation | request | permissions |\n| --- | --- | --- |");
    for endpoint in &own {
        let versions = if endpoint.served == Served::Both { " (and `/v1.0`)" } else { "" };
        let permissions = permission_text(endpoint);
        let permissions = permissions.trim_start_matches("Needs ").trim_end_matches('.');
        let _ = writeln!(page, "| {} | `{} /beta/{}`{versions} | {permissions} |", endpoint.summary, endpoint.method, endpoint.path);
    }
    if !about.rules.is_empty() {
        let rules: String = about.rules.iter().map(|rule| format!("- {rule}\n")).collect();
        let _ = write!(page, "\n## Rules\n\n{rules}");
    }
    let element = own.iter().find(|e| e.id == format!("{name}_get")).and_then(|e| e.element);
    if let Some(element) = element {
        let _ = writeln!(page, "\n## Types");
        let (writable, within) = (server::describe::is_writable(name), name);
        let all = MODEL.all_types().filter(|ty| MODEL.is_subtype(ty, element));
        let abstract_first: BTreeSet<_> = all.map(|ty| (!std::ptr::eq(ty, element), ty.name)).collect();
        for (_, name) in abstract_first {
            let ty = MODEL.all_types().find(|ty| ty.name == name && MODEL.is_subtype(ty, element)).unwrap();
            let kind = if ty.abstract_ { " Has no values of its own." } else { "" };
            let _ = writeln!(page, "\n### {name}\n\n{}{}{kind}", words::ty(name), derives(ty));
            if ty.abstract_ {
                let concrete: Vec<_> = MODEL.concrete(ty).iter().map(|ty| link(&ty.qualified(), &collections)).collect();
                let _ = writeln!(page, "\nA value is one of {}, and says so by `@odata.type`.", concrete.join(", "));
            } else {
                properties(&mut page, ty, writable, within, &collections);
            }
        }
    }
    let errors: Vec<_> =
        ERRORS.iter().filter(|error| own.iter().any(|e| error.concerns(e))).map(|e| format!("{} `{}`", e.status, e.code)).collect();
    let _ = writeln!(page, "\n## Errors\n\n{}; what each means is said in the [index](README.md#errors).", errors.join(", "));
    let _ = writeln!(page, "\n## Examples\n\nNames in braces stand for ids. Every example is played by a test.");
    for endpoint in own {
        if let Some(step) = reference.example(endpoint) {
            let _ = writeln!(page, "\n### {}", endpoint.summary);
            example(&mut page, step);
        }
    }
    page
}

fn types_page(reference: &Reference) -> String {
    let collections = reference.collections();
    let mut page = format!("# Types inside of others\n\nComplex types and enumerations. {GENERATED}\n");
    let rest = MODEL.all_types().filter(|ty| has_page(&ty.qualified(), &collections).is_none());
    let mut rest: Vec<_> = rest.collect();
    rest.sort_by_key(|ty| ty.name.to_lowercase());
    for ty in rest {
        let kind = if ty.entity { " Entity type." } else { "" };
        let open = if ty.open { " Open: it may have further properties." } else { "" };
        let _ = writeln!(page, "\n## {}\n\n{}{}{kind}{open}", ty.name, words::ty(ty.name), derives(ty));
        if ty.abstract_ {
            let concrete: Vec<_> = MODEL.concrete(ty).iter().map(|ty| link(&ty.qualified(), &collections)).collect();
            let _ = writeln!(page, "\nHas no values of its own: a value is one of {}, and says so by `@odata.type`.", concrete.join(", "));
        }
        properties(&mut page, ty, !ty.entity && is_sent(ty), "", &collections);
    }
    let _ = writeln!(
        page,
        "\n## Enumerations\n\nA value is sent and answered as a word. `unknownFutureValue` stands for words to come and cannot be sent."
    );
    let mut enums: Vec<_> = MODEL.enums.iter().flat_map(|list| list.iter()).collect();
    enums.sort_by_key(|ty| ty.name.to_lowercase());
    for ty in enums {
        let members: Vec<_> = ty.members.iter().map(|(word, value)| format!("`{word}` ({value})")).collect();
        let _ = writeln!(page, "\n### {}\n\n{}\n\n{}", ty.name, words::ty(ty.name), members.join(", "));
    }
    page
}

/// Whether a complex type occurs in what clients send: in a property that is not the server's.
fn is_sent(ty: &'static StructuredType) -> bool {
    let sent_in = |of: &'static StructuredType| {
        of.properties.iter().any(|p| {
            let holds = matches!(p.ty, TypeRef::Complex(name) if MODEL.find_type(name).is_some_and(|held| MODEL.is_subtype(ty, held)));
            holds && p.create != OnCreate::Computed
        })
    };
    MODEL
        .all_types()
        .any(|of| !of.name.contains("Statistics") && !of.name.starts_with("public") && of.name != "inboundActivityResults" && sent_in(of))
}

fn index(reference: &Reference) -> String {
    let mut page = format!(
        "# API reference\n\nHomeroom answers the industryData API of Microsoft Graph beta below `/beta`, and the directory below `/beta` and `/v1.0`. \
         {GENERATED}\n\n\
         The server describes itself, without a token: `/beta/$metadata` and `/v1.0/$metadata` are CSDL (XML, or JSON by `Accept: application/json`), \
         `/beta/` and `/v1.0/` are service documents, `/openapi.json` is OpenAPI 3.1.\n\n\
         | page | |\n| --- | --- |\n"
    );
    for name in reference.collections() {
        let _ = writeln!(page, "| [{name}]({name}.md) | {} |", words::collection(name).text);
    }
    let _ = writeln!(page, "| [types](types.md) | Types inside of others, and enumerations. |");
    page.push_str(
        "\nWho may do what is also in one table: [permissions](../permissions.md).\n\n\
         ## Requests\n\n\
         - `Authorization: Bearer …` with a token of `/{tenant}/oauth2/v2.0/token`.\n\
         - Bodies are `application/json`. Names of properties and URL segments are matched without regard to case. An unknown property is 400 that names it; annotations with `@` are let be.\n\
         - Keys stand as `/years/{id}` or `/years('{id}')`; operations by their names, qualified or not, with or without `()`.\n\
         - `{property}` stands for a property by its name; one of a complex value follows behind another `/`.\n\
         - PATCH changes what is sent: null clears, a complex property is merged, a collection is replaced. What the server sets is ignored, except that another `id` is 400.\n\
         - References are sent as `\"year@odata.bind\": \"external/industryData/years/{id}\"`, absolute or from the version on.\n\
         - Where a declared type has no values of its own, `@odata.type` says which type is meant.\n\
         - `If-Match` with an `ETag` makes a change conditional.\n\n\
         ## Answers\n\n\
         - GET 200; POST 201 with the object and `Location`; PATCH 204, but 200 with the object for a securityGroupProvisioningFlow; DELETE 204; actions 202. `Prefer: return=representation` and `return=minimal` change what POST and PATCH answer.\n\
         - Collections come in pages of 100 (`$top` up to 999, or `Prefer: odata.maxpagesize`); `@odata.nextLink` leads to the next page.\n\
         - Every answer has `request-id` and `client-request-id`; the latter is the caller's own when it was sent.\n\n\
         ## Uploads\n\n\
         Files go to the `sessionUrl` of a `fileUploadSession`, by the protocols of Azure Storage (Blob and Data Lake Gen2) and with Azure's own clients. Microsoft documents those; they are no part of this reference and of `/openapi.json`.\n\n\
         ## Errors\n\n\
         ```json\n{ \"error\": { \"code\": \"BadRequest\", \"message\": \"…\", \"target\": \"displayName\", \"details\": [], \"innerError\": { \"date\": \"…\", \"request-id\": \"…\", \"client-request-id\": \"…\" } } }\n```\n\n\
         [errors](../errors.md) lists them all, with an example of each.\n",
    );
    page
}

#[test]
fn the_reference_is_what_the_tables_say() {
    let reference = Reference::new();
    for name in reference.collections() {
        is_current(&format!("{name}.md"), &collection_page(&reference, name));
    }
    is_current("types.md", &types_page(&reference));
    is_current("README.md", &index(&reference));
}

#[test]
fn no_page_is_left_over() {
    let reference = Reference::new();
    let mut known: BTreeSet<String> = reference.collections().iter().map(|name| format!("{name}.md")).collect();
    known.extend(["types.md", "README.md"].map(str::to_owned));
    let there: BTreeSet<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, known);
}

/// Served as the grammar has it, but a group is a member of no group here.
const NEVER_DONE: &str = "groups_get_memberOf";

/// The kind of an endpoint that is another way to what has an endpoint of its own: by a cast, or to one property.
fn variation(endpoint: &Endpoint) -> Option<String> {
    let varies = endpoint.cast.is_some() || !endpoint.properties.is_empty();
    varies.then(|| format!("{:?}, cast: {}", endpoint.what, endpoint.cast.is_some()))
}

#[test]
fn every_operation_has_an_example_and_every_kind_of_variation() {
    let reference = Reference::new();
    let (shown, without): (Vec<_>, Vec<_>) =
        reference.endpoints.iter().filter(|e| e.id != NEVER_DONE).partition(|e| reference.example(e).is_some());
    let kinds: BTreeSet<_> = shown.iter().filter_map(|e| variation(e)).collect();
    let without: Vec<_> = without
        .into_iter()
        .filter(|e| variation(e).is_none_or(|kind| !kinds.contains(&kind)))
        .map(|e| format!("{} {}", e.method, e.path))
        .collect();
    assert!(without.is_empty(), "no transcript shows these done:\n{}", without.join("\n"));
}

#[test]
fn links_between_pages_lead_somewhere() {
    let pages: Vec<(String, String)> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    for (name, text) in &pages {
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            assert!(folder().join(file).exists(), "{name}: {target}");
            let Some((_, there)) = pages.iter().find(|(page, _)| page == file) else { continue };
            let has = there.lines().any(|l| l.starts_with('#') && l.trim_start_matches('#').trim().to_lowercase() == anchor);
            assert!(anchor.is_empty() || has, "{name}: {target}");
        }
    }
}
