//! What lists cost: `cargo bench -p homeroom --bench lists`
//!
//! A server of its own with 1,000 inbound flows answers the same page of 999 with more and more query
//! options. Printed: CPU time of the server per answer, and as a multiple of the list without options.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that cannot go on fails; printing is its work")]
#![allow(unreachable_pub, dead_code, reason = "shared with the tests")]

#[path = "shared/cpu.rs"]
mod cpu;
#[path = "../tests/it/process.rs"]
mod process;

use process::{Api, ROOT, Serving};
use serde_json::json;

const FLOWS: usize = 1_000;
const ANSWERS: u32 = 20;

fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(measure());
}

async fn measure() {
    let data_dir = tempfile::tempdir().unwrap();
    let app = server::App::open(data_dir.path(), None, server::config::Config::default()).unwrap();
    let tenant = app.create_tenant("Bench", None, None).await.unwrap();
    let client = app.create_client(tenant.id, "bench", server::all_permissions()).await.unwrap();
    let answer = app.issue_token(&tenant.id.to_string(), &client.client_id, &client.client_secret).await.unwrap();
    drop(app);
    // The bucket of one app would be empty long before.
    let serving = Serving::start(data_dir.path(), &[("HOMEROOM_LIMITS__REQUESTS_PER_SECOND", "0")]);
    let api = Api::new(&serving.base, answer["access_token"].as_str().unwrap());
    let connector = api.configure(None).await;
    let year = api.get(&format!("{ROOT}/years?$top=1")).await["value"][0]["id"].as_str().unwrap().to_owned();
    for number in 0..FLOWS {
        let flow = json!({
            "@odata.type": "#microsoft.graph.industryData.inboundFileFlow",
            "displayName": format!("Flow {number} of the north"),
            "dataDomain": "educationRostering",
            "effectiveDateTime": format!("2026-0{}-01T00:00:00Z", 1 + number % 9),
            "dataConnector@odata.bind": connector,
            "year@odata.bind": format!("years/{year}"),
        });
        api.create("inboundFlows", &flow).await;
    }
    let process = serving.child.id().to_string();
    let mut baseline = None;
    for (title, options) in [
        ("the list", ""),
        ("$filter", "&$filter=contains(displayName,'north') and effectiveDateTime ge 2026-01-01"),
        ("$filter, $orderby", "&$filter=contains(displayName,'north') and effectiveDateTime ge 2026-01-01&$orderby=displayName desc"),
        (
            "$filter, $orderby, $expand",
            "&$filter=contains(displayName,'north') and effectiveDateTime ge 2026-01-01&$orderby=displayName desc&$expand=dataConnector,year",
        ),
    ] {
        let path = format!("{ROOT}/inboundFlows?$top=999{options}");
        let before = cpu::seconds(&process);
        for _ in 0..ANSWERS {
            assert_eq!(api.get(&path).await["value"].as_array().unwrap().len(), 999);
        }
        let spent = (cpu::seconds(&process) - before) / f64::from(ANSWERS);
        let unit = *baseline.get_or_insert(spent);
        println!("{title}: {:.1} ms CPU for 999 of {FLOWS} entities, {:.1} times the list alone", spent * 1e3, spent / unit);
    }
    serving.kill();
}
