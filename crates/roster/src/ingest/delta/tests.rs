use super::Origin::{Base, Changes};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A package with the modes of these files, all others absent.
fn package(version: &str, files: &[(&str, &str, &str)]) -> (Vec<Source>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = format!("propertyName,value\nmanifest.version,1.0\noneroster.version,{version}\n");
    let format = if version == "1.2" { Format::OneRoster12 } else { Format::OneRoster11 };
    for stem in format.package() {
        let mode = files.iter().find(|(name, ..)| name == stem).map_or("absent", |(_, mode, _)| mode);
        manifest += &format!("file.{stem},{mode}\n");
    }
    let texts = files.iter().map(|(name, _, text)| (format!("{name}.csv"), (*text).to_owned()));
    let sources = texts
        .chain([(MANIFEST.to_owned(), manifest)])
        .map(|(name, text)| {
            let path = dir.path().join(&name);
            std::fs::write(&path, text).unwrap();
            Source { name, path }
        })
        .collect();
    (sources, dir)
}

/// Later than what the packages of these tests say.
fn now() -> Timestamp {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

fn applied(base: &[Source], changes: &[Source]) -> (Applied, Vec<String>, tempfile::TempDir) {
    applied_with(Parts::Records, base, changes)
}

fn applied_with(parts: Parts, base: &[Source], changes: &[Source]) -> (Applied, Vec<String>, tempfile::TempDir) {
    let (out, mut found) = (tempfile::tempdir().unwrap(), Vec::new());
    let applied = apply(base, changes, now(), parts, None, out.path(), &mut |finding| {
        found.push(format!("{} {}:{} {}", finding.code, finding.file, finding.line, finding.column.unwrap_or("-")));
        Ok(())
    });
    (applied.unwrap(), found, out)
}

const ORGS: &str =
    "sourcedId,status,dateLastModified,name,type\nA,,,\"A, B\",school\nB,,,B,school\nC,,,C\n\nA,,,again,school\nD,,,D,district\n";

#[test]
fn changes_take_the_place_of_what_they_name_and_the_rest_stays_as_it_stands() {
    let (base, _base) = package("1.1", &[("orgs", "bulk", ORGS), ("users", "bulk", "sourcedId\n1\n")]);
    let text = "status,sourcedId,dateLastModified,type,name,identifier\n\
        tobedeleted,A,2026-09-02T02:00:00.000Z,school,\"A, B\",\n\
        active,D,2026-09-02T02:00:00.000Z,district,old,7\n\
        active,E,2026-09-02,school,\"say \"\"E\"\"\",8\n\
        active,D,2026-09-03,district,new,9\n\
        tobedeleted,nobody,2026-09-02,school,x,\n";
    let (changes, _changes) = package("1.1", &[("orgs", "delta", text)]);
    let (applied, found, out) = applied(&base, &changes);
    let told = ["ChangeSuperseded orgs.csv:3 dateLastModified", "DeletedRecordNotFound orgs.csv:6 dateLastModified"];
    assert_eq!((found, applied.catastrophic), (told.map(str::to_owned).to_vec(), None));
    let read = |name: &str| std::fs::read_to_string(out.path().join(name)).unwrap();
    assert_eq!(
        read("orgs.csv"),
        "\u{feff}sourcedId,status,dateLastModified,name,type,identifier\nB,,,B,school,\nC,,,C,\nE,,,\"say \"\"E\"\"\",school,8\nD,,,new,district,9\n"
    );
    assert_eq!(read("users.csv"), "sourcedId\n1\n");
    assert_eq!((applied.written, applied.replaced), (2, 3));
    let table = FileChanges { name: "orgs.csv".to_owned(), mode: "delta", rows: 5, added: 1, changed: 1, removed: 1, unchanged: 2 };
    assert_eq!((applied.tables[0].not_applied(), &applied.tables[0]), (2, &table));
    assert_eq!(applied.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["orgs.csv", "users.csv", "manifest.csv"]);
    assert!(!is_delta(&applied.files).unwrap() && is_delta(&changes).unwrap());
    assert!(manifest::check(Format::OneRoster11, &applied.files).is_empty());
}

#[test]
fn parts_of_a_user_who_has_changed_are_those_of_the_package_and_no_others() {
    let roles = "sourcedId,status,dateLastModified,userSourcedId,roleType,role,orgSourcedId\n";
    let base_roles =
        format!("{roles}r1,,,u1,primary,student,A\nr2,,,u1,secondary,student,B\nr3,,,u2,primary,student,A\nr4,,,u3,primary,student,A\n");
    let profiles = "sourcedId,status,dateLastModified,userSourcedId,profileType\n";
    let base_profiles = format!("{profiles}p1,,,u1,lms\np3,,,u3,lms\n");
    let base = [
        (
            "users",
            "bulk",
            "sourcedId,status,dateLastModified,enabledUser,username,givenName,familyName\nu1,,,true,ann,A,A\nu2,,2026-09-09,true,bob,B,B\nu3,,,true,cem,C,C\n",
        ),
        ("roles", "bulk", base_roles.as_str()),
        ("userProfiles", "bulk", base_profiles.as_str()),
    ];
    let (base, _base) = package("1.2", &base);
    // Ann leaves B and teaches at A; Bob is gone, and nobody says so of his role; somebody has been gone for long.
    let users = "sourcedId,status,dateLastModified,enabledUser,username,givenName,familyName\n\
        u1,active,2026-09-02,true,ann,A,A\nu2,tobedeleted,2026-09-02,true,bob,B,B\nu9,tobedeleted,2026-09-02,true,x,X,X\n";
    let new_roles = format!("{roles}r5,active,2026-09-02,u1,primary,teacher,A\n");
    let changes = [("users", "delta", users), ("roles", "delta", new_roles.as_str()), ("userProfiles", "delta", profiles)];
    let (changes, _changes) = package("1.2", &changes);
    let keys = |out: &tempfile::TempDir, name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(out.path().join(name)).unwrap_or_default();
        text.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
    };
    let (applied, found, out) = applied_with(Parts::OfUsers, &base, &changes);
    assert_eq!((found, applied.catastrophic), (Vec::new(), None), "a provider says what is now");
    assert_eq!(
        ["users.csv", "roles.csv", "userProfiles.csv"].map(|name| keys(&out, name)),
        [vec!["u3", "u1"], vec!["r4", "r5"], vec!["p3"]]
    );
    // In the CSV binding each is a record of its own, and stays until somebody says that it goes.
    let (_, found, out) = applied_with(Parts::Records, &base, &changes);
    assert_eq!(keys(&out, "roles.csv"), ["r1", "r2", "r3", "r4", "r5"]);
    assert_eq!(found, ["StaleChange users.csv:3 dateLastModified", "DeletedRecordNotFound users.csv:4 dateLastModified"]);
}

#[test]
fn a_change_must_say_what_became_of_the_record_and_when() {
    let (base, _base) = package("1.1", &[("orgs", "bulk", ORGS)]);
    let text = "sourcedId,status,dateLastModified,name,type\nB,,,x,school\nB,activ,2026-09-02,x,school\nB,active,yesterday,x,school\n,active,2026-09-02,x,school\nB,active\n";
    let (changes, _changes) = package("1.1", &[("orgs", "delta", text)]);
    let (applied, found, out) = applied(&base, &changes);
    assert_eq!(
        found,
        [
            "RequiredValueMissing orgs.csv:2 status",
            "RequiredValueMissing orgs.csv:2 dateLastModified",
            "InvalidReferenceCode orgs.csv:3 status",
            "InvalidDate orgs.csv:4 dateLastModified",
            "RequiredValueMissing orgs.csv:5 sourcedId",
            "FieldCount orgs.csv:6 -",
        ]
    );
    assert_eq!((applied.written, applied.replaced), (0, 0));
    assert!(std::fs::read_to_string(out.path().join("orgs.csv")).unwrap().contains("\nB,,,B,school\n"));
}

#[test]
fn a_package_may_mix_changes_and_whole_files() {
    let (base, _base) = package("1.1", &[("orgs", "bulk", ORGS), ("users", "bulk", "sourcedId\n1\n")]);
    let changes = [
        ("orgs", "bulk", "sourcedId,name\nZ,Z\n"),
        ("courses", "delta", "sourcedId,status,dateLastModified,title,orgSourcedId,mine\nK,active,2026-09-02,K,A,1\n"),
    ];
    let (changes, _changes) = package("1.1", &changes);
    let (applied, found, out) = applied(&base, &changes);
    assert_eq!(found, ["UnknownColumn courses.csv:1 -"]);
    let modes: Vec<_> = applied.tables.iter().map(|table| (table.name.as_str(), table.mode)).collect();
    assert_eq!(modes, [("orgs.csv", "bulk"), ("courses.csv", "delta"), ("users.csv", "absent")]);
    let read = |name: &str| std::fs::read_to_string(out.path().join(name)).unwrap();
    assert_eq!(read("orgs.csv"), "sourcedId,name\nZ,Z\n");
    assert_eq!(read("courses.csv"), "\u{feff}sourcedId,status,dateLastModified,title,orgSourcedId\nK,,,K,A\n");
    assert_eq!(read("users.csv"), "sourcedId\n1\n");
}

#[test]
fn without_a_set_of_the_same_version_nothing_is_applied() {
    let (changes, _changes) =
        package("1.1", &[("orgs", "delta", "sourcedId,status,dateLastModified,name,type\nB,active,2026-09-02,B,school\n")]);
    let (nothing, found, _) = applied(&[], &changes);
    assert_eq!((found, nothing.files), (vec!["DeltaWithoutBase manifest.csv:0 -".to_owned()], Vec::new()));
    let (base, _base) = package("1.2", &[("orgs", "bulk", ORGS)]);
    let (other, found, _) = applied(&base, &changes);
    assert_eq!((found, other.files), (vec!["DeltaBaseVersion manifest.csv:0 -".to_owned()], Vec::new()));
    let (base, _base) = package("1.1", &[("orgs", "bulk", ORGS)]);
    let (changes, _changes) = package("1.1", &[("orgs", "delta", "sourcedId,status,type\nB,active,school\n")]);
    let (headless, found, _) = applied(&base, &changes);
    assert_eq!(
        (found, headless.files),
        (["name", "dateLastModified"].map(|column| format!("HeaderNotFound orgs.csv:1 {column}")).to_vec(), Vec::new())
    );
}

/// Rows of a file of the set, by key: values by column, without those about changes.
fn rows(files: &[Source], name: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let Some(source) = files.iter().find(|file| file.name == name) else { return BTreeMap::new() };
    let bytes = std::fs::read(&source.path).unwrap();
    let text = encoding_rs::UTF_8.decode(&bytes).0;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let named = |row: csv::StringRecord| {
        let mut row: Vec<_> = header.iter().map(str::to_owned).zip(row.iter().map(str::to_owned)).collect();
        row.retain(|(column, value)| !is_of_a_change(column) && !value.is_empty());
        row.sort();
        row
    };
    let all: Vec<_> = reader.records().map(|row| row.unwrap()).collect();
    let keyed: BTreeMap<_, _> = all.iter().map(|row| (row[0].to_owned(), named(row.clone()))).collect();
    assert_eq!(keyed.len(), all.len(), "a record stands in {name} twice");
    keyed
}

/// Orgs of the set after a package of changes to them, as `id name`, and what was found.
fn orgs_after(base: &[Source], changes: &str) -> (Vec<Source>, Vec<String>, Vec<String>, tempfile::TempDir) {
    let (changes, _changes) = package("1.1", &[("orgs", "delta", &format!("sourcedId,status,dateLastModified,name,type\n{changes}"))]);
    let (applied, found, out) = applied(base, &changes);
    let set = Source::list(out.path()).unwrap();
    let name = |row: &Vec<(String, String)>| row.iter().find(|(column, _)| column == "name").unwrap().1.clone();
    let orgs = rows(&applied.files, "orgs.csv").into_iter().map(|(id, row)| format!("{id} {}", name(&row))).collect();
    (set, orgs, found, out)
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

const TWO: &str = "sourcedId,status,dateLastModified,name,type\nA,,,old,school\nB,,,old,school\n";

#[test]
fn of_several_changes_of_a_record_the_latest_counts_wherever_it_stands() {
    let (base, _base) = package("1.1", &[("orgs", "bulk", TWO)]);
    for (changes, orgs, found) in [
        // By the moment, not by the text and not by the line.
        (
            "A,active,2026-09-02T10:00:00+02:00,late,school\nA,active,2026-09-02T07:59:59Z,early,school\n",
            &["A late", "B old"][..],
            &["ChangeSuperseded orgs.csv:3 dateLastModified"][..],
        ),
        (
            "A,tobedeleted,2026-09-03,x,school\nA,active,2026-09-02,x,school\n",
            &["B old"],
            &["ChangeSuperseded orgs.csv:3 dateLastModified"],
        ),
        (
            "A,tobedeleted,2026-09-02,x,school\nA,active,2026-09-03,back,school\n",
            &["A back", "B old"],
            &["ChangeSuperseded orgs.csv:2 dateLastModified"],
        ),
        // At one moment: the same row, in whatever quotes, or another one.
        (
            "A,active,2026-09-02T00:00:00Z,new,school\nA,active,2026-09-02,\"new\",school\n",
            &["A new", "B old"],
            &["DuplicateRecord orgs.csv:3 dateLastModified"],
        ),
        (
            "A,active,2026-09-02,first,school\nA,tobedeleted,2026-09-02,first,school\n",
            &["A first", "B old"],
            &["ConflictingDuplicate orgs.csv:3 dateLastModified"],
        ),
        // Nobody is told that the set does not have what came and went.
        (
            "C,active,2026-09-02,new,school\nC,tobedeleted,2026-09-03,new,school\n",
            &["A old", "B old"],
            &["ChangeSuperseded orgs.csv:2 dateLastModified"],
        ),
        // A change that is none does not count as the latest.
        (
            "A,active,2026-09-02,good,school\nA,gone,2026-09-03,bad,school\n",
            &["A good", "B old"],
            &["InvalidReferenceCode orgs.csv:3 status"],
        ),
    ] {
        let (_, now, told, _out) = orgs_after(&base, changes);
        assert_eq!((now.iter().map(String::as_str).collect::<Vec<_>>(), told), (orgs.to_vec(), owned(found)), "{changes}");
    }
}

#[test]
fn a_change_that_is_older_than_what_the_set_has_is_not_applied() {
    let stale = |line: u64| format!("StaleChange orgs.csv:{line} dateLastModified");
    // What a whole file says of itself is heard; where it is blank, every change is news.
    let dated = "sourcedId,status,dateLastModified,name,type\nA,active,2026-09-05T00:00:00Z,old,school\nB,,,old,school\n";
    let (base, _base) = package("1.1", &[("orgs", "bulk", dated)]);
    let package_of_the_third = "A,active,2026-09-03,third,school\nB,active,2026-09-03,third,school\n";
    let (set, orgs, found, _one) = orgs_after(&base, package_of_the_third);
    assert_eq!((orgs, found), (vec!["A old".to_owned(), "B third".to_owned()], vec![stale(2)]));
    // What was applied is remembered, also of what is gone, and of what came in between.
    let (set, orgs, found, _two) = orgs_after(&set, "A,tobedeleted,2026-09-06,x,school\nC,active,2026-09-06,sixth,school\n");
    assert_eq!((orgs, found), (vec!["B third".to_owned(), "C sixth".to_owned()], Vec::new()));
    let late = "A,active,2026-09-05,x,school\nB,tobedeleted,2026-09-02,x,school\nC,active,2026-09-04,x,school\n";
    let (set, orgs, found, _three) = orgs_after(&set, late);
    assert_eq!((orgs, found), (vec!["B third".to_owned(), "C sixth".to_owned()], vec![stale(2), stale(3), stale(4)]));
    // The same package once more says nothing new, and does no harm.
    let (set, orgs, found, _four) = orgs_after(&set, "A,tobedeleted,2026-09-06,x,school\nC,active,2026-09-06,sixth,school\n");
    assert_eq!((orgs, found), (vec!["B third".to_owned(), "C sixth".to_owned()], Vec::new()));
    // Packages without the file leave it and its dates as they are; a whole file forgets them.
    let (other, _other) = package("1.1", &[("courses", "delta", "sourcedId,status,dateLastModified,title,orgSourcedId\n")]);
    let (_, _, out) = applied(&set, &other);
    let (_, orgs, found, _five) = orgs_after(&Source::list(out.path()).unwrap(), late);
    assert_eq!((orgs.len(), found), (2, vec![stale(2), stale(3), stale(4)]));
    let both = [("orgs", "bulk", TWO), ("courses", "delta", "sourcedId,status,dateLastModified,title,orgSourcedId\n")];
    let (whole, _whole) = package("1.1", &both);
    let (_, _, out) = applied(&set, &whole);
    let (_, orgs, found, _six) = orgs_after(&Source::list(out.path()).unwrap(), "A,active,2026-09-01,first,school\n");
    assert_eq!((orgs, found), (vec!["A first".to_owned(), "B old".to_owned()], Vec::new()));
}

/// A wrong clock, of which nobody could get rid before its time.
#[test]
fn a_date_that_is_still_to_come_holds_nothing_up() {
    let dated = "sourcedId,status,dateLastModified,name,type\nA,active,2031-01-01,old,school\nB,,,old,school\n";
    let (base, _base) = package("1.1", &[("orgs", "bulk", dated)]);
    let (set, orgs, found, _one) = orgs_after(&base, "A,active,2026-09-03,new,school\nB,active,2031-01-01,new,school\n");
    assert_eq!((orgs, found), (vec!["A new".to_owned(), "B new".to_owned()], Vec::new()));
    // It counts as the moment at which it came: what was made before is late, what was made after is not.
    let late = "B,active,2026-12-31,late,school\n";
    let (set, orgs, found, _two) = orgs_after(&set, late);
    assert_eq!((orgs, found), (vec!["A new".to_owned(), "B new".to_owned()], vec!["StaleChange orgs.csv:2 dateLastModified".to_owned()]));
    let (_, orgs, found, _three) = orgs_after(&set, "B,active,2027-01-02,newer,school\n");
    assert_eq!((orgs, found), (vec!["A new".to_owned(), "B newer".to_owned()], Vec::new()));
}

/// Drafts of 1.1 call the key of demographics otherwise, which must not make a second column of it.
#[test]
fn a_column_under_another_name_is_the_same_column() {
    let (base, _base) = package("1.1", &[("demographics", "bulk", "userSourcedId,sex\nu1,male\nu2,male\n")]);
    let changes = "sourcedId,status,dateLastModified,birthdate,sex\nu2,active,2026-09-02,2010-01-01,female\n";
    let (changes, _changes) = package("1.1", &[("demographics", "delta", changes)]);
    let (_, found, out) = applied(&base, &changes);
    // Nothing says that this base is OneRoster but its manifest.
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(
        std::fs::read_to_string(out.path().join("demographics.csv")).unwrap(),
        "\u{feff}userSourcedId,sex,birthdate\nu1,male,\nu2,female,2010-01-01\n"
    );
}

/// How a file may be written.
#[derive(Debug, Clone, Copy)]
struct Style {
    encoding: &'static str,
    end: &'static str,
}

impl Style {
    fn all() -> Vec<Self> {
        let encodings = ["utf-8", "utf-8 with a mark", "utf-16le", "utf-16be", "windows-1252"];
        encodings.into_iter().flat_map(|encoding| ["\n", "\r\n", "\r"].map(|end| Self { encoding, end })).collect()
    }

    /// Rewrites the files but the manifest.
    fn apply(self, files: &[Source]) {
        for file in files.iter().filter(|file| file.name != MANIFEST) {
            let text = std::fs::read_to_string(&file.path).unwrap().replace('\n', self.end);
            let bytes = match self.encoding {
                "utf-8 with a mark" => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
                "utf-16le" => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
                "utf-16be" => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect(),
                "windows-1252" => encoding_rs::WINDOWS_1252.encode(&text).0.into_owned(),
                _ => text.into_bytes(),
            };
            std::fs::write(&file.path, bytes).unwrap();
        }
    }
}

#[test]
fn base_and_changes_may_be_in_any_encoding_with_any_line_ends() {
    let changes = "sourcedId,status,dateLastModified,name,type\nA,active,2026-09-02,Süd,school\nC,active,2026-09-02,Ça,school\n";
    for (of_base, of_changes) in Style::all().into_iter().flat_map(|base| Style::all().into_iter().map(move |changes| (base, changes))) {
        let old = "sourcedId,status,dateLastModified,name,type\nA,,,Öst,school\nB,,,Éa,school\n";
        let ((base, _base), (changes, _changes)) =
            (package("1.1", &[("orgs", "bulk", old)]), package("1.1", &[("orgs", "delta", changes)]));
        of_base.apply(&base);
        of_changes.apply(&changes);
        // An encoding is named for both or for none; UTF-16 and a mark say themselves what they are.
        let named = [of_base, of_changes].map(|style| style.encoding == "windows-1252");
        let label = named.contains(&true).then_some("windows-1252");
        if label.is_some() && [of_base, of_changes].iter().any(|style| style.encoding == "utf-8") {
            continue;
        }
        let (out, mut found) = (tempfile::tempdir().unwrap(), Vec::new());
        let applied = apply(&base, &changes, now(), Parts::Records, label, out.path(), &mut |finding| {
            found.push(finding.code);
            Ok(())
        });
        let remark = of_changes.encoding.starts_with("utf-16").then_some("Utf16Encoding");
        assert_eq!(found, Vec::from_iter(remark), "{of_base:?} {of_changes:?}");
        let orgs = rows(&applied.unwrap().files, "orgs.csv");
        let names: Vec<&str> = orgs.values().map(|row| row[0].1.as_str()).collect();
        assert_eq!(names, ["Süd", "Éa", "Ça"], "{of_base:?} {of_changes:?}");
    }
}

#[test]
fn a_finding_about_the_set_is_traced_to_the_line_that_was_sent() {
    let (base, _base) = package("1.1", &[("orgs", "bulk", ORGS), ("courses", "bulk", "sourcedId,title,orgSourcedId\n")]);
    let changes = "sourcedId,status,dateLastModified,name,type\nB,active,2026-09-02,x,school\nE,tobedeleted,2026-09-02,x,school\n\nF,active,2026-09-02,x,school\n";
    let whole = ("classes", "bulk", "sourcedId,title,classType,courseSourcedId,schoolSourcedId,termSourcedIds\n");
    let (changes, _changes) = package("1.1", &[("orgs", "delta", changes), whole]);
    let out = tempfile::tempdir().unwrap();
    let applied = check(Some(&base), &changes, now(), None, None, out.path(), &mut |_| Ok(())).unwrap();
    let trace = |file: &str, line: u64| {
        let mut finding = Finding { line, ..Finding::of_file("InvalidValue", file, "") };
        (applied.origins.trace(&mut finding), finding.line)
    };
    // The set: A, C, A, D of the base, then B and F.
    let traced: Vec<_> = (0..=7).map(|line| trace("orgs.csv", line)).collect();
    assert_eq!(traced, [(Base, 0), (Base, 1), (Base, 2), (Base, 4), (Base, 6), (Base, 7), (Changes, 2), (Changes, 5)]);
    assert_eq!((trace("courses.csv", 9), trace("classes.csv", 9), trace(MANIFEST, 2)), ((Base, 9), (Changes, 9), (Changes, 2)));
}

/// One thing that happens to a record on a day: new values, or none when it goes.
type Edit = (usize, u8, Option<u8>);

/// A day: what happens, which files are sent whole, how they are written, and whether the changes stand in disorder.
type Day = (Vec<Edit>, [bool; 3], usize, bool);

/// Files with the columns that are filled here, in the order of the format.
const FILES: [(&str, &[&str]); 3] = [
    ("orgs", &["name", "type", "identifier"]),
    ("academicSessions", &["title", "type", "startDate", "endDate", "schoolYear"]),
    ("courses", &["title", "orgSourcedId"]),
];

fn values(id: u8, value: u8, columns: &[&str]) -> Vec<String> {
    let odd = ["plain", "a, b", "say \"x\"", "Ünï", " blank ", "'"];
    columns
        .iter()
        .enumerate()
        .map(|(index, column)| format!("{column}{} {}{id}", odd[(value as usize + index) % odd.len()], value))
        .collect()
}

fn line(id: u8, status: &str, date: &str, values: &[String]) -> String {
    let quoted = values.iter().map(|value| format!("\"{}\"", value.replace('"', "\"\""))).collect::<Vec<_>>().join(",");
    format!("id{id},{status},{date},{quoted}\n")
}

type Model = [BTreeMap<u8, Vec<String>>; 3];

/// The package of a day, which the model goes along with.
fn package_of_day(version: &str, number: usize, day: &Day, model: &mut Model) -> (Vec<Source>, tempfile::TempDir) {
    let (edits, whole, style, disorder) = day;
    let mut changes = [const { Vec::new() }; 3];
    for (second, (file, id, value)) in edits.iter().enumerate() {
        let date = format!("2026-09-{:02}T00:00:{second:02}Z", number + 1);
        let (status, row) = match value {
            Some(value) => ("active", values(*id, *value, FILES[*file].1)),
            None => ("tobedeleted", values(*id, 0, FILES[*file].1)),
        };
        changes[*file].push(line(*id, status, &date, &row));
        match value {
            Some(_) => _ = model[*file].insert(*id, row),
            None => _ = model[*file].remove(id),
        }
    }
    let mut texts = Vec::new();
    // Of files that are whole there are all, or the others would be gone.
    let all_whole = number == 0 || (0..3).all(|file| whole[file] || changes[file].is_empty());
    for (file, (name, columns)) in FILES.iter().enumerate() {
        let header = format!("sourcedId,status,dateLastModified,{}\n", columns.join(","));
        if all_whole || whole[file] {
            let all: String = model[file].iter().map(|(id, row)| line(*id, "", "", row)).collect();
            texts.push((*name, "bulk", header + &all));
        } else if !changes[file].is_empty() {
            if *disorder {
                changes[file].reverse();
            }
            texts.push((*name, "delta", header + &changes[file].concat()));
        }
    }
    let files: Vec<_> = texts.iter().map(|(name, mode, text)| (*name, *mode, text.as_str())).collect();
    let package = package(version, &files);
    // Without those that have to be named.
    let styles: Vec<Style> = Style::all().into_iter().filter(|style| style.encoding != "windows-1252").collect();
    styles[style % styles.len()].apply(&package.0);
    package
}

fn is_the_model(set: &[Source], model: &Model) {
    for (file, (name, columns)) in FILES.iter().enumerate() {
        let row = |(id, row): (&u8, &Vec<String>)| {
            let mut row: Vec<_> = columns.iter().map(|c| (*c).to_owned()).zip(row.iter().cloned()).collect();
            row.push(("sourcedId".to_owned(), format!("id{id}")));
            row.sort();
            (format!("id{id}"), row)
        };
        let expected: BTreeMap<_, _> = model[file].iter().map(row).collect();
        assert_eq!(rows(set, &format!("{name}.csv")), expected, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// Whole files and changes of some days in any mixture, records that come, change, go and come again, in any order,
    /// encoding and version: what is there in the end is what the last day has. Packages that are sent again, late, as
    /// long as no file was sent whole since, change nothing.
    #[test]
    fn a_set_with_all_changes_is_the_set_of_the_last_day(
        version in prop_oneof![Just("1.1"), Just("1.2")],
        days in proptest::collection::vec((
            proptest::collection::vec((0..3_usize, 0..5_u8, proptest::option::weighted(0.7, any::<u8>())), 0..12),
            any::<[bool; 3]>(),
            any::<usize>(),
            any::<bool>(),
        ), 1..6),
    ) {
        let mut model = Model::default();
        // The form of 1.1 is told from the manifest, which 1.2 has other properties in.
        let (mut set, first) = package_of_day(version, 0, &days[0], &mut model);
        let mut kept = vec![first];
        let mut since: Vec<Vec<Source>> = Vec::new();
        for (number, day) in days.iter().enumerate().skip(1) {
            let (changes, dir) = package_of_day(version, number, day, &mut model);
            kept.push(dir);
            if !is_delta(&changes).unwrap() {
                (set, since) = (changes, Vec::new());
                continue;
            }
            if day.1 == [false; 3] { since.push(changes.clone()) } else { since.clear() }
            let again = since.as_slice();
            for package in std::iter::once(&changes).chain(again) {
                let (applied, found, out) = applied(&set, package);
                prop_assert!(applied.catastrophic.is_none(), "{:?}", found);
                set = Source::list(out.path()).unwrap();
                kept.push(out);
            }
            is_the_model(&set, &model);
        }
    }
}

/// What is found in changes by themselves, and in the records that they put in.
#[test]
fn without_a_set_references_are_decided_as_far_as_they_can_be() {
    let orgs = "sourcedId,status,dateLastModified,name,type,parentSourcedId\n\
        A,active,2026-09-02,A,school,far away\nB,tobedeleted,2026-09-02,B,school,\nC,active,2026-09-02,,school,\nD,active,2026-09-02,D,school,B\n";
    let sessions = "sourcedId,title,type,startDate,endDate,schoolYear\nT,T,term,2026-08-24,2026-12-18,2027\n";
    let classes = "sourcedId,status,dateLastModified,title,classType,courseSourcedId,schoolSourcedId,termSourcedIds\n\
        1,active,2026-09-02,here,scheduled,K,A,T\n2,active,2026-09-02,elsewhere,scheduled,K,Z,T\n3,active,2026-09-02,deleted,scheduled,K,B,T\n\
        4,active,2026-09-02,dropped,scheduled,K,C,T\n5,active,2026-09-02,of a whole file,scheduled,K,A,U\n";
    let users = "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,givenName,familyName\n\
        u,tobedeleted,2026-09-02,true,A,student,u,U,U\n";
    let files = [("orgs", "delta", orgs), ("academicSessions", "bulk", sessions), ("users", "delta", users), ("classes", "delta", classes)];
    let (changes, _changes) = package("1.1", &files);
    let (out, mut found) = (tempfile::tempdir().unwrap(), Vec::new());
    let applied = check(None, &changes, now(), None, None, out.path(), &mut |finding| {
        found.push(finding.clone());
        Ok(())
    })
    .unwrap();
    assert_eq!((found.as_slice(), applied.catastrophic), ([].as_slice(), None), "nobody misses the records that are to be deleted");
    let (codes, mut progress) = (crate::testing::codes(), |_: &str, _| true);
    let mut options = crate::IngestOptions { changes: Some(&applied.deleted), ..crate::IngestOptions::new(&codes, &mut progress) };
    let report = crate::validate(&applied.files, &mut options, &mut |finding| {
        let mut finding = finding.clone();
        assert_eq!(applied.origins.trace(&mut finding), Origin::Changes);
        found.push(finding);
        Ok(())
    });
    let told: Vec<_> = found.iter().map(|f| format!("{} {}:{} {}", f.code, f.file, f.line, f.column.unwrap_or("-"))).collect();
    assert_eq!(
        told,
        [
            "RequiredValueMissing orgs.csv:4 name",
            "OptionalReferenceNotFound orgs.csv:5 parentSourcedId",
            "ReferenceNotFound classes.csv:4 schoolSourcedId",
            "ReferencedRecordDropped classes.csv:5 schoolSourcedId",
            "ReferenceNotFound classes.csv:6 termSourcedIds",
        ]
    );
    assert_eq!(report.unwrap().catastrophic, None, "a file that only deletes is no broken export");
}

/// A rule that needs all rows of a file is not asked where there are only changes of it.
#[test]
fn a_role_may_be_in_the_set_that_changes_are_for() {
    let users = "sourcedId,status,dateLastModified,enabledUser,username,givenName,familyName,primaryOrgSourcedId\n\
        u,active,2026-09-02,true,u,U,U,A\n";
    let roles = "sourcedId,status,dateLastModified,userSourcedId,roleType,role,orgSourcedId\nr,active,2026-09-02,v,primary,student,A\n";
    let found = |mode| {
        let orgs = ("orgs", "bulk", "sourcedId,name,type\nA,A,school\n");
        let (changes, _changes) = package("1.2", &[orgs, ("users", "delta", users), ("roles", mode, roles)]);
        let (out, mut found) = (tempfile::tempdir().unwrap(), Vec::new());
        let applied = check(None, &changes, now(), None, None, out.path(), &mut |_| Ok(())).unwrap();
        let (codes, mut progress) = (crate::testing::codes(), |_: &str, _| true);
        let mut options = crate::IngestOptions { changes: Some(&applied.deleted), ..crate::IngestOptions::new(&codes, &mut progress) };
        crate::validate(&applied.files, &mut options, &mut |finding| {
            found.extend((finding.file == "users.csv").then_some(finding.code));
            Ok(())
        })
        .unwrap();
        found
    };
    assert_eq!((found("delta"), found("bulk")), (Vec::new(), vec!["PrimaryOrgWithoutRole"]));
}
