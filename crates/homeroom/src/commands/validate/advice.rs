//! What is said beside the findings: which file, format or folder was most likely meant.

use roster::format::{looks_like, mixed};
use roster::{Detected, Format, MissingFile, Source};

/// Advice about the files of a whole export, for a person who may have named or mixed something up.
pub(super) fn of_export(files: &[Source], missing: &[MissingFile]) -> Vec<String> {
    let groups: Vec<String> = mixed(files).iter().map(|(format, names)| format!("{}: {}", format.title(), names.join(", "))).collect();
    let several = (!groups.is_empty())
        .then(|| format!("files of {} formats are here ({}): put each export into a folder of its own", groups.len(), groups.join("; ")));
    missing.iter().filter_map(MissingFile::remedy).chain(several).collect()
}

/// Advice when the files are in another format than the one that was named.
pub(super) fn of_format(files: &[Source], named: Option<Format>) -> Option<String> {
    let Detected { format, why } = looks_like(files, named?)?;
    Some(match format {
        Ok(other) => {
            format!("the files look like {} ({why}): leave --format away, or say --format {}", other.title(), other.name())
        }
        Err(title) => format!("the files look like {title}, which is not read ({why})"),
    })
}
