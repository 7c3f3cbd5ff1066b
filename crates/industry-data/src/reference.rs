//! Reference data: the codes that every tenant has, and the built-in role groups.

use crate::reference_rows::{ROWS, Row};
use serde_json::{Map, Value, json};

/// Reference types that a tenant may add rows to.
pub const EXTENSIBLE_TYPES: [&str; 6] = [
    "RefAcademicSubject",
    "RefRace",
    "RefEthnicity",
    "RefGradeLevel",
    "RefOrgType",
    "RefPersonFlagType",
];

/// Codes of the built-in role group `staff`, in the order that responses show.
pub const STAFF_ROLES: [&str; 29] = [
    "adjunct",
    "administrator",
    "advisor",
    "affiliate",
    "aide",
    "alumni",
    "assistant",
    "chair",
    "coach",
    "faculty",
    "instructor",
    "itAdmin",
    "lecturer",
    "nurse",
    "occupationalTherapist",
    "officeStaff",
    "paraprofessional",
    "physicalTherapist",
    "principal",
    "proctor",
    "professor",
    "researcher",
    "specialServices",
    "speechTherapist",
    "staff",
    "substitute",
    "teacher",
    "teacherAssistant",
    "visionTherapist",
];

fn rows(reference_type: &str) -> &'static [Row] {
    ROWS.iter()
        .find(|(name, _)| *name == reference_type)
        .map_or(&[], |(_, rows)| rows)
}

/// The codes of a type.
pub fn codes(reference_type: &str) -> impl Iterator<Item = &'static str> {
    rows(reference_type).iter().map(|(code, ..)| *code)
}

/// The code as it is spelled canonically: matched without regard to case.
pub fn canonical_code(reference_type: &str, given: &str) -> Option<&'static str> {
    codes(reference_type).find(|code| code.eq_ignore_ascii_case(given))
}

/// The sort order of an organization role: the lowest of a person's roles is the one that counts.
pub fn role_sort_order(role: &str) -> i32 {
    rows("RefRole")
        .iter()
        .find(|(code, ..)| *code == role)
        .map_or(i32::MAX, |(_, _, sort, _)| *sort)
}

/// The built-in rows as canonical documents of `referenceDefinitions`.
pub fn definition_documents() -> Vec<Map<String, Value>> {
    let document = |reference_type: &str, (code, name, sort, source): &Row| {
        let value = json!({
            "id": format!("{reference_type}-{code}"),
            "referenceType": reference_type,
            "code": code,
            "displayName": name,
            "isDisabled": false,
            "sortIndex": sort,
            "source": source,
            "createdDateTime": "0001-01-01T00:00:00Z",
            "lastModifiedDateTime": "0001-01-01T00:00:00Z",
        });
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    };
    ROWS.iter()
        .flat_map(|(reference_type, rows)| {
            rows.iter().map(move |row| document(reference_type, row))
        })
        .collect()
}

/// The built-in role groups as canonical documents of `roleGroups`.
pub fn role_group_documents() -> Vec<Map<String, Value>> {
    let group = |id: &str, name: &str, roles: &[&str]| {
        let roles: Vec<Value> = roles.iter().map(|role| json!({ "code": role })).collect();
        match json!({ "id": id, "displayName": name, "roles": roles }) {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    };
    vec![
        group("staff", "Staff", &STAFF_ROLES),
        group("students", "Students", &["student"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_without_regard_to_case() {
        assert_eq!(
            canonical_code("RefRole", "ParaProfessional"),
            Some("paraprofessional")
        );
        assert_eq!(canonical_code("RefRole", "wizard"), None);
    }

    #[test]
    fn staff_sorts_before_students_and_every_staff_role_is_a_code() {
        for role in STAFF_ROLES {
            assert!(canonical_code("RefRole", role).is_some(), "{role}");
        }
        assert!(role_sort_order("teacher") < role_sort_order("student"));
        assert!(role_sort_order("principal") < role_sort_order("teacher"));
    }

    #[test]
    fn ids_are_unique() {
        let mut ids: Vec<String> = definition_documents()
            .iter()
            .map(|d| d["id"].as_str().unwrap().to_owned())
            .collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert!(ids.contains(&"RefGradeLevel-01".to_owned()));
    }
}
