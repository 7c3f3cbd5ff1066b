//! Checks of one value on its own.

use crate::codes::Codes;
use crate::model::Kind;
use std::borrow::Cow;

/// What a check gives: the normalised value, or why it cannot be used.
pub(crate) enum Checked<'a> {
    Good(Cow<'a, str>),
    /// A list of which some members are good.
    Partly(String, Vec<String>),
    Bad(String, Option<String>),
}

/// Checks and normalises a value that is not empty.
pub(crate) fn value<'a>(kind: Kind, text: &'a str, codes: &Codes) -> Checked<'a> {
    let bad = |what: &str| Checked::Bad(what.to_owned(), None);
    match kind {
        // Keys are joined by a control character; one inside an id would let two keys look alike.
        Kind::Id if text.contains('\t') => bad("has a tab in it"),
        Kind::Id | Kind::Text | Kind::Ids | Kind::Password => Checked::Good(Cow::Borrowed(text)),
        Kind::Code(list) => match codes.canonical(list, text) {
            Some(code) => Checked::Good(Cow::Owned(code.to_owned())),
            None => Checked::Bad(
                format!("is not a code of {}", list.reference_type()),
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
            if wrong.is_empty() { Checked::Good(Cow::Owned(good.join(","))) } else { Checked::Partly(good.join(","), wrong) }
        }
        Kind::Email => match is_email(text) {
            true if text.bytes().any(|b| b.is_ascii_uppercase()) || !text.is_ascii() => Checked::Good(Cow::Owned(text.to_lowercase())),
            true => Checked::Good(Cow::Borrowed(text)),
            false => bad("is not an e-mail address"),
        },
        Kind::Phone if is_phone(text) => Checked::Good(Cow::Borrowed(text)),
        Kind::Phone => Checked::Bad(
            "is not a phone number in E.164 form".to_owned(),
            Some("Write '+', country code and number, such as +12025550123.".to_owned()),
        ),
        Kind::Date => match date(text) {
            Some(date) => Checked::Good(date),
            None => Checked::Bad("is not an ISO 8601 date".to_owned(), Some("Write the year first, such as 2026-08-24.".to_owned())),
        },
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Checked::Good(Cow::Borrowed("true")),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Checked::Good(Cow::Borrowed("false")),
        Kind::Boolean => bad("is neither true nor false"),
        Kind::Year if text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()) => Checked::Good(Cow::Borrowed(text)),
        Kind::Year => bad("is not a year of four digits"),
    }
}

/// One `@`, something before it, a domain with a dot after it, no blanks.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain = !local.is_empty()
        && !local.contains('@')
        && text.len() <= 320
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c));
    plain
        && domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
}

/// `+` and up to fifteen digits, the first not zero. Only the shape: sample numbers need not exist.
fn is_phone(text: &str) -> bool {
    text.strip_prefix('+')
        .is_some_and(|digits| (2..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// A date, with or without a time, which is dropped.
fn date(text: &str) -> Option<Cow<'_, str>> {
    let (day, time) = text.split_at_checked(10)?;
    let shape = day.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    let valid = shape && day.parse::<jiff::civil::Date>().is_ok();
    let time_shape = time.is_empty()
        || time.starts_with(['T', 't', ' ']) && time.len() > 4 && time[1..].bytes().all(|b| b.is_ascii_digit() || b"+-:.Zz".contains(&b));
    (valid && time_shape).then_some(Cow::Borrowed(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["a@b.example", "O'Brien+x@d001.schools.example", "ä@b.example"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["a", "@b.example", "a@b", "a b@c.example", "a@b..example", "a@@b.example", "a@-b.example", ".a@b.example"] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn phones_and_dates() {
        assert!(is_phone("+11234567890"));
        assert!(!is_phone("0123") && !is_phone("+0123") && !is_phone("+1 234") && !is_phone("+1234567890123456"));
        assert_eq!(date("2021-08-24").as_deref(), Some("2021-08-24"));
        assert_eq!(date("2021-08-24T10:00:00Z").as_deref(), Some("2021-08-24"));
        for bad in ["24/08/2021", "2021-02-30", "2021-8-24", "2021-08-24x", ""] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }
}
