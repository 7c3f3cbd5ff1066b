//! What reading and answering queries costs: `cargo bench -p industry-data --bench expressions`
//!
//! CPU time of one execution each, as time and as a multiple of a baseline on the same data: for
//! parsing, of serde_json reading the same text as a JSON string; for lists, of serde_json writing the
//! same 1,000 entities.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that cannot go on fails; printing is its work")]

use industry_data::MODEL;
use odata::edm::StructuredType;
use odata::encode::{EncodeOptions, Metadata, encode};
use odata::filter::{Budget, compare_keys, evaluate, parse, sort_keys};
use odata::limits::Limits;
use odata::path::parse_path;
use odata::query::parse_query;
use serde_json::{Map, Value, json};
use std::hint::black_box;

fn main() {
    let ty = |name: &str| MODEL.find_type(&format!("microsoft.graph.industryData.{name}")).unwrap();
    let flow = ty("inboundFlow");
    let long = vec!["startswith(displayName,'North') eq true"; 300].join(" or ");
    let product = format!("1{} in (1{})", " add 1".repeat(480), ",1".repeat(480));
    for (title, ty, text) in [
        ("filter: one comparison", flow, "displayName eq 'North'"),
        (
            "filter: typical",
            flow,
            "microsoft.graph.industryData.inboundFileFlow/dataDomain eq 'educationRostering' and effectiveDateTime ge 2026-08-01T00:00:00+02:00 and contains(tolower(displayName),'north')",
        ),
        (
            "filter: lambda",
            ty("outboundProvisioningFlowSet"),
            "provisioningFlows/any(f:isof(f,microsoft.graph.industryData.securityGroupProvisioningFlow) and f/readinessStatus in ('ready','failed'))",
        ),
        ("filter: 300 conditions", flow, &long),
        ("filter: a sum of 480 among 480", flow, &product),
        ("filter: a misspelt type", flow, "isof(microsoft.graph.industryData.inboundFlieFlow)"),
    ] {
        let baseline = reading(text);
        report(title, &baseline, measure(|| parse(black_box(text), ty, &MODEL, &Limits::DEFAULT).is_ok()));
    }
    let query = "$filter=displayName%20ne%20'x'&$select=id,displayName&$expand=dataConnector($select=displayName),year&$orderby=displayName%20desc&$top=50&$count=true";
    report("query: six options", &reading(query), measure(|| parse_query(black_box(query), flow, &MODEL, &Limits::DEFAULT).is_ok()));
    let path = "external/industryData/outboundProvisioningFlowSets('a')/provisioningFlows/b/microsoft.graph.industryData.reset";
    report("path: six segments", &reading(path), measure(|| parse_path(&MODEL, black_box(path)).is_ok()));
    lists(flow);
}

/// What is done with 1,000 entities to answer a page of them.
fn lists(ty: &'static StructuredType) {
    let entities: Vec<Map<String, Value>> = (0..1_000).map(entity).collect();
    let baseline =
        ("writing 1,000 entities as JSON", measure(|| entities.iter().map(|e| serde_json::to_string(e).unwrap().len()).sum::<usize>()));
    println!("{}: {}", baseline.0, shown(baseline.1));
    let options = parse_query(
        "$filter=contains(displayName,'1') and effectiveDateTime ge 2026-08-01T00:00:00Z&$orderby=displayName desc,id",
        ty,
        &MODEL,
        &Limits::DEFAULT,
    );
    let options = options.unwrap();
    let filter = options.filter.unwrap();
    let budget = || Budget::new(Limits::DEFAULT.filter_conditions);
    report("1,000 entities filtered", &baseline, measure(|| entities.iter().filter(|e| evaluate(&MODEL, &filter, e, &budget())).count()));
    report(
        "1,000 entities ordered",
        &baseline,
        measure(|| {
            let mut keys: Vec<_> = entities.iter().map(|e| sort_keys(&MODEL, &options.orderby, e, &budget())).collect();
            keys.sort_by(|a, b| compare_keys(&options.orderby, a, b));
            keys.len()
        }),
    );
    let plain = EncodeOptions { select: &[], metadata: Metadata::Minimal };
    report("1,000 entities encoded", &baseline, measure(|| entities.iter().map(|e| encode(&MODEL, ty, e, &plain).len()).sum::<usize>()));
}

fn entity(number: usize) -> Map<String, Value> {
    let document = json!({
        "@odata.type": "#microsoft.graph.industryData.inboundFileFlow",
        "id": format!("{number:08}-0000-7000-8000-000000000000"),
        "displayName": format!("Flow {number} of the north"),
        "dataDomain": "educationRostering",
        "effectiveDateTime": format!("2026-0{}-01T00:00:00Z", 1 + number % 9),
        "expirationDateTime": null,
        "readinessStatus": "ready",
    });
    document.as_object().unwrap().clone()
}

/// The baseline of parsing a text.
fn reading(text: &str) -> (&'static str, f64) {
    let quoted = Value::from(text).to_string();
    ("reading the text as a JSON string", measure(|| serde_json::from_str::<String>(black_box(&quoted)).unwrap().len()))
}

fn report(title: &str, (baseline, unit): &(&str, f64), seconds: f64) {
    println!("{title}: {}, {:.0} times {baseline}", shown(seconds), seconds / unit);
}

fn shown(seconds: f64) -> String {
    format!("{:.2} µs CPU", seconds * 1e6)
}

/// CPU seconds of one execution: enough of them that the hundredths that the system counts in say something.
fn measure<T>(work: impl Fn() -> T) -> f64 {
    let mut times = 1_u64;
    loop {
        let before = cpu_seconds();
        for _ in 0..times {
            black_box(work());
        }
        let spent = cpu_seconds() - before;
        if spent > 0.5 {
            return spent / times as f64;
        }
        times *= if spent > 0.05 { 12 } else { 10 };
    }
}

/// User and system time of this process: fields 14 and 15 of `/proc/self/stat`, in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|t| t.parse::<u64>().unwrap()).sum();
    ticks as f64 / 100.0
}
