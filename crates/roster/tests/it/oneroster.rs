//! OneRoster packages that others made, packages of changes, and what becomes of records.

use super::dirty::generate;
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

const TERMS: &str = "ReferenceNotFound classes.csv termSourcedIds";
const YEARS: &str = "OptionalReferenceNotFound courses.csv schoolYearSourcedId";
const NO_TERM: &str = "267_FYT_2019; academicSessions.csv has 001_FYT_2019";
const NO_YEAR: &str = "2019 is no session";

#[test]
fn packages_of_others_have_the_findings_that_they_deserve() {
    let step = |name: &'static str, more: Reasons| (vec!["oneroster-1.1", "rjeike-steps", name], Format::OneRoster11, [RJEIKE, more]);
    let cases: Vec<(Vec<&str>, Format, [Reasons; 2])> = vec![
        (vec!["oneroster-1.1", "gospelnerd-school"], Format::OneRoster11, [&[], &[]]),
        (
            vec!["oneroster-1.1", "oat-base"],
            Format::OneRoster11,
            [
                &[
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
                ],
                &[
                    (1, "RecordGone academicSessions.csv status", "tobedeleted"),
                    (1, "RecordGone classes.csv status", "tobedeleted"),
                    (1, "ReferencedFileMissing classes.csv courseSourcedId", "there is no courses.csv"),
                    (3, "ReferencedRecordDropped enrollments.csv classSourcedId", "of the class to be deleted, but active"),
                ],
            ],
        ),
        (vec!["oneroster-1.2", "longsight-valid", "full-bulk-package.zip"], Format::OneRoster12, [&[], &[]]),
        (vec!["oneroster-1.2", "longsight-valid", "rostering-bulk-package.zip"], Format::OneRoster12, [&[], &[]]),
        (
            vec!["oneroster-1.2", "longsight-valid", "manifest-only-package.zip"],
            Format::OneRoster12,
            [&[(1, "RequiredFileNotFound orgs.csv -", "a package without a roster is no export of a roster")], &[]],
        ),
        (
            vec!["oneroster-1.2", "moodle-test-data", "oneroster_test_data.zip"],
            Format::OneRoster12,
            [&[(1, "DeltaWithoutBase academicSessions.csv -", "every file is delta, and there is no set before")], &[]],
        ),
        (vec!["broken", "oneroster-1.2-longsight", "semantic-validation-failure.zip"], Format::OneRoster12, [&[], &[]]),
    ];
    for (parts, format, reasons) in cases {
        let Some((folder, _dir)) = package(&parts) else { return };
        let loaded = load(&folder, None);
        assert_eq!(loaded.report.detected.format, Ok(format), "{parts:?}");
        let expected: BTreeMap<String, usize> = reasons.into_iter().flatten().map(|(count, of, _)| ((*of).to_owned(), *count)).collect();
        assert_eq!(counted(&loaded.found), expected, "{parts:?}");
    }
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
    let applied = delta::apply(base, changes, delta::Parts::Records, None, out.path(), &mut |finding| {
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
    assert_eq!(codes, ["UserNotEnabled users.csv:5", "RecordGone users.csv:7", "RecordGone enrollments.csv:5"]);
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
    let mut manifest = "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\n".to_owned();
    for file in "academicSessions categories classes classResources courses courseResources demographics enrollments \
                 lineItemLearningObjectiveIds lineItems lineItemScoreScales orgs resources resultLearningObjectiveIds results \
                 resultScoreScales roles scoreScales userProfiles userResources users"
        .split_whitespace()
    {
        let mode = if dir.path().join(format!("{file}.csv")).exists() { "bulk" } else { "absent" };
        manifest += &format!("file.{file},{mode}\n");
    }
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
