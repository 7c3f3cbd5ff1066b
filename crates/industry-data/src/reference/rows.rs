//! The built-in rows of every reference type: data, kept apart from the code that reads it.
//!
//! Order and numbers follow the public sources; where a source gives a code without a sort order,
//! the rows go on in steps of ten after the last known one, since `sortIndex` is not nullable and
//! unique within its type.

use super::Definition;

const MS: &str = "microsoft.com";
const IMS: &str = "imsglobal.org";
const CEDS: &str = "ceds.ed.gov";
const NCES: &str = "nces.ed.gov";

/// A row; an empty display name stands for none.
const fn row(
    reference_type: &'static str,
    code: &'static str,
    display_name: &'static str,
    sort_index: i32,
    source: &'static str,
) -> Definition {
    let display_name = if display_name.is_empty() { None } else { Some(display_name) };
    Definition { reference_type, code, display_name, sort_index, source }
}

static ROLE: [Definition; 35] = [
    row("RefRole", "principal", "principal", 10, MS),
    row("RefRole", "chair", "chair", 20, MS),
    row("RefRole", "professor", "professor", 30, MS),
    row("RefRole", "researcher", "researcher", 40, MS),
    row("RefRole", "adjunct", "adjunct", 50, MS),
    row("RefRole", "affiliate", "affiliate", 60, MS),
    row("RefRole", "occupationalTherapist", "Occupational Therapist", 70, MS),
    row("RefRole", "physicalTherapist", "Physical Therapist", 80, MS),
    row("RefRole", "speechTherapist", "Speech Therapist", 90, MS),
    row("RefRole", "visionTherapist", "Vision", 100, MS),
    row("RefRole", "paraprofessional", "Paraprofessional", 110, MS),
    row("RefRole", "specialServices", "Special services", 120, MS),
    row("RefRole", "advisor", "advisor", 130, MS),
    row("RefRole", "proctor", "Proctor", 140, IMS),
    row("RefRole", "nurse", "Nurse", 150, MS),
    row("RefRole", "officeStaff", "Office Staff", 160, MS),
    row("RefRole", "lecturer", "lecturer", 170, MS),
    row("RefRole", "itAdmin", "IT Admin", 180, MS),
    row("RefRole", "administrator", "Administrator", 190, IMS),
    row("RefRole", "teacher", "Teacher", 200, IMS),
    row("RefRole", "faculty", "faculty", 210, MS),
    row("RefRole", "staff", "Staff", 220, MS),
    row("RefRole", "teacherAssistant", "Teacher Assistant", 230, MS),
    row("RefRole", "assistant", "", 240, MS),
    row("RefRole", "instructor", "instructor", 250, MS),
    row("RefRole", "substitute", "substitute", 260, MS),
    row("RefRole", "coach", "", 270, MS),
    row("RefRole", "alumni", "alumni", 280, MS),
    row("RefRole", "aide", "Aide", 290, IMS),
    row("RefRole", "student", "Student", 300, IMS),
    row("RefRole", "other", "", 310, MS),
    row("RefRole", "parent", "", 320, MS),
    row("RefRole", "relative", "", 330, MS),
    row("RefRole", "doctor", "", 340, MS),
    row("RefRole", "guardian", "", 350, MS),
];

static SECTION_ROLE: [Definition; 23] = [
    row("RefSectionRole", "student", "Student", 10, IMS),
    row("RefSectionRole", "aide", "Aide", 20, IMS),
    row("RefSectionRole", "proctor", "Proctor", 30, IMS),
    row("RefSectionRole", "teacher", "Teacher", 40, IMS),
    row("RefSectionRole", "administrator", "Administrator", 50, IMS),
    row("RefSectionRole", "occupationalTherapist", "Occupational Therapist", 60, MS),
    row("RefSectionRole", "physicalTherapist", "Physical Therapist", 70, MS),
    row("RefSectionRole", "speechTherapist", "Speech Therapist", 80, MS),
    row("RefSectionRole", "visionTherapist", "Vision", 90, MS),
    row("RefSectionRole", "paraprofessional", "Paraprofessional", 100, MS),
    row("RefSectionRole", "teacherAssistant", "Teacher Assistant", 110, MS),
    row("RefSectionRole", "professor", "professor", 120, MS),
    row("RefSectionRole", "lecturer", "lecturer", 130, MS),
    row("RefSectionRole", "affiliate", "affiliate", 140, MS),
    row("RefSectionRole", "adjunct", "adjunct", 150, MS),
    row("RefSectionRole", "instructor", "instructor", 160, MS),
    row("RefSectionRole", "substitute", "substitute", 170, MS),
    row("RefSectionRole", "principal", "principal", 180, MS),
    row("RefSectionRole", "specialServices", "Special services", 190, MS),
    row("RefSectionRole", "advisor", "advisor", 200, MS),
    row("RefSectionRole", "coach", "", 210, MS),
    row("RefSectionRole", "assistant", "", 220, MS),
    row("RefSectionRole", "staff", "Staff", 230, MS),
];

static ORG_TYPE: [Definition; 20] = [
    row("RefOrgType", "department", "Department", 10, IMS),
    row("RefOrgType", "school", "School", 20, IMS),
    row("RefOrgType", "district", "District", 30, IMS),
    row("RefOrgType", "local", "Local", 40, IMS),
    row("RefOrgType", "state", "State", 50, IMS),
    row("RefOrgType", "national", "National", 60, IMS),
    row("RefOrgType", "departmentOfEducation", "Department of Education", 70, MS),
    row("RefOrgType", "ministryOfEducation", "Ministry of Education", 80, MS),
    row("RefOrgType", "university", "University", 90, MS),
    row("RefOrgType", "college", "College", 100, MS),
    row("RefOrgType", "campus", "Campus", 110, MS),
    row("RefOrgType", "adultEducation", "Adult Education", 120, MS),
    row("RefOrgType", "municipality", "Municipality", 130, MS),
    row("RefOrgType", "academicTrust", "Academic Trust", 140, MS),
    row("RefOrgType", "localAuthority", "Local Authority", 150, MS),
    row("RefOrgType", "region", "Region", 160, MS),
    row("RefOrgType", "division", "Division", 170, MS),
    row("RefOrgType", "province", "Province", 180, MS),
    row("RefOrgType", "researchCenter", "Research Center", 190, MS),
    row("RefOrgType", "program", "Program", 200, MS),
];

static GRADE_LEVEL: [Definition; 31] = [
    row("RefGradeLevel", "it", "Infant/Toddler", 10, CEDS),
    row("RefGradeLevel", "pr", "Preschool", 20, CEDS),
    row("RefGradeLevel", "pk", "Prekindergarten", 30, CEDS),
    row("RefGradeLevel", "tk", "Transitional Kindergarten", 40, CEDS),
    row("RefGradeLevel", "kg", "Kindergarten", 50, CEDS),
    row("RefGradeLevel", "01", "First grade", 60, CEDS),
    row("RefGradeLevel", "02", "Second grade", 70, CEDS),
    row("RefGradeLevel", "03", "Third grade", 80, CEDS),
    row("RefGradeLevel", "04", "Fourth grade", 90, CEDS),
    row("RefGradeLevel", "05", "Fifth grade", 100, CEDS),
    row("RefGradeLevel", "06", "Sixth grade", 110, CEDS),
    row("RefGradeLevel", "07", "Seventh grade", 120, CEDS),
    row("RefGradeLevel", "08", "Eighth grade", 130, CEDS),
    row("RefGradeLevel", "09", "Ninth grade", 140, CEDS),
    row("RefGradeLevel", "10", "Tenth grade", 150, CEDS),
    row("RefGradeLevel", "11", "Eleventh grade", 160, CEDS),
    row("RefGradeLevel", "12", "Twelfth grade", 170, CEDS),
    row("RefGradeLevel", "13", "Grade 13", 180, CEDS),
    row("RefGradeLevel", "14", "", 190, MS),
    row("RefGradeLevel", "ps", "Postsecondary", 200, CEDS),
    row("RefGradeLevel", "ug", "Ungraded", 210, CEDS),
    row("RefGradeLevel", "other", "Other", 220, CEDS),
    row("RefGradeLevel", "ps1", "Postsecondary freshman", 230, MS),
    row("RefGradeLevel", "ps2", "Postsecondary sophomore", 240, MS),
    row("RefGradeLevel", "ps3", "Postsecondary junior", 250, MS),
    row("RefGradeLevel", "ps4", "Postsecondary senior", 260, MS),
    row("RefGradeLevel", "undergraduate", "undergraduate", 270, MS),
    row("RefGradeLevel", "graduate", "graduate", 280, MS),
    row("RefGradeLevel", "postgraduate", "Graduate with an emphasis on research", 290, MS),
    row("RefGradeLevel", "alumni", "alumni", 300, MS),
    row("RefGradeLevel", "adultEducation", "Adult Education", 310, MS),
];

static IDENTIFIER_TYPE: [Definition; 13] = [
    row("RefIdentifierType", "activeDirectoryId", "", 10, MS),
    row("RefIdentifierType", "fed", "", 20, MS),
    row("RefIdentifierType", "LTIId", "", 30, IMS),
    row("RefIdentifierType", "username", "", 40, IMS),
    row("RefIdentifierType", "identifier", "", 50, IMS),
    row("RefIdentifierType", "upn", "", 60, MS),
    row("RefIdentifierType", "studentOrTeacherNumberOrId", "", 70, MS),
    row("RefIdentifierType", "sourceExternalId", "", 80, MS),
    row("RefIdentifierType", "email", "", 90, MS),
    row("RefIdentifierType", "SDSAnchorId", "", 100, MS),
    row("RefIdentifierType", "activeDirectoryMatchId", "", 110, MS),
    row("RefIdentifierType", "activeDirectory", "", 120, MS),
    row("RefIdentifierType", "userMatchId", "", 10000, MS),
];

static USER_MATCH_TARGET: [Definition; 2] =
    [row("RefUserMatchTarget", "userPrincipalName", "", 10, MS), row("RefUserMatchTarget", "mail", "", 20, MS)];

static FILE_FORMAT: [Definition; 3] = [
    row("RefFileFormat", "schoolDataSyncV1", "", 10, MS),
    row("RefFileFormat", "schoolDataSyncV2Rev1", "", 20, MS),
    row("RefFileFormat", "schoolDataSyncV2.1", "", 30, MS),
];

static ACADEMIC_YEAR: [Definition; 11] = [
    row("RefAcademicYear", "2021", "", 10, MS),
    row("RefAcademicYear", "2022", "", 20, MS),
    row("RefAcademicYear", "2023", "", 30, MS),
    row("RefAcademicYear", "2024", "", 40, MS),
    row("RefAcademicYear", "2025", "", 50, MS),
    row("RefAcademicYear", "2026", "", 60, MS),
    row("RefAcademicYear", "2027", "", 70, MS),
    row("RefAcademicYear", "2028", "", 80, MS),
    row("RefAcademicYear", "2029", "", 90, MS),
    row("RefAcademicYear", "2030", "", 100, MS),
    row("RefAcademicYear", "2031", "", 110, MS),
];

static ACADEMIC_SUBJECT: [Definition; 23] = [
    row("RefAcademicSubject", "01", "English Language and Literature", 10, MS),
    row("RefAcademicSubject", "02", "Mathematics", 20, NCES),
    row("RefAcademicSubject", "03", "Life and Physical Sciences", 30, NCES),
    row("RefAcademicSubject", "04", "Social Sciences and History", 40, NCES),
    row("RefAcademicSubject", "05", "Visual and Performing Arts", 50, NCES),
    row("RefAcademicSubject", "07", "Religious Education and Theology", 60, NCES),
    row("RefAcademicSubject", "08", "Physical, Health, and Safety Education", 70, NCES),
    row("RefAcademicSubject", "09", "Military Science", 80, NCES),
    row("RefAcademicSubject", "10", "Information Technology", 90, NCES),
    row("RefAcademicSubject", "11", "Communication and Audio/Visual Technology", 100, NCES),
    row("RefAcademicSubject", "12", "Business and Marketing", 110, NCES),
    row("RefAcademicSubject", "13", "Manufacturing", 120, NCES),
    row("RefAcademicSubject", "14", "Health Care Sciences", 130, NCES),
    row("RefAcademicSubject", "15", "Public, Protective, and Government Service", 140, NCES),
    row("RefAcademicSubject", "16", "Hospitality and Tourism", 150, NCES),
    row("RefAcademicSubject", "17", "Architecture and Construction", 160, NCES),
    row("RefAcademicSubject", "18", "Agriculture, Food, and Natural Resources", 170, NCES),
    row("RefAcademicSubject", "19", "Human Services", 180, NCES),
    row("RefAcademicSubject", "20", "Transportation, Distribution and Logistics", 190, NCES),
    row("RefAcademicSubject", "21", "Engineering and Technology", 200, NCES),
    row("RefAcademicSubject", "22", "Miscellaneous", 210, NCES),
    row("RefAcademicSubject", "23", "Non-Subject-Specific", 220, NCES),
    row("RefAcademicSubject", "24", "World Languages", 230, NCES),
];

static EMAIL_ADDRESS_TYPE: [Definition; 4] = [
    row("RefEmailAddressType", "home", "Home/personal", 10, CEDS),
    row("RefEmailAddressType", "work", "Work", 20, CEDS),
    row("RefEmailAddressType", "organizational", "Organizational", 30, CEDS),
    row("RefEmailAddressType", "other", "Other", 40, CEDS),
];

static RACE: [Definition; 6] = [
    row("RefRace", "americanIndianOrAlaskaNative", "American Indian or Alaska Native", 10, IMS),
    row("RefRace", "asian", "Asian", 20, IMS),
    row("RefRace", "blackOrAfricanAmerican", "Black or African American", 30, IMS),
    row("RefRace", "nativeHawaiianOrOtherPacificIslander", "Native Hawaiian or Other Pacific Islander", 40, IMS),
    row("RefRace", "white", "White", 50, IMS),
    row("RefRace", "demographicRaceTwoOrMoreRaces", "Designates multiple races", 60, IMS),
];

static ETHNICITY: [Definition; 1] = [row("RefEthnicity", "hispanicOrLatinoEthnicity", "Hispanic or Latino Ethnicity", 10, IMS)];

static PERSON_FLAG_TYPE: [Definition; 8] = [
    row("RefPersonFlagType", "freeLunch", "", 10, MS),
    row("RefPersonFlagType", "reducedLunch", "", 20, MS),
    row("RefPersonFlagType", "homeless", "", 30, MS),
    row("RefPersonFlagType", "giftedOrTalented", "", 40, MS),
    row("RefPersonFlagType", "504", "", 50, MS),
    row("RefPersonFlagType", "ell", "", 60, MS),
    row("RefPersonFlagType", "lep", "", 70, MS),
    row("RefPersonFlagType", "iep", "", 80, MS),
];

static PHONE_NUMBER_TYPE: [Definition; 6] = [
    row("RefPhoneNumberType", "home", "Home", 10, CEDS),
    row("RefPhoneNumberType", "work", "Work", 20, CEDS),
    row("RefPhoneNumberType", "mobile", "Mobile", 30, CEDS),
    row("RefPhoneNumberType", "fax", "Fax", 40, CEDS),
    row("RefPhoneNumberType", "sms", "SMS (text)", 50, CEDS),
    row("RefPhoneNumberType", "other", "Other", 60, CEDS),
];

static SESSION_TYPE: [Definition; 5] = [
    row("RefSessionType", "gradingPeriod", "Grading Period", 10, IMS),
    row("RefSessionType", "semester", "Semester", 20, IMS),
    row("RefSessionType", "schoolYear", "School Year", 30, IMS),
    row("RefSessionType", "term", "Term", 40, IMS),
    row("RefSessionType", "quarter", "Quarter", 50, IMS),
];

static SECTION_TYPE: [Definition; 2] =
    [row("RefSectionType", "homeroom", "Homeroom", 10, IMS), row("RefSectionType", "scheduled", "Scheduled", 20, IMS)];

static PERSON_RELATIONSHIP: [Definition; 8] = [
    row("RefPersonRelationship", "parent", "", 10, MS),
    row("RefPersonRelationship", "relative", "", 20, MS),
    row("RefPersonRelationship", "doctor", "", 30, MS),
    row("RefPersonRelationship", "guardian", "", 40, MS),
    row("RefPersonRelationship", "child", "", 50, MS),
    row("RefPersonRelationship", "other", "", 60, MS),
    row("RefPersonRelationship", "aide", "", 70, MS),
    row("RefPersonRelationship", "administrator", "", 80, MS),
];

static SEX: [Definition; 3] = [
    row("RefSex", "male", "Male", 10, CEDS),
    row("RefSex", "female", "Female", 20, CEDS),
    row("RefSex", "notSelected", "Not selected", 30, CEDS),
];

/// Every built-in row, by type.
pub(super) static TABLES: [&[Definition]; 18] = [
    &ROLE,
    &SECTION_ROLE,
    &ORG_TYPE,
    &GRADE_LEVEL,
    &IDENTIFIER_TYPE,
    &USER_MATCH_TARGET,
    &FILE_FORMAT,
    &ACADEMIC_YEAR,
    &ACADEMIC_SUBJECT,
    &EMAIL_ADDRESS_TYPE,
    &RACE,
    &ETHNICITY,
    &PERSON_FLAG_TYPE,
    &PHONE_NUMBER_TYPE,
    &SESSION_TYPE,
    &SECTION_TYPE,
    &PERSON_RELATIONSHIP,
    &SEX,
];
