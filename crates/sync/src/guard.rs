//! The guard: how much may be lost before a run stops and asks (decision 23).

use serde::{Deserialize, Serialize};

/// Limits of one tenant.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Guard {
    /// A drop above this share (percent) …
    pub max_drop_percent: f64,
    /// … and above this number stops the run.
    pub max_drop_count: u64,
    /// More rows than this share (percent) in error stop the run.
    pub max_error_percent: f64,
}

/// Numbers before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// People of the sources.
    pub people: u64,
    /// Memberships that flows hold.
    pub memberships: u64,
    /// Groups with at least one such membership.
    pub groups: u64,
}

/// A reason that stops a run, for the page that lists them.
#[derive(Debug, Clone, Copy)]
pub struct Stop {
    /// Machine-readable code.
    pub code: &'static str,
    /// When it is given.
    pub when: &'static str,
    /// Whether an approval lets the run go on.
    pub approvable: bool,
}

/// Everything that stops a run apart from catastrophic findings.
pub const STOPS: [Stop; 5] = [
    Stop { code: "NoData", when: "No active inbound flow has an accepted upload.", approvable: false },
    Stop { code: "FileMissingFromSet", when: "A file of the last accepted set is missing.", approvable: true },
    Stop {
        code: "SafetyThresholdExceeded",
        when: "More people, memberships or groups than the guard allows would go, or too many rows are in error.",
        approvable: true,
    },
    Stop { code: "DirectoryChanged", when: "The directory is not as it was when the run was planned.", approvable: false },
    Stop { code: "RunFailed", when: "Homeroom itself could not carry out the run.", approvable: false },
];

/// Why a run is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// Machine-readable code.
    pub code: String,
    /// In plain words, with the numbers.
    pub message: String,
}

impl Guard {
    /// Compares what would be left with what is; `None` lets the run go on.
    pub fn check(&self, before: Counts, after: Counts, rows: u64, error_rows: u64) -> Option<Blocked> {
        let mut reasons = Vec::new();
        for (what, before, after) in [
            ("people", before.people, after.people),
            ("memberships", before.memberships, after.memberships),
            ("groups in use", before.groups, after.groups),
        ] {
            let lost = before.saturating_sub(after);
            if lost > self.max_drop_count && share(lost, before) > self.max_drop_percent {
                reasons.push(format!("{lost} of {before} {what} would go ({:.1} %)", share(lost, before)));
            }
        }
        if share(error_rows, rows) > self.max_error_percent {
            reasons.push(format!("{error_rows} of {rows} rows are in error ({:.1} %)", share(error_rows, rows)));
        }
        if reasons.is_empty() {
            return None;
        }
        let message = format!("Nothing was changed: {}. Mend the data and run again, or approve this run.", reasons.join("; "));
        Some(Blocked { code: "SafetyThresholdExceeded".to_owned(), message })
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARD: Guard = Guard { max_drop_percent: 20.0, max_drop_count: 10, max_error_percent: 25.0 };

    fn people(n: u64) -> Counts {
        Counts { people: n, ..Counts::default() }
    }

    #[test]
    fn both_the_share_and_the_number_must_be_exceeded() {
        assert!(GUARD.check(people(100), people(80), 1, 0).is_none(), "20 % is not above 20 %");
        assert!(GUARD.check(people(100), people(79), 1, 0).is_some());
        assert!(GUARD.check(people(20), people(10), 1, 0).is_none(), "ten are not above ten");
        assert!(GUARD.check(people(0), people(0), 0, 0).is_none());
    }

    #[test]
    fn the_message_has_the_numbers() {
        let blocked = GUARD.check(people(100), people(10), 100, 26).unwrap();
        assert!(
            blocked.message.contains("90 of 100 people would go (90.0 %)") && blocked.message.contains("26 of 100"),
            "{}",
            blocked.message
        );
    }
}
