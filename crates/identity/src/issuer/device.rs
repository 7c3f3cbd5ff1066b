//! The device authorization grant (RFC 8628): a program without a secret shows a code, and an
//! administrator approves it on the machine of this Homeroom. The token it gets is a delegated one.

use super::{Failure, Holder, TokenAnswer, TokenRequest, in_tenant, issue, missing, refuse, respond, short, unknown_client};
use crate::{Client, IdentityError, Keys, clients};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use store::{OpContext, Store, StoreError, TenantId, Tx};

/// The grant's name (RFC 8628 §3.4).
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Life of a code, seconds: as Microsoft Entra has it.
const LIFE_SECONDS: i64 = 900;
/// Time between two questions of the program, seconds; one more such step when it asks too soon (RFC 8628 §3.5).
const STEP_SECONDS: i64 = 5;
/// Codes of one client that wait at a time: anybody can ask for one.
const WAITING_MAX: i64 = 20;
/// Consonants, so that no code is a word, and none that look alike (RFC 8628 §6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LETTERS_IN_CODE: usize = 8;
/// Scopes that Microsoft's libraries always add and that ask for no permission.
const WITHOUT_MEANING: [&str; 4] = ["openid", "profile", "offline_access", "email"];

/// A code that waits for its approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingDevice {
    /// The tenant.
    pub tenant: TenantId,
    /// What the administrator types.
    pub user_code: String,
    /// Who asks: client id …
    pub client_id: String,
    /// … and name.
    pub client_name: String,
    /// For which permissions.
    pub permissions: Vec<String>,
}

/// Answers a request for a device code (RFC 8628 §3.1, §3.2).
///
/// # Errors
/// `Store` and `Keys`, when the fault is not the client's.
pub async fn device_code(store: &Store, ctx: &OpContext, request: TokenRequest) -> Result<TokenAnswer, IdentityError> {
    respond(ctx, begin(store, ctx, &request).await)
}

async fn begin(store: &Store, ctx: &OpContext, request: &TokenRequest) -> Result<Value, Failure> {
    request.check_single()?;
    let Some(client_id) = request.field("client_id") else { return missing("client_id") };
    let (tenant, ctx) = in_tenant(store, ctx, request).await?;
    let lookup = client_id.to_owned();
    let Some(client) = store.read::<_, StoreError>(&ctx, move |tx| clients::find(tx, &lookup)).await? else {
        return unknown_client(client_id, &tenant);
    };
    let scopes = granted(request, &client)?;
    let mut secret = [0; 32];
    let mut random = [0; LETTERS_IN_CODE];
    rand::fill(&mut secret).and_then(|()| rand::fill(&mut random)).map_err(|_| IdentityError::Keys("no randomness".to_owned()))?;
    let device_code = URL_SAFE_NO_PAD.encode(secret);
    // 256 is no multiple of 20: some letters come a little more often, which does not matter for a
    // code that only an administrator can use.
    let user_code: String = random.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect();
    let (hash, shown) = (clients::hash(&device_code), grouped(&user_code));
    let kept = store
        .write::<_, StoreError>(&ctx, move |tx| {
            let now = tx.ctx().now;
            let params = [tx.tenant_value(), now.as_microsecond().into()];
            tx.execute("DELETE FROM device_code WHERE tenant_id = $1 AND expires <= $2", &params)?;
            let params = [tx.tenant_value(), client.client_id.clone().into()];
            let waiting = tx.query_one("SELECT count(*) FROM device_code WHERE tenant_id = $1 AND client_id = $2", &params)?;
            if waiting.map_or(Ok(0), |row| row.int(0))? >= WAITING_MAX {
                return Ok(false);
            }
            let expires = now + jiff::SignedDuration::from_secs(LIFE_SECONDS);
            let params = [
                tx.tenant_value(),
                hash.into(),
                user_code.into(),
                client.client_id.into(),
                scopes.into(),
                STEP_SECONDS.into(),
                expires.as_microsecond().into(),
            ];
            tx.execute(
                "INSERT INTO device_code (tenant_id, code_hash, user_code, client_id, scopes, state, seconds_between, expires)
                 VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7)",
                &params,
            )?;
            Ok(true)
        })
        .await?;
    if !kept {
        return refuse(400, "temporarily_unavailable", 90_055, "Too many device codes of this application wait for their approval.");
    }
    Ok(json!({
        "user_code": shown, "device_code": device_code,
        "verification_uri": format!("{}/{}/oauth2/v2.0/deviceauth", request.base_url, tenant.id),
        "expires_in": LIFE_SECONDS, "interval": STEP_SECONDS,
        "message": format!("To sign in, have an administrator run `homeroom token approve {shown}` on the server of this Homeroom."),
    }))
}

/// The permissions that are asked for, as far as the client has them. `.default` or nothing asks for all.
fn granted(request: &TokenRequest, client: &Client) -> Result<String, Failure> {
    let mut names: Vec<&str> = Vec::new();
    let asked = request.field("scope").unwrap_or_default().split_ascii_whitespace();
    for scope in asked.filter(|scope| !WITHOUT_MEANING.contains(scope)) {
        let name = scope.rsplit('/').next().unwrap_or(scope);
        if name == ".default" {
            names.clear();
            break;
        }
        if !client.permissions.iter().any(|held| held == name) {
            return refuse(400, "invalid_scope", 70_011, format!("The application has no permission '{}'.", short(name)));
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(if names.is_empty() { client.permissions.join(" ") } else { names.join(" ") })
}

/// What the program is told when it asks for its token.
enum Asked {
    Unknown,
    Expired,
    Declined,
    Waiting,
    TooSoon,
    /// Approved by, with these permissions.
    Approved(Client, String, String),
}

/// Answers a program that asks for its token (RFC 8628 §3.4, §3.5). A code gives one token.
pub(super) async fn redeem(store: &Store, keys: &Keys, ctx: &OpContext, request: &TokenRequest, uti: &str) -> Result<Value, Failure> {
    let Some(code) = request.field("device_code") else { return missing("device_code") };
    let Some(client_id) = request.field("client_id").map(str::to_owned) else { return missing("client_id") };
    let (_, ctx) = in_tenant(store, ctx, request).await?;
    let hash = clients::hash(code);
    let asked = store.write::<_, StoreError>(&ctx, move |tx| ask(tx, hash, &client_id)).await?;
    match asked {
        Asked::Approved(client, name, scopes) => {
            issue(keys, &ctx, &request.base_url, &client, &Holder::Person { name: &name, scopes: &scopes }, uti)
        }
        Asked::Waiting => refuse(400, "authorization_pending", 70_016, "The code has not been approved yet. Ask again later."),
        Asked::TooSoon => refuse(400, "slow_down", 70_016, format!("Ask less often: wait {STEP_SECONDS} seconds longer each time.")),
        Asked::Declined => refuse(400, "authorization_declined", 65_004, "The administrator has declined the code."),
        Asked::Expired => refuse(400, "expired_token", 70_019, "The code has expired. Ask for a new one."),
        Asked::Unknown => refuse(400, "bad_verification_code", 70_018, "There is no such device code, or it was used."),
    }
}

fn ask(tx: &mut Tx<'_>, hash: Vec<u8>, client_id: &str) -> Result<Asked, StoreError> {
    let key = [tx.tenant_value(), hash.into()];
    let sql = "SELECT client_id, scopes, state, approver, seconds_between, polled, expires FROM device_code
               WHERE tenant_id = $1 AND code_hash = $2";
    let Some(row) = tx.query_one(sql, &key)? else { return Ok(Asked::Unknown) };
    let client = clients::find(tx, client_id)?.filter(|client| row.text(0).is_ok_and(|owner| owner == client.client_id));
    let Some(client) = client else { return Ok(Asked::Unknown) };
    let now = tx.ctx().now.as_microsecond();
    if row.int(6)? <= now {
        return Ok(Asked::Expired);
    }
    match row.text(2)? {
        "approved" => {
            tx.execute("DELETE FROM device_code WHERE tenant_id = $1 AND code_hash = $2", &key)?;
            Ok(Asked::Approved(client, row.opt_text(3)?.unwrap_or_default().to_owned(), row.text(1)?.to_owned()))
        }
        "declined" => Ok(Asked::Declined),
        _ => {
            let between = row.int(4)?;
            // A second less: networks are not that even.
            let soon = row.opt_int(5)?.is_some_and(|last| now.saturating_sub(last) < (between - 1).saturating_mul(1_000_000));
            let between = if soon { between + STEP_SECONDS } else { between };
            let [tenant, hash] = key;
            tx.execute(
                "UPDATE device_code SET polled = $3, seconds_between = $4 WHERE tenant_id = $1 AND code_hash = $2",
                &[tenant, hash, now.into(), between.into()],
            )?;
            Ok(if soon { Asked::TooSoon } else { Asked::Waiting })
        }
    }
}

fn grouped(user_code: &str) -> String {
    let (first, second) = user_code.split_at(user_code.len() / 2);
    format!("{first}-{second}")
}

/// The stored form of what somebody has typed.
fn typed(user_code: &str) -> Option<String> {
    let letters: String = user_code.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
    (letters.len() == LETTERS_IN_CODE && letters.bytes().all(|b| LETTERS.contains(&b))).then_some(letters)
}

fn no_such_code(user_code: &str) -> IdentityError {
    IdentityError::NotFound(format!("no code {} waits for an approval; codes live 15 minutes", short(user_code)))
}

/// The request behind a code, of whichever tenant: for the command line on the machine, never for a request.
///
/// # Errors
/// `NotFound`.
pub async fn find_device(store: &Store, ctx: &OpContext, user_code: &str) -> Result<PendingDevice, IdentityError> {
    let letters = typed(user_code).ok_or_else(|| no_such_code(user_code))?;
    let now = ctx.now.as_microsecond();
    let lookup = letters.clone();
    let found = store
        .read::<_, StoreError>(ctx, move |tx| {
            let sql = "SELECT d.tenant_id, d.client_id, c.name, d.scopes FROM device_code d
                       JOIN client c ON c.tenant_id = d.tenant_id AND c.client_id = d.client_id
                       WHERE d.user_code = $1 AND d.state = 'waiting' AND d.expires > $2";
            tx.query_one(sql, &[lookup.into(), now.into()])
        })
        .await?;
    let row = found.ok_or_else(|| no_such_code(user_code))?;
    Ok(PendingDevice {
        tenant: row.text(0)?.parse().map_err(|_| StoreError::Corrupt("tenant id".to_owned()))?,
        user_code: grouped(&letters),
        client_id: row.text(1)?.to_owned(),
        client_name: row.text(2)?.to_owned(),
        permissions: row.text(3)?.split_ascii_whitespace().map(str::to_owned).collect(),
    })
}

/// Approves a code of the context's tenant in somebody's name, or declines it. The audit log keeps it.
///
/// # Errors
/// `NotFound` when it no longer waits, `Invalid` for a name that is none.
pub async fn decide_device(store: &Store, ctx: &OpContext, device: &PendingDevice, approver: Option<&str>) -> Result<(), IdentityError> {
    let approver = approver.map(str::trim);
    if approver.is_some_and(|name| name.is_empty() || name.chars().count() > 120 || name.chars().any(char::is_control)) {
        return Err(IdentityError::Invalid("the name of the approver has 1 to 120 characters".to_owned()));
    }
    let letters = typed(&device.user_code).ok_or_else(|| no_such_code(&device.user_code))?;
    let (state, name) = (if approver.is_some() { "approved" } else { "declined" }, approver.map(str::to_owned));
    let client = device.client_id.clone();
    let decided = store
        .write::<_, StoreError>(ctx, move |tx| {
            let now = tx.ctx().now.as_microsecond();
            let detail = json!({ "approver": name }).to_string();
            let params = [tx.tenant_value(), letters.into(), state.into(), name.into(), now.into()];
            let changed = tx.execute(
                "UPDATE device_code SET state = $3, approver = $4
                 WHERE tenant_id = $1 AND user_code = $2 AND state = 'waiting' AND expires > $5",
                &params,
            )?;
            if changed == 1 {
                let id = tx.ctx().request_id.to_string();
                tx.audit(&id, None, None, &format!("device code {state}"), &client, &detail)?;
            }
            Ok(changed == 1)
        })
        .await?;
    if decided { Ok(()) } else { Err(no_such_code(&device.user_code)) }
}
