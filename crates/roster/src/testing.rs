//! Lists of values for tests: those of the format page, spelled out here because the crate that
//! owns them is not known to this one.

// `super` and not `crate`: the example in examples/ takes this file in as well.
use super::{CodeList, Codes};

const ROLES: &str = "principal chair professor researcher adjunct affiliate occupationalTherapist physicalTherapist speechTherapist visionTherapist \
    paraprofessional specialServices advisor proctor nurse officeStaff lecturer itAdmin administrator teacher faculty staff teacherAssistant assistant \
    instructor substitute coach alumni student other aide";

/// The built-in codes of SDS v2.1.
pub(crate) fn codes() -> Codes {
    let words = |text: &'static str| text.split_whitespace();
    Codes::default()
        .with(
            CodeList::OrgType,
            words(
                "school ministryOfEducation localAuthority department university region district college division local campus province state \
                 adultEducation researchCenter national municipality program departmentOfEducation academicTrust",
            ),
        )
        .with(CodeList::Role, words(ROLES))
        .with(CodeList::SectionRole, words(ROLES))
        .with(
            CodeList::Grade,
            words(
                "IT PR PK TK KG 01 02 03 04 05 06 07 08 09 10 11 12 13 PS UG Other PS1 PS2 PS3 PS4 undergraduate graduate postgraduate alumni \
                 adultEducation",
            ),
        )
        .with(CodeList::SessionType, words("gradingPeriod semester schoolYear term"))
        .with(CodeList::Relationship, words("parent relative aide doctor guardian child administrator other"))
        .with(CodeList::Sex, words("male female other notSelected"))
        .with(
            CodeList::Race,
            words("americanIndianOrAlaskaNative asian blackOrAfricanAmerican nativeHawaiianOrOtherPacificIslander white demographicRaceTwoOrMoreRaces"),
        )
        .with(CodeList::Ethnicity, words("hispanicOrLatinoEthnicity"))
        .with(CodeList::Flag, words("freeLunch reducedLunch homeless giftedOrTalented 504 ELL LEP IEP"))
        .with(CodeList::Subject, (1..=24).filter(|n| *n != 6).map(|n| format!("{n:02}")))
}
