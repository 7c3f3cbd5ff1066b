//! Rosters of any size, invented: the same arguments make the same bytes.
//!
//! `population` says who there is on day 0 and `churn` what has changed since; `walk` tells both to the
//! writer of a format, which hands rows to `output`. There they are compared with the day before, get their
//! defects, and go to the files. Nothing is held but what has changed, and one hash a row where days are compared.

mod changes;
mod churn;
mod defects;
mod details;
mod draw;
mod format;
mod oneroster;
mod output;
mod population;
mod sds_v1;
mod sds_v21;
mod walk;

pub use crate::format::Format;
pub use changes::Changes;
pub use churn::Event;
pub use defects::Defect;

use crate::Source;
use changes::Compare;
use churn::State;
use defects::{Injector, Shared};
use draw::Seed;
use output::{CsvFile, Output, Outputs, Pass};
use population::Population;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Students of the smallest roster: one for each grade level, and then some.
pub const STUDENTS_MIN: u32 = 20;
/// Students of the largest roster, one for each that the country with the most has, ten times.
pub const STUDENTS_MAX: u32 = 20_000_000;
/// Largest share of rows with a defect of each kind: there are some fifty kinds.
pub const RATE_MAX: f64 = 0.05;
/// Day of the first change.
const DAY_0: jiff::civil::Date = jiff::civil::date(2026, 8, 31);

/// What to make.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Options {
    /// Format of the files.
    pub format: Format,
    /// Students on day 0, from [`STUDENTS_MIN`] to [`STUDENTS_MAX`].
    pub students: u32,
    /// Another seed, other people.
    pub seed: String,
    /// Days of changes since day 0.
    pub day: u32,
    /// Share of rows that get a defect, for each kind of defect; 0 for none.
    pub dirty: f64,
    /// Only what has changed since the day before (OneRoster).
    pub delta: bool,
}

impl Options {
    /// A clean roster of SDS v2.1 on day 0.
    pub fn new(students: u32) -> Self {
        Self { format: Format::SdsV21, students, seed: "1".to_owned(), day: 0, dirty: 0.0, delta: false }
    }

    fn check(&self) -> Result<(), GenerateError> {
        let wrong = |what: &str| Err(GenerateError::Options(what.to_owned()));
        if !(STUDENTS_MIN..=STUDENTS_MAX).contains(&self.students) {
            return wrong(&format!("the number of students is from {STUDENTS_MIN} to {STUDENTS_MAX}"));
        }
        if !(0.0..=RATE_MAX).contains(&self.dirty) {
            return wrong(&format!("the rate of defects is from 0 to {RATE_MAX}"));
        }
        if self.delta && !(self.format.is_one_roster() && self.day > 0) {
            return wrong("only OneRoster has files of changes, and only from day 1 on");
        }
        if self.delta && self.dirty > 0.0 {
            return wrong("defects are made in whole sets only, not in files of changes");
        }
        Ok(())
    }
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// Options that do not go together.
    #[error("{0}")]
    Options(String),
    /// The folder holds something else, which would become part of the set.
    #[error("{} holds {}, which is not part of the set", .0.display(), .1)]
    Occupied(PathBuf, String),
    /// A file could not be written.
    #[error("cannot write the files")]
    Io(#[from] io::Error),
}

/// One file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Its name.
    pub name: &'static str,
    /// Rows without the header.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// What was made.
#[derive(Debug, Clone, Serialize)]
pub struct Dataset {
    /// Of what.
    #[serde(flatten)]
    pub options: Options,
    /// The files, those of a manifest last.
    pub files: Vec<Written>,
    /// What happened on the day, by the words of people.
    #[serde(skip)]
    pub events: Vec<Event>,
    /// What became of the rows of each file on the day.
    #[serde(skip)]
    pub changes: BTreeMap<&'static str, Changes>,
    /// What is wrong on purpose.
    #[serde(skip)]
    pub defects: Vec<Defect>,
}

impl Dataset {
    /// Rows of all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// The files as those of an export.
    pub fn sources(&self, dir: &Path) -> Vec<Source> {
        self.files.iter().map(|file| Source { name: file.name.to_owned(), path: dir.join(file.name) }).collect()
    }

    /// Writes what was made and what must come of it: `dataset.json`, with a day `expected-changes.json`,
    /// with defects `expected-defects.json`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_expectations(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)?;
        let put = |name: &str, value: Option<serde_json::Value>| match value {
            Some(value) => std::fs::write(dir.join(name), format!("{value:#}\n")),
            None => remove_if_there(&dir.join(name)),
        };
        put("dataset.json", Some(serde_json::to_value(self)?))?;
        let changes =
            (self.options.day > 0).then(|| serde_json::json!({ "day": self.options.day, "events": self.events, "files": self.changes }));
        put("expected-changes.json", changes)?;
        let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
        for defect in &self.defects {
            *codes.entry(defect.code).or_default() += 1;
        }
        let total = self.defects.len();
        let defects = (self.options.dirty > 0.0).then(|| serde_json::json!({ "total": total, "codes": codes, "defects": self.defects }));
        put("expected-defects.json", defects)
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes a set into `dir`, which is made when it is not there and holds the set and nothing else then.
///
/// # Errors
/// When the options do not go together, the folder holds other files, or writing fails.
pub fn generate(dir: &Path, options: &Options) -> Result<Dataset, GenerateError> {
    options.check()?;
    std::fs::create_dir_all(dir)?;
    make_room(dir, options.format)?;
    let population = Population::new(options.students, &options.seed);
    let (state, events) = State::on(&population, options.day);
    let mut outputs = Outputs::create(dir, options)?;
    let tell = |outputs: &mut Outputs, state: &State, pass: Pass| {
        outputs.pass = pass;
        match options.format {
            Format::SdsV21 => walk::walk(&population, state, &mut sds_v21::Writer { out: outputs }),
            Format::SdsV1 => walk::walk(&population, state, &mut sds_v1::Writer { out: outputs }),
            Format::OneRoster11 | Format::OneRoster12 => {
                walk::walk(&population, state, &mut oneroster::Writer { out: outputs, format: options.format })
            }
        }
    };
    if let Some(before) = options.day.checked_sub(1) {
        let (before, _) = State::on(&population, before);
        tell(&mut outputs, &before, Pass::Before)?;
        tell(&mut outputs, &state, Pass::Today)?;
        tell(&mut outputs, &before, Pass::Gone)?;
    } else {
        tell(&mut outputs, &state, Pass::Today)?;
    }
    Ok(outputs.finish(dir, options, events)?)
}

/// Removes the files of a set of this format that may be there, so that none of it stays behind.
fn make_room(dir: &Path, format: Format) -> Result<(), GenerateError> {
    let own = |name: &str| format.tables().iter().any(|table| table.file == name) || format.is_one_roster() && name == oneroster::MANIFEST;
    let names = std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names: Vec<String> = names.collect::<io::Result<_>>()?;
    if let Some(other) = names.iter().find(|name| !own(name)) {
        return Err(GenerateError::Occupied(dir.to_owned(), other.clone()));
    }
    Ok(names.iter().try_for_each(|name| std::fs::remove_file(dir.join(name)))?)
}

impl Outputs {
    fn create(dir: &Path, options: &Options) -> io::Result<Self> {
        let dirty = options.dirty > 0.0;
        let seed = Seed::new(&options.seed);
        let mut shared = Shared::default();
        let mut all = Vec::new();
        for table in options.format.tables() {
            let mut file = CsvFile::create(&dir.join(table.file), dirty && table.utf16)?;
            file.swapped = table.swapped.filter(|_| dirty);
            let extra = (dirty && table.extra_column).then_some("shoeSize");
            file.put(table.columns.iter().map(|column| column.name).chain(extra))?;
            if dirty {
                Injector::start(table, &mut shared);
            }
            let injector = dirty.then(|| Injector::new(table, seed, options.dirty));
            all.push(Output { table, file, compare: (options.day > 0).then(Compare::default), injector });
        }
        let stamp = || Some(format!("{}T02:00:00.000Z", DAY_0.checked_add(jiff::Span::new().days(i64::from(options.day))).ok()?));
        Ok(Self { all, pass: Pass::Today, delta: options.delta.then(stamp).flatten(), shared })
    }

    fn finish(mut self, dir: &Path, options: &Options, events: Vec<Event>) -> io::Result<Dataset> {
        let (mut files, mut changes) = (Vec::new(), BTreeMap::new());
        for mut output in self.all {
            if let Some(injector) = &mut output.injector {
                injector.finish(output.table, &mut output.file, &mut self.shared)?;
            }
            let name = output.table.file;
            let rows = output.file.rows();
            let bytes = output.file.finish()?;
            // What has no changes is left out of a package of changes.
            if options.delta && rows == 0 {
                std::fs::remove_file(dir.join(name))?;
            } else {
                files.push(Written { name, rows, bytes });
            }
            changes.extend(output.compare.map(|compare| (name, compare.changes)));
        }
        if options.format.is_one_roster() {
            let names: Vec<&str> = files.iter().map(|file| file.name).collect();
            let (rows, bytes, irregular) = oneroster::write_manifest(dir, options, &names)?;
            files.push(Written { name: oneroster::MANIFEST, rows, bytes });
            self.shared
                .defects
                .extend(irregular.map(|line| Defect::of_file("irregular-manifest", "ManifestIrregular", oneroster::MANIFEST, line)));
        }
        Ok(Dataset { options: options.clone(), files, events, changes, defects: self.shared.defects })
    }
}

#[cfg(test)]
mod tests;
