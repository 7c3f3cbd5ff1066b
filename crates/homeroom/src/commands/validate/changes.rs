//! Packages of changes: with the set that they are for, or by themselves.

use super::{listed, unread};
use crate::cli;
use crate::commands::Failure;
use crate::output;
use jiff::Timestamp;
use roster::archive::{ArchiveLimits, Opened, is_archive, open_archives};
use roster::delta::{self, Applied, FileChanges, Origin, SentAs};
use roster::format::detect;
use roster::{Finding, Format, Source};
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};

/// What the names of the base's files begin with in findings.
pub(super) const BASE: &str = "base/";

/// A package of changes.
pub(super) struct Package {
    /// The set that the changes are for, and its path.
    pub(super) base: Option<(PathBuf, Vec<Source>)>,
}

impl Package {
    /// The package that the arguments name, when it is one of changes.
    pub(super) fn of(
        arguments: &cli::Validate,
        files: &[Source],
        format: Option<Format>,
        in_part: bool,
        work: &Path,
    ) -> Result<Option<Self>, Failure> {
        let can_be = matches!(format, None | Some(Format::OneRoster11 | Format::OneRoster12));
        let sent = delta::sent_as(files).map_err(Failure::io("read the manifest"))?;
        if can_be && !in_part && sent == SentAs::Changes {
            let base = arguments.base.as_deref().map(|path| Ok::<_, Failure>((path.to_owned(), whole(path, work)?))).transpose()?;
            return Ok(Some(Self { base }));
        }
        let Some(base) = &arguments.base else { return Ok(None) };
        if in_part {
            let hint = "name the folder or the zip archive that has its manifest.csv too";
            return Err(Failure::hinting("--base is for a package of changes, not for one file", hint).usage());
        }
        let path = arguments.path.display();
        let is_oneroster = matches!(detect(files).format, Ok(Format::OneRoster11 | Format::OneRoster12));
        if can_be && delta::sent_as(&set(base, work)?).map_err(Failure::io("read the manifest"))? == SentAs::Changes {
            let message = format!("{path} is a whole set, and {} holds changes: they are the wrong way round", base.display());
            return Err(Failure::hinting(message, format!("homeroom validate {} --base {path}", base.display())).usage());
        }
        match sent {
            SentAs::NotSaid if can_be && is_oneroster => {
                let hint = "a package of changes has one that says so, with lines like file.users,delta; a whole export needs no --base";
                Err(Failure::hinting(format!("{path} has no manifest.csv, so that nothing says that it holds changes"), hint).usage())
            }
            SentAs::Unclear(line, property, value) if can_be => {
                let hint = "write delta for changes, bulk for a whole file, absent for one that is not in the package";
                Err(Failure::hinting(format!("{path}: manifest.csv:{line}: {property} is '{value}', which means nothing"), hint))
            }
            SentAs::Whole if can_be => {
                output::note("the manifest names no file delta: the export is whole, and is checked without its base");
                Ok(None)
            }
            _ => {
                output::note("only OneRoster has packages of changes: the export is checked as a whole one, without its base");
                Ok(None)
            }
        }
    }

    /// Applies the changes; the set that they make goes into a new folder.
    pub(super) fn apply(
        &self,
        arguments: &cli::Validate,
        files: &[Source],
        whole: &Path,
        take: &mut dyn FnMut(&Finding) -> io::Result<()>,
    ) -> Result<Applied, Failure> {
        std::fs::create_dir(whole).map_err(Failure::io("make a temporary directory"))?;
        let base = self.base.as_ref().map(|(_, files)| files.as_slice());
        let format = Format::of_name(&arguments.format);
        delta::check(base, files, Timestamp::now(), format, arguments.encoding.as_deref(), whole, take).map_err(|error| unread(&error))
    }

    /// What the changes do to each file.
    pub(super) fn show(&self, applied: &Applied) {
        let numbers = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>();
        let row = |table: &FileChanges| {
            let mode = match table.mode {
                "absent" => "not in the package",
                "bulk" => "whole",
                _ => "changes",
            };
            let counts = match (table.mode, &self.base) {
                ("delta", Some(_)) => numbers(&[table.added, table.changed, table.removed, table.unchanged, table.not_applied()]),
                ("delta", None) => numbers(&[table.added, table.removed, table.not_applied()]),
                _ => Vec::new(),
            };
            [table.name.clone(), mode.to_owned()].into_iter().chain(counts).collect()
        };
        let rows: Vec<Vec<String>> = applied.tables.iter().map(row).collect();
        if let Some((base, _)) = &self.base {
            output::line(&format!("changes to the set in {}:", base.display()));
            output::table(&["file", "sent as", "added", "changed", "removed", "unchanged", "not applied"], &rows);
            output::line("the set with them:");
        } else {
            output::line("a package of changes by itself:");
            output::table(&["file", "sent as", "active", "to be deleted", "not applied"], &rows);
            output::line("its active records:");
        }
    }

    /// What has to be known about the findings.
    pub(super) fn show_limits(&self, path: &Path, of_base: bool) {
        match &self.base {
            Some((base, _)) if of_base => output::line(&format!("{BASE}… is a file of the set in {}", base.display())),
            Some(_) => {}
            None => {
                output::line("references to records that are not in the package, and usernames that others have, could not be checked;");
                output::line(&format!("give the set that the changes are for: homeroom validate {} --base FOLDER-OR-ZIP", path.display()));
            }
        }
    }

    /// For scripts: numbers that only a base shows are there with a base only.
    pub(super) fn as_json(&self, applied: &Applied) -> Value {
        let file = |table: &FileChanges| match (table.mode, &self.base) {
            ("delta", Some(_)) => json!({
                "name": table.name, "mode": table.mode, "rows": table.rows, "added": table.added, "changed": table.changed,
                "removed": table.removed, "unchanged": table.unchanged, "notApplied": table.not_applied(),
            }),
            ("delta", None) => json!({
                "name": table.name, "mode": table.mode, "rows": table.rows, "active": table.added, "toBeDeleted": table.removed,
                "notApplied": table.not_applied(),
            }),
            _ => json!({ "name": table.name, "mode": table.mode }),
        };
        let base = self.base.as_ref().map(|(base, _)| base.display().to_string());
        json!({ "base": base, "files": applied.tables.iter().map(file).collect::<Vec<_>>() })
    }
}

/// The files of a whole set.
fn whole(path: &Path, work: &Path) -> Result<Vec<Source>, Failure> {
    let files = set(path, work)?;
    if delta::is_delta(&files).map_err(Failure::io("read the manifest"))? {
        let hint = "a base is a set with all records (bulk): the last one that was sent whole, or what the server has accepted";
        return Err(Failure::hinting(format!("{} holds only changes itself", path.display()), hint));
    }
    Ok(files)
}

/// The files of a folder or an archive that is given as the base.
fn set(path: &Path, work: &Path) -> Result<Vec<Source>, Failure> {
    if path.is_file() && !is_archive(&path.to_string_lossy()) {
        let hint = "name the folder or the zip archive that has all of its files";
        return Err(Failure::hinting(format!("{} is one file, and a base is a whole set", path.display()), hint).usage());
    }
    let unpacked = work.join("base");
    let opened = open_archives(listed(path)?, &unpacked, &ArchiveLimits::DEFAULT).map_err(Failure::io("unpack the archive"))?;
    let Opened { files, errors, .. } = opened;
    match errors.first() {
        Some(finding) => Err(Failure::new(format!("the base cannot be used: {}: {}", finding.file, finding.message))),
        None => Ok(files),
    }
}

/// A finding about the set as one about the file that the line stands in.
pub(super) fn traced(finding: &Finding, applied: &Applied) -> Finding {
    let mut finding = finding.clone();
    if applied.origins.trace(&mut finding) == Origin::Base {
        finding.file.insert_str(0, BASE);
    }
    finding
}
