//! The embedded directory from outside, over a store in a folder of its own, or over the PostgreSQL
//! database that `HOMEROOM_TEST_POSTGRES` names.

// Helpers of tests are tests, but clippy only knows those with the attribute.
#![allow(clippy::unwrap_used, clippy::panic)]

use directory::embedded::{EmbeddedDirectory, graph};
use directory::{Directory, DirectoryError, LedgerMember, OpRecord, Operation};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use store::{OpContext, Store, StoreConfig, TenantId, Tx};
use uuid::Uuid;

mod apply;
mod documents;
mod observed;

const NOW: &str = "2026-09-01T02:00:00Z";

/// A tenant with a store on disk; the folder goes with it.
struct Tenant {
    folder: tempfile::TempDir,
    store: Store,
    ctx: OpContext,
}

/// One line of the audit log: action, object, detail.
type AuditRow = (String, String, String);

impl Tenant {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        Self { folder, store, ctx: context() }
    }

    /// Another tenant of the same store.
    fn neighbour(&self) -> (Store, OpContext) {
        (self.store.clone(), context())
    }

    /// What a process finds that starts after this one was killed.
    fn restarted(self) -> Self {
        let Self { folder, store, ctx } = self;
        drop(store);
        let store = open(&folder);
        Self { folder, store, ctx }
    }

    fn directory(&self) -> EmbeddedDirectory {
        EmbeddedDirectory::new(self.store.clone(), self.ctx.clone(), None)
    }

    fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, DirectoryError> + Send + 'static,
    ) -> Result<T, DirectoryError> {
        self.store.write_blocking(&self.ctx, f)
    }

    /// Users `u1` … with such names at `school.example`.
    fn users(&self, ids: &[&str]) {
        let users = ids.iter().map(|id| ((*id).to_owned(), user(&format!("{id}@school.example")))).collect();
        self.write(move |tx| graph::user_import(tx, users)).unwrap();
    }

    /// A member put into a group by hand.
    fn put_by_hand(&self, group: &str, user: &str) {
        let (group, user) = (group.to_owned(), user.to_owned());
        self.write(move |tx| graph::member_add(tx, &group, &user)).unwrap();
    }

    fn take_out_by_hand(&self, group: &str, user: &str) {
        let (group, user) = (group.to_owned(), user.to_owned());
        self.write(move |tx| graph::member_remove(tx, &group, &user)).unwrap();
    }

    /// Id of the group with an anchor.
    fn group(&self, anchor: &str) -> Option<String> {
        self.directory().groups_by_anchor(&[anchor.to_owned()]).unwrap().pop().map(|group| group.id)
    }

    fn name(&self, anchor: &str) -> Option<String> {
        self.directory().groups_by_anchor(&[anchor.to_owned()]).unwrap().pop().map(|group| group.display_name)
    }

    fn members(&self, anchor: &str) -> BTreeSet<String> {
        let id = self.group(anchor).unwrap_or_default();
        self.directory().members(&id, None, 1_000).unwrap().into_iter().collect()
    }

    fn held(&self) -> Vec<LedgerMember> {
        self.directory().ledger_members(None, 1_000).unwrap()
    }

    /// The audit log of a run, in order.
    fn audit(&self, run: &str) -> Vec<AuditRow> {
        let run = run.to_owned();
        let rows = self.store.read_blocking(&self.ctx, move |tx| {
            let params = [tx.tenant_value(), run.into()];
            tx.query("SELECT action, object, detail FROM audit_log WHERE tenant_id = $1 AND run_id = $2 ORDER BY id", &params)
        });
        let text = |row: &store::Row, at| row.text(at).unwrap().to_owned();
        rows.unwrap_or_else(|error: store::StoreError| panic!("{error}"))
            .iter()
            .map(|row| (text(row, 0), text(row, 1), text(row, 2)))
            .collect()
    }

    fn actions(&self, run: &str) -> Vec<String> {
        self.audit(run).into_iter().map(|(action, ..)| action).collect()
    }
}

fn open(folder: &tempfile::TempDir) -> Store {
    Store::open(&StoreConfig { data_dir: folder.path().to_owned(), database_url: std::env::var("HOMEROOM_TEST_POSTGRES").ok() }).unwrap()
}

/// Of a new tenant: tests share a database where there is only one.
fn context() -> OpContext {
    OpContext::system(TenantId(Uuid::new_v4()), Uuid::from_u128(9), NOW.parse().unwrap())
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("not an object: {value}") };
    map
}

fn user(upn: &str) -> Map<String, Value> {
    object(json!({ "userPrincipalName": upn, "displayName": upn, "mailNickname": "n", "accountEnabled": true }))
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// Numbers operations from 0, all for one flow.
fn plan(flow: &str, operations: Vec<Operation>) -> Vec<OpRecord> {
    plan_of(operations.into_iter().map(|operation| (flow, operation)).collect())
}

fn plan_of(operations: Vec<(&str, Operation)>) -> Vec<OpRecord> {
    let record = |(seq, (flow, operation)): (usize, (&str, Operation))| OpRecord {
        seq: seq as u64,
        flow_id: flow.to_owned(),
        why: "test".to_owned(),
        operation,
    };
    operations.into_iter().enumerate().map(record).collect()
}

fn create(anchor: &str, name: &str) -> Operation {
    Operation::CreateGroup {
        anchor: anchor.to_owned(),
        display_name: name.to_owned(),
        mail_nickname: anchor.to_owned(),
        description: format!("Kept by Homeroom: {name}"),
    }
}

fn rename(anchor: &str, from: &str, to: &str) -> Operation {
    Operation::RenameGroup { anchor: anchor.to_owned(), from: from.to_owned(), to: to.to_owned() }
}

fn add(anchor: &str, user: &str) -> Operation {
    Operation::AddMember { anchor: anchor.to_owned(), user_id: user.to_owned() }
}

fn remove(anchor: &str, user: &str) -> Operation {
    Operation::RemoveMember { anchor: anchor.to_owned(), user_id: user.to_owned() }
}
