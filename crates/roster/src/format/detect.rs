//! Which format an export is in, by what is in its files.

use super::manifest::Manifest;
use super::{Column, FileSpec, Format, MANIFEST};
use crate::Source;
use crate::chunks::Chunks;
use crate::fields::Fields;
use crate::finding::shorten;
use crate::legible;
use crate::limits::CHUNK_BYTES;

/// What an export was taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// The format, or the title of one that is known and not read.
    pub format: Result<Format, String>,
    /// What tells it, in words.
    pub why: String,
}

impl Detected {
    fn of(format: Format, why: impl Into<String>) -> Self {
        Self { format: Ok(format), why: why.into() }
    }

    fn unread(title: impl Into<String>, why: impl Into<String>) -> Self {
        Self { format: Err(title.into()), why: why.into() }
    }

    /// A format that somebody has named.
    pub(crate) fn named(format: Format) -> Self {
        Self::of(format, "it was named")
    }
}

impl Default for Detected {
    fn default() -> Self {
        Self::of(Format::SdsV21, "nothing in the files speaks for another one")
    }
}

/// Columns of users that came with OneRoster 1.2, where role and organizations went to a file of their own.
const SINCE_1_2: [&str; 6] =
    ["userMasterIdentifier", "preferredGivenName", "preferredMiddleName", "preferredFamilyName", "primaryOrgSourcedId", "pronouns"];

/// A value of the manifest as it is repeated in titles and messages: short, and on one line.
fn shown(value: &str) -> String {
    legible(&shorten(value)).into_owned()
}

/// The format that an export is in, by its manifest or else by headers that only one format has. SDS
/// v2.1 when nothing tells; what is wrong with the files is then said by its rules.
pub fn detect(files: &[Source]) -> Detected {
    if let Some(version) = Manifest::read(files).ok().flatten().and_then(|manifest| manifest.version().map(shown)) {
        let why = format!("oneroster.version in {MANIFEST} is {version}");
        let known = Format::ALL.into_iter().find(|format| format.manifest_version() == Some(version.as_str()));
        return known.map_or_else(|| Detected::unread(format!("OneRoster {version}"), &why), |format| Detected::of(format, &why));
    }
    let headers: Vec<(&str, Vec<String>)> = files.iter().map(|file| (file.name.as_str(), header(file))).collect();
    let has = |file: &str, column: &str| {
        headers.iter().any(|(name, header)| name.eq_ignore_ascii_case(file) && header.iter().any(|other| other == column))
    };
    // Every OneRoster file has both, and no file of another format.
    let modified = Format::OneRoster11.files().iter().find(|spec| has(spec.name, "status") && has(spec.name, "dateLastModified"));
    if let Some(spec) = modified {
        let told = format!("{} has the columns status and dateLastModified", spec.name);
        let of_1_1 = ["role", "orgSourcedIds"].iter().any(|column| has("users.csv", column));
        let of_1_2 = SINCE_1_2.iter().find(|column| has("users.csv", column)).filter(|_| !of_1_1);
        return match of_1_2 {
            _ if has("roles.csv", "roleType") => Detected::of(Format::OneRoster12, told + ", and roles.csv has roleType"),
            Some(column) => {
                Detected::of(Format::OneRoster12, format!("{told}, and users.csv has {column} and neither role nor orgSourcedIds"))
            }
            None => Detected::of(Format::OneRoster11, told + ", and there is no roles.csv or users.csv of 1.2"),
        };
    }
    // Its headers differ by country; its names of files are its own.
    if files.iter().any(|file| ["School.csv", "Student.csv", "Section.csv"].iter().any(|name| name.eq_ignore_ascii_case(&file.name))) {
        return Detected::of(Format::SdsV1, "School.csv, Student.csv or Section.csv is there");
    }
    if has("users.csv", "role") && has("users.csv", "orgSourcedIds") {
        return Detected::unread("SDS v2 of before 2.1", "users.csv has the columns role and orgSourcedIds");
    }
    if has("users.csv", "username") && has("roles.csv", "orgSourcedId") {
        return Detected::of(Format::SdsV21, "users.csv and roles.csv have its columns");
    }
    // One file by itself can have a name that only one format has.
    for name in files.iter().map(|file| &file.name) {
        let formats: Vec<Format> = Format::ALL.into_iter().filter(|format| format.has(name)).collect();
        if let [only] = formats[..] {
            return Detected::of(only, format!("only this format has a {name}"));
        }
    }
    Detected::default()
}

/// What files are taken for that somebody has named another format for; nothing when nothing in them tells, or they agree.
pub fn looks_like(files: &[Source], named: Format) -> Option<Detected> {
    let detected = detect(files);
    (detected != Detected::default() && detected.format != Ok(named)).then_some(detected)
}

/// The formats that a file has name and required columns of.
pub(crate) fn fitting(file: &Source) -> Vec<Format> {
    let is_spec = |spec: &&FileSpec| spec.is_named(&file.name);
    let mut specs = Format::ALL.into_iter().filter_map(|format| Some((format, format.files().iter().find(is_spec)?))).peekable();
    if specs.peek().is_none() {
        return Vec::new();
    }
    let header = header(file);
    let has = |column: &Column| column.headers().any(|name| header.iter().any(|other| other == name));
    let fits = |spec: &FileSpec| spec.columns.iter().filter(|column| column.header_required).all(has);
    specs.filter(|(_, spec)| fits(spec)).map(|(format, _)| format).collect()
}

/// Files of several formats in one place: what is of which, by names and columns, the format of most files first. Nothing
/// when one format has them all. Files that no format has are passed over.
pub fn mixed(files: &[Source]) -> Vec<(Format, Vec<&str>)> {
    let mut left: Vec<(&str, Vec<Format>)> = files.iter().map(|file| (file.name.as_str(), fitting(file))).collect();
    left.retain(|(_, formats)| !formats.is_empty());
    let mut groups = Vec::new();
    while !left.is_empty() {
        let count = |format: &Format| left.iter().filter(|(_, formats)| formats.contains(format)).count();
        // Of several the one that comes first in the list, which the last maximum of the reversed one is.
        let Some(most) = Format::ALL.into_iter().rev().max_by_key(count) else { break };
        let (of_it, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|(_, formats)| formats.contains(&most));
        groups.push((most, of_it.into_iter().map(|(name, _)| name).collect()));
        left = others;
    }
    if groups.len() > 1 { groups } else { Vec::new() }
}

/// The first line of a file, if it can be read.
fn header(file: &Source) -> Vec<String> {
    let line = Chunks::open(&file.path, None, CHUNK_BYTES).and_then(|mut chunks| chunks.header()).ok().flatten().unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    let mut fields = Fields::default();
    match fields.split(line.as_bytes()) {
        Ok(_) => (0..fields.len()).map(|index| fields.text(&line, index).trim().to_owned()).collect(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(dir: &tempfile::TempDir, files: &[(&str, &str)]) -> Vec<Source> {
        let source = |(name, text): &(&str, &str)| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            Source { name: (*name).to_owned(), path }
        };
        files.iter().map(source).collect()
    }

    fn detected(files: &[(&str, &str)]) -> Result<&'static str, String> {
        let dir = tempfile::tempdir().unwrap();
        let found = detect(&written(&dir, files));
        assert!(!found.why.is_empty());
        found.format.map(Format::name)
    }

    #[test]
    fn each_format_is_told_by_what_only_it_has() {
        let manifest = |version| format!("propertyName,value\r\n\"oneroster.version\",{version}\r\n");
        assert_eq!(detected(&[("manifest.csv", &manifest("1.1"))]), Ok("oneroster-1.1"));
        assert_eq!(detected(&[("manifest.csv", &manifest("1.2")), ("users.csv", "sourcedId,username\n")]), Ok("oneroster-1.2"));
        assert_eq!(detected(&[("manifest.csv", &manifest("2.0"))]), Err("OneRoster 2.0".to_owned()));
        // It is repeated in titles and messages.
        let long = detected(&[("manifest.csv", &manifest(&format!("\u{1b}[2J{}", "9".repeat(10_000))))]).unwrap_err();
        assert!(long.starts_with("OneRoster \\u{1b}[2J9") && long.len() < 1_000, "{long}");
        assert_eq!(detected(&[("Teacher.csv", "SIS ID,School SIS ID\n")]), Ok("sds-v1"), "by its name");
        let orgs = ("orgs.csv", "sourcedId,status,dateLastModified,name,type");
        assert_eq!(detected(&[orgs]), Ok("oneroster-1.1"));
        assert_eq!(detected(&[orgs, ("roles.csv", "sourcedId,status,dateLastModified,userSourcedId,roleType")]), Ok("oneroster-1.2"));
        let users = |columns: &str| format!("sourcedId,status,dateLastModified,enabledUser,{columns}username,givenName,familyName");
        assert_eq!(detected(&[("users.csv", &format!("{},userMasterIdentifier,pronouns", users("")))]), Ok("oneroster-1.2"));
        assert_eq!(detected(&[("users.csv", &users(""))]), Ok("oneroster-1.1"));
        assert_eq!(detected(&[("users.csv", &users("orgSourcedIds,role,"))]), Ok("oneroster-1.1"));
        // Made by hand, with something of both: what 1.1 cannot do without decides.
        assert_eq!(detected(&[("users.csv", &format!("{},pronouns", users("orgSourcedIds,role,")))]), Ok("oneroster-1.1"));
        assert_eq!(detected(&[("Student.csv", "SIS ID,School SIS ID,Username")]), Ok("sds-v1"));
        assert_eq!(detected(&[("users.csv", "sourcedId,orgSourcedIds,username,role")]), Err("SDS v2 of before 2.1".to_owned()));
        assert_eq!(detected(&[("users.csv", "sourcedId,username"), ("roles.csv", "userSourcedId,orgSourcedId,role")]), Ok("sds-v2.1"));
        assert_eq!(detected(&[]), Ok("sds-v2.1"));
        assert_eq!(detected(&[("users.csv", "\"sourced")]), Ok("sds-v2.1"));
    }

    #[test]
    fn files_of_two_formats_are_told_apart() {
        let orgs = ("orgs.csv", "sourcedId,name,type\n");
        let users = ("users.csv", "sourcedId,username\n");
        let student = ("student.csv", "ID,School DfE Number,Username\n");
        let of = |files: &[(&str, &str)]| {
            let dir = tempfile::tempdir().unwrap();
            let files = written(&dir, files);
            let groups = mixed(&files);
            groups.into_iter().map(|(format, names)| format!("{}: {}", format.name(), names.join(" "))).collect::<Vec<_>>()
        };
        assert!(of(&[orgs, users]).is_empty() && of(&[]).is_empty());
        assert!(of(&[orgs, users, ("notes.csv", "x\n"), ("classes.csv", "half of a header\n")]).is_empty());
        assert_eq!(of(&[student, orgs, users]), ["sds-v2.1: orgs.csv users.csv", "sds-v1: student.csv"]);
    }
}
