//! Where the rows of a set come from that was made of a base and changes.

use crate::finding::Finding;
use std::collections::HashMap;

/// Of which file a row of the set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Of the set that the changes were applied to.
    Base,
    /// Of the package of changes.
    Changes,
}

/// For each file of the set, where its lines come from.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Origins {
    files: HashMap<String, FileOrigins>,
}

/// The lines of one file, in runs that follow each other in both files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileOrigins {
    /// Where the file as a whole comes from, with its header.
    header: Origin,
    /// Whether the lines are those of the file that they come from.
    as_it_is: bool,
    /// First line of each run: in the set, where it comes from, and its number there.
    runs: Vec<(u64, Origin, u64)>,
    /// The next line of the set.
    next: u64,
}

impl FileOrigins {
    /// Lines are put together.
    pub(super) fn put_together(header: Origin) -> Self {
        Self { header, as_it_is: false, runs: Vec::new(), next: 2 }
    }

    /// The next line of the set is this one.
    pub(super) fn push(&mut self, origin: Origin, line: u64) {
        let goes_on = |(first, of, number): &(u64, Origin, u64)| *of == origin && line - number == self.next - first;
        if !self.runs.last().is_some_and(goes_on) {
            self.runs.push((self.next, origin, line));
        }
        self.next += 1;
    }

    fn of(&self, line: u64) -> (Origin, u64) {
        let run = self.runs[..self.runs.partition_point(|(first, ..)| *first <= line)].last();
        match run {
            Some((first, origin, number)) if !self.as_it_is => (*origin, number + (line - first)),
            _ => (self.header, line),
        }
    }
}

impl Origins {
    /// A file was taken over as it is.
    pub(super) fn taken(&mut self, file: &str, origin: Origin) {
        self.insert(file, FileOrigins { as_it_is: true, ..FileOrigins::put_together(origin) });
    }

    pub(super) fn insert(&mut self, file: &str, origins: FileOrigins) {
        self.files.insert(file.to_owned(), origins);
    }

    /// Turns a finding about a line of the set into one about the line of the file that it comes from.
    pub fn trace(&self, finding: &mut Finding) -> Origin {
        let Some(file) = self.files.get(&finding.file) else { return Origin::Changes };
        let (origin, line) = file.of(finding.line);
        finding.line = line;
        if let Some((of, line)) = finding.earlier.map(|line| file.of(line)) {
            let place = match of {
                _ if of == origin => "",
                Origin::Base => " of the set before",
                Origin::Changes => " of the changes",
            };
            finding.move_earlier(line, place);
        }
        origin
    }
}
