//! The page of file formats: what the tables in the code say, and examples that are tried before they are printed.

use super::is_current;
use industry_data::reference;
use roster::format::{Claim, Column, FileSpec, Kind, Slashes, Words, detect};
use roster::{CATALOGUE, CodeList, Codes, Entity, Format, IngestOptions, Source};
use std::collections::BTreeSet;
use std::fmt::Write as _;

#[test]
fn the_page_of_formats_is_what_the_tables_say() {
    let codes = server::built_in_codes();
    let mut text = INTRO.to_owned() + &overview();
    text += &format!("\n## How the format is told\n\n{TOLD}\n{}", told());
    text += &format!("\n## Rules of all formats\n\n{RULES_INTRO}\n{}", rules(&codes));
    text += &format!("\n## Values\n\n{VALUES}\n{}", values(&codes));
    for format in Format::ALL {
        text += &of_format(format);
    }
    text += &manifest(&codes);
    text += &lists(&codes);
    is_current("formats.md", &text);
}

const INTRO: &str = "# File formats

What the files of an export must look like: for whoever sets up the export of a student information system. This page is
generated from the tables that Homeroom itself reads by, and every example on it is tried by a test. `homeroom validate FOLDER`
checks an export without a server; [findings.md](findings.md) explains each thing that it can find.

| format | files that every export has | other files |
| --- | --- | --- |
";

fn overview() -> String {
    let row = |format: Format| {
        let specs = |required| format.files().iter().filter(move |spec| spec.required == required).map(|spec| spec.name);
        let quoted = |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let manifest = (format == Format::OneRoster12).then_some("manifest.csv");
        let (needed, others) = (quoted(specs(true).chain(manifest).collect()), quoted(specs(false).collect()));
        let title = format.title();
        format!("| [{title}](#{}) | {needed} | {others} |\n", title.to_lowercase().replace('.', "").replace(' ', "-"))
    };
    Format::ALL.into_iter().map(row).collect()
}

const TOLD: &str =
    "Nobody has to name the format: it is told from the files, and `validate` says in its first line what told it. `--format`, or
`fileFormat` of a connector, decides instead. An export is in one format; do not put two into one folder.
";

const RULES_INTRO: &str = "In the right column stands what becomes of a file that does not keep to the rule.
";

const VALUES: &str =
    "A row with a wrong value in a **required** column is an error, and the row is left out. A wrong value in any other column is a
warning, and only the value is left out.
";

/// Small exports, by name and header of each file.
const EXPORTS: &[(&str, &[(&str, &str)])] = &[
    ("`manifest.csv` with `oneroster.version,1.1`", &[("manifest.csv", "propertyName,value\noneroster.version,1.1\n")]),
    ("`manifest.csv` with `oneroster.version,1.2`", &[("manifest.csv", "propertyName,value\noneroster.version,1.2\n")]),
    (
        "`orgs.csv` with `status` and `dateLastModified`, `roles.csv` with `roleType`",
        &[
            ("orgs.csv", "sourcedId,status,dateLastModified,name,type\n"),
            ("roles.csv", "sourcedId,status,dateLastModified,userSourcedId,roleType,role,orgSourcedId\n"),
        ],
    ),
    ("`orgs.csv` with `status` and `dateLastModified`, no `roles.csv`", &[("orgs.csv", "sourcedId,status,dateLastModified,name,type\n")]),
    ("`School.csv`, `Student.csv`, `Teacher.csv`", &[("School.csv", "SIS ID,Name\n")]),
    (
        "`users.csv` with `username`, `roles.csv` with `orgSourcedId`",
        &[("users.csv", "sourcedId,username\n"), ("roles.csv", "userSourcedId,orgSourcedId,role\n")],
    ),
    ("`users.csv` with `orgSourcedIds` and `role`, no `status`", &[("users.csv", "sourcedId,orgSourcedIds,username,role\n")]),
    ("none of these", &[("notes.csv", "x\n")]),
];

fn told() -> String {
    let mut text = "| in the export | read as | because |\n| --- | --- | --- |\n".to_owned();
    for (what, files) in EXPORTS {
        let (sources, _dir) = written(files.iter().map(|(name, text)| (*name, text.as_bytes())));
        let detected = detect(&sources);
        let read_as = detected.format.map_or_else(|title| format!("{title}: not read"), |format| format!("**{}**", format.title()));
        let _ = writeln!(text, "| {what} | {read_as} | {} |", detected.why);
    }
    text
}

fn written<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> (Vec<Source>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let write = |(name, bytes): (&str, &[u8])| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Source { name: name.to_owned(), path }
    };
    (files.map(write).collect(), dir)
}

/// The codes of all findings about files.
fn found(files: &[(&str, &[u8])], format: Option<Format>, in_part: bool, codes: &Codes) -> BTreeSet<&'static str> {
    let (sources, _dir) = written(files.iter().copied());
    let mut found = BTreeSet::new();
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions { format, in_part, ..IngestOptions::new(codes, &mut progress) };
    let checked = roster::validate(&sources, &mut options, &mut |finding| {
        found.insert(finding.code);
        Ok(())
    });
    checked.unwrap();
    found
}

/// A rule, an `orgs.csv` of SDS v2.1 that goes to its limits or beyond, and the finding about it.
const RULES: &[(&str, &[u8], &str)] = &[
    ("A file has the name that this page gives, in the same capitals; in SDS v1 capitals do not matter.", b"", "RequiredFileNotFound"),
    (
        "The first line is the header, spelled as on this page, in the same capitals.",
        b"\nsourcedId,name,type\nA,North,school\n",
        "HeaderNotFound",
    ),
    ("Every required column is there. Others may be left out.", b"sourcedId,name\nA,North\n", "HeaderNotFound"),
    ("No header stands twice.", b"sourcedId,name,type,type\nA,North,school,school\n", "DuplicateHeader"),
    (
        "The order of the columns does not matter (OneRoster 1.2 asks for one, and gets a remark).",
        b"type,name,sourcedId\nschool,North,A\n",
        "",
    ),
    ("Columns that the format does not know are not read.", b"sourcedId,name,type,colour\nA,North,school,red\n", "UnknownColumn"),
    ("Commas separate the columns; no semicolons, no tabs.", b"sourcedId;name;type\nA;North;school\n", "HeaderNotFound"),
    (
        "A value with a comma or a quote stands in quotes, a quote in it twice: `\"North, \"\"Old\"\" School\"`.",
        b"sourcedId,name,type\nA,\"North, \"\"Old\"\" School\",school\n",
        "",
    ),
    ("Every row has as many fields as the header.", b"sourcedId,name,type\nA,North,school\nB,South,school,\n", "FieldCount"),
    (
        "No value has a line break in it, also not in quotes.",
        b"sourcedId,name,type\nA,North,school\nB,\"South\nSchool\",school\n",
        "LineBreakInQuotes",
    ),
    (
        "Lines end with LF, CR or CRLF; blank lines between rows are passed over.",
        b"sourcedId,name,type\r\nA,North,school\r\n\r\nB,South,school\r\n",
        "",
    ),
    ("The encoding is UTF-8; a byte order mark is fine.", b"\xef\xbb\xbfsourcedId,name,type\nA,Sch\xc3\xbcle,school\n", ""),
    (
        "UTF-16 with a byte order mark is read too.",
        b"\xff\xfes\0o\0u\0r\0c\0e\0d\0I\0d\0,\0n\0a\0m\0e\0,\0t\0y\0p\0e\0\n\0A\0,\0N\0,\0s\0c\0h\0o\0o\0l\0\n\0",
        "Utf16Encoding",
    ),
    (
        "A file in any other encoding needs it named: `--encoding windows-1252`. Files that are UTF-8 stay so beside it.",
        b"sourcedId,name,type\nA,North,school\nB,Sch\xfcle,school\n",
        "InvalidEncoding",
    ),
    (
        "A key is used once. Of rows that are the same one is kept; of rows that differ the first.",
        b"sourcedId,name,type\nA,North,school\nA,South,school\n",
        "ConflictingDuplicate",
    ),
    (
        "No blanks stand around a value: they belong to it, and ` school` is no code.",
        b"sourcedId,name,type\nA,North,school\nB,South, school\n",
        "InvalidReferenceCode",
    ),
    ("Required values are filled in, in every row.", b"sourcedId,name,type\nA,North,school\nB,,school\n", "RequiredValueMissing"),
];

fn rules(codes: &Codes) -> String {
    let mut text = "| rule | else |\n| --- | --- |\n".to_owned();
    for (rule, orgs, code) in RULES {
        let files: [(&str, &[u8]); 3] = [
            (
                if orgs.is_empty() { "Orgs.csv" } else { "orgs.csv" },
                if orgs.is_empty() { b"sourcedId,name,type\nA,North,school\n" } else { orgs },
            ),
            ("users.csv", b"sourcedId,username\nu,ann\n"),
            ("roles.csv", b"userSourcedId,orgSourcedId,role\nu,A,teacher\n"),
        ];
        let found = found(&files, Some(Format::SdsV21), false, codes);
        let is_right = if code.is_empty() { found.is_empty() } else { found.contains(code) };
        assert!(is_right, "{rule}: {found:?}");
        let _ = writeln!(text, "| {rule} | {} |", if code.is_empty() { "–".to_owned() } else { format!("`{code}`") });
    }
    let longest = roster::limits::LINE_BYTES_MAX >> 20;
    let _ = writeln!(text, "| A line is not longer than {longest} MiB. | `LineTooLong` |");
    text + "\nFiles come loose or in one zip archive, at its root and without a password. An export is always the whole set: who or what is \
            not in it is gone. Only OneRoster has [packages of changes](changes.md). Once a file was sent, send it every time: a run \
            stops when one is missing that the last export had (`FileMissingFromSet`).\n"
}

/// A kind of value: its name, what to write, values that are taken and values that are not.
struct Said {
    name: &'static str,
    write: &'static str,
    good: &'static [&'static str],
    bad: &'static [&'static str],
}

/// What is said about a kind. Lists of values stand where they are used.
fn kind(kind: Kind) -> Said {
    let (name, write, good, bad): (_, _, &[_], &[_]) = match kind {
        Kind::Id => ("id", "as the source has it; capitals matter", &["1001", "stu-7f/2"], &["a\tb"]),
        Kind::SourcedId => ("sourcedId", "1 to 255 letters, digits and `. / @ _ -`, no blanks", &["stu.1001"], &["stu 1001", "schüler"]),
        Kind::Ids => ("ids", "one or more, separated by commas, in quotes", &["A", "A,B"], &[]),
        Kind::Text => ("text", "any text", &["North School"], &[]),
        Kind::Code(_) => ("code", "one of its list of values; capitals do not matter, and `1` is grade `01`", &[], &[]),
        Kind::Codes(_) => ("codes", "one or more, separated by commas, in quotes", &[], &[]),
        Kind::Word(_) => ("word", "one of those that stand with the column; capitals do not matter", &[], &[]),
        Kind::Email => ("e-mail", "an address", &["ann.hill@contoso.example"], &["ann at contoso", "ann@contoso"]),
        // Its form is decided where the address itself stands.
        Kind::EmailKey => ("e-mail", "an address", &["ann.hill@contoso.example"], &[]),
        Kind::Phone => ("phone", "E.164: `+`, country code, number, no blanks", &["+12025550123"], &["202-555-0123", "+1 202 5550123"]),
        Kind::Date => {
            ("date", "ISO 8601; a time behind it is dropped", &["2026-08-24", "2026-08-24T08:00:00Z"], &["8/24/2026", "2026-02-30"])
        }
        Kind::SlashDate(Slashes::MonthFirst | Slashes::DayFirst) => (
            "date or M/D/YYYY",
            "ISO 8601, also without hyphens; or month, day and year with slashes",
            &["2026-08-24", "20260824", "8/24/2026"],
            &["24/8/2026", "8/24/26"],
        ),
        Kind::Boolean => ("boolean", "capitals do not matter", &["true", "FALSE"], &["yes", "1"]),
        Kind::Year => ("year", "the calendar year in which the school year ends", &["2027"], &["2026-2027", "27"]),
        Kind::SchoolYear => ("school year", "the year in which it ends, or both", &["2027", "2026-2027", "2026/27"], &["27", "2026-2028"]),
        Kind::Password => ("password", "read, never stored and never shown", &["anything"], &[]),
    };
    Said { name, write, good, bad }
}

/// Every kind that a column has, once, with its examples tried in that column.
fn values(codes: &Codes) -> String {
    let mut text = "| kind | what to write | good | not good |\n| --- | --- | --- | --- |\n".to_owned();
    let mut told = BTreeSet::new();
    for format in Format::ALL {
        for (spec, column) in format.files().iter().flat_map(|spec| spec.columns.iter().map(move |column| (spec, column))) {
            let Said { name, write, good, bad } = kind(column.kind);
            for (value, is_good) in good.iter().map(|value| (value, true)).chain(bad.iter().map(|value| (value, false))) {
                let about = with_value(format, spec, column, value, codes);
                assert_eq!(about.is_empty(), is_good, "{} {} {} {value}: {about:?}", format.name(), spec.name, column.name);
            }
            if told.insert(name) {
                let shown =
                    |values: &[&str]| values.iter().map(|value| format!("`{}`", value.escape_debug())).collect::<Vec<_>>().join(", ");
                let _ = writeln!(text, "| {name} | {write} | {} | {} |", shown(good), shown(bad));
            }
        }
    }
    text
}

/// What can be wrong with a value by itself.
const ABOUT_VALUES: [&str; 7] = [
    "InvalidValue",
    "InvalidOptionalValue",
    "InvalidReferenceCode",
    "InvalidOptionalCode",
    "InvalidDate",
    "InvalidYear",
    "InvalidCharacter",
];

/// What is said about a row that has this value in a column, and good ones where they have to be.
fn with_value(format: Format, spec: &FileSpec, column: &Column, value: &str, codes: &Codes) -> BTreeSet<&'static str> {
    let columns: Vec<&Column> = spec.columns.iter().filter(|other| other.header_required || other.name == column.name).collect();
    let quoted = |value: &str| format!("\"{}\"", value.replace('"', "\"\""));
    let of = |other: &&Column| quoted(if other.name == column.name { value } else { sample(other.kind) });
    let header: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let text = format!("{}\n{}\n", header.join(","), columns.iter().map(of).collect::<Vec<_>>().join(","));
    let mut about = found(&[(spec.name, text.as_bytes())], Some(format), true, codes);
    about.retain(|code| ABOUT_VALUES.contains(code));
    about
}

/// A value that is good for a kind.
fn sample(of: Kind) -> &'static str {
    match of {
        Kind::Word(words) => words.meanings[0].0,
        Kind::Code(list) | Kind::Codes(list) => reference::codes(list.reference_type()).next().unwrap(),
        other => kind(other).good[0],
    }
}

/// One format: its files, then each file's columns.
fn of_format(format: Format) -> String {
    let files = format.files();
    let mut text = format!("\n## {}\n\n{}\n", format.title(), about(format));
    let _ = writeln!(text, "`--format {}`\n\n| file | needed | holds | key |\n| --- | --- | --- | --- |", format.name());
    for spec in files {
        let holds: Vec<&str> = spec.gives.iter().map(|entity| plural(*entity)).collect();
        let key: Vec<String> = spec.key.iter().map(|column| format!("`{}`", spec.columns[*column].name)).collect();
        let _ = writeln!(
            text,
            "| [`{}`](#{}) | {} | {} | {} |",
            spec.name,
            anchor(format, spec),
            needed(files, spec),
            holds.join(", "),
            key.join(" + ")
        );
    }
    for spec in files {
        text += &of_file(format, spec);
    }
    let own: Vec<String> = CATALOGUE
        .iter()
        .filter(|entry| entry.formats.contains(&format) && entry.formats.len() < Format::ALL.len())
        .map(|entry| format!("`{}`", entry.code))
        .collect();
    let _ = writeln!(text, "\nWhat else is checked, not in every format: {}; see [findings.md](findings.md).", own.join(", "));
    text
}

fn about(format: Format) -> &'static str {
    match format {
        Format::SdsV21 => {
            "Microsoft School Data Sync CSV, version 2.1: people once, and what they are in which organization in a file of its own."
        }
        Format::SdsV1 => {
            "Microsoft School Data Sync CSV, version 1: a file for each kind of people. The headers of the United Kingdom are taken as \
             well; with `School DfE Number`, dates with slashes begin with the day. Somebody in several schools has a row for each."
        }
        Format::OneRoster11 => {
            "1EdTech OneRoster CSV 1.1. The files of gradebooks and resources may be there and are not read. There should be a \
             [manifest](#manifestcsv); without one every file is taken to be whole."
        }
        Format::OneRoster12 => {
            "1EdTech OneRoster CSV 1.2. The files of gradebooks and resources may be there and are not read; of `userProfiles.csv` \
             it is only looked at whose profiles they are. There must be a [manifest](#manifestcsv). Where `ext:…` is among \
             the words of a column, a word of your own may stand behind `ext:`."
        }
    }
}

/// The manifest of a OneRoster package, by one that is complete.
fn manifest(codes: &Codes) -> String {
    let files = [
        ("orgs.csv", "sourcedId,status,dateLastModified,name,type\nA,,,North,school\n"),
        ("users.csv", "sourcedId,status,dateLastModified,enabledUser,username,givenName,familyName\nu,,,true,ann,Ann,Hill\n"),
        ("roles.csv", "sourcedId,status,dateLastModified,userSourcedId,roleType,role,orgSourcedId\nr,,,u,primary,teacher,A\n"),
    ];
    let mode = |stem: &&str| if files.iter().any(|(name, _)| name.strip_suffix(".csv") == Some(stem)) { "bulk" } else { "absent" };
    let modes: String = Format::OneRoster12.package().iter().map(|stem| format!("file.{stem},{}\n", mode(stem))).collect();
    let manifest = format!("propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\n{modes}");
    let all: Vec<(&str, &[u8])> =
        files.iter().chain([&("manifest.csv", &*manifest)]).map(|(name, text)| (*name, text.as_bytes())).collect();
    assert_eq!(found(&all, None, false, codes), BTreeSet::new());
    let first = Format::OneRoster11.package().iter().map(|stem| format!("`{stem}`")).collect::<Vec<_>>().join(", ");
    format!(
        "\n## manifest.csv\n\nWhich files a OneRoster package has: `bulk`, the whole file; `delta`, [only what has changed](changes.md); `absent`, \
         not there. In a whole file `status` and `dateLastModified` are blank, in a file of changes they are filled in. A package of 1.2 \
         names all of these files; one of 1.1, with `oneroster.version,1.1`, these: {first}.\n\n```csv\n{manifest}```\n"
    )
}

/// Whether an export can be without a file.
fn needed(files: &[FileSpec], spec: &FileSpec) -> String {
    if spec.required {
        return "**always**".to_owned();
    }
    let refers = |other: &&FileSpec, required: bool| {
        let to_it = |column: &&Column| column.refers_to == Some(spec.name) && (column.required && !column.without_file) == required;
        other.name != spec.name && other.columns.iter().any(|column| to_it(&column))
    };
    let names =
        |required| files.iter().filter(|other| refers(other, required)).map(|other| format!("`{}`", other.name)).collect::<Vec<_>>();
    match (names(true), names(false)) {
        (with, _) if !with.is_empty() => format!("with {}", with.join(", ")),
        (_, when) if !when.is_empty() => format!("when rows of {} refer to it", when.join(", ")),
        _ => "no".to_owned(),
    }
}

fn plural(entity: Entity) -> &'static str {
    match entity {
        Entity::Org => "organizations",
        Entity::Session => "sessions",
        Entity::Course => "courses",
        Entity::User => "people",
        Entity::Role => "roles in organizations",
        Entity::Class => "classes",
        Entity::Enrollment => "enrolments",
        Entity::Demographic => "demographics",
        Entity::UserFlag => "flags",
        Entity::Relationship => "contacts of students",
    }
}

/// As GitHub makes it of a heading.
fn anchor(format: Format, spec: &FileSpec) -> String {
    let heading = heading(format, spec).to_lowercase();
    heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn heading(format: Format, spec: &FileSpec) -> String {
    format!("{} of {}", spec.name, format.title())
}

fn of_file(format: Format, spec: &FileSpec) -> String {
    let mut text = format!("\n### {}\n\n| column | needed | value | refers to |\n| --- | --- | --- | --- |\n", heading(format, spec));
    for column in spec.columns {
        let aliases: String = column.aliases.iter().map(|alias| format!(" or `{alias}`")).collect();
        let needed = match (column.header_required, column.required) {
            (true, true) => "**yes**",
            (true, false) => "column yes, value no",
            _ => "no",
        };
        let refers = column.refers_to.map_or_else(String::new, |file| format!("`{file}`"));
        let _ = writeln!(text, "| `{}`{aliases} | {needed} | {} | {refers} |", column.name, value_of(column.kind));
    }
    let name = |column: usize| format!("`{}`", spec.columns[column].name);
    let mut notes = Vec::new();
    if let Some((start, end)) = spec.span {
        notes.push(format!("{} is not before {}.", name(end), name(start)));
    }
    if let Some(unique) = spec.unique {
        notes.push(match unique.claim {
            Claim::Value => format!("No two rows have the same {} (`{}`).", name(unique.column), unique.code),
            Claim::First { .. } => format!("{}: what only one row may be, the first one is (`{}`).", name(unique.column), unique.code),
        });
    }
    for derived in spec.derived {
        let columns: Vec<String> = derived.columns.iter().map(|column| name(*column)).collect();
        notes.push(format!("Rows with the same {} agree in {}.", name(derived.id), columns.join(", ")));
    }
    if let Some((column, gone)) = spec.gone {
        notes.push(format!("A row with `{gone}` in {} is left out.", name(column)));
    }
    if spec.ordered {
        notes.push("The columns stand in this order (`HeaderOrder`).".to_owned());
    }
    if let Some(prefix) = spec.extension {
        notes.push(format!("Columns `{prefix}…` may be added; they are not read."));
    }
    if !spec.ignored.is_empty() {
        let ignored: Vec<String> = spec.ignored.iter().map(|header| format!("`{header}`")).collect();
        notes.push(format!("Known and not read: {}.", ignored.join(", ")));
    }
    if !notes.is_empty() {
        let _ = writeln!(text, "\n{}", notes.join(" "));
    }
    text
}

fn value_of(of: Kind) -> String {
    match of {
        Kind::Code(list) => format!("code of [{}](#{})", list.title(), list.title().replace(' ', "-")),
        Kind::Codes(list) => format!("codes of [{}](#{})", list.title(), list.title().replace(' ', "-")),
        Kind::Word(words) => word_list(words),
        other => kind(other).name.to_owned(),
    }
}

fn word_list(words: &Words) -> String {
    let known = words.meanings.iter().map(|(word, _)| format!("`{word}`"));
    known.chain(words.extension.map(|_| "`ext:…`".to_owned())).collect::<Vec<_>>().join(", ")
}

const LISTS: [CodeList; 11] = [
    CodeList::OrgType,
    CodeList::Role,
    CodeList::SectionRole,
    CodeList::Grade,
    CodeList::SessionType,
    CodeList::Subject,
    CodeList::Relationship,
    CodeList::Flag,
    CodeList::Sex,
    CodeList::Race,
    CodeList::Ethnicity,
];

/// The lists of values, in the order of the reference data.
fn lists(codes: &Codes) -> String {
    let mut text = "\n## Lists of values\n\nCapitals do not matter. Where it says so, a tenant may add codes of its own by the API \
        ([referenceDefinitions](api/referenceDefinitions.md)); `homeroom validate` knows the built-in ones.\n"
        .to_owned();
    for list in LISTS {
        let rows = reference::rows(list.reference_type());
        let place = |code: &str| rows.iter().position(|row| row.code.eq_ignore_ascii_case(code)).unwrap_or(usize::MAX);
        let mut all: Vec<&str> = codes.of(list).collect();
        all.sort_by_key(|code| (place(code), *code));
        let shown = |code: &&str| match rows.iter().find(|row| row.code == *code).and_then(|row| row.display_name) {
            // A name says more than a number; what differs in blanks and capitals says the same.
            Some(name) if list == CodeList::Subject => format!("`{code}` {name}"),
            _ => format!("`{code}`"),
        };
        let more = if reference::is_tenant_extensible(list.reference_type()) { " A tenant may add to it." } else { "" };
        let title = list.title();
        let heading = title[..1].to_uppercase() + &title[1..];
        let _ = writeln!(
            text,
            "\n### {heading}\n\n{} (`{}`).{more}",
            all.iter().map(shown).collect::<Vec<_>>().join(", "),
            list.reference_type()
        );
    }
    text
}
