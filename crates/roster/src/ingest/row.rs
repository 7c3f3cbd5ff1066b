//! The checks of one row: its values, its references, what its file asks for beside.

use super::{RowView, view::Report};
use crate::basic::Header;
use crate::catalogue::severity_of;
use crate::check::{self, Checked};
use crate::codes::Codes;
use crate::finding::{Finding, Severity, shorten};
use crate::format::{Claim, Column, Context, FileSpec, Kind, Slashes, Unique};
use crate::keys::{Keys, MARK, Target, hash};
use crate::segment::KEY_SEPARATOR;
use std::borrow::Cow;

/// Spellings of codes that are remembered for each column of a chunk.
const SPELLINGS_MAX: usize = 16;

/// What the rows of one file are checked by. It is only read, so that threads can share it.
pub(crate) struct Checker<'e> {
    pub(crate) spec: &'static FileSpec,
    /// Name of the file in the export.
    pub(crate) file: &'e str,
    pub(crate) codes: &'e Codes,
    /// What is known of the whole export.
    pub(crate) context: &'e Context,
    pub(crate) columns: Vec<Place<'e>>,
    /// Number of fields that each row must have.
    pub(crate) width: usize,
    /// The columns that the file has, in its order.
    order: Vec<usize>,
    /// The columns that refer to the file itself.
    pub(crate) within: Vec<usize>,
    /// Whether the key is made of all columns of the table, so that rows with one key are equal.
    key_is_row: bool,
}

/// A column in the file at hand.
pub(crate) struct Place<'e> {
    pub(crate) column: &'static Column,
    /// The form of the values in this file.
    kind: Kind,
    /// The header as the file spells it.
    pub(crate) header: &'static str,
    /// Which field it is, when the file has it.
    pub(crate) position: Option<usize>,
    pub(crate) leads: Leads<'e>,
    /// Whether the same value is likely in many rows, one behind the other.
    repeats: bool,
    /// Whether a row can do without a value.
    may_be_empty: bool,
}

/// Where the ids of a column lead.
pub(crate) enum Leads<'e> {
    /// They are no references.
    Nowhere,
    /// To the own file: checked when it has been read.
    Within,
    /// To a file that has been read.
    To(&'static str, &'e Keys),
    /// To a file that is not in the export.
    Absent(&'static str),
}

/// One row while it is checked.
pub(crate) struct Row<'c> {
    pub(crate) line: u64,
    /// By column of the table; empty is no value.
    pub(crate) values: Vec<Cow<'c, str>>,
    /// Whether a value is not as it stands in the line.
    pub(crate) changed: bool,
    pub(crate) failed: bool,
    /// What caused the failure, as long as it is only the consequence of another record's.
    pub(crate) root: Option<String>,
}

impl<'c> Row<'c> {
    pub(crate) fn new(line: u64, columns: usize) -> Self {
        Self { line, values: vec![Cow::Borrowed(""); columns], changed: false, failed: false, root: None }
    }

    pub(crate) fn set(&mut self, column: usize, value: impl Into<Cow<'c, str>>) {
        self.values[column] = value.into();
        self.changed = true;
    }
}

/// What came before in the same chunk, by column: rosters are sorted, and have few codes.
pub(crate) struct Memory<'c> {
    /// The last value that was good, as it stood and as it is kept.
    good: Vec<(&'c str, &'c str)>,
    /// Spellings and the codes that they mean.
    codes: Vec<Vec<(&'c str, &'c str)>>,
    /// Whether it has been told that the file referred to is missing.
    missing_told: Vec<bool>,
    /// Whether it has been told that values have been encoded twice.
    twice_told: Vec<bool>,
    /// Whether it has been told that columns are filled that should be blank.
    filled_told: bool,
}

impl<'e> Checker<'e> {
    pub(crate) fn new(
        spec: &'static FileSpec,
        file: &'e str,
        header: &Header,
        codes: &'e Codes,
        context: &'e Context,
        leads: impl Fn(&'static str) -> Leads<'e>,
    ) -> Self {
        let day_first = header.columns.iter().flatten().any(|(_, name)| Some(*name) == spec.day_first);
        let place = |(column, place): (&'static Column, &Option<(usize, &'static str)>)| Place {
            column,
            kind: match column.kind {
                Kind::SlashDate(_) if day_first => Kind::SlashDate(Slashes::DayFirst),
                kind => kind,
            },
            header: place.map_or(column.name, |(_, header)| header),
            position: place.map(|(position, _)| position),
            leads: column.refers_to.map_or(Leads::Nowhere, |other| if other == spec.name { Leads::Within } else { leads(other) }),
            repeats: !matches!(column.kind, Kind::Text | Kind::Email),
            may_be_empty: !column.required || place.is_none(),
        };
        let mut columns: Vec<Place<'e>> = spec.columns.iter().zip(&header.columns).map(place).collect();
        if let [only] = spec.key {
            columns[*only].repeats = false;
        }
        let mut order: Vec<usize> = (0..columns.len()).filter(|index| columns[*index].position.is_some()).collect();
        order.sort_by_key(|index| columns[*index].position);
        let within = (0..columns.len()).filter(|index| matches!(columns[*index].leads, Leads::Within)).collect();
        let key_is_row = spec.key.len() > 1 && (0..columns.len()).all(|column| spec.key.contains(&column));
        Self { spec, file, codes, context, columns, width: header.width, order, within, key_is_row }
    }

    pub(crate) fn memory<'c>(&self) -> Memory<'c> {
        let columns = self.columns.len();
        Memory {
            good: vec![("", ""); columns],
            codes: vec![Vec::new(); columns],
            missing_told: vec![false; columns],
            twice_told: vec![false; columns],
            filled_told: !self.context.is_bulk(self.spec.name),
        }
    }

    pub(crate) fn view<'r>(&'r self, row: &'r Row<'_>) -> RowView<'r> {
        RowView { values: &row.values, columns: &self.columns, codes: self.codes, context: self.context }
    }

    /// Checks a row and normalises its values; what is wrong becomes findings.
    pub(crate) fn check<'c>(&self, row: &mut Row<'c>, memory: &mut Memory<'c>, findings: &mut Vec<Finding>)
    where
        'e: 'c,
    {
        let end_as_written = self.spec.span.map(|(_, end)| row.values[end].clone());
        for (index, place) in self.columns.iter().enumerate() {
            let Cow::Borrowed(text) = row.values[index] else {
                self.value_and_reference(row, index, memory, findings);
                continue;
            };
            if text.is_empty() && place.may_be_empty {
                continue;
            }
            let (last, kept) = memory.good[index];
            if place.repeats && text == last && !text.is_empty() {
                // It stands for the text, or for something else of a list that outlives the row.
                if kept != text {
                    row.set(index, kept);
                }
                continue;
            }
            let said = findings.len();
            self.value_and_reference(row, index, memory, findings);
            if place.repeats
                && findings.len() == said
                && let Cow::Borrowed(kept) = row.values[index]
            {
                memory.good[index] = (text, kept);
            }
        }
        if let Some((start, end)) = self.spec.span
            && !row.values[start].is_empty()
            && !row.values[end].is_empty()
            && row.values[end] < row.values[start]
        {
            let (from, to) = (&self.columns[start], &self.columns[end]);
            let message = format!("{} {} is before {} {}.", to.header, row.values[end], from.header, row.values[start]);
            row.values[end] = end_as_written.unwrap_or_default();
            self.about(row, end, Told::new("EndBeforeStart", message), findings);
        }
        if row.failed {
            return;
        }
        if !memory.filled_told {
            self.filled(row, memory, findings);
        }
        for rule in self.spec.rules {
            if row.failed {
                break;
            }
            let mut report = Report::default();
            rule(&self.view(row), &mut report);
            if !report.is_empty() {
                self.broken_rules(row, report, findings);
            }
        }
    }

    /// Says what a rule has found.
    #[cold]
    fn broken_rules(&self, row: &mut Row<'_>, report: Report, findings: &mut Vec<Finding>) {
        for (code, column, message) in report.found {
            self.about(row, column, Told::new(code, message), findings);
            if severity_of(code) == Severity::Warning {
                row.set(column, "");
            }
        }
        for (code, column, message) in report.remarks {
            self.about(row, column, Told::new(code, message), findings);
        }
    }

    /// Says that a row has values in columns that should be blank.
    fn filled(&self, row: &Row<'_>, memory: &mut Memory<'_>, findings: &mut Vec<Finding>) {
        let mut filled = self.spec.blank_in_bulk.iter().filter(|column| !row.values[**column].is_empty());
        let Some(first) = filled.next() else { return };
        memory.filled_told = true;
        let names: Vec<&str> = std::iter::once(first).chain(filled).map(|column| self.columns[*column].header).collect();
        let message = format!(
            "The manifest says that {} is bulk, and {} should be blank then; it is read all the same.",
            self.file,
            names.join(" and ")
        );
        findings.push(Finding { line: row.line, ..Finding::of_file(FILLED, self.file, message) });
    }

    fn value_and_reference<'c>(&self, row: &mut Row<'c>, index: usize, memory: &mut Memory<'c>, findings: &mut Vec<Finding>)
    where
        'e: 'c,
    {
        self.value(row, index, memory, findings);
        if !matches!(self.columns[index].leads, Leads::Nowhere | Leads::Within) && !row.values[index].is_empty() {
            self.reference(row, index, memory, findings);
        }
    }

    fn value<'c>(&self, row: &mut Row<'c>, index: usize, memory: &mut Memory<'c>, findings: &mut Vec<Finding>)
    where
        'e: 'c,
    {
        let column = self.columns[index].column;
        if is_blank(&row.values[index]) {
            if !row.values[index].is_empty() {
                row.set(index, "");
            }
            if column.required {
                let message = format!("{} is empty and every row needs it.", self.columns[index].header);
                self.about(row, index, Told::new("RequiredValueMissing", message), findings);
            }
            return;
        }
        let text = match &row.values[index] {
            Cow::Borrowed(text) => *text,
            Cow::Owned(text) => {
                let text = text.clone();
                let checked = check::value(self.columns[index].kind, &text, self.codes).into_owned();
                return self.apply(row, index, &text, checked, findings);
            }
        };
        // Any text will do.
        if matches!(column.kind, Kind::Text) {
            if let Some(meant) = check::encoded_twice(text)
                && !std::mem::replace(&mut memory.twice_told[index], true)
            {
                let message = format!("'{}' in {} has been encoded twice.", shorten(text), self.columns[index].header);
                let hint = Some(format!("It should read '{}': export the file as UTF-8 from the source, once.", shorten(&meant)));
                self.about(row, index, Told { hint, ..Told::new(ENCODED_TWICE, message) }, findings);
            }
            return;
        }
        let coded = matches!(column.kind, Kind::Code(_) | Kind::Codes(_));
        if coded && let Some((_, code)) = memory.codes[index].iter().find(|(spelling, _)| *spelling == text) {
            if *code != text {
                row.set(index, *code);
            }
            return;
        }
        let checked = check::value(self.columns[index].kind, text, self.codes);
        let good = matches!(checked, Checked::Good | Checked::Changed(_));
        if !matches!(checked, Checked::Good) {
            self.apply(row, index, text, checked, findings);
        }
        if good
            && coded
            && memory.codes[index].len() < SPELLINGS_MAX
            && let Cow::Borrowed(code) = row.values[index]
            && !code.is_empty()
        {
            memory.codes[index].push((text, code));
        }
    }

    /// Puts what a check says about a value into the row.
    fn apply<'c>(&self, row: &mut Row<'c>, index: usize, text: &str, checked: Checked<'c>, findings: &mut Vec<Finding>) {
        let (column, header) = (self.columns[index].column, self.columns[index].header);
        match checked {
            Checked::Good => {}
            Checked::Changed(value) if value == text => {}
            Checked::Changed(value) => row.set(index, value),
            Checked::Partly(good, wrong) => {
                let message =
                    format!("'{}' in {header} is not in the list of values; the other codes are kept.", shorten(&wrong.join(",")));
                self.about(row, index, Told::new("InvalidOptionalCode", message), findings);
                row.set(index, good);
            }
            Checked::Bad(why, hint) => {
                let code = match (column.required, column.kind) {
                    (true, Kind::Id) => "InvalidCharacter",
                    (true, Kind::Date | Kind::SlashDate(_)) => "InvalidDate",
                    (true, Kind::Year | Kind::SchoolYear) => "InvalidYear",
                    (true, Kind::Code(_) | Kind::Codes(_) | Kind::Word(_)) => "InvalidReferenceCode",
                    (true, _) => "InvalidValue",
                    (false, Kind::Code(_) | Kind::Codes(_) | Kind::Word(_)) => "InvalidOptionalCode",
                    (false, _) => "InvalidOptionalValue",
                };
                let message = format!("'{}' in {header} {why}.", shorten(text));
                self.about(row, index, Told { hint, ..Told::new(code, message) }, findings);
                // The key of a row that is dropped stays: what refers to it is told that it was there.
                if !(column.required && column.refers_to.is_none() && self.spec.key.contains(&index)) {
                    row.set(index, "");
                }
            }
        }
    }

    fn reference<'c>(&self, row: &mut Row<'c>, index: usize, memory: &mut Memory<'c>, findings: &mut Vec<Finding>) {
        let Place { column, header, ref leads, .. } = self.columns[index];
        match *leads {
            Leads::Nowhere | Leads::Within => {}
            Leads::Absent(file) => {
                let needed = column.required && !column.without_file;
                if !std::mem::replace(&mut memory.missing_told[index], true) {
                    let (code, what) = if needed { (FILE_NEEDED, "rows that need it") } else { (FILE_MISSING, "values") };
                    let message = format!("{header} refers to {file}, which is not in the export; the {what} are dropped.");
                    let finding = Finding { line: row.line, column: Some(header), ..Finding::of_file(code, self.file, message) };
                    findings.push(finding.hint(remedy_of(file)));
                }
                if needed {
                    let message = format!("'{}' in {header} is of {file}, which is not in the export.", shorten(&row.values[index]));
                    self.about(row, index, Told::new(DROPPED, message).following_from(file.to_owned()), findings);
                } else {
                    row.set(index, "");
                }
            }
            Leads::To(file, keys) if matches!(column.kind, Kind::Ids) => {
                let is_good = |id: &str| keys.target(hash(id.as_bytes())) == Target::Accepted;
                let list = &row.values[index];
                // A list that every row needs needs one good member.
                if column.required && ids(list).next().is_some() && !ids(list).any(is_good) {
                    self.lost(row, index, file, keys, findings);
                } else if !ids(list).all(is_good) || list.contains([' ', '\t']) {
                    self.optional(row, index, file, keys, findings);
                }
            }
            Leads::To(file, keys) => match keys.target(hash(row.values[index].as_bytes())) {
                Target::Accepted => {}
                _ if column.required => self.lost(row, index, file, keys, findings),
                _ => self.optional(row, index, file, keys, findings),
            },
        }
    }

    /// The ids that a reference is made of.
    fn members<'v>(&self, index: usize, value: &'v str) -> Vec<&'v str> {
        if self.columns[index].column.kind == Kind::Ids { ids(value).collect() } else { vec![value] }
    }

    /// Of optional references those are kept that lead to a good record. Those to records that were dropped follow from
    /// that, and are told apart from those that lead to nothing. `keys`: those of `file`.
    pub(crate) fn optional(&self, row: &mut Row<'_>, index: usize, file: &str, keys: &Keys, findings: &mut Vec<Finding>) {
        const CODE: &str = "OptionalReferenceNotFound";
        let (value, header) = (row.values[index].clone(), self.columns[index].header);
        let members = self.members(index, &value);
        let joined = |wanted: Target| {
            let members = members.iter().copied().filter(|id| keys.target(hash(id.as_bytes())) == wanted);
            members.collect::<Vec<_>>().join(",")
        };
        if let Some(root) = members.iter().find_map(|id| keys.cause(file, id)) {
            let dropped = shorten(&joined(Target::Dropped));
            let message = format!("'{dropped}' in {header} is in {file}, but its own row there was dropped; the value is dropped too.");
            self.about(row, index, Told::new(CODE, message).following_from(root), findings);
        }
        let missing = joined(Target::Missing);
        if !missing.is_empty() {
            let message = format!("'{}' in {header} is not in {file}; the value is dropped.", shorten(&missing));
            self.about(row, index, Told { hint: keys.unread_hint(file), ..Told::new(CODE, message) }, findings);
        }
        row.set(index, joined(Target::Accepted));
    }

    /// A required reference that leads nowhere: by itself, or because what it leads to was dropped. `keys`: those of
    /// `file`.
    fn lost(&self, row: &mut Row<'_>, index: usize, file: &str, keys: &Keys, findings: &mut Vec<Finding>) {
        let (value, header) = (&row.values[index], self.columns[index].header);
        let members = self.members(index, value);
        let dropped = members.iter().find_map(|id| Some((id, keys.cause(file, id)?)));
        let told = if let Some((id, root)) = dropped {
            let message = format!("'{}' in {header} is in {file}, but its own row there was dropped.", shorten(id));
            Told::new(DROPPED, message).following_from(root)
        } else {
            Told {
                hint: keys.unread_hint(file),
                ..Told::new("ReferenceNotFound", format!("'{}' in {header} is not in {file}.", shorten(value)))
            }
        };
        self.about(row, index, told, findings);
    }

    /// A finding about a value of a row; an error fails the row.
    pub(crate) fn about(&self, row: &mut Row<'_>, index: usize, told: Told, findings: &mut Vec<Finding>) {
        let Place { column, header, .. } = self.columns[index];
        let value = row.values[index].as_ref();
        let key = shown(&self.key(row));
        if severity_of(told.code) >= Severity::Error {
            // A fault of its own outweighs what is only a consequence.
            row.root = if row.failed { row.root.take().and(told.root.clone()) } else { told.root.clone() };
            row.failed = true;
        }
        findings.push(Finding {
            code: told.code,
            file: self.file.to_owned(),
            line: row.line,
            column: Some(header),
            key: (!key.is_empty()).then_some(key),
            value: (column.kind != Kind::Password && !value.is_empty()).then(|| shorten(value)),
            message: told.message,
            hint: told.hint,
            root: told.root,
            earlier: told.earlier,
        });
    }

    /// The key of a row, parts joined by [`KEY_SEPARATOR`].
    pub(crate) fn key(&self, row: &Row<'_>) -> Vec<u8> {
        let mut key = Vec::new();
        joined_into(row, self.spec.key, &mut key);
        key
    }

    /// Hashes of the key and of the whole row: equal rows have equal hashes, however they are spelled.
    /// `plain`: the line, when it has no quotes.
    pub(crate) fn hashes(&self, row: &Row<'_>, plain: Option<&str>, joined: &mut Vec<u8>) -> (u64, u64) {
        let varies = |column| self.spec.varies.contains(&column);
        let whole = match plain {
            _ if !self.spec.varies.is_empty() => {
                let fixed = self.hash_of(row, joined, |column| !varies(column));
                // They are compared among rows of one key only, for which half of a hash is plenty.
                (fixed & FIXED) | (self.hash_of(row, joined, varies) >> 32 & !MARK)
            }
            // What the next arm would put together.
            Some(line) if !row.changed && self.order.len() == self.width => hash(line.as_bytes()),
            _ => self.hash_of(row, joined, |_| true),
        };
        let key = match self.spec.key {
            [only] => hash(row.values[*only].as_bytes()),
            _ if self.key_is_row => whole,
            _ => {
                joined_into(row, self.spec.key, joined);
                hash(joined)
            }
        };
        (key, whole)
    }

    /// Hash of what a row claims for its key alone; none when it claims nothing.
    pub(crate) fn claim(&self, row: &Row<'_>, unique: Unique, joined: &mut Vec<u8>) -> Option<u64> {
        match unique.claim {
            Claim::Value => match row.values[unique.column].as_ref() {
                "" => None,
                value if check::is_surely_lower_case(value) => Some(hash(value.as_bytes())),
                value => Some(hash(value.to_lowercase().as_bytes())),
            },
            Claim::First { among: [only], says } => says(&self.view(row)).then(|| hash(row.values[*only].as_bytes())),
            Claim::First { among, says } => says(&self.view(row)).then(|| {
                joined_into(row, among, joined);
                hash(joined)
            }),
        }
    }

    /// Hash of some values of a row, in the order of the file.
    fn hash_of(&self, row: &Row<'_>, joined: &mut Vec<u8>, wanted: impl Fn(usize) -> bool) -> u64 {
        joined.clear();
        for (index, column) in self.order.iter().filter(|column| wanted(**column)).enumerate() {
            if index > 0 {
                joined.push(b',');
            }
            // The separator is in no value, so that no comma is taken for one between two values.
            joined.extend(row.values[*column].bytes().map(|byte| if byte == b',' { KEY_SEPARATOR } else { byte }));
        }
        hash(joined)
    }
}

/// Some values of a row, joined by [`KEY_SEPARATOR`].
fn joined_into(row: &Row<'_>, columns: &[usize], out: &mut Vec<u8>) {
    out.clear();
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            out.push(KEY_SEPARATOR);
        }
        out.extend_from_slice(row.values[*column].as_bytes());
    }
}

/// The half of a row's hash that is about values which are the same in all rows of a key, where others may vary.
pub(crate) const FIXED: u64 = !0 << 32;

const DROPPED: &str = "ReferencedRecordDropped";
const FILE_MISSING: &str = "ReferencedFileMissing";
const FILE_NEEDED: &str = "NeededFileMissing";
const ENCODED_TWICE: &str = "EncodedTwice";
const FILLED: &str = "StatusInBulkFile";
/// Codes of findings that are told once a file and column.
pub(crate) const TOLD_ONCE: [&str; 4] = [FILE_MISSING, FILE_NEEDED, ENCODED_TWICE, FILLED];

/// What a finding about a value says.
pub(crate) struct Told {
    code: &'static str,
    message: String,
    hint: Option<String>,
    root: Option<String>,
    earlier: Option<u64>,
}

impl Told {
    pub(crate) fn new(code: &'static str, message: String) -> Self {
        Self { code, message, hint: None, root: None, earlier: None }
    }

    /// It clashes with this line, which the message names.
    pub(crate) fn with_earlier(self, line: u64) -> Self {
        Self { earlier: Some(line), ..self }
    }

    /// It is only the consequence of what happened to a record or of a file that is missing, named as in [`Finding::root`].
    fn following_from(self, root: String) -> Self {
        Self { hint: Some(remedy_of(&root)), root: Some(root), ..self }
    }
}

/// What helps against all that follows from a root: a record's name begins with a quote, else it is a file's.
fn remedy_of(root: &str) -> String {
    if root.starts_with('\'') { format!("Mend the row of {root}.") } else { format!("Add {root} to the export.") }
}

/// Ids of a list.
pub(crate) fn ids(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|id| !id.is_empty())
}

/// A key for people to read.
pub(crate) fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key).split(char::from(KEY_SEPARATOR)).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

fn is_blank(text: &str) -> bool {
    match text.as_bytes().first() {
        None => true,
        Some(b'!'..=b'~') => false,
        Some(_) => text.trim().is_empty(),
    }
}
