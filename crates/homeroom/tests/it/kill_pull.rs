//! A pull from a OneRoster API while the server dies: nothing of half a set is ever accepted, and the next start finishes.

use crate::accepted_set::{accepted, all_ended};
use crate::district::QUICK;
use crate::kill_anywhere::{copy, members, start_run};
use crate::process::{Api, ROOT, Serving};
use crate::provider::{CLIENT_ID, CLIENT_SECRET, Planned, Provider, Setup, Trouble, school};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const DOMAIN: &str = "contoso.example";

/// A data directory in which everything is ready for the first run; gives the token.
async fn prepare(data_dir: &Path, provider: &Provider) -> String {
    let app = server::App::open(data_dir, None, server::config::Config::default()).unwrap();
    let tenant = app.create_tenant("Contoso", None, Some(DOMAIN)).await.unwrap();
    let account = |name: &str| server::Account {
        upn: format!("{name}@{DOMAIN}"),
        mail: None,
        display_name: name.to_owned(),
        given_name: name.to_owned(),
        surname: "Contoso".to_owned(),
        enabled: true,
    };
    app.import_accounts(tenant.id, ["t0", "s0", "s1", "s2"].map(account).into()).await.unwrap();
    let client = app.create_client(tenant.id, "test", server::all_permissions()).await.unwrap();
    let answer = app.issue_token(&tenant.id.to_string(), &client.client_id, &client.client_secret).await.unwrap();
    let token = answer["access_token"].as_str().unwrap().to_owned();
    drop(app);
    let serving = serve(data_dir, provider, None);
    configure(&Api::new(&serving.base, &token), provider).await;
    serving.kill();
    token
}

/// Connector, flow and what is made of them, the connection tested.
async fn configure(api: &Api, provider: &Provider) {
    // The flows of files are of no use here, what comes out of them is.
    api.configure(Some(DOMAIN)).await;
    let source = api.get(&format!("{ROOT}/sourceSystems")).await["value"][0]["id"].as_str().unwrap().to_owned();
    let year = api.get(&format!("{ROOT}/years")).await["value"][0]["id"].as_str().unwrap().to_owned();
    let credential = json!({ "@odata.type": "#microsoft.graph.industryData.oAuth2ClientCredential", "displayName": "c", "scope": "roster",
                             "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET, "tokenUrl": format!("{}/token", provider.base) });
    let connector = json!({ "@odata.type": "#microsoft.graph.industryData.oneRosterApiDataConnector", "displayName": "API",
                            "sourceSystem@odata.bind": format!("sourceSystems/{source}"), "apiFormat": "oneRoster", "apiVersion": "1.1",
                            "baseUrl": format!("{}/ims/oneroster/v1p1", provider.base), "isContactsEnabled": true,
                            "isDemographicsEnabled": false, "isFlagsEnabled": true, "credential": credential });
    let connector = api.create("dataConnectors", &connector).await;
    let flow = json!({ "@odata.type": "#microsoft.graph.industryData.inboundApiFlow", "displayName": "From the API",
                       "dataDomain": "educationRostering", "effectiveDateTime": "2026-08-01T00:00:00Z",
                       "dataConnector@odata.bind": format!("dataConnectors/{connector}"), "year@odata.bind": format!("years/{year}") });
    let files = api.get(&format!("{ROOT}/inboundFlows")).await["value"][0]["id"].as_str().unwrap().to_owned();
    api.send(Method::DELETE, &format!("{ROOT}/inboundFlows/{files}"), None).await.unwrap();
    api.create("inboundFlows", &flow).await;
    api.send(Method::POST, &format!("{ROOT}/dataConnectors/{connector}/validate"), None).await.unwrap();
    all_ended(api).await;
}

fn serve(data_dir: &Path, provider: &Provider, abort_at: Option<&str>) -> Serving {
    let open = format!("[\"{}\"]", provider.address);
    let mut settings = vec![QUICK[0], QUICK[1], ("HOMEROOM_OUTBOUND__ALLOW", open.as_str())];
    settings.extend(abort_at.map(|failpoint| ("HOMEROOM_TEST_ABORT_AT", failpoint)));
    Serving::start(data_dir, &settings)
}

/// What a run has left: the accepted set, the groups, how the newest run ended and how it pulled.
#[derive(Debug, PartialEq)]
struct Left {
    set: BTreeMap<String, Vec<u8>>,
    members: BTreeMap<String, Vec<String>>,
    status: Value,
    pulled: String,
}

/// Starts the server, with a run if one is to be started, waits for all of its runs and looks at everything.
async fn finish(data_dir: &Path, provider: &Provider, token: &str, start: bool) -> Left {
    let serving = serve(data_dir, provider, None);
    let api = Api::new(&serving.base, token);
    if start {
        start_run(&api).await;
    }
    all_ended(&api).await;
    let members = members(&api).await;
    serving.kill();
    let looked_at = tempfile::tempdir().unwrap();
    copy(data_dir, looked_at.path());
    let app = server::App::open(looked_at.path(), None, server::config::Config::default()).unwrap();
    let tenant = app.list_tenants().await.unwrap()[0].id;
    let run = app.list_runs(tenant).await.unwrap().remove(0);
    let shown = app.show_run(tenant, run["id"].as_str().unwrap()).await.unwrap();
    // Without the time since when.
    let pulled = shown["inbound"][0]["pull"].as_str().unwrap().split(" since").next().unwrap().to_owned();
    Left { set: accepted(data_dir).await, members, status: run["status"].clone(), pulled }
}

/// Kills the pull of a run at each place, and holds what the next start makes of it against a run that nobody killed.
async fn killed_everywhere(original: &Path, provider: &Provider, token: &str, undisturbed: &Left) {
    let before = accepted(original).await;
    assert_ne!(before, undisturbed.set);
    for failpoint in server::PULL_FAILPOINTS {
        let dir = tempfile::tempdir().unwrap();
        copy(original, dir.path());
        let serving = serve(dir.path(), provider, Some(failpoint));
        start_run(&Api::new(&serving.base, token)).await;
        assert!(!serving.died().await.success(), "{failpoint}");
        let is_accepted = failpoint == "pull-accepted";
        assert!(accepted(dir.path()).await == if is_accepted { undisturbed.set.clone() } else { before.clone() }, "{failpoint}");
        // Until the new set is noted it is pulled again, and the process dies a second time.
        if matches!(failpoint, "pull-half" | "pull-brought") {
            assert!(!serve(dir.path(), provider, Some(failpoint)).died().await.success(), "{failpoint}");
            assert!(accepted(dir.path()).await == before, "{failpoint}");
        }
        assert_eq!(&finish(dir.path(), provider, token, false).await, undisturbed, "{failpoint}");
    }
}

mod thorough {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_pull_that_is_killed_leaves_the_set_before_and_is_finished_by_the_next_start() {
        // The enrolments take their time: whoever dies while the people come in has them not.
        let slow = Planned { collection: "enrollments", requests: 0..usize::MAX, trouble: Trouble::Slow(Duration::from_millis(300)) };
        let provider = Provider::start(Setup { troubles: vec![slow], ..Setup::default() }, school("1.1", 10)).await;
        let original = tempfile::tempdir().unwrap();
        let token = prepare(original.path(), &provider).await;
        let one = tempfile::tempdir().unwrap();
        copy(original.path(), one.path());
        let first = finish(one.path(), &provider, &token, true).await;
        assert_eq!((first.pulled.as_str(), first.members["All Students"].len()), ("pulled in full", 3), "{first:?}");
        assert!(first.set.contains_key("users.csv") && first.set.contains_key("enrollments.csv"), "{:?}", first.set.keys());
        killed_everywhere(original.path(), &provider, &token, &first).await;

        // And the pull of what has changed since, on top of that set.
        provider.change(|data| {
            let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
            let gone = data.get_mut("users").unwrap().iter_mut().find(|user| user["sourcedId"] == "s1").unwrap();
            (gone["status"], gone["dateLastModified"]) = (json!("tobedeleted"), json!(now));
        });
        let other = tempfile::tempdir().unwrap();
        copy(one.path(), other.path());
        let second = finish(other.path(), &provider, &token, true).await;
        assert_eq!((second.pulled.as_str(), second.members["All Students"].len()), ("pulled what has changed", 2), "{second:?}");
        killed_everywhere(one.path(), &provider, &token, &second).await;
    }
}
