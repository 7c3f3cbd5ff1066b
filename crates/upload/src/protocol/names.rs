//! Names of files, and which of them a request is about.

use super::answer::{Refused, denied, refuse};
use crate::limits;

/// Parts of a container's path.
const SEGMENTS: usize = 3;

/// What stands in a path: tenant, connector and container, and the file below them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) tenant: String,
    pub(super) connector: String,
    pub(super) container: String,
    pub(super) name: Option<String>,
    /// What stands in front of a file's name in a list: the part of the above that is not in the path.
    pub(super) below: String,
}

impl Place {
    /// Reads a percent-encoded path. A list may be asked for further up: the Data Lake's clients and AzCopy take the
    /// tenant, or the connector, for what they know as a container, and say in `folder` what is meant below it.
    ///
    /// A solidus counts as one also when it is encoded: the SDK for Go, and so AzCopy, sends the name of a blob that way.
    pub(super) fn of(path: &str, folder: Option<&str>) -> Result<Self, Refused> {
        let path = percent_encoding::percent_decode_str(path.trim_start_matches('/')).decode_utf8().map_err(|_| denied())?;
        let mut parts: Vec<&str> = path.split('/').collect();
        let mut below = String::new();
        if path.trim_end_matches('/').split('/').count() < SEGMENTS
            && let Some(folder) = folder
        {
            parts.retain(|part| !part.is_empty());
            let missing = folder.trim_start_matches('/').split('/').take(SEGMENTS - parts.len());
            missing.clone().for_each(|part| below.extend([part, "/"]));
            parts.extend(missing);
        }
        let mut parts = parts.into_iter().map(str::to_owned);
        let (Some(tenant), Some(connector), Some(container)) = (parts.next(), parts.next(), parts.next()) else { return Err(denied()) };
        let name = parts.next().filter(|name| !name.is_empty());
        if parts.next().is_some() {
            return no_folders();
        }
        Ok(Self { tenant, connector, container, name, below })
    }

    /// What a signature is for.
    pub(super) fn signed(&self) -> String {
        format!("{}/{}/{}", self.tenant, self.connector, self.container)
    }
}

pub(super) fn no_folders<T>() -> Result<T, Refused> {
    refuse(400, "InvalidUri", "Files lie directly in the container; there are no folders.")
}

/// Names of devices on Windows, with any ending.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Names that are names on every file system: no folders, no dots at either end, nothing to be escaped.
pub(super) fn check(name: &str) -> Result<(), Refused> {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered =
        stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt")).is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit());
    let legal = name.len() <= limits::NAME_CHARACTERS_MAX
        && !name.starts_with('.')
        && !name.ends_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && !DEVICES.contains(&stem.as_str())
        && !numbered;
    if legal {
        Ok(())
    } else {
        refuse(
            400,
            "InvalidResourceName",
            format!(
                "A file name has at most {} letters from a to z, digits, dots, hyphens and underscores, such as users.csv.",
                limits::NAME_CHARACTERS_MAX
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let place = |path: &str, folder| Place::of(path, folder).map(|place| (place.signed(), place.name)).map_err(|refused| refused.1);
        assert_eq!(place("/t/c/x", None), Ok(("t/c/x".to_owned(), None)));
        assert_eq!(place("/t/c/x/", None), Ok(("t/c/x".to_owned(), None)));
        assert_eq!(place("/t/c/x/%61.csv", None), Ok(("t/c/x".to_owned(), Some("a.csv".to_owned()))));
        assert_eq!(place("/t/c%2Fx%2Fa.csv", None), Ok(("t/c/x".to_owned(), Some("a.csv".to_owned()))), "as AzCopy writes it");
        for (path, folder, below) in [
            ("/t", "/c/x/", "c/x/"),
            ("/t/", "c/x", "c/x/"),
            ("/t", "c/x/us", "c/x/"),
            ("/t/c", "x/", "x/"),
            ("/t/c/", "x", "x/"),
            ("/t/c/x", "/c/y/", ""),
            ("/t/c/x", "us", ""),
        ] {
            let place = Place::of(path, Some(folder)).map_err(|refused| refused.1).unwrap();
            assert_eq!((place.signed().as_str(), place.name, place.below.as_str()), ("t/c/x", None, below), "{path} {folder}");
        }
        for stranger in ["", "/", "/t", "/t/c", "/t/c/x/%FF"] {
            assert_eq!(place(stranger, None), Err("AuthenticationFailed"), "{stranger}");
        }
        for folder in ["/t/c/x/a/b", "/t/c/x//a", "/t/c%2Fx%2Fa%2Fb"] {
            assert_eq!(place(folder, None), Err("InvalidUri"), "{folder}");
        }
    }
}
