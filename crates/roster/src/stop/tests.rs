use super::*;
use crate::archive::{ArchiveLimits, UnpackError, pack, unpack};
use crate::delta::{self, Parts};
use crate::generate::{Options, generate};
use crate::segment::{SegmentReader, SegmentWriter};
use crate::testing::codes;
use crate::{Finding, Format, IngestError, IngestOptions, IngestReport, Source, Tuning, validate};
use std::cell::Cell;
use std::path::Path;

/// Places at which a work is stopped: of many, as many, evenly spread.
const PLACES: usize = 12;

/// What comes of work that is done to its end, how often it looks whether it is to stop, and what comes of it when it is
/// told so once, at one of these times.
fn stopped_everywhere<T>(mut work: impl FnMut() -> T) -> (T, usize, Vec<T>) {
    let asked = Rc::new(Cell::new(0));
    let mut stopped_at = |time: Option<usize>| {
        asked.set(0);
        let counted = asked.clone();
        let wish = move || {
            counted.set(counted.get() + 1);
            Some(counted.get()) == time
        };
        stoppable(wish, &mut work)
    };
    let whole = stopped_at(None);
    let times = asked.get();
    let stopped = (1..=times).step_by(times.div_ceil(PLACES)).map(|time| stopped_at(Some(time))).collect();
    (whole, times, stopped)
}

fn generated(folder: &Path, options: &Options) -> Vec<Source> {
    generate(folder, options).unwrap();
    Source::list(folder).unwrap()
}

fn validated(files: &[Source]) -> (Result<IngestReport, IngestError>, Vec<Finding>) {
    let (codes, mut found) = (codes(), Vec::new());
    let mut progress = |_: &str, _| true;
    let tuning = Tuning { chunk_bytes: 1000, ..Tuning::default() };
    let mut options = IngestOptions { threads: Some(2), tuning, ..IngestOptions::new(&codes, &mut progress) };
    let report = validate(files, &mut options, &mut |finding| {
        found.push(finding.clone());
        Ok(())
    });
    (report, found)
}

/// Wherever reading is broken off, it is an error of nobody's: no finding is made of it, and none is missing before it.
#[test]
fn a_validation_that_is_stopped_anywhere_has_found_what_it_had_found_by_then() {
    for format in Format::ALL {
        let dir = tempfile::tempdir().unwrap();
        let files = generated(dir.path(), &Options { format, dirty: 0.05, ..Options::new(20) });
        let ((whole, found), times, all) = stopped_everywhere(|| validated(&files));
        assert!(whole.unwrap().rows() > 0 && !found.is_empty(), "{format:?}");
        assert!(times > 256, "{format:?}: at chunks, and at the parts of what is gathered");
        for (stopped, found_by_then) in all {
            assert!(matches!(stopped, Err(IngestError::Io(_))), "{format:?}");
            assert!(found.starts_with(&found_by_then), "{format:?}");
        }
    }
}

#[test]
fn segments_are_written_and_read_until_they_are_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("all.seg");
    let rows = RECORDS * 3;
    let write = || {
        let mut writer = SegmentWriter::create(&path)?;
        (0..rows).try_for_each(|row| writer.push(&row.to_be_bytes(), b""))?;
        writer.finish()
    };
    assert!(stoppable(|| true, write).is_err() && !path.exists());
    assert_eq!(write().unwrap(), rows);
    let mut read = 0;
    let stopped = stoppable(
        || true,
        || -> io::Result<()> {
            let mut reader = SegmentReader::open(&path)?;
            while reader.next()?.is_some() {
                read += 1;
            }
            Ok(())
        },
    );
    assert!(stopped.is_err() && read < RECORDS);
}

#[test]
fn changes_that_are_applied_are_stopped_too() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { format: Format::OneRoster11, ..Options::new(20) };
    let base = generated(&dir.path().join("base"), &options);
    let changes = generated(&dir.path().join("changes"), &Options { day: 1, delta: true, ..options });
    let (whole, times, all) = stopped_everywhere(|| {
        let out = tempfile::tempdir().unwrap();
        let now = "2027-01-01T00:00:00Z".parse().unwrap();
        let applied = delta::apply(&base, &changes, now, Parts::Records, None, out.path(), &mut |finding| panic!("{finding:?}"));
        applied.map(|applied| applied.written)
    });
    assert!(whole.unwrap() > 0 && times > 10);
    assert!(all.iter().all(|stopped| matches!(stopped, Err(IngestError::Io(_)))));
}

#[test]
fn an_archive_that_is_not_unpacked_to_its_end_is_not_refused() {
    let dir = tempfile::tempdir().unwrap();
    let files = generated(&dir.path().join("files"), &Options::new(20));
    let archive = Source { name: "all.zip".to_owned(), path: dir.path().join("all.zip") };
    pack(&files, &archive.path).unwrap();
    let out = dir.path().join("out");
    let (whole, times, all) = stopped_everywhere(|| {
        // Left by the time before, which came to its end.
        if out.exists() {
            std::fs::remove_dir_all(&out).unwrap();
        }
        let unpacked = unpack(&archive, &out, &ArchiveLimits::DEFAULT);
        assert_eq!(out.exists(), unpacked.is_ok(), "nothing is left of it");
        unpacked
    });
    assert_eq!(whole.unwrap().0.len(), files.len());
    assert!(times >= files.len());
    assert!(all.iter().all(|stopped| matches!(stopped, Err(UnpackError::Io(_)))));
}

#[test]
fn a_wish_ends_with_its_work() {
    stoppable(|| true, || assert!(check().is_err()));
    assert!(check().is_ok());
    let panicked = std::panic::catch_unwind(|| stoppable(|| true, || panic!("expected by this test")));
    assert!(panicked.is_err() && check().is_ok());
}
