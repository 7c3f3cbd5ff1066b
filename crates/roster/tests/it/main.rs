//! The crate from outside: official and foreign samples, a generator that says what it broke,
//! and what is written read back.

// Helpers of tests are tests, but clippy only knows those with the attribute.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use roster::segment::SegmentReader;
use roster::{CodeList, Codes, Entity, Finding, Format, IngestOptions, IngestReport, Source};
use std::path::{Path, PathBuf};

mod archives;
mod catalogue;
mod dirty;
mod examples;
mod oneroster;
mod round_trip;
mod samples;
mod sds_v1;
#[path = "../../src/testing.rs"]
mod testing;

/// The outcome of an ingest, with the folder of its segments.
struct Loaded {
    report: IngestReport,
    found: Vec<Finding>,
    out: tempfile::TempDir,
}

fn sources(folder: &Path) -> Vec<Source> {
    let mut sources: Vec<Source> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_file())
        .map(|entry| Source { name: entry.file_name().to_string_lossy().into_owned(), path: entry.path() })
        .collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    sources
}

fn load(folder: &Path, encoding: Option<&str>) -> Loaded {
    load_with(folder, encoding, None)
}

fn load_as(folder: &Path, format: Option<Format>) -> Loaded {
    load_with(folder, None, format)
}

fn load_with(folder: &Path, encoding: Option<&str>, format: Option<Format>) -> Loaded {
    let (codes, mut found, out) = (testing::codes(), Vec::new(), tempfile::tempdir().unwrap());
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions { encoding, format, ..IngestOptions::new(&codes, &mut progress) };
    let report = roster::ingest(&sources(folder), &mut options, out.path(), &mut |finding| {
        found.push(finding.clone());
        Ok(())
    })
    .unwrap();
    Loaded { report, found, out }
}

impl Loaded {
    /// Records of an entity: key and fields.
    fn records(&self, entity: Entity) -> Vec<(String, Vec<String>)> {
        let Some(mut reader) = SegmentReader::open_if_there(&self.out.path().join(entity.segment())).unwrap() else { return Vec::new() };
        let mut all = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            all.push((record.key_text().to_owned(), record.fields().map(str::to_owned).collect()));
        }
        all
    }

    fn codes(&self) -> Vec<&'static str> {
        self.report.codes.keys().copied().collect()
    }

    /// Findings for a failure message.
    fn first_findings(&self) -> String {
        self.found.iter().take(20).map(|f| f.to_json().to_string()).collect::<Vec<_>>().join("\n")
    }
}

/// A folder of the shared material, found by walking up from this crate.
fn shared(parts: &[&str]) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|above| parts.iter().fold(above.join("shared"), |path, part| path.join(part))).find(|path| path.exists())
}
