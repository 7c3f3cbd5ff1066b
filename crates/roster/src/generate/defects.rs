//! Defects put into a set on purpose, each noted with the finding that must be reported for it.
//!
//! What costs a record its place sits on a row that is not of the population and that nothing refers to;
//! what costs a value its place is a change to an optional one. So the records that survive are those of
//! the clean set, and no defect hides or causes another, except the ones that are meant to.

mod apply;

use self::apply::{circle, put};
use super::draw::Seed;
use super::format::{Column, Form, Table};
use super::output::CsvFile;
use crate::catalogue::CATALOGUE;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;

/// A defect and what must be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Defect {
    /// What was done.
    pub kind: &'static str,
    /// Code of the finding.
    pub code: &'static str,
    /// Its severity.
    pub severity: &'static str,
    /// Its file.
    pub file: &'static str,
    /// Its line, 1 for the header; 0 when the whole file is meant.
    pub line: u64,
    /// Its column, when it is about one value.
    pub column: Option<&'static str>,
    /// Its record's key, when it has one.
    pub key: Option<String>,
    /// The offending value as it stands in the file.
    pub value: Option<String>,
    /// The record that caused it, when it is a consequence.
    pub root_cause: Option<String>,
}

impl Defect {
    pub(super) fn of_file(kind: &'static str, code: &'static str, file: &'static str, line: u64) -> Self {
        let severity = CATALOGUE.iter().find(|entry| entry.code == code).map_or("", |entry| entry.severity.word());
        Self { kind, code, severity, file, line, column: None, key: None, value: None, root_cause: None }
    }

    fn of(kind: Kind, table: &'static Table, line: u64) -> Self {
        Self::of_file(kind.name(), kind.code(table), table.file, line)
    }
}

/// What is done to a row. Numbers are columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    MissingValue(usize),
    BadValue(usize),
    BadReference(usize),
    DroppedReference(usize),
    TabInId(usize),
    IdenticalRow,
    ConflictingRow(usize),
    UsedName(usize),
    EndBeforeStart(usize, usize),
    OwnParent(usize),
    CircleOfTwo(usize),
    ListLengths(usize),
    EncodedTwice(usize),
    IncompleteContact(usize),
    SecondPrimary(usize, &'static str),
    OutsideOfSession(usize),
    PrimaryOrgWithoutRole(usize),
    OtherType(usize, &'static str),
    NotEnabled(usize),
    Gone(usize),
    FilledStatus(usize),
    OtherDerived(usize),
    FieldTooFew,
    FieldTooMany,
    LineBreak,
    WrongEncoding,
    ControlCharacter,
    EndlessLine,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::MissingValue(_) => "missing-value",
            Self::BadValue(_) => "bad-value",
            Self::BadReference(_) => "bad-reference",
            Self::DroppedReference(_) => "reference-to-dropped-record",
            Self::TabInId(_) => "tab-in-id",
            Self::IdenticalRow => "identical-row",
            Self::ConflictingRow(_) => "conflicting-row",
            Self::UsedName(_) => "used-name",
            Self::EndBeforeStart(..) => "end-before-start",
            Self::OwnParent(_) => "own-parent",
            Self::CircleOfTwo(_) => "circle-of-two",
            Self::ListLengths(_) => "list-lengths",
            Self::EncodedTwice(_) => "encoded-twice",
            Self::IncompleteContact(_) => "incomplete-contact",
            Self::SecondPrimary(..) => "second-primary",
            Self::OutsideOfSession(_) => "outside-of-session",
            Self::PrimaryOrgWithoutRole(_) => "primary-org-without-role",
            Self::OtherType(..) => "reference-to-other-type",
            Self::NotEnabled(_) => "not-enabled",
            Self::Gone(_) => "gone",
            Self::FilledStatus(_) => "filled-status",
            Self::OtherDerived(_) => "other-derived-value",
            Self::FieldTooFew => "field-too-few",
            Self::FieldTooMany => "field-too-many",
            Self::LineBreak => "line-break",
            Self::WrongEncoding => "wrong-encoding",
            Self::ControlCharacter => "control-character",
            Self::EndlessLine => "endless-line",
        }
    }

    /// The finding that a row gets for it.
    fn code(self, table: &Table) -> &'static str {
        match self {
            Self::MissingValue(_) => "RequiredValueMissing",
            Self::BadValue(column) => code_of_value(table.columns[column]),
            Self::BadReference(column) if table.columns[column].required => "ReferenceNotFound",
            Self::BadReference(_) => "OptionalReferenceNotFound",
            Self::DroppedReference(_) => "ReferencedRecordDropped",
            Self::TabInId(_) if table.strict_ids => "InvalidValue",
            Self::TabInId(_) | Self::ControlCharacter => "InvalidCharacter",
            Self::IdenticalRow => "DuplicateRecord",
            Self::ConflictingRow(_) => "ConflictingDuplicate",
            Self::UsedName(_) => "DuplicateUsername",
            Self::EndBeforeStart(..) => "EndBeforeStart",
            Self::OwnParent(_) | Self::CircleOfTwo(_) => "CyclicParent",
            Self::ListLengths(_) => "ListLengthsDiffer",
            Self::EncodedTwice(_) => "EncodedTwice",
            Self::IncompleteContact(_) => "ContactIncomplete",
            Self::SecondPrimary(..) => "SecondPrimary",
            Self::OutsideOfSession(_) => "OutsideOfSession",
            Self::PrimaryOrgWithoutRole(_) => "PrimaryOrgWithoutRole",
            Self::OtherType(..) => "ReferenceOfOtherType",
            Self::NotEnabled(_) => "UserNotEnabled",
            Self::Gone(_) => "RecordGone",
            Self::FilledStatus(_) => "StatusInBulkFile",
            Self::OtherDerived(_) => "DerivedRecordDiffers",
            Self::FieldTooFew | Self::FieldTooMany => "FieldCount",
            Self::LineBreak => "LineBreakInQuotes",
            Self::WrongEncoding => "InvalidEncoding",
            Self::EndlessLine => "LineTooLong",
        }
    }

    /// Whether a row of the population is changed. If not, a row is added.
    fn is_in_place(self, table: &Table) -> bool {
        match self {
            Self::BadValue(column) | Self::BadReference(column) => !table.columns[column].required,
            Self::OwnParent(_)
            | Self::CircleOfTwo(_)
            | Self::ListLengths(_)
            | Self::EncodedTwice(_)
            | Self::OutsideOfSession(_)
            | Self::PrimaryOrgWithoutRole(_)
            | Self::OtherType(..)
            | Self::NotEnabled(_)
            | Self::FilledStatus(_)
            | Self::OtherDerived(_) => true,
            _ => false,
        }
    }

    /// Whether a row of the population comes again, which must then stand before it as it was.
    fn repeats(self) -> bool {
        matches!(self, Self::IdenticalRow | Self::ConflictingRow(_) | Self::UsedName(_) | Self::SecondPrimary(..))
    }

    /// Whether it is told once a file, and therefore done once.
    fn is_told_once(self) -> bool {
        matches!(self, Self::EncodedTwice(_) | Self::EndlessLine | Self::FilledStatus(_) | Self::OtherDerived(_))
    }

    /// Everything that can be done to the rows of a file.
    fn of(table: &Table) -> Vec<Self> {
        let mut kinds = Vec::new();
        for (index, column) in table.columns.iter().enumerate() {
            if column.required {
                kinds.push(Self::MissingValue(index));
            }
            match column.form {
                Form::Id if table.key == [index] => kinds.push(Self::TabInId(index)),
                Form::Id | Form::Text | Form::Plain => {}
                Form::Ref(_) | Form::Refs(_) => {
                    kinds.push(Self::BadReference(index));
                    if column.required && matches!(column.form, Form::Ref(file) if file != table.file) {
                        kinds.push(Self::DroppedReference(index));
                    }
                }
                _ => kinds.push(Self::BadValue(index)),
            }
        }
        kinds.push(Self::IdenticalRow);
        kinds.extend(table.alter.map(Self::ConflictingRow));
        kinds.extend(table.unique.map(Self::UsedName));
        kinds.extend(table.span.map(|(start, end)| Self::EndBeforeStart(start, end)));
        kinds.extend(table.parent.into_iter().flat_map(|column| [Self::OwnParent(column), Self::CircleOfTwo(column)]));
        kinds.extend(table.subject_codes.map(Self::ListLengths));
        kinds.extend(table.alter.filter(|column| table.columns[*column].form == Form::Text).map(Self::EncodedTwice));
        kinds.extend(table.contact.map(Self::IncompleteContact));
        kinds.extend(table.primary.map(|(column, value)| Self::SecondPrimary(column, value)));
        kinds.extend(table.in_session.map(Self::OutsideOfSession));
        kinds.extend(table.primary_org.map(Self::PrimaryOrgWithoutRole));
        kinds.extend(table.other_type.map(|(column, value)| Self::OtherType(column, value)));
        kinds.extend(table.enabled.map(Self::NotEnabled));
        kinds.extend(table.status.map(Self::Gone));
        kinds.extend(table.derived.map(Self::OtherDerived));
        if table.misshapen {
            kinds.extend(table.status.map(Self::FilledStatus));
            kinds.extend([Self::FieldTooFew, Self::FieldTooMany, Self::LineBreak, Self::WrongEncoding, Self::ControlCharacter]);
            // It takes two megabytes: once in a set is enough.
            kinds.extend(table.unique.map(|_| Self::EndlessLine));
        }
        // Where one person may have several rows, a change to one of them contradicts the others.
        kinds.retain(|kind| table.shown_key == table.key || !kind.is_in_place(table));
        kinds
    }
}

fn code_of_value(column: Column) -> &'static str {
    match (column.required, column.form) {
        (true, Form::Date | Form::UsDate) => "InvalidDate",
        (true, Form::Year) => "InvalidYear",
        (true, Form::Code | Form::Codes) => "InvalidReferenceCode",
        (true, _) => "InvalidValue",
        (false, Form::Code | Form::Codes) => "InvalidOptionalCode",
        (false, _) => "InvalidOptionalValue",
    }
}

/// What one file's defects must know of another's.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) defects: Vec<Defect>,
    /// Key of a row that was dropped by its own fault, by file.
    dropped: BTreeMap<&'static str, String>,
    /// Somebody without name or address, who therefore can be nobody's contact.
    incomplete: Option<String>,
}

impl Shared {
    /// Remembers what other files' defects need of a row as it stands.
    fn look_at(&mut self, table: &Table, fields: &[&str]) {
        let lacks_address = || table.columns.iter().zip(fields).any(|(column, field)| column.form == Form::Email && field.is_empty());
        if self.incomplete.is_none() && table.unique.is_some() && lacks_address() {
            self.incomplete = Some(fields[0].to_owned());
        }
    }
}

/// When a kind is due.
struct Scheduled {
    kind: Kind,
    /// Row of the population from which on it is done.
    due: u64,
    times: u64,
}

/// Puts defects among the rows of one file.
pub(super) struct Injector {
    seed: Seed,
    /// Rows of the population from one defect of a kind to the next.
    period: u64,
    scheduled: Vec<Scheduled>,
    row: u64,
    serial: u64,
    /// Rows that repeat an earlier one, by the row of the population that they come after.
    repeated: BTreeMap<(u64, u64), (Kind, Vec<String>)>,
    /// A row that waits for the next one, to make a circle with it.
    held: Option<Vec<String>>,
    last: Vec<String>,
}

/// Rows until the first defect of each kind: short files have few.
const FIRST_ROWS: u64 = 16;
/// Rows between a row and its repetition, at most.
const REPEATED_AFTER: u64 = 400;

impl Injector {
    /// `rate` is the share of rows that get each kind of defect.
    pub(super) fn new(table: &'static Table, seed: Seed, rate: f64) -> Self {
        let period = ((1.0 / rate).round() as u64).max(1);
        let kinds = Kind::of(table);
        // Changes in place take a row each, so that they need not be spread.
        let spread = |index: usize| seed.of(table.file, index as u64).below(period.min(FIRST_ROWS));
        let due = |index: usize, kind: Kind| if kind.is_in_place(table) { 0 } else { spread(index) };
        let scheduled = kinds.into_iter().enumerate().map(|(index, kind)| Scheduled { kind, due: due(index, kind), times: 0 }).collect();
        Self { seed, period, scheduled, row: 0, serial: 0, repeated: BTreeMap::new(), held: None, last: Vec::new() }
    }

    /// Defects of the file as a whole, before its rows.
    pub(super) fn start(table: &'static Table, shared: &mut Shared) {
        if table.utf16 {
            shared.defects.push(Defect::of_file("utf-16", "Utf16Encoding", table.file, 0));
        }
        if table.extra_column {
            shared.defects.push(Defect::of_file("unknown-column", "UnknownColumn", table.file, 1));
        }
        if table.swapped.is_some() {
            shared.defects.push(Defect::of_file("swapped-columns", "HeaderOrder", table.file, 1));
        }
    }

    /// A row of the population, and what goes wrong around it.
    pub(super) fn row(&mut self, table: &'static Table, fields: &[&str], file: &mut CsvFile, shared: &mut Shared) -> io::Result<()> {
        let now = self.row;
        self.row += 1;
        self.repetitions(table, Some(now), file, shared)?;
        if let Some(first) = self.held.take() {
            return circle(table, first, fields, file, shared);
        }
        let mut changed = false;
        for index in 0..self.scheduled.len() {
            let Scheduled { kind, due, .. } = self.scheduled[index];
            if due <= now && !changed && kind.is_in_place(table) {
                changed = self.change(kind, table, fields, file, shared)?;
                if changed {
                    self.done(index, table);
                }
            }
        }
        if !changed {
            put(table, fields, file)?;
            shared.look_at(table, fields);
            if self.last.is_empty() || now.is_multiple_of(FIRST_ROWS) {
                self.last = fields.iter().map(|field| (*field).to_owned()).collect();
            }
        }
        for index in 0..self.scheduled.len() {
            let Scheduled { kind, due, .. } = self.scheduled[index];
            if due <= now && !kind.is_in_place(table) && !(kind.repeats() && changed) && self.add(kind, table, fields, file, shared)? {
                self.done(index, table);
            }
        }
        Ok(())
    }

    /// What has not been done by the end of the file, as far as it can be.
    pub(super) fn finish(&mut self, table: &'static Table, file: &mut CsvFile, shared: &mut Shared) -> io::Result<()> {
        if let Some(held) = self.held.take() {
            put(table, &held, file)?;
        }
        let last = std::mem::take(&mut self.last);
        let fields: Vec<&str> = last.iter().map(String::as_str).collect();
        for index in 0..self.scheduled.len() {
            let Scheduled { kind, times, .. } = self.scheduled[index];
            if times == 0 && !kind.is_in_place(table) && !fields.is_empty() {
                self.add(kind, table, &fields, file, shared)?;
            }
        }
        self.repetitions(table, None, file, shared)
    }

    fn done(&mut self, index: usize, table: &Table) {
        let scheduled = &mut self.scheduled[index];
        scheduled.times += 1;
        if scheduled.kind.is_told_once() {
            scheduled.due = u64::MAX;
            return;
        }
        let jitter = self.seed.of(table.file, ((index as u64) << 32) | scheduled.times).below(self.period);
        // One in each period, somewhere in it.
        scheduled.due = (scheduled.times * self.period + jitter).max(self.row);
    }
}
