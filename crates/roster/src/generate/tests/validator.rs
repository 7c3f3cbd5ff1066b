//! The validator on generated sets: what is clean has no findings, of what is dirty everything is found and
//! nothing else. Each test goes over the formats that the validator reads.

use super::*;
use crate::Entity;
use crate::segment::SegmentReader;

/// The formats that the validator reads.
const READ: [Format; 4] = Format::ALL;

struct Checked {
    found: Vec<Finding>,
    out: tempfile::TempDir,
}

/// Findings of an export, and the folder of its segments.
pub(super) fn read(files: &[Source]) -> (Vec<Finding>, tempfile::TempDir) {
    let (codes, mut found, out) = (codes(), Vec::new(), tempfile::tempdir().unwrap());
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions::new(&codes, &mut progress);
    let report = crate::ingest(files, &mut options, out.path(), &mut |finding| {
        found.push(finding.clone());
        Ok(())
    });
    assert_eq!(report.unwrap().catastrophic, None);
    (found, out)
}

fn check(set: &Set) -> Checked {
    let (found, out) = read(&set.made.sources(set.dir.path()));
    Checked { found, out }
}

/// File, line, code, column, key, value and root cause.
type Told = (String, u64, String, Option<String>, Option<String>, Option<String>, Option<String>);

fn told(finding: &Finding) -> Told {
    let column = finding.column.map(str::to_owned);
    (finding.file.clone(), finding.line, finding.code.to_owned(), column, finding.key.clone(), finding.value.clone(), finding.root.clone())
}

fn expected(defect: &Defect) -> Told {
    let column = defect.column.map(str::to_owned);
    let (key, value, root) = (defect.key.clone(), defect.value.clone(), defect.root_cause.clone());
    (defect.file.to_owned(), defect.line, defect.code.to_owned(), column, key, value, root)
}

#[test]
fn clean_sets_have_no_findings() {
    for format in READ {
        for (students, seed, day) in [(20, "1", 0), (700, "2", 0), (3_000, "3", 0), (700, "4", 7)] {
            let checked = check(&make(&Options { day, ..options(format, students, seed) }));
            assert!(checked.found.is_empty(), "{:#?}", &checked.found[..checked.found.len().min(5)]);
        }
    }
}

#[test]
fn every_defect_is_found_and_nothing_else() {
    for format in READ {
        for (students, seed, rate) in [(20, "a", 0.05), (400, "b", 0.05), (1_500, "c", 0.002), (1_500, "d", 0.01), (1_500, "e", 0.01)] {
            let set = make(&Options { dirty: rate, ..options(format, students, seed) });
            let checked = check(&set);
            // Beyond SDS v2.1 generator and validator tell keys apart differently, and dates as written or as read;
            // and of OneRoster the validator does not read every column, so that rows can differ without its notice.
            let code = |code: String| match (format, code.as_str()) {
                (Format::OneRoster11 | Format::OneRoster12, "ConflictingDuplicate" | "DuplicateRecord") => "Duplicate".to_owned(),
                // An id with a tab breaks the pattern of ids, which comes first.
                (Format::OneRoster12, "InvalidCharacter" | "InvalidValue") => "Invalid".to_owned(),
                _ => code,
            };
            let place = |told: Told| if format == Format::SdsV21 { told } else { (told.0, told.1, code(told.2), None, None, None, None) };
            let mut found: Vec<Told> = checked.found.iter().map(told).map(place).collect();
            let mut wanted: Vec<Told> = set.made.defects.iter().map(expected).map(place).collect();
            // In SDS v1 a person of two schools has two rows: one that was spoiled contradicts the other one.
            if format == Format::SdsV1 {
                found.retain(|f| f.2 != "ConflictingDuplicate" || wanted.contains(f));
            }
            found.sort();
            wanted.sort();
            let missed: Vec<_> = wanted.iter().filter(|w| found.binary_search(w).is_err()).take(10).collect();
            let invented: Vec<_> = found.iter().filter(|f| wanted.binary_search(f).is_err()).take(10).collect();
            assert!(missed.is_empty() && invented.is_empty(), "{format:?}, seed {seed}: missed {missed:#?}\ninvented {invented:#?}");
            assert_eq!(found, wanted, "each as often as it is there");
        }
    }
}

/// Keys of the records that survive, by entity. A role that lost its session is the same role.
fn survivors(checked: &Checked) -> BTreeMap<Entity, BTreeSet<String>> {
    let keys = |entity: Entity| {
        let mut reader = SegmentReader::open(&checked.out.path().join(entity.segment())).unwrap();
        let mut keys = BTreeSet::new();
        while let Some(record) = reader.next().unwrap() {
            let key = record.key_text();
            keys.insert(if entity == Entity::Role { key.rsplit_once('\u{1f}').unwrap().0.to_owned() } else { key.to_owned() });
        }
        keys
    };
    Entity::ALL.map(|entity| (entity, keys(entity))).into()
}

#[test]
fn what_survives_is_the_clean_set() {
    {
        let format = Format::SdsV21;
        for (seed, rate) in [("a", 0.01), ("b", 0.05)] {
            let clean = options(format, 800, seed);
            let dirty = make(&Options { dirty: rate, ..clean.clone() });
            assert!(dirty.made.defects.len() > 100);
            let (left, whole) = (survivors(&check(&dirty)), survivors(&check(&make(&clean))));
            for entity in Entity::ALL {
                let different: Vec<_> = left[&entity].symmetric_difference(&whole[&entity]).take(5).collect();
                assert!(different.is_empty(), "{entity:?} {different:?}");
            }
        }
    }
}

/// What is in the catalogue and not made: it stops a run, is about a whole set, or is found later than by the
/// validator.
#[test]
fn every_finding_of_the_validator_is_made() {
    let made: BTreeSet<&str> =
        make(&Options { dirty: 0.05, ..options(Format::SdsV21, 300, "1") }).made.defects.iter().map(|defect| defect.code).collect();
    let elsewhere = [
        "OptionalFileNotFound",
        "UnsupportedFile",
        "ReferencedFileMissing",
        "DuplicateMatch",
        "AmbiguousMatch",
        "PersonNotMatched",
        "LastUploadRefused",
        // Of a whole column, which the generator does not spoil.
        "EncodedTwice",
    ];
    let missing: Vec<&str> = crate::CATALOGUE
        .iter()
        .filter(|entry| entry.severity != crate::Severity::Catastrophic && entry.formats.contains(&crate::Format::SdsV21))
        .map(|entry| entry.code)
        .filter(|code| !made.contains(code) && !elsewhere.contains(code))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}
