//! A server of its own for each test: a data directory, a tenant, a listener on a free port.

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use server::config::Config;
use server::{App, Shutdown, Tenant};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A running server.
pub struct Server {
    pub app: App,
    pub tenant: Tenant,
    pub base: String,
    pub http: Client,
    token: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    task: Option<tokio::task::JoinHandle<()>>,
    /// Shared by the servers of one installation.
    dir: Arc<TempDir>,
    database_url: Option<String>,
}

impl Server {
    /// With the default settings.
    pub async fn start() -> Self {
        Self::with(Config::default()).await
    }

    /// With other settings.
    pub async fn with(config: Config) -> Self {
        Self::on(None, config).await
    }

    /// On a PostgreSQL database when there is one, else on SQLite.
    pub async fn on(database_url: Option<String>, config: Config) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let app = App::open(dir.path(), database_url.clone(), config).unwrap();
        let tenant = app.create_tenant("Contoso School District", None, Some("contoso.example")).await.unwrap();
        let mut server = Self::serve(app, tenant, dir, database_url).await;
        server.token = server.token_with(server::all_permissions()).await;
        server
    }

    /// A second server of the same installation: the same data directory, the same database.
    pub async fn twin(&self) -> Self {
        let app = App::open(self.dir.path(), self.database_url.clone(), self.app.config().clone()).unwrap();
        let twin = Self::serve(app, self.tenant.clone(), self.dir.clone(), self.database_url.clone()).await;
        Self { token: self.token.clone(), ..twin }
    }

    async fn serve(app: App, tenant: Tenant, dir: Arc<TempDir>, database_url: Option<String>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, shutdown) = Shutdown::manual_or_signal();
        let served = app.clone();
        let task = tokio::spawn(async move { server::serve(served, listener, shutdown).await.unwrap() });
        // Answers as they come: tests look at their encoding.
        let http = Client::builder().no_proxy().no_gzip().build().unwrap();
        Self { app, tenant, base, http, token: String::new(), stop: Some(stop), task: Some(task), dir, database_url }
    }

    /// A token of a new client with these permissions.
    pub async fn token_with(&self, permissions: Vec<String>) -> String {
        self.token_of(self.tenant.id, permissions).await
    }

    /// A token of a new client of any tenant.
    pub async fn token_of(&self, tenant: store::TenantId, permissions: Vec<String>) -> String {
        let client = self.app.create_client(tenant, "test", permissions).await.unwrap();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client.client_id.as_str()),
            ("client_secret", client.client_secret.as_str()),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.base);
        let answer: Value = self.http.post(url).form(&form).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    /// Where its data are.
    pub fn data_dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// A token with all permissions.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Sends a request with the token of all permissions; `path` starts below the host.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap()
    }

    /// GET of JSON; panics with the body unless it is 200.
    pub async fn get(&self, path: &str) -> Value {
        expect(self.send(Method::GET, path, None).await, 200, path).await
    }

    /// POST of JSON to industryData; panics unless it is 201.
    pub async fn create(&self, path: &str, body: &Value) -> Value {
        let path = format!("/beta/external/industryData/{path}");
        expect(self.send(Method::POST, &path, Some(body)).await, 201, &path).await
    }

    /// GET until a value at a JSON pointer is one of those wanted.
    pub async fn wait_for(&self, path: &str, pointer: &str, wanted: &[&str]) -> Value {
        let mut last = Value::Null;
        for _ in 0..600 {
            last = self.get(path).await;
            if last.pointer(pointer).and_then(Value::as_str).is_some_and(|v| wanted.contains(&v)) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} {pointer} did not become one of {wanted:?}: {last}");
    }

    /// Source system, connector, year and inbound flow; gives connector and flow.
    pub async fn configure_inbound(&self) -> (String, String) {
        let source = self.create("sourceSystems", &source_system()).await;
        let connector = json!({
            "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector",
            "displayName": "CSV",
            "sourceSystem@odata.bind": format!("sourceSystems/{}", id(&source)),
            "fileFormat": { "code": "schoolDataSyncV2.1" },
        });
        let connector = self.create("dataConnectors", &connector).await;
        let year = self.create("years", &year()).await;
        let flow = json!({
            "@odata.type": "#microsoft.graph.industryData.inboundFileFlow",
            "displayName": "Nightly",
            "dataDomain": "educationRostering",
            "effectiveDateTime": "2026-08-01T00:00:00Z",
            "dataConnector@odata.bind": format!("dataConnectors/{}", id(&connector)),
            "year@odata.bind": format!("years/{}", id(&year)),
        });
        let flow = self.create("inboundFlows", &flow).await;
        (id(&connector).to_owned(), id(&flow).to_owned())
    }

    /// Everything up to a flow set with a security group flow; gives `(connector, set, flow)`.
    pub async fn configure(&self, options: &Value) -> (String, String, String) {
        let (connector, _) = self.configure_inbound().await;
        let set = self.create("outboundProvisioningFlowSets", &json!({ "displayName": "All", "filter": null })).await;
        let flow = json!({ "@odata.type": "#microsoft.graph.industryData.securityGroupProvisioningFlow", "creationOptions": options });
        let flow = self.create(&format!("outboundProvisioningFlowSets/{}/provisioningFlows", id(&set)), &flow).await;
        (connector, id(&set).to_owned(), id(&flow).to_owned())
    }

    /// The upload session of a connector.
    pub async fn upload_session(&self, connector: &str) -> Value {
        let cast = "microsoft.graph.industryData.azureDataLakeConnector";
        self.get(&format!("/beta/external/industryData/dataConnectors/{connector}/{cast}/getUploadSession")).await
    }

    /// Uploads files to a connector and waits for basic validation; gives the operation.
    pub async fn upload(&self, connector: &str, files: &[(String, Vec<u8>)]) -> Value {
        let session = self.upload_session(connector).await;
        let connector = format!("/beta/external/industryData/dataConnectors/{connector}");
        let url = session["sessionUrl"].as_str().unwrap();
        let (path, signature) = url.split_once('?').unwrap();
        for (name, content) in files {
            let request = self.http.put(format!("{path}/{name}?{signature}")).header("x-ms-blob-type", "BlockBlob");
            assert_eq!(request.body(content.clone()).send().await.unwrap().status(), 201, "{name}");
        }
        let accepted = self.send(Method::POST, &format!("{connector}/validate"), None).await;
        assert_eq!(accepted.status(), 202);
        let operation = accepted.headers()["location"].to_str().unwrap().to_owned();
        self.wait_for(&operation, "/status", &["succeeded", "failed"]).await
    }

    /// Starts a run and waits for its end; gives the run.
    pub async fn run(&self) -> Value {
        let accepted = self.send(Method::POST, "/beta/external/industryData/runs/start", None).await;
        let status = accepted.status();
        let location = accepted.headers().get("location").map(|v| v.to_str().unwrap().to_owned());
        assert_eq!(status, 202, "{}", accepted.text().await.unwrap());
        let operation = self.wait_for(&location.unwrap(), "/status", &["succeeded", "failed"]).await;
        self.get(operation["resourceLocation"].as_str().unwrap()).await
    }

    /// Security groups and the UPNs of their members, by name.
    pub async fn groups(&self) -> std::collections::BTreeMap<String, Vec<String>> {
        let mut groups = std::collections::BTreeMap::new();
        for group in self.get("/beta/groups?$top=999").await["value"].as_array().unwrap() {
            let members = self.get(&format!("/beta/groups/{}/members?$top=999", id(group))).await;
            let mut upns: Vec<String> =
                members["value"].as_array().unwrap().iter().map(|u| u["userPrincipalName"].as_str().unwrap().to_owned()).collect();
            upns.sort();
            groups.insert(group["displayName"].as_str().unwrap().to_owned(), upns);
        }
        groups
    }

    /// Stops the server and waits for its end.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).unwrap();
        }
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
    }
}

/// The `id` of an object.
pub fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap_or_else(|| panic!("no id in {object}"))
}

/// The JSON of an answer that must have a status.
pub async fn expect(response: Response, status: u16, what: &str) -> Value {
    let given = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(given, status, "{what}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// A source system that matches staff and students by username and the tenant's domain.
pub fn source_system() -> Value {
    let rule = |group: &str, priority: u32| {
        json!({
            "matchTarget": { "code": "userPrincipalName" },
            "priorityOrder": priority,
            "sourceIdentifier": { "code": "username" },
            "roleGroup@odata.bind": format!("roleGroups/{group}"),
            "domainName": "contoso.example",
        })
    };
    json!({ "displayName": "SIS", "userMatchingSettings": [rule("staff", 0), rule("students", 1)] })
}

/// The academic year.
pub fn year() -> Value {
    json!({ "displayName": "2026-2027", "startDate": "2026-08-01", "endDate": "2027-07-31", "year": { "code": "2027" } })
}
