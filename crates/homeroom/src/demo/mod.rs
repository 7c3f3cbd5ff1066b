//! `homeroom demo`: the main job, end to end, on an invented school district.
//!
//! Everything after the set-up goes over HTTP through the public API, exactly as an integrator
//! would do it; nothing here reaches into the server.

mod client;
mod show;

use crate::cli;
use crate::commands::{Failure, listen_failure};
use crate::output::{self, Colour};
use client::{Client, Credentials};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Root of the API in URLs.
const ROOT: &str = "/beta/external/industryData";
const TENANT_NAME: &str = "Rivermark School District (demo)";
/// How often the demo asks for progress. A real client waits five seconds, as the API page says.
const POLL: Duration = Duration::from_millis(150);
/// A demo that has not finished by then is stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the whole show.
pub(crate) async fn run(arguments: cli::Demo) -> Result<(), Failure> {
    let temporary;
    let data_dir = if let Some(dir) = &arguments.data_dir {
        dir.clone()
    } else {
        temporary = tempfile::Builder::new().prefix("homeroom-demo-").tempdir().map_err(Failure::io("make a temporary directory"))?;
        temporary.path().to_owned()
    };
    let listener = tokio::net::TcpListener::bind(arguments.listen).await.map_err(|e| listen_failure(arguments.listen, &e))?;
    let address = listener.local_addr().map_err(Failure::io("read the address listened on"))?;
    let base = format!("http://{address}");

    heading("1  A tenant, its directory, an API client");
    let mut config = server::config::Config::default();
    // Whoever plays with it starts many runs.
    config.runs.on_demand_per_12h = 0;
    let app = server::App::open(&data_dir, None, config).map_err(Failure::from)?;
    let roster_dir = data_dir.join("demo-roster");
    let (credentials, accounts, rows) = set_up(&app, &roster_dir).await?;
    output::line(&format!("  data directory  {}", data_dir.display()));
    output::line(&format!("  tenant          {TENANT_NAME}  {}", credentials.tenant));
    output::line(&format!("  directory       {accounts} accounts"));
    output::line(&format!("  SIS export      ten SDS v2.1 CSV files, {rows} rows, {}", roster_dir.display()));

    let (stop, shutdown) = server::Shutdown::manual_or_signal();
    let serving = tokio::spawn(server::serve(app.clone(), listener, shutdown));
    let show = scenario(&app, &base, &credentials, &roster_dir).await;
    if let Err(message) = show {
        return Err(Failure::new(message));
    }
    closing(&base, &credentials, arguments.once);
    if arguments.once {
        // The server may be gone already: then there is nothing to stop.
        let _ = stop.send(());
    }
    match serving.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::from(error)),
        Err(error) => Err(Failure::new(format!("the server stopped: {error}"))),
    }
}

/// Tenant, accounts and API client; the CSV files of the district on disk.
async fn set_up(app: &server::App, roster_dir: &Path) -> Result<(Credentials, usize, u64), Failure> {
    // A data directory that has seen the demo before gets another district.
    let taken: Vec<String> = app.list_tenants().await?.into_iter().filter_map(|tenant| tenant.domain).collect();
    let domain = (1..=taken.len() as u32 + 1).map(domain).find(|domain| !taken.contains(domain)).unwrap_or_else(|| domain(1));
    let district = roster::demo::write_demo_district(roster_dir, &domain, 0).map_err(Failure::io("write the demo's roster"))?;
    let made = app.create_tenant(TENANT_NAME, None, Some(&domain)).await?;
    let accounts: Vec<server::Account> = district
        .directory_users
        .into_iter()
        .map(|a| server::Account {
            upn: a.upn,
            mail: a.mail,
            display_name: a.display_name,
            given_name: a.given,
            surname: a.family,
            enabled: a.enabled,
        })
        .collect();
    let count = accounts.len();
    app.import_accounts(made.id, accounts).await?;
    let client = app.create_client(made.id, "Demo integrator", server::all_permissions()).await?;
    let rows = count_rows(roster_dir)?;
    Ok((Credentials { tenant: made.id.to_string(), client_id: client.client_id, client_secret: client.client_secret }, count, rows))
}

/// Domain of a district's accounts; `.example` is reserved and belongs to nobody.
fn domain(number: u32) -> String {
    if number == 1 { "rivermark.example".to_owned() } else { format!("rivermark-{number}.example") }
}

fn count_rows(dir: &Path) -> Result<u64, Failure> {
    let mut rows = 0;
    for (_, bytes) in files(dir)? {
        rows += (bytes.iter().filter(|b| **b == b'\n').count() as u64).saturating_sub(1);
    }
    Ok(rows)
}

fn files(dir: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Failure::io("read the demo's roster"))? {
        let entry = entry.map_err(Failure::io("read the demo's roster"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|e| e == "csv") {
            found.push((name, std::fs::read(entry.path()).map_err(Failure::io("read the demo's roster"))?));
        }
    }
    found.sort();
    Ok(found)
}

/// What an integrator does, call by call.
async fn scenario(app: &server::App, base: &str, credentials: &Credentials, roster_dir: &Path) -> Result<(), String> {
    heading("2  Configuration, over the public API");
    output::line(&format!("  {}", output::coloured(&format!("… stands for {base}{ROOT}"), Colour::Dim)));
    let api = Client::connect(base, credentials).await?;
    let connector = configure_inbound(&api).await?;

    heading("3  Upload of the export");
    upload(&api, &connector, roster_dir).await?;

    heading("4  Outbound: which groups to keep");
    let (set, flow) = configure_outbound(&api).await?;

    heading("5  The first run");
    let run = run_to_the_end(&api).await?;
    show::statistics(&api, &run).await?;
    show::findings(app, credentials, &run).await?;
    show::groups(&api, &[]).await?;

    heading("6  The call of the mission");
    let before = show::group_ids(&api).await?;
    mission(&api, base, &set, &flow).await?;

    heading("7  The second run");
    run_to_the_end(&api).await?;
    show::groups(&api, &before).await
}

/// Source system with matching rules, connector, year, inbound flow. Gives the connector's id.
async fn configure_inbound(api: &Client) -> Result<String, String> {
    let rule = |group: &str, order: u32| {
        json!({
            "priorityOrder": order,
            "sourceIdentifier": { "code": "username" },
            "matchTarget": { "code": "userPrincipalName" },
            "roleGroup@odata.bind": format!("external/industryData/roleGroups('{group}')"),
        })
    };
    let source = create(
        api,
        "sourceSystems",
        json!({
            "displayName": "Rivermark SIS",
            "vendor": "Invented Software",
            "userMatchingSettings": [rule("staff", 0), rule("students", 1)],
        }),
        "source system, with a matching rule for staff and one for students",
    )
    .await?;
    let connector = create(
        api,
        "dataConnectors",
        json!({
            "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector",
            "displayName": "Nightly CSV",
            "fileFormat": { "code": "schoolDataSyncV2Rev1" },
            "sourceSystem@odata.bind": format!("external/industryData/sourceSystems('{source}')"),
        }),
        "connector for SDS v2.1 CSV files",
    )
    .await?;
    let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let first = if today.month() >= 8 { today.year() } else { today.year() - 1 };
    let year = create(
        api,
        "years",
        json!({
            "displayName": format!("{first}/{}", first + 1),
            "startDate": format!("{first}-08-01"),
            "endDate": format!("{}-07-31", first + 1),
            "year": { "code": (first + 1).to_string() },
        }),
        "academic year",
    )
    .await?;
    let flow = create(
        api,
        "inboundFlows",
        json!({
            "@odata.type": "#microsoft.graph.industryData.inboundFileFlow",
            "displayName": "Rivermark rostering",
            "dataDomain": "educationRostering",
            "effectiveDateTime": format!("{first}-08-01T00:00:00Z"),
            "expirationDateTime": format!("{}-07-31T23:59:59Z", first + 1),
            "dataConnector@odata.bind": format!("external/industryData/dataConnectors('{connector}')"),
            "year@odata.bind": format!("external/industryData/years('{year}')"),
        }),
        "inbound flow",
    )
    .await?;
    wait(api, &format!("{ROOT}/inboundFlows/{flow}"), "readinessStatus", &["ready"], "inbound flow is ready").await?;
    Ok(connector)
}

/// Upload session, ten files, validation.
async fn upload(api: &Client, connector: &str, roster_dir: &Path) -> Result<(), String> {
    let path = format!("{ROOT}/dataConnectors/{connector}/microsoft.graph.industryData.azureDataLakeConnector/getUploadSession");
    let session = api.call(Method::GET, &path, None, 200, "upload session").await?;
    let url = session.body["sessionUrl"].as_str().ok_or("no sessionUrl")?;
    for (name, bytes) in files(roster_dir).map_err(|failure| failure.message)? {
        api.put_blob(url, &name, bytes).await?;
    }
    let answer = api.call(Method::POST, &format!("{ROOT}/dataConnectors/{connector}/validate"), None, 202, "basic validation").await?;
    let location = answer.location.ok_or("no Location of the validation")?;
    let done = wait(api, &location, "status", &["succeeded", "failed"], "validation is done").await?;
    let errors = done["errors"].as_array().map_or(0, Vec::len);
    output::line(&format!("  validated {} files, {errors} errors", done["validatedFiles"].as_array().map_or(0, Vec::len)));
    if errors > 0 {
        return Err(format!("the files were refused: {}", done["errors"]));
    }
    Ok(())
}

/// Flow set and its security group flow, role groups only at first.
async fn configure_outbound(api: &Client) -> Result<(String, String), String> {
    let set =
        create(api, "outboundProvisioningFlowSets", json!({ "displayName": "Whole district" }), "flow set for every organization").await?;
    let flow = create(
        api,
        &format!("outboundProvisioningFlowSets/{set}/provisioningFlows"),
        json!({
            "@odata.type": "#microsoft.graph.industryData.securityGroupProvisioningFlow",
            "creationOptions": { "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": false },
        }),
        "security group flow: one group per role group",
    )
    .await?;
    wait(
        api,
        &format!("{ROOT}/outboundProvisioningFlowSets/{set}/provisioningFlows/{flow}"),
        "readinessStatus",
        &["ready"],
        "security group flow is ready",
    )
    .await?;
    Ok((set, flow))
}

/// `PATCH /beta/securityGroupProvisioningFlow`, printed whole.
async fn mission(api: &Client, base: &str, set: &str, flow: &str) -> Result<(), String> {
    let body = json!({
        "@odata.type": "#microsoft.graph.industryData.securityGroupProvisioningFlow",
        "creationOptions": {
            "@odata.type": "microsoft.graph.industryData.securityGroupCreationOptions",
            "createBasedOnRoleGroup": true,
            "createBasedOnOrgPlusRoleGroup": true,
        },
    });
    output::line(&format!("  {}", output::coloured("PATCH /beta/securityGroupProvisioningFlow", Colour::Bold)));
    output::line(&format!("  Host: {}", base.trim_start_matches("http://")));
    output::line("  Authorization: Bearer …");
    output::line("  Content-Type: application/json\n");
    show::indented(&body);
    let answer = api.send(Method::PATCH, "/beta/securityGroupProvisioningFlow", Some(body)).await?;
    output::line(&format!("\n  {}", output::coloured(&answer.status.to_string(), Colour::Green)));
    show::indented(&answer.body);
    if answer.status != reqwest::StatusCode::OK {
        return Err("the call of the mission failed".to_owned());
    }
    let canonical = format!("{ROOT}/outboundProvisioningFlowSets/{set}/provisioningFlows/{flow}");
    output::line(&format!("\n  {}", output::coloured(&format!("the same object: {base}{canonical}"), Colour::Dim)));
    Ok(())
}

/// Starts a run and waits for its end. Gives the run's id.
async fn run_to_the_end(api: &Client) -> Result<String, String> {
    let answer = api.call(Method::POST, &format!("{ROOT}/runs/start"), None, 202, "run").await?;
    let location = answer.location.ok_or("no Location of the run's operation")?;
    let done = wait(api, &location, "status", &["succeeded", "failed"], "the run's operation has ended").await?;
    let run_url = done["resourceLocation"].as_str().ok_or("the operation names no run")?;
    let run = api.send(Method::GET, run_url, None).await?.body;
    let status = run["status"].as_str().unwrap_or_default();
    output::line(&format!("  {}  {status}", run["displayName"].as_str().unwrap_or_default()));
    if status == "failed" {
        return Err(format!("the run failed: {}", run["blockingError"]));
    }
    Ok(run["id"].as_str().unwrap_or_default().to_owned())
}

/// POST to a collection; gives the new id.
async fn create(api: &Client, collection: &str, body: Value, what: &str) -> Result<String, String> {
    let answer = api.call(Method::POST, &format!("{ROOT}/{collection}"), Some(body), 201, what).await?;
    answer.body["id"].as_str().map(str::to_owned).ok_or_else(|| "the answer has no id".to_owned())
}

/// Polls until a property has one of the words, with a spinner on a terminal.
async fn wait(api: &Client, path: &str, property: &str, words: &[&str], what: &str) -> Result<Value, String> {
    let spinner = indicatif::ProgressBar::new_spinner().with_message(what.to_owned());
    let until = tokio::time::Instant::now() + PATIENCE;
    let mut polls = 0_u32;
    loop {
        let answer = api.send(Method::GET, path, None).await?;
        polls += 1;
        spinner.tick();
        if answer.body[property].as_str().is_some_and(|word| words.contains(&word)) {
            spinner.finish_and_clear();
            output::line(&format!("  {} {what}", output::coloured(&format!("GET × {polls}"), Colour::Cyan)));
            return Ok(answer.body);
        }
        if tokio::time::Instant::now() > until {
            return Err(format!("waited {} s in vain: {what}; last answer: {}", PATIENCE.as_secs(), answer.body));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn heading(text: &str) {
    output::line(&format!("\n{}", output::coloured(text, Colour::Bold)));
}

/// URLs, credentials and three curl lines to go on with.
fn closing(base: &str, credentials: &Credentials, once: bool) {
    heading(if once { "What you could do next, with `homeroom demo` that keeps serving" } else { "Go on by hand" });
    output::line(&format!("  API            {base}{ROOT}"));
    output::line(&format!("  directory      {base}/beta/groups   {base}/beta/users"));
    output::line(&format!("  tenant         {}", credentials.tenant));
    output::line(&format!("  client id      {}", credentials.client_id));
    output::line(&format!("  client secret  {}\n", credentials.client_secret));
    output::line(&format!(
        "  TOKEN=$(curl -s {base}/{}/oauth2/v2.0/token -d grant_type=client_credentials \\\n    -d client_id={} -d client_secret={} \\\n    -d scope=https://graph.microsoft.com/.default | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')",
        credentials.tenant, credentials.client_id, credentials.client_secret
    ));
    output::line(&format!("  curl -s -H \"Authorization: Bearer $TOKEN\" '{base}/beta/groups?$select=id,displayName'"));
    output::line(&format!(
        "  curl -s -X PATCH -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\\n    {base}/beta/securityGroupProvisioningFlow \\\n    -d '{{\"creationOptions\":{{\"createBasedOnRoleGroup\":true,\"createBasedOnOrgPlusRoleGroup\":false}}}}'"
    ));
    if !once {
        output::line(&format!("\n  {}", output::coloured("serving; Ctrl-C ends it", Colour::Dim)));
    }
}
