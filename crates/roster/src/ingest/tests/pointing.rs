//! Line and column of every finding point at the value.

use super::*;
use crate::format::{Column, Kind};
use proptest::prelude::*;

/// A table as it is written, so that it is known what stands where.
struct Table {
    spec: &'static FileSpec,
    /// Columns in the order of the file.
    order: Vec<usize>,
    /// Cells by column of the table.
    rows: Vec<Vec<String>>,
    /// Physical line of each row.
    lines: Vec<u64>,
}

const PEOPLE: usize = 5;

/// A good value of row `n`.
fn good(file: &FileSpec, column: &Column, n: usize) -> String {
    if file.blank_in_bulk.iter().any(|blank| file.columns[*blank].name == column.name) {
        return String::new();
    }
    // A session lasts until after whatever happens in it.
    if (file.name, column.name) == ("academicSessions.csv", "endDate") {
        return "2027-06-11".to_owned();
    }
    if column.kind == Kind::EmailKey {
        return format!("p{n}@x.example");
    }
    if let Some(other) = column.refers_to {
        let own = if other == file.name { String::new() } else { format!("{other}-{n}") };
        return if column.kind == Kind::Ids { format!("{own},{own}") } else { own };
    }
    match column.kind {
        Kind::Id | Kind::SourcedId => format!("{}-{n}", file.name),
        // Of organizations and sessions, the type that classes and courses ask for.
        Kind::Word(words) => {
            let asked = words.meanings.iter().find(|(word, _)| ["school", "schoolYear"].contains(word));
            asked.unwrap_or(&words.meanings[0]).0.to_owned()
        }
        Kind::Ids => String::new(),
        Kind::Text | Kind::Password => format!("{} {} {n}, \"it\"", file.name, column.name),
        Kind::Code(list) | Kind::Codes(list) => match list {
            CodeList::OrgType => "school",
            CodeList::Role | CodeList::SectionRole => "Student",
            CodeList::Grade => "KG",
            CodeList::SessionType => "term",
            CodeList::Relationship => "parent",
            CodeList::Sex => "female",
            CodeList::Race => "asian",
            CodeList::Ethnicity => "hispanicOrLatinoEthnicity",
            CodeList::Flag => "IEP",
            CodeList::Subject => "01",
        }
        .to_owned(),
        Kind::Email | Kind::EmailKey => format!("p{n}@x.example"),
        Kind::Phone => format!("+1202555010{n}"),
        // The end of a span is the later one of its columns.
        Kind::Date => format!("2026-08-{:02}", n + 1 + file.column(column.name).unwrap_or_default()),
        Kind::SlashDate(_) => format!("8/{}/2026", n + 1 + file.column(column.name).unwrap_or_default()),
        Kind::Boolean => "TRUE".to_owned(),
        Kind::Year | Kind::SchoolYear => "2027".to_owned(),
    }
}

/// A value that is wrong for the column, and the code that says so; `None` when nothing is.
fn wrong(column: &Column, choice: u8) -> Option<(String, &'static str)> {
    if column.required && choice == 0 {
        return Some(("  ".to_owned(), "RequiredValueMissing"));
    }
    let code = |required, optional| if column.required { required } else { optional };
    let (value, code) = match column.kind {
        Kind::Text | Kind::Password => return None,
        Kind::Id if column.refers_to.is_none() || choice == 1 => ("a\tb", code("InvalidCharacter", "InvalidOptionalValue")),
        Kind::Id | Kind::Ids => ("nobody", code("ReferenceNotFound", "OptionalReferenceNotFound")),
        Kind::SourcedId => ("a b", "InvalidValue"),
        Kind::Code(_) | Kind::Word(_) => ("wizzard", code("InvalidReferenceCode", "InvalidOptionalCode")),
        Kind::Codes(_) => ("wizzard", "InvalidOptionalCode"),
        Kind::EmailKey => ("nobody@x.example", code("ReferenceNotFound", "OptionalReferenceNotFound")),
        Kind::Date | Kind::SlashDate(_) => ("24.08.2026", code("InvalidDate", "InvalidOptionalValue")),
        Kind::Year | Kind::SchoolYear => ("27", "InvalidYear"),
        Kind::Email | Kind::Phone | Kind::Boolean => ("not this", code("InvalidValue", "InvalidOptionalValue")),
    };
    Some((value.to_owned(), code))
}

/// The manifest of a package with all files that are read, when the format has manifests.
fn manifest_of(dir: &Path, format: Format) -> Option<Source> {
    let mut text = format!("propertyName,value\nmanifest.version,1.0\noneroster.version,{}\n", format.manifest_version()?);
    for stem in format.package() {
        let is_read = format.files().iter().any(|spec| spec.name.strip_suffix(".csv") == Some(stem));
        text += &format!("file.{stem},{}\n", if is_read { "bulk" } else { "absent" });
    }
    let path = dir.join("manifest.csv");
    std::fs::write(&path, text).unwrap();
    Some(Source { name: "manifest.csv".to_owned(), path })
}

fn written(dir: &Path, tables: &mut [Table], ends: &[&str], blanks: &[bool]) -> Vec<Source> {
    let quoted = |cell: &str| if cell.contains([',', '"']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() };
    let mut sources = Vec::new();
    for (number, table) in tables.iter_mut().enumerate() {
        let end = ends[number % ends.len()];
        let line = |cells: Vec<String>| cells.join(",") + end;
        let mut text = line(table.order.iter().map(|column| table.spec.columns[*column].name.to_owned()).collect());
        let mut at = 1;
        for (index, row) in table.rows.iter().enumerate() {
            if blanks[(index + number) % blanks.len()] {
                text.push_str(end);
                at += 1;
            }
            at += 1;
            table.lines.push(at);
            text.push_str(&line(table.order.iter().map(|column| quoted(&row[*column])).collect()));
        }
        let path = dir.join(table.spec.name);
        std::fs::write(&path, text).unwrap();
        sources.push(Source { name: table.spec.name.to_owned(), path });
    }
    sources
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_value_that_is_broken_is_the_one_that_is_named(
        format in proptest::sample::select(Format::ALL.to_vec()),
        file in any::<prop::sample::Index>(),
        column in any::<prop::sample::Index>(),
        row in 0..PEOPLE,
        choice in 0..3_u8,
        turned in any::<prop::sample::Index>(),
        ends in proptest::collection::vec(proptest::sample::select(vec!["\n", "\r\n", "\r"]), 1..4),
        blanks in proptest::collection::vec(any::<bool>(), 1..5),
        chunk_bytes in 1..300_usize,
    ) {
        let mut tables: Vec<Table> = format.files().iter().map(|spec| {
            let mut order: Vec<usize> = (0..spec.columns.len()).collect();
            order.rotate_left(turned.index(spec.columns.len()));
            let rows = (0..PEOPLE).map(|n| spec.columns.iter().map(|column| good(spec, column, n)).collect()).collect();
            Table { spec, order, rows, lines: Vec::new() }
        }).collect();
        let file = file.index(tables.len());
        let spec = tables[file].spec;
        let column = column.index(spec.columns.len());
        let Some((value, code)) = wrong(&spec.columns[column], choice) else { return Ok(()) };
        tables[file].rows[row][column].clone_from(&value);
        let dir = tempfile::tempdir().unwrap();
        let mut sources = written(dir.path(), &mut tables, &ends, &blanks);
        sources.extend(manifest_of(dir.path(), format));
        let (codes, mut found) = (crate::testing::codes(), Vec::new());
        let mut progress = |_: &str, _| true;
        let tuning = Tuning { chunk_bytes, ..Tuning::default() };
        let mut options = IngestOptions { tuning, format: Some(format), ..IngestOptions::new(&codes, &mut progress) };
        validate(&sources, &mut options, &mut |finding| { found.push(finding.clone()); Ok(()) }).unwrap();
        // A role that is broken is missed where the person names its organization, which comes before it.
        found.retain(|finding| !["HeaderOrder", "PrimaryOrgWithoutRole"].contains(&finding.code));
        // What follows from it comes in later files.
        let first = found.first().unwrap();
        let header = spec.columns[column].name;
        prop_assert_eq!((first.code, first.file.as_str(), first.line, first.column), (code, spec.name, tables[file].lines[row], Some(header)));
        for finding in &found {
            let table = tables.iter().find(|table| table.spec.name == finding.file).unwrap();
            let follows = ["ReferenceNotFound", "ReferencedRecordDropped", "OptionalReferenceNotFound", "ContactIncomplete"];
            let same = (finding.file.as_str(), finding.line) == (spec.name, first.line);
            prop_assert!(same || finding.file != spec.name && follows.contains(&finding.code), "{:?}", finding);
            let row = table.lines.iter().position(|line| *line == finding.line).unwrap();
            let column = table.spec.column(finding.column.unwrap()).unwrap();
            prop_assert_eq!(finding.value.as_deref().unwrap_or_default(), table.rows[row][column].trim(), "{:?}", finding);
        }
    }
}
