//! Settings of a server: one typed struct a concern, from `homeroom.toml` and the environment.
//!
//! Every setting `[section] key` can be given as `HOMEROOM_SECTION__KEY`, the list of issuers as a whole
//! as `HOMEROOM_ISSUERS`, that of sources as `HOMEROOM_SOURCES`. A key that is not known is refused with its place, so that a misspelt safety limit is never silently ignored.

pub(crate) mod source;

pub use source::{Secret, SftpSource, Source};

use crate::limits::JOBS_AT_ONCE_MAX;
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// `[[issuers]]`
pub use identity::IssuerSettings as Issuer;

/// All settings.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Runs and their quota.
    pub runs: Runs,
    /// What a run may change before it stops and asks (decision 23).
    pub guards: Guards,
    /// Upload sessions.
    pub uploads: Uploads,
    /// HTTP.
    pub server: Http,
    /// Names of provisioned objects.
    pub naming: Naming,
    /// Background work.
    pub worker: Worker,
    /// What one client may take.
    pub limits: Limits,
    /// Where connections may go that tenants configure.
    pub outbound: Outbound,
    /// Places that tenants may have exports fetched from.
    pub intake: Intake,
    /// Pulls from OneRoster APIs.
    pub oneroster: OneRoster,
    /// Issuers whose tokens are taken beside Homeroom's own.
    pub issuers: Vec<Issuer>,
    /// Places that exports are fetched from.
    pub sources: Vec<Source>,
}

/// `[worker]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// How long a job of a worker that died waits for the next one, seconds.
    pub lease_seconds: u32,
    /// Jobs of a kind that one process carries out at the same time, each of another tenant; as many as there are processors
    /// when nothing is said, but from 2 to 8.
    pub jobs_at_once: Option<NonZeroU32>,
}

impl Default for Worker {
    fn default() -> Self {
        Self { lease_seconds: 15, jobs_at_once: None }
    }
}

impl Worker {
    /// Jobs of a kind that are carried out at the same time.
    #[must_use]
    pub fn jobs_at_once(&self) -> usize {
        // Not one: the export of one school would keep all others waiting. Beyond the upper bound it is memory that counts.
        let processors = || std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
        self.jobs_at_once.map_or_else(processors, |jobs| usize::try_from(jobs.get()).unwrap_or(usize::MAX))
    }
}

/// `[outbound]`: connections to addresses that tenants configure.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outbound {
    /// Networks, addresses and names that are open although they are not public, or without encryption.
    pub allow: Vec<String>,
}

/// `[intake]`: places that tenants may have exports fetched from, by the admin API.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Intake {
    /// Folders below which, `{tenant}` in them standing for a tenant's id.
    pub folders: Vec<PathBuf>,
}

/// `[oneroster]`: what is asked of OneRoster APIs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OneRoster {
    /// Hours after which a roster is pulled in full again; until then runs ask for what has changed. 0: always in full.
    pub full_every_hours: u32,
    /// How far before the last pull changes are asked for, minutes.
    pub overlap_minutes: u32,
}

impl Default for OneRoster {
    fn default() -> Self {
        // Less than a day, so that a nightly run is in full. Providers serve from copies that they renew
        // every quarter of an hour or every hour: what is changed in between shows up late, with its old time.
        Self { full_every_hours: 20, overlap_minutes: 90 }
    }
}

/// `[runs]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Runs {
    /// Successful on-demand starts per 12 hours and tenant; 0 lifts the limit (decision 9).
    pub on_demand_per_12h: u32,
}

impl Default for Runs {
    fn default() -> Self {
        Self { on_demand_per_12h: 5 }
    }
}

/// `[guards]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guards {
    /// A drop of people, memberships or groups above this share (percent) stops the run …
    pub max_drop_percent: f64,
    /// … when it is also above this number.
    pub max_drop_count: u64,
    /// More rows than this share (percent) in error stop the run.
    pub max_error_percent: f64,
}

impl Default for Guards {
    fn default() -> Self {
        Self { max_drop_percent: 20.0, max_drop_count: 10, max_error_percent: 25.0 }
    }
}

/// `[uploads]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Uploads {
    /// Largest single file, bytes.
    pub max_file_bytes: u64,
    /// All that one session holds, files and what is on its way, bytes. A file that comes in blocks needs
    /// its size twice while it is put together.
    pub max_session_bytes: u64,
    /// How long a session takes files, hours.
    pub session_hours: u32,
    /// What a session URL lets its holder do: read, create, write (replace), delete, list, move (rename), in
    /// this order.
    pub session_rights: String,
}

impl Default for Uploads {
    fn default() -> Self {
        Self {
            max_file_bytes: 5 * 1024 * 1024 * 1024,
            max_session_bytes: 20 * 1024 * 1024 * 1024,
            session_hours: 14,
            session_rights: upload::Rights::all().to_string(),
        }
    }
}

/// `[server]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Base of all absolute links, for example `https://homeroom.contoso.example`.
    pub public_url: Option<String>,
    /// Addresses of reverse proxies whose `X-Forwarded-Proto` and `-Host` are believed.
    pub trusted_proxies: Vec<std::net::IpAddr>,
    /// Origins whose scripts may call the API, or `*` for all.
    pub cors_origins: Vec<String>,
    /// Certificate chain in PEM; with it the server speaks TLS.
    pub tls_cert: Option<PathBuf>,
    /// Key of the certificate in PEM.
    pub tls_key: Option<PathBuf>,
    /// TLS with a certificate of a local authority in the data directory.
    pub tls_self_signed: bool,
    /// How long requests under way may take to finish when the server stops, seconds.
    pub shutdown_seconds: u32,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            public_url: None,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            tls_cert: None,
            tls_key: None,
            tls_self_signed: false,
            shutdown_seconds: 30,
        }
    }
}

impl Http {
    /// The host of `public_url`, without its port and without the brackets of an IPv6 address.
    #[must_use]
    pub fn public_host(&self) -> Option<String> {
        let uri: http::Uri = self.public_url.as_ref()?.parse().ok()?;
        uri.host().map(|host| host.trim_start_matches('[').trim_end_matches(']').to_owned())
    }

    /// Does the server speak TLS itself?
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.tls_self_signed || self.tls_cert.is_some()
    }
}

/// `[limits]`: what one client may take.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Graph calls per second of one API client in one tenant, on average; 0 lifts the limit.
    pub requests_per_second: u32,
    /// How many it may make at once after a pause.
    pub burst: u32,
    /// Connections at the same time; more wait. The default leaves room below the 1,024 files that a
    /// process may commonly have open.
    pub connections: u32,
    /// A TLS handshake, and the head of a request, have to be complete in this time, seconds.
    pub header_seconds: u32,
    /// A body that stands still for this time is given up, seconds; what is left of one that was refused is read away for as
    /// long.
    pub body_seconds: u32,
    /// A connection without a request is closed after this time, seconds.
    pub idle_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_per_second: 1000, burst: 10_000, connections: 768, header_seconds: 30, body_seconds: 30, idle_seconds: 75 }
    }
}

/// `[naming]`: templates with `{roleGroup}` and `{org}` (decision 26).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Naming {
    /// Security group of a role group.
    pub role_group: String,
    /// Security group of a role group in an organization.
    pub org_role_group: String,
}

impl Default for Naming {
    fn default() -> Self {
        Self { role_group: "All {roleGroup}".to_owned(), org_role_group: "{roleGroup} - {org}".to_owned() }
    }
}

impl Config {
    /// Reads `file` (when given) and then the environment, which wins.
    ///
    /// # Errors
    /// The text says which key of which source is wrong.
    pub fn load(file: Option<&Path>) -> Result<Self, String> {
        let mut figment = Figment::new();
        if let Some(path) = file {
            if !path.is_file() {
                return Err(format!("the configuration file {} does not exist", path.display()));
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        // Only names with the section separator: HOMEROOM_DATA_DIR and the like are not settings.
        let environment =
            Env::prefixed("HOMEROOM_").filter(|key| key.as_str().contains("__") || key == "issuers" || key == "sources").split("__");
        let config: Self = figment.merge(environment).extract().map_err(|error| error.to_string())?;
        config.check()?;
        Ok(config)
    }

    /// Checks what types alone cannot say.
    ///
    /// # Errors
    /// The text names the setting and what it may be.
    pub fn check(&self) -> Result<(), String> {
        for (name, percent) in [("max_drop_percent", self.guards.max_drop_percent), ("max_error_percent", self.guards.max_error_percent)] {
            // Not a number would switch the guard off without a word.
            if !(0.0..=100.0).contains(&percent) {
                return Err(format!("[guards] {name} is a share in percent, from 0 to 100, not {percent}"));
            }
        }
        if let Err(why) = self.uploads.session_rights.parse::<upload::Rights>() {
            return Err(format!("[uploads] session_rights: {why}"));
        }
        if let Some(jobs) = self.worker.jobs_at_once.filter(|jobs| jobs.get() > JOBS_AT_ONCE_MAX) {
            return Err(format!(
                "[worker] jobs_at_once is {jobs}, and {JOBS_AT_ONCE_MAX} is the most; let more servers share the database"
            ));
        }
        if let Some(folder) = self.intake.folders.iter().find(|folder| !folder.is_absolute()) {
            return Err(format!("[intake] folders: `{}` does not begin at the root of the file system", folder.display()));
        }
        for (index, source) in self.sources.iter().enumerate() {
            source.check().map_err(|why| format!("[[sources]] {} ('{}'): {why}", index + 1, source.name))?;
            if self.sources[..index].iter().any(|other| other.name == source.name) {
                return Err(format!("[[sources]] has two of the name '{}'; what is known of a source is kept by its name", source.name));
            }
        }
        let http = &self.server;
        if let Some(url) = &http.public_url
            && !is_origin(url.strip_suffix('/').unwrap_or(url))
        {
            return Err(format!(
                "[server] public_url: `{url}` is not a public address; give scheme and host without a path, for example \
                 https://homeroom.contoso.example"
            ));
        }
        if let Some(origin) = http.cors_origins.iter().find(|origin| *origin != "*" && !is_origin(origin)) {
            return Err(format!("[server] cors_origins: `{origin}` is not an origin such as https://console.contoso.example, nor `*`"));
        }
        if http.tls_cert.is_some() != http.tls_key.is_some() {
            return Err("[server] tls_cert and tls_key: a certificate needs its key, and a key its certificate".to_owned());
        }
        if http.tls_self_signed && http.tls_cert.is_some() {
            return Err("[server] tls_self_signed: there is a tls_cert already; choose one".to_owned());
        }
        if http.has_tls() && http.public_url.as_ref().is_some_and(|url| url.starts_with("http://")) {
            return Err("[server] public_url: with TLS the public address begins with https://".to_owned());
        }
        egress::Egress::new(&self.outbound.allow).map_err(|why| format!("[outbound] allow: {why}"))?;
        let limits = &self.limits;
        let positive = [
            ("connections", limits.connections),
            ("header_seconds", limits.header_seconds),
            ("body_seconds", limits.body_seconds),
            ("idle_seconds", limits.idle_seconds),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(format!("[limits] {name}: 0 would let nobody in; give 1 or more"));
        }
        if limits.requests_per_second > 0 && limits.burst == 0 {
            return Err("[limits] burst: 0 would let nothing through; give 1 or more, or requests_per_second = 0".to_owned());
        }
        Ok(())
    }
}

/// The `[[sources]]` of a file that has nothing else.
///
/// # Errors
/// The text says which key of the file is wrong.
pub fn read_sources(file: &Path) -> Result<Vec<Source>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        sources: Vec<Source>,
    }
    if !file.is_file() {
        return Err(format!("the file {} does not exist", file.display()));
    }
    let read: Result<File, _> = Figment::from(Toml::file_exact(file)).extract();
    read.map(|file| file.sources).map_err(|error| error.to_string())
}

/// `https://host` or `https://host:port`, `http` likewise: what a browser calls an origin.
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    let scheme = uri.scheme_str().unwrap_or_default();
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    matches!(scheme, "http" | "https") && !authority.contains('@') && text == format!("{scheme}://{authority}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = Config::default();
        assert_eq!(config.runs.on_demand_per_12h, 5);
        assert!((config.guards.max_drop_percent - 20.0).abs() < f64::EPSILON);
        assert_eq!(config.guards.max_drop_count, 10);
    }

    fn refusal(change: impl Fn(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        config.check().unwrap_err()
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_by_name() {
        assert_eq!(Config::default().check(), Ok(()));
        for url in ["homeroom.example", "https://", "ftp://a", "https://a/b", "https://a?b", "https://me@a", "https://a b"] {
            assert!(refusal(|c| c.server.public_url = Some(url.to_owned())).contains("public_url"), "{url}");
        }
        for url in ["https://graph.microsoft.com", "https://graph.microsoft.com/", "http://127.0.0.1:8080", "https://[::1]:8443"] {
            let mut config = Config::default();
            config.server.public_url = Some(url.to_owned());
            assert_eq!(config.check(), Ok(()));
        }
        assert!(refusal(|c| c.server.cors_origins = vec!["https://a.example/".to_owned()]).contains("cors_origins"));
        assert!(refusal(|c| c.server.tls_cert = Some("a.pem".into())).contains("tls_key"));
        let wrong = refusal(|c| c.uploads.session_rights = "rl".to_owned());
        assert!(wrong.contains("session_rights") && wrong.contains("rcwdlm"), "{wrong}");
        assert!(refusal(|c| c.worker.jobs_at_once = NonZeroU32::new(65)).contains("jobs_at_once is 65"));
        assert!(refusal(|c| c.limits.burst = 0).contains("burst"));
        assert!(refusal(|c| c.outbound.allow = vec!["10.1.2".to_owned()]).contains("[outbound] allow: `10.1.2`"));
        assert!(refusal(|c| c.limits.idle_seconds = 0).contains("idle_seconds"));
        let plain = refusal(|c| (c.server.tls_self_signed, c.server.public_url) = (true, Some("http://a".to_owned())));
        assert!(plain.contains("https://"), "{plain}");
    }

    #[test]
    fn a_source_that_cannot_be_reached_is_refused_by_name() {
        let refused = |port: u16, host_key: &str| {
            let sftp = serde_json::json!({ "host": "a", "port": port, "user": "u", "password": "p", "path": "/", "host_key": host_key });
            let source = serde_json::json!({ "name": "n", "tenant": "t", "connector": "c", "sftp": sftp });
            refusal(|c| c.sources = vec![serde_json::from_value(source.clone()).unwrap()])
        };
        let whole = format!("SHA256:{}", "A".repeat(43));
        assert!(refused(0, &whole).contains("[[sources]] 1 ('n'): port"));
        for part in ["SHA256:", "SHA256:AAAA", &whole[7..], &whole[..whole.len() - 1], &format!("{whole}A"), &format!("{whole}=")] {
            assert!(refused(22, part).contains("host_key"), "{part}");
        }
    }

    #[test]
    fn issuers_are_tables_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("homeroom.toml");
        std::fs::write(&file, "[[issuers]]\nissuer = \"https://id.example\"\naudiences = [\"homeroom\"]\n").unwrap();
        let config = Config::load(Some(&file)).unwrap();
        assert_eq!((config.issuers[0].issuer.as_str(), config.issuers[0].tenant_claim.as_str()), ("https://id.example", "tid"));
        std::fs::write(&file, "[[issuers]]\nissuer = \"https://id.example\"\naudience = \"homeroom\"\n").unwrap();
        assert!(Config::load(Some(&file)).unwrap_err().contains("audience"));
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let dir = std::env::temp_dir().join(format!("homeroom-config-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("homeroom.toml");
        std::fs::write(&file, "[guards]\nmax_drop_percentage = 5\n").unwrap();
        let error = Config::load(Some(&file)).unwrap_err();
        assert!(error.contains("max_drop_percentage"), "{error}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
