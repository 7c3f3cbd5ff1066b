//! What a table of a format can ask of the engine, by a format that there is not: two files of people
//! that come to one entity, headers and file names with other spellings, records of several entities
//! by row, lists of references to the own file.

use super::*;
use crate::format::{Column, Kind};

static PEOPLE: [FileSpec; 2] = [
    FileSpec {
        name: "Pupil.csv",
        any_case: true,
        required: true,
        columns: &[
            Column { aliases: &["ID"], ..Column::need("SIS ID", Kind::Id) },
            Column::need("School", Kind::Text),
            Column { header_required: false, ..Column::need("Nickname", Kind::Text) },
            Column::may("Siblings", Kind::Ids).of("Pupil.csv"),
        ],
        ignored: &[],
        key: &[0],
        varies: &[],
        derived: &[],
        unique: None,
        blank_in_bulk: &[],
        span: None,
        rules: &[|row, report| {
            if row.value(1) == "closed" {
                report.finding("OptionalReferenceNotFound", 1, "The school is closed.".to_owned());
            }
        }],
        mark: None,
        gone: None,
        day_first: None,
        extension: None,
        ordered: false,
        gives: &[Entity::User, Entity::Role],
        map: |row, out| {
            let id = row.value(0);
            out.push(Entity::User, &[id, row.value(2), "", "", "", row.value(3), "", "", "", ""]);
            out.push(Entity::Role, &[id, row.value(1), "student", "", "", "", "", ""]);
        },
    },
    FileSpec {
        name: "Staff.csv",
        any_case: false,
        required: false,
        columns: &[Column::need("SIS ID", Kind::Id)],
        ignored: &[],
        key: &[0],
        varies: &[],
        derived: &[],
        unique: None,
        blank_in_bulk: &[],
        span: None,
        rules: &[],
        mark: None,
        gone: None,
        day_first: None,
        extension: None,
        ordered: false,
        gives: &[Entity::User],
        map: |row, out| out.push(Entity::User, &[row.value(0), "staff", "", "", "", "", "", "", "", ""]),
    },
];

fn load(files: &[(&str, &str)]) -> (IngestReport, Vec<Finding>, Vec<Vec<Vec<String>>>) {
    let dir = tempfile::tempdir().unwrap();
    let sources: Vec<Source> = files
        .iter()
        .map(|(name, text)| {
            std::fs::write(dir.path().join(name), text).unwrap();
            Source { name: (*name).to_owned(), path: dir.path().join(name) }
        })
        .collect();
    let (codes, mut found) = (codes(), Vec::new());
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions::new(&codes, &mut progress);
    let report = read_table(&sources, Detected::named(Format::SdsV21), &PEOPLE, &mut options, Some(dir.path()), &mut |finding| {
        found.push(finding.clone());
        Ok(())
    })
    .unwrap();
    let records = |entity: Entity| {
        let mut reader = crate::segment::SegmentReader::open(&dir.path().join(entity.segment())).unwrap();
        let mut records = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            records.push(record.fields().take(6).map(str::to_owned).collect());
        }
        records
    };
    let records = [Entity::User, Entity::Role].map(records).into();
    (report, found, records)
}

#[test]
fn two_files_come_to_one_entity_and_the_first_value_of_a_key_wins() {
    let names = |records: &[Vec<Vec<String>>]| -> Vec<String> { records[0].iter().map(|user| user[..2].join(" ")).collect() };
    let staff = ("Staff.csv", "SIS ID\n2\n3\n");
    let (_, found, records) = load(&[("PUPIL.CSV", "School,ID,Nickname\nNorth,1,Al\nSouth,2,Bo\n"), staff]);
    assert_eq!((summary(&found), names(&records)), (Vec::new(), ["1 Al", "2 Bo", "3 staff"].map(str::to_owned).to_vec()));
    // What the first record leaves empty is taken from the next one.
    let (report, found, records) = load(&[("PUPIL.CSV", "School,ID\nNorth,1\nSouth,2\n"), staff]);
    assert_eq!(summary(&found), Vec::<String>::new());
    assert_eq!(names(&records), ["1 ", "2 staff", "3 staff"]);
    let segment = &report.segments[1];
    assert_eq!((segment.file.as_str(), segment.source.as_str(), segment.rows), ("users.seg", "PUPIL.CSV, Staff.csv", 3));
    assert_eq!((report.files[0].name.as_str(), report.segments[0].source.as_str()), ("PUPIL.CSV", "PUPIL.CSV"));
}

#[test]
fn a_duplicate_leaves_no_record_behind_though_its_records_have_other_keys() {
    let (_, found, records) = load(&[("Pupil.csv", "SIS ID,School\n1,North\n1,South\n")]);
    assert_eq!(summary(&found), ["ConflictingDuplicate Pupil.csv:3 -"]);
    assert_eq!(records[1].iter().map(|role| role[1].as_str()).collect::<Vec<_>>(), ["North"]);
}

#[test]
fn findings_speak_of_the_file_and_the_header_that_are_there() {
    let (_, found, _) = load(&[("pupil.csv", "ID,School\n1,\n\t,North\n2,North\n")]);
    assert_eq!(summary(&found), ["RequiredValueMissing pupil.csv:2 School", "RequiredValueMissing pupil.csv:3 ID"]);
}

#[test]
fn a_column_that_may_be_missing_needs_its_values_when_it_is_there() {
    let (_, found, _) = load(&[("Pupil.csv", "SIS ID,School,Nickname\n1,North,\n2,North,Bo\n")]);
    assert_eq!(summary(&found), ["RequiredValueMissing Pupil.csv:2 Nickname"]);
}

#[test]
fn references_to_the_own_file_may_come_before_what_they_lead_to() {
    let pupils = "SIS ID,School,Siblings\n1,North,\"2, 3,9\"\n2,North,1\n3,,\n4,North,\n4,North,\n4,South,9\n";
    let (report, found, records) = load(&[("Pupil.csv", pupils)]);
    assert_eq!(
        summary(&found),
        [
            "RequiredValueMissing Pupil.csv:4 School",
            "OptionalReferenceNotFound Pupil.csv:2 Siblings",
            "OptionalReferenceNotFound Pupil.csv:2 Siblings",
            "DuplicateRecord Pupil.csv:6 -",
            "ConflictingDuplicate Pupil.csv:7 -"
        ]
    );
    assert_eq!(found[1].message, "'3' in Siblings is in Pupil.csv, but its own row there was dropped; the value is dropped too.");
    assert_eq!(found[2].message, "'9' in Siblings is not in Pupil.csv; the value is dropped.");
    assert_eq!([&found[1].root, &found[2].root].map(Option::as_deref), [Some("'3' in Pupil.csv"), None]);
    let siblings: Vec<_> = records[0].iter().map(|user| (user[0].as_str(), user[5].as_str())).collect();
    assert_eq!(siblings, [("1", "2"), ("2", "1"), ("4", "")]);
    assert_eq!((report.files[0].rows, report.files[0].accepted, report.files[0].errors), (6, 3, 2));
}

#[test]
fn a_warning_of_a_rule_drops_the_value() {
    let (report, found, records) = load(&[("Pupil.csv", "SIS ID,School\n1,closed\n")]);
    assert_eq!(summary(&found), ["OptionalReferenceNotFound Pupil.csv:2 School"]);
    assert_eq!((records[1][0][1].as_str(), report.files[0].warnings), ("", 1));
}
