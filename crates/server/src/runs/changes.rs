//! Pulls of what has changed: when they will do, and what they are applied to.

use crate::config::OneRoster;
use jiff::{SignedDuration, Timestamp};
use oneroster::{Connection, Credential};
use roster::Source;
use roster::delta::{self, Parts};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// What is known of the pulls that a connector's accepted set is made of. It is kept with the set, so that
/// there is never one without the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    /// The run of the last one.
    pub(super) run: String,
    /// What was asked, where, and as who.
    pub(super) of: String,
    /// Start of the last one in full, on our clock.
    pub(super) full: Timestamp,
    /// Start of the last one, on the provider's clock.
    pub(super) until: Timestamp,
}

/// What a connector asks, where, and as who; of another one, changes are no use.
pub(super) fn question(connection: &Connection) -> String {
    let Connection { base_url, version, credential, switches } = connection;
    let client = match credential {
        Credential::OAuth1 { client_id, .. } => format!("OAuth 1 {client_id}"),
        Credential::OAuth2 { client_id, token_url, scope, .. } => {
            format!("OAuth 2 {client_id} {token_url} {}", scope.as_deref().unwrap_or_default())
        }
    };
    format!("{base_url} {} {switches:?} {client}", version.as_str())
}

/// Since when to ask for changes; `None` when the pull has to be in full. `good_run` is the last run of the
/// flow that came to its end: only what it has worked on is known to be sound.
pub(super) fn since(
    made: Option<&Made>,
    question: &str,
    good_run: Option<&str>,
    settings: &OneRoster,
    now: Timestamp,
) -> Option<Timestamp> {
    let made = made?;
    let age = now.duration_since(made.full);
    let is_fresh = !age.is_negative() && age < SignedDuration::from_hours(settings.full_every_hours.into());
    let is_sound = made.of == question && good_run == Some(made.run.as_str());
    // A clock that is far ahead would have us ask for what has changed since tomorrow.
    let is_past = made.until.duration_since(now) < SignedDuration::from_hours(1);
    let overlap = SignedDuration::from_mins(settings.overlap_minutes.into());
    made.until.checked_sub(overlap).ok().filter(|_| is_fresh && is_sound && is_past)
}

/// Applies a package of changes to a set; gives the names of the files of the whole set, in `out`. The inner
/// error says why that cannot be done without leaving something out.
pub(super) fn apply(base: &[Source], changes: &[Source], now: Timestamp, out: &Path) -> io::Result<Result<Vec<Source>, String>> {
    // Of a file that was not there before, the changes are only a part.
    if let Some(new) = changes.iter().find(|change| !base.iter().any(|file| file.name == change.name)) {
        return Ok(Err(format!("there are changes of {}, which the last pull had not", new.name)));
    }
    let mut first = None;
    let mut findings = |finding: &roster::Finding| {
        first.get_or_insert_with(|| finding.message.clone());
        Ok(())
    };
    std::fs::create_dir_all(out)?;
    let applied = delta::apply(base, changes, now, Parts::OfUsers, None, out, &mut findings).map_err(io::Error::other)?;
    Ok(first.map_or(Ok(applied.files), Err))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn changes_are_asked_for_only_on_top_of_what_is_sound_and_fresh() {
        let made = Made {
            run: "r1".to_owned(),
            of: "here".to_owned(),
            full: at("2026-11-27T02:00:00Z"),
            // The provider's clock is an hour ahead, and is the one that counts.
            until: at("2026-11-27T09:00:00Z"),
        };
        let settings = OneRoster { full_every_hours: 20, overlap_minutes: 10 };
        let ask = |of, run, settings: &OneRoster, now| since(Some(&made), of, run, settings, at(now));
        let noon = "2026-11-27T12:00:00Z";
        assert_eq!(ask("here", Some("r1"), &settings, noon), Some(at("2026-11-27T08:50:00Z")));
        assert_eq!(ask("here", Some("r1"), &settings, "2026-11-27T21:59:59Z"), Some(at("2026-11-27T08:50:00Z")));
        assert_eq!(since(None, "here", Some("r1"), &settings, at(noon)), None, "nothing was pulled before");
        assert_eq!(ask("here", Some("r1"), &settings, "2026-11-27T08:00:00Z"), None, "the provider's clock is an hour ahead");
        assert_eq!(ask("there", Some("r1"), &settings, noon), None, "another connection");
        assert_eq!(ask("here", Some("r0"), &settings, noon), None, "the run of that pull came to nothing");
        assert_eq!(ask("here", None, &settings, noon), None, "no run of this flow came to its end");
        assert_eq!(ask("here", Some("r1"), &settings, "2026-11-27T22:00:00Z"), None, "the last one in full is old");
        assert_eq!(ask("here", Some("r1"), &settings, "2026-11-27T01:00:00Z"), None, "the clock was set back");
        assert_eq!(ask("here", Some("r1"), &OneRoster { full_every_hours: 0, ..settings }, noon), None, "never");
    }
}
