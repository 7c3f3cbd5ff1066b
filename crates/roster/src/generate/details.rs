//! What a student's demographics say.

use super::draw::Draw;
use super::walk::Student;

pub(super) struct Details {
    /// Year, month and day of birth.
    pub(super) born: (u32, u32, u32),
    pub(super) sex: &'static str,
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) hispanic: bool,
    /// Codes of races, separated by commas.
    pub(super) races: &'static str,
    pub(super) flags: &'static [&'static str],
}

const CITIES: [(&str, &str); 6] = [
    ("Rivermark", "WA"),
    ("Saint-Léo", "FL"),
    ("Cañon City", "CO"),
    ("Wei Hai Springs", "CA"),
    ("São Bento, North", "TX"),
    ("Kilkenny", "MN"),
];
const RACES: [&str; 8] = [
    "white",
    "white",
    "asian",
    "blackOrAfricanAmerican",
    "blackOrAfricanAmerican,white",
    "americanIndianOrAlaskaNative",
    "nativeHawaiianOrOtherPacificIslander,asian",
    "",
];
const FLAGS: [&[&str]; 12] =
    [&[], &[], &[], &[], &[], &[], &[], &["freeLunch"], &["IEP"], &["giftedOrTalented"], &["ELL", "reducedLunch"], &["504"]];

/// Draws the details of a student.
pub(super) fn details(student: &Student<'_>, draw: &mut Draw) -> Details {
    let (city, state) = draw.pick(&CITIES);
    Details {
        born: (2020 - student.grade as u32, 1 + draw.below(12) as u32, 1 + draw.below(28) as u32),
        sex: draw.pick(&["male", "female", "male", "female", "female", "male", "other"]),
        city,
        state,
        hispanic: draw.one_in(5),
        races: draw.pick(&RACES),
        flags: draw.pick(&FLAGS),
    }
}
