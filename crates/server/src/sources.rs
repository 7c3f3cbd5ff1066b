//! Sources: those of `homeroom.toml`, and those that tenants have set up by the admin API or the operator by the command
//! line. All are defined alike ([`Source`]); the latter are kept in the store, encrypted as a whole.
//!
//! A tenant says where to look, and Homeroom looks with its own rights. So a stored source leads to folders that the
//! operator lists for it, to addresses that the guard of all outgoing connections lets it reach, and names no file of
//! this machine: one could be read, by its content sent as a password to a server of the tenant's own.

pub(crate) mod api;

use crate::app::{App, SEALED};
use crate::config::{Secret, SftpSource, Source};
use crate::error::{AppError, chain};
use crate::intake::{self, ExportFound};
use crate::limits::SOURCES_MAX;
use ::intake::Place;
use egress::Channel;
use identity::Tenant;
use industry_data::rules::MASK;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};
use store::{Access, OpContext, StoreError, TenantId, Tx};
use uuid::Uuid;

const SOURCES: Access = Access::unchecked("_sources");
/// Longest name, characters.
pub(crate) const NAME_MAX: usize = 100;
/// Longest path, characters, and longest text of another kind: no name of a file, a host or a user is longer.
pub(crate) const PATH_MAX: usize = 1024;
pub(crate) const TEXT_MAX: usize = 255;
/// Seconds between two looks at a stored source: others wait for their turn, too, and one that is looked at less than
/// once a week is a slip of the hand.
pub(crate) const EVERY_SECONDS: RangeInclusive<u32> = 5..=7 * 86_400;
/// Seconds that an export has to rest: after a day the next one is written.
pub(crate) const SETTLED_SECONDS: RangeInclusive<u32> = 0..=86_400;

/// A source and who has set it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) source: Source,
    /// Its tenant, if there is one of that name.
    pub(crate) tenant: Option<TenantId>,
    /// What people call that.
    pub(crate) tenant_name: Option<String>,
    /// Whether it is in the store, and not in `homeroom.toml`.
    pub(crate) stored: bool,
}

impl Watched {
    /// Where it looks, as far as it may.
    pub(crate) async fn place(&self, app: &App) -> Result<Place, String> {
        let mut place = self.source.place()?;
        match &mut place {
            Place::Folder(folder) if self.stored => {
                *folder = open_folder(&app.config().intake.folders, &self.source.tenant, folder).await?;
            }
            // The links of the operator are followed, those of whoever writes to the folder are not.
            Place::Folder(folder) => *folder = real_folder(folder).await?,
            Place::Sftp(sftp) if self.stored => {
                let open = app.egress().addresses(&sftp.host, sftp.port, Channel::Encrypted).await;
                sftp.addresses = open.map_err(|error| chain(&error))?;
            }
            Place::Sftp(_) => {}
        }
        Ok(place)
    }
}

/// The folder itself, without links.
async fn real_folder(folder: &Path) -> Result<PathBuf, String> {
    tokio::fs::canonicalize(folder).await.map_err(|error| format!("cannot read {}: {error}", folder.display()))
}

/// [`real_folder`], when it is below one that the tenant may name.
///
/// Nothing is said of whether there is a folder anywhere else, to which a link may lead.
async fn open_folder(folders: &[PathBuf], tenant: &str, folder: &Path) -> Result<PathBuf, String> {
    let closed = || {
        let folder = folder.display();
        format!("{folder} is not below a folder that this tenant may name; the operator lists them as [intake] folders in homeroom.toml")
    };
    let roots: Vec<PathBuf> = folders.iter().map(|root| root.to_string_lossy().replace("{tenant}", tenant).into()).collect();
    let plain = folder.components().all(|part| !matches!(part, Component::ParentDir));
    if !plain || !roots.iter().any(|root| folder.starts_with(root)) {
        return Err(closed());
    }
    let found = real_folder(folder).await;
    let reached = match &found {
        Ok(real) => Some(real.clone()),
        // As far as there is something on the way. Where nothing is, no link of the tenant's can be either.
        Err(_) => match entry_on_the_way(&roots, folder).await {
            Some(part) => tokio::fs::canonicalize(part).await.ok(),
            None => return found,
        },
    };
    for root in roots {
        let root = tokio::fs::canonicalize(root).await;
        if root.is_ok_and(|root| reached.as_ref().is_some_and(|reached| reached.starts_with(root))) {
            return found;
        }
    }
    Err(closed())
}

/// The last part of the way to a folder, below one of the roots, that there is, perhaps as a link to nothing.
async fn entry_on_the_way<'f>(roots: &[PathBuf], folder: &'f Path) -> Option<&'f Path> {
    for part in folder.ancestors().filter(|part| roots.iter().any(|root| part.starts_with(root))) {
        if tokio::fs::symlink_metadata(part).await.is_ok() {
            return Some(part);
        }
    }
    None
}

/// The export that lies at a place now.
///
/// # Errors
/// What is wrong there, or with what lies there: what a look would say.
pub(crate) async fn check_now(app: &App, watched: &Watched) -> Result<ExportFound, String> {
    let tenant = watched.tenant.ok_or_else(|| no_tenant(&watched.source.tenant))?;
    let files = watched.place(app).await?.list().await.map_err(|error| chain(&error))?;
    let files = intake::export_of(&watched.source, files)?;
    let connector = watched.source.connector.clone();
    let found = app.store().read(&app.system(tenant), move |tx| intake::find_connector(tx, &connector)).await;
    found.map_err(|error: StoreError| chain(&error))??;
    let validating = intake::is_validated_now(app, tenant, &watched.source, &files).await?;
    Ok(ExportFound { files: files.iter().filter(|file| file.is_export()).count(), validating })
}

/// The sources of one tenant, or all; those of the settings first. One of the settings takes the place of a stored one of
/// its name.
pub(crate) async fn all(app: &App, of: Option<TenantId>) -> Result<Vec<Watched>, String> {
    let tenants = tenants(app).await?;
    let in_settings = |source: &Source| {
        let tenant = tenants.iter().find(|tenant| is_named(tenant, &source.tenant));
        Watched { source: source.clone(), tenant: tenant.map(|tenant| tenant.id), tenant_name: tenant.map(called), stored: false }
    };
    let mut all: Vec<_> = app.config().sources.iter().map(in_settings).filter(|watched| of.is_none() || watched.tenant == of).collect();
    for tenant in tenants.iter().filter(|tenant| of.is_none_or(|of| tenant.id == of)) {
        let reader = app.clone();
        let read = app.store().read(&app.system(tenant.id), move |tx| list(&reader, tx)).await;
        let stored = read.map_err(|error: StoreError| format!("the sources of the tenant {}: {}", tenant.id, chain(&error)))?;
        let free = stored.into_iter().filter(|source| !is_in_settings(app, tenant, &source.name));
        all.extend(free.map(|source| Watched { source, tenant: Some(tenant.id), tenant_name: Some(called(tenant)), stored: true }));
    }
    Ok(all)
}

async fn tenants(app: &App) -> Result<Vec<Tenant>, String> {
    identity::list_tenants(app.store(), &app.system(TenantId(Uuid::nil()))).await.map_err(|error| chain(&error))
}

/// What people call a tenant: the domain that names it everywhere, else its display name.
fn called(tenant: &Tenant) -> String {
    tenant.domain.clone().unwrap_or_else(|| tenant.name.clone())
}

/// The tenant that is named by id or domain.
pub(crate) async fn tenant(app: &App, named: &str) -> Result<Tenant, String> {
    tenants(app).await?.into_iter().find(|tenant| is_named(tenant, named)).ok_or_else(|| no_tenant(named))
}

pub(crate) fn no_tenant(named: &str) -> String {
    format!("there is no tenant '{named}'")
}

fn is_named(tenant: &Tenant, named: &str) -> bool {
    tenant.id.to_string().eq_ignore_ascii_case(named) || tenant.domain.as_ref().is_some_and(|domain| domain.eq_ignore_ascii_case(named))
}

/// Whether one of `homeroom.toml` has this name, and takes the place of a stored one.
pub(crate) fn is_in_settings(app: &App, tenant: &Tenant, name: &str) -> bool {
    app.config().sources.iter().any(|source| source.name == name && is_named(tenant, &source.tenant))
}

fn about(tenant: TenantId, name: &str) -> String {
    format!("{tenant}/_sources/{name}")
}

fn corrupt(error: serde_json::Error) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

fn list(app: &App, tx: &mut Tx<'_>) -> Result<Vec<Source>, StoreError> {
    let tenant = tx.tenant();
    let docs = tx.docs(&SOURCES)?.list(None, None, SOURCES_MAX)?;
    let readable = |doc: &store::Doc| match opened(app, tenant, &doc.id, &doc.body) {
        Ok(source) => Some(source),
        // One that was sealed by another master key must not hide all the others.
        Err(error) => {
            tracing::warn!(tenant = %tenant, source.name = ?doc.id, error = chain(&error), "a source cannot be read; put it anew");
            None
        }
    };
    Ok(docs.iter().filter_map(readable).collect())
}

/// Whether nobody has removed it since it was read.
pub(crate) fn is_there(tx: &mut Tx<'_>, watched: &Watched) -> Result<bool, StoreError> {
    Ok(!watched.stored || tx.docs(&SOURCES)?.get(&watched.source.name)?.is_some())
}

fn opened(app: &App, tenant: TenantId, name: &str, body: &Map<String, Value>) -> Result<Source, StoreError> {
    let text = app.unseal(&about(tenant, name), body.get(SEALED).unwrap_or(&Value::Null))?;
    serde_json::from_str(&text).map_err(corrupt)
}

/// The definition of a source as the admin API takes it: that of `homeroom.toml` in JSON. Name and tenant are known from
/// the request, and what an answer adds is passed over.
///
/// # Errors
/// What cannot be a source, with the place.
pub(crate) fn read(tenant: TenantId, name: &str, body: &[u8]) -> Result<Source, AppError> {
    let mut body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| AppError::invalid(format!("The body: {error}.")))?;
    for (field, here) in [("name", name.to_owned()), ("tenant", tenant.to_string())] {
        if body.insert(field.to_owned(), json!(here)).is_some_and(|given| given != json!(here)) {
            return Err(AppError::invalid_at(field, format!("{field} is '{here}' by the request; leave it out of the body.")));
        }
    }
    for answered in ["setUpBy", "status"] {
        body.shift_remove(answered);
    }
    serde_json::from_value(Value::Object(body)).map_err(|error| AppError::invalid(format!("A source: {error}.")))
}

/// Keeps a source of the context's tenant; `true` when it is a new one.
///
/// # Errors
/// [`AppError::Invalid`] says what it may not be, [`AppError::Conflict`] what stands in the way.
pub(crate) async fn put(app: &App, ctx: &OpContext, mut source: Source) -> Result<bool, AppError> {
    check(&source)?;
    let tenant = tenant(app, &ctx.tenant.to_string()).await.map_err(AppError::NotFound)?;
    if is_in_settings(app, &tenant, &source.name) {
        let message = format!("There is a source '{}' in homeroom.toml; change it there, or take another name.", source.name);
        return Err(AppError::Conflict { message, details: Vec::new() });
    }
    source.tenant = ctx.tenant.to_string();
    let (reader, name) = (app.clone(), source.name.clone());
    let before = app.store().read(ctx, move |tx| Ok(list(&reader, tx)?.into_iter().find(|source| source.name == name)));
    let before = before.await.map_err(|error: StoreError| AppError::from(error))?;
    keep_secrets(&mut source, before.as_ref())?;
    let watched = Watched { source: source.clone(), tenant: Some(ctx.tenant), tenant_name: Some(called(&tenant)), stored: true };
    let place = watched.place(app).await;
    place.map_err(|why| AppError::invalid_at(if source.folder.is_some() { "folder" } else { "sftp" }, why))?;
    let sealed = app.seal(&about(ctx.tenant, &source.name), &serde_json::to_string(&source).map_err(corrupt)?)?;
    let kept = app.store().write(ctx, move |tx| -> Result<bool, AppError> {
        if let Err(why) = intake::find_connector(tx, &source.connector)? {
            return Err(AppError::invalid_at("connector", why));
        }
        let known = tx.docs(&SOURCES)?.list(None, None, SOURCES_MAX)?;
        let new = !known.iter().any(|doc| doc.id == source.name);
        if new && known.len() >= SOURCES_MAX {
            let message = format!("A tenant has {SOURCES_MAX} sources at most.");
            return Err(AppError::Conflict { message, details: Vec::new() });
        }
        let body = if let Value::Object(body) = sealed { body } else { Map::new() };
        tx.docs(&SOURCES)?.put(&source.name, None, &body)?;
        Ok(new)
    });
    let new = kept.await?;
    app.sources_changed();
    Ok(new)
}

/// Removes a source of the context's tenant; `false` when there is none.
pub(crate) async fn remove(app: &App, ctx: &OpContext, name: &str) -> Result<bool, AppError> {
    let tenant = tenant(app, &ctx.tenant.to_string()).await.map_err(AppError::NotFound)?;
    // Then what is known is known of that one, which goes on and must not deliver its export once more.
    let in_settings = is_in_settings(app, &tenant, name);
    let name = name.to_owned();
    let removed = app.store().write(ctx, move |tx| -> Result<bool, StoreError> {
        let removed = tx.docs(&SOURCES)?.delete(&name)?;
        if removed && !in_settings {
            intake::forget(tx, &name)?;
        }
        Ok(removed)
    });
    let removed = removed.await?;
    app.sources_changed();
    Ok(removed)
}

/// What a stored source may not be.
fn check(source: &Source) -> Result<(), AppError> {
    let named = |field: &str, message: String| Err(AppError::invalid_at(field, message));
    let count = source.name.chars().count();
    if !(1..=NAME_MAX).contains(&count) || source.name.contains('/') || matches!(source.name.as_str(), "." | "..") {
        return named("name", format!("A name has 1 to {NAME_MAX} characters and no slash, and is neither `.` nor `..`."));
    }
    for (field, text, most) in texts(source) {
        if text.chars().count() > most {
            return named(field, format!("{field} has {most} characters at most."));
        }
        if text.contains(roster::misleads) {
            return named(field, format!("{field} has a control character, or one that turns the direction of writing; leave it out."));
        }
    }
    for (field, seconds, range) in
        [("every_seconds", source.every_seconds, EVERY_SECONDS), ("settled_seconds", source.settled_seconds, SETTLED_SECONDS)]
    {
        if !range.contains(&seconds) {
            return named(field, format!("{field} is from {} to {}; this is {seconds}.", range.start(), range.end()));
        }
    }
    if source.marker.as_ref().is_some_and(|marker| marker.is_empty() || marker.contains('/')) {
        return named("marker", "marker is the name of a file in the folder, without a path; leave it out where there is none.".to_owned());
    }
    let Some(sftp) = &source.sftp else { return Ok(()) };
    for (field, file) in [("key_file", &sftp.key_file), ("passphrase_file", &sftp.passphrase_file), ("password_file", &sftp.password_file)]
    {
        if file.is_some() {
            let instead = field.trim_end_matches("_file");
            return named(
                &format!("sftp.{field}"),
                format!("Files of the server cannot be named here; give the secret itself as {instead}."),
            );
        }
    }
    Ok(())
}

/// The texts of a source that are shown to people, with the most characters of each.
fn texts(source: &Source) -> Vec<(&'static str, Cow<'_, str>, usize)> {
    let mut texts = vec![("name", Cow::from(source.name.as_str()), NAME_MAX), ("connector", source.connector.as_str().into(), TEXT_MAX)];
    texts.extend(source.marker.as_ref().map(|marker| ("marker", marker.as_str().into(), TEXT_MAX)));
    texts.extend(source.folder.as_ref().map(|folder| ("folder", folder.to_string_lossy(), PATH_MAX)));
    if let Some(sftp) = &source.sftp {
        texts.push(("sftp.host", sftp.host.as_str().into(), TEXT_MAX));
        texts.push(("sftp.user", sftp.user.as_str().into(), TEXT_MAX));
        texts.push(("sftp.path", sftp.path.as_str().into(), PATH_MAX));
    }
    texts
}

/// The secrets of a source, by name.
fn secrets(sftp: &mut SftpSource) -> [(&'static str, &mut Option<Secret>); 3] {
    [("key", &mut sftp.key), ("passphrase", &mut sftp.passphrase), ("password", &mut sftp.password)]
}

/// A secret that comes as the asterisks that answers show is the one that is stored (decision 12). Not for another
/// server or user: whoever may not read a secret could have it sent to a server of his own.
fn keep_secrets(source: &mut Source, before: Option<&Source>) -> Result<(), AppError> {
    let mut before = before.and_then(|before| before.sftp.clone());
    let Some(sftp) = &mut source.sftp else { return Ok(()) };
    let to = |sftp: &SftpSource| (sftp.host.clone(), sftp.port, sftp.user.clone(), sftp.host_key.clone());
    before = before.filter(|before| to(before) == to(sftp));
    let mut stored = before.as_mut().map(secrets);
    for (index, (name, secret)) in secrets(sftp).into_iter().enumerate() {
        if secret.as_ref().is_some_and(|Secret(text)| text == MASK) {
            *secret = stored.as_mut().and_then(|stored| stored[index].1.take());
            if secret.is_none() {
                let message = format!("There is no {name} of this server and user that could be kept; give the secret itself.");
                return Err(AppError::invalid_at(format!("sftp.{name}"), message));
            }
        }
    }
    Ok(())
}

/// A source as the admin API shows it, and how it stands.
fn shown(watched: &Watched, status: &intake::SourceStatus) -> Map<String, Value> {
    let mut source = watched.source.clone();
    let mut problem = status.problem.clone();
    let mut shown = if watched.stored {
        if let Some(sftp) = &mut source.sftp {
            secrets(sftp).into_iter().filter_map(|(_, secret)| secret.as_mut()).for_each(|secret| MASK.clone_into(&mut secret.0));
        }
        json!(source)
    } else {
        // Where the operator keeps it is the operator's business, and a problem mostly names the place.
        problem = problem.map(|_| "the operator sees what is wrong with `homeroom sources`".to_owned());
        json!({ "name": source.name, "connector": source.connector })
    };
    shown["setUpBy"] = json!(status.set_up_by);
    shown["status"] = json!({ "lookedAt": status.looked_at, "deliveredAt": status.delivered_at, "problem": problem });
    if let Value::Object(shown) = shown { shown } else { Map::new() }
}
