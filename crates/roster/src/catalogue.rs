//! The catalogue of findings: every code there is, how bad it is, when it is reported and what to do then.
//!
//! `docs/findings.md` is generated from it, with an example of each that a real export provokes.

use crate::finding::Severity::{self, Catastrophic, Error, Info, Warning};
use crate::format::Format;

/// One row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct CatalogueEntry {
    /// Stable code.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// The formats in which it can occur.
    pub formats: &'static [Format],
    /// When it is reported.
    pub when: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

/// In every format.
const ANY: &[Format] = &Format::ALL;
const V21: &[Format] = &[Format::SdsV21];
const V1: &[Format] = &[Format::SdsV1];
const ONEROSTER: &[Format] = &[Format::OneRoster11, Format::OneRoster12];
const ONEROSTER_1_1: &[Format] = &[Format::OneRoster11];
const ONEROSTER_1_2: &[Format] = &[Format::OneRoster12];
const ALL_BUT_V1: &[Format] = &[Format::SdsV21, Format::OneRoster11, Format::OneRoster12];
const ALL_BUT_V21: &[Format] = &[Format::SdsV1, Format::OneRoster11, Format::OneRoster12];

const fn row(
    code: &'static str,
    severity: Severity,
    formats: &'static [Format],
    when: &'static str,
    remedy: &'static str,
) -> CatalogueEntry {
    CatalogueEntry { code, severity, formats, when, remedy }
}

/// Every finding that a roster can get.
#[rustfmt::skip]
pub const CATALOGUE: &[CatalogueEntry] = &[
    row("RequiredFileNotFound", Catastrophic, ANY,
        "A file that every export needs is missing.",
        "Add the file to the export, or name it as the format does."),
    row("FileMissingFromSet", Catastrophic, ANY,
        "A file of the last accepted set is missing now.",
        "Upload the whole set again; when the file is meant to be gone, approve the run."),
    row("DuplicateFile", Catastrophic, ANY,
        "The same file is in the export twice.",
        "Keep one of them: a file must not be uploaded both loose and in an archive."),
    row("InvalidFileFormat", Catastrophic, ANY,
        "An archive has a folder, a link, an encrypted file or a file of no format in it.",
        "Pack the files of the export, and nothing else, at the root of the archive."),
    row("ArchiveTooLarge", Catastrophic, ANY,
        "An archive holds more, or unpacks to more, than an export can have.",
        "Upload the files loose, or pack only those of the export."),
    row("FileUnreadable", Catastrophic, ANY,
        "A file cannot be read; an archive is truncated or damaged.",
        "See to its permissions and to the disk; upload the archive again."),
    row("EmptyFile", Catastrophic, ANY,
        "A file has no header, or no row of a required file was accepted.",
        "Look for an export that was cut short; else mend the errors of its rows."),
    row("HeaderNotFound", Catastrophic, ANY,
        "A required column is missing, or the first line is no header at all.",
        "Spell the headers as the format does, in the first line, with commas between them."),
    row("DuplicateHeader", Catastrophic, ANY,
        "Two columns have the same header.",
        "Remove or rename one of them."),
    row("UnsupportedFormat", Catastrophic, ANY,
        "The files are in a format that is not read, or the connector is for one.",
        "Export the roster in a format that is read, and set the connector to it."),
    row("ManifestInvalid", Catastrophic, ONEROSTER_1_2,
        "The manifest of the package is not as the format asks.",
        "Correct the property that the finding names."),
    row("ManifestFileMissing", Catastrophic, ONEROSTER,
        "The manifest names a file that is not in the package.",
        "Send the whole package again, or name the file absent."),
    row("DeltaWithoutBase", Catastrophic, ONEROSTER,
        "The package holds only changes, and there is no accepted set to apply them to.",
        "Send one package with all records (bulk) first."),
    row("DeltaBaseVersion", Catastrophic, ONEROSTER,
        "The package holds changes to a set in another format or version.",
        "Send one package with all records (bulk) first."),
    row("ChangesOvertaken", Catastrophic, ONEROSTER,
        "A package of changes could not be looked at for a while, and a later upload was accepted in between.",
        "Send the changes again, or one package with all records (bulk)."),
    row("InvalidCharacter", Error, ANY,
        "A row has a control character, or an id has a tab.",
        "Remove the character in the source; it is often pasted in and cannot be seen."),
    row("InvalidEncoding", Error, ANY,
        "A row is not in the encoding of its file, which is UTF-8 when nothing else is said.",
        "Export the file as UTF-8, or name its encoding."),
    row("LineBreakInQuotes", Error, ANY,
        "A quoted value runs over the end of its line.",
        "Remove the line break from the value, or close the quote."),
    row("FieldCount", Error, ANY,
        "A row has more or fewer fields than the header.",
        "Put quotes around values with commas; fill up rows that are too short."),
    row("LineTooLong", Error, ANY,
        "A line is longer than any row can be: 1 MiB.",
        "Look for line ends that were lost."),
    row("RequiredValueMissing", Error, ANY,
        "A required value is empty.",
        "Fill it in in the source, or leave the record out of the export."),
    row("InvalidReferenceCode", Error, ANY,
        "A required code is not in its list of values.",
        "Use a code of the list: docs/formats.md has them all, and says to which lists a tenant can add its own."),
    row("InvalidDate", Error, ALL_BUT_V1,
        "A required date is not ISO 8601.",
        "Write year, month and day: 2026-08-24."),
    row("InvalidYear", Error, ALL_BUT_V1,
        "A school year is not four digits.",
        "Write the calendar year in which the school year ends: 2027."),
    row("InvalidValue", Error, ALL_BUT_V21,
        "A required value does not have the form of its type.",
        "Correct it in the source."),
    row("EndBeforeStart", Error, ANY,
        "The end date is before the start date.",
        "Correct the dates in the source; they may have been exchanged."),
    row("ConflictingDuplicate", Error, ANY,
        "A key is used again with other values; the first row is kept.",
        "Give each record an id of its own, or export it once."),
    row("DuplicateUsername", Error, ANY,
        "A username is used by two people of one file, or, with its domain, by a student and a teacher; the first one keeps it.",
        "Give each person a username of their own."),
    row("ReferenceNotFound", Error, ANY,
        "A required reference leads to a record that is not in the export; the hint says when it may be among rows that could not be read.",
        "Add the record that it leads to, or leave this one out."),
    row("NeededFileMissing", Error, ANY,
        "A column that every row needs refers to a file that is not in the export; the rows are dropped, each as a consequence of this. One a file and column.",
        "Add the file to the export."),
    row("ReferencedRecordDropped", Error, ANY,
        "A required reference leads to a record that was itself dropped, by a fault of its own or as a row that cannot be read, or to a file that is missing.",
        "Mend the record that it leads to, or add the file; this one needs nothing."),
    row("ContactIncomplete", Error, V21,
        "A contact lacks given name, family name or e-mail.",
        "Fill them in in users.csv."),
    row("DuplicateMatch", Error, ANY,
        "Two people of the source match one account of the directory.",
        "Give each person an identifier of their own, or correct the account."),
    row("AmbiguousMatch", Error, ANY,
        "A person of the source matches several accounts of the directory.",
        "Remove the address from all accounts but one."),
    row("OptionalFileNotFound", Warning, ANY,
        "A file that an export may have is missing (basic validation only).",
        "Nothing, when the file is not wanted."),
    row("UnsupportedFile", Warning, ANY,
        "A file is not part of the format; it is not read.",
        "Correct its name, or leave it out."),
    row("UnknownColumn", Warning, ANY,
        "Columns that the format does not know; they are not read. One a file.",
        "Correct the headers, or leave the columns out."),
    row("HeaderOrder", Warning, ONEROSTER_1_2,
        "The columns are not in the order that the format asks for; they are read by name.",
        "Put them in order; what else reads the export may not be so patient."),
    row("ManifestNotFound", Warning, ONEROSTER_1_1,
        "The package has no manifest; every file is taken to be whole.",
        "Add manifest.csv, so that a file that is missing by mistake can be told."),
    row("ManifestIrregular", Warning, ONEROSTER_1_1,
        "The manifest of the package is not as the format asks.",
        "Correct the property that the finding names."),
    row("ListLengthsDiffer", Warning, ONEROSTER,
        "Subjects and their codes do not go together, member by member; the codes are dropped.",
        "Give each subject its code, in the same order."),
    row("SecondPrimary", Warning, ONEROSTER,
        "A class has a second primary teacher, or a person a second primary role in one organization; the first one stays primary.",
        "Mark one of them as primary, and the others not."),
    row("OutsideOfSession", Warning, ONEROSTER,
        "Somebody is in a class before its first session begins or after its last one ends; the dates are kept.",
        "Correct the dates of the enrolment, or the sessions of the class."),
    row("PrimaryOrgWithoutRole", Warning, ONEROSTER_1_2,
        "A person has no role in the organization that is the primary one; it is kept.",
        "Add the role to roles.csv, or name an organization that the person has a role in."),
    row("ProfileOfOther", Warning, ONEROSTER_1_2,
        "A role names a profile that is not one of its person; the value is dropped.",
        "Name a profile that userProfiles.csv has for this person, or clear the value."),
    row("StatusInBulkFile", Warning, ONEROSTER,
        "The manifest calls a file bulk, and its rows have a status or a time of change; they are read all the same. One a file.",
        "Leave both blank in a bulk file. Call a file delta only when it has nothing but changes: a whole one sent as delta removes nobody."),
    row("Utf16Encoding", Warning, ANY,
        "The file is UTF-16; it is read, but UTF-8 is what the format asks for.",
        "Export it as UTF-8."),
    row("EncodedTwice", Warning, ANY,
        "UTF-8 was taken for Windows-1252 and encoded once more, so that JosÃ© stands for José; values are kept as they are. One a file and column.",
        "Export the file as UTF-8 from the source, and do not open it with a spreadsheet on the way."),
    row("InvalidOptionalCode", Warning, ANY,
        "An optional code is not in its list of values; the value is dropped.",
        "Use a code of the list: docs/formats.md has them all, and says to which lists a tenant can add its own."),
    row("InvalidOptionalValue", Warning, ANY,
        "An optional value does not have the form of its type; the value is dropped.",
        "Correct it in the source."),
    row("DuplicateRecord", Warning, ANY,
        "The same row stands in the file again; one is kept.",
        "Export each record once."),
    row("DerivedRecordDiffers", Warning, V1,
        "Rows that describe one term, course or contact differ in what they say about it; what came first is kept. One for each id.",
        "Give different terms, courses and contacts ids of their own."),
    row("UsernameInBothFiles", Warning, V1,
        "A student and a teacher who are two people have the same username, without a domain. Both are kept.",
        "Nothing, when students and teachers have domains of their own that are appended; else give each person a username of their own."),
    row("OptionalReferenceNotFound", Warning, ALL_BUT_V1,
        "An optional reference leads nowhere, or to a record that was itself dropped, which is its root then; the value is dropped.",
        "Mend the record that it leads to, or add it; else clear the value."),
    row("ReferencedFileMissing", Warning, ALL_BUT_V1,
        "A column refers to a file that is not in the export; its values are dropped. One a file and column.",
        "Add the file to the export."),
    row("CyclicParent", Warning, ALL_BUT_V1,
        "Organizations are their own ancestors; their parents are dropped.",
        "Correct the parents in the source."),
    row("StaleChange", Warning, ONEROSTER,
        "A change is older than what the set has of its record (package of changes); it is not applied.",
        "Send packages in the order in which they are made; to make the set right, send the file whole (bulk)."),
    row("DeletedRecordNotFound", Warning, ONEROSTER,
        "A record is to be deleted that the set does not have (package of changes).",
        "Nothing, when it was never sent; if there are many, see whether the changes are for this set."),
    row("ProviderValueNotTaken", Warning, ONEROSTER,
        "A value from a OneRoster API could not be taken over as it is.",
        "Have the provider correct it; the finding names entity, id and member."),
    row("ProviderChangesNotTaken", Warning, ONEROSTER,
        "A OneRoster API was asked for what has changed, and that came to nothing; the whole roster was pulled in the same run.",
        "Nothing is missing. When it happens in every run, set `[oneroster] full_every_hours = 0`: then nobody asks for changes."),
    row("LastPullFailed", Warning, ONEROSTER,
        "A source could not be reached; the run worked on what it brought the last time, and on the other sources as ever.",
        "Test the connection of its connector, or start another run later."),
    row("LastUploadRefused", Warning, ANY,
        "The newest upload was refused; the run worked on the last one that was accepted.",
        "Mend what basic validation said about the newest upload, and upload again."),
    row("MatchingRuleFindsNobody", Warning, ANY,
        "Less than one in ten of the people that a matching rule is for have an account by it, of ten or more; or nobody of the source has.",
        "Compare the value of a person in the export with the accounts of the directory: does the rule take the right column, does its domainName complete it to what the accounts have, and does it compare the right property? Correct userMatchingSettings of the source system."),
    row("MatchingRuleMissing", Warning, ANY,
        "Nobody of the source has an account, and some have roles of a role group that no matching rule is for.",
        "Add a rule for their role group to userMatchingSettings of the source system."),
    row("EarlierFindingsLeftOut", Info, ONEROSTER,
        "Several packages of changes came before a run read any of them, with more findings together than are kept (10,000 of the earlier ones).",
        "See the operations of their uploads, or let a run read the set."),
    row("RecordGone", Info, ONEROSTER,
        "The status of a row is tobedeleted; the row is left out.",
        "Nothing, when the record is meant to be gone."),
    row("ChangeSuperseded", Info, ONEROSTER,
        "A package has a later change of the same record, by dateLastModified; that one counts.",
        "Nothing: providers may send each change by itself."),
    row("UserNotEnabled", Info, ONEROSTER,
        "`enabledUser` is false; the person is kept, without roles and enrolments.",
        "Nothing, when the person is meant to be inactive."),
    row("ReferenceOfOtherType", Info, ONEROSTER_1_2,
        "A class is not of a school, or a course not of a school year; the value is kept.",
        "Name a record of the type that the format asks for."),
    row("PersonNotMatched", Info, ANY,
        "A person with a role in an organization has no account in the directory by any matching rule.",
        "Create the account, or correct the identifier that the rule compares."),
];

/// The code of what surely follows from another finding, and goes away with it.
pub const CONSEQUENCE: &str = "ReferencedRecordDropped";

/// What findings are listed by, code by code, the least first: the worse before the less bad, among those references that
/// lead nowhere after what may be the reason for it, and what surely follows from other findings last of all.
pub fn listing_rank(code: &str) -> impl Ord + Copy + use<> {
    let may_follow = ["ReferenceNotFound", "OptionalReferenceNotFound"].contains(&code);
    (code == CONSEQUENCE, std::cmp::Reverse(severity_of(code)), may_follow)
}

/// How bad a finding of a code is.
pub(crate) fn severity_of(code: &str) -> Severity {
    CATALOGUE.iter().find(|entry| entry.code == code).map_or(Severity::Error, |entry| entry.severity)
}

/// What helps against every finding of a code. It stands in reports, and not in logs again and again.
pub fn remedy(code: &str) -> &'static str {
    CATALOGUE.iter().find(|entry| entry.code == code).map_or("", |entry| entry.remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut codes: Vec<_> = CATALOGUE.iter().map(|entry| entry.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), CATALOGUE.len());
    }

    #[test]
    fn causes_are_listed_before_what_follows_from_them() {
        let mut codes =
            ["OptionalReferenceNotFound", "ReferencedRecordDropped", "UnknownColumn", "ReferenceNotFound", "FieldCount", "EmptyFile"];
        codes.sort_by_key(|code| listing_rank(code));
        let listed =
            ["EmptyFile", "FieldCount", "ReferenceNotFound", "UnknownColumn", "OptionalReferenceNotFound", "ReferencedRecordDropped"];
        assert_eq!(codes, listed);
    }
}
