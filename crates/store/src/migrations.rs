//! The one list of schema changes, SQL for both engines side by side. Forward only; a change that
//! is out is never edited, only followed by another.

use crate::StoreError;
use crate::engine::{Connection, LOCK_MIGRATE};

struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// In order. `TEXT`, `BLOB`, `BIGINT` and `STRICT` are the only words that differ between the engines; see [`dialect`].
const MIGRATIONS: &[Migration] = &[
    Migration { name: "0001 first schema", sql: FIRST },
    Migration { name: "0002 one running job a tenant", sql: ONE_RUNNING_JOB },
    Migration { name: "0003 certificates of clients, device codes", sql: CERTIFICATES },
];

/// Times are microseconds of the Unix epoch, but for `used_assertion`, which has a JWT's seconds.
const CERTIFICATES: &str = "
CREATE TABLE client_key (
    tenant_id TEXT NOT NULL, client_id TEXT NOT NULL, thumbprint TEXT NOT NULL, algorithm TEXT NOT NULL,
    public_key BLOB NOT NULL, expires BIGINT, created BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, client_id, thumbprint)
) STRICT;
CREATE TABLE used_assertion (
    tenant_id TEXT NOT NULL, client_id TEXT NOT NULL, id_hash BLOB NOT NULL, expires BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, client_id, id_hash)
) STRICT;
CREATE TABLE device_code (
    tenant_id TEXT NOT NULL, code_hash BLOB NOT NULL, user_code TEXT NOT NULL, client_id TEXT NOT NULL,
    scopes TEXT NOT NULL, state TEXT NOT NULL, approver TEXT, seconds_between BIGINT NOT NULL,
    polled BIGINT, expires BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, code_hash)
) STRICT;
CREATE UNIQUE INDEX device_code_user_code ON device_code (user_code);
CREATE INDEX device_code_client ON device_code (tenant_id, client_id);
";

/// Jobs that run while this is done are claimed again; their workers are refused at their next write.
const ONE_RUNNING_JOB: &str = "
UPDATE job SET state = 'waiting', lease_until = 0 WHERE state = 'running';
CREATE UNIQUE INDEX job_running ON job (tenant_id, kind) WHERE state = 'running';
";

const FIRST: &str = "
CREATE TABLE tenant (
    id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, domain TEXT, created BIGINT NOT NULL
) STRICT;
CREATE UNIQUE INDEX tenant_domain ON tenant (domain);
CREATE TABLE client (
    tenant_id TEXT NOT NULL REFERENCES tenant (id), client_id TEXT NOT NULL, name TEXT NOT NULL,
    secret_hash BLOB NOT NULL, permissions TEXT NOT NULL, created BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, client_id)
) STRICT;
CREATE TABLE signing_key (
    kid TEXT NOT NULL PRIMARY KEY, private_pkcs8 BLOB NOT NULL, created BIGINT NOT NULL
) STRICT;
CREATE TABLE document (
    tenant_id TEXT NOT NULL, collection TEXT NOT NULL, id TEXT NOT NULL, parent TEXT,
    body TEXT NOT NULL, version BIGINT NOT NULL, created BIGINT NOT NULL, modified BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, collection, id)
) STRICT;
CREATE INDEX document_parent ON document (tenant_id, collection, parent, id);
CREATE TABLE job (
    tenant_id TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, payload TEXT NOT NULL,
    state TEXT NOT NULL, run_at BIGINT NOT NULL, attempt BIGINT NOT NULL, fence BIGINT NOT NULL,
    lease_until BIGINT NOT NULL, last_error TEXT,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE INDEX job_due ON job (state, run_at);
CREATE TABLE event_window (
    tenant_id TEXT NOT NULL, name TEXT NOT NULL, at BIGINT NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, name, at, id)
) STRICT;
CREATE TABLE directory_user (
    tenant_id TEXT NOT NULL, id TEXT NOT NULL, upn_key TEXT NOT NULL, mail_key TEXT,
    enabled BIGINT NOT NULL, body TEXT NOT NULL, version BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX directory_user_upn ON directory_user (tenant_id, upn_key);
CREATE INDEX directory_user_mail ON directory_user (tenant_id, mail_key);
CREATE TABLE directory_group (
    tenant_id TEXT NOT NULL, id TEXT NOT NULL, anchor TEXT, display_name TEXT NOT NULL,
    body TEXT NOT NULL, version BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX directory_group_anchor ON directory_group (tenant_id, anchor);
CREATE INDEX directory_group_name ON directory_group (tenant_id, display_name);
CREATE TABLE directory_member (
    tenant_id TEXT NOT NULL, group_id TEXT NOT NULL, user_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, group_id, user_id)
) STRICT;
CREATE INDEX directory_member_user ON directory_member (tenant_id, user_id);
CREATE TABLE ledger_group (
    tenant_id TEXT NOT NULL, flow_id TEXT NOT NULL, anchor TEXT NOT NULL, group_id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    PRIMARY KEY (tenant_id, flow_id, anchor)
) STRICT;
CREATE TABLE ledger_member (
    tenant_id TEXT NOT NULL, flow_id TEXT NOT NULL, anchor TEXT NOT NULL, user_id TEXT NOT NULL,
    added BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, flow_id, anchor, user_id)
) STRICT;
CREATE INDEX ledger_member_held ON ledger_member (tenant_id, anchor, user_id);
CREATE TABLE run_cursor (
    tenant_id TEXT NOT NULL, run_id TEXT NOT NULL, next_seq BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id)
) STRICT;
CREATE TABLE audit_log (
    tenant_id TEXT NOT NULL, id TEXT NOT NULL, at BIGINT NOT NULL, run_id TEXT, flow_id TEXT,
    action TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
";

/// Version of a fresh schema.
#[must_use]
pub fn schema_version() -> i64 {
    MIGRATIONS.len() as i64
}

/// The text for an engine.
fn dialect(sql: &str, postgres: bool) -> String {
    if postgres {
        // In order of bytes, as SQLite and Rust do it: pages and merges rely on it, and the database's own
        // order is that of some language.
        sql.replace(" TEXT", " TEXT COLLATE \"C\"").replace(" BLOB ", " BYTEA ").replace(") STRICT;", ");")
    } else {
        // Natural keys and no row ids: one B-tree a table in place of two.
        sql.replace(" BIGINT", " INTEGER").replace(") STRICT;", ") STRICT, WITHOUT ROWID;")
    }
}

/// Brings a database up to date, one process at a time.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    migrate_with(connection, MIGRATIONS)
}

fn migrate_with(connection: &mut Connection, known: &[Migration]) -> Result<(), StoreError> {
    const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL)";
    const READ: &str = "SELECT coalesce(max(version), 0) FROM schema_migration";
    match connection {
        Connection::Sqlite(sqlite) => {
            let tx = sqlite.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            tx.execute_batch(TABLE)?;
            for (version, migration) in pending(tx.query_row(READ, [], |row| row.get(0))?, known)? {
                tx.execute_batch(&dialect(migration.sql, false))?;
                tx.execute("INSERT INTO schema_migration (version, name) VALUES (?1, ?2)", rusqlite::params![version, migration.name])?;
            }
            Ok(tx.commit()?)
        }
        Connection::Postgres(postgres) => {
            let mut tx = postgres.client.transaction()?;
            tx.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK_MIGRATE})"))?;
            let encoding: String = tx.query_one("SHOW server_encoding", &[])?.get(0);
            if encoding != "UTF8" {
                return Err(StoreError::Unsuitable(format!("its encoding is {encoding}; create it with ENCODING 'UTF8'")));
            }
            tx.batch_execute(TABLE)?;
            for (version, migration) in pending(tx.query_one(READ, &[])?.get(0), known)? {
                tx.batch_execute(&dialect(migration.sql, true))?;
                tx.execute("INSERT INTO schema_migration (version, name) VALUES ($1, $2)", &[&version, &migration.name])?;
            }
            Ok(tx.commit()?)
        }
    }
}

fn pending(found: i64, known: &[Migration]) -> Result<impl Iterator<Item = (i64, &Migration)>, StoreError> {
    let newest = known.len() as i64;
    if found > newest {
        return Err(StoreError::NewerSchema { found, known: newest });
    }
    Ok((1..).zip(known).filter(move |(version, _)| *version > found))
}

#[cfg(test)]
mod tests;
