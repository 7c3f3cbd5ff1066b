//! The functions of expressions: names, what they take and give, what they do.

use super::ast::{Kind, Simple};
use super::value::V;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are OData's, part 2 §5.1.1.5 to §5.1.1.10")]
pub enum Function {
    Contains,
    StartsWith,
    EndsWith,
    ToLower,
    ToUpper,
    Trim,
    Length,
    IndexOf,
    Substring,
    Concat,
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    FractionalSeconds,
    Date,
    Time,
    TotalSeconds,
    TotalOffsetMinutes,
    Now,
    MinDateTime,
    MaxDateTime,
    Round,
    Floor,
    Ceiling,
}

/// What an argument can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    Number,
    /// A date or a point in time.
    Day,
    /// A point in time or a time of day.
    Clock,
    /// A point in time.
    Time,
    Duration,
}

impl Takes {
    pub(super) fn accepts(self, kind: Kind) -> bool {
        use Simple as S;
        match (self, kind) {
            (_, Kind::Null) => true,
            (Self::Number, kind) => kind.is_number(),
            (Self::Text, Kind::Simple(simple)) => matches!(simple, S::Text | S::Guid),
            (Self::Day, Kind::Simple(simple)) => matches!(simple, S::Date | S::Time),
            (Self::Clock, Kind::Simple(simple)) => matches!(simple, S::Clock | S::Time),
            (Self::Time, Kind::Simple(simple)) => simple == S::Time,
            (Self::Duration, Kind::Simple(simple)) => simple == S::Duration,
            _ => false,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Day => "a date or a time with a date",
            Self::Clock => "a time",
            Self::Time => "a time with a date",
            Self::Duration => "a duration",
        }
    }
}

/// A row of the table.
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) function: Function,
    pub(super) takes: &'static [Takes],
    /// How many of the arguments must be there.
    pub(super) required: usize,
    pub(super) gives: Kind,
}

const fn row(name: &'static str, function: Function, takes: &'static [Takes], gives: Kind) -> Signature {
    Signature { name, function, takes, required: takes.len(), gives }
}

const TIME: Kind = Kind::Simple(Simple::Time);

impl Function {
    pub(super) const TABLE: &'static [Signature] = &[
        row("contains", Self::Contains, &[Takes::Text, Takes::Text], Kind::BOOL),
        row("startswith", Self::StartsWith, &[Takes::Text, Takes::Text], Kind::BOOL),
        row("endswith", Self::EndsWith, &[Takes::Text, Takes::Text], Kind::BOOL),
        row("tolower", Self::ToLower, &[Takes::Text], Kind::TEXT),
        row("toupper", Self::ToUpper, &[Takes::Text], Kind::TEXT),
        row("trim", Self::Trim, &[Takes::Text], Kind::TEXT),
        row("length", Self::Length, &[Takes::Text], Kind::INT),
        row("indexof", Self::IndexOf, &[Takes::Text, Takes::Text], Kind::INT),
        Signature { required: 2, ..row("substring", Self::Substring, &[Takes::Text, Takes::Number, Takes::Number], Kind::TEXT) },
        row("concat", Self::Concat, &[Takes::Text, Takes::Text], Kind::TEXT),
        row("year", Self::Year, &[Takes::Day], Kind::INT),
        row("month", Self::Month, &[Takes::Day], Kind::INT),
        row("day", Self::Day, &[Takes::Day], Kind::INT),
        row("hour", Self::Hour, &[Takes::Clock], Kind::INT),
        row("minute", Self::Minute, &[Takes::Clock], Kind::INT),
        row("second", Self::Second, &[Takes::Clock], Kind::INT),
        row("fractionalseconds", Self::FractionalSeconds, &[Takes::Clock], Kind::FLOAT),
        row("date", Self::Date, &[Takes::Day], Kind::Simple(Simple::Date)),
        row("time", Self::Time, &[Takes::Time], Kind::Simple(Simple::Clock)),
        row("totalseconds", Self::TotalSeconds, &[Takes::Duration], Kind::FLOAT),
        row("totaloffsetminutes", Self::TotalOffsetMinutes, &[Takes::Time], Kind::INT),
        row("now", Self::Now, &[], TIME),
        row("mindatetime", Self::MinDateTime, &[], TIME),
        row("maxdatetime", Self::MaxDateTime, &[], TIME),
        row("round", Self::Round, &[Takes::Number], Kind::FLOAT),
        row("floor", Self::Floor, &[Takes::Number], Kind::FLOAT),
        row("ceiling", Self::Ceiling, &[Takes::Number], Kind::FLOAT),
    ];

    /// What OData has and Homeroom has not, so that the error can say so.
    pub(super) const KNOWN_ELSEWHERE: &'static [&'static str] =
        &["case", "hassubset", "hassubsequence", "matchespattern", "geo.distance", "geo.intersects", "geo.length"];
}

/// Calculates a function. Null in gives null out; so does what has no value.
pub(super) fn call<'v>(function: Function, values: &[V<'v>]) -> V<'v> {
    use Function as F;
    match (function, values) {
        (F::MinDateTime, []) => V::Time(Timestamp::MIN),
        (F::MaxDateTime, []) => V::Time(Timestamp::MAX),
        (F::Contains, [V::Text(a), V::Text(b)]) => V::Bool(a.contains(b.as_ref())),
        (F::StartsWith, [V::Text(a), V::Text(b)]) => V::Bool(a.starts_with(b.as_ref())),
        (F::EndsWith, [V::Text(a), V::Text(b)]) => V::Bool(a.ends_with(b.as_ref())),
        (F::ToLower, [V::Text(a)]) => V::Text(a.to_lowercase().into()),
        (F::ToUpper, [V::Text(a)]) => V::Text(a.to_uppercase().into()),
        (F::Trim, [V::Text(a)]) => V::Text(a.trim().to_owned().into()),
        (F::Length, [V::Text(a)]) => V::Int(a.chars().count() as i64),
        (F::IndexOf, [V::Text(a), V::Text(b)]) => V::Int(a.find(b.as_ref()).map_or(-1, |byte| a[..byte].chars().count() as i64)),
        (F::Substring, [V::Text(a), from]) => match from.whole() {
            Some(from) => V::Text(a.chars().skip(from).collect::<String>().into()),
            None => V::Null,
        },
        (F::Substring, [V::Text(a), from, length]) => match (from.whole(), length.whole()) {
            (Some(from), Some(length)) => V::Text(a.chars().skip(from).take(length).collect::<String>().into()),
            _ => V::Null,
        },
        (F::Concat, [V::Text(a), V::Text(b)]) => V::Text(format!("{a}{b}").into()),
        (F::Round | F::Floor | F::Ceiling, [V::Int(n)]) => V::Int(*n),
        (F::Round, [V::Float(n)]) => V::Float(n.round()),
        (F::Floor, [V::Float(n)]) => V::Float(n.floor()),
        (F::Ceiling, [V::Float(n)]) => V::Float(n.ceil()),
        (F::TotalSeconds, [V::Duration(duration)]) => V::Float(duration.as_secs_f64()),
        // Times are kept in UTC: the offset that a client once wrote is not known any more.
        (F::TotalOffsetMinutes, [V::Time(_)]) => V::Int(0),
        (part, [V::Clock(clock)]) => match part {
            F::Hour => V::Int(clock.hour().into()),
            F::Minute => V::Int(clock.minute().into()),
            F::Second => V::Int(clock.second().into()),
            F::FractionalSeconds => V::Float(f64::from(clock.subsec_nanosecond()) / 1e9),
            _ => V::Null,
        },
        (part, [V::Date(date)]) => match part {
            F::Year => V::Int(date.year().into()),
            F::Month => V::Int(date.month().into()),
            F::Day => V::Int(date.day().into()),
            F::Date => V::Date(*date),
            _ => V::Null,
        },
        (part, [V::Time(time)]) => {
            let time = time.to_zoned_datetime(TimeZone::UTC).datetime();
            match part {
                F::Time => V::Clock(time.time()),
                F::Year | F::Month | F::Day | F::Date => call(part, &[V::Date(time.date())]),
                _ => call(part, &[V::Clock(time.time())]),
            }
        }
        _ => V::Null,
    }
}
