use super::*;

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

fn applied(base: &[Source], changes: &[Source]) -> (Applied, Vec<String>, tempfile::TempDir) {
    applied_with(Parts::Records, base, changes)
}

fn applied_with(parts: Parts, base: &[Source], changes: &[Source]) -> (Applied, Vec<String>, tempfile::TempDir) {
    let (out, mut found) = (tempfile::tempdir().unwrap(), Vec::new());
    let applied = apply(base, changes, parts, None, out.path(), &mut |finding| {
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
fn parts_of_a_user_who_has_changed_are_those_of_the_package_and_no_others() {
    let roles = "sourcedId,status,dateLastModified,userSourcedId,roleType,role,orgSourcedId\n";
    let base_roles =
        format!("{roles}r1,,,u1,primary,student,A\nr2,,,u1,secondary,student,B\nr3,,,u2,primary,student,A\nr4,,,u3,primary,student,A\n");
    let profiles = "sourcedId,status,dateLastModified,userSourcedId,profileType\n";
    let base_profiles = format!("{profiles}p1,,,u1,lms\np3,,,u3,lms\n");
    let base = [
        ("users", "bulk", "sourcedId,status,dateLastModified,username\nu1,,,ann\nu2,,,bob\nu3,,,cem\n"),
        ("roles", "bulk", base_roles.as_str()),
        ("userProfiles", "bulk", base_profiles.as_str()),
    ];
    let (base, _base) = package("1.2", &base);
    // Ann leaves B and teaches at A; Bob is gone, and nobody says so of his role.
    let users = "sourcedId,status,dateLastModified,username\nu1,active,2026-09-02,ann\nu2,tobedeleted,2026-09-02,bob\n";
    let new_roles = format!("{roles}r5,active,2026-09-02,u1,primary,teacher,A\n");
    let changes = [("users", "delta", users), ("roles", "delta", new_roles.as_str()), ("userProfiles", "delta", profiles)];
    let (changes, _changes) = package("1.2", &changes);
    let keys = |out: &tempfile::TempDir, name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(out.path().join(name)).unwrap_or_default();
        text.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
    };
    let (applied, found, out) = applied_with(Parts::OfUsers, &base, &changes);
    assert_eq!(applied.catastrophic, None, "{found:?}");
    assert_eq!(
        ["users.csv", "roles.csv", "userProfiles.csv"].map(|name| keys(&out, name)),
        [vec!["u3", "u1"], vec!["r4", "r5"], vec!["p3"]]
    );
    // In the CSV binding each is a record of its own, and stays until somebody says that it goes.
    let (_, _, out) = applied_with(Parts::Records, &base, &changes);
    assert_eq!(keys(&out, "roles.csv"), ["r1", "r2", "r3", "r4", "r5"]);
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
