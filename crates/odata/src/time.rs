//! Dates and times as OData and Graph clients write them.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A date-time with an offset, with up to nine fraction digits kept, or a date alone (taken as
/// midnight UTC): canonical UTC text with at most seven digits and no trailing zeros.
pub fn canonical_date_time(text: &str) -> Option<String> {
    if let Some(date) = date(text) {
        return Some(format!("{date}T00:00:00Z"));
    }
    // Four digits first: what is not a year of this calendar would come out as none that clients read.
    if !text.is_ascii() || !text.as_bytes().iter().take(4).all(u8::is_ascii_digit) {
        return None;
    }
    let offset = text.ends_with(['Z', 'z']) || text.get(10..).is_some_and(|rest| rest.contains(['+', '-']));
    let with_offset = if offset { text.to_owned() } else { format!("{text}Z") };
    let timestamp: Timestamp = with_offset.parse().ok()?;
    Some(format(timestamp))
}

/// UTC, seven fraction digits at most, trailing zeros dropped, as Graph answers.
pub fn format(timestamp: Timestamp) -> String {
    // As a calendar has it: before 1970 a timestamp counts its fraction backwards.
    let utc = TimeZone::UTC.to_datetime(timestamp);
    let seconds = utc.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let ticks = utc.subsec_nanosecond() / 100;
    if ticks == 0 {
        return format!("{seconds}Z");
    }
    let digits = format!("{ticks:07}");
    format!("{seconds}.{}Z", digits.trim_end_matches('0'))
}

/// `YYYY-MM-DD` and nothing else.
pub fn date(text: &str) -> Option<Date> {
    let shape = text.len() == 10 && text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    if shape { text.parse().ok() } else { None }
}

/// `hh:mm`, `hh:mm:ss` or with a fraction, and nothing else.
pub fn time_of_day(text: &str) -> Option<Time> {
    let bytes = text.as_bytes();
    let shape = bytes.len() >= 5
        && bytes.iter().enumerate().all(|(i, b)| match i {
            2 | 5 => *b == b':',
            8 => *b == b'.',
            _ => b.is_ascii_digit(),
        })
        && (bytes.len() == 5 || bytes.len() == 8 || bytes.len() > 9);
    if shape { text.parse().ok() } else { None }
}

/// A day-time duration, `-P6DT23H59M59.9999S` (`Edm.Duration`): no years, no months.
pub fn duration(text: &str) -> Option<SignedDuration> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let rest = rest.strip_prefix('P')?;
    let (days, times) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((days, times)) => (days, times),
        None => (rest, ""),
    };
    if days.is_empty() && times.is_empty() {
        return None;
    }
    let digits = |text: &str| if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) { text.parse::<i64>().ok() } else { None };
    let mut seconds = match days {
        "" => 0,
        days => digits(days.strip_suffix('D')?)?.checked_mul(86_400)?,
    };
    let (mut nanos, mut rest) = (0, times);
    for (unit, length) in [('H', 3_600), ('M', 60)] {
        if let Some((number, after)) = rest.split_once(unit) {
            seconds = digits(number)?.checked_mul(length)?.checked_add(seconds)?;
            rest = after;
        }
    }
    if !rest.is_empty() {
        let number = rest.strip_suffix('S')?;
        let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, fraction)| (whole, Some(fraction)));
        seconds = digits(whole)?.checked_add(seconds)?;
        if let Some(fraction) = fraction {
            if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            nanos = format!("{fraction:0<9}").get(..9)?.parse::<i32>().ok()?;
        }
    }
    let found = SignedDuration::new(seconds, nanos);
    if negative { found.checked_neg() } else { Some(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_times_come_out_in_utc_without_trailing_zeros() {
        let canonical = |text| canonical_date_time(text).unwrap();
        assert_eq!(canonical("2023-03-12T16:40:46.924769+05:30"), "2023-03-12T11:10:46.924769Z");
        assert_eq!(canonical("2024-03-22T23:55:06.3141592Z"), "2024-03-22T23:55:06.3141592Z");
        assert_eq!(canonical("2024-03-22T23:55:06.5000000Z"), "2024-03-22T23:55:06.5Z");
        assert_eq!(canonical("2024-03-22"), "2024-03-22T00:00:00Z");
        assert_eq!(canonical("1969-12-31T23:59:58.25Z"), "1969-12-31T23:59:58.25Z");
        assert_eq!(canonical("0001-01-01T00:00:00.0000001Z"), "0001-01-01T00:00:00.0000001Z");
        assert_eq!(canonical("2024-03-22T10:00:00"), "2024-03-22T10:00:00Z");
        assert_eq!(canonical_date_time("2024-13-22T10:00:00Z"), None);
        for odd in ["yesterday", "123456789€", "€€€€", "2026-01-0é", "-000001-01-01T00:00:00Z", "+002026-01-01T00:00:00Z", ""] {
            assert_eq!(canonical_date_time(odd), None, "{odd}");
        }
    }

    #[test]
    fn times_of_day_and_durations() {
        assert_eq!(time_of_day("11:22:33.5").unwrap().millisecond(), 500);
        assert!(time_of_day("11:22").is_some());
        for text in ["24:00:00", "1:22", "11:22:", "11:22:33.", "11-22", "Ü:22"] {
            assert!(time_of_day(text).is_none(), "{text}");
        }
        assert_eq!(duration("P1DT12H").unwrap().as_secs(), 36 * 3_600);
        assert_eq!(duration("-PT1.25S").unwrap().as_millis(), -1_250);
        for text in ["", "P", "PT", "P1Y", "P1M", "P1DT", "PT1S1M", "PTS", "P99999999999999999D", "PT1.S"] {
            assert!(duration(text).is_none(), "{text}");
        }
    }
}
