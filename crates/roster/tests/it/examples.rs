//! The smallest export that provokes each finding, and the finding that the validator makes of it.
//!
//! The page of findings takes its examples from here, so that what it says is what happens.

use roster::archive::ArchiveLimits;
use roster::{Codes, Finding, Format, IngestOptions, Source, delta};

/// Codes without an example here: it takes more than an export to get them.
pub(crate) const ONLY_IN_RUNS: &[(&str, &str)] = &[
    ("FileMissingFromSet", "it takes the upload before"),
    ("ProviderValueNotTaken", "it takes a provider"),
    ("ProviderChangesNotTaken", "it takes a provider"),
    ("LastPullFailed", "it takes a provider"),
    ("ChangesOvertaken", "it takes another upload"),
    ("DuplicateMatch", "it takes the accounts of the directory"),
    ("AmbiguousMatch", "it takes the accounts of the directory"),
    ("PersonNotMatched", "it takes the accounts of the directory"),
    ("MatchingRuleFindsNobody", "it takes the accounts of the directory"),
    ("MatchingRuleMissing", "it takes the accounts of the directory"),
    ("EarlierFindingsLeftOut", "it takes the uploads before"),
    ("LastUploadRefused", "it takes the upload before"),
];

const ORGS: &str = "sourcedId,name,type\nA,North School,school\n";
const USERS: &str = "sourcedId,username\nu1,ann\n";
const ROLES: &str = "userSourcedId,orgSourcedId,role\nu1,A,teacher\n";
const SCHOOL: &str = "SIS ID,Name\nA,North School\n";
const STUDENT: &str = "SIS ID,School SIS ID,Username\ns1,A,ann\n";
const TEACHER: &str = "SIS ID,School SIS ID,Username\nt1,A,bob\n";

/// A file that there is, or one that is left out of the export.
type File = (&'static str, Option<&'static str>);

const fn with(name: &'static str, text: &'static str) -> File {
    (name, Some(text))
}

/// An export: a small good one in the format, with these files changed.
struct Example(&'static str, Format, &'static [File]);

use Format::{OneRoster11, OneRoster12, SdsV1, SdsV21};

const OR_ORGS: &str = "sourcedId,status,dateLastModified,name,type\nA,,,North School,school\n";
const OR_USERS: &str =
    "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,givenName,familyName\nu1,,,true,A,teacher,ann,Ann,Hill\n";
const OR_USERS_1_2: &str = "sourcedId,status,dateLastModified,enabledUser,username,givenName,familyName\nu1,,,true,ann,Ann,Hill\n";
const OR_ROLES: &str = "sourcedId,status,dateLastModified,userSourcedId,roleType,role,orgSourcedId\nr1,,,u1,primary,teacher,A\n";
/// What a manifest of 1.2 must speak of, without the ending of each file.
const PACKAGE_1_2: &str = "academicSessions categories classes classResources courses courseResources demographics enrollments \
    lineItemLearningObjectiveIds lineItems lineItemScoreScales orgs resources resultLearningObjectiveIds results resultScoreScales roles \
    scoreScales userProfiles userResources users";
const OR_SESSIONS: &str = "sourcedId,title,type,startDate,endDate,schoolYear\nT1,Fall,term,2026-08-24,2026-12-18,2027\n";
const OR_CLASSES: &str = "sourcedId,title,courseSourcedId,classType,schoolSourcedId,termSourcedIds\nk1,Algebra,c1,scheduled,A,T1\n";
const OR_MANIFEST: &str = "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.orgs,bulk\nfile.users,bulk\n";

#[rustfmt::skip]
const EXAMPLES: &[Example] = &[
    Example("RequiredFileNotFound", SdsV1, &[("Student.csv", None), with("Studnet.csv", STUDENT)]),
    Example("ManifestInvalid", OneRoster12, &[with("manifest.csv", "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\n")]),
    Example("ManifestFileMissing", OneRoster11, &[with("manifest.csv", "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.orgs,bulk\nfile.users,bulk\nfile.classes,bulk\n")]),
    Example("DeltaWithoutBase", OneRoster11, &[with("manifest.csv", "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.orgs,bulk\nfile.users,delta\n")]),
    Example("DuplicateFile", SdsV1, &[with("student.csv", STUDENT)]),
    Example("UnsupportedFormat", SdsV21, &[with("users.csv", "sourcedId,orgSourcedIds,username,role\nu1,A,ann,teacher\n")]),
    Example("EmptyFile", SdsV21, &[with("users.csv", "sourcedId,username\nu1,\n")]),
    Example("HeaderNotFound", SdsV1, &[with("Teacher.csv", "SIS_ID,School SIS ID,Username\nt1,A,bob\n")]),
    Example("DuplicateHeader", SdsV21, &[with("users.csv", "sourcedId,username,username\nu1,ann,ann\n")]),
    Example("InvalidCharacter", SdsV21, &[with("users.csv", "sourcedId,username\nu1,ann\nu2,b\u{7}ob\n")]),
    Example("LineBreakInQuotes", SdsV21, &[with("orgs.csv", "sourcedId,name,type\nA,North School,school\nB,\"South\nSchool\",school\n")]),
    Example("FieldCount", SdsV21, &[with("orgs.csv", "sourcedId,name,type\nA,North School,school\nB,South School, Upper House,school\n")]),
    Example("RequiredValueMissing", SdsV21, &[with("users.csv", "sourcedId,username\nu1,ann\nu2,\n")]),
    Example("InvalidReferenceCode", SdsV21, &[with("roles.csv", "userSourcedId,orgSourcedId,role\nu1,A,teahcer\n")]),
    Example("InvalidDate", SdsV21, &[with("academicSessions.csv",
        "sourcedId,title,type,schoolYear,startDate,endDate\nT1,Fall,term,2027,8/24/2026,2026-12-18\n")]),
    Example("InvalidYear", SdsV21, &[with("academicSessions.csv",
        "sourcedId,title,type,schoolYear,startDate,endDate\nT1,Fall,term,26/27,2026-08-24,2026-12-18\n")]),
    Example("InvalidValue", SdsV1, &[with("User.csv", "Email,First Name,Last Name,Phone,SIS ID\ncy at home.example,Cy,Hill,,\n")]),
    Example("EndBeforeStart", SdsV21, &[with("academicSessions.csv",
        "sourcedId,title,type,schoolYear,startDate,endDate\nT1,Fall,term,2027,2026-12-18,2026-08-24\n")]),
    Example("ConflictingDuplicate", SdsV21, &[with("users.csv", "sourcedId,username\nu1,ann\nu1,bob\n")]),
    Example("DuplicateUsername", SdsV21, &[with("users.csv", "sourcedId,username\nu1,ann\nu2,Ann\n")]),
    Example("ReferenceNotFound", SdsV21, &[with("roles.csv", "userSourcedId,orgSourcedId,role\nu1,A,teacher\nu9,A,student\n")]),
    Example("ReferencedRecordDropped", SdsV21, &[with("users.csv", "sourcedId,username\nu1,ann\nu2,\n"),
        with("roles.csv", "userSourcedId,orgSourcedId,role\nu1,A,teacher\nu2,A,student\n")]),
    Example("ContactIncomplete", SdsV21, &[
        with("relationships.csv", "userSourcedId,relationshipUserSourcedId,relationshipRole\nu1,u1,parent\n")]),
    Example("OptionalFileNotFound", SdsV21, &[]),
    Example("UnsupportedFile", SdsV21, &[with("class.csv", "sourcedId\n")]),
    Example("UnknownColumn", SdsV21, &[with("users.csv", "sourcedId,username,family_name,shoeSize\nu1,ann,Hill,38\n")]),
    Example("EncodedTwice", SdsV21, &[with("orgs.csv", "sourcedId,name,type\nA,CaÃ±on School,school\n")]),
    Example("HeaderOrder", OneRoster12, &[with("orgs.csv", "status,sourcedId,dateLastModified,name,type\n,A,,North School,school\n")]),
    Example("ManifestNotFound", OneRoster11, &[("manifest.csv", None)]),
    Example("ManifestIrregular", OneRoster11, &[with("manifest.csv", "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.orgs,bulk\nfile.users,full\n")]),
    Example("ListLengthsDiffer", OneRoster11, &[with("courses.csv",
        "sourcedId,title,orgSourcedId,subjects,subjectCodes\nc1,Algebra,A,\"Mathematics,Logic\",MATH\n")]),
    Example("RecordGone", OneRoster11, &[with("orgs.csv",
        "sourcedId,status,dateLastModified,name,type\nA,,,North School,school\nB,tobedeleted,2026-09-01,South School,school\n")]),
    Example("UserNotEnabled", OneRoster11, &[with("users.csv",
        "sourcedId,enabledUser,orgSourcedIds,role,username,givenName,familyName\nu1,false,A,teacher,ann,Ann,Hill\n")]),
    Example("SecondPrimary", OneRoster11, &[with("academicSessions.csv", OR_SESSIONS), with("classes.csv", OR_CLASSES),
        with("enrollments.csv", "sourcedId,classSourcedId,schoolSourcedId,userSourcedId,role,primary\ne1,k1,A,u1,teacher,true\ne2,k1,A,u1,teacher,true\n")]),
    Example("OutsideOfSession", OneRoster11, &[with("academicSessions.csv", OR_SESSIONS), with("classes.csv", OR_CLASSES),
        with("enrollments.csv", "sourcedId,classSourcedId,schoolSourcedId,userSourcedId,role,beginDate\ne1,k1,A,u1,teacher,2026-07-01\n")]),
    Example("PrimaryOrgWithoutRole", OneRoster12, &[
        with("orgs.csv", "sourcedId,status,dateLastModified,name,type\nA,,,North School,school\nB,,,South School,school\n"),
        with("users.csv", "sourcedId,status,dateLastModified,enabledUser,username,givenName,familyName,primaryOrgSourcedId\nu1,,,true,ann,Ann,Hill,B\n")]),
    Example("ProfileOfOther", OneRoster12, &[
        with("userProfiles.csv", "sourcedId,status,dateLastModified,userSourcedId\np2,,,u2\n"),
        with("roles.csv", "sourcedId,status,dateLastModified,userSourcedId,roleType,role,orgSourcedId,userProfileSourcedId\nr1,,,u1,primary,teacher,A,p2\n")]),
    Example("StatusInBulkFile", OneRoster11, &[with("orgs.csv",
        "sourcedId,status,dateLastModified,name,type\nA,active,2026-09-01,North School,school\n")]),
    Example("ReferenceOfOtherType", OneRoster12, &[with("academicSessions.csv",
        "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear\nT1,,,Fall,term,2026-08-24,2026-12-18,,2027\n"),
        with("courses.csv", "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,subjectCodes\nc1,,,T1,Algebra,,,A,,\n")]),
    Example("InvalidOptionalCode", SdsV1, &[with("Student.csv", "SIS ID,School SIS ID,Username,Grade\ns1,A,ann,99\n")]),
    Example("InvalidOptionalValue", SdsV21, &[with("users.csv", "sourcedId,username,phone\nu1,ann,555-0123\n")]),
    Example("DuplicateRecord", SdsV21, &[with("users.csv", "sourcedId,username\nu1,ann\nu1,ann\n")]),
    Example("DerivedRecordDiffers", SdsV1, &[with("Section.csv",
        "SIS ID,School SIS ID,Section Name,Term SIS ID,Term Name\nk1,A,Maths,T1,Fall\nk2,A,Art,T1,Autumn\n")]),
    Example("UsernameInBothFiles", SdsV1, &[with("Teacher.csv", "SIS ID,School SIS ID,Username\nt1,A,ann\n")]),
    Example("OptionalReferenceNotFound", SdsV21, &[with("orgs.csv", "sourcedId,name,type,parentSourcedId\nA,North School,school,D9\n")]),
    Example("ReferencedFileMissing", SdsV21, &[with("roles.csv", "userSourcedId,orgSourcedId,role,sessionSourcedId\nu1,A,teacher,T1\n")]),
    Example("CyclicParent", SdsV21, &[with("orgs.csv", "sourcedId,name,type,parentSourcedId\nA,North School,school,A\n")]),
];

/// Codes about packages of changes, with an orgs.csv of changes that provokes each on top of [`CHANGED_ORGS`].
const OF_CHANGES: &[(&str, &str)] = &[
    ("StaleChange", "sourcedId,status,dateLastModified,name,type\nA,active,2026-09-01T02:00:00Z,North,school\n"),
    ("DeletedRecordNotFound", "sourcedId,status,dateLastModified,name,type\nB,tobedeleted,2026-09-03T02:00:00Z,South School,school\n"),
    (
        "ChangeSuperseded",
        "sourcedId,status,dateLastModified,name,type\nA,active,2026-09-03T02:00:00Z,North,school\n\
         A,active,2026-09-04T02:00:00Z,Northern School,school\n",
    ),
];
const CHANGED_ORGS: &str = "sourcedId,status,dateLastModified,name,type\nA,,2026-09-02T02:00:00Z,North School,school\n";

/// The finding about a package of changes.
fn provoke_by_changes(code: &str, changes: &str) -> Finding {
    let manifest = |mode| format!("propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.orgs,{mode}\n");
    let package = |orgs: &str, mode| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("orgs.csv"), orgs).unwrap();
        std::fs::write(dir.path().join("manifest.csv"), manifest(mode)).unwrap();
        (Source::list(dir.path()).unwrap(), dir)
    };
    let ((base, _base), (changes, _changes), out) =
        (package(CHANGED_ORGS, "bulk"), package(changes, "delta"), tempfile::tempdir().unwrap());
    let mut found = Vec::new();
    delta::apply(&base, &changes, jiff::Timestamp::now(), delta::Parts::Records, None, out.path(), &mut |finding| {
        found.push(finding.clone());
        Ok(())
    })
    .unwrap();
    found.into_iter().find(|finding| finding.code == code).unwrap_or_else(|| panic!("no changes provoke {code}"))
}

/// Bytes that are no text, or too many of them.
fn bytes_of(code: &str) -> Option<(&'static str, Vec<u8>)> {
    let utf16 = || [0xff, 0xfe].into_iter().chain(ORGS.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    match code {
        "InvalidEncoding" => Some(("orgs.csv", [ORGS.as_bytes(), b"B,Sch\xfcle,school\n"].concat())),
        "LineTooLong" => {
            Some(("orgs.csv", [ORGS.as_bytes(), b"B,", "x".repeat(roster::limits::LINE_BYTES_MAX).as_bytes(), b",school\n"].concat()))
        }
        "Utf16Encoding" => Some(("orgs.csv", utf16())),
        _ => None,
    }
}

/// The manifest of a package of 1.2 with these files.
pub(crate) fn manifest_1_2(files: &[&str]) -> String {
    let mode = |stem: &str| if files.iter().any(|name| name.strip_suffix(".csv") == Some(stem)) { "bulk" } else { "absent" };
    let modes: String = PACKAGE_1_2.split_whitespace().map(|stem| format!("file.{stem},{}\n", mode(stem))).collect();
    format!("propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\n{modes}")
}

/// Findings of an archive with these entries.
fn in_archive(entries: &[&str]) -> Vec<Finding> {
    let dir = tempfile::tempdir().unwrap();
    let source = Source { name: "export.zip".to_owned(), path: dir.path().join("export.zip") };
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&source.path).unwrap());
    for name in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
    }
    writer.finish().unwrap();
    let opened = roster::archive::open_archives(vec![source], &dir.path().join("out"), &ArchiveLimits::DEFAULT).unwrap();
    opened.errors.into_iter().chain(opened.warnings).collect()
}

/// Findings of a package of changes in 1.2 to a set in 1.1.
fn in_changes() -> Vec<Finding> {
    let dir = tempfile::tempdir().unwrap();
    let write = |folder: &str, files: &[(&str, &str)]| -> Vec<Source> {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
        let write = |(name, text): &(&str, &str)| {
            let path = dir.path().join(folder).join(name);
            std::fs::write(&path, text).unwrap();
            Source { name: (*name).to_owned(), path }
        };
        files.iter().map(write).collect()
    };
    let base = write("base", &[("orgs.csv", OR_ORGS), ("users.csv", OR_USERS), ("manifest.csv", OR_MANIFEST)]);
    let manifest = manifest_1_2(&["users.csv"]).replace("bulk", "delta");
    let changes = write("changes", &[("users.csv", OR_USERS_1_2), ("manifest.csv", &manifest)]);
    let mut found = Vec::new();
    write("out", &[]);
    let applied =
        delta::apply(&base, &changes, jiff::Timestamp::now(), delta::Parts::Records, None, &dir.path().join("out"), &mut |finding| {
            found.push(finding.clone());
            Ok(())
        });
    applied.unwrap();
    found
}

/// The finding that the example of a code provokes: the first with that code.
///
/// # Panics
///
/// When there is no example, or it does not provoke the finding.
pub(crate) fn provoke(code: &str, codes: &Codes) -> Finding {
    if let Some((_, changes)) = OF_CHANGES.iter().find(|(of, _)| *of == code) {
        return provoke_by_changes(code, changes);
    }
    let found = match code {
        "InvalidFileFormat" => in_archive(&["orgs.csv", "notes.docx"]),
        "ArchiveTooLarge" => {
            let names: Vec<String> = (0..=ArchiveLimits::DEFAULT.entries_max).map(|n| format!("{n}.csv")).collect();
            in_archive(&names.iter().map(String::as_str).collect::<Vec<_>>())
        }
        "DeltaBaseVersion" => in_changes(),
        _ => in_export(code, codes),
    };
    found.into_iter().find(|finding| finding.code == code).unwrap_or_else(|| panic!("no example provokes {code}"))
}

/// Findings of the export that the example of a code is.
fn in_export(code: &str, codes: &Codes) -> Vec<Finding> {
    let (format, changed) = EXAMPLES.iter().find(|example| example.0 == code).map_or((SdsV21, &[][..]), |example| (example.1, example.2));
    let good = match format {
        SdsV21 => [with("orgs.csv", ORGS), with("users.csv", USERS), with("roles.csv", ROLES)],
        OneRoster11 => [with("orgs.csv", OR_ORGS), with("users.csv", OR_USERS), with("manifest.csv", OR_MANIFEST)],
        OneRoster12 => [with("orgs.csv", OR_ORGS), with("users.csv", OR_USERS_1_2), with("roles.csv", OR_ROLES)],
        SdsV1 => [with("School.csv", SCHOOL), with("Student.csv", STUDENT), with("Teacher.csv", TEACHER)],
    };
    let dir = tempfile::tempdir().unwrap();
    let mut files: Vec<(&str, Vec<u8>)> = changed.iter().filter_map(|(name, text)| Some((*name, (*text)?.into()))).collect();
    files.extend(bytes_of(code));
    let kept = good.iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
    let kept: Vec<_> = kept.filter(|(name, _)| bytes_of(code).is_none_or(|(other, _)| other != *name)).collect();
    files.extend(kept.into_iter().filter_map(|(name, text)| Some((*name, (*text)?.into()))));
    if format == OneRoster12 && !files.iter().any(|(name, _)| *name == "manifest.csv") {
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        files.push(("manifest.csv", manifest_1_2(&names).into()));
    }
    let sources: Vec<Source> = files.iter().map(|(name, _)| Source { name: (*name).to_owned(), path: dir.path().join(name) }).collect();
    for ((_, bytes), source) in files.iter().zip(&sources) {
        if code != "FileUnreadable" {
            std::fs::write(&source.path, bytes).unwrap();
        }
    }
    // A format that is not read is told from the files, which no one has named.
    let named = (code != "UnsupportedFormat").then_some(format);
    let basic = roster::basic_validate(&sources, named);
    let mut found = Vec::new();
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions { format: named, ..IngestOptions::new(codes, &mut progress) };
    let kept = roster::validate(&sources, &mut options, &mut |finding| {
        found.push(finding.clone());
        Ok(())
    });
    kept.unwrap();
    found.into_iter().chain(basic.errors).chain(basic.warnings).collect()
}
