//! Dates and times as OData and Graph clients write them.

use jiff::{Timestamp, civil::Date};

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
    let seconds = timestamp.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let ticks = timestamp.subsec_nanosecond() / 100;
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
        assert_eq!(canonical("2024-03-22T10:00:00"), "2024-03-22T10:00:00Z");
        assert_eq!(canonical_date_time("2024-13-22T10:00:00Z"), None);
        for odd in ["yesterday", "123456789€", "€€€€", "2026-01-0é", "-000001-01-01T00:00:00Z", "+002026-01-01T00:00:00Z", ""] {
            assert_eq!(canonical_date_time(odd), None, "{odd}");
        }
    }
}
