//! Zip archives of an export, unpacked with distrust: what an archive says of itself is checked, what
//! comes out of it is counted.
//!
//! The rule is the published one: files at the root, of names that a format has, and nothing else. Names
//! become paths only after they have been found in that closed list, so that there is no path to climb out by.

use crate::file_names::hint_for_entry;
use crate::finding::Finding;
use crate::stop;
use crate::{Format, Source};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::rc::Rc;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const COPY_BYTES: usize = 128 * 1024;

/// How much an archive may hold. Everything is counted while it is unpacked.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveLimits {
    /// Entries. A complete OneRoster package has 22; the rest is room for what a desktop leaves behind.
    pub entries_max: usize,
    /// Bytes read until the list of entries is known: it is held in memory, and real ones have a few KiB.
    pub directory_bytes_max: u64,
    /// Bytes of one file. Thirty million enrollments, ten times the largest district, stay below.
    pub file_bytes_max: u64,
    /// Bytes of all files.
    pub total_bytes_max: u64,
    /// Bytes out for one byte in. Rosters shrink to a tenth, enrollments of one class to a fiftieth; deflate
    /// itself ends at 1032, and only what was made to fill a disk comes near it.
    pub ratio_max: u64,
    /// Bytes from which on the ratio counts: a file that is small when unpacked can do no harm.
    pub ratio_from_bytes: u64,
}

impl ArchiveLimits {
    /// What Homeroom takes.
    pub const DEFAULT: Self = Self {
        entries_max: 256,
        directory_bytes_max: 4 * 1024 * 1024,
        file_bytes_max: 4 * 1024 * 1024 * 1024,
        total_bytes_max: 16 * 1024 * 1024 * 1024,
        ratio_max: 200,
        ratio_from_bytes: 16 * 1024 * 1024,
    };
}

/// Files that came out of archives, with those that were loose.
#[derive(Debug, Default)]
pub struct Opened {
    /// The files of the export.
    pub files: Vec<Source>,
    /// Why archives were refused. An export with a refused archive must not be used.
    pub errors: Vec<Finding>,
    /// What was left aside.
    pub warnings: Vec<Finding>,
}

/// Unpacks the archives among the files of an export, each into a folder of its own below `out`, which is
/// made when it is needed. A file that is in two of them, or loose as well, is given twice.
///
/// # Errors
/// When `out` cannot be written. What is wrong with an archive is a finding.
pub fn open_archives(files: Vec<Source>, out: &Path, limits: &ArchiveLimits) -> io::Result<Opened> {
    let mut opened = Opened::default();
    for (index, source) in files.into_iter().enumerate() {
        if !is_archive(&source.name) {
            opened.files.push(source);
            continue;
        }
        std::fs::create_dir_all(out)?;
        let folder = out.join(format!("archive-{index}"));
        match unpack(&source, &folder, limits) {
            Ok((files, warning)) => {
                opened.files.extend(files);
                opened.warnings.extend(warning);
            }
            Err(UnpackError::Refused(findings)) => opened.errors.extend(findings),
            Err(UnpackError::Io(error)) => return Err(error),
        }
    }
    Ok(opened)
}

/// Packs files into a new archive, all at its root. The same files make the same bytes.
///
/// # Errors
/// When a file cannot be read or the archive not written.
pub fn pack(files: &[Source], to: &Path) -> io::Result<()> {
    let mut writer = ZipWriter::new(BufWriter::new(File::create(to)?));
    for source in files {
        let mut file = File::open(&source.path)?;
        let large = file.metadata()?.len() >= u64::from(u32::MAX);
        let options = SimpleFileOptions::DEFAULT.compression_method(CompressionMethod::Deflated).large_file(large);
        writer.start_file(source.name.as_str(), options)?;
        io::copy(&mut file, &mut writer)?;
    }
    writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Whether a file is taken for an archive, by its name.
pub fn is_archive(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

/// Why an archive was not unpacked. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Something is wrong with it.
    #[error("the archive is refused")]
    Refused(Vec<Finding>),
    /// Its files could not be written.
    #[error("cannot write what is in the archive")]
    Io(#[from] io::Error),
}

/// Unpacks one archive into the folder `out`, which must not be there yet; gives its files, and a warning
/// when something in it was left aside.
///
/// # Errors
/// [`UnpackError::Refused`] with one finding for each thing that is wrong; then `out` is not there.
pub fn unpack(archive: &Source, out: &Path, limits: &ArchiveLimits) -> Result<(Vec<Source>, Option<Finding>), UnpackError> {
    std::fs::create_dir(out)?;
    let unpacked = Unpacking { archive, out, limits }.run();
    if unpacked.is_err() {
        std::fs::remove_dir_all(out)?;
    }
    unpacked
}

struct Unpacking<'a> {
    archive: &'a Source,
    out: &'a Path,
    limits: &'a ArchiveLimits,
}

type Zip = ZipArchive<BufReader<Rationed>>;

impl Unpacking<'_> {
    fn run(&self) -> Result<(Vec<Source>, Option<Finding>), UnpackError> {
        let file = File::open(&self.archive.path).map_err(|error| refuse(self.unreadable(&error.to_string())))?;
        let bytes = file.metadata().map_err(|error| refuse(self.unreadable(&error.to_string())))?.len();
        let mut zip = self.directory(file)?;
        let chosen = self.choose(&zip)?;
        let mut budget = Budget { archive: bytes, total: 0 };
        let mut files = Vec::new();
        for (index, name) in chosen.files {
            let path = self.out.join(&name);
            self.extract(&mut zip, index, &name, &path, &mut budget)?;
            files.push(Source { name, path });
        }
        Ok((files, self.leftovers(&chosen.leftovers)))
    }

    /// Reads the list of entries.
    fn directory(&self, file: File) -> Result<Zip, UnpackError> {
        let left = Rc::new(Cell::new(self.limits.directory_bytes_max));
        let rationed = Rationed { file, left: left.clone() };
        let zip = ZipArchive::new(BufReader::new(rationed)).map_err(|error| refuse(self.unreadable(&error.to_string())))?;
        if zip.has_duplicate_names() {
            let message = format!("Archive validation failed: a file is in {} more than once.", self.archive.name);
            return Err(refuse(Finding::of_file("DuplicateFile", &self.archive.name, message).hint("Keep one of them.")));
        }
        if zip.len() > self.limits.entries_max {
            let message = format!("{} has {} entries; {} are the limit.", self.archive.name, zip.len(), self.limits.entries_max);
            return Err(refuse(self.too_much(message)));
        }
        if zip.is_empty() {
            let finding = Finding::of_file("InvalidFileFormat", &self.archive.name, format!("{} is empty.", self.archive.name));
            return Err(refuse(finding.hint("Put the files of the export into it.")));
        }
        // From here on what comes out is counted.
        left.set(u64::MAX);
        Ok(zip)
    }

    /// Looks at the name and the kind of every entry before anything is unpacked.
    fn choose(&self, zip: &Zip) -> Result<Chosen, UnpackError> {
        let (mut chosen, mut refused) = (Chosen::default(), Vec::new());
        let mut seen = BTreeSet::new();
        for index in 0..zip.len() {
            let entry = match zip.by_index_data(index) {
                Ok(entry) => entry,
                Err(error) => {
                    refused.push(self.unreadable(&error.to_string()));
                    continue;
                }
            };
            let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            if is_leftover(&name) {
                chosen.leftovers.push(name);
            } else if let Some(hint) = unsupported(&name, entry.is_dir(), entry.is_symlink(), entry.encrypted(), entry.compression()) {
                refused.push(self.unsupported(&name, &hint));
            } else if !seen.insert(name.to_ascii_lowercase()) {
                let message = format!("Archive validation failed: {name} is in {} more than once.", self.archive.name);
                refused.push(Finding::of_file("DuplicateFile", &self.archive.name, message).hint("Keep one of them."));
            } else {
                chosen.files.push((index, name));
            }
        }
        if refused.is_empty() { Ok(chosen) } else { Err(UnpackError::Refused(refused)) }
    }

    fn extract(&self, zip: &mut Zip, index: usize, name: &str, path: &Path, budget: &mut Budget) -> Result<(), UnpackError> {
        let damaged = |error: &dyn std::fmt::Display| refuse(self.damaged(name, &error.to_string()));
        let mut entry = zip.by_index(index).map_err(|error| damaged(&error))?;
        let mut file = File::create_new(path)?;
        let mut buffer = vec![0; COPY_BYTES];
        let mut written = 0;
        loop {
            stop::check()?;
            let n = match entry.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // A checksum that is not right comes this way too, with the last bytes.
                Err(error) => return Err(damaged(&error)),
            };
            written += n as u64;
            budget.total += n as u64;
            if let Some(limit) = budget.exceeded(written, self.limits) {
                return Err(refuse(self.too_much(format!("{name} in {} {limit}.", self.archive.name))));
            }
            file.write_all(&buffer[..n])?;
        }
    }

    fn unsupported(&self, entry: &str, hint: &str) -> Finding {
        let shown: String = entry.chars().take(crate::limits::VALUE_CHARACTERS_MAX).collect();
        let message = format!("Archive validation failed: unsupported '{}' in {}.", shown.escape_debug(), self.archive.name);
        Finding { value: Some(shown), ..Finding::of_file("InvalidFileFormat", &self.archive.name, message).hint(hint) }
    }

    fn unreadable(&self, why: &str) -> Finding {
        let message = format!("{} cannot be read as a zip archive: {why}.", self.archive.name);
        Finding::of_file("FileUnreadable", &self.archive.name, message).hint("Make the archive anew and send it whole.")
    }

    fn damaged(&self, entry: &str, why: &str) -> Finding {
        let message = format!("{entry} in {} is damaged: {why}.", self.archive.name);
        Finding { value: Some(entry.to_owned()), ..Finding::of_file("FileUnreadable", &self.archive.name, message) }
            .hint("Make the archive anew and send it whole.")
    }

    fn too_much(&self, message: String) -> Finding {
        Finding::of_file("ArchiveTooLarge", &self.archive.name, message).hint("Send the files loose, or in several archives.")
    }

    fn leftovers(&self, names: &[String]) -> Option<Finding> {
        let first = names.first()?;
        let message = format!("{} has {} entries that an operating system left in it; they are not read.", self.archive.name, names.len());
        Some(Finding { value: Some(first.clone()), ..Finding::of_file("UnsupportedFile", &self.archive.name, message) })
    }
}

fn refuse(finding: Finding) -> UnpackError {
    UnpackError::Refused(vec![finding])
}

/// What becomes of the entries.
#[derive(Default)]
struct Chosen {
    /// Place in the archive and name of those that are unpacked.
    files: Vec<(usize, String)>,
    /// Names of those that are passed over.
    leftovers: Vec<String>,
}

/// Bytes unpacked so far, and of the archive itself, which is the one size that nobody can lie about.
struct Budget {
    archive: u64,
    total: u64,
}

impl Budget {
    /// What is said of an entry with which a limit was passed.
    fn exceeded(&self, written: u64, limits: &ArchiveLimits) -> Option<String> {
        if written > limits.file_bytes_max {
            Some(format!("is larger than {} bytes", limits.file_bytes_max))
        } else if self.total > limits.total_bytes_max {
            Some(format!("makes the files larger than {} bytes together", limits.total_bytes_max))
        } else if self.total > limits.ratio_from_bytes && self.total / self.archive.max(1) >= limits.ratio_max {
            Some(format!("unpacks to more than {} times the size of the archive, as no roster does", limits.ratio_max))
        } else {
            None
        }
    }
}

/// Why an entry is no file of an export, as advice; `None` for one that is.
fn unsupported(name: &str, folder: bool, link: bool, encrypted: bool, method: CompressionMethod) -> Option<Cow<'static, str>> {
    let hint = if folder || name.contains(['/', '\\']) {
        "An archive has its files at the root: pack the files, not the folder they are in."
    // One that is wrong only in its case passes: basic validation has better words for it.
    } else if !Format::ALL.iter().any(|format| format.has(name)) {
        return Some(hint_for_entry(name).into());
    } else if link {
        "It is a link: pack the file itself."
    } else if encrypted {
        "It is encrypted: pack it without a password."
    } else if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
        "It is compressed by a method that is not read: pack it as an ordinary zip archive (deflate)."
    } else {
        return None;
    };
    Some(hint.into())
}

/// What desktops put into archives without being asked.
fn is_leftover(name: &str) -> bool {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    name.starts_with("__MACOSX/")
        || last.starts_with("._")
        || [".DS_Store", "desktop.ini", "Thumbs.db"].iter().any(|leftover| last.eq_ignore_ascii_case(leftover))
}

/// A file of which only so many bytes may be read: the directory of an archive is kept in memory, and a
/// forged one can be as large as the archive.
struct Rationed {
    file: File,
    left: Rc<Cell<u64>>,
}

impl Read for Rationed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        let Some(left) = self.left.get().checked_sub(n as u64) else {
            return Err(io::Error::other("its list of entries is larger than that of any export, or not there"));
        };
        self.left.set(left);
        Ok(n)
    }
}

impl Seek for Rationed {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests;
