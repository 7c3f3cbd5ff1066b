//! School Data Sync CSV v2.1: ten files, one for each canonical entity.

use super::{Claim, Column, FileSpec, Kind as K, Unique, used_username};
use crate::codes::CodeList as L;
use crate::finding::shorten;
use crate::ingest::{Report, RowView};
use crate::model::Entity;

const ORGS: &str = "orgs.csv";
const SESSIONS: &str = "academicSessions.csv";
const COURSES: &str = "courses.csv";
const USERS: &str = "users.csv";
const CLASSES: &str = "classes.csv";

const fn need(name: &'static str, kind: K) -> Column {
    Column::need(name, kind)
}
const fn may(name: &'static str, kind: K) -> Column {
    Column::may(name, kind)
}

// Columns of users.csv that rules speak of.
const USERNAME: usize = 1;
const GIVEN_NAME: usize = 2;
const FAMILY_NAME: usize = 3;
const EMAIL: usize = 6;

/// The files in order of dependency.
pub(super) static FILES: &[FileSpec] = &[
    FileSpec {
        required: true,
        ..FileSpec::new(
            ORGS,
            &[
                need("sourcedId", K::Id),
                need("name", K::Text),
                need("type", K::Code(L::OrgType)),
                may("parentSourcedId", K::Id).of(ORGS).acyclic(),
            ],
            &[0],
            &[Entity::Org],
            |row, out| out.copy(Entity::Org, row),
        )
    },
    FileSpec {
        span: Some((4, 5)),
        ..FileSpec::new(
            SESSIONS,
            &[
                need("sourcedId", K::Id),
                need("title", K::Text),
                need("type", K::Code(L::SessionType)),
                need("schoolYear", K::Year),
                need("startDate", K::Date),
                need("endDate", K::Date),
            ],
            &[0],
            &[Entity::Session],
            |row, out| out.copy(Entity::Session, row),
        )
    },
    FileSpec::new(
        COURSES,
        &[
            need("sourcedId", K::Id),
            need("orgSourcedId", K::Id).of(ORGS),
            need("title", K::Text),
            may("code", K::Text),
            may("schoolYearSourcedId", K::Id).of(SESSIONS),
            may("subject", K::Code(L::Subject)),
            may("grade", K::Codes(L::Grade)),
        ],
        &[0],
        &[Entity::Course],
        |row, out| out.copy(Entity::Course, row),
    ),
    FileSpec {
        required: true,
        unique: Some(Unique {
            column: USERNAME,
            claim: Claim::Value,
            code: "DuplicateUsername",
            message: |row, line| used_username(row.value(USERNAME), line),
        }),
        // Who lacks what a contact needs.
        mark: Some(|row| [GIVEN_NAME, FAMILY_NAME, EMAIL].into_iter().any(|column| row.value(column).is_empty())),
        ..FileSpec::new(
            USERS,
            &[
                need("sourcedId", K::Id),
                need("username", K::Text),
                may("givenName", K::Text),
                may("familyName", K::Text),
                may("password", K::Password),
                may("activeDirectoryMatchId", K::Text),
                may("email", K::Email),
                may("phone", K::Phone),
                may("sms", K::Phone),
                may("userNumber", K::Text),
            ],
            &[0],
            &[Entity::User],
            |row, out| out.copy(Entity::User, row),
        )
    },
    FileSpec {
        required: true,
        span: Some((6, 7)),
        ..FileSpec::new(
            "roles.csv",
            &[
                need("userSourcedId", K::Id).of(USERS),
                need("orgSourcedId", K::Id).of(ORGS),
                need("role", K::Code(L::Role)),
                may("sessionSourcedId", K::Id).of(SESSIONS),
                may("grade", K::Code(L::Grade)),
                may("isPrimary", K::Boolean),
                may("roleStartDate", K::Date),
                may("roleEndDate", K::Date),
            ],
            &[0, 1, 2, 3],
            &[Entity::Role],
            |row, out| out.copy(Entity::Role, row),
        )
    },
    FileSpec::new(
        CLASSES,
        &[
            need("sourcedId", K::Id),
            need("orgSourcedId", K::Id).of(ORGS),
            need("title", K::Text),
            may("sessionSourcedIds", K::Ids).of(SESSIONS),
            may("courseSourcedId", K::Id).of(COURSES),
            may("code", K::Text),
        ],
        &[0],
        &[Entity::Class],
        |row, out| out.copy(Entity::Class, row),
    ),
    FileSpec::new(
        "enrollments.csv",
        &[need("classSourcedId", K::Id).of(CLASSES), need("userSourcedId", K::Id).of(USERS), need("role", K::Code(L::SectionRole))],
        &[0, 1, 2],
        &[Entity::Enrollment],
        |row, out| out.copy(Entity::Enrollment, row),
    ),
    FileSpec::new(
        "demographics.csv",
        &[
            need("userSourcedId", K::Id).of(USERS),
            may("sex", K::Code(L::Sex)),
            may("birthDate", K::Date),
            may("birthCity", K::Text),
            may("birthState", K::Text),
            may("birthCountry", K::Text),
            may("ethnicityCodes", K::Codes(L::Ethnicity)),
            may("raceCodes", K::Codes(L::Race)),
        ],
        &[0],
        &[Entity::Demographic],
        |row, out| out.copy(Entity::Demographic, row),
    ),
    FileSpec::new(
        "userFlags.csv",
        &[need("userSourcedId", K::Id).of(USERS), need("flag", K::Code(L::Flag))],
        &[0, 1],
        &[Entity::UserFlag],
        |row, out| out.copy(Entity::UserFlag, row),
    ),
    FileSpec {
        rules: &[contact_can_be_reached],
        ..FileSpec::new(
            "relationships.csv",
            &[
                need("userSourcedId", K::Id).of(USERS),
                need("relationshipUserSourcedId", K::Id).of(USERS),
                need("relationshipRole", K::Code(L::Relationship)),
            ],
            &[0, 1],
            &[Entity::Relationship],
            |row, out| out.copy(Entity::Relationship, row),
        )
    },
];

/// A contact needs a name and an address, though no role.
fn contact_can_be_reached(row: &RowView<'_>, report: &mut Report) {
    const CONTACT: usize = 1;
    if row.is_marked(CONTACT) {
        let message = format!("The contact '{}' has no given name, family name or e-mail in users.csv.", shorten(row.value(CONTACT)));
        report.finding("ContactIncomplete", CONTACT, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which is what makes `Records::copy` right.
    #[test]
    fn its_columns_are_the_canonical_fields() {
        for (file, entity) in FILES.iter().zip(Entity::ALL) {
            assert_eq!((file.name, file.gives), (entity.file(), &[entity][..]));
            assert_eq!(file.columns.iter().map(|column| column.name).collect::<Vec<_>>(), entity.fields());
            assert_eq!(file.key, entity.key_fields());
        }
    }
}
