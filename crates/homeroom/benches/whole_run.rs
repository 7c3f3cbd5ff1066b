//! What a run costs: `HOMEROOM_BENCH_ROSTER=DIR cargo bench -p homeroom --bench whole_run`
//!
//! DIR holds SDS v2.1 CSV files whose usernames are userPrincipalNames. Every person gets an
//! account, a server of its own takes the files over HTTP, and runs twice over the same data.
//! Printed per run: wall time, CPU time of the server, per million rows, as a multiple of reading
//! the lines of the same files, and the server's peak memory.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that cannot go on fails; printing is its work")]
#![allow(unreachable_pub, dead_code, reason = "shared with the tests")]

#[path = "shared/cpu.rs"]
mod cpu;
#[path = "../tests/it/process.rs"]
mod process;

use process::{Api, ROOT, Serving};
use reqwest::Method;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

const SETTINGS: [(&str, &str); 2] = [("HOMEROOM_RUNS__ON_DEMAND_PER_12H", "0"), ("HOMEROOM_GUARDS__MAX_DROP_PERCENT", "100")];

fn main() {
    let Some(folder) = std::env::var_os("HOMEROOM_BENCH_ROSTER") else {
        println!("HOMEROOM_BENCH_ROSTER names no folder of SDS v2.1 files: nothing to measure");
        return;
    };
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(measure(Path::new(&folder)));
}

async fn measure(folder: &Path) {
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|n| Path::new(n).extension().is_some_and(|e| e == "csv"));
    let started = Instant::now();
    let before = cpu::seconds("self");
    let rows: usize = names.iter().map(|n| BufReader::new(std::fs::File::open(folder.join(n)).unwrap()).split(b'\n').count() - 1).sum();
    let baseline = cpu::seconds("self") - before;
    println!(
        "{rows} rows in {} files; reading their lines: {:.2} s, {baseline:.2} CPU s (the baseline)",
        names.len(),
        started.elapsed().as_secs_f64()
    );

    let data_dir = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let (token, accounts) = prepare(data_dir.path(), &folder.join("users.csv")).await;
    println!("{accounts} accounts imported in {:.1} s", started.elapsed().as_secs_f64());
    let serving = Serving::start(data_dir.path(), &SETTINGS);
    let server = serving.child.id().to_string();
    let api = Api::new(&serving.base, &token);
    let connector = api.configure(None).await;
    let started = Instant::now();
    api.upload(&connector, folder, names.iter().map(String::as_str)).await;
    println!("uploaded and basically validated in {:.1} s, peak memory {} MiB", started.elapsed().as_secs_f64(), peak_memory(&server));
    for title in ["first run", "unchanged second run"] {
        let started = Instant::now();
        let before = cpu::seconds(&server);
        let accepted = api.send(Method::POST, &format!("{ROOT}/runs/start"), None).await.unwrap();
        let operation = accepted.headers()["location"].to_str().unwrap().to_owned();
        let ended = loop {
            let operation = api.get(&operation).await;
            if matches!(operation["status"].as_str(), Some("succeeded" | "failed")) {
                break operation;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let cpu = cpu::seconds(&server) - before;
        println!(
            "{title}: {:.1} s, {cpu:.1} CPU s, {:.2} CPU s per million rows, {:.0} times the baseline, peak memory {} MiB ({} {})",
            started.elapsed().as_secs_f64(),
            cpu / rows as f64 * 1e6,
            cpu / baseline,
            peak_memory(&server),
            ended["status"],
            ended["statusDetail"],
        );
    }
    let runs = api.get(&format!("{ROOT}/runs?$orderby=startDateTime")).await;
    for run in runs["value"].as_array().unwrap() {
        let statistics = api.get(&format!("{ROOT}/runs/{}/getStatistics", run["id"].as_str().unwrap())).await;
        println!("{} {}", run["status"], statistics["inboundTotals"]);
    }
}

/// A data directory with an account for each username; gives a token and the number of accounts.
async fn prepare(data_dir: &Path, users: &Path) -> (String, usize) {
    let app = server::App::open(data_dir, None, server::config::Config::default()).unwrap();
    let tenant = app.create_tenant("Bench", None, None).await.unwrap();
    let mut accounts = Vec::new();
    for line in BufReader::new(std::fs::File::open(users).unwrap()).lines().skip(1) {
        let line = line.unwrap();
        if let Some(upn) = line.split(',').nth(1).filter(|name| name.contains('@')) {
            accounts.push(server::Account {
                upn: upn.to_owned(),
                mail: Some(upn.to_owned()),
                display_name: upn.to_owned(),
                given_name: String::new(),
                surname: String::new(),
                enabled: true,
            });
        }
    }
    let count = accounts.len();
    app.import_accounts(tenant.id, accounts).await.unwrap();
    let client = app.create_client(tenant.id, "bench", server::all_permissions()).await.unwrap();
    let answer = app.issue_token(&tenant.id.to_string(), &client.client_id, &client.client_secret).await.unwrap();
    (answer["access_token"].as_str().unwrap().to_owned(), count)
}

/// `VmHWM`, MiB.
fn peak_memory(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
