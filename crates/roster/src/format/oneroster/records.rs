//! From a row to canonical records, and the rules across the columns of a row.

use super::words::{CONTACTS, STUDENT, TEACHER};
use crate::codes::CodeList as L;
use crate::finding::shorten;
use crate::format::{Claim, Unique};
use crate::ingest::{Records, Report, RowView};
use crate::model::Entity;

/// A username is that of one person.
pub(super) const fn unique_username(column: usize, message: fn(&RowView<'_>, u64) -> String) -> Unique {
    Unique { column, claim: Claim::Value, code: "DuplicateUsername", message }
}

/// A class has one primary teacher.
pub(super) const PRIMARY_TEACHER: Unique = Unique {
    column: ENROLLED_PRIMARY,
    claim: Claim::First {
        among: &[ENROLLED_CLASS],
        says: |row| row.value(ENROLLED_PRIMARY) == "true" && row.value(ENROLLED_ROLE) == TEACHER && !row.is_marked(ENROLLED_USER),
    },
    code: "SecondPrimary",
    message: |row, line| {
        format!("The class '{}' has a primary teacher on line {line}; this one is not primary.", shorten(row.value(ENROLLED_CLASS)))
    },
};

/// In an organization a person has one primary role.
pub(super) const PRIMARY_ROLE: Unique = Unique {
    column: ROLE_TYPE_AT,
    claim: Claim::First { among: &[ROLE_USER, ROLE_ORG], says: |row| row.value(ROLE_TYPE_AT) == "primary" },
    code: "SecondPrimary",
    message: |row, line| {
        let [user, org] = [ROLE_USER, ROLE_ORG].map(|column| shorten(row.value(column)));
        format!("'{user}' has a primary role in '{org}' on line {line}; this one is not primary.")
    },
};

/// Flags of a person, as Microsoft has providers of OneRoster send them.
pub(super) const USER_FLAGS: &str = "metadata.microsoft.userFlags";

pub(super) const ORG_NAME: usize = 3;
pub(super) const ORG_TYPE: usize = 4;
pub(super) const ORG_PARENT: usize = 6;

pub(super) fn org(row: &RowView<'_>, out: &mut Records) {
    out.push(Entity::Org, &[row.value(0), row.value(ORG_NAME), row.value(ORG_TYPE), row.value(ORG_PARENT)]);
}

pub(super) const SESSION_TYPE: usize = 4;

pub(super) fn session(row: &RowView<'_>, out: &mut Records) {
    let [title, kind, start, end, year] = [3, SESSION_TYPE, 5, 6, 8].map(|column| row.value(column));
    out.push(Entity::Session, &[row.value(0), title, kind, year, start, end]);
}

pub(super) const COURSE_YEAR: usize = 3;
pub(super) const COURSE_SUBJECTS: (usize, usize) = (8, 9);

pub(super) fn course(row: &RowView<'_>, out: &mut Records) {
    let [year, title, code, grades, org] = [COURSE_YEAR, 4, 5, 6, 7].map(|column| row.value(column));
    // Subject codes are anybody's; the first that is one of the list of values is the subject.
    let subject = row.list(COURSE_SUBJECTS.1).map(|code| row.code(L::Subject, code)).find(|code| !code.is_empty()).unwrap_or_default();
    out.push(Entity::Course, &[row.value(0), org, title, code, year, subject, grades]);
}

pub(super) const CLASS_SCHOOL: usize = 9;
pub(super) const CLASS_SUBJECTS: (usize, usize) = (11, 12);

pub(super) fn class(row: &RowView<'_>, out: &mut Records) {
    let [title, course, code, school, terms] = [3, 5, 6, CLASS_SCHOOL, 10].map(|column| row.value(column));
    out.push(Entity::Class, &[row.value(0), school, title, terms, course, code]);
}

pub(super) const ENROLLED_CLASS: usize = 3;
pub(super) const ENROLLED_USER: usize = 5;
pub(super) const ENROLLED_ROLE: usize = 6;
pub(super) const ENROLLED_PRIMARY: usize = 7;
pub(super) const ENROLLED: (usize, usize) = (8, 9);

pub(super) fn enrollment(row: &RowView<'_>, out: &mut Records) {
    if !row.is_marked(ENROLLED_USER) {
        out.push(Entity::Enrollment, &[row.value(ENROLLED_CLASS), row.value(ENROLLED_USER), row.value(ENROLLED_ROLE)]);
    }
}

/// Somebody is in a class while it takes place. An end is exclusive, so that it may be the day after.
pub(super) fn enrolled_while_class_is(row: &RowView<'_>, report: &mut Report) {
    let (begin, end) = (row.value(ENROLLED.0), row.value(ENROLLED.1));
    // So it is of nearly all enrolments, and finding the class costs more.
    if row.context.links.are_in_every_span([begin, end]) {
        return;
    }
    let Some(span) = row.context.links.span(row.value(ENROLLED_CLASS)).filter(|_| !(begin.is_empty() && end.is_empty())) else { return };
    let outside = |day: &str, last: &str| !day.is_empty() && (day < span.start.as_str() || day > last);
    let (column, what, day) = if outside(begin, &span.end) {
        (ENROLLED.0, "beginDate", begin)
    } else if outside(end, &span.day_after) {
        (ENROLLED.1, "endDate", end)
    } else {
        return;
    };
    let message = format!("{what} {day} is outside of {}, when the class is: {} to {}.", shorten(&span.sessions), span.start, span.end);
    report.remark("OutsideOfSession", column, message);
}

pub(super) fn demographic(row: &RowView<'_>, out: &mut Records) {
    const RACES: [(usize, &str); 6] = [
        (5, "americanIndianOrAlaskaNative"),
        (6, "asian"),
        (7, "blackOrAfricanAmerican"),
        (8, "nativeHawaiianOrOtherPacificIslander"),
        (9, "white"),
        (10, "demographicRaceTwoOrMoreRaces"),
    ];
    const HISPANIC: usize = 11;
    let is_true = |column: usize| row.value(column) == "true";
    let races: Vec<&str> = RACES.iter().filter(|(column, _)| is_true(*column)).map(|(_, code)| *code).collect();
    let ethnicity = if is_true(HISPANIC) { "hispanicOrLatinoEthnicity" } else { "" };
    let [birth, sex, country, state, city] = [3, 4, 12, 13, 14].map(|column| row.value(column));
    out.push(Entity::Demographic, &[row.value(0), sex, birth, city, state, country, ethnicity, &races.join(",")]);
}

/// Where the columns of users.csv are that both versions have.
pub(super) struct User {
    pub(super) username: usize,
    given: usize,
    family: usize,
    identifier: usize,
    email: usize,
    sms: usize,
    phone: usize,
    agents: usize,
    grades: usize,
    flags: usize,
}

pub(super) const ENABLED: usize = 3;
pub(super) const ORGS_1_1: usize = 4;
pub(super) const ROLE_1_1_AT: usize = 5;
pub(super) const USER_1_1: User =
    User { username: 6, given: 8, family: 9, identifier: 11, email: 12, sms: 13, phone: 14, agents: 15, grades: 16, flags: 18 };
pub(super) const USER_1_2: User =
    User { username: 4, given: 6, family: 7, identifier: 9, email: 10, sms: 11, phone: 12, agents: 13, grades: 14, flags: 22 };

pub(super) fn is_disabled(row: &RowView<'_>) -> bool {
    row.value(ENABLED) == "false"
}

pub(super) fn say_disabled(row: &RowView<'_>, report: &mut Report) {
    if is_disabled(row) {
        let message = "The person is kept, without roles and enrolments, since enabledUser is false.";
        report.finding("UserNotEnabled", ENABLED, message.to_owned());
    }
}

impl User {
    /// The person, flags, and who is there for whom.
    fn map(&self, row: &RowView<'_>, out: &mut Records) {
        let id = row.value(0);
        let [username, given, family, email] = [self.username, self.given, self.family, self.email].map(|column| row.value(column));
        let [phone, sms, number] = [self.phone, self.sms, self.identifier].map(|column| row.value(column));
        out.push(Entity::User, &[id, username, given, family, "", "", email, phone, sms, number]);
        row.list(self.flags).for_each(|flag| out.push(Entity::UserFlag, &[id, flag]));
        row.list(self.agents).for_each(|agent| out.agent(id, agent));
    }
}

pub(super) fn user_1_1(row: &RowView<'_>, out: &mut Records) {
    USER_1_1.map(row, out);
    let (id, role) = (row.value(0), row.value(ROLE_1_1_AT));
    if CONTACTS.contains(&role) {
        out.contact(id, role);
        return;
    }
    if role == STUDENT {
        out.student(id);
    }
    if !is_disabled(row) {
        let grade = if role == STUDENT { row.list(USER_1_1.grades).next().unwrap_or_default() } else { "" };
        row.list(ORGS_1_1).for_each(|org| out.push(Entity::Role, &[id, org, role, "", grade, "", "", ""]));
    }
}

pub(super) fn user_1_2(row: &RowView<'_>, out: &mut Records) {
    USER_1_2.map(row, out);
    if let Some(grade) = row.list(USER_1_2.grades).next() {
        out.grade(row.value(0), grade);
    }
}

pub(super) const PRIMARY_ORG: usize = 20;

pub(super) fn primary_org_has_a_role(row: &RowView<'_>, report: &mut Report) {
    let org = row.value(PRIMARY_ORG);
    if !org.is_empty() && row.context.links.lacks_role(row.value(0), org) {
        let message = format!("The person has no role in '{}' in roles.csv; the value is kept.", shorten(org));
        report.remark("PrimaryOrgWithoutRole", PRIMARY_ORG, message);
    }
}

pub(super) const ROLE_USER: usize = 3;
pub(super) const ROLE_TYPE_AT: usize = 4;
pub(super) const ROLE_ORG: usize = 8;
pub(super) const ROLE_PROFILE: usize = 9;

pub(super) fn profile_of_the_user(row: &RowView<'_>, report: &mut Report) {
    let (profile, user) = (row.value(ROLE_PROFILE), row.value(ROLE_USER));
    if !profile.is_empty() && row.context.links.is_profile_of_other(profile, user) {
        let message = format!("'{}' is no profile of '{}' in userProfiles.csv; the value is dropped.", shorten(profile), shorten(user));
        report.finding("ProfileOfOther", ROLE_PROFILE, message);
    }
}

pub(super) fn role_1_2(row: &RowView<'_>, out: &mut Records) {
    let [user, kind, role, begin, end, org] = [ROLE_USER, ROLE_TYPE_AT, 5, 6, 7, ROLE_ORG].map(|column| row.value(column));
    if CONTACTS.contains(&role) {
        out.contact(user, role);
        return;
    }
    if role == STUDENT {
        out.student(user);
    }
    if !row.is_marked(ROLE_USER) {
        let primary = if kind == "primary" { "true" } else { "false" };
        out.push(Entity::Role, &[user, org, role, "", "", primary, begin, end]);
    }
}

/// Subjects and their codes stand in two lists, member by member.
pub(super) fn subjects(row: &RowView<'_>, (names, codes): (usize, usize), report: &mut Report) {
    let (named, coded) = (row.list(names).count(), row.list(codes).count());
    if named > 0 && coded > 0 && named != coded {
        let message = format!("subjects has {named} members and subjectCodes {coded}; the codes are dropped.");
        report.finding("ListLengthsDiffer", codes, message);
    }
}

pub(super) fn course_subjects(row: &RowView<'_>, report: &mut Report) {
    subjects(row, COURSE_SUBJECTS, report);
}

pub(super) fn class_subjects(row: &RowView<'_>, report: &mut Report) {
    subjects(row, CLASS_SUBJECTS, report);
}

pub(super) fn course_of_a_school_year(row: &RowView<'_>, report: &mut Report) {
    if !row.value(COURSE_YEAR).is_empty() && row.is_unmarked(COURSE_YEAR) {
        let message = format!("'{}' is a session of another type than schoolYear; it is kept.", shorten(row.value(COURSE_YEAR)));
        report.finding("ReferenceOfOtherType", COURSE_YEAR, message);
    }
}

pub(super) fn class_of_a_school(row: &RowView<'_>, report: &mut Report) {
    if row.is_unmarked(CLASS_SCHOOL) {
        let message = format!("'{}' is an organization of another type than school; it is kept.", shorten(row.value(CLASS_SCHOOL)));
        report.finding("ReferenceOfOtherType", CLASS_SCHOOL, message);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CLASSES, COURSES, FILES_1_1, FILES_1_2, FileSpec, ORGS, PACKAGE_1_1, PACKAGE_1_2, USERS};
    use super::*;

    /// The maps speak of columns by number.
    #[test]
    fn columns_are_where_the_maps_look_for_them() {
        for (files, user) in [(FILES_1_1, USER_1_1), (FILES_1_2, USER_1_2)] {
            let at = |file: &str, column: &str| files.iter().find(|spec| spec.name == file).unwrap().column(column).unwrap();
            let users = |column: &str| at(USERS, column);
            assert_eq!([user.username, user.given, user.family], ["username", "givenName", "familyName"].map(users));
            assert_eq!([user.identifier, user.email, user.sms, user.phone], ["identifier", "email", "sms", "phone"].map(users));
            assert_eq!(
                [user.agents, user.grades, user.flags, ENABLED],
                ["agentSourcedIds", "grades", USER_FLAGS, "enabledUser"].map(users)
            );
            assert_eq!([ORG_NAME, ORG_TYPE, ORG_PARENT], ["name", "type", "parentSourcedId"].map(|column| at(ORGS, column)));
            assert_eq!(COURSE_SUBJECTS, (at(COURSES, "subjects"), at(COURSES, "subjectCodes")));
            assert_eq!(CLASS_SUBJECTS, (at(CLASSES, "subjects"), at(CLASSES, "subjectCodes")));
            assert_eq!((CLASS_SCHOOL, COURSE_YEAR), (at(CLASSES, "schoolSourcedId"), at(COURSES, "schoolYearSourcedId")));
            assert_eq!(
                [ENROLLED_CLASS, ENROLLED_USER, ENROLLED_ROLE, ENROLLED_PRIMARY, ENROLLED.0, ENROLLED.1],
                ["classSourcedId", "userSourcedId", "role", "primary", "beginDate", "endDate"].map(|column| at("enrollments.csv", column))
            );
            let blank = |spec: &FileSpec| spec.blank_in_bulk.iter().map(|column| spec.columns[*column].name).collect::<Vec<_>>();
            assert!(files.iter().all(|spec| blank(spec) == ["status", "dateLastModified"] && spec.key == [0]));
        }
        let role = |column| FILES_1_2.iter().find(|spec| spec.name == "roles.csv").unwrap().column(column).unwrap();
        assert_eq!(
            [ROLE_USER, ROLE_TYPE_AT, ROLE_ORG, ROLE_PROFILE],
            ["userSourcedId", "roleType", "orgSourcedId", "userProfileSourcedId"].map(role)
        );
        assert_eq!(FILES_1_2[3].columns[PRIMARY_ORG].name, "primaryOrgSourcedId");
        assert_eq!((FILES_1_1[3].columns[ORGS_1_1].name, FILES_1_1[3].columns[ROLE_1_1_AT].name), ("orgSourcedIds", "role"));
    }

    /// Nothing of a package is both read and passed over by mistake of spelling.
    #[test]
    fn every_file_read_is_one_of_the_package() {
        for (files, package) in [(FILES_1_1, PACKAGE_1_1), (FILES_1_2, PACKAGE_1_2)] {
            assert!(files.iter().all(|spec| package.contains(&spec.name.trim_end_matches(".csv"))));
        }
    }
}
