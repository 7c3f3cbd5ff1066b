//! When a record was last changed: moments, and the list of them that goes with a set.
//!
//! A whole set has no `dateLastModified` (the binding of OneRoster wants it blank there), so what the
//! changes that were applied to it said is kept beside its files. It lets a package be told that comes
//! late, also for records that have been deleted since. A file that is sent whole forgets its dates.

use super::changes::Said;
use super::lines::{Lines, row, write_row};
use crate::Source;
use crate::fields::Fields;
use crate::keys::hash;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

/// The list beside the files of a set. Nothing that is uploaded has a name with a dot in front.
pub(super) const CHANGED: &str = ".changed.csv";
const COLUMNS: [&str; 3] = ["file", "sourcedId", "dateLastModified"];

/// A `dateLastModified` in milliseconds since 1970. Without an offset it is UTC, without a time (or with one that is
/// none) the start of the day.
pub(super) fn moment(text: &str) -> Option<i64> {
    let text = text.trim();
    let utc = |at: DateTime| TimeZone::UTC.to_timestamp(at).ok();
    let timed = || text.parse::<Timestamp>().ok().or_else(|| utc(text.parse().ok()?));
    let day = || utc(text.get(..10)?.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight()));
    timed().or_else(day).map(Timestamp::as_millisecond).filter(|moment| *moment < END)
}

/// The year 2100. What is later is no moment but a way of saying "always" or "never" (9999-12-31), after which nothing
/// that happens to the record would count any more.
const END: i64 = 4_102_444_800_000;

/// Writes the list anew.
pub(super) struct Dates {
    out: BufWriter<File>,
    now: Timestamp,
}

impl Dates {
    pub(super) fn create(folder: &Path, now: Timestamp) -> io::Result<Self> {
        let mut out = BufWriter::new(File::create(folder.join(CHANGED))?);
        write_row(&mut out, COLUMNS.into_iter())?;
        Ok(Self { out, now })
    }

    /// A change was applied; one that is dated later than now has come now.
    pub(super) fn applied(&mut self, file: &str, change: &Said<'_>) -> io::Result<()> {
        if change.moment > self.now.as_millisecond() {
            return self.push(file, change.id, &self.now.to_string());
        }
        self.push(file, change.id, change.date)
    }

    fn push(&mut self, file: &str, id: &str, date: &str) -> io::Result<()> {
        write_row(&mut self.out, [file, id, date].into_iter())
    }

    /// Takes the dates of a file over from the list before; those go that `replaced` says are not true any more, by
    /// the hash of the id and the moment.
    pub(super) fn carry(&mut self, base: &[Source], file: &str, mut replaced: impl FnMut(u64, i64) -> bool) -> io::Result<()> {
        let Some(before) = base.iter().find(|source| source.name == CHANGED) else { return Ok(()) };
        let (mut lines, mut fields) = (Lines::open(before, None)?, Fields::default());
        while let Some((_, line)) = lines.next()? {
            let Some(text) = row(line, COLUMNS.len(), &mut fields) else { continue };
            let [of, id, date] = [0, 1, 2].map(|column| fields.text(text, column));
            if of == file
                && let Some(moment) = moment(date)
                && !replaced(hash(id.as_bytes()), moment)
            {
                self.push(of, id, date)?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_compared_whatever_their_form() {
        let day = moment("2026-09-02").unwrap();
        assert_eq!(day, 1_788_307_200_000);
        for (text, hours) in [
            ("2026-09-02T02:00:00.000Z", 2),
            ("2026-09-02T02:00:00Z", 2),
            ("2026-09-02T02:00:00", 2),
            ("2026-09-02 02:00:00", 2),
            ("2026-09-02t04:00:00+02:00", 2),
            ("2026-09-01T22:00:00-04:00", 2),
            (" 2026-09-02 ", 0),
            ("2026-09-02T99:00Z", 0),
        ] {
            assert_eq!(moment(text), Some(day + hours * 3_600_000), "{text}");
        }
        assert_eq!(["", "yesterday", "2026-13-01"].map(moment), [None; 3]);
        assert!(moment("2099-12-31T23:59:59Z").is_some());
        assert_eq!(["2100-01-01", "9999-12-01T00:00:00Z", "9999-12-31"].map(moment), [None; 3]);
    }
}
