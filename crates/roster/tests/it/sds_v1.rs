//! SDS v1: Microsoft's samples, the headers of the United Kingdom, who is who, and the same district as in v2.1.

use super::dirty::{generate, set};
use super::{Loaded, load, shared};
use proptest::prelude::*;
use roster::{Entity, Format, Severity};
use std::collections::{BTreeMap, BTreeSet};

const SCHOOLS: (&str, &str) = ("School.csv", "SIS ID,Name\nA,North\nB,South\n");

/// Loads files; those that every export needs are filled in.
fn run(files: &[(&str, &str)]) -> Loaded {
    let dir = tempfile::tempdir().unwrap();
    let defaults =
        [SCHOOLS, ("Student.csv", "SIS ID,School SIS ID,Username\ns,A,stu\n"), ("Teacher.csv", "SIS ID,School SIS ID,Username\nt,A,tea\n")];
    for (name, text) in defaults.iter().filter(|(name, _)| !files.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))).chain(files) {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let loaded = load(dir.path(), None);
    assert_eq!(loaded.report.detected.format, Ok(Format::SdsV1));
    loaded
}

fn summary(loaded: &Loaded) -> Vec<String> {
    loaded.found.iter().map(|f| format!("{} {}:{} {}", f.code, f.file, f.line, f.column.unwrap_or("-"))).collect()
}

/// Fields of each record, joined.
fn lines(loaded: &Loaded, entity: Entity) -> Vec<String> {
    loaded.records(entity).into_iter().map(|(_, fields)| fields.join("|")).collect()
}

/// Findings of an official sample that have a reason. There are no others.
struct Explained {
    sample: &'static str,
    code: &'static str,
    file: &'static str,
    column: &'static str,
    count: usize,
    /// Why they are right.
    reason: &'static str,
}

const EXPLAINED: [Explained; 1] = [Explained {
    sample: "official-100-users",
    code: "InvalidOptionalCode",
    file: "Section.csv",
    column: "Course Subject",
    count: 28,
    reason: "it names subjects in words (Math, Gym), and School Data Sync takes codes of its list of values only",
}];

#[test]
fn the_official_samples_have_no_findings_but_those_with_a_reason() {
    for (sample, rows) in [("official-100-users", 758), ("official-min-required", 0)] {
        let Some(folder) = shared(&["samples", "sds-v1", sample]) else {
            println!("skipped: no samples here");
            return;
        };
        let loaded = load(&folder, None);
        assert_eq!(loaded.report.detected.format, Ok(Format::SdsV1));
        let mut found: BTreeMap<_, usize> = BTreeMap::new();
        for finding in &loaded.found {
            *found.entry((finding.code, finding.file.as_str(), finding.column)).or_default() += 1;
        }
        let expected: BTreeMap<_, _> = EXPLAINED
            .iter()
            .filter(|explained| explained.sample == sample && !explained.reason.is_empty())
            .map(|explained| ((explained.code, explained.file, Some(explained.column)), explained.count))
            .collect();
        assert_eq!(found, expected, "{}", loaded.first_findings());
        assert!(loaded.report.files.len() == 6 && loaded.report.files.iter().all(|file| file.rows == file.accepted && file.rows > 0));
        assert!(rows == 0 || loaded.report.rows() == rows, "{}", loaded.report.rows());
        assert!(loaded.records(Entity::User).iter().all(|(_, fields)| fields[4].is_empty()), "no password is kept");
    }
}

#[test]
fn the_official_sample_becomes_people_classes_and_terms() {
    let Some(folder) = shared(&["samples", "sds-v1", "official-100-users"]) else {
        println!("skipped: no samples here");
        return;
    };
    let loaded = load(&folder, None);
    assert_eq!(lines(&loaded, Entity::Session), ["12000|SY1516|term|2018|2017-07-01|2018-06-30"]);
    assert_eq!(lines(&loaded, Entity::Course)[0], "11001|10001|Math 101|101|||");
    assert_eq!(lines(&loaded, Entity::Class)[0], "11001|10001|Math - Algebra 1|12000|11001|11001");
    assert!(lines(&loaded, Entity::User).contains(&"13001|OKlein|Ora|Klein||||||13001".to_owned()));
    assert!(lines(&loaded, Entity::Role).contains(&"13001|10001|student||09|||".to_owned()));
    assert!(lines(&loaded, Entity::Demographic).contains(&"13001||2000-04-02|||||".to_owned()));
    assert_eq!(loaded.records(Entity::Enrollment).len(), 602 + 28);
}

#[test]
fn the_headers_of_the_united_kingdom_are_read() {
    let loaded = run(&[
        ("school.csv", "DfE Number,Name,Postal Code\nA,North,X1\n"),
        ("Student.csv", "ID,School DfE Number,Username\ns,A,stu\n"),
        ("Teacher.csv", "ID,School DfE Number,Username\nt,A,tea\nu,Z,uma\n"),
        ("Section.csv", "ID,School DfE Number,Section Name\nk,A,Maths\n"),
        ("StudentEnrollment.csv", "Section ID,ID\nk,s\n"),
        ("TeacherRoster.csv", "Section ID,ID\nk,t\n"),
    ]);
    // Findings speak of the headers that the file has.
    assert_eq!(summary(&loaded), ["ReferenceNotFound Teacher.csv:3 School DfE Number"]);
    assert_eq!(lines(&loaded, Entity::Enrollment), ["k|s|student", "k|t|teacher"]);
}

/// A day comes before its month where the header is of the United Kingdom, and the month elsewhere.
#[test]
fn dates_with_slashes_are_read_as_the_header_says() {
    let students = "1,A,a,4/8/2015\n2,A,b,24/8/2015\n3,A,c,8/24/2015\n4,A,d,2015-08-04\n5,A,e,31/2/2015\n";
    let births = |loaded: &Loaded| -> Vec<String> {
        loaded.records(Entity::Demographic).into_iter().map(|(id, fields)| format!("{id} {}", fields[2])).collect()
    };
    let uk = run(&[("Student.csv", &format!("ID,School DfE Number,Username,Birthdate\n{students}"))]);
    assert_eq!(summary(&uk), ["InvalidOptionalValue Student.csv:6 Birthdate"]);
    assert_eq!(births(&uk), ["1 2015-08-04", "2 2015-08-24", "3 2015-08-24", "4 2015-08-04"]);
    let us = run(&[("Student.csv", &format!("SIS ID,School SIS ID,Username,Birthdate\n{students}"))]);
    assert_eq!(summary(&us), ["InvalidOptionalValue Student.csv:3 Birthdate", "InvalidOptionalValue Student.csv:6 Birthdate"]);
    assert_eq!(births(&us), ["1 2015-04-08", "3 2015-08-24", "4 2015-08-04"]);
    let message = "'24/8/2015' in Birthdate has the day before the month, and dates with slashes are read with the month first here.";
    assert_eq!(us.found[0].message, message);
    let hint = "Look at every date of the column, and write the year first, such as 2026-08-24.";
    assert_eq!(us.found[0].hint.as_deref(), Some(hint));
}

#[test]
fn files_are_taken_in_any_case_and_headers_are_not() {
    let loaded =
        run(&[("STUDENT.CSV", "SIS ID,School SIS ID,Username\ns,A,stu\n"), ("teacher.csv", "SIS ID,School SIS ID,username\nt,A,tea\n")]);
    let stop = loaded.report.catastrophic.unwrap();
    assert_eq!((stop.code, stop.file.as_str(), stop.column), ("HeaderNotFound", "teacher.csv", Some("Username")));
}

#[test]
fn a_person_in_several_schools_has_several_rows() {
    let loaded = run(&[(
        "Student.csv",
        "SIS ID,School SIS ID,First Name,Last Name,Username,Status\n\
         s,A,Ann,A,ann,Active\ns,B,Ann,A,ann,Inactive\ns,A,Ann,A,ann,Left\ns,B,Anna,A,ann,\nr,A,Bob,B,ANN,\n",
    )]);
    assert_eq!(
        summary(&loaded),
        ["DuplicateRecord Student.csv:4 -", "ConflictingDuplicate Student.csv:5 -", "DuplicateUsername Student.csv:6 Username"]
    );
    assert_eq!(lines(&loaded, Entity::User), ["s|ann|Ann|A||||||", "t|tea||||||||"]);
    assert_eq!(lines(&loaded, Entity::Role), ["s|A|student|||||", "s|B|student|||||", "t|A|teacher|||||"]);
}

#[test]
fn terms_and_courses_that_rows_disagree_about_are_told_once() {
    let header =
        "SIS ID,School SIS ID,Section Name,Term SIS ID,Term Name,Term StartDate,Term EndDate,Course SIS ID,Course Name,Course Number";
    let rows = "1,A,a,T,Fall,,2026-12-20,K,Maths,\n2,A,b,T,Fall,8/24/2026,20261220,K,Math,M1\n3,A,c,T,Autumn,,2026-12-21,K,Mat,M2\n\
                4,A,d,,,,,,,\n5,A,e,U,,2026-12-20,2026-08-24,,,\n6,A,f,V,,,,L,,\n";
    let loaded = run(&[("Section.csv", &format!("{header}\n{rows}"))]);
    assert_eq!(
        summary(&loaded),
        [
            "EndBeforeStart Section.csv:6 Term EndDate",
            "DerivedRecordDiffers Section.csv:3 Course Name",
            "DerivedRecordDiffers Section.csv:4 Term Name"
        ]
    );
    // What the first row leaves empty is taken from the next one that has it.
    assert_eq!(lines(&loaded, Entity::Session), ["T|Fall|term|2026|2026-08-24|2026-12-20", "V|V|term|||"]);
    assert_eq!(lines(&loaded, Entity::Course), ["K|A|Maths|M1|||", "L|A|L||||"]);
    assert_eq!(loaded.records(Entity::Class).len(), 5);
}

#[test]
fn contacts_are_joined_by_address() {
    let loaded = run(&[
        (
            "User.csv",
            "Email,First Name,Last Name,Phone,SIS ID\nAnn@x.example,Ann,A,,\nbob@x.example,Bob,B,+12025550123,77\nno,Cy,C,,\ncy@x.example,Cy,C,,s\n",
        ),
        (
            "Guardianrelationship.csv",
            "SIS ID,Email,Role\ns,ann@X.example,\ns,bob@x.example,Parent\ns,no,Parent\ns,cy@x.example,aunt\nz,bob@x.example,\n",
        ),
    ]);
    assert_eq!(
        summary(&loaded),
        [
            "InvalidValue User.csv:4 Email",
            "ReferencedRecordDropped Guardianrelationship.csv:4 Email",
            "InvalidOptionalCode Guardianrelationship.csv:5 Role",
            "ReferenceNotFound Guardianrelationship.csv:6 SIS ID"
        ]
    );
    // The SIS ID of the last contact is that of a student, who is somebody else.
    assert_eq!(lines(&loaded, Entity::Relationship), ["s|77|parent", "s|contact:ann@x.example|other", "s|contact:s|other"]);
    assert!(lines(&loaded, Entity::User).contains(&"77|bob@x.example|Bob|B|||bob@x.example|+12025550123||".to_owned()));
}

#[test]
fn one_username_of_a_student_and_a_teacher_is_a_remark() {
    let teachers = "SIS ID,School SIS ID,First Name,Last Name,Username\n1,A,Ann,A,ann\n2,A,Bob,B,bob\n3,A,Cy,C,cy\n";
    let students = "SIS ID,School SIS ID,First Name,Last Name,Username\n1,A,Ann,A,Ann\n2,A,Bo,B,BOB\n4,A,Dee,D,cy\n";
    let loaded = run(&[("Student.csv", students), ("Teacher.csv", teachers)]);
    assert_eq!(summary(&loaded), ["UsernameInBothFiles Teacher.csv:3 Username", "UsernameInBothFiles Teacher.csv:4 Username"]);
    let people: Vec<String> = loaded.records(Entity::User).into_iter().map(|(key, _)| key).collect();
    assert_eq!(people, ["1", "3", "4", "student:2", "teacher:2"]);
}

#[test]
fn one_username_with_a_domain_is_one_persons() {
    let teachers = "SIS ID,School SIS ID,First Name,Last Name,Username\n1,A,Ann,A,ann@x.example\n2,A,Bob,B,Bob@x.example\n";
    let students = "SIS ID,School SIS ID,First Name,Last Name,Username\n1,A,Ann,A,Ann@x.example\n4,A,Dee,D,bob@x.example\n";
    let section = ("Section.csv", "SIS ID,School SIS ID,Section Name\nk,A,Maths\n");
    let roster = ("TeacherRoster.csv", "Section SIS ID,SIS ID\nk,1\nk,2\n");
    let loaded = run(&[("Student.csv", students), ("Teacher.csv", teachers), section, roster]);
    assert_eq!(summary(&loaded), ["DuplicateUsername Teacher.csv:3 Username", "ReferencedRecordDropped TeacherRoster.csv:3 SIS ID"]);
    let people: Vec<String> = loaded.records(Entity::User).into_iter().map(|(key, _)| key).collect();
    assert_eq!(people, ["1", "4"]);
}

/// A row of a file of people: id, school, name, username.
type Row = (usize, usize, usize, usize);

fn people(name: &str, rows: &[Row]) -> String {
    let rows = rows.iter().map(|(id, school, name, user)| {
        let name = ["", "Ann", "ann", "Bob"][*name];
        format!("{id},{},{name},{},user{user}\n", ["A", "B"][*school], if name.is_empty() { "" } else { "X" })
    });
    format!("SIS ID,School SIS ID,First Name,Last Name,Username\n{}{name}\n", rows.collect::<String>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Decision on ids: one person when the names are the same, two when they differ.
    #[test]
    fn who_is_who_is_what_a_naive_reading_says(
        students in proptest::collection::vec((0..4_usize, 0..2_usize, 0..4_usize, 0..3_usize), 0..8),
        teachers in proptest::collection::vec((0..4_usize, 0..2_usize, 0..4_usize, 0..3_usize), 0..8),
    ) {
        // Usernames are made different for each id and name, so that what is told of them does not play a part.
        let unique = |rows: &[Row]| -> Vec<Row> { rows.iter().map(|(id, school, name, user)| (*id, *school, *name, id * 100 + name.div_ceil(2) * 10 + user)).collect() };
        let (students, teachers) = (unique(&students), unique(&teachers));
        let loaded = run(&[("Student.csv", &people("s,A,,,sss", &students)), ("Teacher.csv", &people("t,A,,,ttt", &teachers))]);

        let first = |rows: &[Row]| -> BTreeMap<usize, Row> { rows.iter().rev().map(|row| (row.0, *row)).collect() };
        let kept = |rows: &[Row]| -> BTreeSet<(usize, usize)> {
            let first = first(rows);
            rows.iter().filter(|row| (first[&row.0].2, first[&row.0].3) == (row.2, row.3)).map(|row| (row.0, row.1)).collect()
        };
        let (student, teacher) = (first(&students), first(&teachers));
        let differ = |id: &usize| match (student.get(id), teacher.get(id)) {
            (Some(one), Some(other)) if one.2 == 0 || other.2 == 0 => one.3 != other.3,
            (Some(one), Some(other)) => one.2.div_ceil(2) != other.2.div_ceil(2),
            _ => false,
        };
        let mut expected: BTreeSet<String> = ["s|A|student", "t|A|teacher"].map(str::to_owned).into();
        for (kind, rows) in [("student", &students), ("teacher", &teachers)] {
            for (id, school) in kept(rows) {
                let prefix = if differ(&id) { format!("{kind}:") } else { String::new() };
                expected.insert(format!("{prefix}{id}|{}|{kind}", ["A", "B"][school]));
            }
        }
        let roles: BTreeSet<String> = loaded.records(Entity::Role).into_iter().map(|(_, fields)| fields[..3].join("|")).collect();
        prop_assert_eq!(&roles, &expected);
        let ids: BTreeSet<&str> = expected.iter().filter_map(|role| role.split('|').next()).collect();
        let users = loaded.records(Entity::User);
        prop_assert_eq!(users.iter().map(|(id, _)| id.as_str()).collect::<BTreeSet<_>>(), ids);
        for (id, fields) in &users {
            // Of a merged person the student's row counts.
            let row = match id.split_once(':') {
                Some(("student", id)) => student.get(&id.parse().unwrap()),
                Some((_, id)) => teacher.get(&id.parse().unwrap()),
                None => id.parse().ok().and_then(|id| student.get(&id).or(teacher.get(&id))),
            };
            if let Some(row) = row {
                prop_assert_eq!(&fields[1], &format!("user{}", row.3));
            }
        }
    }
}

/// The same district in both formats, as far as v1 can carry it: it knows no districts and departments, no
/// roles but student and teacher, and one session.
#[test]
fn a_district_is_the_same_in_v1_and_in_v21() {
    let arguments = ["--students", "1500", "--seed", "same", "--format"];
    let Some(v1) = generate(&[&arguments[..], &["sds-v1"]].concat()) else { return };
    let Some(v21) = generate(&[&arguments[..], &["sds-v2.1"]].concat()) else { return };
    let (v1, v21) = (set(&v1), set(&v21));
    assert_eq!((&v1.report.detected.format, &v21.report.detected.format), (&Ok(Format::SdsV1), &Ok(Format::SdsV21)));
    assert!(v1.found.is_empty(), "{}", v1.first_findings());
    let pick = |loaded: &Loaded, entity, fields: &[usize]| -> BTreeSet<String> {
        loaded
            .records(entity)
            .iter()
            .map(|(_, all)| fields.iter().map(|field| all[*field].as_str()).collect::<Vec<_>>().join("|"))
            .collect()
    };

    // Organizations: the schools.
    let schools: BTreeSet<String> = pick(&v21, Entity::Org, &[2, 0, 1]).into_iter().filter(|org| org.starts_with("school|")).collect();
    assert_eq!(pick(&v1, Entity::Org, &[2, 0, 1]), schools);

    // People and their roles in schools; a contact has no role and is known by its address.
    let role_of = |role: &str| if role == "student" { "student" } else { "teacher" };
    let schools_only: BTreeSet<String> =
        v21.records(Entity::Org).into_iter().filter(|(_, f)| f[2] == "school").map(|(key, _)| key).collect();
    let expected: BTreeSet<String> = v21
        .records(Entity::Role)
        .iter()
        .filter(|(_, f)| schools_only.contains(&f[1]))
        .map(|(_, f)| format!("{}|{}|{}|{}", f[0], f[1], role_of(&f[2]), f[4]))
        .collect();
    assert_eq!(pick(&v1, Entity::Role, &[0, 1, 2, 4]), expected);
    let with_role: BTreeSet<&str> = expected.iter().filter_map(|role| role.split('|').next()).collect();
    let person = |f: &[String]| format!("{}|{}|{}|{}", f[0], f[1].split('@').next().unwrap_or_default(), f[2], f[3]);
    let people = |loaded: &Loaded| -> BTreeSet<String> {
        loaded.records(Entity::User).iter().filter(|(_, f)| with_role.contains(f[0].as_str())).map(|(_, f)| person(f)).collect()
    };
    assert_eq!(people(&v1), people(&v21));

    // Classes and enrollments; births; who is whose contact.
    assert_eq!(pick(&v1, Entity::Class, &[0, 1, 2, 4, 5]), pick(&v21, Entity::Class, &[0, 1, 2, 4, 5]));
    let enrollments: BTreeSet<String> =
        v21.records(Entity::Enrollment).iter().map(|(_, f)| format!("{}|{}|{}", f[0], f[1], role_of(&f[2]))).collect();
    assert_eq!(pick(&v1, Entity::Enrollment, &[0, 1, 2]), enrollments);
    assert_eq!(pick(&v1, Entity::Demographic, &[0, 2]), pick(&v21, Entity::Demographic, &[0, 2]));
    let address: BTreeMap<String, String> = v21.records(Entity::User).into_iter().map(|(key, f)| (key, f[6].clone())).collect();
    let contacts: BTreeSet<String> =
        v21.records(Entity::Relationship).iter().map(|(_, f)| format!("{}|contact:{}", f[0], address[&f[1]])).collect();
    assert_eq!(pick(&v1, Entity::Relationship, &[0, 1]), contacts);
    assert_eq!(v1.report.count(Severity::Error), 0);
}
