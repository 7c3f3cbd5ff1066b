//! What the files of a package say about each other's records, beyond whether they are there.
//!
//! A rule asks for it while the file that has the answer is still to come, or has been read and forgotten,
//! so those files are looked through first. Kept are hashes: of each role, profile and class; beside them
//! only the sessions, and each list of them that a class has.

use super::{FileSpec, USER_PROFILES};
use crate::Source;
use crate::check::date;
use crate::format::glance;
use crate::format::manifest::{Manifest, Mode};
use crate::ingest::ids;
use crate::keys::{ByHash, HalfSet, hash, hash_of_pair};
use encoding_rs::Encoding;
use std::collections::HashMap;
use std::io;

/// What is known before the first row is read.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Files that the manifest calls whole.
    bulk: Vec<String>,
    /// User and organization of each role, when there is a file of roles.
    roles: Option<HalfSet>,
    /// Each profile with its user, when there is a file of profiles.
    profiles: Option<HalfSet>,
    /// By class: where its sessions are among the spans.
    classes: ByHash<u32>,
    spans: Vec<Option<Span>>,
    /// The time in which all classes take place whose time is known, from the first to the last day.
    common: Option<(String, String)>,
}

/// The time that the sessions of a class take, from the first day of the first to the last day of the last.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Ids of the sessions as the class has them.
    pub(super) sessions: String,
    pub(super) start: String,
    pub(super) end: String,
    /// The day after the end: the last that an end which is exclusive can be.
    pub(super) day_after: String,
}

impl Links {
    /// Looks through the files of a package in the version of `table`.
    pub(crate) fn of(table: &'static [FileSpec], files: &[Source], encoding: Option<&'static Encoding>) -> io::Result<Self> {
        let glance = Glance { table, files, encoding };
        let modes = Manifest::read(files).unwrap_or_default().unwrap_or_default();
        let bulk = table.iter().map(|spec| spec.name).filter(|file| modes.mode(file) == Some(Mode::Bulk)).map(str::to_owned).collect();
        let roles = glance.pairs(glance.spec("roles.csv"), ["userSourcedId", "orgSourcedId"])?;
        let profiles = glance.pairs(Some(&USER_PROFILES), ["sourcedId", "userSourcedId"])?;
        let mut links = Self { bulk, roles, profiles, ..Self::default() };
        glance.spans(&mut links)?;
        Ok(links)
    }

    /// Whether the manifest says that a file is whole.
    pub(crate) fn is_bulk(&self, file: &str) -> bool {
        self.bulk.iter().any(|bulk| bulk == file)
    }

    /// Whether a user has a role in an organization, as far as there is a file to tell.
    pub(super) fn lacks_role(&self, user: &str, org: &str) -> bool {
        self.roles.as_ref().is_some_and(|roles| !roles.has(hash_of_pair(user, org)))
    }

    /// Whether a profile is not one of a user, as far as there is a file to tell.
    pub(super) fn is_profile_of_other(&self, profile: &str, user: &str) -> bool {
        self.profiles.as_ref().is_some_and(|profiles| !profiles.has(hash_of_pair(profile, user)))
    }

    /// Whether all days are in the time of every class, whatever the class.
    pub(super) fn are_in_every_span(&self, days: [&str; 2]) -> bool {
        self.common.as_ref().is_some_and(|(start, end)| days.iter().all(|day| **day >= **start && **day <= **end))
    }

    /// When a class takes place, if the dates of all of its sessions are known.
    pub(super) fn span(&self, class: &str) -> Option<&Span> {
        self.spans[*self.classes.get(&hash(class.as_bytes()))? as usize].as_ref()
    }
}

/// The files that are looked through.
struct Glance<'g> {
    table: &'static [FileSpec],
    files: &'g [Source],
    encoding: Option<&'static Encoding>,
}

impl Glance<'_> {
    fn spec(&self, name: &str) -> Option<&'static FileSpec> {
        self.table.iter().find(|spec| spec.name == name)
    }

    /// Some columns of every row.
    fn rows<const N: usize>(&self, spec: &'static FileSpec, names: [&str; N], take: impl FnMut([&str; N])) -> io::Result<bool> {
        glance::rows(spec, self.files, self.encoding, names.map(|name| spec.column(name).unwrap_or_default()), take)
    }

    /// The pairs of ids in two columns of a file; none when it is not there or not all of it can be read, so that
    /// nobody can tell which are missing.
    fn pairs(&self, spec: Option<&'static FileSpec>, columns: [&str; 2]) -> io::Result<Option<HalfSet>> {
        let Some(spec) = spec.filter(|spec| self.files.iter().any(|file| spec.is_named(&file.name))) else { return Ok(None) };
        let mut pairs = Vec::new();
        if !self.rows(spec, columns, |[one, other]| pairs.push(hash_of_pair(one, other)))? {
            return Ok(None);
        }
        Ok(Some(HalfSet::of(&pairs)))
    }

    /// When the classes take place; many have the same sessions.
    fn spans(&self, links: &mut Links) -> io::Result<()> {
        let (Some(session_file), Some(class_file)) = (self.spec(super::SESSIONS), self.spec(super::CLASSES)) else { return Ok(()) };
        let mut sessions: HashMap<String, (String, String)> = HashMap::new();
        self.rows(session_file, ["sourcedId", "startDate", "endDate"], |[id, start, end]| {
            let dates = [start, end].map(|day| date(day).unwrap_or_default().to_owned());
            sessions.entry(id.to_owned()).or_insert(dates.into());
        })?;
        let mut lists: HashMap<String, u32> = HashMap::new();
        self.rows(class_file, ["sourcedId", "termSourcedIds"], |[id, list]| {
            let span = lists.get(list).copied().unwrap_or_else(|| {
                let next = links.spans.len() as u32;
                links.spans.push(Span::of(list, &sessions));
                lists.insert(list.to_owned(), next);
                next
            });
            links.classes.entry(hash(id.as_bytes())).or_insert(span);
        })?;
        let known = || links.spans.iter().flatten();
        let (start, end) = (known().map(|span| &span.start).max(), known().map(|span| &span.end).min());
        links.common = start.cloned().zip(end.cloned());
        Ok(())
    }
}

impl Span {
    /// The span of a list of sessions; none when one of them has no dates.
    fn of(list: &str, sessions: &HashMap<String, (String, String)>) -> Option<Self> {
        let dated = |id| sessions.get(id).filter(|(start, end)| !start.is_empty() && !end.is_empty());
        let dates: Vec<&(String, String)> = ids(list).map(dated).collect::<Option<_>>()?;
        let start = dates.iter().map(|(start, _)| start).min()?.clone();
        let end = dates.iter().map(|(_, end)| end).max()?.clone();
        let day_after = end.parse::<jiff::civil::Date>().ok()?.tomorrow().ok()?.to_string();
        Some(Self { sessions: list.to_owned(), start, end, day_after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_that_of_all_sessions_or_not_known() {
        let dates = |start: &str, end: &str| (start.to_owned(), end.to_owned());
        let sessions: HashMap<String, (String, String)> = [
            ("fall", dates("2026-08-24", "2026-12-31")),
            ("spring", dates("2027-01-04", "2027-06-11")),
            ("broken", dates("", "2027-06-11")),
            ("endless", dates("2027-01-04", "")),
        ]
        .map(|(id, dates)| (id.to_owned(), dates))
        .into();
        let span = |list| Span::of(list, &sessions).map(|span| [span.start, span.end, span.day_after].join(" "));
        assert_eq!(span("fall").as_deref(), Some("2026-08-24 2026-12-31 2027-01-01"));
        assert_eq!(span("spring, fall").as_deref(), Some("2026-08-24 2027-06-11 2027-06-12"));
        assert_eq!([span(""), span("fall,summer"), span("fall,broken"), span("fall,endless")], [None, None, None, None]);
    }
}
