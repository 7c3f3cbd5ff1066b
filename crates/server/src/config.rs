//! Settings of a server: one typed struct a concern, from `homeroom.toml` and the environment.
//!
//! Every setting `[section] key` can be given as `HOMEROOM_SECTION__KEY`, the list of issuers as a whole
//! as `HOMEROOM_ISSUERS`. A key that is not
//! known is refused with its place, so that a misspelt safety limit is never silently ignored.

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::{Deserialize, Serialize};
use std::path::Path;

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
    /// Issuers whose tokens are taken beside Homeroom's own.
    pub issuers: Vec<Issuer>,
}

/// `[worker]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// How long a job of a worker that died waits for the next one, seconds.
    pub lease_seconds: u32,
}

impl Default for Worker {
    fn default() -> Self {
        Self { lease_seconds: 15 }
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
    /// How long a session takes files, hours.
    pub session_hours: u32,
}

impl Default for Uploads {
    fn default() -> Self {
        Self { max_file_bytes: 5 * 1024 * 1024 * 1024, session_hours: 14 }
    }
}

/// `[server]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Base of all absolute links, for example `https://homeroom.contoso.example`.
    pub public_url: Option<String>,
    /// Addresses of reverse proxies whose `X-Forwarded-Proto` and `-Host` are believed.
    pub trusted_proxies: Vec<std::net::IpAddr>,
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
        let environment = Env::prefixed("HOMEROOM_").filter(|key| key.as_str().contains("__") || key == "issuers").split("__");
        let config: Self = figment.merge(environment).extract().map_err(|error| error.to_string())?;
        for (name, percent) in
            [("max_drop_percent", config.guards.max_drop_percent), ("max_error_percent", config.guards.max_error_percent)]
        {
            // Not a number would switch the guard off without a word.
            if !(0.0..=100.0).contains(&percent) {
                return Err(format!("[guards] {name} is a share in percent, from 0 to 100, not {percent}"));
            }
        }
        Ok(config)
    }
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
