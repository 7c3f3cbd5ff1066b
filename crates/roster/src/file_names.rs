//! Names of files that are not quite those of a format: which file was meant, and what to do about it.

use crate::Source;
use crate::format::{FileSpec, Format, fitting};
use crate::nearest::{distance, nearest};

/// Longer names, and names of more words, are nobody's slip; comparing them would only cost time.
const NAME_BYTES_MAX: usize = 128;
const WORDS_MAX: usize = 10;
/// Files of other names that are looked at for the one that was meant: whoever sends more has not misnamed a few.
const STRANGERS_MAX: usize = 100;

/// The file of an export that a file of another name was meant to be: one with a date, a number or other words around
/// the name (`users_2026-11-27.csv`, `Users (1).csv`), or with a slip in it (`enrolments.csv`). Nothing when two are as likely.
pub(crate) fn meant<'n>(given: &str, names: &[&'n str]) -> Option<&'n str> {
    if given.len() > NAME_BYTES_MAX {
        return None;
    }
    let words = words(given);
    near(given, names).or_else(|| named_in(&words, names)).or_else(|| {
        let letters = words.iter().filter(|word| !word.starts_with(|c: char| c.is_ascii_digit())).map(String::as_str);
        near(&format!("{}.csv", letters.collect::<String>()), names)
    })
}

/// The nearest name, when less than a third of it is wrong: short names are soon near to any other, `notes.csv` to `roles.csv`.
fn near<'n>(given: &str, names: &[&'n str]) -> Option<&'n str> {
    let near = nearest(given, names.iter().copied())?;
    (distance(stem(given), stem(near)) * 3 < stem(near).len()).then_some(near)
}

/// The one name whose words stand side by side among these; the longest one, so that `student_enrollment_2026` is not
/// taken for students.
fn named_in<'n>(words: &[String], names: &[&'n str]) -> Option<&'n str> {
    let has = |name: &str| {
        let stem = stem(name).to_ascii_lowercase();
        (0..words.len()).any(|from| (from..words.len()).any(|to| words[from..=to].concat() == stem))
    };
    let found: Vec<&str> = names.iter().copied().filter(|name| has(name)).collect();
    let longest = found.iter().copied().max_by_key(|name| name.len())?;
    found.iter().all(|name| is_part(stem(name), stem(longest))).then_some(longest)
}

fn is_part(part: &str, whole: &str) -> bool {
    whole.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
}

/// A name without its ending.
fn stem(name: &str) -> &str {
    name.strip_suffix(".csv").or_else(|| name.strip_suffix(".CSV")).unwrap_or(name)
}

/// The words and numbers of a name in lower case, without its endings: `Users2026 (1).csv.txt` is users, 2026, 1. None
/// where there are too many.
fn words(name: &str) -> Vec<String> {
    let lower = name.to_ascii_lowercase();
    let without =
        [".txt", ".csv"].iter().fold(lower.len(), |end, ending| end - if lower[..end].ends_with(ending) { ending.len() } else { 0 });
    let (mut words, mut before): (Vec<String>, _) = (Vec::new(), ' ');
    for c in name[..without].chars() {
        let begins = !before.is_alphanumeric()
            || before.is_ascii_digit() != c.is_ascii_digit()
            || before.is_ascii_lowercase() && c.is_ascii_uppercase();
        if c.is_alphanumeric() {
            match words.last_mut() {
                Some(word) if !begins => word.push(c.to_ascii_lowercase()),
                _ => words.push(c.to_ascii_lowercase().to_string()),
            }
        }
        before = c;
    }
    if words.len() > WORDS_MAX {
        words.clear();
    }
    words
}

/// The files of a format that are not there.
pub(crate) fn missing<'t>(files: &[Source], table: &'t [FileSpec]) -> impl Iterator<Item = &'t FileSpec> {
    table.iter().filter(|spec| !files.iter().any(|file| spec.is_named(&file.name)))
}

/// The file that may be meant to be a missing one.
pub(crate) fn stand_in<'f>(spec: &FileSpec, files: &'f [Source], table: &[FileSpec]) -> Option<&'f str> {
    let names: Vec<&str> = missing(files, table).map(|spec| spec.name).collect();
    let others = files.iter().filter(|file| !table.iter().any(|spec| spec.is_named(&file.name))).take(STRANGERS_MAX);
    let meant = others.filter(|file| fitting(file).is_empty() && meant(&file.name, &names) == Some(spec.name));
    let meant: Vec<&str> = meant.map(|file| file.name.as_str()).collect();
    nearest(spec.name, meant.iter().copied()).or(meant.first().copied())
}

/// A file of a format that an export does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingFile {
    /// Name as the format spells it.
    pub name: &'static str,
    /// Whether an export cannot be without it.
    pub required: bool,
    /// The file that may be meant to be this one, and is not read under the name that it has.
    pub stand_in: Option<String>,
}

impl MissingFile {
    /// What to do about the file that may be meant to be this one.
    pub fn remedy(&self) -> Option<String> {
        self.stand_in.as_deref().map(|given| meant_to_be(given, self.name, &format!("{given} was not read")))
    }
}

/// The files of a format that an export does not have, in the order of the format.
pub fn missing_files(format: Format, files: &[Source]) -> Vec<MissingFile> {
    let table = format.files();
    let missing = missing(files, table);
    let stand_in = |spec| stand_in(spec, files, table).map(str::to_owned);
    missing.map(|spec| MissingFile { name: spec.name, required: spec.required, stand_in: stand_in(spec) }).collect()
}

/// A hint at the file that is there in place of a missing one.
pub(crate) fn hint_for_missing(spec: &FileSpec, files: &[Source], table: &[FileSpec]) -> Option<String> {
    let given = stand_in(spec, files, table)?;
    Some(if given.eq_ignore_ascii_case(spec.name) {
        format!("{given} is there: file names are case-sensitive, so name it {}.", spec.name)
    } else {
        meant_to_be(given, spec.name, &format!("{given} is there"))
    })
}

/// What to do about a file that was meant to be another one; `said` is what is known of it.
fn meant_to_be(given: &str, name: &str, said: &str) -> String {
    match kind_of_file(given) {
        Some(kind) => format!("{said}. {kind}"),
        None => format!("{said}: is it meant to be {name}? Then rename it."),
    }
}

/// What to do about a file that the format has no use for.
pub(crate) fn hint_for_unknown(file: &Source, format: Format, files: &[Source], table: &[FileSpec]) -> Option<String> {
    let name = file.name.as_str();
    let of = |formats: &[Format]| {
        let titles: Vec<&str> = formats.iter().map(|format| format.title()).collect();
        let (last, before) = titles.split_last()?;
        let titles = if before.is_empty() { (*last).to_owned() } else { format!("{} or {last}", before.join(", ")) };
        Some(format!("It is a file of {titles}: keep exports in two formats apart."))
    };
    let near = || {
        let names: Vec<&str> = missing(files, table).map(|spec| spec.name).collect();
        let near = meant(name, &names)?;
        if let Some(kind) = kind_of_file(name) {
            return Some(kind.to_owned());
        }
        Some(if near.eq_ignore_ascii_case(name) {
            format!("File names are case-sensitive: name it {near}.")
        } else {
            format!("Is it meant to be {near}? Then rename it.")
        })
    };
    let again = || {
        let names: Vec<&str> = table.iter().map(|spec| spec.name).collect();
        named_in(&words(name), &names).map(|there| format!("{there} is there already: leave out the one that is not wanted."))
    };
    let others = || Format::ALL.into_iter().filter(|other| *other != format && other.has(name)).collect::<Vec<_>>();
    of(&fitting(file)).or_else(near).or_else(again).or_else(|| of(&others())).or_else(|| kind_of_file(name).map(str::to_owned))
}

/// What to do about a file in an archive that has the name of no format.
pub(crate) fn hint_for_entry(name: &str) -> String {
    let names: Vec<&str> = Format::ALL.into_iter().flat_map(Format::files).map(|spec| spec.name).collect();
    match (kind_of_file(name), meant(name, &names)) {
        (Some(kind), _) => format!("{kind} Then pack the files anew."),
        (None, Some(near)) => format!("Is it meant to be {near}? Then rename it, and pack the files anew."),
        (None, None) => "Only CSV files with the names of a format belong in an archive; take the others out.".to_owned(),
    }
}

/// What a file is by the ending of its name and what to do about it, when that is nothing that is read.
pub fn kind_of_file(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&[".xlsx", ".xls", ".ods"]) {
        Some("It is a workbook: save each of its sheets as \"CSV UTF-8\".")
    } else if ends(&[".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar"]) {
        Some("It is compressed in a way that is not read: unpack it, or pack the files as a zip archive.")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_was_meant_is_told() {
        let files = |format: Format| format.files().iter().map(|spec| spec.name).collect::<Vec<_>>();
        for (given, name) in [
            ("users_2026-11-27.csv", Some("users.csv")),
            ("20261127users.csv", Some("users.csv")),
            ("export-users.csv", Some("users.csv")),
            ("ExportUsers.csv", Some("users.csv")),
            ("Users (1).csv", Some("users.csv")),
            ("users - Copy.csv", Some("users.csv")),
            ("users.csv.txt", Some("users.csv")),
            ("users", Some("users.csv")),
            ("user.csv", Some("users.csv")),
            ("USERS.CSV", Some("users.csv")),
            ("enrolments.csv", Some("enrollments.csv")),
            ("enrolments_20261127.csv", Some("enrollments.csv")),
            ("contoso academic sessions 2026.csv", Some("academicSessions.csv")),
            ("user_flags.csv", Some("userFlags.csv")),
            ("users and roles.csv", None),
            ("class.csv", Some("classes.csv")),
            ("notes.csv", None),
            ("2026.csv", None),
            ("", None),
            ("é.csv", None),
            ("a1 a1 a1 a1 a1 users.csv", None),
            (".csv.txt", None),
        ] {
            assert_eq!(meant(given, &files(Format::SdsV21)), name, "{given}");
        }
        for (given, name) in [
            ("student_enrollment_2026.csv", Some("StudentEnrollment.csv")),
            ("2026 Student.csv", Some("Student.csv")),
            ("TeacherRoster-1.csv", Some("TeacherRoster.csv")),
            ("student teacher.csv", None),
        ] {
            assert_eq!(meant(given, &files(Format::SdsV1)), name, "{given}");
        }
    }
}
