//! Reference data: the enumerations that the service ships with, and how a code is recognised.
//!
//! Codes are compared without regard to case and answered in their canonical spelling. Rows that a
//! tenant adds live in the store; what is here is the same for everyone and never changes.

mod rows;

use serde_json::{Map, Value, json};

/// Time stamp of everything that came with the service.
pub const BUILT_IN_TIME: &str = "0001-01-01T00:00:00Z";

/// `source` of a row that a tenant added.
pub const TENANT_SOURCE: &str = "Tenant Defined";

/// The types to which a tenant may add rows.
pub const TENANT_EXTENSIBLE: [&str; 6] =
    ["RefAcademicSubject", "RefRace", "RefEthnicity", "RefGradeLevel", "RefOrgType", "RefPersonFlagType"];

/// Spellings that real clients send for a code that is called otherwise: type, spelling, canonical code.
///
/// Microsoft's own Postman collection creates connectors with the first one and expects the
/// canonical one in lists.
const ALIASES: [(&str, &str, &str); 2] =
    [("RefFileFormat", "schoolDataSyncV2.1", "schoolDataSyncV2Rev1"), ("RefFileFormat", "schoolDataSyncV2", "schoolDataSyncV2Rev1")];

/// Roles that exports use in enrollments although the section role list lacks them.
const EXTRA_ENROLLMENT_ROLES: [&str; 4] = ["alumni", "chair", "itAdmin", "officeStaff"];

/// File format of a connector that names none.
pub const DEFAULT_FILE_FORMAT: &str = "schoolDataSyncV2Rev1";

/// One built-in row of a reference type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// Type, for example `RefRole`.
    pub reference_type: &'static str,
    /// Code in its canonical spelling.
    pub code: &'static str,
    /// Name for people; several public rows have none.
    pub display_name: Option<&'static str>,
    /// Place within the type; unique, in steps of ten.
    pub sort_index: i32,
    /// Body that defined the code.
    pub source: &'static str,
}

impl Definition {
    /// Its id: `{referenceType}-{code}`.
    pub fn id(&self) -> String {
        format!("{}-{}", self.reference_type, self.code)
    }

    /// Its canonical document, as the API answers it.
    pub fn document(&self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("id".to_owned(), json!(self.id()));
        document.insert("code".to_owned(), json!(self.code));
        document.insert("createdDateTime".to_owned(), json!(BUILT_IN_TIME));
        document.insert("displayName".to_owned(), json!(self.display_name));
        document.insert("isDisabled".to_owned(), json!(false));
        document.insert("lastModifiedDateTime".to_owned(), json!(BUILT_IN_TIME));
        document.insert("referenceType".to_owned(), json!(self.reference_type));
        document.insert("sortIndex".to_owned(), json!(self.sort_index));
        document.insert("source".to_owned(), json!(self.source));
        document
    }
}

/// A role group that every tenant has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltInRoleGroup {
    /// Key: a word, not a GUID.
    pub id: &'static str,
    /// Name.
    pub display_name: &'static str,
    /// Codes of `RefRole`, in alphabetical order.
    pub roles: &'static [&'static str],
}

/// The codes of the staff group, as a published response lists them.
#[rustfmt::skip]
const STAFF: [&str; 29] = [
    "adjunct", "administrator", "advisor", "affiliate", "aide", "alumni", "assistant", "chair", "coach", "faculty",
    "instructor", "itAdmin", "lecturer", "nurse", "occupationalTherapist", "officeStaff", "paraprofessional",
    "physicalTherapist", "principal", "proctor", "professor", "researcher", "specialServices", "speechTherapist",
    "staff", "substitute", "teacher", "teacherAssistant", "visionTherapist",
];

/// The two role groups: 29 codes for staff, one for students.
pub static ROLE_GROUPS: [BuiltInRoleGroup; 2] = [
    BuiltInRoleGroup { id: "staff", display_name: "Staff", roles: &STAFF },
    BuiltInRoleGroup { id: "students", display_name: "Students", roles: &["student"] },
];

/// Every built-in row, type by type and in sort order within a type.
pub fn all() -> impl Iterator<Item = &'static Definition> {
    rows::TABLES.iter().flat_map(|table| table.iter())
}

/// The built-in rows of a type (name without regard to case), in sort order; empty for an unknown type.
pub fn rows(reference_type: &str) -> &'static [Definition] {
    let named = |table: &&&'static [Definition]| table.first().is_some_and(|row| row.reference_type.eq_ignore_ascii_case(reference_type));
    rows::TABLES.iter().find(named).copied().unwrap_or(&[])
}

/// The codes of a type, in sort order.
pub fn codes(reference_type: &str) -> impl Iterator<Item = &'static str> {
    rows(reference_type).iter().map(|row| row.code)
}

/// The canonical spelling of a type's name; `None` when there is no such type.
pub fn canonical_type(given: &str) -> Option<&'static str> {
    rows(given).first().map(|row| row.reference_type)
}

/// The built-in code that a given spelling means, or `None`.
///
/// Case does not matter, `1` means grade `01`, and known aliases lead to the code they stand for.
pub fn canonical_code(reference_type: &str, given: &str) -> Option<&'static str> {
    let given = given.trim();
    let alias = ALIASES
        .iter()
        .find(|(ty, spelling, _)| ty.eq_ignore_ascii_case(reference_type) && spelling.eq_ignore_ascii_case(given))
        .map(|(_, _, code)| *code);
    let padded = pad_grade(reference_type, given);
    let wanted = alias.or(padded.as_deref()).unwrap_or(given);
    codes(reference_type).find(|code| code.eq_ignore_ascii_case(wanted))
}

/// Grades are two digits; exports often leave the leading zero out.
fn pad_grade(reference_type: &str, given: &str) -> Option<String> {
    let single_digit = given.len() == 1 && given.bytes().all(|b| b.is_ascii_digit());
    (single_digit && reference_type.eq_ignore_ascii_case("RefGradeLevel")).then(|| format!("0{given}"))
}

/// The built-in row with an id such as `RefRole-teacher` (without regard to case).
pub fn definition(id: &str) -> Option<&'static Definition> {
    let (reference_type, code) = id.split_once('-')?;
    rows(reference_type).iter().find(|row| row.code.eq_ignore_ascii_case(code))
}

/// A role's place among the roles of a person: the lowest wins. `None` for an unknown code.
pub fn role_sort_order(code: &str) -> Option<i32> {
    rows("RefRole").iter().find(|row| row.code.eq_ignore_ascii_case(code)).map(|row| row.sort_index)
}

/// Id of the built-in role group to which a role belongs; `None` for roles such as `other` or `parent`.
pub fn role_group_of(code: &str) -> Option<&'static str> {
    let holds = |group: &&BuiltInRoleGroup| group.roles.iter().any(|role| role.eq_ignore_ascii_case(code));
    ROLE_GROUPS.iter().find(holds).map(|group| group.id)
}

/// Whether a role group came with the service (id without regard to case).
pub fn is_built_in_role_group(id: &str) -> bool {
    ROLE_GROUPS.iter().any(|group| group.id.eq_ignore_ascii_case(id))
}

/// Whether a tenant may add rows to a type.
pub fn is_tenant_extensible(reference_type: &str) -> bool {
    TENANT_EXTENSIBLE.iter().any(|ty| ty.eq_ignore_ascii_case(reference_type))
}

/// Codes that an enrollment may carry: the section roles, and four that exports use besides.
pub fn enrollment_roles() -> impl Iterator<Item = &'static str> {
    codes("RefSectionRole").chain(EXTRA_ENROLLMENT_ROLES)
}

/// The canonical spelling of an enrollment's role.
pub fn canonical_enrollment_role(given: &str) -> Option<&'static str> {
    let given = given.trim();
    enrollment_roles().find(|code| code.eq_ignore_ascii_case(given))
}

/// The built-in rows as canonical documents.
pub fn definition_documents() -> Vec<Map<String, Value>> {
    all().map(Definition::document).collect()
}

/// The built-in role groups as canonical documents.
pub fn role_group_documents() -> Vec<Map<String, Value>> {
    ROLE_GROUPS
        .iter()
        .map(|group| {
            let mut document = Map::new();
            document.insert("id".to_owned(), json!(group.id));
            document.insert("displayName".to_owned(), json!(group.display_name));
            let roles = group.roles.iter().map(|code| json!({ "code": code })).collect();
            document.insert("roles".to_owned(), Value::Array(roles));
            document
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_public_row_is_here_once() {
        assert_eq!(all().count(), 204);
        let ids: BTreeSet<_> = all().map(|row| row.id().to_ascii_lowercase()).collect();
        assert_eq!(ids.len(), 204);
        assert_eq!(rows("RefRole").len(), 35);
        assert_eq!(rows("RefSectionRole").len(), 23);
        assert_eq!(rows("RefAcademicYear").len(), 11);
    }

    #[test]
    fn sort_indexes_are_unique_within_a_type() {
        for table in rows::TABLES {
            let places: BTreeSet<_> = table.iter().map(|row| row.sort_index).collect();
            assert_eq!(places.len(), table.len(), "{}", table[0].reference_type);
        }
    }

    #[test]
    fn codes_are_recognised_in_any_case_and_answered_in_one() {
        assert_eq!(canonical_code("RefSectionRole", "paraProfessional"), Some("paraprofessional"));
        assert_eq!(canonical_code("refidentifiertype", "USERNAME"), Some("username"));
        assert_eq!(canonical_code("RefRole", "nobody"), None);
        assert_eq!(canonical_code("RefNothing", "x"), None);
    }

    #[test]
    fn a_grade_may_lack_its_leading_zero() {
        assert_eq!(canonical_code("RefGradeLevel", "1"), Some("01"));
        assert_eq!(canonical_code("RefGradeLevel", "PS1"), Some("ps1"));
        assert_eq!(canonical_code("RefAcademicSubject", "1"), None);
    }

    #[test]
    fn the_file_format_of_microsofts_own_collection_is_the_published_one() {
        assert_eq!(canonical_code("RefFileFormat", "schoolDataSyncV2.1"), Some(DEFAULT_FILE_FORMAT));
        assert_eq!(canonical_code("RefFileFormat", "SCHOOLDATASYNCV1"), Some("schoolDataSyncV1"));
    }

    #[test]
    fn staff_have_twenty_nine_roles_and_students_one() {
        assert_eq!(ROLE_GROUPS[0].roles.len(), 29);
        assert_eq!(ROLE_GROUPS[1].roles, ["student"]);
        assert!(ROLE_GROUPS.iter().flat_map(|g| g.roles).all(|code| role_sort_order(code).is_some()));
        assert_eq!(role_group_of("Teacher"), Some("staff"));
        assert_eq!(role_group_of("guardian"), None);
        assert_eq!(role_group_documents()[0]["roles"][0], json!({ "code": "adjunct" }));
    }

    #[test]
    fn the_principal_comes_before_the_teacher_and_both_before_the_student() {
        assert!(role_sort_order("principal") < role_sort_order("teacher"));
        assert!(role_sort_order("teacher") < role_sort_order("student"));
    }

    #[test]
    fn enrollments_take_four_roles_more_than_sections_list() {
        assert_eq!(enrollment_roles().count(), 27);
        assert_eq!(canonical_enrollment_role(" ItAdmin "), Some("itAdmin"));
    }

    #[test]
    fn rows_are_found_by_id() {
        assert_eq!(definition("RefGradeLevel-01").map(|row| row.sort_index), Some(60));
        assert_eq!(definition("RefFileFormat-schoolDataSyncV2.1").map(|row| row.sort_index), Some(30));
        assert!(definition("nothing").is_none());
        assert_eq!(definition_documents()[0]["createdDateTime"], BUILT_IN_TIME);
    }
}
