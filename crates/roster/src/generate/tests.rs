//! The generator against a plain CSV reader, against its own word, and against the validator.

use super::*;
use crate::testing::codes;
use crate::{Finding, IngestOptions};
use format::{Form, Table};
use std::collections::{BTreeMap, BTreeSet, HashSet};

mod broken;
mod round_trip;
mod validator;

struct Set {
    dir: tempfile::TempDir,
    made: Dataset,
}

fn make(options: &Options) -> Set {
    let dir = tempfile::tempdir().unwrap();
    let made = generate(dir.path(), options).unwrap();
    Set { dir, made }
}

fn options(format: Format, students: u32, seed: &str) -> Options {
    Options { format, seed: seed.to_owned(), ..Options::new(students) }
}

/// A row with the line that it starts on.
type Row = (u64, Vec<String>);

impl Set {
    fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let files = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap());
        files.map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap())).collect()
    }

    /// Header and rows, by a reader that knows nothing of rosters.
    fn read(&self, file: &str) -> (Vec<String>, Vec<Row>) {
        let mut bytes = std::fs::read(self.dir.path().join(file)).unwrap();
        if bytes.starts_with(&[0xff, 0xfe]) {
            let units: Vec<u16> = bytes[2..].chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            bytes = String::from_utf16(&units).unwrap().into_bytes();
        }
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes.as_slice());
        let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
        // The reader's own line numbers are one too low after a CRLF.
        let (mut line, mut counted) = (1, 0);
        let rows = reader.byte_records().map(|record| {
            let record = record.unwrap();
            let at = record.position().unwrap().byte() as usize;
            let start = at + usize::from(bytes[at] == b'\n');
            line += memchr::memchr_iter(b'\n', &bytes[counted..start]).count() as u64;
            counted = start;
            (line, record.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect())
        });
        (header, rows.collect())
    }

    /// Rows by key.
    fn rows(&self, table: &Table) -> BTreeMap<String, Vec<String>> {
        if !self.dir.path().join(table.file).exists() {
            return BTreeMap::new();
        }
        let rows = self.read(table.file).1;
        let count = rows.len();
        let by_key: BTreeMap<String, Vec<String>> = rows.into_iter().map(|(_, row)| (key_of(table, &row), row)).collect();
        assert_eq!(by_key.len(), count, "keys of {} are unique", table.file);
        by_key
    }
}

fn key_of(table: &Table, row: &[String]) -> String {
    changes::key(table, &row.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn the_same_arguments_make_the_same_bytes() {
    for format in Format::ALL {
        let clean = options(format, 150, "a");
        let dirty = Options { dirty: 0.02, ..clean.clone() };
        let later = Options { day: 3, ..clean.clone() };
        for options in [&clean, &dirty, &later] {
            let (first, second) = (make(options), make(options));
            assert!(first.bytes() == second.bytes(), "{options:?}");
            let meta = tempfile::tempdir().unwrap();
            first.made.write_expectations(&meta.path().join("a")).unwrap();
            second.made.write_expectations(&meta.path().join("b")).unwrap();
            for file in ["dataset.json", "expected-changes.json", "expected-defects.json"] {
                let read = |which: &str| std::fs::read(meta.path().join(which).join(file)).ok();
                assert_eq!(read("a"), read("b"), "{file}");
            }
        }
        let other = make(&Options { seed: "b".to_owned(), ..clean.clone() });
        assert!(make(&clean).bytes() != other.bytes());
    }
}

#[test]
fn what_is_said_of_the_files_is_so() {
    for format in Format::ALL {
        let set = make(&options(format, 300, "1"));
        let bytes = set.bytes();
        assert_eq!(bytes.keys().cloned().collect::<BTreeSet<_>>(), set.made.files.iter().map(|f| f.name.to_owned()).collect());
        for file in &set.made.files {
            assert_eq!(file.bytes, bytes[file.name].len() as u64);
            assert_eq!(file.rows, set.read(file.name).1.len() as u64, "{}", file.name);
            assert!(file.rows > 0, "{}", file.name);
        }
    }
}

/// Headers of the official samples; `userNumber` and the code of a class are described but not in them.
#[test]
fn headers_are_the_official_ones() {
    let v12_users = "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,identifier,email,sms,phone,\
                     agentSourcedIds,grades,password,userMasterIdentifier,preferredGivenName,preferredMiddleName,preferredFamilyName,\
                     primaryOrgSourcedId,pronouns";
    let demographics = "sourcedId,status,dateLastModified,birthDate,sex,americanIndianOrAlaskaNative,asian,blackOrAfricanAmerican,\
                        nativeHawaiianOrOtherPacificIslander,white,demographicRaceTwoOrMoreRaces,hispanicOrLatinoEthnicity,countryOfBirthCode,\
                        stateOfBirthAbbreviation,cityOfBirth,publicSchoolResidenceStatus";
    let sessions = "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear";
    let orgs = "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId";
    let courses = "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,subjectCodes";
    let classes = "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds,\
                   subjects,subjectCodes,periods";
    let enrollments = "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate";
    let both = [
        ("academicSessions", sessions),
        ("orgs", orgs),
        ("courses", courses),
        ("classes", classes),
        ("enrollments", enrollments),
        ("demographics", demographics),
    ];
    for (format, own) in [
        (
            Format::SdsV21,
            vec![
                ("orgs", "sourcedId,name,type,parentSourcedId"),
                ("users", "sourcedId,username,givenName,familyName,password,activeDirectoryMatchId,email,phone,sms,userNumber"),
                ("roles", "userSourcedId,orgSourcedId,role,sessionSourcedId,grade,isPrimary,roleStartDate,roleEndDate"),
                ("classes", "sourcedId,orgSourcedId,title,sessionSourcedIds,courseSourcedId,code"),
                ("enrollments", "classSourcedId,userSourcedId,role"),
                ("academicSessions", "sourcedId,title,type,schoolYear,startDate,endDate"),
                ("courses", "sourcedId,orgSourcedId,title,code,schoolYearSourcedId,subject,grade"),
                ("demographics", "userSourcedId,sex,birthDate,birthCity,birthState,birthCountry,ethnicityCodes,raceCodes"),
                ("userFlags", "userSourcedId,flag"),
                ("relationships", "userSourcedId,relationshipUserSourcedId,relationshipRole"),
            ],
        ),
        (
            Format::SdsV1,
            vec![
                (
                    "School",
                    "SIS ID,Name,School Number,School NCES_ID,State ID,Grade Low,Grade High,Principal SIS ID,Principal Name,\
                     Principal Secondary Email,Address,City,State,Country,Zip,Phone,Zone",
                ),
                (
                    "Section",
                    "SIS ID,School SIS ID,Section Name,Section Number,Term SIS ID,Term Name,Term StartDate,Term EndDate,Course SIS ID,\
                     Course Name,Course Number,Course Description,Course Subject,Periods,Status",
                ),
                (
                    "Student",
                    "SIS ID,School SIS ID,First Name,Last Name,Username,Password,State ID,Secondary Email,Student Number,Middle Name,Grade,\
                     Status,Birthdate,Graduation Year",
                ),
                (
                    "Teacher",
                    "SIS ID,School SIS ID,First Name,Last Name,Username,Password,State ID,Teacher Number,Status,Middle Name,Secondary Email,\
                     Title,Qualification",
                ),
                ("StudentEnrollment", "Section SIS ID,SIS ID"),
                ("TeacherRoster", "Section SIS ID,SIS ID"),
                ("User", "Email,First Name,Last Name,Phone,SIS ID"),
                ("GuardianRelationship", "SIS ID,Email,Role"),
            ],
        ),
        (
            Format::OneRoster11,
            [
                &both[..],
                &[(
                    "users",
                    "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,middleName,\
                     identifier,email,sms,phone,agentSourcedIds,grades,password",
                )],
            ]
            .concat(),
        ),
        (
            Format::OneRoster12,
            [
                &both[..],
                &[
                    ("users", v12_users),
                    (
                        "roles",
                        "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId",
                    ),
                ],
            ]
            .concat(),
        ),
    ] {
        let set = make(&options(format, 20, "1"));
        let manifest = usize::from(format.is_one_roster());
        assert_eq!(set.made.files.len(), own.len() + manifest);
        for (file, header) in own {
            assert_eq!(set.read(&format!("{file}.csv")).0.join(","), header, "{file} of {}", format.name());
        }
    }
}

/// References that lead nowhere, as `file column value`.
fn lost_references(set: &Set, format: Format) -> Vec<String> {
    let tables = format.tables();
    let keys: BTreeMap<&str, HashSet<String>> =
        tables.iter().map(|table| (table.file, set.rows(table).into_values().map(|row| row[0].clone()).collect())).collect();
    let mut lost = Vec::new();
    for table in tables {
        for row in set.rows(table).values() {
            for (column, value) in table.columns.iter().zip(row) {
                let (to, values): (_, Vec<&str>) = match column.form {
                    Form::Ref(to) if !value.is_empty() => (to, vec![value]),
                    Form::Refs(to) if !value.is_empty() => (to, value.split(',').collect()),
                    _ if column.required && value.is_empty() => (table.file, vec!["(empty)"]),
                    _ => continue,
                };
                lost.extend(values.iter().filter(|v| !keys[to].contains(**v)).map(|v| format!("{} {} {v}", table.file, column.name)));
            }
        }
    }
    lost
}

#[test]
fn keys_are_unique_and_references_lead_somewhere() {
    for format in Format::ALL {
        for (students, day) in [(20, 0), (600, 4)] {
            let set = make(&Options { day, ..options(format, students, "refs") });
            assert_eq!(lost_references(&set, format), Vec::<String>::new(), "{}", format.name());
        }
    }
}

#[test]
fn a_roster_has_what_real_ones_have() {
    let set = make(&options(Format::SdsV21, 3_000, "1"));
    let tables = Format::SdsV21.tables();
    let rows = |file: &str| set.rows(tables.iter().find(|table| table.file == file).unwrap());
    let (users, roles, enrollments) = (rows("users.csv"), rows("roles.csv"), rows("enrollments.csv"));
    let students = users.keys().filter(|id| id.starts_with('S')).count();
    assert_eq!(students, 3_000);
    let guardians = users.keys().filter(|id| id.starts_with('G')).count();
    assert!((2_000..4_000).contains(&guardians), "{guardians}");
    let per_student = enrollments.values().filter(|row| row[2] == "student").count() as f64 / 3_000.0;
    assert!((5.0..8.0).contains(&per_student), "{per_student}");
    let roles_of = |user: &str| roles.values().filter(|row| row[0] == user).count();
    assert!(users.keys().any(|id| id.starts_with('T') && roles_of(id) == 2), "teachers of two schools");
    assert!(users.keys().filter(|id| id.starts_with('G')).all(|id| roles_of(id) == 0), "contacts have no role");
    let text = String::from_utf8(set.bytes()["users.csv"].clone()).unwrap();
    for trap in ["\u{5db}", "\u{738b}", "\u{308}", "\u{20bb7}", "O'Brien", "ß"] {
        assert!(text.contains(trap), "{trap}");
    }
    assert!(users.values().all(|row| row[1].ends_with(".example")), "addresses that nobody has");
    let relationships = rows("relationships.csv");
    let children = |guardian: &str| relationships.values().filter(|row| row[1] == guardian).count();
    assert!(users.keys().filter(|id| id.starts_with('G')).any(|id| children(id) > 1), "families with several children");
}

#[test]
fn a_day_changes_exactly_what_it_says() {
    for format in Format::ALL {
        for day in [1, 4] {
            let at = |day: u32| make(&Options { day, ..options(format, 600, "days") });
            let (before, today) = (at(day - 1), at(day));
            for table in format.tables() {
                let (old, new) = (before.rows(table), today.rows(table));
                let mut expected = today.made.changes[table.file].clone();
                for list in [&mut expected.added, &mut expected.changed, &mut expected.removed] {
                    list.sort();
                }
                let found = Changes {
                    added: new.keys().filter(|key| !old.contains_key(*key)).cloned().collect(),
                    changed: new
                        .iter()
                        .filter(|(key, row)| old.get(*key).is_some_and(|old| old != *row))
                        .map(|(key, _)| key.clone())
                        .collect(),
                    removed: old.keys().filter(|key| !new.contains_key(*key)).cloned().collect(),
                };
                assert_eq!(found, expected, "{} day {day} {}", format.name(), table.file);
            }
        }
    }
}

/// Every event is in the rows, and every change of rows follows from an event.
#[test]
fn events_are_what_happens_to_the_rows() {
    let set = make(&Options { day: 3, ..options(Format::SdsV21, 3_000, "events") });
    let changes = &set.made.changes;
    let (users, roles, enrollments) = (&changes["users.csv"], &changes["roles.csv"], &changes["enrollments.csv"]);
    let starts = |list: &[String], start: &str| list.iter().any(|key| key.starts_with(start));
    let (mut people, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    for event in &set.made.events {
        kinds.insert(serde_json::to_value(event).unwrap()["kind"].as_str().unwrap().to_owned());
        match event {
            Event::Joined { user, school } => {
                assert!(users.added.contains(user) && starts(&roles.added, &format!("{user}/{school}/student")));
                people.insert(user.clone());
            }
            Event::Left { user, school } => {
                assert!(users.removed.contains(user) && starts(&roles.removed, &format!("{user}/{school}/student")));
                people.insert(user.clone());
            }
            Event::ChangedSchool { user, from, to } => {
                assert!(starts(&roles.removed, &format!("{user}/{from}/")) && starts(&roles.added, &format!("{user}/{to}/")));
                people.insert(user.clone());
            }
            Event::ChangedClass { user, from, to } => {
                assert!(enrollments.removed.contains(&format!("{from}/{user}/student")));
                assert!(enrollments.added.contains(&format!("{to}/{user}/student")));
                people.insert(user.clone());
            }
            Event::Renamed { user, .. } => {
                assert!(users.changed.contains(user));
                people.insert(user.clone());
            }
            Event::ChangedTeacher { class, from, to } => {
                assert!(enrollments.removed.contains(&format!("{class}/{from}/teacher")));
                assert!(enrollments.added.contains(&format!("{class}/{to}/teacher")));
                people.extend([from.clone(), to.clone()]);
            }
        }
    }
    let all = ["joined", "left", "changedSchool", "changedClass", "renamed", "changedTeacher"];
    assert_eq!(kinds, all.map(str::to_owned).into());
    for key in [&roles.added, &roles.removed, &enrollments.added, &enrollments.removed].into_iter().flatten() {
        let known = key.split('/').any(|part| people.contains(part));
        // A second teacher goes and comes with the first.
        assert!(known || key.ends_with("/teacherAssistant"), "{key}");
    }
}

#[test]
fn changes_applied_to_yesterday_give_today() {
    for format in [Format::OneRoster11, Format::OneRoster12] {
        let at = |day: u32, delta: bool| make(&Options { day, delta, ..options(format, 1_000, "delta") });
        let (before, today, delta) = (at(2, false), at(3, false), at(3, true));
        let manifest: BTreeMap<String, String> =
            delta.read("manifest.csv").1.into_iter().map(|(_, row)| (row[0].clone(), row[1].clone())).collect();
        let mut seen = BTreeSet::new();
        for table in format.tables() {
            let mut rows = before.rows(table);
            let name = table.file.trim_end_matches(".csv");
            let there = delta.dir.path().join(table.file).exists();
            assert_eq!(manifest[&format!("file.{name}")], if there { "delta" } else { "absent" });
            for (key, mut row) in delta.rows(table) {
                assert!(row[2].parse::<jiff::Timestamp>().is_ok(), "{row:?}");
                row[2].clear();
                let status = std::mem::take(&mut row[1]);
                match status.as_str() {
                    "active" => _ = rows.insert(key, row),
                    "tobedeleted" => assert!(rows.remove(&key).is_some(), "{key}"),
                    other => panic!("{other}"),
                }
                seen.insert(status);
            }
            assert_eq!(rows, today.rows(table), "{}", table.file);
        }
        assert_eq!(seen.len(), 2);
        assert!(delta.made.rows() * 5 < today.made.rows());
    }
}

#[test]
fn a_manifest_says_which_files_there_are() {
    let set = make(&options(Format::OneRoster12, 20, "1"));
    let rows: Vec<String> = set.read("manifest.csv").1.into_iter().map(|(_, row)| row.join("=")).collect();
    for wanted in ["manifest.version=1.0", "oneroster.version=1.2", "file.roles=bulk", "file.users=bulk", "file.userProfiles=absent"] {
        assert!(rows.contains(&wanted.to_owned()), "{rows:?}");
    }
    assert_eq!(rows.iter().filter(|row| row.starts_with("file.")).count(), 21);
}

#[test]
fn wrong_options_and_strange_folders_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let base = Options::new(50);
    for (options, told) in [
        (Options { students: 5, ..base.clone() }, "students"),
        (Options { dirty: 0.5, ..base.clone() }, "rate"),
        (Options { dirty: f64::NAN, ..base.clone() }, "rate"),
        (Options { delta: true, day: 1, ..base.clone() }, "OneRoster"),
        (Options { delta: true, format: Format::OneRoster11, ..base.clone() }, "day 1"),
        (Options { delta: true, day: 1, dirty: 0.01, format: Format::OneRoster11, ..base.clone() }, "defects"),
    ] {
        let error = generate(&dir.path().join("set"), &options).unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
    }
    assert!(!dir.path().join("set").exists());
    // Another set of the format makes room, anything else does not.
    generate(dir.path(), &Options { format: Format::OneRoster12, ..base.clone() }).unwrap();
    generate(dir.path(), &Options { format: Format::OneRoster12, day: 1, delta: true, ..base.clone() }).unwrap();
    assert!(!dir.path().join("academicSessions.csv").exists(), "nothing of the set before is left");
    let error = generate(dir.path(), &base).unwrap_err();
    assert!(matches!(&error, GenerateError::Occupied(_, name) if name == "manifest.csv"), "{error}");
    assert!(dir.path().join("users.csv").exists());
}

/// In any format a defect is where it is said to be: the plain reader finds the value on that line.
#[test]
fn defects_are_where_they_are_said_to_be() {
    for format in Format::ALL {
        let set = make(&Options { dirty: 0.01, ..options(format, 600, "places") });
        let read: BTreeMap<&str, (Vec<String>, BTreeMap<_, _>)> = set
            .made
            .files
            .iter()
            .map(|file| {
                let (header, rows) = set.read(file.name);
                (file.name, (header, rows.into_iter().collect()))
            })
            .collect();
        for defect in &set.made.defects {
            let (header, rows) = &read[defect.file];
            if let Some(column) = defect.column {
                let index = header.iter().position(|name| name == column).unwrap();
                assert_eq!(rows[&defect.line][index], defect.value.clone().unwrap_or_default(), "{defect:?}");
            } else {
                assert!(defect.line <= 1 || rows.contains_key(&defect.line), "{defect:?}");
            }
        }
        for table in format.tables() {
            let kinds: BTreeSet<&str> = set.made.defects.iter().filter(|d| d.file == table.file).map(|d| d.kind).collect();
            assert!(kinds.contains("missing-value") && kinds.contains("identical-row"), "{} {kinds:?}", table.file);
        }
    }
}
