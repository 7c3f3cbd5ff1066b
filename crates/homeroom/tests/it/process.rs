//! `homeroom serve` as a child process, and a client of it.

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Root of the API in URLs.
pub const ROOT: &str = "/beta/external/industryData";

/// A running server.
pub struct Serving {
    pub child: Child,
    pub base: String,
}

/// Waits until something holds.
pub async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it does not come to that");
}

/// The program.
pub fn homeroom() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homeroom"));
    command.env_remove("HOMEROOM_DATA_DIR").env_remove("RUST_LOG");
    command
}

impl Serving {
    /// Starts a server on a free port; `settings` are environment variables.
    pub fn start(data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start_as(homeroom(), data_dir, settings)
    }

    /// The same, by a command that ends with the program.
    pub fn start_as(mut program: Command, data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        let mut child = program
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("no address: {line}")).to_owned();
        Self { child, base }
    }

    /// Waits for the process to end by itself.
    pub async fn died(mut self) -> std::process::ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "the server lives on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client with a token.
pub struct Api {
    http: Client,
    base: String,
    token: String,
}

impl Api {
    /// With a token that was issued before.
    pub fn new(base: &str, token: &str) -> Self {
        Self { http: Client::builder().no_proxy().build().unwrap(), base: base.to_owned(), token: token.to_owned() }
    }

    /// Sends a request; the answer may not come when the server is about to die.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<Response> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await
    }

    /// GET of JSON.
    pub async fn get(&self, path: &str) -> Value {
        let response = self.send(Method::GET, path, None).await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// POST of JSON, which must make something.
    pub async fn create(&self, path: &str, body: &Value) -> String {
        let response = self.send(Method::POST, &format!("/beta/external/industryData/{path}"), Some(body)).await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 201, "{path}: {text}");
        let made: Value = serde_json::from_str(&text).unwrap();
        made["id"].as_str().unwrap().to_owned()
    }

    /// GET until a value is one of those wanted.
    pub async fn wait_for(&self, path: &str, pointer: &str, wanted: &[&str]) -> Value {
        let mut last = Value::Null;
        for _ in 0..1200 {
            last = self.get(path).await;
            if last.pointer(pointer).and_then(Value::as_str).is_some_and(|v| wanted.contains(&v)) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} {pointer} did not become one of {wanted:?}: {last}");
    }

    /// Source system, connector, year, inbound flow, flow set and a security group flow with both
    /// options, the inbound one ready; `domain` completes usernames. Gives the path of the connector.
    pub async fn configure(&self, domain: Option<&str>) -> String {
        let rule = |group: &str, order: u32| {
            json!({ "matchTarget": { "code": "userPrincipalName" }, "priorityOrder": order, "sourceIdentifier": { "code": "username" },
                    "roleGroup@odata.bind": format!("roleGroups/{group}"), "domainName": domain })
        };
        let rules = [rule("staff", 0), rule("students", 1)];
        let source = self.create("sourceSystems", &json!({ "displayName": "SIS", "userMatchingSettings": rules })).await;
        let connector = json!({ "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector", "displayName": "CSV",
                                "sourceSystem@odata.bind": format!("sourceSystems/{source}") });
        let connector = self.create("dataConnectors", &connector).await;
        let year = json!({ "displayName": "2026", "startDate": "2026-08-01", "endDate": "2027-07-31", "year": { "code": "2027" } });
        let year = self.create("years", &year).await;
        let inbound = json!({ "@odata.type": "#microsoft.graph.industryData.inboundFileFlow", "displayName": "Nightly",
                              "dataDomain": "educationRostering", "effectiveDateTime": "2026-08-01T00:00:00Z",
                              "dataConnector@odata.bind": format!("dataConnectors/{connector}"), "year@odata.bind": format!("years/{year}") });
        let inbound = self.create("inboundFlows", &inbound).await;
        let set = self.create("outboundProvisioningFlowSets", &json!({ "displayName": "All" })).await;
        let flow = json!({ "@odata.type": "#microsoft.graph.industryData.securityGroupProvisioningFlow",
                           "creationOptions": { "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": true } });
        self.create(&format!("outboundProvisioningFlowSets/{set}/provisioningFlows"), &flow).await;
        // The worker makes it ready; a plan that came before that would have no flow to be about.
        self.wait_for(&format!("{ROOT}/inboundFlows/{inbound}"), "/readinessStatus", &["ready"]).await;
        format!("{ROOT}/dataConnectors/{connector}")
    }

    /// Uploads files of a folder to a connector and waits until they are validated.
    pub async fn upload<'n>(&self, connector: &str, folder: &Path, names: impl Iterator<Item = &'n str>) {
        self.put(connector, folder, names).await;
        let accepted = self.send(Method::POST, &format!("{connector}/validate"), None).await.unwrap();
        self.wait_for(accepted.headers()["location"].to_str().unwrap(), "/status", &["succeeded"]).await;
    }

    /// Puts files of a folder into the upload session of a connector.
    pub async fn put<'n>(&self, connector: &str, folder: &Path, names: impl Iterator<Item = &'n str>) {
        let session = self.get(&format!("{connector}/microsoft.graph.industryData.azureDataLakeConnector/getUploadSession")).await;
        let (path, signature) = session["sessionUrl"].as_str().unwrap().split_once('?').unwrap();
        for name in names {
            let content = std::fs::read(folder.join(name)).unwrap();
            let request = self.http.put(format!("{path}/{name}?{signature}")).header("x-ms-blob-type", "BlockBlob").body(content);
            assert_eq!(request.send().await.unwrap().status(), 201, "{name}");
        }
    }
}
