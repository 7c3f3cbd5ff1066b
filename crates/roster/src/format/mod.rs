//! Formats as data: a format is a table of source files.
//!
//! The engine in [`crate::ingest`] reads any table: it checks values by the kind of their column,
//! references against the source file that they name, keys, spans and the rules of a file, and hands
//! each good row to the file's `map`, which makes canonical records of it. Findings therefore speak
//! of files and columns as the source spells them, and nothing behind the map knows a format.
//!
//! A new format is a table beside `sds_v21`, a variant here, and a line in [`detect()`].

mod detect;
mod glance;
pub(crate) mod manifest;
pub(crate) mod oneroster;
mod sds_v1;
mod sds_v21;

use crate::Source;
use crate::codes::CodeList;
use crate::finding::shorten;
pub use crate::ingest::{Records, Report, RowView};
use crate::model::Entity;
pub(crate) use detect::fitting;
pub use detect::{Detected, detect, looks_like, mixed};
use encoding_rs::Encoding;
pub(crate) use oneroster::Links;
pub(crate) use sds_v1::People;
use std::io;

/// A format of exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// School Data Sync CSV, version 2.1.
    SdsV21,
    /// School Data Sync CSV, version 1, with the headers of the United Kingdom too.
    SdsV1,
    /// OneRoster CSV, version 1.1.
    OneRoster11,
    /// OneRoster CSV, version 1.2.
    OneRoster12,
}

impl Format {
    /// All that can be read.
    pub const ALL: [Self; 4] = [Self::SdsV21, Self::SdsV1, Self::OneRoster11, Self::OneRoster12];

    /// Name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SdsV21 => "sds-v2.1",
            Self::SdsV1 => "sds-v1",
            Self::OneRoster11 => "oneroster-1.1",
            Self::OneRoster12 => "oneroster-1.2",
        }
    }

    /// Name in messages.
    pub const fn title(self) -> &'static str {
        match self {
            Self::SdsV21 => "SDS v2.1",
            Self::SdsV1 => "SDS v1",
            Self::OneRoster11 => "OneRoster 1.1",
            Self::OneRoster12 => "OneRoster 1.2",
        }
    }

    /// The format of a [`Format::name`].
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Its files, in order of dependency: a file refers to itself and to those before it only.
    pub fn files(self) -> &'static [FileSpec] {
        match self {
            Self::SdsV21 => sds_v21::FILES,
            Self::SdsV1 => sds_v1::FILES,
            Self::OneRoster11 => oneroster::FILES_1_1,
            Self::OneRoster12 => oneroster::FILES_1_2,
        }
    }

    /// Looks at the files before their rows are read. `records`: whether records will be made of them.
    pub(crate) fn prepare(self, files: &[Source], encoding: Option<&'static Encoding>, records: bool) -> io::Result<Context> {
        Ok(match self {
            Self::SdsV21 => Context::default(),
            Self::SdsV1 => Context { people: People::of(files, encoding, records)?, ..Context::default() },
            Self::OneRoster11 | Self::OneRoster12 => Context { links: Links::of(self.files(), files, encoding)?, ..Context::default() },
        })
    }

    /// The version as the manifest of a package has it, when the format has manifests.
    pub(crate) const fn manifest_version(self) -> Option<&'static str> {
        match self {
            Self::SdsV21 | Self::SdsV1 => None,
            Self::OneRoster11 => Some("1.1"),
            Self::OneRoster12 => Some("1.2"),
        }
    }

    /// Names of all files that a package may have, read or not, without their ending; none when the
    /// format has no manifest that speaks of them.
    pub const fn package(self) -> &'static [&'static str] {
        match self {
            Self::SdsV21 | Self::SdsV1 => &[],
            Self::OneRoster11 => oneroster::PACKAGE_1_1,
            Self::OneRoster12 => oneroster::PACKAGE_1_2,
        }
    }

    /// Whether a file is part of the format though nothing of it is read.
    pub(crate) fn passes_over(self, name: &str) -> bool {
        name.strip_suffix(".csv").is_some_and(|stem| self.package().contains(&stem)) || name == MANIFEST && !self.package().is_empty()
    }

    /// Whether a file is one of the format, whatever the case of its name.
    pub(crate) fn has(self, name: &str) -> bool {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        let packed = self.package().iter().any(|stem| is(&format!("{stem}.csv"))) || is(MANIFEST) && !self.package().is_empty();
        packed || self.files().iter().any(|spec| is(spec.name))
    }
}

/// Name of the file that says what is in a OneRoster package.
pub(crate) const MANIFEST: &str = "manifest.csv";

/// What a format has to know of the whole export before the first row is read.
#[derive(Debug, Default)]
pub struct Context {
    /// SDS v1: who is who among its files of people.
    pub(crate) people: People,
    /// OneRoster: what its files say about each other's records.
    pub(crate) links: Links,
}

impl Context {
    /// Whether a file is said to be the whole truth about its records.
    pub(crate) fn is_bulk(&self, file: &str) -> bool {
        self.links.is_bulk(file)
    }
}

/// By its name.
impl serde::Serialize for Format {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One file of a format.
#[derive(Debug)]
pub struct FileSpec {
    /// Name as the format spells it.
    pub name: &'static str,
    /// Whether the file is taken under a name that differs in case only.
    pub any_case: bool,
    /// Whether an export cannot be without it. A required file without one good row counts as broken.
    pub required: bool,
    /// Columns, in the order in which rows are checked and seen by rules and map.
    pub columns: &'static [Column],
    /// Headers that the format knows and that nothing is made of: their columns are passed over in silence.
    pub ignored: &'static [&'static str],
    /// Columns that make the key of a row: a second row with the same key is a duplicate.
    pub key: &'static [usize],
    /// Columns in which rows of one key may differ: such a row says one thing more about its record.
    pub varies: &'static [usize],
    /// Records that many rows describe beside what they are about.
    pub derived: &'static [Derived],
    /// What only one record may have.
    pub unique: Option<Unique>,
    /// Columns that stay blank in a file which is the whole truth about its records.
    pub blank_in_bulk: &'static [usize],
    /// Start and end column of a span of time.
    pub span: Option<(usize, usize)>,
    /// Checks across columns, of rows whose values are all good.
    pub rules: &'static [fn(&RowView<'_>, &mut Report)],
    /// What later files may ask about a row of this one by [`RowView::is_marked`].
    pub mark: Option<fn(&RowView<'_>) -> bool>,
    /// A column and the value in it that says that the record is gone: the row is left out.
    pub gone: Option<(usize, &'static str)>,
    /// A header that only files have whose dates with slashes begin with the day.
    pub day_first: Option<&'static str>,
    /// What the headers of columns begin with that anybody may add; they are passed over in silence.
    pub extension: Option<&'static str>,
    /// Whether the format asks for the columns in just this order, with those that were added behind them.
    pub ordered: bool,
    /// Entities that the map gives.
    pub gives: &'static [Entity],
    /// Makes canonical records of a row that is kept. The first record of a key wins, silently.
    pub map: fn(&RowView<'_>, &mut Records),
}

impl FileSpec {
    /// An optional file without peculiarities.
    pub(crate) const fn new(
        name: &'static str,
        columns: &'static [Column],
        key: &'static [usize],
        gives: &'static [Entity],
        map: fn(&RowView<'_>, &mut Records),
    ) -> Self {
        Self {
            name,
            any_case: false,
            required: false,
            columns,
            ignored: &[],
            key,
            varies: &[],
            derived: &[],
            unique: None,
            blank_in_bulk: &[],
            span: None,
            rules: &[],
            mark: None,
            gone: None,
            day_first: None,
            extension: None,
            ordered: false,
            gives,
            map,
        }
    }

    /// Whether a file of this name is this file.
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name || self.any_case && self.name.eq_ignore_ascii_case(name)
    }

    /// Index of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// One column of a file.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Header.
    pub name: &'static str,
    /// Other headers that the column may have.
    pub aliases: &'static [&'static str],
    /// Whether the file must have the column.
    pub header_required: bool,
    /// Whether every row needs a value, when the file has the column.
    pub required: bool,
    /// Form of the values.
    pub kind: Kind,
    /// Name of the file in which an id must be found. A column may refer to its own file; such a
    /// reference is optional, and checked when the file has been read.
    pub refers_to: Option<&'static str>,
    /// Whether references to the own file must not go round in circles.
    pub acyclic: bool,
    /// Whether a row can do without the file that a required id is of: when the export does not have
    /// that file, the ids are dropped.
    pub without_file: bool,
}

impl Column {
    /// Every header that the column may have, the first choice first.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// A column whose header and value every file and row must have.
    pub(crate) const fn need(name: &'static str, kind: Kind) -> Self {
        Self { name, aliases: &[], header_required: true, required: true, kind, refers_to: None, acyclic: false, without_file: false }
    }

    /// Other headers that the column may have.
    pub(crate) const fn or(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// A column that the file must have and whose values may be empty.
    pub(crate) const fn may_be_empty(name: &'static str, kind: Kind) -> Self {
        Self { required: false, ..Self::need(name, kind) }
    }

    /// A column that may be missing or empty.
    pub(crate) const fn may(name: &'static str, kind: Kind) -> Self {
        Self { header_required: false, required: false, ..Self::need(name, kind) }
    }

    /// The ids are those of a file.
    pub(crate) const fn of(self, file: &'static str) -> Self {
        Self { refers_to: Some(file), ..self }
    }

    /// References to the own file must not go round in circles.
    pub(crate) const fn acyclic(self) -> Self {
        Self { acyclic: true, ..self }
    }

    /// A row can do without the file referred to.
    pub(crate) const fn without_file(self) -> Self {
        Self { without_file: true, ..self }
    }
}

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An id, case-sensitive, as received.
    Id,
    /// An id of 1 to 255 letters, digits and `. / @ _ -`, as OneRoster 1.2 has them.
    SourcedId,
    /// Ids, separated by commas in one field.
    Ids,
    /// Any text.
    Text,
    /// A code of a list.
    Code(CodeList),
    /// Codes of a list, separated by commas in one field.
    Codes(CodeList),
    /// One of the words that the format itself gives.
    Word(&'static Words),
    /// An address, kept in lower case.
    Email,
    /// The address of a record in another file, which decides about its form; kept in lower case.
    EmailKey,
    /// E.164.
    Phone,
    /// ISO 8601.
    Date,
    /// ISO 8601, also without hyphens, or with slashes, in the order that the file has; kept as ISO 8601.
    SlashDate(Slashes),
    /// `true` or `false`.
    Boolean,
    /// Four digits.
    Year,
    /// The year in which a school year ends: four digits, or both years with a dash between them.
    SchoolYear,
    /// Read and thrown away: never stored, never shown.
    Password,
}

/// What stands first in a date with slashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slashes {
    /// The month, as in Microsoft's samples.
    MonthFirst,
    /// The day; where that cannot be, the month.
    DayFirst,
}

/// The words that a format gives for a column, whatever codes a tenant has.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// Each word with the code that it is kept as.
    pub meanings: &'static [(&'static str, &'static str)],
    /// The code of words that somebody has added with the prefix `ext:`, when that is allowed.
    pub extension: Option<&'static str>,
}

impl Words {
    /// The code of a word, without regard to case.
    pub(crate) fn meaning(&self, word: &str) -> Option<&'static str> {
        let known = self.meanings.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, code)| *code);
        known.or_else(|| self.extension.filter(|_| word.strip_prefix("ext:").is_some_and(|rest| !rest.is_empty())))
    }

    /// All words, for a message.
    pub(crate) fn all(&self) -> String {
        self.meanings.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
    }
}

/// A record that many rows describe, such as the term of a class. The first row makes it, and what that
/// row leaves empty is taken from later ones.
#[derive(Debug, Clone, Copy)]
pub struct Derived {
    /// The column with its id.
    pub id: usize,
    /// What the rows say about it; whoever says something else is told so.
    pub columns: &'static [usize],
}

/// What only one record may have: the first one keeps it. By its code an error drops every later record,
/// a warning its value.
#[derive(Debug, Clone, Copy)]
pub struct Unique {
    /// The column.
    pub column: usize,
    /// What of it belongs to one key.
    pub claim: Claim,
    /// Code of the finding about every record but the first.
    pub code: &'static str,
    /// What is wrong with such a record, by its row and the line of the first one; it says `on line N` of that, and
    /// after it nothing of the row's own ([`crate::Finding::earlier`]).
    pub message: fn(&RowView<'_>, u64) -> String,
}

/// What is wrong with a username that the person on an earlier line has.
fn used_username(username: &str, line: u64) -> String {
    format!("The username '{}' is used by another person on line {line}.", shorten(username))
}

/// What a row claims for its key alone.
#[derive(Debug, Clone, Copy)]
pub enum Claim {
    /// The value of the column, compared without regard to case.
    Value,
    /// The first place among the rows with the same values in `among`, when the row says that it has it.
    First {
        /// Columns of those values.
        among: &'static [usize],
        /// Whether a row says so.
        says: fn(&RowView<'_>) -> bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the engine takes for granted.
    #[test]
    fn the_tables_are_sound() {
        for format in Format::ALL {
            let files = format.files();
            for (index, file) in files.iter().enumerate() {
                for column in file.columns {
                    let earlier = |name| files[..index].iter().any(|other| other.name == name);
                    let own = column.refers_to == Some(file.name);
                    assert!(column.refers_to.is_none_or(|name| own || earlier(name)), "{} {}", file.name, column.name);
                    assert!(!own || !column.required, "references to the own file are optional: {} {}", file.name, column.name);
                    assert!(!column.acyclic || own && column.kind == Kind::Id, "{} {}", file.name, column.name);
                    let refers = column.refers_to.is_some();
                    assert!(!refers || matches!(column.kind, Kind::Id | Kind::Ids | Kind::EmailKey), "{} {}", file.name, column.name);
                }
                let mut derived = file.derived.iter().flat_map(|derived| derived.columns.iter().chain([&derived.id]));
                assert!(derived.all(|column| *column < file.columns.len()));
                assert!(file.varies.iter().all(|column| *column < file.columns.len() && !file.key.contains(column)));
                assert!(file.key.iter().chain(file.unique.iter().map(|unique| &unique.column)).all(|key| *key < file.columns.len()));
                assert!(!file.gives.is_empty() && !file.key.is_empty());
            }
        }
    }
}
