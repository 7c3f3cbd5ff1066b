//! What is written is read back as it was, whatever it says: a roster in every format, as far as the format
//! can carry it.

use super::*;
use crate::Entity;
use crate::segment::SegmentReader;
use proptest::prelude::*;

/// A value that a field may hold: anything but control characters and nothing at all.
fn text() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{1,12}".prop_filter("not blank", |text| !text.trim().is_empty())
}

/// Rows of one file.
type Rows = Vec<Vec<String>>;

/// Rows of all files of SDS v2.1 that refer to each other by the numbers given, in the order of the tables. Every
/// id ends with `tail`.
fn rows(texts: &[String], numbers: &[usize], tail: &str) -> Vec<Rows> {
    let (mut texts, mut numbers) = (texts.iter().cycle(), numbers.iter().cycle());
    let mut text = || texts.next().unwrap().clone();
    let mut number = |below: usize| numbers.next().unwrap() % below;
    let id = |kind: &str, n: usize| format!("{kind}{n}{tail}");
    let (orgs, sessions, people) = (1 + number(3), 1 + number(3), 2 + number(6));
    let grades = ["KG", "01", "12", ""];
    let mut table: Vec<Rows> = vec![Vec::new(); Format::SdsV21.tables().len()];
    let of = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect::<Vec<String>>();
    for n in 0..orgs {
        let parent = if n == 0 { String::new() } else { id("o", number(n)) };
        table[0].push(of(&[&id("o", n), &text(), "school", &parent]));
    }
    for n in 0..sessions {
        table[1].push(of(&[&id("s", n), &text(), "term", "2027", "2026-08-24", "2027-06-11"]));
    }
    for n in 0..number(4) {
        let session = if number(2) == 0 { String::new() } else { id("s", number(sessions)) };
        table[2].push(of(&[&id("k", n), &id("o", number(orgs)), &text(), &text(), &session, "01", "01,KG"]));
    }
    for n in 0..people {
        let name = format!("{}{n}", text());
        table[3].push(of(&[&id("u", n), &name, &text(), &text(), "", &text(), &format!("p{n}@a.example"), "+12025550100", "", &text()]));
        let (org, grade) = (id("o", number(orgs)), grades[number(4)]);
        table[4].push(of(&[&id("u", n), &org, "student", &id("s", number(sessions)), grade, "true", "2026-08-24", ""]));
        table[7].push(of(&[&id("u", n), "female", "2015-01-31", &text(), &text(), "", "", "white,asian"]));
        table[8].push(of(&[&id("u", n), "IEP"]));
        table[9].push(of(&[&id("u", n), &id("u", (n + 1) % people), "parent"]));
    }
    for n in 0..number(4) {
        let all: Vec<String> = (0..sessions).map(|n| id("s", n)).collect();
        let course = if table[2].is_empty() { String::new() } else { table[2][number(table[2].len())][0].clone() };
        table[5].push(of(&[&id("c", n), &id("o", number(orgs)), &text(), &all.join(","), &course, &text()]));
        for person in 0..number(people) {
            table[6].push(of(&[&id("c", n), &id("u", person), "teacher"]));
        }
    }
    table
}

/// A file of a format: its name, its header, its rows.
struct Written {
    name: &'static str,
    header: Vec<&'static str>,
    rows: Rows,
}

/// The file of a format by its name, with some more columns.
fn written(format: Format, name: &str, more: &[&'static str], rows: Rows) -> Written {
    let table = format.tables().iter().find(|table| table.file == name).unwrap();
    let header = table.columns.iter().map(|column| column.name).chain(more.iter().copied()).collect();
    assert!(rows.iter().all(|row| row.len() == table.columns.len() + more.len()), "{name}");
    Written { name: table.file, header, rows }
}

/// What a roster in SDS v2.1 is written as in another format, and what of it must be read.
fn translated(format: Format, tables: Vec<Rows>) -> (Vec<Written>, BTreeMap<Entity, Rows>) {
    let names = Format::SdsV21.tables().iter().map(|table| table.file);
    let entity = |file: &str| Entity::ALL.into_iter().find(|entity| entity.segment() == file.replace(".csv", ".seg")).unwrap();
    let mut all: BTreeMap<Entity, Rows> = names.clone().map(entity).zip(tables).collect();
    let files = match format {
        Format::SdsV21 => names.map(|name| written(format, name, &[], all[&entity(name)].clone())).collect(),
        Format::SdsV1 => sds_v1(&mut all),
        Format::OneRoster11 | Format::OneRoster12 => one_roster(format, &mut all),
    };
    (files, all)
}

fn row<const N: usize>(fields: [&str; N]) -> Vec<String> {
    fields.map(str::to_owned).into()
}

/// The rows that say one thing about a key.
fn find<'r>(rows: &'r Rows, key: &str) -> &'r [String] {
    rows.iter().find(|row| row[0] == key).unwrap()
}

fn blank(rows: &mut Rows, columns: &[usize]) {
    for row in rows {
        for column in columns {
            row[*column].clear();
        }
    }
}

/// OneRoster has nobody's session and no contacts who are students; a class needs a course.
fn one_roster(format: Format, all: &mut BTreeMap<Entity, Rows>) -> Vec<Written> {
    if all[&Entity::Course].is_empty() {
        all.get_mut(&Entity::Class).unwrap().clear();
        all.get_mut(&Entity::Enrollment).unwrap().clear();
    }
    all.get_mut(&Entity::Relationship).unwrap().clear();
    blank(all.get_mut(&Entity::User).unwrap(), &[5]);
    blank(all.get_mut(&Entity::Role).unwrap(), if format == Format::OneRoster11 { &[3, 5, 6, 7] } else { &[3] });
    all.get_mut(&Entity::Demographic).unwrap().iter_mut().for_each(|row| "asian,white".clone_into(&mut row[7]));
    let of = |entity: Entity, row: &dyn Fn(&[String]) -> Vec<String>| all[&entity].iter().map(|fields| row(fields)).collect();
    let user = |f: &[String]| {
        let role = find(&all[&Entity::Role], &f[0]);
        let [id, username, given, family, email, phone, sms, number] = [0, 1, 2, 3, 6, 7, 8, 9].map(|field| f[field].as_str());
        if format == Format::OneRoster11 {
            let org = &role[1];
            return row([
                id, "", "", "true", org, "student", username, "", given, family, "", number, email, sms, phone, "", &role[4], "secret",
                "iep",
            ]);
        }
        row([
            id, "", "", "true", username, "", given, family, "", number, email, sms, phone, "", &role[4], "secret", "", "", "", "", "", "",
            "iep",
        ])
    };
    let class_org = |class: &str| find(&all[&Entity::Class], class)[1].clone();
    let mut files = vec![
        written(format, "orgs.csv", &[], of(Entity::Org, &|f| row([&f[0], "", "", &f[1], &f[2], "", &f[3]]))),
        written(format, "academicSessions.csv", &[], of(Entity::Session, &|f| row([&f[0], "", "", &f[1], &f[2], &f[4], &f[5], "", &f[3]]))),
        written(format, "courses.csv", &[], of(Entity::Course, &|f| row([&f[0], "", "", &f[4], &f[2], &f[3], &f[6], &f[1], "", &f[5]]))),
        written(
            format,
            "classes.csv",
            &[],
            of(Entity::Class, &|f| row([&f[0], "", "", &f[2], "", &f[4], &f[5], "scheduled", "", &f[1], &f[3], "", "", ""])),
        ),
        written(format, "users.csv", &["metadata.microsoft.userFlags"], of(Entity::User, &user)),
        written(
            format,
            "enrollments.csv",
            &[],
            of(Entity::Enrollment, &|f| {
                row([&format!("{}/{}", f[0], f[1]), "", "", &f[0], &class_org(&f[0]), &f[1], &f[2], "", "2026-08-24", "2027-06-12"])
            }),
        ),
        written(
            format,
            "demographics.csv",
            &[],
            of(Entity::Demographic, &|f| {
                row([&f[0], "", "", &f[2], &f[1], "", "TRUE", "false", "", "true", "", "", &f[5], &f[4], &f[3], ""])
            }),
        ),
    ];
    if format == Format::OneRoster12 {
        let role = |f: &[String]| row([&format!("r-{}", f[0]), "", "", &f[0], "primary", "student", &f[6], "", &f[1], ""]);
        files.push(written(format, "roles.csv", &[], of(Entity::Role, &role)));
    }
    files
}

/// SDS v1 has schools without parents, and a term and a course only as what a class says of its own; a year is
/// that in which a term ends.
fn sds_v1(all: &mut BTreeMap<Entity, Rows>) -> Vec<Written> {
    let format = Format::SdsV1;
    all.get_mut(&Entity::Relationship).unwrap().clear();
    all.get_mut(&Entity::UserFlag).unwrap().clear();
    blank(all.get_mut(&Entity::Org).unwrap(), &[3]);
    blank(all.get_mut(&Entity::User).unwrap(), &[5, 7, 8]);
    blank(all.get_mut(&Entity::Role).unwrap(), &[3, 5, 6, 7]);
    blank(all.get_mut(&Entity::Demographic).unwrap(), &[1, 3, 4, 5, 6, 7]);
    blank(all.get_mut(&Entity::Course).unwrap(), &[4, 6]);
    for class in all.get_mut(&Entity::Class).unwrap() {
        class[3] = class[3].split(',').next().unwrap_or_default().to_owned();
    }
    for enrollment in all.get_mut(&Entity::Enrollment).unwrap() {
        "student".clone_into(&mut enrollment[2]);
    }
    let classes = all[&Entity::Class].clone();
    all.get_mut(&Entity::Session).unwrap().retain(|session| classes.iter().any(|class| class[3] == session[0]));
    all.get_mut(&Entity::Course).unwrap().retain(|course| classes.iter().any(|class| class[4] == course[0]));
    // A course is of the school of its class; so that it is one school's, each class is of its course's.
    let courses = all[&Entity::Course].clone();
    for class in all.get_mut(&Entity::Class).unwrap().iter_mut().filter(|class| !class[4].is_empty()) {
        class[1] = find(&courses, &class[4])[1].clone();
    }
    let nothing: Vec<String> = vec![String::new(); 8];
    let of = |entity: Entity, row: &dyn Fn(&[String]) -> Vec<String>| all[&entity].iter().map(|fields| row(fields)).collect();
    let school = |f: &[String]| {
        let mut school = vec![String::new(); 17];
        (school[0], school[1]) = (f[0].clone(), f[1].clone());
        school
    };
    let student = |f: &[String]| {
        let role = find(&all[&Entity::Role], &f[0]);
        row([&f[0], &role[1], &f[2], &f[3], &f[1], "secret", "", &f[6], &f[9], "", &role[4], "", "1/31/2015", ""])
    };
    let section = |f: &[String]| {
        let term = find(&all[&Entity::Session], &f[3]);
        let course = all[&Entity::Course].iter().find(|course| course[0] == f[4]).unwrap_or(&nothing);
        row([
            &f[0],
            &f[1],
            &f[2],
            &f[5],
            &f[3],
            &term[1],
            "8/24/2026",
            "20270611",
            &course[0],
            &course[2],
            &course[3],
            "",
            &course[5],
            "",
            "",
        ])
    };
    let files = vec![
        written(format, "School.csv", &[], of(Entity::Org, &school)),
        written(format, "Student.csv", &[], of(Entity::User, &student)),
        written(format, "Teacher.csv", &[], vec![row(["tea", &all[&Entity::Org][0][0], "T", "E", "tea", "", "", "", "", "", "", "", ""])]),
        written(format, "Section.csv", &[], of(Entity::Class, &section)),
        written(format, "StudentEnrollment.csv", &[], of(Entity::Enrollment, &|f| row([&f[0], &f[1]]))),
    ];
    let org = all[&Entity::Org][0][0].clone();
    all.get_mut(&Entity::User).unwrap().push(row(["tea", "tea", "T", "E", "", "", "", "", "", ""]));
    all.get_mut(&Entity::Role).unwrap().push(row(["tea", &org, "teacher", "", "", "", "", ""]));
    files
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_written_is_read(
        format in proptest::sample::select(Format::ALL.to_vec()),
        texts in proptest::collection::vec(text(), 1..30),
        numbers in proptest::collection::vec(0_usize..1_000, 1..40),
        turned: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        // OneRoster 1.2 has ids of few characters.
        let tail = if format == Format::OneRoster12 { "./@_-" } else { "'\"#" };
        let (files, expected) = translated(format, rows(&texts, &numbers, tail));
        let mut encoded = Vec::new();
        for Written { name, header, rows } in &files {
            let utf16 = turned && rows.len() % 2 == 1;
            encoded.extend(utf16.then_some("Utf16Encoding"));
            let mut file = CsvFile::create(&dir.path().join(name), utf16).unwrap();
            file.put(header).unwrap();
            // Rows may come in any order.
            for row in if turned { rows.iter().rev().collect::<Vec<_>>() } else { rows.iter().collect() } {
                file.put(row).unwrap();
            }
            file.finish().unwrap();
        }
        if format.is_one_roster() {
            let names: Vec<&str> = files.iter().map(|file| file.name).collect();
            oneroster::write_manifest(dir.path(), &options(format, 20, "1"), &names).unwrap();
        }
        let (found, out) = validator::read(&Source::list(dir.path()).unwrap());
        // Any text may by chance look like one that was encoded twice; it is kept all the same. So is a course's term
        // where OneRoster 1.2 wants a school year.
        let kept = ["EncodedTwice", "ReferenceOfOtherType"];
        let found: Vec<_> = found.into_iter().filter(|finding| !kept.contains(&finding.code)).collect();
        prop_assert_eq!(found.iter().map(|f| f.code).collect::<Vec<_>>(), encoded, "{:#?}", found);
        for (entity, rows) in expected {
            let mut read = BTreeSet::new();
            if let Some(mut reader) = SegmentReader::open_if_there(&out.path().join(entity.segment())).unwrap() {
                while let Some(record) = reader.next().unwrap() {
                    read.insert(record.fields().map(str::to_owned).collect::<Vec<_>>());
                }
            }
            prop_assert_eq!(read, rows.into_iter().collect::<BTreeSet<_>>(), "{} {:?}", format.name(), entity);
        }
    }
}
