//! The command line's contract: arguments, exit codes, JSON.

use crate::district::{DOMAIN, QUICK, prepare};
use crate::process::{Api, ROOT, Serving, homeroom};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

fn run(data_dir: &Path, arguments: &[&str]) -> Output {
    homeroom().args(arguments).arg("--data-dir").arg(data_dir).output().unwrap()
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn tenant_app_and_token_give_what_a_script_needs() {
    let dir = tempfile::tempdir().unwrap();
    let tenant = json(&run(dir.path(), &["tenant", "create", "--name", "Contoso", "--domain", "contoso.example", "--json"]));
    let id = tenant["id"].as_str().unwrap();
    assert_eq!(tenant, serde_json::json!({ "id": id, "name": "Contoso", "domain": "contoso.example" }));
    let app = json(&run(dir.path(), &["app", "create", "--tenant", id, "--name", "script", "--all-permissions", "--json"]));
    assert_eq!(app["tenantId"], id);
    let (client, secret) = (app["clientId"].as_str().unwrap(), app["clientSecret"].as_str().unwrap());
    let token = json(&run(dir.path(), &["token", "--tenant", id, "--client-id", client, "--client-secret", secret, "--json"]));
    assert_eq!(token["token_type"], "Bearer");
    assert_eq!(token["expires_in"], 3599, "as Entra ID says it");

    // Beside a running server on the same directory, and without --json a bare token.
    let serving = Serving::start(dir.path(), &[]);
    let plain = run(dir.path(), &["token", "--tenant", id, "--client-id", client, "--client-secret", secret]);
    let bearer = String::from_utf8(plain.stdout).unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let years = http.get(format!("{}/beta/external/industryData/years", serving.base)).bearer_auth(bearer.trim()).send().await.unwrap();
    assert_eq!(years.status(), 200);

    // Wherever a tenant is named, its domain will do, in any case; what is answered has the id.
    for named in ["contoso.example", "CONTOSO.example"] {
        let listed = json(&run(dir.path(), &["app", "list", "--tenant", named, "--json"]));
        assert_eq!((&listed[0]["tenantId"], &listed[0]["clientId"]), (&tenant["id"], &app["clientId"]));
        let other = json(&run(dir.path(), &["app", "create", "--tenant", named, "--name", "x", "--all-permissions", "--json"]));
        assert_eq!(other["tenantId"], id);
        let other = other["clientId"].as_str().unwrap();
        assert_eq!(run(dir.path(), &["app", "delete", "--tenant", named, "--client-id", other]).status.code(), Some(0));
        json(&run(dir.path(), &["token", "--tenant", named, "--client-id", client, "--client-secret", secret, "--json"]));
        assert_eq!(json(&run(dir.path(), &["runs", "list", "--tenant", named, "--json"])), serde_json::json!([]));
    }
    for arguments in [&["runs", "list"][..], &["app", "list"], &["plan", "."]] {
        let output = run(dir.path(), &[arguments, &["--tenant", "fabrikam.example"]].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(3) && told.contains("no tenant 'fabrikam.example'") && told.contains("tenant list"), "{told}");
    }

    let listed = json(&run(dir.path(), &["app", "list", "--tenant", id, "--json"]));
    assert!(!listed.to_string().contains(secret), "a secret is shown once");
    assert_eq!(run(dir.path(), &["app", "delete", "--tenant", id, "--client-id", client]).status.code(), Some(0));
    let years = http.get(format!("{}/beta/external/industryData/years", serving.base)).bearer_auth(bearer.trim()).send().await.unwrap();
    assert_eq!(years.status(), 401, "the tokens of a client that was deleted are void");
}

#[tokio::test]
async fn a_client_can_have_a_certificate_in_place_of_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let tenant = json(&run(dir.path(), &["tenant", "create", "--name", "Contoso", "--json"]));
    let id = tenant["id"].as_str().unwrap();
    let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/../identity/src/certificates/rsa.pem");
    let create = ["app", "create", "--tenant", id, "--name", "script", "--all-permissions", "--json"];
    let made = json(&run(dir.path(), &[&create[..], &["--certificate", certificate]].concat()));
    assert_eq!((&made["tenantId"], &made["clientSecret"]), (&tenant["id"], &Value::Null));
    let made = json(&run(dir.path(), &[&create[..], &["--certificate", certificate, "--with-secret"]].concat()));
    let (client, secret) = (made["clientId"].as_str().unwrap(), made["clientSecret"].as_str().unwrap());
    json(&run(dir.path(), &["token", "--tenant", id, "--client-id", client, "--client-secret", secret, "--json"]));
    for (file, told) in [("/nowhere/at/all.pem", "/nowhere/at/all.pem"), (concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "PEM")] {
        let output = run(dir.path(), &[&create[..], &["--certificate", file]].concat());
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stderr).contains(told), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(run(dir.path(), &[&create[..], &["--with-secret"]].concat()).status.code(), Some(2));
}

#[tokio::test]
async fn a_device_code_is_approved_beside_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let tenant = json(&run(dir.path(), &["tenant", "create", "--name", "Contoso", "--domain", "contoso.example", "--json"]));
    let id = tenant["id"].as_str().unwrap();
    let app = json(&run(dir.path(), &["app", "create", "--tenant", id, "--name", "script", "--all-permissions", "--json"]));
    let client = app["clientId"].as_str().unwrap();
    let serving = Serving::start(dir.path(), &[]);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |path: &str, form: &[(&str, &str)]| {
        let request = http.post(format!("{}/contoso.example/oauth2/v2.0/{path}", serving.base)).form(form);
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let code = post("devicecode", &[("client_id", client)]).await;
    let user_code = code["user_code"].as_str().unwrap();
    let approved = run(dir.path(), &["token", "approve", user_code, "--as", "Ada"]);
    let text = String::from_utf8_lossy(&approved.stdout);
    assert_eq!(approved.status.code(), Some(0), "{}", String::from_utf8_lossy(&approved.stderr));
    for told in [user_code, "script", client, "IndustryData-Run.Start"] {
        assert!(text.contains(told), "{text}");
    }
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let form = [("grant_type", grant), ("client_id", client), ("device_code", code["device_code"].as_str().unwrap())];
    let token = post("token", &form).await;
    let years = http.get(format!("{}/beta/external/industryData/years", serving.base));
    let years = years.bearer_auth(token["access_token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(years.status(), 200);
    let again = run(dir.path(), &["token", "approve", user_code]);
    assert_eq!(again.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&again.stderr).contains("new code"), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(run(dir.path(), &["token", "--tenant", id]).status.code(), Some(2), "a token still needs client and secret");
}

#[test]
fn issuers_come_from_the_environment_too() {
    let dir = tempfile::tempdir().unwrap();
    let list = |issuers: &str| {
        homeroom()
            .args(["tenant", "create", "--name", "x", "--data-dir"])
            .arg(dir.path())
            .env("HOMEROOM_ISSUERS", issuers)
            .output()
            .unwrap()
    };
    assert_eq!(list(r#"[{issuer="https://id.example",audiences=["homeroom"]}]"#).status.code(), Some(0));
    for (wrong, told) in [
        (r#"[{issuer="https://id.example"}]"#, "audiences"),
        (r#"[{issuer="https://id.example",audience=["homeroom"]}]"#, "audience"),
        (r#"[{issuer="http://id.example",audiences=["homeroom"]}]"#, "https://"),
    ] {
        let output = list(wrong);
        assert_eq!(output.status.code(), Some(3), "{wrong}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(told), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn wrong_usage_is_2_and_what_cannot_be_done_is_3() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &["tenant", "create"]).status.code(), Some(2));
    assert_eq!(homeroom().arg("nonsense").output().unwrap().status.code(), Some(2));
    let mistyped = run(dir.path(), &["tenant", "list"]);
    assert_eq!(mistyped.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&mistyped.stderr).contains("no data of Homeroom"), "a directory that was mistyped is not made");
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());
    json(&run(dir.path(), &["tenant", "create", "--name", "y", "--json"]));
    let unknown =
        run(dir.path(), &["app", "create", "--tenant", "2f6a1e5e-3a44-4c3f-9c4b-0f9d9d3b7a11", "--name", "x", "--all-permissions"]);
    assert_eq!(unknown.status.code(), Some(3));
    let message = String::from_utf8(unknown.stderr).unwrap();
    assert!(message.contains("2f6a1e5e-3a44-4c3f-9c4b-0f9d9d3b7a11"), "{message}");
    let misspelt = run(dir.path(), &["tenant", "create", "--name", "x", "--json"]);
    let id = json(&misspelt)["id"].as_str().unwrap().to_owned();
    let misspelt = run(dir.path(), &["app", "create", "--tenant", &id, "--name", "x", "--permission", "IndustryData-Run.Strat"]);
    assert_eq!(misspelt.status.code(), Some(2));
    let message = String::from_utf8(misspelt.stderr).unwrap();
    assert!(message.contains("did you mean `IndustryData-Run.Start`?"), "{message}");
}

#[test]
fn a_setting_that_does_not_exist_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("homeroom.toml");
    std::fs::write(&file, "[runs]\non_demand = 3\n").unwrap();
    let output =
        homeroom().args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file).arg("--data-dir").arg(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("on_demand"), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_demo_shows_the_groups_of_the_schools() {
    let output = homeroom().args(["demo", "--once", "--listen", "127.0.0.1:0"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for line in ["All Staff", "All Students", "PATCH /beta/securityGroupProvisioningFlow", "200 OK", "Students - Harbor Point High School"]
    {
        assert!(text.contains(line), "'{line}' is missing in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_says_what_a_run_would_do_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let token = prepare(dir.path()).await;
    let export = tempfile::tempdir().unwrap();
    roster::demo::write_demo_district(export.path(), DOMAIN, 0).unwrap();
    let plan = |folder: &Path| {
        let output = run(dir.path(), &["plan", folder.to_str().unwrap(), "--json"]);
        assert_eq!(output.status.code(), Some(1), "the export has errors: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let first = plan(export.path());
    let groups = first["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 9, "{groups:?}");
    assert!(groups.iter().all(|g| g["created"] == true && g["removed"] == serde_json::json!([])));
    assert!(first["findings"].as_array().unwrap().iter().any(|f| f["code"] == "InvalidReferenceCode"));
    assert_eq!(plan(export.path()), first, "planned twice, the same comes out");

    let serving = Serving::start(dir.path(), &QUICK);
    let api = Api::new(&serving.base, &token);
    assert_eq!(api.get("/beta/groups").await["value"], serde_json::json!([]), "nothing was written");
    let accepted = api.send(reqwest::Method::POST, &format!("{ROOT}/runs/start"), None).await.unwrap();
    api.wait_for(accepted.headers()["location"].to_str().unwrap(), "/status", &["succeeded"]).await;
    for group in api.get("/beta/groups").await["value"].as_array().unwrap() {
        let planned = groups.iter().find(|g| g["displayName"] == group["displayName"]).unwrap();
        let members = api.get(&format!("/beta/groups/{}/members?$top=999", group["id"].as_str().unwrap())).await;
        let mut members: Vec<String> =
            members["value"].as_array().unwrap().iter().map(|m| m["userPrincipalName"].as_str().unwrap().to_lowercase()).collect();
        members.sort();
        assert_eq!(planned["added"], serde_json::json!(members), "what was previewed is what was applied");
    }
    let log = run(dir.path(), &["runs", "log", "latest", "--json"]).stdout;
    let place = |finding: &Value| ["code", "file", "line", "key"].map(|name| finding[name].clone());
    let found: Vec<_> = String::from_utf8(log).unwrap().lines().map(|line| place(&serde_json::from_str(line).unwrap())).collect();
    let foreseen: Vec<_> = first["findings"].as_array().unwrap().iter().map(place).collect();
    assert_eq!(foreseen, found, "each finding of the run, in its order");
    assert_eq!(plan(export.path())["groups"], serde_json::json!([]), "nothing is left to do");

    // What stops it is no finding about the files, and is not announced by the words that there are none.
    std::fs::remove_file(export.path().join("relationships.csv")).unwrap();
    let output = run(dir.path(), &["plan", export.path().to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("a run would stop: FileMissingFromSet: ") && text.contains("Upload the whole set again"), "{text}");
    assert!(!text.contains("findings: none"), "{text}");
}

/// `runs show` names what it counts, and `runs log` is for people unless it is asked for JSON.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let token = prepare(dir.path()).await;
    let serving = Serving::start(dir.path(), &QUICK);
    let api = Api::new(&serving.base, &token);
    let accepted = api.send(reqwest::Method::POST, &format!("{ROOT}/runs/start"), None).await.unwrap();
    api.wait_for(accepted.headers()["location"].to_str().unwrap(), "/status", &["succeeded"]).await;
    let id = json(&run(dir.path(), &["runs", "list", "--json"]))[0]["id"].as_str().unwrap().to_owned();
    let text = |arguments: &[&str]| {
        let output = run(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let lines: Vec<Value> = text(&["runs", "log", &id, "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = text(&["runs", "log", &id]);
    assert_eq!(told.lines().count(), lines.len());
    assert!(told.lines().any(|line| line.starts_with("roles.csv:") && line.contains(": error InvalidReferenceCode: ")), "{told}");
    assert!(told.lines().any(|line| line.starts_with("users.csv (key ") && line.contains(": info PersonNotMatched: ")), "{told}");
    assert!(!told.contains(":0"), "{told}");

    let shown = text(&["runs", "show", &id]);
    assert_eq!(text(&["runs", "show", "latest"]), shown);
    let totals = json(&run(dir.path(), &["runs", "show", &id, "--json"]));
    let count = |name: &str| &totals["statistics"]["inboundTotals"][name];
    for wanted in [
        format!("{} classes, ", count("groups")),
        format!("found: {} errors, {} warnings", count("errors"), count("warnings")),
        "written to the directory: groups: 9 made, 0 renamed; memberships: ".to_owned(),
        format!("homeroom runs log {id}"),
    ] {
        assert!(shown.contains(&wanted), "{wanted}: {shown}");
    }
    let codes = totals["findings"].as_array().unwrap();
    assert_eq!(codes.iter().map(|code| code["count"].as_u64().unwrap()).sum::<u64>(), lines.len() as u64);
    for code in codes {
        let first = lines.iter().find(|line| line["code"] == code["code"]).unwrap();
        assert_eq!((&code["first"]["file"], &code["first"]["line"]), (&first["file"], &first["line"]));
        let row = shown.lines().find(|line| line.contains(code["code"].as_str().unwrap())).unwrap();
        assert!(row.contains(&code["count"].to_string()), "{row}");
    }
}

/// A rule that finds nobody is told by the plan already, in words that name it.
#[tokio::test(flavor = "multi_thread")]
async fn plan_tells_a_rule_that_finds_nobody() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path()).await;
    let export = tempfile::tempdir().unwrap();
    // The same district with the usernames of another one.
    roster::demo::write_demo_district(export.path(), "elsewhere.example", 0).unwrap();
    let output = run(dir.path(), &["plan", export.path().to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    let warned: Vec<_> = text.lines().filter(|line| line.contains("MatchingRuleFindsNobody") && line.contains("warning")).collect();
    assert!(warned.len() == 1 && warned[0].contains("(username@") && warned[0].contains(" = userPrincipalName) found"), "{text}");
    assert!(text.contains("users.csv (key ") && !text.contains(":0"), "{text}");
    let remedies = text.lines().filter(|line| line.contains("MatchingRuleFindsNobody: ") && line.contains("userMatchingSettings"));
    assert_eq!(remedies.count(), 1, "{text}");
}

/// A package of changes is planned as the set that it makes of the accepted one; what keeps it from that is one error.
#[tokio::test(flavor = "multi_thread")]
async fn plan_applies_changes_to_the_accepted_set() {
    let dir = tempfile::tempdir().unwrap();
    let token = crate::uploads::token(dir.path()).await;
    let made = tempfile::tempdir().unwrap();
    let set = |name: &str, day: u32, delta: bool| {
        let folder = made.path().join(name);
        let format = roster::Format::OneRoster11;
        roster::generate::generate(&folder, &roster::generate::Options { format, day, delta, ..roster::generate::Options::new(60) })
            .unwrap();
        folder
    };
    let (first, second, changes) = (set("first", 0, false), set("second", 1, false), set("changes", 1, true));
    let serving = Serving::start(dir.path(), &QUICK);
    let api = Api::new(&serving.base, &token);
    let connector = api.configure(None).await;
    let plan = |folder: &Path, code: i32| {
        let output = run(dir.path(), &["plan", folder.to_str().unwrap(), "--json"]);
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stdout));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let refused = plan(&changes, 1);
    assert_eq!(refused["blocked"]["code"], "DeltaWithoutBase");
    assert_eq!(refused["findings"].as_array().unwrap().len(), 1, "{refused}");
    let files: Vec<String> = roster::Source::list(&first).unwrap().into_iter().map(|file| file.name).collect();
    api.upload(&connector, &first, files.iter().map(String::as_str)).await;
    let (of_changes, of_whole, before) = (plan(&changes, 0), plan(&second, 0), plan(&first, 0));
    assert_eq!(of_changes["statistics"]["inboundTotals"]["people"], of_whole["statistics"]["inboundTotals"]["people"]);
    assert_eq!(of_changes["groups"], of_whole["groups"]);
    assert_ne!(of_changes["statistics"]["inboundTotals"], before["statistics"]["inboundTotals"], "the changes are in it");
}

#[test]
fn plan_without_an_inbound_flow_says_what_to_make() {
    let dir = tempfile::tempdir().unwrap();
    json(&run(dir.path(), &["tenant", "create", "--name", "x", "--json"]));
    let export = tempfile::tempdir().unwrap();
    roster::demo::write_demo_district(export.path(), DOMAIN, 0).unwrap();
    let output = run(dir.path(), &["plan", export.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no active inbound flow"));
    let output = run(dir.path(), &["plan", "/nowhere/at/all"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/at/all"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_as_good_as_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path()).await;
    let export = tempfile::tempdir().unwrap();
    roster::demo::write_demo_district(export.path(), DOMAIN, 0).unwrap();
    let archive = dir.path().join("export.zip");
    roster::archive::pack(&roster::Source::list(export.path()).unwrap(), &archive).unwrap();
    for command in ["validate", "plan"] {
        let said = |path: &Path| {
            let arguments = [command, path.to_str().unwrap(), "--json"];
            let output = if command == "plan" { run(dir.path(), &arguments) } else { homeroom().args(arguments).output().unwrap() };
            assert_eq!(output.status.code(), Some(1), "the export has errors: {}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice::<Value>(&output.stdout).unwrap()
        };
        assert_eq!(said(&archive), said(export.path()), "{command}");
        let bad = dir.path().join("bad.zip");
        std::fs::write(&bad, &std::fs::read(&archive).unwrap()[..900]).unwrap();
        let said = said(&bad);
        assert_eq!((&said["findings"][0]["code"], &said["findings"][0]["file"]), (&"FileUnreadable".into(), &"bad.zip".into()), "{said}");
    }
}

#[test]
fn generate_makes_a_set_that_validate_agrees_with() {
    let dir = tempfile::tempdir().unwrap();
    let generate = |arguments: &[&str]| homeroom().arg("generate").args(arguments).current_dir(dir.path()).output().unwrap();
    let validate =
        |path: &str| homeroom().args(["validate", path, "--json", "--max-findings", "100000"]).current_dir(dir.path()).output().unwrap();
    let read = |path: &str| serde_json::from_slice::<Value>(&std::fs::read(dir.path().join(path)).unwrap()).unwrap();
    let made = json(&generate(&["clean", "--students", "100", "--day", "2", "--zip", "clean.zip", "--json"]));
    assert_eq!((&made["format"], &made["students"], &made["day"]), (&"sds-v2.1".into(), &100.into(), &2.into()));
    for path in ["clean", "clean.zip"] {
        let checked = json(&validate(path));
        assert_eq!((&checked["totals"]["findings"], &checked["totals"]["rows"]), (&0.into(), &made["rows"]), "{path}");
    }
    let changes = read("clean.meta/expected-changes.json");
    assert!(!changes["events"].as_array().unwrap().is_empty() && changes["files"]["users.csv"]["added"].is_array());
    assert_eq!(read("clean.meta/dataset.json")["seed"], "1");

    // With a slash behind its name, as a shell completes it.
    assert_eq!(generate(&["dirty/", "--students", "100", "--dirty", "0.02"]).status.code(), Some(0));
    let checked = validate("dirty");
    assert_eq!(checked.status.code(), Some(1));
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let expected = read("dirty.meta/expected-defects.json");
    assert_eq!(checked["totals"]["codes"], expected["codes"]);
    assert_eq!(checked["totals"]["findings"], expected["total"]);

    for (arguments, code, told) in [
        (&["clean", "--students", "100", "--format", "sds-v1"][..], 3, "not part of the set"),
        (&["other", "--students", "3"], 2, "20"),
        (&["other", "--students", "100", "--dirty", "1"], 2, "0.05"),
        (&["other", "--students", "100", "--delta"], 2, "OneRoster"),
    ] {
        let refused = generate(arguments);
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(told), "{}", String::from_utf8_lossy(&refused.stderr));
    }
    assert!(!dir.path().join("other").exists());
}

#[test]
fn validate_reads_one_file_from_a_pipe_or_a_path() {
    let dir = tempfile::tempdir().unwrap();
    let text = "userSourcedId,orgSourcedId,role\na,n,student\nb,n,teahcer\n";
    std::fs::write(dir.path().join("roles.csv"), text).unwrap();
    std::fs::write(dir.path().join("export-2026.csv"), text).unwrap();
    let validate = |arguments: &[&str]| {
        let input = std::fs::File::open(dir.path().join("roles.csv")).unwrap();
        homeroom().arg("validate").args(arguments).current_dir(dir.path()).stdin(input).output().unwrap()
    };
    for arguments in [&["-", "--name", "roles.csv"][..], &["roles.csv"], &["export-2026.csv", "--name", "roles.csv"]] {
        let output = validate(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = checked["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 1, "nothing is said of users and organizations, which are elsewhere: {findings:?}");
        assert_eq!((&findings[0]["code"], &findings[0]["line"]), (&"InvalidReferenceCode".into(), &3.into()));
        assert_eq!((&checked["files"][0]["name"], &checked["files"][0]["rows"]), (&"roles.csv".into(), &2.into()));
    }
    for (arguments, told) in [(&["-"][..], "--name"), (&["export-2026.csv"], "--name"), (&[".", "--name", "roles.csv"], "one file")] {
        let refused = validate(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(told), "{}", String::from_utf8_lossy(&refused.stderr));
    }
}

#[test]
fn validate_says_what_is_wrong_and_where() {
    let export = tempfile::tempdir().unwrap();
    let reports = tempfile::tempdir().unwrap();
    roster::demo::write_demo_district(export.path(), DOMAIN, 0).unwrap();
    let path = export.path().to_str().unwrap();
    let report = |name: &str| reports.path().join(name).to_str().unwrap().to_owned();
    let (csv, html, lines) = (report("r.csv"), report("r.html"), report("r.json"));
    let arguments = ["validate", path, "--json", "--max-findings", "2", "--report", &csv, "--report", &html, "--report", &lines];
    let output = homeroom().args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "the export has errors: {}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["format"], found["findings"].as_array().unwrap().len()), (&serde_json::json!("sds-v2.1"), 2));
    let all = found["totals"]["findings"].as_u64().unwrap();
    assert_eq!(found["totals"]["error"].as_u64().unwrap() + found["totals"]["warning"].as_u64().unwrap(), all);
    let complete = std::fs::read_to_string(&lines).unwrap();
    assert_eq!(complete.lines().count() as u64, all, "counts and reports are complete");
    assert!(complete.lines().any(|line| line.contains("teachr") && line.contains("teacher")), "with the nearest code as a hint");
    assert_eq!(std::fs::read_to_string(&csv).unwrap().lines().count() as u64, all + 1);
    assert!(std::fs::read_to_string(&html).unwrap().contains("teachr"));

    for entry in std::fs::read_dir(export.path()).unwrap() {
        let path = entry.unwrap().path();
        if !["orgs.csv", "users.csv", "roles.csv"].contains(&path.file_name().unwrap().to_str().unwrap()) {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::write(export.path().join("orgs.csv"), "sourcedId,name,type\nn,North,school\n").unwrap();
    std::fs::write(export.path().join("users.csv"), "sourcedId,username\na,ada\n").unwrap();
    std::fs::write(export.path().join("roles.csv"), "userSourcedId,orgSourcedId,role\na,n,student\n").unwrap();
    let output = homeroom().args(["validate", path]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    // One line that cannot be read, and more that may follow from it.
    std::fs::write(export.path().join("users.csv"), "sourcedId,username\na,ada\nb\n").unwrap();
    std::fs::write(export.path().join("roles.csv"), "userSourcedId,orgSourcedId,role\na,n,student\nb,n,student\nb,n,teacher\n").unwrap();
    let text = String::from_utf8(homeroom().args(["validate", path]).output().unwrap().stdout).unwrap();
    assert!(text.find("FieldCount").unwrap() < text.find("ReferenceNotFound").unwrap(), "{text}");
    assert!(text.contains("1 row of users.csv could not be read and may be the missing one: mend it first."), "{text}");
    assert_eq!(homeroom().args(["validate", "/nowhere/at/all"]).output().unwrap().status.code(), Some(3));
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("export");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("users.csv"), "").unwrap();
    let output = homeroom().arg("validate").arg(above.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains(&format!("there are some in {}", folder.display())), "{message}");
    assert_eq!(homeroom().args(["validate", path, "--encoding", "klingon"]).output().unwrap().status.code(), Some(2));
}

/// Names that somebody else gave must not move the terminal's cursor, a report not take the place of what it is about,
/// and a script that stops reading not take errors for none.
#[test]
fn validate_harms_neither_terminal_nor_export_nor_script() {
    let dir = tempfile::tempdir().unwrap();
    roster::demo::write_demo_district(dir.path(), DOMAIN, 0).unwrap();
    let users = dir.path().join("users.csv");
    let before = std::fs::read(&users).unwrap();
    let output = homeroom().arg("validate").arg(dir.path()).arg("--report").arg(&users).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("would take the place of"));
    assert_eq!(std::fs::read(&users).unwrap(), before);

    let evil = dir.path().join("ev\u{1b}[31mil\n.csv");
    std::fs::write(&evil, "x\n").unwrap();
    for arguments in [vec!["validate".as_ref(), evil.as_os_str()], vec!["validate".as_ref(), dir.path().as_os_str()]] {
        let output = homeroom().args(arguments).output().unwrap();
        let all = [output.stdout, output.stderr].concat();
        assert!(!all.contains(&0x1b), "{}", String::from_utf8_lossy(&all).escape_debug());
    }

    let mut child = homeroom().arg("validate").arg(dir.path()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

const CHANGED: &str = "2026-09-02T02:00:00Z";

/// A package of OneRoster 1.1 in a folder, with the modes of its files.
fn package(folder: &Path, files: &[(&str, &str, String)]) {
    std::fs::create_dir(folder).unwrap();
    let mut manifest = "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\n".to_owned();
    for (name, mode, text) in files {
        manifest += &format!("file.{name},{mode}\n");
        std::fs::write(folder.join(format!("{name}.csv")), text).unwrap();
    }
    std::fs::write(folder.join("manifest.csv"), manifest).unwrap();
}

/// A set, and a night's changes to it: some files with changes, one whole, some not in the package. What is found is found
/// in the file that it was sent in.
#[test]
fn validate_checks_changes_as_the_set_that_they_make() {
    let dir = tempfile::tempdir().unwrap();
    let users = "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,givenName,familyName\n";
    let classes = "sourcedId,title,courseSourcedId,classType,schoolSourcedId,termSourcedIds\n";
    let enrollments = "sourcedId,classSourcedId,schoolSourcedId,userSourcedId,role\n";
    let orgs = |rows: &str| format!("sourcedId,name,type\n{rows}");
    let whole = [
        ("orgs", "bulk", orgs("A,North,school\nB,South,school\n")),
        ("academicSessions", "bulk", "sourcedId,title,type,startDate,endDate,schoolYear\nT,T,term,2026-08-24,2026-12-18,2027\n".to_owned()),
        (
            "users",
            "bulk",
            format!("{users}s1,,,true,A,student,ann,Ann,Hill\ns2,,,true,B,student,bob,Bob,Hill\ns3,,,true,A,student,cy,Cy,Hill\n"),
        ),
        ("classes", "bulk", format!("{classes}K1,Maths,c,scheduled,A,T\nK2,Art,c,scheduled,A,T\n")),
        ("enrollments", "bulk", format!("{enrollments}e1,K1,A,s1,student\ne2,K2,A,s1,student\ne3,K2,A,s3,student\n")),
    ];
    package(&dir.path().join("base"), &whole);
    let changed_classes = "sourcedId,status,dateLastModified,title,courseSourcedId,classType,schoolSourcedId,termSourcedIds\n";
    let changes = [
        ("orgs", "bulk", orgs("A,North,school\nC,East,school\n")),
        (
            "users",
            "delta",
            // s4 is new in an organization that is gone, s5 has no name, nobody is not there; s3 does not change.
            format!(
                "{users}s2,tobedeleted,{CHANGED},true,B,student,bob,Bob,Hill\ns1,active,{CHANGED},true,C,student,ann,Anna,Hill\n\
                 s4,active,{CHANGED},true,B,student,dee,Dee,Hill\ns5,active,{CHANGED},true,A,student,eve,,Hill\n\
                 nobody,tobedeleted,{CHANGED},true,A,student,x,X,X\ns6,active,some day,true,A,student,x,X,X\n"
            ),
        ),
        ("classes", "delta", format!("{changed_classes}K2,tobedeleted,{CHANGED},Art,c,scheduled,A,T\n")),
    ];
    package(&dir.path().join("changes"), &changes);
    roster::archive::pack(&roster::Source::list(&dir.path().join("base")).unwrap(), &dir.path().join("base.zip")).unwrap();
    let validate = |arguments: &[&str]| homeroom().arg("validate").args(arguments).current_dir(dir.path()).output().unwrap();
    let found = |checked: &Value| -> Vec<String> {
        let place = |f: &Value| format!("{} {}:{}", f["code"].as_str().unwrap(), f["file"].as_str().unwrap(), f["line"]);
        checked["findings"].as_array().unwrap().iter().map(place).collect()
    };
    let table =
        |checked: &Value, name: &str| checked["changes"]["files"].as_array().unwrap().iter().find(|f| f["name"] == name).cloned().unwrap();

    for base in ["base", "base.zip"] {
        let output = validate(&["changes", "--base", base, "--json"]);
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
        let expected = [
            "InvalidDate users.csv:7",
            "DeletedRecordNotFound users.csv:6",
            "ReferenceNotFound users.csv:4",
            "RequiredValueMissing users.csv:5",
            "ReferencedFileMissing base/classes.csv:2",
            // Enrolments in the class that goes; they stand in the set, and are not in the package.
            "ReferenceNotFound base/enrollments.csv:3",
            "ReferenceNotFound base/enrollments.csv:4",
        ];
        assert_eq!(found(&checked), expected, "{checked:#}");
        assert_eq!((&checked["changes"]["base"], &checked["totals"]["codes"]["ReferenceNotFound"]), (&base.into(), &3.into()));
        let numbers = ["rows", "added", "changed", "removed", "unchanged", "notApplied"];
        assert_eq!(numbers.map(|name| table(&checked, "users.csv")[name].as_u64().unwrap()), [6, 2, 1, 1, 1, 2]);
        assert_eq!(numbers.map(|name| table(&checked, "classes.csv")[name].as_u64().unwrap()), [1, 0, 0, 1, 1, 0]);
        assert_eq!(["orgs.csv", "enrollments.csv"].map(|name| table(&checked, name)["mode"].clone()), ["bulk", "absent"]);
    }
    let text = String::from_utf8(validate(&["changes", "--base", "base"]).stdout).unwrap();
    for told in ["changes to the set in base", "not in the package", "base/enrollments.csv:3", "base/… is a file of the set in base"] {
        assert!(text.contains(told), "{told}: {text}");
    }

    // By themselves: what is whole, deleted or faulty can be told, and what may be elsewhere is no finding.
    let output = validate(&["changes", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found(&checked), ["InvalidDate users.csv:7", "ReferenceNotFound users.csv:4", "RequiredValueMissing users.csv:5"]);
    assert_eq!((&checked["changes"]["base"], &table(&checked, "users.csv")["toBeDeleted"]), (&Value::Null, &2.into()));
    let text = String::from_utf8(validate(&["changes"]).stdout).unwrap();
    assert!(text.contains("could not be checked") && text.contains("homeroom validate changes --base"), "{text}");

    // Good changes end well; a whole set needs no base; a base must be a whole set; one file is no package.
    let good = [("users", "delta", format!("{users}s1,active,{CHANGED},true,B,student,ann,Anna,Hill\n"))];
    package(&dir.path().join("good"), &good);
    for (arguments, code, told) in [
        (&["good", "--base", "base"][..], 0, ""),
        (&["good"], 0, ""),
        (&["base", "--base", "base.zip"], 0, "without its base"),
        (&["changes", "--base", "good"], 3, "holds only changes itself"),
        (&["changes", "--base", "nowhere"], 3, "nowhere"),
        (&["changes/users.csv", "--base", "base"], 2, "manifest.csv"),
        (&["good", "--base", "base/users.csv"], 2, "is one file"),
        (&["good", "--base", "base", "--format", "sds-v2.1"], 1, "only OneRoster has packages of changes"),
    ] {
        let output = validate(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
    let other = [
        ("orgs.csv", "sourcedId,name,type\nA,A,school\n"),
        ("users.csv", "sourcedId,username\n1,a\n"),
        ("roles.csv", "userSourcedId,orgSourcedId,role\n1,A,student\n"),
    ];
    std::fs::create_dir(dir.path().join("other")).unwrap();
    for (name, text) in other {
        std::fs::write(dir.path().join("other").join(name), text).unwrap();
    }
    let output = validate(&["changes", "--base", "other", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&checked["format"], &checked["findings"][0]["code"]), (&"oneroster-1.1".into(), &"DeltaBaseVersion".into()));
    std::fs::write(dir.path().join("broken.zip"), "no archive").unwrap();
    let output = validate(&["broken.zip", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["format"], "nothing");
}
