//! OneRoster packages that others made, packages of changes, and what becomes of records.

use super::dirty::generate;
use super::examples::manifest_1_2;
use super::samples::sample;
use super::{Loaded, load, load_as, sources};
use roster::{Entity, Finding, Format, Source, basic_validate, delta};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A sample's folder, or its archive unpacked.
fn package(parts: &[&str]) -> Option<(PathBuf, Option<tempfile::TempDir>)> {
    let path = sample(parts)?;
    if path.is_dir() {
        return Some((path, None));
    }
    let dir = tempfile::tempdir().unwrap();
    let unpacked = Command::new("python3").args(["-m", "zipfile", "-e"]).args([&path, &dir.path().to_owned()]).status();
    match unpacked {
        Ok(status) => assert!(status.success(), "{}", path.display()),
        Err(error) => {
            println!("skipped: no python3 here ({error})");
            return None;
        }
    }
    Some((dir.path().to_owned(), Some(dir)))
}

/// Findings by code, file and column.
fn counted<'f>(found: impl IntoIterator<Item = &'f Finding>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for finding in found {
        let of = format!("{} {} {}", finding.code, finding.file, finding.column.unwrap_or("-"));
        *counts.entry(of).or_default() += 1;
    }
    counts
}

/// What a sample's findings must be, each with the reason.
type Reasons = &'static [(usize, &'static str, &'static str)];

/// What is wrong with every step of one district's snapshots.
const RJEIKE: Reasons = &[
    (1, "ManifestNotFound manifest.csv -", "there is none"),
    (3, "InvalidDate academicSessions.csv startDate", "8/27/2018"),
    (3, "InvalidDate academicSessions.csv endDate", "5/31/2019"),
    (1, "RecordGone classes.csv status", "toBeDeleted"),
    (2, "ReferenceNotFound classes.csv schoolSourcedId", "Sch_000002; orgs.csv has Sch_S00002"),
    (3, "ReferenceNotFound users.csv orgSourcedIds", "Sch_000002"),
    (3, "ReferencedRecordDropped enrollments.csv classSourcedId", "their classes are dropped"),
    (3, "ReferencedRecordDropped enrollments.csv userSourcedId", "their people are dropped"),
    (1, "UnknownColumn enrollments.csv -", "three columns without a name"),
];

/// A package that fills what a bulk file leaves blank.
const FILLED: Reasons = &[
    (1, "StatusInBulkFile academicSessions.csv -", ACTIVE),
    (1, "StatusInBulkFile classes.csv -", ACTIVE),
    (1, "StatusInBulkFile enrollments.csv -", ACTIVE),
    (1, "StatusInBulkFile orgs.csv -", ACTIVE),
    (1, "StatusInBulkFile users.csv -", ACTIVE),
];
const ACTIVE: &str = "active and a time in its rows, and bulk in the manifest";

const TERMS: &str = "ReferenceNotFound classes.csv termSourcedIds";
const YEARS: &str = "OptionalReferenceNotFound courses.csv schoolYearSourcedId";
const NO_TERM: &str = "267_FYT_2019; academicSessions.csv has 001_FYT_2019";
const NO_YEAR: &str = "2019 is no session";

#[test]
fn packages_of_others_have_the_findings_that_they_deserve() {
    let step = |name: &'static str, more: Reasons| (vec!["oneroster-1.1", "rjeike-steps", name], Format::OneRoster11, [RJEIKE, more]);
    let cases: Vec<(Vec<&str>, Format, [Reasons; 2])> = vec![
        (
            vec!["oneroster-1.1", "gospelnerd-school"],
            Format::OneRoster11,
            [FILLED, &[(1, "StatusInBulkFile courses.csv -", ACTIVE), (1, "StatusInBulkFile demographics.csv -", ACTIVE)]],
        ),
        (
            vec!["oneroster-1.1", "oat-base"],
            Format::OneRoster11,
            [
                &[
                    (1, "StatusInBulkFile orgs.csv -", ACTIVE),
                    (1, "UnknownColumn orgs.csv -", "extensions without the prefix metadata."),
                    (1, "HeaderNotFound academicSessions.csv schoolYear", "a draft of 1.1 did not have it"),
                ],
                &[],
            ],
        ),
        step("Step0-Start", &[(3, TERMS, NO_TERM), (4, YEARS, NO_YEAR)]),
        step(
            "Step1-UpdateCourse",
            &[(3, TERMS, NO_TERM), (5, YEARS, NO_YEAR), (1, "InvalidOptionalCode courses.csv status", "inactive was in drafts only")],
        ),
        step("Step2-AddCourse", &[(3, TERMS, NO_TERM), (5, YEARS, NO_YEAR)]),
        step("Step3-DeleteCourse", &[(3, TERMS, NO_TERM), (4, YEARS, NO_YEAR)]),
        step("Step4-AddClass", &[(4, TERMS, NO_TERM), (4, YEARS, NO_YEAR)]),
        (
            vec!["oneroster-1.1", "moodle-full", "Test_full_data_set.zip"],
            Format::OneRoster11,
            [
                &[
                    (1, "InvalidOptionalCode academicSessions.csv status", "inactive was in drafts only"),
                    (6, "InvalidOptionalValue users.csv phone", "ten digits are not E.164"),
                    (6, "InvalidOptionalValue users.csv sms", "ten digits are not E.164"),
                    (1, "ListLengthsDiffer classes.csv subjectCodes", "three subjects, two codes"),
                    (2, "OptionalReferenceNotFound academicSessions.csv parentSourcedId", "the school year is not in the file"),
                    (1, "OptionalReferenceNotFound orgs.csv parentSourcedId", "the school is not in the file"),
                    (
                        3,
                        "OutsideOfSession enrollments.csv beginDate",
                        "from March to June, in a class of the term from September to December",
                    ),
                    (1, "RecordGone academicSessions.csv status", "tobedeleted"),
                    (1, "RecordGone classes.csv status", "tobedeleted"),
                    (1, "ReferencedFileMissing classes.csv courseSourcedId", "there is no courses.csv"),
                    (3, "ReferencedRecordDropped enrollments.csv classSourcedId", "of the class to be deleted, but active"),
                ],
                FILLED,
            ],
        ),
        (vec!["oneroster-1.2", "longsight-valid", "full-bulk-package.zip"], Format::OneRoster12, [&[], &[]]),
        (vec!["oneroster-1.2", "longsight-valid", "rostering-bulk-package.zip"], Format::OneRoster12, [&[], &[]]),
        (
            vec!["oneroster-1.2", "longsight-valid", "manifest-only-package.zip"],
            Format::OneRoster12,
            [
                &[
                    (1, "RequiredFileNotFound orgs.csv -", "a package without a roster is no export of a roster"),
                    (1, "RequiredFileNotFound users.csv -", "nor without people"),
                    (1, "RequiredFileNotFound roles.csv -", "nor without what they are"),
                ],
                &[],
            ],
        ),
        (
            vec!["oneroster-1.2", "moodle-test-data", "oneroster_test_data.zip"],
            Format::OneRoster12,
            [&[(1, "DeltaWithoutBase academicSessions.csv -", "every file is delta, and there is no set before")], &[]],
        ),
        (vec!["broken", "oneroster-1.2-longsight", "semantic-validation-failure.zip"], Format::OneRoster12, [&[], &[]]),
    ];
    let mut differing = Vec::new();
    for (parts, format, reasons) in cases {
        let Some((folder, _dir)) = package(&parts) else { return };
        let loaded = load(&folder, None);
        assert_eq!(loaded.report.detected.format, Ok(format), "{parts:?}");
        let expected: BTreeMap<String, usize> = reasons.into_iter().flatten().map(|(count, of, _)| ((*of).to_owned(), *count)).collect();
        let found = counted(&loaded.found);
        if found != expected {
            differing.push(format!("{parts:?}\nfound {found:#?}\nexpected {expected:#?}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// The project that made these packages says what is wrong with each; see its own codes beside them.
#[test]
fn broken_packages_are_refused_or_remarked_on() {
    let broken = |name: &'static str| package(&["broken", "oneroster-1.2-longsight", name]);
    // Not a word about any file says that it is OneRoster: somebody has to.
    let Some((nothing, _dir)) = broken("missing-manifest.zip") else { return };
    let basic = basic_validate(&sources(&nothing), Some(Format::OneRoster12));
    assert!(counted(&basic.errors).contains_key("RequiredFileNotFound manifest.csv -"));
    for (name, code) in [
        ("unknown-zip-entry.zip", "UnsupportedFile extra.csv -"),
        ("manifest-marks-present-file-absent.zip", "ManifestInvalid manifest.csv -"),
        ("schema-header-and-metadata-failures.zip", "HeaderOrder users.csv -"),
        ("schema-header-and-metadata-failures.zip", "HeaderOrder classes.csv -"),
        // The target that is missing is one of a gradebook, which is not read; the roster is missing too.
        ("missing-target-file-failure.zip", "RequiredFileNotFound users.csv -"),
    ] {
        let Some((folder, _dir)) = broken(name) else { return };
        let basic = basic_validate(&sources(&folder), None);
        assert_eq!(basic.detected.format, Ok(Format::OneRoster12));
        assert!(counted(basic.errors.iter().chain(&basic.warnings)).contains_key(code), "{name}: {basic:?}");
    }
    let Some((base, _dir)) = package(&["oneroster-1.2", "longsight-valid", "rostering-bulk-package.zip"]) else { return };
    for (name, expected) in [
        ("delta-lifecycle-datetime-failure.zip", &["InvalidDate users.csv dateLastModified"][..]),
        (
            "delta-lifecycle-required-failure.zip",
            &["RequiredValueMissing users.csv dateLastModified", "RequiredValueMissing users.csv status"],
        ),
    ] {
        let Some((changes, _dir)) = broken(name) else { return };
        let (applied, found, _out) = apply(&sources(&base), &sources(&changes));
        assert_eq!(counted(&found).into_keys().collect::<Vec<_>>(), expected, "{name}");
        assert_eq!((applied.catastrophic, applied.written, applied.replaced), (None, 0, 0));
    }
}

/// Files under other names, and with columns of neither version.
#[test]
fn half_an_idea_of_the_format_is_a_finding() {
    let Some((folder, _)) = package(&["oneroster-1.2", "jpp-sample"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    for source in sources(&folder) {
        std::fs::copy(&source.path, dir.path().join(source.name.trim_start_matches("sample_"))).unwrap();
    }
    let loaded = load(dir.path(), None);
    assert_eq!(loaded.report.detected.format, Ok(Format::OneRoster11));
    assert_eq!(loaded.report.catastrophic.map(|f| (f.code, f.column)), Some(("HeaderNotFound", Some("orgSourcedIds"))));

    let Some((folder, _)) = package(&["broken", "oneroster-1.2-rosterhub-export"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(&sources(&folder)[0].path, dir.path().join("users.csv")).unwrap();
    std::fs::write(dir.path().join("orgs.csv"), "sourcedId,name,type\nA,A,school\n").unwrap();
    let loaded = load(dir.path(), None);
    // Three people without an organization; the fourth is to be deleted.
    assert_eq!(counted(&loaded.found).get("RequiredValueMissing users.csv orgSourcedIds"), Some(&3), "{}", loaded.first_findings());
}

fn apply(base: &[Source], changes: &[Source]) -> (delta::Applied, Vec<Finding>, tempfile::TempDir) {
    let (out, mut found) = (tempfile::tempdir().unwrap(), Vec::new());
    let applied = delta::apply(base, changes, jiff::Timestamp::now(), delta::Parts::Records, None, out.path(), &mut |finding| {
        found.push(finding.clone());
        Ok(())
    });
    (applied.unwrap(), found, out)
}

/// Content of every segment.
fn content(loaded: &Loaded) -> Vec<(String, u64, String)> {
    let mut all: Vec<_> = loaded.report.segments.iter().map(|s| (s.file.clone(), s.rows, s.hash.clone())).collect();
    all.sort();
    all
}

fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(dir.join(name), text).unwrap();
    }
}

fn fields(loaded: &Loaded, entity: Entity) -> Vec<String> {
    loaded.records(entity).into_iter().map(|(_, fields)| fields.join("|")).collect()
}

const SHARED: [(&str, &str); 3] = [
    ("orgs.csv", "sourcedId,name,type\nD,D,district\nA,A,school\nB,B,school\nX,X,school\n"),
    (
        "enrollments.csv",
        "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role\n\
         e1,,,K,A,s1,student\ne2,,,K,A,t1,teacher\ne3,,,K,A,off,student\ne4,tobedeleted,,nothing,A,nobody,student\n",
    ),
    ("demographics.csv", "sourcedId,sex,asian,white,hispanicOrLatinoEthnicity,cityOfBirth\ns1,female,TRUE,true,True,Wien\ns2,,false,,,\n"),
];

#[test]
fn records_of_1_1_are_mapped() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &SHARED);
    write(
        dir.path(),
        &[
            (
                "academicSessions.csv",
                "sourcedId,title,type,startDate,endDate,parentSourcedId,schoolYear\nY,Y,schoolYear,2026-08-24,2027-06-11,,2026-2027\n",
            ),
            (
                "courses.csv",
                "sourcedId,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,subjectCodes\nC,Y,C,c,9,D,\"x,y\",\"MATH,02\"\n",
            ),
            (
                "users.csv",
                "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,givenName,familyName,identifier,email,agentSourcedIds,grades,password,metadata.microsoft.userFlags,metadata.shoe\n\
                 s1,active,2026-09-01,TRUE,\"A,B\",student,s1,S,One,77,S1@x.example,\"g1,t1\",\"9,10\",secret,\"iep,504\",43\n\
                 s2,,,true,A,student,s2,S,Two,,,,,,,\n\
                 t1,,,true,A,aide,t1,T,One,,,,,,,\n\
                 off,,,false,A,student,off,O,Ff,,,g1,,,,\n\
                 g1,,,true,A,guardian,g1,G,One,,g1@x.example,\"s1,s2\",,,,\n\
                 gone,tobedeleted,2026-09-01,perhaps,,,,,,,,,,,,\n",
            ),
            (
                "classes.csv",
                "sourcedId,title,courseSourcedId,classCode,classType,schoolSourcedId,termSourcedIds\nK,K,C,k,Scheduled,A,\"Y\"\n",
            ),
            (
                "manifest.csv",
                "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.orgs,bulk\nfile.users,bulk\nfile.classes,bulk\nfile.courses,bulk\nfile.enrollments,bulk\nfile.demographics,bulk\nfile.academicSessions,bulk\n",
            ),
        ],
    );
    let loaded = load(dir.path(), None);
    let codes: Vec<_> = loaded.found.iter().map(|f| format!("{} {}:{}", f.code, f.file, f.line)).collect();
    assert_eq!(
        codes,
        ["StatusInBulkFile users.csv:2", "UserNotEnabled users.csv:5", "RecordGone users.csv:7", "RecordGone enrollments.csv:5"]
    );
    assert_eq!(fields(&loaded, Entity::Session), ["Y|Y|schoolYear|2027|2026-08-24|2027-06-11"]);
    assert_eq!(fields(&loaded, Entity::Course), ["C|D|C|c|Y|02|09"]);
    assert_eq!(fields(&loaded, Entity::User)[2], "s1|s1|S|One|||s1@x.example|||77");
    assert_eq!(fields(&loaded, Entity::User).len(), 5);
    assert_eq!(
        fields(&loaded, Entity::Role),
        ["s1|A|student||09|||", "s1|B|student||09|||", "s2|A|student|||||", "t1|A|teacherAssistant|||||"]
    );
    assert_eq!(fields(&loaded, Entity::Class), ["K|A|K|Y|C|k"]);
    assert_eq!(fields(&loaded, Entity::Enrollment), ["K|s1|student", "K|t1|teacher"]);
    assert_eq!(fields(&loaded, Entity::UserFlag), ["s1|504", "s1|IEP"]);
    assert_eq!(fields(&loaded, Entity::Relationship), ["off|g1|guardian", "s1|g1|guardian", "s2|g1|guardian"]);
    assert_eq!(fields(&loaded, Entity::Demographic), ["s1|female||Wien|||hispanicOrLatinoEthnicity|asian,white", "s2|||||||"]);
}

#[test]
fn records_of_1_2_are_mapped() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &SHARED);
    write(
        dir.path(),
        &[
            ("academicSessions.csv", "sourcedId,title,type,startDate,endDate,schoolYear\nT,T,ext:block,2026-08-24,2027-06-11,2027\n"),
            ("courses.csv", "sourcedId,schoolYearSourcedId,title,orgSourcedId\nC,T,C,D\n"),
            (
                "users.csv",
                "sourcedId,enabledUser,username,givenName,familyName,agentSourcedIds,grades\n\
                 s1,true,s1,S,One,,\"9,10\"\ns2,true,s2,S,Two,g1,\nt1,true,t1,T,One,,9\noff,false,off,O,Ff,,1\ng1,true,g1,G,One,s1,\ng 2,true,g2,G,Two,,\n",
            ),
            (
                "roles.csv",
                "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId\n\
                 r1,,,s1,primary,student,2026-08-24,2027-06-11,A,\nr2,,,s1,secondary,Student,,,B,\nr3,,,s2,primary,student,,,A,\n\
                 r4,,,t1,primary,counselor,,,A,\nr5,,,t1,secondary,ext:chef,,,A,\nr6,,,off,primary,student,,,A,\nr7,,,g1,primary,relative,,,A,\n\
                 r8,,,t1,secondary,wizard,,,A,\n",
            ),
            ("classes.csv", "sourcedId,title,courseSourcedId,classType,schoolSourcedId,termSourcedIds\nK,K,C,ext:club,D,\"T,nothing\"\n"),
        ],
    );
    let loaded = load_as(dir.path(), Some(Format::OneRoster12));
    assert_eq!(loaded.report.catastrophic.as_ref().map(|f| f.file.as_str()), Some("manifest.csv"));
    let files: Vec<String> = sources(dir.path()).into_iter().map(|source| source.name).collect();
    let manifest = manifest_1_2(&files.iter().map(String::as_str).collect::<Vec<_>>());
    write(dir.path(), &[("manifest.csv", &manifest)]);
    let loaded = load(dir.path(), None);
    let codes: Vec<_> = loaded.found.iter().map(|f| format!("{} {}:{} {}", f.code, f.file, f.line, f.column.unwrap_or("-"))).collect();
    assert_eq!(
        codes,
        [
            "ReferenceOfOtherType courses.csv:2 schoolYearSourcedId",
            "UserNotEnabled users.csv:5 enabledUser",
            "InvalidValue users.csv:7 sourcedId",
            "InvalidReferenceCode roles.csv:9 role",
            "OptionalReferenceNotFound classes.csv:2 termSourcedIds",
            "ReferenceOfOtherType classes.csv:2 schoolSourcedId",
            "RecordGone enrollments.csv:5 status",
        ]
    );
    assert_eq!(fields(&loaded, Entity::Session), ["T|T|term|2027|2026-08-24|2027-06-11"]);
    assert_eq!(
        fields(&loaded, Entity::Role),
        [
            "s1|A|student||09|true|2026-08-24|2027-06-11",
            "s1|B|student||09|false||",
            "s2|A|student|||true||",
            "t1|A|advisor|||true||",
            "t1|A|other|||false||"
        ]
    );
    assert_eq!(fields(&loaded, Entity::Class), ["K|D|K|T|C|"]);
    assert_eq!(fields(&loaded, Entity::Relationship), ["s1|g1|relative", "s2|g1|relative"]);
    // A version that is named outweighs the one that the files show, and the manifest does not fit it then.
    let named = load_as(dir.path(), Some(Format::OneRoster11));
    assert!(named.codes().contains(&"ManifestIrregular"), "{:?}", named.codes());
}

/// A package of 1.2 with these files, which the manifest calls bulk.
fn bulk_1_2(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let small = [
        ("orgs.csv", "sourcedId,name,type\nA,A,school\nB,B,school\n"),
        ("users.csv", "sourcedId,enabledUser,username,givenName,familyName\nu1,true,u1,U,One\nu2,true,u2,U,Two\n"),
        ("roles.csv", "sourcedId,userSourcedId,roleType,role,orgSourcedId\nr1,u1,primary,teacher,A\nr2,u2,primary,teacher,A\n"),
        (
            "academicSessions.csv",
            "sourcedId,title,type,startDate,endDate,schoolYear\nF,Fall,term,2026-08-24,2026-12-18,2027\nS,Spring,term,2027-01-11,2027-06-11,2027\n",
        ),
        ("courses.csv", "sourcedId,title,orgSourcedId\nC,C,A\n"),
        (
            "classes.csv",
            "sourcedId,title,courseSourcedId,classType,schoolSourcedId,termSourcedIds\nK,K,C,scheduled,A,F\nL,L,C,scheduled,A,\"F,S\"\n",
        ),
    ];
    let of = |name: &str| files.iter().find(|(other, _)| *other == name);
    let all: Vec<_> = small.iter().filter(|(name, _)| of(name).is_none()).chain(files).copied().collect();
    write(dir.path(), &all);
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    write(dir.path(), &[("manifest.csv", &manifest_1_2(&names))]);
    dir
}

fn told(loaded: &Loaded) -> Vec<String> {
    assert_eq!(loaded.report.catastrophic, None);
    let told = |f: &Finding| format!("{}:{} {} {}", f.file, f.line, f.code, f.column.unwrap_or("-"));
    loaded.found.iter().filter(|f| f.code != "HeaderOrder").map(told).collect()
}

#[test]
fn a_class_has_one_primary_teacher_and_an_organization_one_primary_role_of_a_person() {
    let dir = bulk_1_2(&[
        (
            "users.csv",
            "sourcedId,enabledUser,username,givenName,familyName\nu1,true,u1,U,One\nu2,true,u2,U,Two\nu3,true,u3,U,Three\noff,false,off,O,Ff\n",
        ),
        (
            "roles.csv",
            "sourcedId,userSourcedId,roleType,role,orgSourcedId\nr1,u1,primary,teacher,A\nr2,u1,primary,aide,A\nr3,u1,primary,teacher,B\n\
             r4,u2,secondary,teacher,A\nr5,u2,primary,teacher,A\nr6,u3,primary,student,A\nr7,off,primary,teacher,A\n",
        ),
        (
            "enrollments.csv",
            "sourcedId,classSourcedId,schoolSourcedId,userSourcedId,role,primary\n\
             e1,K,A,off,teacher,true\ne2,K,A,u3,student,true\ne3,K,A,u1,teacher,maybe\ne4,K,A,u1,teacher,true\ne5,K,A,u2,teacher,TRUE\n\
             e6,K,A,u2,teacher,false\ne7,L,A,u2,teacher,true\ne7,L,A,u2,teacher,true\n",
        ),
    ]);
    let loaded = load(dir.path(), None);
    assert_eq!(
        told(&loaded),
        [
            "users.csv:5 UserNotEnabled enabledUser",
            "roles.csv:3 SecondPrimary roleType",
            "enrollments.csv:4 InvalidOptionalValue primary",
            "enrollments.csv:6 SecondPrimary primary",
            "enrollments.csv:9 DuplicateRecord -",
        ]
    );
    let message = |line| loaded.found.iter().find(|f| f.code == "SecondPrimary" && f.line == line).unwrap().message.clone();
    assert_eq!(message(3), "'u1' has a primary role in 'A' on line 2; this one is not primary.");
    assert_eq!(message(6), "The class 'K' has a primary teacher on line 5; this one is not primary.");
    // The record stays without its claim.
    let primary: Vec<String> = loaded.records(Entity::Role).iter().map(|(_, f)| format!("{} {} {} {}", f[0], f[1], f[2], f[5])).collect();
    assert_eq!(
        primary,
        ["u1 A teacher true", "u1 A teacherAssistant false", "u1 B teacher true", "u2 A teacher false", "u3 A student true"]
    );
    assert_eq!(fields(&loaded, Entity::Enrollment), ["K|u1|teacher", "K|u2|teacher", "K|u3|student", "L|u2|teacher"]);
}

#[test]
fn enrolments_are_within_the_sessions_of_their_class() {
    let dir = bulk_1_2(&[
        (
            "academicSessions.csv",
            "sourcedId,status,title,type,startDate,endDate,schoolYear\nF,,Fall,term,2026-08-24T00:00:00,2026-12-31,2027\n\
             S,,Spring,term,2027-01-11,2027-06-11,2027\nG,tobedeleted,Gone,term,2027-01-11,2027-06-11,2027\n",
        ),
        (
            "classes.csv",
            "sourcedId,title,courseSourcedId,classType,schoolSourcedId,termSourcedIds\nK,K,C,scheduled,A,F\nL,L,C,scheduled,A,\"F,S\"\n\
             M,M,C,scheduled,A,\"F,G\"\n",
        ),
        (
            "enrollments.csv",
            "sourcedId,classSourcedId,schoolSourcedId,userSourcedId,role,beginDate,endDate\n\
             e1,K,A,u1,teacher,2026-08-24,2027-01-01\ne2,K,A,u2,student,2026-08-23,2026-12-01\ne3,K,A,u2,student,2026-08-24,2027-01-02\n\
             e4,K,A,u2,student,2027-01-01,\ne5,K,A,u2,student,,2026-08-01\ne6,K,A,u2,student,,\n\
             e7,L,A,u2,student,2026-12-31,2027-06-12\ne8,L,A,u2,student,2026-09-01,2027-06-13\ne9,M,A,u2,student,2030-01-01,\n",
        ),
    ]);
    let loaded = load(dir.path(), None);
    assert_eq!(
        told(&loaded),
        [
            "academicSessions.csv:4 RecordGone status",
            "classes.csv:4 OptionalReferenceNotFound termSourcedIds",
            "enrollments.csv:3 OutsideOfSession beginDate",
            "enrollments.csv:4 OutsideOfSession endDate",
            "enrollments.csv:5 OutsideOfSession beginDate",
            "enrollments.csv:6 OutsideOfSession endDate",
            "enrollments.csv:9 OutsideOfSession endDate",
        ]
    );
    let last = loaded.found.last().unwrap();
    assert_eq!(last.message, "endDate 2027-06-13 is outside of F,S, when the class is: 2026-08-24 to 2027-06-11.");
    assert_eq!(loaded.report.files.last().map(|file| file.accepted), Some(9), "all records stay");
}

#[test]
fn primary_organizations_and_profiles_are_those_of_the_person() {
    let users = "sourcedId,enabledUser,username,givenName,familyName,primaryOrgSourcedId\nu1,true,u1,U,One,A\nu2,true,u2,U,Two,B\nu3,true,u3,U,Three,\n";
    let roles = "sourcedId,status,userSourcedId,roleType,role,orgSourcedId,userProfileSourcedId\nr1,,u1,primary,teacher,A,p1\n\
                 r2,,u2,primary,teacher,A,p1\nr3,tobedeleted,u2,secondary,teacher,B,\nr4,,u3,primary,student,A,p9\nr5,,u3,secondary,student,B,\n";
    let profiles = "sourcedId,status,userSourcedId\np1,,u1\np2,,u2\n";
    let with = bulk_1_2(&[("users.csv", users), ("roles.csv", roles), ("userProfiles.csv", profiles)]);
    let expected = ["users.csv:3 PrimaryOrgWithoutRole primaryOrgSourcedId", "roles.csv:4 RecordGone status"];
    let loaded = load(with.path(), None);
    let all =
        [expected[0], "roles.csv:3 ProfileOfOther userProfileSourcedId", expected[1], "roles.csv:5 ProfileOfOther userProfileSourcedId"];
    assert_eq!(told(&loaded), all);
    assert_eq!(loaded.records(Entity::User).len(), 3);
    assert_eq!(loaded.records(Entity::Role).len(), 4);
    // Without a file of profiles nobody can say whose they are.
    let without = bulk_1_2(&[("users.csv", users), ("roles.csv", roles)]);
    assert_eq!(told(&load(without.path(), None)), expected);
    // A role that cannot be read may be anybody's.
    let unreadable = roles.replace("r3,tobedeleted", "r3,,tobedeleted");
    let unreadable = bulk_1_2(&[("users.csv", users), ("roles.csv", &unreadable)]);
    assert_eq!(told(&load(unreadable.path(), None)), ["roles.csv:4 FieldCount -"]);
}

/// A word that means nothing is one finding, and not another one that the file is not spoken of.
#[test]
fn a_slip_in_a_manifest_is_told_once() {
    let dir = bulk_1_2(&[("orgs.csv", "sourcedId,status,dateLastModified,name,type\nA,,,A,school\n")]);
    let manifest = std::fs::read_to_string(dir.path().join("manifest.csv")).unwrap();
    std::fs::write(dir.path().join("manifest.csv"), manifest.replace("file.orgs,bulk", "file.orgs,changes")).unwrap();
    let found = load(dir.path(), None).found;
    let messages: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(messages, ["file.orgs is 'changes' and not absent, bulk or delta."]);
}

/// A manifest of any length costs no more than one line that says so.
#[test]
fn a_manifest_ends() {
    let dir = bulk_1_2(&[("orgs.csv", "sourcedId,name,type\nA,A,school\n")]);
    let manifest = std::fs::read_to_string(dir.path().join("manifest.csv")).unwrap();
    let more: String = (0..200_000).map(|n| format!("{n},\n")).collect();
    std::fs::write(dir.path().join("manifest.csv"), manifest + &more).unwrap();
    let loaded = load(dir.path(), None);
    assert_eq!((loaded.codes(), loaded.found.len()), (vec!["FileUnreadable"], 1));
}

/// Only what the manifest calls bulk must be blank, and it is told once a file.
#[test]
fn a_bulk_file_has_no_status() {
    let orgs = "sourcedId,status,dateLastModified,name,type\nA,,,A,school\nB,active,,B,school\nC,,2026-09-01,C,school\nD,tobedeleted,2026-09-01,D,school\n";
    let dir = bulk_1_2(&[("orgs.csv", orgs)]);
    let loaded = load(dir.path(), None);
    assert_eq!(told(&loaded), ["orgs.csv:3 StatusInBulkFile -", "orgs.csv:5 RecordGone status"]);
    let message = "The manifest says that orgs.csv is bulk, and status should be blank then; it is read all the same.";
    assert_eq!(loaded.found[0].message, message);
    assert_eq!(loaded.records(Entity::Org).len(), 3);
    let dir = tempfile::tempdir().unwrap();
    let users = "sourcedId,enabledUser,orgSourcedIds,role,username,givenName,familyName\nu1,true,A,teacher,u1,U,One\n";
    write(dir.path(), &[("orgs.csv", orgs), ("users.csv", users)]);
    let loaded = load_as(dir.path(), Some(Format::OneRoster11));
    assert_eq!(told(&loaded), ["manifest.csv:0 ManifestNotFound -", "orgs.csv:5 RecordGone status"]);
}

/// Classes go without their sessions, enrolments without their classes, and all of it for one file.
#[test]
fn what_follows_from_a_missing_file_names_it_through_every_file_between() {
    let enrollments = "sourcedId,classSourcedId,schoolSourcedId,userSourcedId,role\ne1,K,A,u1,teacher\n";
    let dir = bulk_1_2(&[("enrollments.csv", enrollments)]);
    std::fs::remove_file(dir.path().join("academicSessions.csv")).unwrap();
    write(
        dir.path(),
        &[("manifest.csv", &manifest_1_2(&["orgs.csv", "users.csv", "roles.csv", "courses.csv", "classes.csv", "enrollments.csv"]))],
    );
    let loaded = load(dir.path(), None);
    assert_eq!(
        told(&loaded),
        [
            "classes.csv:2 NeededFileMissing termSourcedIds",
            "classes.csv:2 ReferencedRecordDropped termSourcedIds",
            "classes.csv:3 ReferencedRecordDropped termSourcedIds",
            "enrollments.csv:2 ReferencedRecordDropped classSourcedId",
        ]
    );
    let last = loaded.found.last().unwrap();
    assert_eq!(last.message, "'K' in classSourcedId is in classes.csv, but its own row there was dropped.");
    let [root, hint] = [&last.root, &last.hint].map(Option::as_deref);
    assert_eq!((root, hint), (Some("academicSessions.csv"), Some("Add academicSessions.csv to the export.")));
}

mod thorough {
    use super::*;

    #[test]
    fn a_set_with_the_changes_of_each_day_is_the_set_of_the_last_day() {
        const DAYS: usize = 3;
        for format in [Format::OneRoster11, Format::OneRoster12] {
            let arguments = ["--students", "800", "--seed", "days", "--format", format.name()];
            let Some(first) = generate(&arguments) else { return };
            let mut set = sources(&first.path().join("set"));
            let mut kept = Vec::new();
            let mut changed = 0;
            for day in 1..=DAYS {
                let day = day.to_string();
                let Some(whole) = generate(&[&arguments[..], &["--day", &day]].concat()) else { return };
                let Some(changes) = generate(&[&arguments[..], &["--day", &day, "--delta"]].concat()) else { return };
                let changes = sources(&changes.path().join("set"));
                assert!(delta::is_delta(&changes).unwrap() && !delta::is_delta(&set).unwrap());
                let (applied, found, out) = apply(&set, &changes);
                assert_eq!((found, applied.catastrophic), (Vec::new(), None));
                changed += applied.written;
                set = applied.files;
                let (expected, made) = (load(&whole.path().join("set"), None), load(out.path(), None));
                assert!(made.found.is_empty(), "{}", made.first_findings());
                assert_eq!(content(&made), content(&expected), "{} day {day}", format.name());
                kept.push(out);
            }
            assert!(changed > 50, "{changed}");
            println!("{}: {changed} changes of {DAYS} days", format.name());
        }
    }
}
