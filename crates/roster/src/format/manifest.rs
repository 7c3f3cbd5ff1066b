//! `manifest.csv` of a OneRoster package: which files there are, and whether they are whole.
//!
//! The binding of 1.2 makes every fault of it an error; exports in 1.1 are made by so many hands that
//! only those faults stop it that mean that records are missing.

use super::{Format, MANIFEST};
use crate::Source;
use crate::chunks::{Chunks, first_line};
use crate::fields::Fields;
use crate::finding::{Finding, shorten};
use crate::limits::CHUNK_BYTES;
use std::io;

/// Lines of a manifest. One that is complete has some 30.
const LINES_MAX: u64 = 1_000;

/// How a package has a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Not at all.
    Absent,
    /// All of its records.
    Bulk,
    /// What has changed.
    Delta,
}

/// What a manifest says.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    /// Line, property and value.
    properties: Vec<(u64, String, String)>,
    /// Lines that are no property with a value.
    misshapen: Vec<u64>,
    /// Whether the header is the one that the binding gives.
    header_is_right: bool,
    /// Whether it has more lines than were read.
    is_too_long: bool,
}

impl Manifest {
    /// The manifest of a package, if it has one.
    pub(crate) fn read(files: &[Source]) -> io::Result<Option<Self>> {
        let Some(source) = files.iter().find(|file| file.name == MANIFEST) else { return Ok(None) };
        // All of a manifest that is one is in the first chunk.
        let mut chunks = Chunks::open(&source.path, None, CHUNK_BYTES)?;
        let chunk = chunks.next(Vec::new())?.unwrap_or_default();
        let (mut manifest, mut rest, mut number) = (Self::default(), chunk.bytes.as_slice(), 0);
        while let Some((stop, next)) = first_line(rest, true) {
            let line = String::from_utf8_lossy(&rest[..stop]).into_owned();
            (rest, number) = (&rest[next..], number + 1);
            let mut fields = Fields::default();
            if number > LINES_MAX {
                manifest.is_too_long = true;
                break;
            }
            if line.trim_matches([',', ' ']).is_empty() {
                continue;
            }
            let good = fields.split(line.as_bytes()).is_ok() && fields.len() >= 2;
            let field = |index| fields.text(&line, index).trim().to_owned();
            if number == 1 {
                manifest.header_is_right = good && (field(0), field(1)) == ("propertyName".to_owned(), "value".to_owned());
            } else if good {
                manifest.properties.push((number, field(0), field(1)));
            } else {
                manifest.misshapen.push(number);
            }
        }
        Ok(Some(manifest))
    }

    fn value(&self, property: &str) -> Option<&str> {
        self.properties.iter().find(|(_, name, _)| name == property).map(|(.., value)| value.as_str())
    }

    /// The version of OneRoster.
    pub(crate) fn version(&self) -> Option<&str> {
        self.value("oneroster.version")
    }

    /// How the package has a file, by its name; `None` when the manifest does not say.
    pub(crate) fn mode(&self, file: &str) -> Option<Mode> {
        mode(self.value(&format!("file.{}", file.strip_suffix(".csv")?))?)
    }

    /// The first property of a file whose value is none that a file can have: line, property, value.
    pub(crate) fn unclear(&self) -> Option<(u64, &str, &str)> {
        let mut of_files = self.properties.iter().filter(|(_, name, _)| name.starts_with("file."));
        of_files.find(|(.., value)| mode(value).is_none()).map(|(line, name, value)| (*line, name.as_str(), value.as_str()))
    }
}

fn mode(word: &str) -> Option<Mode> {
    match word {
        "absent" => Some(Mode::Absent),
        "bulk" => Some(Mode::Bulk),
        "delta" => Some(Mode::Delta),
        _ => None,
    }
}

/// What is wrong with the manifest of a package, or with the package by its manifest. Nothing when the
/// format has no manifests.
pub(crate) fn check(format: Format, files: &[Source]) -> Vec<Finding> {
    let Some(version) = format.manifest_version() else { return Vec::new() };
    let manifest = match Manifest::read(files) {
        Ok(Some(manifest)) => manifest,
        Ok(None) if format == Format::OneRoster12 => {
            let message = format!("{MANIFEST} is not in the package, and OneRoster 1.2 does not go without.");
            return vec![Finding::of_file("RequiredFileNotFound", MANIFEST, message)];
        }
        Ok(None) => {
            let message = format!("{MANIFEST} is not in the package; every file is taken to be whole.");
            return vec![Finding::of_file("ManifestNotFound", MANIFEST, message).hint("A file that is missing by mistake cannot be told.")];
        }
        Err(error) => return vec![crate::basic::unreadable(MANIFEST, &error)],
    };
    if manifest.is_too_long {
        let message = format!("{MANIFEST} has more than {LINES_MAX} lines, as no manifest has.");
        return vec![Finding::of_file("FileUnreadable", MANIFEST, message).hint("Look at how it was made.")];
    }
    let mut check = Check { format, version, files, manifest: &manifest, findings: Vec::new() };
    check.properties();
    check.files();
    check.findings
}

struct Check<'m> {
    format: Format,
    version: &'static str,
    files: &'m [Source],
    manifest: &'m Manifest,
    findings: Vec<Finding>,
}

impl Check<'_> {
    /// A fault that stops a package of 1.2 and is remarked on in 1.1. Line 0 is about the whole file.
    fn fault(&mut self, line: u64, message: String) {
        let code = if self.format == Format::OneRoster12 { "ManifestInvalid" } else { "ManifestIrregular" };
        self.findings.push(Finding { line, ..Finding::of_file(code, MANIFEST, message) });
    }

    /// Properties and values by themselves.
    fn properties(&mut self) {
        let manifest = self.manifest;
        if !manifest.header_is_right {
            self.fault(1, format!("The first line of {MANIFEST} is not 'propertyName,value'."));
        }
        for line in &manifest.misshapen {
            self.fault(*line, "The line is not a property with its value.".to_owned());
        }
        for (index, (line, name, value)) in manifest.properties.iter().enumerate() {
            let (line, shown) = (*line, (shorten(name), shorten(value)));
            if manifest.properties[..index].iter().any(|(_, other, _)| other == name) {
                self.fault(line, format!("The property {} stands in the manifest already; the first value counts.", shown.0));
                continue;
            }
            match name.as_str() {
                "manifest.version" if value == "1.0" => {}
                "manifest.version" => self.fault(line, format!("manifest.version is '{}' and not 1.0.", shown.1)),
                "oneroster.version" if value == self.version => {}
                "oneroster.version" => {
                    self.fault(line, format!("oneroster.version is '{}', and the files are read as {}.", shown.1, self.version));
                }
                "source.systemName" | "source.systemCode" => {}
                _ => match name.strip_prefix("file.") {
                    Some(file) if self.format.package().contains(&file) => {
                        if mode(value).is_none() {
                            self.fault(line, format!("{} is '{}' and not absent, bulk or delta.", shown.0, shown.1));
                        }
                    }
                    _ => self.fault(line, format!("{} is not a property of a manifest of {}.", shown.0, self.format.title())),
                },
            }
        }
        for name in ["manifest.version", "oneroster.version"] {
            if manifest.value(name).is_none() {
                self.fault(0, format!("The manifest does not have the property {name}."));
            }
        }
    }

    /// What the manifest says about files against those that there are.
    fn files(&mut self) {
        let mut changes = Vec::new();
        for stem in self.format.package() {
            let file = format!("{stem}.csv");
            let is_read = self.format.files().iter().any(|spec| spec.name == file);
            let is_there = self.files.iter().any(|source| source.name == file);
            match self.manifest.mode(&file) {
                // What is wrong with the word itself has been said.
                None if self.manifest.value(&format!("file.{stem}")).is_some() => {}
                Some(Mode::Absent) | None if is_there => {
                    let says = if self.manifest.mode(&file).is_some() { "says that it is absent" } else { "does not speak of it" };
                    self.fault(0, format!("{file} is in the package, and the manifest {says}."));
                }
                None if self.format == Format::OneRoster12 => {
                    self.fault(0, format!("The manifest does not have the property file.{stem}."));
                }
                Some(Mode::Bulk | Mode::Delta) if !is_there && is_read => {
                    let message = format!("The manifest says that {file} is in the package, and it is not.");
                    let finding = Finding::of_file("ManifestFileMissing", &file, message);
                    self.findings.push(finding.hint("Send the whole package again, or name the file absent."));
                }
                Some(Mode::Bulk | Mode::Delta) if !is_there => {
                    self.fault(0, format!("The manifest says that {file} is in the package, and it is not."));
                }
                Some(Mode::Delta) if is_read => changes.push(file),
                _ => {}
            }
        }
        if let [first, ..] = changes.as_slice() {
            let message = format!("The package holds only what has changed ({}), and no set to apply it to.", changes.join(", "));
            let finding = Finding::of_file("DeltaWithoutBase", first, message);
            self.findings.push(finding.hint("Send one package with all records (bulk) first."));
        }
    }
}
