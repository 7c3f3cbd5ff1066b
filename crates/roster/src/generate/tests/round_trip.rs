//! What is written as SDS v2.1 is read back as it was, whatever it says.

use super::*;
use crate::Entity;
use crate::segment::SegmentReader;
use proptest::prelude::*;

/// A value that a field may hold: anything but control characters and nothing at all.
fn text() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{1,12}".prop_filter("not blank", |text| !text.trim().is_empty())
}

/// Rows of all files that refer to each other by the numbers given, in the order of the tables.
fn rows(texts: &[String], numbers: &[usize]) -> Vec<Vec<Vec<String>>> {
    let (mut texts, mut numbers) = (texts.iter().cycle(), numbers.iter().cycle());
    let mut text = || texts.next().unwrap().clone();
    let mut number = |below: usize| numbers.next().unwrap() % below;
    let id = |kind: &str, n: usize| format!("{kind}{n}'\"#");
    let (orgs, sessions, people) = (1 + number(3), 1 + number(3), 2 + number(6));
    let grades = ["KG", "01", "12", ""];
    let mut table: Vec<Vec<Vec<String>>> = vec![Vec::new(); Format::SdsV21.tables().len()];
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(
        texts in proptest::collection::vec(text(), 1..30),
        numbers in proptest::collection::vec(0_usize..1_000, 1..40),
        turned: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let tables = rows(&texts, &numbers);
        for (table, rows) in Format::SdsV21.tables().iter().zip(&tables) {
            let mut file = CsvFile::create(&dir.path().join(table.file), table.utf16 && turned).unwrap();
            file.put(table.columns.iter().map(|column| column.name)).unwrap();
            // Rows may come in any order.
            for row in if turned { rows.iter().rev().collect::<Vec<_>>() } else { rows.iter().collect() } {
                file.put(row).unwrap();
            }
            file.finish().unwrap();
        }
        let (found, out) = validator::read(&Source::list(dir.path()).unwrap());
        let expected: &[&str] = if turned { &["Utf16Encoding"] } else { &[] };
        // Any text may by chance look like one that was encoded twice; it is kept all the same.
        let found: Vec<_> = found.into_iter().filter(|f| f.code != "EncodedTwice").collect();
        prop_assert_eq!(found.iter().map(|f| f.code).collect::<Vec<_>>(), expected, "{:#?}", found);
        for (entity, rows) in Format::SdsV21.tables().iter().map(|table| Entity::ALL.into_iter().find(|entity| entity.segment() == table.file.replace(".csv", ".seg")).unwrap()).zip(tables) {
            let mut reader = SegmentReader::open(&out.path().join(entity.segment())).unwrap();
            let mut read = BTreeSet::new();
            while let Some(record) = reader.next().unwrap() {
                read.insert(record.fields().map(str::to_owned).collect::<Vec<_>>());
            }
            prop_assert_eq!(read, rows.into_iter().collect::<BTreeSet<_>>(), "{:?}", entity);
        }
    }
}
