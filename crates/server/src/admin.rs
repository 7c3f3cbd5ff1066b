//! What the command line does on a data directory, beside a running server or without one.

use crate::app::App;
use crate::config::Source;
use crate::error::chain;
use crate::intake::{ExportFound, SourceStatus};
use crate::{reports, runs, sources};
use identity::{Client, Credentials, IdentityError, NewClient, PendingDevice, PublicKey, Registered, Tenant};
use serde_json::{Map, Value, json};
use store::{StoreError, TenantId};
use uuid::Uuid;

/// Why an administrative action failed, with the remedy where one is known.
#[derive(Debug)]
pub struct AdminError {
    message: String,
    hint: Option<String>,
    usage: bool,
}

impl AdminError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, usage: false }
    }

    pub(crate) fn hinting(message: impl Into<String>, hint: &str) -> Self {
        Self { message: message.into(), hint: Some(hint.to_owned()), usage: false }
    }

    /// The same for an argument that cannot be.
    fn usage(message: impl Into<String>, hint: &str) -> Self {
        Self { usage: true, ..Self::hinting(message, hint) }
    }

    /// Whether the arguments were wrong, and not the state of the data.
    pub fn is_usage(&self) -> bool {
        self.usage
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

impl std::fmt::Display for AdminError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AdminError {}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        Self::new(chain(&error))
    }
}

impl From<IdentityError> for AdminError {
    fn from(error: IdentityError) -> Self {
        let hint = matches!(error, IdentityError::NotFound(_))
            .then(|| "`homeroom tenant list` and `homeroom app list` show what there is".to_owned());
        Self { message: chain(&error), hint, usage: false }
    }
}

/// An account of the embedded directory.
#[derive(Debug, Clone)]
pub struct Account {
    /// `userPrincipalName`
    pub upn: String,
    /// `mail`
    pub mail: Option<String>,
    /// `displayName`
    pub display_name: String,
    /// `givenName`
    pub given_name: String,
    /// `surname`
    pub surname: String,
    /// `accountEnabled`
    pub enabled: bool,
}

/// Every permission that Homeroom knows.
pub fn all_permissions() -> Vec<String> {
    industry_data::permissions::ALL_PERMISSIONS.iter().map(|p| p.name.to_owned()).collect()
}

fn check_permissions(permissions: &[String]) -> Result<(), AdminError> {
    if let Some(unknown) = permissions.iter().find(|p| industry_data::permissions::find(p).is_none()) {
        let known = all_permissions();
        let near = odata::error::nearest(unknown, known.iter().map(String::as_str));
        let hint =
            near.map_or_else(|| "the permissions are listed in docs/permissions.md".to_owned(), |near| format!("did you mean `{near}`?"));
        return Err(AdminError::usage(format!("`{unknown}` is not a permission"), &hint));
    }
    Ok(())
}

fn device_failure(error: IdentityError) -> AdminError {
    match error {
        IdentityError::NotFound(message) => AdminError::hinting(message, "ask for a new code where the program runs"),
        other => other.into(),
    }
}

impl App {
    /// Makes a tenant.
    pub async fn create_tenant(&self, name: &str, id: Option<&str>, domain: Option<&str>) -> Result<Tenant, AdminError> {
        let id = match id {
            Some(text) => text.parse().map_err(|_| AdminError::usage(format!("`{text}` is not a GUID"), "leave --id out for a new one"))?,
            None => TenantId(Uuid::new_v4()),
        };
        Ok(identity::create_tenant(self.store(), &self.system(id), name, domain).await?)
    }

    /// The tenant of an id or a domain; case does not matter.
    ///
    /// # Errors
    /// When there is none, with where to look.
    pub async fn tenant(&self, named: &str) -> Result<Tenant, AdminError> {
        let found = sources::tenant(self, named).await;
        found.map_err(|why| AdminError::hinting(why, "`homeroom tenant list` shows them; name one by its id or its domain"))
    }

    /// All tenants.
    pub async fn list_tenants(&self) -> Result<Vec<Tenant>, AdminError> {
        Ok(identity::list_tenants(self.store(), &self.system(TenantId(Uuid::nil()))).await?)
    }

    /// Makes an API client with a secret.
    pub async fn create_client(&self, tenant: TenantId, name: &str, permissions: Vec<String>) -> Result<NewClient, AdminError> {
        check_permissions(&permissions)?;
        Ok(identity::create_client(self.store(), &self.system(tenant), Uuid::new_v4().to_string(), name, permissions).await?)
    }

    /// Makes an API client with certificates or public keys, each the content of a PEM file, and perhaps a secret.
    pub async fn register_client(
        &self,
        tenant: TenantId,
        name: &str,
        permissions: Vec<String>,
        certificates: &[Vec<u8>],
        secret: bool,
    ) -> Result<Registered, AdminError> {
        check_permissions(&permissions)?;
        let keys = certificates.iter().map(|file| PublicKey::from_pem(file)).collect::<Result<_, _>>()?;
        let credentials = Credentials { secret, keys };
        let id = Uuid::new_v4().to_string();
        Ok(identity::register_client(self.store(), &self.system(tenant), id, name, permissions, credentials).await?)
    }

    /// Who asks by a device code.
    pub async fn find_device(&self, user_code: &str) -> Result<PendingDevice, AdminError> {
        identity::find_device(self.store(), &self.system(TenantId(Uuid::nil())), user_code).await.map_err(device_failure)
    }

    /// Approves a device code in somebody's name, or declines it.
    pub async fn decide_device(&self, device: &PendingDevice, approver: Option<&str>) -> Result<(), AdminError> {
        identity::decide_device(self.store(), &self.system(device.tenant), device, approver).await.map_err(device_failure)
    }

    /// The API clients of a tenant.
    pub async fn list_clients(&self, tenant: TenantId) -> Result<Vec<Client>, AdminError> {
        Ok(identity::list_clients(self.store(), &self.system(tenant)).await?)
    }

    /// Deletes an API client.
    pub async fn delete_client(&self, tenant: TenantId, client_id: &str) -> Result<(), AdminError> {
        Ok(identity::delete_client(self.store(), &self.system(tenant), client_id).await?)
    }

    /// A token, issued on this machine, as the token endpoint would answer.
    pub async fn issue_token(&self, tenant: &str, client_id: &str, client_secret: &str) -> Result<Value, AdminError> {
        let escape = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let form = format!("grant_type=client_credentials&client_id={}&client_secret={}", escape(client_id), escape(client_secret));
        let base = self.config().server.public_url.clone().unwrap_or_else(|| "http://localhost".to_owned());
        let answer = self.token_request(tenant, form.as_bytes(), None, &base).await;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        let why = answer.body["error_description"].as_str().unwrap_or("no token was issued").to_owned();
        Err(AdminError::hinting(why, "`homeroom tenant list` and `homeroom app list` show what there is"))
    }

    /// Puts accounts into the embedded directory.
    pub async fn import_accounts(&self, tenant: TenantId, accounts: Vec<Account>) -> Result<(), AdminError> {
        let ctx = self.system(tenant);
        let created = ctx.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let users: Vec<(String, Map<String, Value>)> = accounts
            .into_iter()
            .map(|a| {
                let nickname = a.upn.split('@').next().unwrap_or_default().to_owned();
                let body = json!({
                    "accountEnabled": a.enabled, "displayName": a.display_name, "givenName": a.given_name, "surname": a.surname,
                    "mail": a.mail, "mailNickname": nickname, "userPrincipalName": a.upn, "createdDateTime": created,
                });
                let body = if let Value::Object(map) = body { map } else { Map::new() };
                (self.new_id().to_string(), body)
            })
            .collect();
        let imported = self.store().write(&ctx, move |tx| directory::embedded::graph::user_import(tx, users)).await;
        imported.map(|_| ()).map_err(|error: directory::DirectoryError| AdminError::new(chain(&error)))
    }

    /// How the places stand that exports are fetched from.
    pub async fn list_sources(&self) -> Result<Vec<SourceStatus>, AdminError> {
        let all = crate::intake::statuses(self, None).await.map_err(AdminError::new)?;
        Ok(all.into_iter().map(|(_, status)| status).collect())
    }

    /// Keeps a source in the store, with the secrets in its files; `true` when it is a new one.
    pub async fn put_source(&self, source: Source) -> Result<bool, AdminError> {
        let failed = |why: String, hint: &str| AdminError::hinting(format!("the source '{}': {why}", source.name), hint);
        let named = |why| failed(why, "docs/sources.md describes them");
        let tenant = self.tenant(&source.tenant).await?;
        let source = source.clone().with_secrets().map_err(named)?;
        sources::put(self, &self.system(tenant.id), source).await.map_err(|error| match error.graph() {
            error if error.target.as_deref() == Some("folder") => failed(error.message, &self.open_folders()),
            error => named(error.message),
        })
    }

    /// Which folders a source that is kept in the store may name, for the operator.
    fn open_folders(&self) -> String {
        let folders: Vec<_> = self.config().intake.folders.iter().map(|folder| folder.display().to_string()).collect();
        let open = if folders.is_empty() { "none".to_owned() } else { folders.join(", ") };
        format!("[intake] folders, as this command was given it, lists {open}; see \"Without a restart\" in docs/sources.md")
    }

    /// Forgets a source of a tenant, by its id or domain, that is kept in the store; `true` when one of the same name in
    /// `homeroom.toml` goes on.
    pub async fn remove_source(&self, tenant: &str, name: &str) -> Result<bool, AdminError> {
        let tenant = self.tenant(tenant).await?;
        let removed = sources::remove(self, &self.system(tenant.id), name).await;
        if removed.map_err(|error| AdminError::new(error.graph().message))? {
            return Ok(sources::is_in_settings(self, &tenant, name));
        }
        let hint = "`homeroom sources` shows them; one of homeroom.toml is removed there";
        Err(AdminError::hinting(format!("no source '{name}' of this tenant is kept in the store"), hint))
    }

    /// Looks at the places of all sources, or of those of a name, and changes nothing: each with the export that lies
    /// there now, or what is wrong.
    pub async fn check_sources(&self, name: Option<&str>) -> Result<Vec<(SourceStatus, Result<ExportFound, String>)>, AdminError> {
        let all = crate::intake::statuses(self, None).await.map_err(AdminError::new)?;
        let mut checked = Vec::new();
        for (watched, status) in all.into_iter().filter(|(watched, _)| name.is_none_or(|name| watched.source.name == name)) {
            checked.push((status, sources::check_now(self, &watched).await));
        }
        match name.filter(|_| checked.is_empty()) {
            None => Ok(checked),
            Some(name) => Err(AdminError::hinting(format!("there is no source '{name}'"), "`homeroom sources` shows them")),
        }
    }

    /// The runs of a tenant, newest first.
    pub async fn list_runs(&self, tenant: TenantId) -> Result<Vec<Map<String, Value>>, AdminError> {
        Ok(self.store().read(&self.system(tenant), runs::newest_first).await?)
    }

    /// Everything known of a run.
    pub async fn show_run(&self, tenant: TenantId, id: &str) -> Result<Value, AdminError> {
        let run = id.to_owned();
        let shown = self.store().read(&self.system(tenant), move |tx| runs::show(tx, &run)).await?;
        shown.ok_or_else(|| AdminError::hinting(format!("there is no run {id}"), "`homeroom runs list` shows the runs"))
    }

    /// Lets a run go on that a guard has stopped.
    pub async fn approve_run(&self, tenant: TenantId, id: &str) -> Result<(), AdminError> {
        self.show_run(tenant, id).await?;
        let (run, job) = (id.to_owned(), self.new_id().to_string());
        let approved = self.store().write(&self.system(tenant), move |tx| runs::approve(tx, &run, &job)).await?;
        self.wake_worker();
        if approved {
            Ok(())
        } else {
            Err(AdminError::hinting(format!("the run {id} does not wait for an approval"), "`homeroom runs show` says where it stands"))
        }
    }

    /// What a report on a run's findings is made from.
    pub async fn findings(&self, tenant: TenantId, id: &str) -> Result<roster::report::Findings, AdminError> {
        let found = reports::of_run(self, &self.system(tenant), id).await?;
        found.ok_or_else(|| AdminError::hinting(format!("there is no run {id}"), "`homeroom runs list` shows the runs"))
    }
}
