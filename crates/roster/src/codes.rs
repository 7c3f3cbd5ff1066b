//! Lists of values. The caller says what is in them: built-in rows and a tenant's own.

use crate::nearest::nearest;
use std::collections::HashMap;

/// A list that a column's codes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeList {
    /// Kinds of organizations.
    OrgType,
    /// Roles in an organization.
    Role,
    /// Roles in a class.
    SectionRole,
    /// Grade levels.
    Grade,
    /// Kinds of sessions.
    SessionType,
    /// Roles of contacts.
    Relationship,
    /// Sex.
    Sex,
    /// Races.
    Race,
    /// Ethnicities.
    Ethnicity,
    /// Person flags.
    Flag,
    /// Academic subjects.
    Subject,
}

impl CodeList {
    /// What it is a list of.
    pub const fn title(self) -> &'static str {
        match self {
            Self::OrgType => "types of organizations",
            Self::Role => "roles in an organization",
            Self::SectionRole => "roles in a class",
            Self::Grade => "grades",
            Self::SessionType => "types of sessions",
            Self::Relationship => "relationships",
            Self::Sex => "sex",
            Self::Race => "race",
            Self::Ethnicity => "ethnicity",
            Self::Flag => "flags",
            Self::Subject => "subjects",
        }
    }

    /// Name of the reference type, for messages.
    pub const fn reference_type(self) -> &'static str {
        match self {
            Self::OrgType => "RefOrgType",
            Self::Role => "RefRole",
            Self::SectionRole => "RefSectionRole",
            Self::Grade => "RefGradeLevel",
            Self::SessionType => "RefSessionType",
            Self::Relationship => "RefPersonRelationship",
            Self::Sex => "RefSex",
            Self::Race => "RefRace",
            Self::Ethnicity => "RefEthnicity",
            Self::Flag => "RefPersonFlagType",
            Self::Subject => "RefAcademicSubject",
        }
    }
}

/// Codes of a list that a message names; of longer ones it names the list.
const NAMED_MAX: usize = 8;

/// The codes of every list, found without regard to case.
#[derive(Debug, Clone, Default)]
pub struct Codes {
    lists: HashMap<CodeList, HashMap<String, String>>,
}

impl Codes {
    /// Adds codes to a list.
    #[must_use]
    pub fn with<S: Into<String>>(mut self, list: CodeList, codes: impl IntoIterator<Item = S>) -> Self {
        let known = self.lists.entry(list).or_default();
        for code in codes {
            let code = code.into();
            known.insert(code.to_lowercase(), code);
        }
        self
    }

    /// The codes of a list in their canonical spelling, in no order.
    pub fn of(&self, list: CodeList) -> impl Iterator<Item = &str> {
        self.lists.get(&list).into_iter().flat_map(|codes| codes.values().map(String::as_str))
    }

    /// What a value is not that is in no list, for a message: the codes, or the list when they are many.
    pub(crate) fn expected(&self, list: CodeList) -> String {
        let mut codes: Vec<&str> = self.of(list).collect();
        if codes.len() > NAMED_MAX {
            return format!("a code of {}, the list of {}", list.reference_type(), list.title());
        }
        codes.sort_unstable();
        format!("a code of {} ({})", list.reference_type(), codes.join(", "))
    }

    /// The canonical spelling. A grade may lack its leading zero; `aid` is read as `aide`.
    pub(crate) fn canonical(&self, list: CodeList, given: &str) -> Option<&str> {
        let known = self.lists.get(&list)?;
        if let Some(code) = known.get(given) {
            return Some(code);
        }
        let lower = given.to_lowercase();
        let alias = match (list, lower.as_str()) {
            (CodeList::Grade, digit) if digit.len() == 1 && digit.as_bytes()[0].is_ascii_digit() => format!("0{digit}"),
            (CodeList::SectionRole | CodeList::Relationship, "aid") => "aide".to_owned(),
            _ => lower,
        };
        known.get(&alias).map(String::as_str)
    }

    /// The code that a wrong one was most likely meant to be.
    pub(crate) fn nearest(&self, list: CodeList, given: &str) -> Option<&str> {
        nearest(given, self.lists.get(&list)?.values().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_zeros_and_typing_errors() {
        let codes = Codes::default().with(CodeList::Grade, ["01", "ps1"]).with(CodeList::Role, ["teacher", "student"]);
        assert_eq!(codes.canonical(CodeList::Grade, "1"), Some("01"));
        assert_eq!(codes.canonical(CodeList::Grade, "PS1"), Some("ps1"));
        assert_eq!(codes.canonical(CodeList::Role, "teahcer"), None);
        assert_eq!(codes.nearest(CodeList::Role, "teahcer"), Some("teacher"));
        assert_eq!(codes.nearest(CodeList::Role, "wizard"), None);
    }

    #[test]
    fn short_lists_are_told_and_long_ones_named() {
        let numbers = (0..=NAMED_MAX).map(|number| number.to_string());
        let codes = Codes::default().with(CodeList::Sex, ["other", "male"]).with(CodeList::Grade, numbers.clone());
        assert_eq!(codes.expected(CodeList::Sex), "a code of RefSex (male, other)");
        assert_eq!(codes.expected(CodeList::Grade), "a code of RefGradeLevel, the list of grades");
        let codes = codes.with(CodeList::Flag, numbers.skip(1));
        assert_eq!(codes.expected(CodeList::Flag), "a code of RefPersonFlagType (1, 2, 3, 4, 5, 6, 7, 8)");
    }
}
