//! Longitudinal history: when each record was first and last seen, and whether it is there now.
//!
//! Presence or absence in the uploads of the same flow decides; nothing is forgotten.

use roster::Entity;
use roster::segment::{Change, Record, SegmentReader, SegmentWriter, diff, push_field};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// Entities whose history is kept: those that statistics count.
pub(crate) const KEPT: [Entity; 5] = [Entity::Org, Entity::User, Entity::Role, Entity::Class, Entity::Enrollment];

/// Active and inactive records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Activity {
    pub(crate) active: u64,
    pub(crate) inactive: u64,
}

const FIRST_SEEN: usize = 0;
const LAST_SEEN: usize = 1;

/// Lays a snapshot over the history before it.
pub(crate) fn update(entity: Entity, before: Option<&Path>, snapshot: &Path, out: &Path, now: &str) -> io::Result<Activity> {
    let name = entity.segment();
    let older = match before {
        Some(dir) => SegmentReader::open_if_there(&dir.join(&name))?,
        None => None,
    };
    let newer = SegmentReader::open_if_there(&snapshot.join(&name))?;
    let mut writer = SegmentWriter::create(&out.join(&name))?;
    let mut activity = Activity::default();
    let mut put = |record: Record<'_>, first: &str, last: &str, active: bool| {
        let mut payload = Vec::new();
        push_field(&mut payload, first.as_bytes());
        push_field(&mut payload, last.as_bytes());
        push_field(&mut payload, if active { b"1" } else { b"0" });
        *(if active { &mut activity.active } else { &mut activity.inactive }) += 1;
        writer.push(record.key, &payload)
    };
    // The two sides never have equal payloads: one is history, the other a roster record.
    diff::<io::Error>(older, newer, |change| match change {
        Change::Created(record) => put(record, now, now, true),
        Change::Changed(old, _) | Change::Unchanged(old) => put(old, old.field(FIRST_SEEN), now, true),
        Change::Gone(old) => put(old, old.field(FIRST_SEEN), old.field(LAST_SEEN), false),
    })?;
    writer.finish()?;
    Ok(activity)
}

/// What changed between two snapshots of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Delta {
    pub(crate) created: u64,
    pub(crate) changed: u64,
    pub(crate) gone: u64,
    pub(crate) unchanged: u64,
}

/// Counts the changes.
pub(crate) fn delta(entity: Entity, before: Option<&Path>, snapshot: &Path) -> io::Result<Delta> {
    let name = entity.segment();
    let older = match before {
        Some(dir) => SegmentReader::open_if_there(&dir.join(&name))?,
        None => None,
    };
    let mut delta = Delta::default();
    diff::<io::Error>(older, SegmentReader::open_if_there(&snapshot.join(&name))?, |change| {
        match change {
            Change::Created(_) => delta.created += 1,
            Change::Changed(..) => delta.changed += 1,
            Change::Gone(_) => delta.gone += 1,
            Change::Unchanged(_) => delta.unchanged += 1,
        }
        Ok(())
    })?;
    Ok(delta)
}
