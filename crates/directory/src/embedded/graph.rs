//! Users and groups as documents in Microsoft Graph's shape, for the REST layer.

use crate::DirectoryError;
use serde_json::{Map, Value as Json, json};
use std::fmt::Write as _;
use store::{Row, StoreError, Tx, Value};

/// A user or group.
#[derive(Debug, Clone)]
pub struct Document {
    /// Id.
    pub id: String,
    /// Content.
    pub body: Map<String, Json>,
    /// Version.
    pub version: i64,
}

/// Which users to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct UserQuery<'a> {
    /// After this id.
    pub after: Option<&'a str>,
    /// At most.
    pub limit: usize,
    /// With this userPrincipalName, without regard to case.
    pub upn: Option<&'a str>,
    /// With this mail, without regard to case.
    pub mail: Option<&'a str>,
    /// With this id.
    pub id: Option<&'a str>,
}

/// Which groups to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct GroupQuery<'a> {
    /// After this id.
    pub after: Option<&'a str>,
    /// At most.
    pub limit: usize,
    /// With this name.
    pub display_name: Option<&'a str>,
    /// With this id.
    pub id: Option<&'a str>,
}

type Result<T> = std::result::Result<T, DirectoryError>;

fn document(row: &Row) -> Result<Document> {
    let body = serde_json::from_str(row.text(1)?).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(Document { id: row.text(0)?.to_owned(), body, version: row.int(2)? })
}

fn text<'b>(body: &'b Map<String, Json>, name: &str) -> Option<&'b str> {
    body.get(name).and_then(Json::as_str)
}

fn needed<'b>(body: &'b Map<String, Json>, name: &str) -> Result<&'b str> {
    text(body, name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| DirectoryError::Invalid { message: format!("'{name}' is required."), target: Some(name.to_owned()) })
}

fn flag(body: &Map<String, Json>, name: &str) -> Result<()> {
    if body.get(name).is_some_and(Json::is_boolean) {
        return Ok(());
    }
    Err(DirectoryError::Invalid { message: format!("'{name}' is required."), target: Some(name.to_owned()) })
}

fn principal_name(body: &Map<String, Json>) -> Result<String> {
    let upn = needed(body, "userPrincipalName")?;
    if upn.contains('@') {
        return Ok(upn.to_owned());
    }
    Err(DirectoryError::Invalid {
        message: format!("'{upn}' is not a user principal name: it needs a domain after '@'."),
        target: Some("userPrincipalName".to_owned()),
    })
}

/// Appends `AND column = $n` for what is given.
fn narrow(sql: &mut String, params: &mut Vec<Value>, column: &str, wanted: Option<String>) {
    if let Some(wanted) = wanted {
        params.push(wanted.into());
        // Writing to a String cannot fail.
        let _ = write!(sql, " AND {column} = ${}", params.len());
    }
}

/// Users in order of id.
pub fn user_list(tx: &mut Tx<'_>, query: &UserQuery<'_>) -> Result<Vec<Document>> {
    let mut params = vec![tx.tenant_value(), query.after.unwrap_or_default().into(), (query.limit as i64).into()];
    let mut sql = "SELECT id, body, version FROM directory_user WHERE tenant_id = $1 AND id > $2".to_owned();
    narrow(&mut sql, &mut params, "upn_key", query.upn.map(str::to_lowercase));
    narrow(&mut sql, &mut params, "mail_key", query.mail.map(str::to_lowercase));
    narrow(&mut sql, &mut params, "id", query.id.map(str::to_owned));
    tx.query(&format!("{sql} ORDER BY id LIMIT $3"), &params)?.iter().map(document).collect()
}

/// Number of users.
pub fn user_count(tx: &mut Tx<'_>) -> Result<u64> {
    count(tx, "directory_user")
}

/// Number of groups.
pub fn group_count(tx: &mut Tx<'_>) -> Result<u64> {
    count(tx, "directory_group")
}

fn count(tx: &mut Tx<'_>, table: &str) -> Result<u64> {
    let params = [tx.tenant_value()];
    let row = tx.query_one(&format!("SELECT count(*) FROM {table} WHERE tenant_id = $1"), &params)?;
    Ok(row.map_or(Ok(0), |row| row.int(0))?.unsigned_abs())
}

/// A user by id or userPrincipalName.
pub fn user_get(tx: &mut Tx<'_>, key: &str) -> Result<Option<Document>> {
    let column = if key.contains('@') { "upn_key" } else { "id" };
    let key = if key.contains('@') { key.to_lowercase() } else { key.to_owned() };
    let params = [tx.tenant_value(), key.into()];
    let row = tx.query_one(&format!("SELECT id, body, version FROM directory_user WHERE tenant_id = $1 AND {column} = $2"), &params)?;
    row.as_ref().map(document).transpose()
}

/// A new user. The password profile is checked for and not kept: nobody signs in to this directory.
pub fn user_create(tx: &mut Tx<'_>, id: &str, mut body: Map<String, Json>, now: jiff::Timestamp) -> Result<Document> {
    for name in ["displayName", "mailNickname", "userPrincipalName"] {
        needed(&body, name)?;
    }
    flag(&body, "accountEnabled")?;
    if body.remove("passwordProfile").is_none_or(|p| p.get("password").is_none_or(Json::is_null)) {
        return Err(DirectoryError::Invalid {
            message: "'passwordProfile' with a password is required.".to_owned(),
            target: Some("passwordProfile".to_owned()),
        });
    }
    let upn = principal_name(&body)?;
    body.insert("id".to_owned(), json!(id));
    body.insert("createdDateTime".to_owned(), json!(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
    body.entry("userType").or_insert(json!("Member"));
    let row = user_row(tx, id, &body);
    tx.execute(INSERT_USER, &row).map_err(|error| taken(error, &upn))?;
    Ok(Document { id: id.to_owned(), body, version: 1 })
}

const INSERT_USER: &str =
    "INSERT INTO directory_user (tenant_id, id, upn_key, mail_key, enabled, body, version) VALUES ($1, $2, $3, $4, $5, $6, 1)";

fn user_row(tx: &Tx<'_>, id: &str, body: &Map<String, Json>) -> Vec<Value> {
    let key = |name: &str| text(body, name).map(str::to_lowercase);
    let enabled = body.get("accountEnabled").and_then(Json::as_bool).unwrap_or(true);
    let json = Json::Object(body.clone()).to_string();
    vec![
        tx.tenant_value(),
        id.into(),
        key("userPrincipalName").unwrap_or_default().into(),
        key("mail").into(),
        i64::from(enabled).into(),
        json.into(),
    ]
}

fn taken(error: StoreError, upn: &str) -> DirectoryError {
    match error {
        StoreError::Duplicate => {
            DirectoryError::Conflict(format!("Another object with the same value for property userPrincipalName already exists: '{upn}'."))
        }
        other => other.into(),
    }
}

/// Many users at once, for demonstrations and tests: bodies with `userPrincipalName`, ids given.
pub fn user_import(tx: &mut Tx<'_>, users: Vec<(String, Map<String, Json>)>) -> Result<u64> {
    let rows: Vec<Vec<Value>> = users
        .into_iter()
        .map(|(id, mut body)| {
            body.insert("id".to_owned(), json!(id));
            body.entry("userType").or_insert(json!("Member"));
            user_row(tx, &id, &body)
        })
        .collect();
    Ok(tx.execute_many(INSERT_USER, rows.iter().map(Vec::as_slice))?)
}

/// A changed user. What a new one needs cannot be taken away; the id and passwords are left out.
pub fn user_update(tx: &mut Tx<'_>, id: &str, patch: &Map<String, Json>) -> Result<Document> {
    let mut found = user_get(tx, id)?.ok_or_else(|| missing("users", id))?;
    for (name, value) in patch.iter().filter(|(name, _)| !["id", "passwordProfile"].contains(&name.as_str())) {
        found.body.insert(name.clone(), value.clone());
    }
    for name in ["displayName", "mailNickname"] {
        if patch.contains_key(name) {
            needed(&found.body, name)?;
        }
    }
    if patch.contains_key("accountEnabled") {
        flag(&found.body, "accountEnabled")?;
    }
    let upn = principal_name(&found.body)?;
    let row = user_row(tx, &found.id, &found.body);
    tx.execute("UPDATE directory_user SET upn_key = $3, mail_key = $4, enabled = $5, body = $6, version = version + 1 WHERE tenant_id = $1 AND id = $2", &row)
        .map_err(|error| taken(error, &upn))?;
    found.version += 1;
    Ok(found)
}

/// Removes a user and its memberships.
pub fn user_delete(tx: &mut Tx<'_>, id: &str) -> Result<()> {
    let found = user_get(tx, id)?.ok_or_else(|| missing("users", id))?;
    let params = [tx.tenant_value(), found.id.into()];
    tx.execute("DELETE FROM directory_member WHERE tenant_id = $1 AND user_id = $2", &params)?;
    tx.execute("DELETE FROM directory_user WHERE tenant_id = $1 AND id = $2", &params)?;
    Ok(())
}

fn missing(collection: &str, id: &str) -> DirectoryError {
    DirectoryError::NotFound(format!("Resource '{id}' does not exist in '{collection}'."))
}

/// Groups in order of id.
pub fn group_list(tx: &mut Tx<'_>, query: &GroupQuery<'_>) -> Result<Vec<Document>> {
    let mut params = vec![tx.tenant_value(), query.after.unwrap_or_default().into(), (query.limit as i64).into()];
    let mut sql = "SELECT id, body, version FROM directory_group WHERE tenant_id = $1 AND id > $2".to_owned();
    narrow(&mut sql, &mut params, "display_name", query.display_name.map(str::to_owned));
    narrow(&mut sql, &mut params, "id", query.id.map(str::to_owned));
    tx.query(&format!("{sql} ORDER BY id LIMIT $3"), &params)?.iter().map(document).collect()
}

/// A group by id.
pub fn group_get(tx: &mut Tx<'_>, id: &str) -> Result<Option<Document>> {
    let params = [tx.tenant_value(), id.into()];
    let row = tx.query_one("SELECT id, body, version FROM directory_group WHERE tenant_id = $1 AND id = $2", &params)?;
    row.as_ref().map(document).transpose()
}

/// A new group, made by hand: it has no anchor, so no run ever touches it.
pub fn group_create(tx: &mut Tx<'_>, id: &str, mut body: Map<String, Json>, now: jiff::Timestamp) -> Result<Document> {
    needed(&body, "mailNickname")?;
    let name = needed(&body, "displayName")?.to_owned();
    flag(&body, "mailEnabled")?;
    flag(&body, "securityEnabled")?;
    body.insert("id".to_owned(), json!(id));
    body.insert("createdDateTime".to_owned(), json!(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
    let params = [tx.tenant_value(), id.into(), name.into(), Json::Object(body.clone()).to_string().into()];
    tx.execute("INSERT INTO directory_group (tenant_id, id, display_name, body, version) VALUES ($1, $2, $3, $4, 1)", &params)?;
    Ok(Document { id: id.to_owned(), body, version: 1 })
}

/// A changed group; its id never changes.
pub fn group_update(tx: &mut Tx<'_>, id: &str, patch: &Map<String, Json>) -> Result<Document> {
    let mut found = group_get(tx, id)?.ok_or_else(|| missing("groups", id))?;
    for (name, value) in patch.iter().filter(|(name, _)| name.as_str() != "id") {
        found.body.insert(name.clone(), value.clone());
    }
    let name = needed(&found.body, "displayName")?.to_owned();
    let params = [tx.tenant_value(), id.into(), name.into(), Json::Object(found.body.clone()).to_string().into()];
    tx.execute("UPDATE directory_group SET display_name = $3, body = $4, version = version + 1 WHERE tenant_id = $1 AND id = $2", &params)?;
    found.version += 1;
    Ok(found)
}

/// Removes a group and its memberships.
pub fn group_delete(tx: &mut Tx<'_>, id: &str) -> Result<()> {
    let params = [tx.tenant_value(), id.into()];
    tx.execute("DELETE FROM directory_member WHERE tenant_id = $1 AND group_id = $2", &params)?;
    if tx.execute("DELETE FROM directory_group WHERE tenant_id = $1 AND id = $2", &params)? == 0 {
        return Err(missing("groups", id));
    }
    Ok(())
}

/// Members of a group (as users) or groups of a user, in order of id.
pub fn linked(tx: &mut Tx<'_>, of_group: bool, id: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>> {
    let params = [tx.tenant_value(), id.into(), after.unwrap_or_default().into(), (limit as i64).into()];
    let sql = if of_group {
        "SELECT o.id, o.body, o.version FROM directory_member m JOIN directory_user o ON o.tenant_id = m.tenant_id AND o.id = m.user_id
         WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.user_id > $3 ORDER BY m.user_id LIMIT $4"
    } else {
        "SELECT o.id, o.body, o.version FROM directory_member m JOIN directory_group o ON o.tenant_id = m.tenant_id AND o.id = m.group_id
         WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.group_id > $3 ORDER BY m.group_id LIMIT $4"
    };
    tx.query(sql, &params)?.iter().map(document).collect()
}

/// One member of a group, or one group of a user, by id.
pub fn linked_get(tx: &mut Tx<'_>, of_group: bool, id: &str, key: &str) -> Result<Option<Document>> {
    let params = [tx.tenant_value(), id.into(), key.into()];
    let sql = if of_group {
        "SELECT o.id, o.body, o.version FROM directory_member m JOIN directory_user o ON o.tenant_id = m.tenant_id AND o.id = m.user_id
         WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.user_id = $3"
    } else {
        "SELECT o.id, o.body, o.version FROM directory_member m JOIN directory_group o ON o.tenant_id = m.tenant_id AND o.id = m.group_id
         WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.group_id = $3"
    };
    tx.query_one(sql, &params)?.as_ref().map(document).transpose()
}

/// Number of members of a group, or of groups of a user.
pub fn linked_count(tx: &mut Tx<'_>, of_group: bool, id: &str) -> Result<u64> {
    let column = if of_group { "group_id" } else { "user_id" };
    let params = [tx.tenant_value(), id.into()];
    let row = tx.query_one(&format!("SELECT count(*) FROM directory_member WHERE tenant_id = $1 AND {column} = $2"), &params)?;
    Ok(row.map_or(Ok(0), |row| row.int(0))?.unsigned_abs())
}

/// Adds a member by hand.
pub fn member_add(tx: &mut Tx<'_>, group: &str, user: &str) -> Result<()> {
    let user = user_get(tx, user)?.ok_or_else(|| missing("users", user))?;
    group_get(tx, group)?.ok_or_else(|| missing("groups", group))?;
    let params = [tx.tenant_value(), group.into(), user.id.into()];
    match tx.execute("INSERT INTO directory_member (tenant_id, group_id, user_id) VALUES ($1, $2, $3)", &params) {
        Err(StoreError::Duplicate) => Err(DirectoryError::Invalid {
            message: "One or more added object references already exist for the following modified properties: 'members'.".to_owned(),
            target: None,
        }),
        other => Ok(other.map(|_| ())?),
    }
}

/// Removes a member by hand.
pub fn member_remove(tx: &mut Tx<'_>, group: &str, user: &str) -> Result<()> {
    let params = [tx.tenant_value(), group.into(), user.into()];
    if tx.execute("DELETE FROM directory_member WHERE tenant_id = $1 AND group_id = $2 AND user_id = $3", &params)? == 0 {
        return Err(missing("members", user));
    }
    Ok(())
}
