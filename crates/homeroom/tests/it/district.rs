//! The invented district, ready to run.

use crate::process::{Api, Serving};
use std::path::Path;

/// Domain of its accounts.
pub const DOMAIN: &str = "rivermark.example";
/// A dead worker's job is taken up after a second, not after a quarter of a minute.
pub const QUICK: [(&str, &str); 2] = [("HOMEROOM_WORKER__LEASE_SECONDS", "1"), ("HOMEROOM_RUNS__ON_DEMAND_PER_12H", "0")];

/// A data directory in which everything is ready for the first run; gives the token.
pub async fn prepare(data_dir: &Path) -> String {
    let roster = tempfile::tempdir().unwrap();
    let district = roster::demo::write_demo_district(roster.path(), DOMAIN, 0).unwrap();
    let token = {
        let app = server::App::open(data_dir, None, server::config::Config::default()).unwrap();
        let tenant = app.create_tenant("Rivermark", None, Some(DOMAIN)).await.unwrap();
        let accounts = district.directory_users.into_iter().map(|a| server::Account {
            upn: a.upn,
            mail: a.mail,
            display_name: a.display_name,
            given_name: a.given,
            surname: a.family,
            enabled: a.enabled,
        });
        app.import_accounts(tenant.id, accounts.collect()).await.unwrap();
        let client = app.create_client(tenant.id, "test", server::all_permissions()).await.unwrap();
        let answer = app.issue_token(&tenant.id.to_string(), &client.client_id, &client.client_secret).await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let serving = Serving::start(data_dir, &QUICK);
    let api = Api::new(&serving.base, &token);
    let connector = api.configure(Some(DOMAIN)).await;
    let files = district.files.iter().map(|(name, _)| *name);
    api.upload(&connector, roster.path(), files).await;
    serving.kill();
    token
}
