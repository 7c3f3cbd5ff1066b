//! Each kind of defect done to a row.

use super::super::changes::joined;
use super::super::format::{Form, Table};
use super::super::output::CsvFile;
use super::super::population::GUARDIAN_PREFIX;
use super::super::walk::STATE_ORG;
use super::{Defect, Injector, Kind, REPEATED_AFTER, Shared};
use crate::finding::Severity;
use crate::limits::LINE_BYTES_MAX;
use std::io;

/// Values that no rule takes, in turn.
const NO_ADDRESSES: [&str; 4] = ["not-an-address", "two@@at.example", "blank in@local.example", "nodomain@"];
const NO_PHONES: [&str; 4] = ["call me", "12", "+0555", "++1555"];
const NO_DATES: [&str; 4] = ["31/02/2026", "2026-13-45", "not a date", "2026-02-30"];
const NO_BOOLEANS: [&str; 3] = ["yes", "1", "vrai"];
const NO_YEARS: [&str; 2] = ["26", "MMXXVII"];

/// Writes a row with what the unknown column holds, when the file has one.
pub(super) fn put<F: AsRef<[u8]>>(table: &Table, fields: &[F], file: &mut CsvFile) -> io::Result<u64> {
    let extra = table.extra_column.then_some(b"42".as_slice());
    file.put(fields.iter().map(AsRef::as_ref).chain(extra))
}

/// Writes two rows as each other's parent.
pub(super) fn circle(
    table: &'static Table,
    mut first: Vec<String>,
    second: &[&str],
    file: &mut CsvFile,
    shared: &mut Shared,
) -> io::Result<()> {
    let Some(column) = table.parent else { return Ok(()) };
    let mut second: Vec<String> = second.iter().map(|field| (*field).to_owned()).collect();
    (first[column], second[column]) = (second[0].clone(), first[0].clone());
    for row in [first, second] {
        let line = put(table, &row, file)?;
        shared.defects.push(about(Kind::CircleOfTwo(column), table, line, &row, column));
    }
    Ok(())
}

/// A defect of one value.
fn about(kind: Kind, table: &'static Table, line: u64, row: &[String], column: usize) -> Defect {
    let texts: Vec<&str> = row.iter().map(String::as_str).collect();
    Defect {
        column: Some(table.columns[column].name),
        key: Some(joined(table.shown_key, &texts)).filter(|key| !key.is_empty()),
        value: Some(row[column].clone()).filter(|value| !value.is_empty()),
        ..Defect::of(kind, table, line)
    }
}

impl Injector {
    /// Changes a row of the population in place; false when this row does not lend itself to it.
    pub(super) fn change(
        &mut self,
        kind: Kind,
        table: &'static Table,
        fields: &[&str],
        file: &mut CsvFile,
        shared: &mut Shared,
    ) -> io::Result<bool> {
        let mut row: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        let column = match kind {
            // Somebody's contact needs the address: without it the relationship would go too.
            Kind::BadValue(column) if table.columns[column].form == Form::Email && fields[0].starts_with(GUARDIAN_PREFIX) => {
                return Ok(false);
            }
            Kind::BadValue(column) => {
                row[column] = self.bad_value(table.columns[column].form, &row[column]);
                column
            }
            Kind::BadReference(column) => {
                let lost = self.no_such();
                let list = matches!(table.columns[column].form, Form::Refs(_)) && !row[column].is_empty();
                row[column] = if list { format!("{},{lost}", row[column]) } else { lost };
                column
            }
            Kind::OwnParent(column) => {
                row[column] = row[0].clone();
                column
            }
            Kind::ListLengths(column) => {
                row[column].push_str(",99");
                column
            }
            Kind::EncodedTwice(column) => {
                "JosÃ©".clone_into(&mut row[column]);
                column
            }
            Kind::OutsideOfSession(column) => {
                "2026-07-01".clone_into(&mut row[column]);
                column
            }
            Kind::PrimaryOrgWithoutRole(column) => {
                STATE_ORG.clone_into(&mut row[column]);
                column
            }
            Kind::OtherType(column, other) => {
                other.clone_into(&mut row[column]);
                column
            }
            // A contact has no roles and enrolments that would be lost.
            Kind::NotEnabled(column) if fields[0].starts_with(GUARDIAN_PREFIX) => {
                "false".clone_into(&mut row[column]);
                column
            }
            // What the first row says is what counts.
            Kind::OtherDerived(column) if self.row > 1 => {
                row[column].push_str(" (other)");
                column
            }
            Kind::FilledStatus(column) => {
                "active".clone_into(&mut row[column]);
                let line = put(table, &row, file)?;
                shared.defects.push(Defect::of(kind, table, line));
                return Ok(true);
            }
            Kind::CircleOfTwo(_) => {
                self.held = Some(row);
                return Ok(true);
            }
            _ => return Ok(false),
        };
        let line = put(table, &row, file)?;
        shared.defects.push(about(kind, table, line, &row, column));
        Ok(true)
    }

    /// Adds a row that is wrong, made from a good one; false when it cannot be done yet.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        table: &'static Table,
        fields: &[&str],
        file: &mut CsvFile,
        shared: &mut Shared,
    ) -> io::Result<bool> {
        let mut row = self.fresh(table, fields);
        let mut root_cause = None;
        let column = match kind {
            Kind::MissingValue(column) => {
                row[column].clear();
                column
            }
            Kind::BadValue(column) => {
                row[column] = self.bad_value(table.columns[column].form, &row[column]);
                column
            }
            Kind::BadReference(column) => {
                row[column] = self.no_such();
                column
            }
            Kind::DroppedReference(column) => {
                let Form::Ref(to) = table.columns[column].form else { return Ok(false) };
                let Some(dropped) = shared.dropped.get(to) else { return Ok(false) };
                root_cause = Some(format!("'{dropped}' in {to}"));
                row[column].clone_from(dropped);
                column
            }
            Kind::TabInId(column) => {
                row[column] = format!("BAD\t{}", self.serial);
                column
            }
            Kind::EndBeforeStart(start, end) => {
                let us = table.columns[start].form == Form::UsDate;
                let (first, last) = if us { ("8/24/2026", "6/11/2027") } else { ("2026-08-24", "2027-06-11") };
                (row[start], row[end]) = (last.to_owned(), first.to_owned());
                end
            }
            Kind::IncompleteContact(column) => {
                let Some(person) = shared.incomplete.as_ref().filter(|person| *person != fields[0]) else { return Ok(false) };
                row[column].clone_from(person);
                column
            }
            Kind::SecondPrimary(column, value) if row[column] == value => column,
            Kind::SecondPrimary(..) => return Ok(false),
            Kind::Gone(column) => {
                "tobedeleted".clone_into(&mut row[column]);
                column
            }
            Kind::IdenticalRow | Kind::ConflictingRow(_) | Kind::UsedName(_) => {
                self.repeat_later(kind, table, fields, row);
                return Ok(true);
            }
            _ => return misshape(kind, table, row, file, shared),
        };
        let line = put(table, &row, file)?;
        let defect = Defect { root_cause, ..about(kind, table, line, &row, column) };
        // Later files may refer to what was dropped. What is a consequence itself has another root.
        if defect.severity == Severity::Error.word()
            && let (None, Some(key), [only]) = (&defect.root_cause, &defect.key, table.key)
            && *only != column
        {
            shared.dropped.insert(table.file, key.clone());
        }
        shared.defects.push(defect);
        Ok(true)
    }

    /// Lets a row come again, somewhere after the one that it repeats.
    fn repeat_later(&mut self, kind: Kind, table: &Table, fields: &[&str], fresh: Vec<String>) {
        let mut row: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        match kind {
            Kind::ConflictingRow(column) => match table.columns[column].form {
                Form::Date => "2027-06-10".clone_into(&mut row[column]),
                Form::Code => "other".clone_into(&mut row[column]),
                _ => row[column].push_str(" (other)"),
            },
            Kind::UsedName(column) => {
                let name = std::mem::take(&mut row[column]);
                row = fresh;
                row[column] = name;
            }
            _ => {}
        }
        let due = self.row + self.seed.of("repeated", self.serial).below(REPEATED_AFTER);
        self.repeated.insert((due, self.serial), (kind, row));
    }

    /// Writes the repetitions that are due; all that are left without a row to wait for.
    pub(super) fn repetitions(
        &mut self,
        table: &'static Table,
        now: Option<u64>,
        file: &mut CsvFile,
        shared: &mut Shared,
    ) -> io::Result<()> {
        while let Some(first) = self.repeated.first_entry().filter(|first| now.is_none_or(|now| first.key().0 <= now)) {
            let (kind, row) = first.remove();
            let line = put(table, &row, file)?;
            let column = if let Kind::UsedName(column) = kind { Some(column) } else { None };
            let defect = about(kind, table, line, &row, column.unwrap_or_default());
            shared.defects.push(match column {
                Some(_) => defect,
                None => Defect { column: None, value: None, ..defect },
            });
        }
        Ok(())
    }

    /// A copy of a row that shares no id, name or address with it.
    fn fresh(&mut self, table: &Table, fields: &[&str]) -> Vec<String> {
        self.serial += 1;
        let serial = self.serial;
        let field = |(index, (column, field)): (usize, (&super::Column, &&str))| match column.form {
            Form::Id => format!("BAD-{serial}"),
            Form::Email if column.required => format!("bad-{serial}@bad.example"),
            Form::Email => String::new(),
            Form::Ref(_) | Form::Refs(_) if !column.required => String::new(),
            _ if table.unique == Some(index) => format!("bad-{serial}"),
            _ => (*field).to_owned(),
        };
        table.columns.iter().zip(fields).enumerate().map(field).collect()
    }

    fn no_such(&mut self) -> String {
        self.serial += 1;
        format!("no-such-{}", self.serial)
    }

    fn bad_value(&mut self, form: Form, good: &str) -> String {
        self.serial += 1;
        let turn = |values: &[&str]| values[self.serial as usize % values.len()].to_owned();
        match form {
            Form::Email => turn(&NO_ADDRESSES),
            Form::Phone => turn(&NO_PHONES),
            Form::Date | Form::UsDate => turn(&NO_DATES),
            Form::Boolean => turn(&NO_BOOLEANS),
            Form::Year => turn(&NO_YEARS),
            Form::Codes if !good.is_empty() => format!("{good},no-such-code"),
            _ => "no-such-code".to_owned(),
        }
    }
}

/// The column in which a row that is no row is broken, unless that is at its end.
const BROKEN: usize = 1;

/// A row that is no row.
fn misshape(kind: Kind, table: &'static Table, row: Vec<String>, file: &mut CsvFile, shared: &mut Shared) -> io::Result<bool> {
    let key = key_left(kind, table, &row);
    let mut row: Vec<Vec<u8>> = row.into_iter().map(String::into_bytes).collect();
    match kind {
        Kind::FieldTooFew => row.truncate(row.len() - 1),
        Kind::FieldTooMany => row.push(b"surplus".to_vec()),
        Kind::LineBreak => row[BROKEN] = b"Two\nLines".to_vec(),
        Kind::WrongEncoding => row[BROKEN] = b"M\xfcller".to_vec(),
        Kind::ControlCharacter => row[BROKEN] = b"bell\x07".to_vec(),
        Kind::EndlessLine => row[BROKEN] = vec![b'x'; 2 * LINE_BYTES_MAX],
        _ => return Ok(false),
    }
    let line = put(table, &row, file)?;
    if let (Some(key), [_]) = (&key, table.key) {
        shared.dropped.insert(table.file, key.clone());
    }
    shared.defects.push(Defect { key, ..Defect::of(kind, table, line) });
    Ok(true)
}

/// The key that can be told of a row which is no row. With a wrong number of fields only the first one is sure to be itself.
fn key_left(kind: Kind, table: &Table, row: &[String]) -> Option<String> {
    let is_left = |column: &usize| match kind {
        Kind::WrongEncoding | Kind::ControlCharacter => *column != BROKEN,
        Kind::EndlessLine => false,
        _ => *column == 0,
    };
    let texts: Vec<&str> = row.iter().map(String::as_str).collect();
    table.shown_key.iter().all(is_left).then(|| joined(table.shown_key, &texts))
}
