//! What can still be told of a line that is no row: its key, so that what refers to its record is known to follow
//! from the line, and is not taken for a mistake of its own.
//!
//! A key that is told here is only remembered as that of a dropped record. It makes no other row a duplicate, and
//! satisfies no reference.

use super::row::Checker;
use crate::check::{self, Checked};
use crate::fields::{Fields, control_character};
use crate::limits::LINE_BYTES_MAX;
use crate::segment::KEY_SEPARATOR;

/// What is left of a line that is no row.
#[derive(Debug, Default)]
pub(super) struct Remains {
    /// The key, when all fields that it is made of can be told; parts joined by [`KEY_SEPARATOR`].
    pub(super) key: Option<Vec<u8>>,
    /// Whether that is the key beyond doubt. If not, the record may be another one, or there may be several.
    pub(super) certain: bool,
}

impl Remains {
    /// Looks at a line, whatever is wrong with it. Of `fields` only the memory is used.
    pub(super) fn of(checker: &Checker<'_>, line: &[u8], fields: &mut Fields) -> Self {
        // How much there is of a line that is too long depends on how the file is cut.
        if line.len() > LINE_BYTES_MAX {
            return Self::default();
        }
        let closed = fields.split(line).is_ok();
        // Before a quote that is left open, all fields are as they are meant.
        let certain = if closed { fields.len() == checker.width } else { fields.len() < checker.width };
        // Where a comma is missing or one too many, nobody knows where. The first field is still the first one, unless
        // it is the only one: then it may have been cut short.
        let told = if certain { fields.len() } else { usize::from(fields.len() > 1) };
        let mut key = Vec::new();
        for (index, column) in checker.spec.key.iter().enumerate() {
            let Some(part) = part(checker, *column, line, fields, told) else { return Self::default() };
            if index > 0 {
                key.push(KEY_SEPARATOR);
            }
            key.extend_from_slice(part.as_bytes());
        }
        Self { key: Some(key), certain }
    }
}

/// One part of a key, as a good row would have it, if it is among the first `told` fields and nothing is wrong with it.
fn part(checker: &Checker<'_>, column: usize, line: &[u8], fields: &Fields, told: usize) -> Option<String> {
    let place = &checker.columns[column];
    let Some(position) = place.position else { return Some(String::new()) };
    let text = std::str::from_utf8((position < told).then(|| fields.bytes(line, position))?).ok()?;
    if text.trim().is_empty() {
        return (!place.column.required).then(String::new);
    }
    if control_character(text.as_bytes()).is_some() {
        return None;
    }
    Some(match check::value(place.column.kind, text, checker.codes) {
        Checked::Changed(value) => value.into_owned(),
        Checked::Good | Checked::Partly(..) | Checked::Bad(..) => text.to_owned(),
    })
}
