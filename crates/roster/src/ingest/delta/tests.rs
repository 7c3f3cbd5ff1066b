use super::*;

const MODES: [&str; 13] = [
    "academicSessions",
    "categories",
    "classes",
    "classResources",
    "courses",
    "courseResources",
    "demographics",
    "enrollments",
    "lineItems",
    "orgs",
    "resources",
    "results",
    "users",
];

/// A package of 1.1 with the modes of these files, all others absent.
fn package(version: &str, files: &[(&str, &str, &str)]) -> (Vec<Source>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = format!("propertyName,value\nmanifest.version,1.0\noneroster.version,{version}\n");
    for stem in MODES {
        let mode = files.iter().find(|(name, ..)| *name == stem).map_or("absent", |(_, mode, _)| mode);
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

fn applied(base: &[Source], changes: &[Source]) -> (Applied, Vec<String>, tempfile::TempDir) {
    let (out, mut found) = (tempfile::tempdir().unwrap(), Vec::new());
    let applied = apply(base, changes, None, out.path(), &mut |finding| {
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
    assert_eq!((found, applied.catastrophic), (Vec::new(), None));
    let read = |name: &str| std::fs::read_to_string(out.path().join(name)).unwrap();
    assert_eq!(
        read("orgs.csv"),
        "\u{feff}sourcedId,status,dateLastModified,name,type,identifier\nB,,,B,school,\nC,,,C,\nE,,,\"say \"\"E\"\"\",school,8\nD,,,new,district,9\n"
    );
    assert_eq!(read("users.csv"), "sourcedId\n1\n");
    assert_eq!((applied.written, applied.replaced), (2, 3));
    assert_eq!(applied.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["orgs.csv", "users.csv", "manifest.csv"]);
    assert!(!is_delta(&applied.files).unwrap() && is_delta(&changes).unwrap());
    assert!(manifest::check(Format::OneRoster11, &applied.files).is_empty());
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
        ("courses", "delta", "sourcedId,status,dateLastModified,title\nK,active,2026-09-02,K\nL,tobedeleted,2026-09-02,L\n"),
    ];
    let (changes, _changes) = package("1.1", &changes);
    let (_, found, out) = applied(&base, &changes);
    assert_eq!(found, Vec::<String>::new());
    let read = |name: &str| std::fs::read_to_string(out.path().join(name)).unwrap();
    assert_eq!(read("orgs.csv"), "sourcedId,name\nZ,Z\n");
    assert_eq!(read("courses.csv"), "\u{feff}sourcedId,status,dateLastModified,title\nK,,,K\n");
    assert_eq!(read("users.csv"), "sourcedId\n1\n");
}

#[test]
fn without_a_set_of_the_same_version_nothing_is_applied() {
    let (changes, _changes) = package("1.1", &[("orgs", "delta", "sourcedId,status,dateLastModified\nB,active,2026-09-02\n")]);
    let (nothing, found, _) = applied(&[], &changes);
    assert_eq!((found, nothing.files), (vec!["DeltaWithoutBase manifest.csv:0 -".to_owned()], Vec::new()));
    let (base, _base) = package("1.2", &[("orgs", "bulk", ORGS)]);
    let (other, found, _) = applied(&base, &changes);
    assert_eq!((found, other.files), (vec!["DeltaBaseVersion manifest.csv:0 -".to_owned()], Vec::new()));
    let (base, _base) = package("1.1", &[("orgs", "bulk", ORGS)]);
    let (changes, _changes) = package("1.1", &[("orgs", "delta", "sourcedId,status\nB,active\n")]);
    let (headless, found, _) = applied(&base, &changes);
    assert_eq!((found, headless.files), (vec!["HeaderNotFound orgs.csv:1 dateLastModified".to_owned()], Vec::new()));
}
