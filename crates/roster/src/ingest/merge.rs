//! The end of a file: duplicates out, the rest into the segment.

use super::FileReport;
use super::{IngestError, SegmentReport, State, shorten, shown};
use crate::finding::{Finding, Severity};
use crate::model::Entity;
use crate::segment::{Record, Sealed, SegmentWriter, push_field};
use crate::sort::Sorter;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

impl State<'_> {
    /// Duplicates out, the rest into the segment.
    pub(super) fn merge(&mut self, entity: Entity, sorter: Sorter, out: &Path, report: &mut FileReport) -> Result<(), IngestError> {
        let path = out.join(entity.segment());
        let mut writer = if entity == Entity::Org { None } else { Some(SegmentWriter::create(&path)?) };
        let mut organizations: Vec<(Vec<u8>, u64, Vec<u8>)> = Vec::new();
        let (mut last_key, mut last_payload, mut any): (Vec<u8>, Vec<u8>, bool) = (Vec::new(), Vec::new(), false);
        sorter.finish::<IngestError>(|row| {
            if any && row.key == last_key {
                let finding = duplicate(entity, row.key, row.line, row.payload == last_payload);
                if finding.severity() == Severity::Warning {
                    report.warnings += 1;
                } else {
                    report.errors += 1;
                }
                return Ok(self.emit(&finding)?);
            }
            any = true;
            last_key.clear();
            last_key.extend_from_slice(row.key);
            last_payload.clear();
            last_payload.extend_from_slice(row.payload);
            report.accepted += 1;
            match &mut writer {
                Some(writer) => writer.push(row.key, row.payload)?,
                None => organizations.push((row.key.to_vec(), row.line, row.payload.to_vec())),
            }
            Ok(())
        })?;
        let sealed = match writer {
            Some(writer) => writer.seal()?,
            None => self.organizations(organizations, &path, report)?,
        };
        let hash = format!("{:032x}", sealed.hash);
        let source = entity.file().to_owned();
        self.report.segments.push(SegmentReport { source, file: entity.segment(), rows: sealed.rows, hash });
        Ok(())
    }

    /// Parents can only be checked when all organizations are known; there are few of them.
    fn organizations(&mut self, rows: Vec<(Vec<u8>, u64, Vec<u8>)>, path: &Path, report: &mut FileReport) -> Result<Sealed, IngestError> {
        const PARENT: usize = 3;
        let field = |row: &(Vec<u8>, u64, Vec<u8>), index| Record { key: &row.0, payload: &row.2 }.field(index).to_owned();
        let parents: BTreeMap<String, String> =
            rows.iter().map(|row| (String::from_utf8_lossy(&row.0).into_owned(), field(row, PARENT))).collect();
        let circular = circular(&parents);
        let mut writer = SegmentWriter::create(path)?;
        for row in &rows {
            let id = String::from_utf8_lossy(&row.0).into_owned();
            let parent = &parents[&id];
            let finding = if parent.is_empty() {
                None
            } else if !parents.contains_key(parent) {
                Some((
                    "OptionalReferenceNotFound",
                    format!("'{}' in parentSourcedId is not in orgs.csv; the value is dropped.", shorten(parent)),
                ))
            } else if circular.contains(id.as_str()) {
                Some(("CyclicParent", format!("'{}' is its own ancestor; its parent is dropped.", shorten(&id))))
            } else {
                None
            };
            let Some((code, message)) = finding else {
                writer.push(&row.0, &row.2)?;
                continue;
            };
            report.warnings += 1;
            let value = Some(shorten(parent));
            self.emit(&Finding {
                line: row.1,
                column: Some("parentSourcedId"),
                key: Some(id),
                value,
                ..Finding::of_file(code, "orgs.csv", message)
            })?;
            let mut payload = Vec::new();
            for index in 0..PARENT {
                push_field(&mut payload, field(row, index).as_bytes());
            }
            push_field(&mut payload, b"");
            writer.push(&row.0, &payload)?;
        }
        Ok(writer.seal()?)
    }
}

/// The ids that are their own ancestors. Every id is walked over once.
fn circular(parents: &BTreeMap<String, String>) -> HashSet<&str> {
    let mut walk_of: HashMap<&str, usize> = HashMap::new();
    let mut circular = HashSet::new();
    for (walk, start) in parents.keys().enumerate() {
        let mut at = start.as_str();
        while !walk_of.contains_key(at) {
            walk_of.insert(at, walk);
            match parents.get_key_value(at).and_then(|(_, parent)| parents.get_key_value(parent)) {
                Some((parent, _)) => at = parent,
                None => break,
            }
        }
        // Only a walk that meets itself has found a circle; where it met it lies on it. A walk that ended
        // at a root is at a place without a parent.
        let meets = walk_of.get(at) == Some(&walk) && parents.get(at).is_some_and(|parent| parents.contains_key(parent));
        while meets && circular.insert(at) {
            match parents.get_key_value(&parents[at]) {
                Some((parent, _)) => at = parent,
                None => break,
            }
        }
    }
    circular
}

fn duplicate(entity: Entity, key: &[u8], line: u64, identical: bool) -> Finding {
    let (code, message) = if identical {
        ("DuplicateRecord", format!("The row of '{}' stands in the file more than once; one is kept.", shown(key)))
    } else {
        ("ConflictingDuplicate", format!("'{}' stands in the file already, with other values; the first row is kept.", shown(key)))
    };
    Finding { line, key: Some(shown(key)), ..Finding::of_file(code, entity.file(), message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn circular_means_being_ones_own_ancestor(parents in proptest::collection::btree_map("[a-h]", "[a-j]?", 0..9)) {
            let own_ancestor = |id: &str| {
                let mut at = id;
                (0..parents.len()).any(|_| {
                    at = parents.get(at).map_or("", String::as_str);
                    at == id
                })
            };
            let expected: HashSet<&str> = parents.keys().map(String::as_str).filter(|id| own_ancestor(id)).collect();
            prop_assert_eq!(circular(&parents), expected);
        }
    }
}
