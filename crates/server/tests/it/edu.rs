//! What Microsoft's own clients of this API check: the Postman collection "EDU Graph - industryData - SDS" and
//! the Data Factory templates of OfficeDev/O365-EDU-Tools, request by request as they send them.
//!
//! | folder or client | test |
//! | --- | --- |
//! | SDS - Inbound - Read | [`the_reading_folder`] |
//! | SDS - Upload CSVs | [`the_upload_folder`] |
//! | SDS - Create Inbound / CSV | [`the_folder_that_creates_an_inbound_flow`] |
//! | the collection's own headers and its word for an expired token | [`what_the_collection_adds_to_each_request`] |
//! | the collection's older steps | [`steps_of_earlier_versions`] |
//! | Data Factory | [`the_data_factory_template`] |
//! | what it asks that Homeroom does not do | [`what_is_not_met`] |

use crate::authorization::OwnIssuer;
use crate::harness::{Server, id};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// `{{IndustryDataUrl}}` of the collection.
const GRAPH: &str = "https://graph.microsoft.com/beta/external/industryData";
const FORM: &str = "application/x-www-form-urlencoded";

/// The collection's steps against one server, with its variables filled.
struct Postman<'a> {
    server: &'a Server,
    token: String,
}

impl<'a> Postman<'a> {
    /// Signed in as the folder's description says: with these permissions and no others.
    async fn with(server: &'a Server, permissions: &[&str]) -> Self {
        Self { server, token: server.token_with(permissions.iter().map(|p| (*p).to_owned()).collect()).await }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.server.http.request(method, format!("{}/beta/external/industryData{path}", self.server.base)).bearer_auth(&self.token)
    }

    /// Status and text of an answer; the collection tests the text as such.
    async fn send(request: RequestBuilder) -> (u16, String) {
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// "Expected HTTP 201", `have.string('"id":')`: without a blank after the colon. Gives the id. Bodies have
    /// Windows' line ends.
    async fn create(&self, path: &str, body: &Value) -> String {
        let body = serde_json::to_string_pretty(body).unwrap().replace('\n', "\r\n");
        let request = self.request(Method::POST, path).header("content-type", "application/json").body(body);
        let (status, text) = Self::send(request).await;
        assert_eq!(status, 201, "{path}: {text}");
        assert!(text.contains("\"id\":"), "{path}: {text}");
        id(&serde_json::from_str(&text).unwrap()).to_owned()
    }

    /// "Require array of values", "Value Array is not empty". The steps send the form's media type with GET,
    /// as all fields of their form are switched off.
    async fn list(&self, path: &str) -> Vec<Value> {
        let (status, text) = Self::send(self.request(Method::GET, path).header("content-type", FORM)).await;
        assert_eq!(status, 200, "{path}: {text}");
        let body: Value = serde_json::from_str(&text).unwrap();
        let values = body["value"].as_array().unwrap_or_else(|| panic!("{path}: value is no array: {body}"));
        assert!(!values.is_empty(), "{path}: value is empty");
        values.clone()
    }

    /// A step without a test of its own.
    async fn get(&self, path: &str) -> Value {
        let (status, text) = Self::send(self.request(Method::GET, path).header("content-type", FORM)).await;
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn delete(&self, path: &str) {
        let (status, text) = Self::send(self.request(Method::DELETE, path)).await;
        assert_eq!(status, 204, "{path}: {text}");
    }
}

/// "Create sourceSystem": role groups by both forms of key, and by the URL of Microsoft's host.
fn source_system() -> Value {
    let rule = |group: &str, priority: i32| {
        json!({ "matchTarget": { "code": "userPrincipalName" }, "priorityOrder": priority,
                "roleGroup@odata.bind": format!("{GRAPH}/roleGroups{group}"), "sourceIdentifier": { "code": "username" } })
    };
    json!({ "displayName": "Postman source system", "userMatchingSettings": [rule("/staff", 0), rule("('students')", 1)] })
}

/// "Create dataConnector": without a file format.
fn connector(source: &str) -> Value {
    json!({ "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector", "displayName": "Connector for Postman",
            "sourceSystem@odata.bind": format!("{GRAPH}/sourceSystems('{source}')") })
}

/// "_ GET Token (Application)", then every step that reads.
#[tokio::test(flavor = "multi_thread")]
async fn the_reading_folder() {
    let server = Server::start().await;
    let (made_connector, made_flow) = server.configure_inbound().await;
    server.run().await;
    let read = ["TimePeriod", "SourceSystem", "DataConnector", "InboundFlow", "Run"].map(|name| format!("IndustryData-{name}.Read.All"));
    let permissions: Vec<String> = read.into_iter().chain(["IndustryData.ReadBasic.All".to_owned()]).collect();
    let client = server.app.create_client(server.tenant.id, "Postman", permissions).await.unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client.client_id.as_str()),
        ("client_secret", client.client_secret.as_str()),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let url = format!("{}/{}/oauth2/v2.0/token", server.base, server.tenant.id);
    let answer = server.http.post(url).header("sdkversion", "postman-graph/v1.0").form(&form).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let postman = Postman { server: &server, token: answer["access_token"].as_str().unwrap().to_owned() };

    assert!(id(&postman.list("/years").await[0]).len() == 36);
    let sources = postman.list("/sourceSystems").await;
    assert_eq!(postman.get(&format!("/sourceSystems/{}", id(&sources[0]))).await["displayName"], sources[0]["displayName"]);
    let connectors = postman.list("/dataConnectors").await;
    assert_eq!(id(&connectors[0]), made_connector);
    assert_eq!(postman.get(&format!("/dataConnectors/{made_connector}")).await["displayName"], "CSV");
    let flows = postman.list("/inboundFlows").await;
    assert_eq!((id(&flows[0]), &flows[0]["displayName"]), (made_flow.as_str(), &json!("Nightly")));
    assert_eq!(id(&postman.get(&format!("/inboundFlows/{made_flow}")).await), made_flow);
    let runs = postman.list("/runs").await;
    let run = id(&runs[0]);
    assert_eq!(id(&postman.get(&format!("/runs/{run}")).await), run);
    assert_eq!(postman.get(&format!("/runs/{run}/getStatistics")).await["runId"], run);
    postman.list("/referenceDefinitions").await;
    assert!(postman.list("/roleGroups").await.iter().any(|group| group["id"] == "staff"));
    server.stop().await;
}

/// Every step from the dummy source system to its removal, with the delegated permissions that the folder's
/// description lists, taken as those of an application.
#[tokio::test(flavor = "multi_thread")]
async fn the_upload_folder() {
    let server = Server::start().await;
    let permissions = [
        "IndustryData-SourceSystem.ReadWrite.All",
        "IndustryData-DataConnector.ReadWrite.All",
        "IndustryData-DataConnector.Upload",
        "IndustryData.ReadBasic.All",
    ];
    let postman = Postman::with(&server, &permissions).await;
    let source = postman.create("/sourceSystems", &source_system()).await;
    postman.create("/dataConnectors", &connector(&source)).await;
    let listed = postman.list("/dataConnectors").await;
    let chosen = id(&listed[0]);
    assert_eq!(listed[0]["fileFormat"]["code"], "schoolDataSyncV2Rev1", "\"use only an active CSV connector with the same format\"");

    let opening = format!(
        "/dataConnectors('{chosen}')/microsoft.graph.industryData.azureDataLakeConnector/microsoft.graph.industryData.getUploadSession()"
    );
    let session = postman.get(&opening).await;
    let url = session["sessionUrl"].as_str().expect("sessionUrl is there");
    // The collection builds the address from its parts instead of taking it.
    let host = url.split('/').nth(2).unwrap();
    let signature = url.split('?').nth(1).unwrap();
    let container = session["containerId"].as_str().unwrap();
    let tenant = server.tenant.id;
    let users = b"sourcedId,username,givenName,familyName\r\nada,ada,Ada,Contoso\r\n".to_vec();
    // Its own tests want 200 for all three; Azure answers these, and the storage SDKs take no others.
    for (method, query, body, status) in [
        (Method::PUT, "resource=file".to_owned(), Vec::new(), 201),
        (Method::PATCH, "position=0&action=append".to_owned(), users.clone(), 202),
        (Method::PATCH, format!("position={}&action=flush", users.len()), Vec::new(), 200),
    ] {
        let url = format!("http://{host}/{tenant}/{chosen}/{container}/users.csv?{signature}&{query}");
        let request = server.http.request(method, url).header("content-type", format!("{FORM}; charset=UTF-8"));
        let request = request.header("x-ms-blob-content-type", "application/vnd.ms-excel").header("x-ms-blob-type", "BlockBlob");
        let (given, text) = Postman::send(request.header("x-ms-meta-uploadvia", "PortalUpload").body(body)).await;
        assert_eq!(given, status, "{query}: {text}");
    }
    let answer = postman.request(Method::POST, &format!("/dataConnectors/{chosen}/validate()")).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let location = answer.headers().get("location").expect("Location is there").to_str().unwrap().to_owned();
    // "Returned validation result": the operation has succeeded although files are missing, and says which.
    let mut result = Value::Null;
    for _ in 0..200 {
        let (status, text) = Postman::send(server.http.get(&location).bearer_auth(&postman.token)).await;
        assert_eq!(status, 200, "{text}");
        result = serde_json::from_str(&text).unwrap();
        if result["status"] == "succeeded" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(result["status"], "succeeded");
    assert!(!result["errors"].as_array().unwrap().is_empty(), "{result}");
    postman.delete(&format!("/dataConnectors/{chosen}")).await;
    postman.delete(&format!("/sourceSystems/{source}")).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_that_creates_an_inbound_flow() {
    let server = Server::start().await;
    let write = ["SourceSystem", "DataConnector", "TimePeriod", "InboundFlow"].map(|name| format!("IndustryData-{name}.ReadWrite.All"));
    let postman = Postman::with(&server, &write.each_ref().map(String::as_str)).await;
    let source = postman.create("/sourceSystems", &source_system()).await;
    let connector = postman.create("/dataConnectors", &connector(&source)).await;
    let year = json!({ "displayName": "Year 2026-09-12T15:52:35.620Z3506", "endDate": "2027-09-12", "startDate": "2026-09-12",
                       "year": { "code": "2026" } });
    let year = postman.create("/years", &year).await;
    // The start is a day, the end an instant with milliseconds.
    let flow = json!({
        "@odata.type": "#microsoft.graph.industryData.inboundFileFlow",
        "dataConnector@odata.bind": format!("{GRAPH}/dataConnectors/{connector}"),
        "dataDomain": "educationRostering",
        "displayName": "Inbound rostering flow from Postman",
        "effectiveDateTime": "2026-09-12",
        "expirationDateTime": "2027-09-12T15:52:35.620Z",
        "year@odata.bind": format!("{GRAPH}/years/{year}"),
    });
    let flow = postman.create("/inboundFlows", &flow).await;
    let made = postman.get(&format!("/inboundFlows/{flow}")).await;
    assert_eq!(made["effectiveDateTime"], "2026-09-12T00:00:00Z");
    assert_eq!(made["expirationDateTime"], "2027-09-12T15:52:35.62Z");
    assert_eq!(id(&postman.get(&format!("/inboundFlows/{flow}/year")).await), year);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_collection_adds_to_each_request() {
    let server = Server::start().await;
    server.configure_inbound().await;
    let postman = Postman::with(&server, &["IndustryData-InboundFlow.Read.All"]).await;
    for accept in ["*/*", "application/json", "application/json;odata.metadata=minimal"] {
        let request = postman.request(Method::GET, "/inboundFlows").header("accept", accept).header("sdkversion", "postman-graph/v1.0");
        let request = request.header("x-correlation-id", "1b2c").header("x-tenant-token", "t").header("x-test-endpoint", "e");
        let (status, text) = Postman::send(request.header("x-local-debug", "127.0.0.1")).await;
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status, 200, "{accept}: {text}");
        assert_eq!(body["value"][0]["@odata.type"], "#microsoft.graph.industryData.inboundFileFlow", "{accept}");
    }
    let level = |level: &'static str| {
        let request = postman.request(Method::GET, "/inboundFlows").header("accept", format!("application/json;odata.metadata={level}"));
        async move { serde_json::from_str::<Value>(&Postman::send(request).await.1).unwrap() }
    };
    assert!(level("none").await["@odata.context"].is_null());
    assert!(level("full").await["value"][0]["@odata.etag"].is_string());

    // Accept, Accept-Encoding, Connection and User-Agent are switched off.
    let head = format!(
        "GET /beta/external/industryData/inboundFlows HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        postman.token
    );
    let mut stream = tokio::net::TcpStream::connect(server.base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 16];
    stream.read_exact(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&answer));

    // `responseBody.indexOf("InvalidAuthenticationToken")` is how it finds that a token has expired.
    let own = OwnIssuer::of(&server).await;
    let mut claims = own.claims.clone();
    claims["exp"] = json!(server.app.now().as_second() - 3_600);
    let expired = Postman { server: &server, token: own.sign(&claims) };
    let (status, text) = Postman::send(expired.request(Method::GET, "/inboundFlows")).await;
    assert_eq!(status, 401);
    assert!(text.contains("InvalidAuthenticationToken"), "{text}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_earlier_versions() {
    let server = Server::start().await;
    let permissions = ["SourceSystem", "DataConnector", "OutboundFlow"].map(|name| format!("IndustryData-{name}.ReadWrite.All"));
    let postman = Postman::with(&server, &permissions.each_ref().map(String::as_str)).await;
    // A property that is in no version of the metadata.
    let mut system = source_system();
    system["userMatchingSettings"][1]["domainName"] = json!("valid.domain.edu");
    let source = postman.create("/sourceSystems", &system).await;
    let stored = postman.get(&format!("/sourceSystems('{source}')")).await;
    assert_eq!(stored["userMatchingSettings"][1]["domainName"], "valid.domain.edu");
    // A code that the reference does not know, answered as the one that it means.
    let mut named = connector(&source);
    named["fileFormat"] = json!({ "code": "schoolDataSyncV2.1" });
    let made = postman.create("/dataConnectors", &named).await;
    assert_eq!(postman.get(&format!("/dataConnectors/{made}")).await["fileFormat"]["code"], "schoolDataSyncV2Rev1");
    // An option without its dollar.
    let set = postman.create("/outboundProvisioningFlowSets", &json!({ "displayName": "All" })).await;
    let flow = json!({ "@odata.type": "#microsoft.graph.industryData.securityGroupProvisioningFlow",
                       "creationOptions": { "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": false } });
    let flow = postman.create(&format!("/outboundProvisioningFlowSets/{set}/provisioningFlows"), &flow).await;
    let sets = postman.list("/outboundProvisioningFlowSets?expand=provisioningFlows").await;
    assert_eq!(id(&sets[0]["provisioningFlows"][0]), flow);
    server.stop().await;
}

/// OneRoster_to_SDS_ADF_Template.json: it polls the flow with its connector until it is ready, asks for a
/// session, and validates with an empty object and without following the answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_data_factory_template() {
    let server = Server::start().await;
    let all: Vec<String> = server::all_permissions();
    let factory = Postman::with(&server, &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let source = factory.create("/sourceSystems", &source_system()).await;
    let connector = factory.create("/dataConnectors", &connector(&source)).await;
    let year = json!({ "displayName": "2026", "startDate": "2026-08-01", "endDate": "2027-07-31", "year": { "code": "2026" } });
    let year = factory.create("/years", &year).await;
    // `utcNow()` has seven digits after the point.
    let flow = json!({
        "@odata.type": "#microsoft.graph.industryData.inboundFileFlow",
        "dataConnector@odata.bind": format!("{GRAPH}/dataConnectors/{connector}"),
        "dataDomain": "educationRostering",
        "displayName": "ADF CSV2.1 Inbound Flow",
        "effectiveDateTime": "2026-08-01T03:04:05.1234567Z",
        "expirationDateTime": "2027-07-31T05:00:00Z",
        "year@odata.bind": format!("{GRAPH}/years/{year}"),
    });
    let flow = factory.create("/inboundFlows", &flow).await;
    let path = format!("{}/beta/external/industryData/inboundFlows/{flow}?$expand=dataConnector", server.base);
    let ready = server.wait_for(&path, "/readinessStatus", &["ready"]).await;
    assert_eq!(id(&ready["dataConnector"]), connector);
    assert_eq!(ready["effectiveDateTime"], "2026-08-01T03:04:05.1234567Z");
    let opening = format!("/dataConnectors/{connector}/microsoft.graph.industryData.azureDataLakeConnector/getUploadSession");
    let session = factory.get(&opening).await;
    // The linked service takes the whole address as its `sasUri`; file system and folder are its segments.
    let url = reqwest::Url::parse(session["sessionUrl"].as_str().unwrap()).unwrap();
    let segments: Vec<&str> = url.path_segments().unwrap().collect();
    assert_eq!(segments, [server.tenant.id.to_string().as_str(), &connector, session["containerId"].as_str().unwrap()]);
    let answer = factory.request(Method::POST, &format!("/dataConnectors/{connector}/validate()")).json(&json!({})).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    assert!(answer.headers()["location"].to_str().unwrap().starts_with(&server.base), "absolute");
    server.stop().await;
}

/// Three things that the collection asks for are not there, each on purpose.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_met() {
    let server = Server::start().await;
    let form = [("grant_type", "password"), ("client_id", "x"), ("userName", "ada"), ("password", "x")];
    // A password in the hands of a program: OAuth 2.1 has no such grant. A device code takes its place.
    let at = |path: &str| server.http.post(format!("{}/{path}", server.base)).form(&form).send();
    let refused = at(&format!("{}/oauth2/v2.0/token", server.tenant.id)).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"], "unsupported_grant_type");
    // The endpoint of the first version, which it asks for delegated tokens.
    let missing = at("common/oauth2/token").await.unwrap();
    assert_eq!(missing.status(), 404);
    assert_eq!(missing.json::<Value>().await.unwrap()["error"]["code"], "NotFound");
    // "Create inboundFlow" has the test of a list beside it: `value` of what was made should be an array.
    let (_, flow) = server.configure_inbound().await;
    assert!(server.get(&format!("/beta/external/industryData/inboundFlows/{flow}")).await["value"].is_null());
    server.stop().await;
}
