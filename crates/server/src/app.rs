//! What every part of the server shares.

use crate::admin::AdminError;
use crate::config::Config;
use crate::error::AppError;
use crate::fetch;
use crate::links;
use crate::throttle::Throttle;
use crate::worker::LANES;
use ::http::HeaderMap;
use egress::Egress;
use identity::{Keys, TokenAnswer, TokenRequest, TrustedIssuers};
use industry_data::rules::for_each_secret;
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use store::{OpContext, Store, StoreConfig, TenantId};
use tokio::sync::Notify;
use upload::{UploadLimits, UploadService};
use uuid::Uuid;

/// The application; clones share it.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
    /// Served over TLS: links that follow the request say https.
    secure: bool,
}

struct Inner {
    store: Store,
    keys: Keys,
    issuers: TrustedIssuers,
    uploads: UploadService,
    config: Config,
    throttle: Throttle,
    egress: Egress,
    /// One for each lane of the worker: a wake-up that comes while a lane is busy is kept for it.
    work: [Notify; LANES.len()],
    stopping: AtomicBool,
    /// Somebody has set up a source, or changed one.
    sources_changed: AtomicBool,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("store", &self.inner.store).finish_non_exhaustive()
    }
}

/// How soon what waits for others sees that the server is stopping.
const STOPPING_TICK: Duration = Duration::from_millis(250);
/// Key of a secret that is encrypted in a stored document.
pub(crate) const SEALED: &str = "$sealed";

impl App {
    /// Opens a data directory, making what is not there yet.
    pub fn open(data_dir: &Path, database_url: Option<String>, config: Config) -> Result<Self, AdminError> {
        let issuers = TrustedIssuers::new(&config.issuers, &fetch::fetch())
            .map_err(|why| AdminError::hinting(why, "docs/authentication.md shows the settings of common issuers"))?;
        let store = Store::open(&StoreConfig { data_dir: data_dir.to_owned(), database_url })?;
        let ctx = OpContext::system(TenantId(Uuid::nil()), Uuid::now_v7(), jiff::Timestamp::now());
        let keys = Keys::load(&store, &ctx)?;
        let key = store.secrets().mac_key("upload session")?;
        let limits = UploadLimits { file_bytes: config.uploads.max_file_bytes, session_bytes: config.uploads.max_session_bytes };
        let uploads = UploadService::new(store.clone(), key, limits);
        let throttle = Throttle::new(&config.limits);
        let egress = Egress::new(&config.outbound.allow)
            .map_err(|why| AdminError::hinting(format!("[outbound] allow: {why}"), "docs/configuration.md shows what it may be"))?;
        let work = LANES.map(|_| Notify::new());
        let inner = Inner {
            store,
            keys,
            issuers,
            uploads,
            config,
            throttle,
            egress,
            work,
            stopping: AtomicBool::new(false),
            sources_changed: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner), secure: false })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Settings.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Upload sessions.
    pub fn uploads(&self) -> &UploadService {
        &self.inner.uploads
    }

    /// Where connections may go that tenants configure.
    pub(crate) fn egress(&self) -> &Egress {
        &self.inner.egress
    }

    /// The clock: the only place where the server reads the time.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    /// Ids: the only place where the server makes them. They sort by time.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }

    /// Homeroom itself, acting for a tenant now.
    #[must_use]
    pub fn system(&self, tenant: TenantId) -> OpContext {
        OpContext::system(tenant, self.new_id(), self.now())
    }

    /// The base of absolute links in an answer.
    pub fn base_url(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> String {
        let http = &self.inner.config.server;
        links::base_url(http.public_url.as_deref(), &http.trusted_proxies, peer, headers, self.secure)
    }

    /// The same application, as it is seen over TLS.
    pub(crate) fn over_tls(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Counts one call of the Graph API, a part of a batch as one, against the caller's `[limits]`.
    pub(crate) fn throttle(&self, ctx: &OpContext) -> Result<(), AppError> {
        self.inner.throttle.take(ctx, Instant::now()).map_err(|wait| AppError::TooManyRequests {
            // Whole seconds, rounded up: zero would count as no header at all (Microsoft's Python SDK).
            retry_after_seconds: wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
            message: "Too many requests of this application in this tenant. Please retry after the time in Retry-After.".to_owned(),
        })
    }

    /// Checks a bearer token.
    pub async fn authenticate(&self, header: Option<&str>, request_id: Uuid) -> Result<OpContext, AppError> {
        let inner = &self.inner;
        let checked = identity::verify(&inner.store, &inner.keys, &inner.issuers, header, request_id, self.now()).await;
        match checked {
            Ok(Ok(ctx)) => Ok(ctx),
            Ok(Err(denied)) => Err(AppError::Unauthenticated(denied.message().to_owned())),
            Err(error) => Err(AppError::Internal(error.to_string())),
        }
    }

    /// Answers a request to the token endpoint.
    pub async fn token_request(&self, tenant: &str, body: &[u8], authorization: Option<&str>, base_url: &str) -> TokenAnswer {
        let request = TokenRequest {
            tenant: tenant.to_owned(),
            form: form_fields(body),
            authorization: authorization.map(str::to_owned),
            base_url: base_url.to_owned(),
        };
        let ctx = self.system(TenantId(Uuid::nil()));
        let answered = identity::token(&self.inner.store, &self.inner.keys, &ctx, request, self.new_id().to_string()).await;
        answered.unwrap_or_else(|error| server_error(&error, "The token could not be issued."))
    }

    /// Answers a request for a device code.
    pub async fn device_code_request(&self, tenant: &str, body: &[u8], base_url: &str) -> TokenAnswer {
        let request =
            TokenRequest { tenant: tenant.to_owned(), form: form_fields(body), authorization: None, base_url: base_url.to_owned() };
        let answered = identity::device_code(&self.inner.store, &self.system(TenantId(Uuid::nil())), request).await;
        answered.unwrap_or_else(|error| server_error(&error, "The code could not be made."))
    }

    /// Answers a request for the OpenID configuration of a tenant.
    pub async fn discovery(&self, tenant: &str, base_url: &str) -> TokenAnswer {
        let ctx = self.system(TenantId(Uuid::nil()));
        let answered = identity::discovery_document(&self.inner.store, &ctx, base_url, tenant).await;
        answered.unwrap_or_else(|error| server_error(&error, "The tenant could not be looked up."))
    }

    /// The issuer's public keys.
    pub fn jwks(&self) -> Value {
        self.inner.keys.jwks().clone()
    }

    /// A text, encrypted, for a stored document. It can be decrypted only as what it is `about`.
    pub(crate) fn seal(&self, about: &str, text: &str) -> Result<Value, store::StoreError> {
        let sealed = self.inner.store.secrets().seal(about, text.as_bytes())?;
        Ok(json!({ SEALED: sealed.iter().map(|b| format!("{b:02x}")).collect::<String>() }))
    }

    /// What was encrypted; `sealed` is the value of [`SEALED`].
    pub(crate) fn unseal(&self, about: &str, sealed: &Value) -> Result<String, store::StoreError> {
        let plain = self.inner.store.secrets().open_sealed(about, &from_hex(sealed.as_str().unwrap_or_default()))?;
        Ok(String::from_utf8_lossy(&plain).into_owned())
    }

    /// Encrypts the secrets of a document that are not encrypted yet.
    pub fn seal_secrets(
        &self,
        tenant: TenantId,
        collection: &str,
        id: &str,
        mut document: Map<String, Value>,
    ) -> Result<Map<String, Value>, AppError> {
        let about = format!("{tenant}/{collection}/{id}");
        for_each_secret(&mut document, &mut |value| {
            if let Value::String(text) = value {
                *value = self.seal(&about, text)?;
            }
            Ok::<_, store::StoreError>(())
        })?;
        Ok(document)
    }

    /// Decrypts the secrets of a stored document.
    pub(crate) fn open_secrets(
        &self,
        tenant: TenantId,
        collection: &str,
        id: &str,
        mut document: Map<String, Value>,
    ) -> Result<Map<String, Value>, store::StoreError> {
        let about = format!("{tenant}/{collection}/{id}");
        for_each_secret(&mut document, &mut |value| {
            if let Some(sealed) = value.get(SEALED) {
                *value = json!(self.unseal(&about, sealed)?);
            }
            Ok::<_, store::StoreError>(())
        })?;
        Ok(document)
    }

    /// Tells the watch that the sources are not those that it knows.
    pub(crate) fn sources_changed(&self) {
        self.inner.sources_changed.store(true, Ordering::SeqCst);
    }

    /// Whether they have changed since this was asked last.
    pub(crate) fn take_sources_changed(&self) -> bool {
        self.inner.sources_changed.swap(false, Ordering::SeqCst)
    }

    /// Tells the worker that there is something to do.
    pub fn wake_worker(&self) {
        self.inner.work.iter().for_each(Notify::notify_one);
    }

    pub(crate) async fn work(&self, lane: usize) {
        self.inner.work[lane].notified().await;
    }

    pub(crate) fn stop_worker(&self) {
        self.inner.stopping.store(true, Ordering::SeqCst);
        self.inner.work.iter().for_each(Notify::notify_one);
    }

    /// Ends when the server has been told to stop.
    pub(crate) async fn stopping(&self) {
        while !self.is_stopping() {
            tokio::time::sleep(STOPPING_TICK).await;
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.inner.stopping.load(Ordering::SeqCst)
    }
}

/// What [`App::seal_secrets`] has written; anything else becomes something that cannot be decrypted.
fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map_while(|digit| digit.to_digit(16)).map(|digit| u8::try_from(digit).unwrap_or_default()).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// When the fault is not the client's (RFC 6749 §4.1.2.1).
fn server_error(error: &identity::IdentityError, description: &str) -> TokenAnswer {
    tracing::error!(error = %crate::error::chain(error), description, "the token issuer failed");
    TokenAnswer { status: 500, body: json!({ "error": "server_error", "error_description": description }) }
}

/// `application/x-www-form-urlencoded`
fn form_fields(body: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body).replace('+', " ");
    let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
    text.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(k, v)| (decode(k), decode(v))).collect()
}
