//! Checks of one value on its own. On the way of every value of every row: bytes first, and nothing
//! is allocated for a good one.

use crate::codes::Codes;
use crate::format::{Kind, Slashes};
use crate::nearest::nearest;
use std::borrow::Cow;

/// What a check says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Checked<'a> {
    /// As it stands.
    Good,
    /// Good, and kept in another form.
    Changed(Cow<'a, str>),
    /// A list of which some members are good.
    Partly(String, Vec<String>),
    /// What is wrong, and a hint.
    Bad(String, Option<String>),
}

impl Checked<'_> {
    /// The same, of a text that does not live on.
    pub(crate) fn into_owned(self) -> Checked<'static> {
        match self {
            Self::Good => Checked::Good,
            Self::Changed(value) => Checked::Changed(Cow::Owned(value.into_owned())),
            Self::Partly(good, wrong) => Checked::Partly(good, wrong),
            Self::Bad(why, hint) => Checked::Bad(why, hint),
        }
    }
}

fn bad(what: &str) -> Checked<'static> {
    Checked::Bad(what.to_owned(), None)
}

/// Checks and normalises a value that is not empty.
pub(crate) fn value<'a>(kind: Kind, text: &'a str, codes: &'a Codes) -> Checked<'a> {
    match kind {
        Kind::Id if text.contains('\t') => bad("has a tab in it"),
        Kind::SourcedId if !is_sourced_id(text.as_bytes()) => Checked::Bad(
            "is not a sourcedId".to_owned(),
            Some("Write up to 255 letters, digits and the characters . / @ _ -, without blanks.".to_owned()),
        ),
        Kind::Password => Checked::Changed(Cow::Borrowed("")),
        Kind::Code(list) => match codes.canonical(list, text) {
            Some(code) => Checked::Changed(Cow::Borrowed(code)),
            None => Checked::Bad(
                format!("is not {}", codes.expected(list)),
                codes.nearest(list, text).map(|near| format!("Did you mean '{near}'?")),
            ),
        },
        Kind::Codes(list) => {
            let (mut good, mut wrong) = (Vec::new(), Vec::new());
            for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                match codes.canonical(list, part) {
                    Some(code) => good.push(code),
                    None => wrong.push(part.to_owned()),
                }
            }
            let good = good.join(",");
            if wrong.is_empty() { Checked::Changed(Cow::Owned(good)) } else { Checked::Partly(good, wrong) }
        }
        Kind::Word(words) => match words.meaning(text) {
            Some(code) => Checked::Changed(Cow::Borrowed(code)),
            None => Checked::Bad(
                format!("is none of {}", words.all()),
                // The words are the format's own: nobody can add to them, as the remedy for codes has it.
                Some(nearest(text, words.meanings.iter().map(|(word, _)| *word)).map_or_else(
                    || {
                        let own = words.extension.map_or("the format has no others", |_| "words of your own begin with 'ext:'");
                        format!("Write the one that is meant; {own}.")
                    },
                    |near| format!("Did you mean '{near}'?"),
                )),
            ),
        },
        Kind::Email if !is_email(text) => bad("is not an e-mail address"),
        Kind::Email | Kind::EmailKey if !is_surely_lower_case(text) => Checked::Changed(Cow::Owned(text.to_lowercase())),
        Kind::Id | Kind::SourcedId | Kind::Text | Kind::Ids | Kind::Email | Kind::EmailKey => Checked::Good,
        Kind::Phone if is_phone(text.as_bytes()) => Checked::Good,
        Kind::Phone => Checked::Bad(
            "is not a phone number in E.164 form".to_owned(),
            Some("Write '+', country code and number, such as +12025550123.".to_owned()),
        ),
        Kind::Date => match date(text) {
            Some(day) if day.len() == text.len() => Checked::Good,
            Some(day) => Checked::Changed(Cow::Borrowed(day)),
            None => Checked::Bad("is not an ISO 8601 date".to_owned(), Some("Write the year first, such as 2026-08-24.".to_owned())),
        },
        Kind::SlashDate(order) => match slash_date(text, order) {
            Some(day) if day == text => Checked::Good,
            Some(day) => Checked::Changed(day),
            // So are the others of the column then, also those which can be read with the month first.
            None if slash_date(text, Slashes::DayFirst).is_some() => Checked::Bad(
                "has the day before the month, and dates with slashes are read with the month first here".to_owned(),
                Some("Look at every date of the column, and write the year first, such as 2026-08-24.".to_owned()),
            ),
            None => Checked::Bad("is not a date".to_owned(), Some("Write the year first, such as 2026-08-24, or 8/24/2026.".to_owned())),
        },
        Kind::Boolean if matches!(text, "true" | "false") => Checked::Good,
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Checked::Changed(Cow::Borrowed("true")),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Checked::Changed(Cow::Borrowed("false")),
        Kind::Boolean => bad("is neither true nor false"),
        Kind::Year | Kind::SchoolYear if is_digits(text, 4) => Checked::Good,
        Kind::SchoolYear if let Some(end) = end_of_school_year(text) => Checked::Changed(Cow::Owned(end)),
        Kind::Year | Kind::SchoolYear => bad("is not a year of four digits"),
    }
}

fn is_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The second year of `2026-2027`, `2026/2027` or `2026-27`, which follows the first.
fn end_of_school_year(text: &str) -> Option<String> {
    let (start, end) = text.split_once(['-', '/'])?;
    if !is_digits(start, 4) || !(is_digits(end, 4) || is_digits(end, 2)) {
        return None;
    }
    let next = (start.parse::<u32>().ok()? + 1).to_string();
    next.ends_with(end).then_some(next)
}

/// `^[0-9A-Za-z./@_-]{1,255}$`, as the binding of OneRoster 1.2 has it.
fn is_sourced_id(text: &[u8]) -> bool {
    const OTHER: [u8; 256] = {
        let (mut other, mut byte) = ([1; 256], 0);
        while byte < 256 {
            if (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'.' | b'/' | b'@' | b'_' | b'-') {
                other[byte] = 0;
            }
            byte += 1;
        }
        other
    };
    // Nearly every one is good: no way out in the middle.
    text.len() <= 255 && text.iter().fold(0, |found, byte| found | OTHER[usize::from(*byte)]) == 0
}

/// What a text is meant to be whose UTF-8 was taken for Windows-1252 and encoded once more: `JosÃ©`.
pub(crate) fn encoded_twice(text: &str) -> Option<String> {
    // Only where a letter that can start a sequence of UTF-8 stands before something beyond ASCII.
    if text.is_ascii() || !text.as_bytes().windows(3).any(|bytes| matches!(bytes, [0xc3, 0x82..=0xb4, 0x80..=0xff])) {
        return None;
    }
    let (bytes, _, foreign) = encoding_rs::WINDOWS_1252.encode(text);
    let meant = std::str::from_utf8(&bytes).ok()?;
    (!foreign && !meant.is_ascii()).then(|| meant.to_owned())
}

/// One `@`, something before it, a domain with a dot after it, no blanks.
fn is_email(text: &str) -> bool {
    const ADDRESS_BYTES_MAX: usize = 320;
    if text.len() > ADDRESS_BYTES_MAX || !text.is_ascii() && text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return false;
    }
    // Behind the last dot or at sign; a part between them may not be empty.
    let (mut before, mut in_domain, mut dots) = (b'.', false, 0);
    for byte in text.bytes() {
        match byte {
            b'.' | b'@' if matches!(before, b'.' | b'@') => return false,
            b'.' if in_domain && before == b'-' => return false,
            b'.' => dots += usize::from(in_domain),
            b'@' if in_domain => return false,
            b'@' => in_domain = true,
            b'-' if in_domain && matches!(before, b'.' | b'@') => return false,
            0..=b' ' | b'<' | b'>' | b',' | b';' | b'"' | 0x7f => return false,
            _ => {}
        }
        before = byte;
    }
    dots > 0 && !matches!(before, b'.' | b'@' | b'-')
}

/// Whether a text is the same in lower case, without looking at what is not ASCII.
pub(crate) fn is_surely_lower_case(text: &str) -> bool {
    // All of the bytes, without a way out in the middle: that is what a compiler makes fast.
    !text.bytes().fold(false, |found, byte| found | byte.is_ascii_uppercase() | !byte.is_ascii())
}

/// `+` and up to fifteen digits, the first not zero. Only the shape: sample numbers need not exist.
fn is_phone(text: &[u8]) -> bool {
    matches!(text, [b'+', b'1'..=b'9', rest @ ..] if (1..15).contains(&rest.len()) && rest.iter().all(u8::is_ascii_digit))
}

/// A date, with or without a time, which is dropped.
pub(crate) fn date(text: &str) -> Option<&str> {
    let (day, time) = text.split_at_checked(10)?;
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = day.as_bytes() else { return None };
    if ![y1, y2, y3, y4, m1, m2, d1, d2].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let two = |tens: u8, ones: u8| u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
    let (year, month, day_of_month) = (two(y1, y2) * 100 + two(y3, y4), two(m1, m2), two(d1, d2));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    let time_shape = time.is_empty()
        || time.starts_with(['T', 't', ' ']) && time.len() > 4 && time[1..].bytes().all(|b| b.is_ascii_digit() || b"+-:.Zz".contains(&b));
    ((1..=days).contains(&day_of_month) && time_shape).then_some(day)
}

/// A date as SDS v1 has them, in the form of ISO 8601: that form itself, `20260824`, or `8/24/2026`, which
/// is what Microsoft's own samples have; in the United Kingdom `24/8/2026`.
fn slash_date(text: &str, order: Slashes) -> Option<Cow<'_, str>> {
    let is_number = |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((first, (second, year))) = text.split_once('/').and_then(|(first, rest)| Some((first, rest.split_once('/')?))) {
        if !is_number(first, 2) || !is_number(second, 2) || year.len() != 4 {
            return None;
        }
        let day = |month: &str, day: &str| Some(format!("{year}-{month:0>2}-{day:0>2}")).filter(|day| date(day).is_some());
        let month_first = || day(first, second);
        return match order {
            Slashes::MonthFirst => month_first(),
            Slashes::DayFirst => day(second, first).or_else(month_first),
        }
        .map(Cow::Owned);
    }
    if is_number(text, 8) && text.len() == 8 {
        let day = format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]);
        return date(&day).is_some().then_some(Cow::Owned(day));
    }
    date(text).map(Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Words;
    use proptest::prelude::*;

    /// The words of a format are nobody's to add to, as the remedy for codes in general has it.
    #[test]
    fn a_word_of_no_list_has_a_hint_of_its_own() {
        static OWN: Words = Words { meanings: &[("school", "school"), ("district", "district")], extension: None };
        static EXTENDED: Words = Words { meanings: &[("school", "school"), ("district", "district")], extension: Some("school") };
        for (words, given, hint) in [
            (&OWN, "scool", "Did you mean 'school'?"),
            (&OWN, "kindergarten", "Write the one that is meant; the format has no others."),
            (&EXTENDED, "kindergarten", "Write the one that is meant; words of your own begin with 'ext:'."),
        ] {
            let codes = Codes::default();
            assert_eq!(
                value(Kind::Word(words), given, &codes),
                Checked::Bad("is none of school, district".to_owned(), Some(hint.to_owned()))
            );
        }
    }

    #[test]
    fn addresses() {
        for good in ["a@b.example", "-a-@b-c.example", "O'Brien+x@d001.schools.example", "ä@b.example"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "a",
            "@b.example",
            "a@b",
            "a b@c.example",
            "a@b..example",
            "a@@b.example",
            "a@-b.example",
            ".a@b.example",
            "a.@b.example",
            "a..b@c.example",
            "a@b.example.",
            "a@b-.example",
            "a@b.example-",
            "a@.b.example",
            "a@b",
            "",
            "a@b@c.example",
            "a\u{a0}@b.example",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn phones_and_dates() {
        assert!(is_phone(b"+11234567890"));
        for bad in ["0123", "+0123", "+1 234", "+1234567890123456", "+1", "+", ""] {
            assert!(!is_phone(bad.as_bytes()), "{bad}");
        }
        assert!(is_phone(b"+12") && is_phone(b"+123456789012345"));
        assert_eq!(date("2021-08-24"), Some("2021-08-24"));
        assert_eq!(date("2021-08-24T10:00:00Z"), Some("2021-08-24"));
        for bad in ["24/08/2021", "2021-02-30", "2021-8-24", "2021-08-24x", "2021-08-2é", ""] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn school_years_and_sourced_ids() {
        for good in ["2026-2027", "2026/2027", "2026-27"] {
            assert_eq!(end_of_school_year(good).as_deref(), Some("2027"), "{good}");
        }
        for bad in ["2026-2028", "2026-", "-2027", "26-27", "2026-7", "2026-2027-2028", "20é6-27"] {
            assert_eq!(end_of_school_year(bad), None, "{bad}");
        }
        assert!(is_sourced_id(b"aZ09./@_-") && is_sourced_id(&[b'a'; 255]));
        assert!(!is_sourced_id(b"a b") && !is_sourced_id("é".as_bytes()) && !is_sourced_id(&[b'a'; 256]));
    }

    #[test]
    fn what_was_encoded_twice_is_seen_and_nothing_else() {
        for meant in ["José", "Müller", "D’Arcy", "Łucja", "佐藤", "é"] {
            let twice = encoding_rs::WINDOWS_1252.decode_without_bom_handling(meant.as_bytes()).0;
            assert_eq!(encoded_twice(&twice).as_deref(), Some(meant), "{twice}");
            assert_eq!(encoded_twice(meant), None);
        }
        for good in ["", "Ann", "JOÃO", "MOÇÃO", "LYCÉE «MOLIÈRE»", "Ðorđe", "ÀÉÎ", "Ã"] {
            assert_eq!(encoded_twice(good), None, "{good}");
        }
    }

    #[test]
    fn dates_of_sds_v1() {
        let (us, uk) = (|text| slash_date(text, Slashes::MonthFirst), |text| slash_date(text, Slashes::DayFirst));
        for good in ["2026-08-04", "20260804", "8/4/2026", "08/04/2026", "2026-08-04T00:00:00"] {
            assert_eq!(us(good).as_deref(), Some("2026-08-04"), "{good}");
        }
        for bad in ["31/02/2026", "2026-02-30", "20261345", "8/4/26", "8/4", "8//2026", "8/4/2026/1", "+8/4/2026", "é/4/2026", "2026080"] {
            assert_eq!((us(bad), uk(bad)), (None, None), "{bad}");
        }
        for (text, day) in
            [("4/8/2026", "2026-08-04"), ("24/08/2026", "2026-08-24"), ("8/24/2026", "2026-08-24"), ("20260804", "2026-08-04")]
        {
            assert_eq!(uk(text).as_deref(), Some(day), "{text}");
        }
        assert_eq!(us("24/08/2026"), None);
    }

    proptest! {
        /// Another calendar agrees.
        #[test]
        fn dates_are_those_of_the_calendar(year in 0..10_000, month in 0..14, day in 0..33) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            prop_assert_eq!(date(&text).is_some(), text.parse::<jiff::civil::Date>().is_ok(), "{}", text);
        }
    }
}
