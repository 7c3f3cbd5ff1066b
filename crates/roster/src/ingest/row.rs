//! The checks of one row: its values, its references, what its entity asks for beside.

use super::{Row, State, shorten};
use crate::check::{self, Checked};
use crate::codes::Codes;
use crate::finding::Finding;
use crate::keys::{Target, hash};
use crate::model::{Column, Entity, Kind};
use std::borrow::Cow;
use std::io;

impl State<'_> {
    pub(super) fn check(&mut self, row: &mut Row<'_>, codes: &Codes, missing_files: &mut Vec<&'static str>) -> io::Result<()> {
        for (index, column) in row.entity.columns().iter().enumerate() {
            self.value(row, index, column, codes)?;
            if column.refers_to.is_some() && !row.values[index].is_empty() {
                self.reference(row, index, column, missing_files)?;
            }
        }
        if let Some((start, end)) = row.entity.span()
            && !row.values[start].is_empty()
            && !row.values[end].is_empty()
            && row.values[end] < row.values[start]
        {
            let column = &row.entity.columns()[end];
            let message =
                format!("{} {} is before {} {}.", column.name, row.values[end], row.entity.columns()[start].name, row.values[start]);
            self.about(row, "EndBeforeStart", column, message, None, None)?;
        }
        match row.entity {
            Entity::User if !row.failed => self.user(row),
            Entity::Relationship if !row.failed => self.contact(row),
            _ => Ok(()),
        }
    }

    fn value(&mut self, row: &mut Row<'_>, index: usize, column: &'static Column, codes: &Codes) -> io::Result<()> {
        if row.values[index].trim().is_empty() {
            if column.required {
                row.values[index] = Cow::Borrowed("");
                return self.about(
                    row,
                    "RequiredValueMissing",
                    column,
                    format!("{} is empty and every row needs it.", column.name),
                    None,
                    None,
                );
            }
            row.values[index] = Cow::Borrowed("");
            return Ok(());
        }
        if column.kind == Kind::Password {
            row.values[index] = Cow::Borrowed("");
            return Ok(());
        }
        let text = row.values[index].clone();
        match check::value(column.kind, &text, codes) {
            Checked::Good(good) => {
                if good != text {
                    row.values[index] = Cow::Owned(good.into_owned());
                }
                Ok(())
            }
            Checked::Partly(good, wrong) => {
                let message =
                    format!("'{}' in {} is not in the list of values; the other codes are kept.", shorten(&wrong.join(",")), column.name);
                self.about(row, "InvalidOptionalCode", column, message, None, None)?;
                row.values[index] = Cow::Owned(good);
                Ok(())
            }
            Checked::Bad(why, hint) => {
                let code = match (column.required, column.kind) {
                    (true, Kind::Id) => "InvalidCharacter",
                    (true, Kind::Date) => "InvalidDate",
                    (true, Kind::Year) => "InvalidYear",
                    (true, _) => "InvalidReferenceCode",
                    (false, Kind::Code(_) | Kind::Codes(_)) => "InvalidOptionalCode",
                    (false, _) => "InvalidOptionalValue",
                };
                let message = format!("'{}' in {} {why}.", shorten(&text), column.name);
                self.about(row, code, column, message, hint, None)?;
                row.values[index] = Cow::Borrowed("");
                Ok(())
            }
        }
    }

    fn reference(
        &mut self,
        row: &mut Row<'_>,
        index: usize,
        column: &'static Column,
        missing_files: &mut Vec<&'static str>,
    ) -> io::Result<()> {
        let Some(entity) = column.refers_to else { return Ok(()) };
        let Some(keys) = self.keys.get(&entity) else {
            if column.required {
                return self.lost(row, column, entity, Target::Missing);
            }
            row.values[index] = Cow::Borrowed("");
            if !missing_files.contains(&column.name) {
                missing_files.push(column.name);
                let message = format!("{} refers to {}, which is not in the export; the values are dropped.", column.name, entity.file());
                let hint = format!("Add {} to the export.", entity.file());
                row.warnings += 1;
                let finding = Finding {
                    line: row.line,
                    column: Some(column.name),
                    ..Finding::of_file("ReferencedFileMissing", row.entity.file(), message)
                };
                return self.emit(&finding.hint(hint));
            }
            return Ok(());
        };
        if column.kind != Kind::Ids {
            let target = keys.target(row.values[index].as_bytes());
            if target == Target::Accepted {
                return Ok(());
            }
            if column.required {
                return self.lost(row, column, entity, target);
            }
            let message =
                format!("'{}' in {} is not in {}; the value is dropped.", shorten(&row.values[index]), column.name, entity.file());
            self.about(row, "OptionalReferenceNotFound", column, message, None, None)?;
            row.values[index] = Cow::Borrowed("");
            return Ok(());
        }
        let all = row.values[index].clone();
        let (good, lost): (Vec<&str>, Vec<&str>) =
            all.split(',').map(str::trim).filter(|id| !id.is_empty()).partition(|id| keys.target(id.as_bytes()) == Target::Accepted);
        if !lost.is_empty() {
            let message = format!("'{}' in {} is not in {}; the value is dropped.", shorten(&lost.join(",")), column.name, entity.file());
            self.about(row, "OptionalReferenceNotFound", column, message, None, None)?;
        }
        row.values[index] = Cow::Owned(good.join(","));
        Ok(())
    }

    /// A required reference that leads nowhere: by itself, or because what it leads to was dropped.
    fn lost(&mut self, row: &mut Row<'_>, column: &'static Column, entity: Entity, target: Target) -> io::Result<()> {
        let index = row.entity.column(column.name).unwrap_or_default();
        let value = shorten(&row.values[index]);
        if target == Target::Dropped {
            let message = format!("'{value}' in {} is in {}, but its own row there was dropped.", column.name, entity.file());
            let first = self.keys.get(&entity).and_then(|keys| keys.root(row.values[index].as_bytes())).map(str::to_owned);
            let root = first.unwrap_or_else(|| format!("{}:{value}", entity.file()));
            let hint = format!("Mend the row that caused it: {root}.");
            return self.about(row, "ReferencedRecordDropped", column, message, Some(hint), Some(root));
        }
        let message = format!("'{value}' in {} is not in {}.", column.name, entity.file());
        self.about(row, "ReferenceNotFound", column, message, None, None)
    }

    fn user(&mut self, row: &mut Row<'_>) -> io::Result<()> {
        const USERNAME: usize = 1;
        let key = row.key();
        // A row whose key has been accepted before is a duplicate, which the merge drops: it must not
        // take a name from anybody or speak for the first row.
        if self.keys.get(&Entity::User).is_some_and(|keys| keys.has(&key)) {
            return Ok(());
        }
        let key = hash(&key);
        let name = hash(row.values[USERNAME].to_lowercase().as_bytes());
        if *self.owners.entry(name).or_insert(key) != key {
            let message = format!("The username '{}' is used by another person in this file.", shorten(&row.values[USERNAME]));
            return self.about(row, "DuplicateUsername", &row.entity.columns()[USERNAME], message, None, None);
        }
        // Given name, family name, e-mail: what a contact needs.
        if [2, 3, 6].iter().any(|index| row.values[*index].is_empty()) {
            self.incomplete.insert(key);
        }
        Ok(())
    }

    fn contact(&mut self, row: &mut Row<'_>) -> io::Result<()> {
        const CONTACT: usize = 1;
        if !self.incomplete.contains(&hash(row.values[CONTACT].as_bytes())) {
            return Ok(());
        }
        let message = format!("The contact '{}' has no given name, family name or e-mail in users.csv.", shorten(&row.values[CONTACT]));
        self.about(row, "ContactIncomplete", &row.entity.columns()[CONTACT], message, None, None)
    }
}
