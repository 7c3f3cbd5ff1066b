//! One row of a clean set broken in any way: whatever is found beside follows from it, and says so.

use super::*;
use crate::{IngestReport, Severity, Tuning};
use proptest::prelude::*;

/// What is done to a line, at some place in it.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// The rest is gone.
    Cut,
    /// The comma before the place is gone.
    CommaLost,
    Comma,
    ForeignByte,
    Control,
    /// The field that the place is in begins with a quote.
    Quote,
    LineBreak,
    /// The end of the line is gone.
    EndLost,
}

const DAMAGES: [Damage; 8] = [
    Damage::Cut,
    Damage::CommaLost,
    Damage::Comma,
    Damage::ForeignByte,
    Damage::Control,
    Damage::Quote,
    Damage::LineBreak,
    Damage::EndLost,
];

impl Damage {
    /// The line with its end, broken at a place that is not its start.
    fn done(self, line: &[u8], at: usize) -> Vec<u8> {
        let (before, behind) = line.split_at(at);
        let comma = before.iter().rposition(|byte| *byte == b',');
        let with = |bytes: &[u8]| [before, bytes, behind].concat();
        match self {
            // Among quotes a row can come out that has the right number of fields, and is only another one.
            Self::Comma | Self::CommaLost | Self::Quote if line.contains(&b'"') => line.to_vec(),
            Self::Cut => [before, b"\r\n"].concat(),
            Self::CommaLost => comma.map_or_else(|| line.to_vec(), |comma| [&line[..comma], &line[comma + 1..]].concat()),
            Self::Comma => with(b","),
            Self::ForeignByte => with(b"\xff"),
            Self::Control => with(b"\x07"),
            Self::Quote => comma.map_or_else(|| [b"\"", line].concat(), |comma| [&line[..=comma], b"\"", &line[comma + 1..]].concat()),
            Self::LineBreak => with(b"\n"),
            Self::EndLost => line[..line.len() - 2].to_vec(),
        }
    }
}

/// What is found, by one thread and, in chunks of that many bytes, by three.
fn found(files: &[Source], chunk_bytes: usize) -> (IngestReport, Vec<Finding>) {
    let read = |threads, tuning| {
        let (codes, mut progress, mut found) = (codes(), |_: &str, _| true, Vec::new());
        let mut options = IngestOptions { threads: Some(threads), tuning, ..IngestOptions::new(&codes, &mut progress) };
        let report = crate::validate(files, &mut options, &mut |finding| {
            found.push(finding.clone());
            Ok(())
        });
        (report.unwrap(), found)
    };
    let outcome = read(1, Tuning::default());
    assert_eq!(read(3, Tuning { chunk_bytes, ..Tuning::default() }), outcome);
    outcome
}

/// Whether a finding says that it follows from another one, which is there and follows from none.
fn follows(finding: &Finding, found: &[Finding]) -> bool {
    let is_root = |root: &str, other: &Finding| {
        let name = other.key.as_ref().map(|key| format!("{}:{key}", other.file));
        other.root.is_none() && other.severity() == Severity::Error && name.as_deref() == Some(root)
    };
    finding.root.as_deref().is_some_and(|root| found.iter().any(|other| is_root(root, other)))
}

/// Whether a finding misses one of these records, and says that it may be in a row of its file that could not be read.
fn may_follow(finding: &Finding, file: &str, keys: &[String]) -> bool {
    let misses = ["ReferenceNotFound", "OptionalReferenceNotFound"].contains(&finding.code);
    let mut values = finding.value.as_deref().unwrap_or_default().split(',');
    let hint = finding.hint.as_deref().unwrap_or_default();
    misses && values.any(|value| keys.iter().any(|key| key == value)) && hint.contains(&format!("of {file} could not be read"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_a_broken_row_causes_is_told_from_causes(
        format in proptest::sample::select(Format::ALL.to_vec()),
        seed in 0..1_000_u32,
        table in any::<proptest::sample::Index>(),
        row in any::<proptest::sample::Index>(),
        at in any::<proptest::sample::Index>(),
        damage in proptest::sample::select(&DAMAGES[..]),
        chunk_bytes in 200..5_000_usize,
    ) {
        let set = make(&options(format, 40, &seed.to_string()));
        let is_referred = |table: &&Table| format.tables().iter().flat_map(|other| other.columns).any(|column| {
            matches!(column.form, Form::Ref(file) | Form::Refs(file) if file == table.file)
        });
        let tables: Vec<&Table> = format.tables().iter().filter(is_referred).collect();
        let table = table.get(&tables);
        let rows = set.read(table.file).1;
        let index = row.index(rows.len());
        let path = set.dir.path().join(table.file);
        let bytes = std::fs::read(&path).unwrap();
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let (number, line) = (index + 1, lines[index + 1]);
        let at = 1 + at.index(line.len() - 3);
        let broken = damage.done(line, at);
        let changed = broken != line;
        // All keys are in the first column, which these leave alone.
        let is_told = matches!(damage, Damage::ForeignByte | Damage::Control) && line[..at].contains(&b',');
        std::fs::write(&path, [lines[..number].concat(), broken, lines[number + 1..].concat()].concat()).unwrap();

        let (report, found) = found(&set.made.sources(set.dir.path()), chunk_bytes);
        // The row, and the one behind it when nothing is between them.
        let key = |row: &[String]| changes::joined(table.shown_key, &row.iter().map(String::as_str).collect::<Vec<_>>());
        let keys: Vec<String> = rows[index..].iter().take(2).map(|(_, row)| key(row)).collect();
        let own = |finding: &Finding| finding.file == table.file && (number as u64 + 1..=number as u64 + 2).contains(&finding.line);
        // Without its last fields, or with a quote or a line break in it, a row may be a good one.
        let is_wrong = matches!(damage, Damage::Comma | Damage::CommaLost | Damage::ForeignByte | Damage::Control);
        prop_assert!(found.iter().any(own) || found.is_empty() && !(is_wrong && changed), "{:?}: {found:#?}", damage);
        let last = |finding: &Finding| report.catastrophic.as_ref() == Some(finding) && finding.code == "EmptyFile";
        for finding in &found {
            let may_follow = !is_told && may_follow(finding, table.file, &keys);
            let explained = own(finding) || follows(finding, &found) || may_follow || last(finding);
            prop_assert!(explained, "{:?} of {}: {}\n{found:#?}", damage, table.file, finding.to_json());
        }
    }
}
