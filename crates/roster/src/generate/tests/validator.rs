//! The validator on generated sets: what is clean has no findings, of what is dirty everything is found and
//! nothing else. Each test goes over the formats that the validator reads.

use super::*;
use crate::Entity;
use crate::segment::SegmentReader;
use proptest::prelude::*;

/// The formats that the validator reads.
const READ: [Format; 4] = Format::ALL;

struct Checked {
    found: Vec<Finding>,
    out: tempfile::TempDir,
}

/// Findings of an export, and the folder of its segments.
pub(super) fn read(files: &[Source]) -> (Vec<Finding>, tempfile::TempDir) {
    let (codes, mut progress, out) = (codes(), |_: &str, _| true, tempfile::tempdir().unwrap());
    let mut found = Vec::new();
    let report = crate::ingest(files, &mut IngestOptions::new(&codes, &mut progress), out.path(), &mut |finding| {
        found.push(finding.clone());
        Ok(())
    });
    assert_eq!(report.unwrap().catastrophic, None);
    (found, out)
}

/// Findings of one file of a set without the others.
fn read_alone(set: &Set, table: &Table) -> Vec<Finding> {
    let (codes, mut progress, mut found) = (codes(), |_: &str, _| true, Vec::new());
    let file = Source { name: table.file.to_owned(), path: set.dir.path().join(table.file) };
    let format = Some(set.made.options.format);
    let mut options = IngestOptions { format, in_part: true, ..IngestOptions::new(&codes, &mut progress) };
    let report = crate::validate(&[file], &mut options, &mut |finding| {
        found.push(finding.clone());
        Ok(())
    });
    assert_eq!(report.unwrap().files.len(), 1);
    found
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

/// Without the other files everything is found but what needs them.
#[test]
fn one_file_by_itself_is_checked_but_for_its_references() {
    for format in READ {
        let clean = make(&options(format, 300, "alone"));
        let dirty = make(&Options { dirty: 0.01, ..options(format, 300, "alone") });
        for table in format.tables() {
            assert_eq!(read_alone(&clean, table), Vec::<Finding>::new(), "{} {}", format.name(), table.file);
            let found: Vec<Told> = read_alone(&dirty, table).iter().map(told).collect();
            let needs_others = [
                "ReferenceNotFound",
                "ReferencedRecordDropped",
                "OptionalReferenceNotFound",
                "ContactIncomplete",
                "OutsideOfSession",
                "PrimaryOrgWithoutRole",
                "ReferenceOfOtherType",
                "StatusInBulkFile",
            ];
            for defect in dirty.made.defects.iter().filter(|d| d.file == table.file && !needs_others.contains(&d.code)) {
                assert!(found.contains(&expected(defect)), "{} {defect:?}", format.name());
            }
            let elsewhere = |column: &str| {
                let form = table.columns.iter().find(|of| of.name == column).unwrap().form;
                matches!(form, Form::Ref(file) | Form::Refs(file) if file != table.file)
            };
            for (_, line, code, column, ..) in found.iter().filter(|told| needs_others.contains(&told.2.as_str())) {
                assert!(!elsewhere(column.as_deref().unwrap()), "{} {}:{line} {code}", format.name(), table.file);
            }
        }
    }
}

/// Keys of the records that survive, by entity. A role that lost its session is the same role.
fn survivors(checked: &Checked) -> BTreeMap<Entity, BTreeSet<String>> {
    let keys = |entity: Entity| {
        let mut keys = BTreeSet::new();
        let Some(mut reader) = SegmentReader::open_if_there(&checked.out.path().join(entity.segment())).unwrap() else { return keys };
        while let Some(record) = reader.next().unwrap() {
            let key = record.key_text();
            keys.insert(if entity == Entity::Role { key.rsplit_once('\u{1f}').unwrap().0.to_owned() } else { key.to_owned() });
        }
        keys
    };
    Entity::ALL.map(|entity| (entity, keys(entity))).into()
}

/// What is in the catalogue and not made: it stops a run, is about a whole set, takes records away that a clean
/// set has, or is found by something else than the validator.
#[test]
fn every_finding_of_the_validator_is_made() {
    let dirty = |format| make(&Options { dirty: 0.05, ..options(format, 300, "1") }).made.defects;
    let made: BTreeSet<&str> = READ.into_iter().flat_map(dirty).map(|defect| defect.code).collect();
    let elsewhere = [
        "OptionalFileNotFound",
        "UnsupportedFile",
        "ReferencedFileMissing",
        "NeededFileMissing",
        "ManifestNotFound",
        // Both people are kept.
        "UsernameInBothFiles",
        "StaleChange",
        "DeletedRecordNotFound",
        "ChangeSuperseded",
        // There is no file of profiles.
        "ProfileOfOther",
        "ProviderValueNotTaken",
        "ProviderChangesNotTaken",
        "LastPullFailed",
        "DuplicateMatch",
        "AmbiguousMatch",
        "PersonNotMatched",
        "EarlierFindingsLeftOut",
        "LastUploadRefused",
        "MatchingRuleFindsNobody",
        "MatchingRuleMissing",
    ];
    let missing: Vec<&str> = crate::CATALOGUE
        .iter()
        .filter(|entry| entry.severity != crate::Severity::Catastrophic)
        .map(|entry| entry.code)
        .filter(|code| !made.contains(code) && !elsewhere.contains(code))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

mod thorough {
    use super::*;

    #[test]
    fn every_defect_is_found_and_nothing_else() {
        for format in READ {
            for (students, seed, rate) in [(20, "a", 0.05), (400, "b", 0.05), (1_500, "c", 0.002), (1_500, "d", 0.01), (1_500, "e", 0.01)] {
                let set = make(&Options { dirty: rate, ..options(format, students, seed) });
                let checked = check(&set);
                let mut found: Vec<Told> = checked.found.iter().map(told).collect();
                let mut wanted: Vec<Told> = set.made.defects.iter().map(expected).collect();
                found.sort();
                wanted.sort();
                let missed: Vec<_> = wanted.iter().filter(|w| found.binary_search(w).is_err()).take(10).collect();
                let invented: Vec<_> = found.iter().filter(|f| wanted.binary_search(f).is_err()).take(10).collect();
                assert!(
                    missed.is_empty() && invented.is_empty(),
                    "{} seed {seed}: missed {missed:#?}\ninvented {invented:#?}",
                    format.name()
                );
                assert_eq!(found, wanted, "each as often as it is there");
            }
        }
    }

    #[test]
    fn what_survives_is_the_clean_set() {
        for format in READ {
            for (seed, rate) in [("a", 0.01), ("b", 0.05)] {
                let clean = options(format, 800, seed);
                let dirty = make(&Options { dirty: rate, ..clean.clone() });
                assert!(dirty.made.defects.len() > 100);
                let (left, whole) = (survivors(&check(&dirty)), survivors(&check(&make(&clean))));
                for entity in Entity::ALL {
                    // SDS v1 has no record of demographics, but a date of birth, which may be the value that is dropped.
                    if entity == Entity::Demographic && format == Format::SdsV1 {
                        continue;
                    }
                    let different: Vec<_> = left[&entity].symmetric_difference(&whole[&entity]).take(5).collect();
                    assert!(different.is_empty(), "{} {entity:?} {different:?}", format.name());
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// A reader that knows nothing of rosters finds the value of every finding on its line and in its column.
        #[test]
        fn findings_point_at_their_values(
            format in proptest::sample::select(READ.to_vec()),
            seed in 0..1_000_u32,
            students in STUDENTS_MIN..120,
            dirty in 0.005..RATE_MAX,
        ) {
            let set = make(&Options { dirty, ..options(format, students, &seed.to_string()) });
            let read = |file: &Written| {
                let (header, rows) = set.read(file.name);
                (file.name, (header, rows.into_iter().collect::<BTreeMap<_, _>>()))
            };
            let files: BTreeMap<&str, _> = set.made.files.iter().map(read).collect();
            let found = check(&set).found;
            let valued: Vec<_> = found.iter().filter_map(|finding| Some((finding, finding.column?, finding.value.as_deref()?))).collect();
            prop_assert!(valued.len() > 20);
            for (finding, column, value) in valued {
                let (header, rows) = &files[finding.file.as_str()];
                let place = header.iter().position(|name| name == column).unwrap();
                // A long value is cut.
                let starts = rows.get(&finding.line).and_then(|row| row.get(place)).is_some_and(|field| field.starts_with(value));
                prop_assert!(starts, "{finding:?}");
            }
        }
    }
}
