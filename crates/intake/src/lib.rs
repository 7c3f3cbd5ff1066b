//! Ways in beside the upload protocol: exports that Homeroom fetches itself, from a folder or over SFTP.
//!
//! A [`Place`] is looked at ([`Place::list`]) until what lies there has come to rest, and then fetched as a whole
//! ([`Place::fetch`]). What is fetched is never changed or removed at its place: it belongs to whoever put it there.

mod folder;
mod sftp;

pub use sftp::{Credential, Sftp};

use std::io;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// Limits on what is fetched, each with its reason.
pub mod limits {
    use std::time::Duration;

    /// Entries of a folder that are looked at: a folder with more is not an export's own.
    pub const ENTRIES_MAX: usize = 10_000;
    /// A server that says nothing for so long has gone.
    pub const SILENCE_MAX: Duration = Duration::from_secs(60);
    /// Connecting, keys and authentication together.
    pub const CONNECT_MAX: Duration = Duration::from_secs(30);
}

/// Where exports lie.
#[derive(Debug, Clone)]
pub enum Place {
    /// A folder of this machine, perhaps of a network share: its path without links, for none is followed.
    Folder(PathBuf),
    /// A folder of an SFTP server.
    Sftp(Sftp),
}

/// A file of an export, as its place shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Name, without a path.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// When it was last changed, in whatever units and precision the place has: only compared.
    pub modified: i128,
}

/// Why an export could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The place cannot be read.
    #[error("{what}")]
    Io {
        /// What could not be done.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The server is another one than was pinned, or it is not known which one it should be.
    #[error("the key of {host} is {found}, but host_key says {pinned}: either the server has a new key, or it is another server")]
    HostKey {
        /// The server.
        host: String,
        /// Fingerprint of the key that it showed.
        found: String,
        /// Fingerprint that was configured.
        pinned: String,
    },
    /// The server does not let this user in.
    #[error("{host} does not let {user} in with {with}")]
    Denied {
        /// The server.
        host: String,
        /// The user.
        user: String,
        /// "this key" or "this password".
        with: &'static str,
    },
    /// The protocol broke down.
    #[error("{what}: {why}")]
    Protocol {
        /// What could not be done.
        what: String,
        /// What the other side, or the library, said.
        why: String,
    },
    /// A file changed while it was fetched.
    #[error("{name} changed while it was fetched")]
    Changed {
        /// The file.
        name: String,
    },
    /// There is more than an export has.
    #[error("{0}")]
    TooMuch(String),
}

impl Listed {
    /// Whether its name is that of a file that an upload may have: `.csv` or `.zip`. A name that begins with a dot is one
    /// that a program writes to before it gives the file its name.
    pub fn is_export(&self) -> bool {
        let extension = self.name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        !self.name.starts_with('.') && matches!(extension.as_deref(), Some("csv" | "zip"))
    }
}

impl Place {
    /// For people: `folder /srv/exports`, `sftp sis@files.contoso.example:/out`.
    pub fn describe(&self) -> String {
        match self {
            Self::Folder(path) => format!("folder {}", path.display()),
            Self::Sftp(sftp) => format!("sftp {}", sftp.address()),
        }
    }

    /// The files that lie there now, by name.
    ///
    /// # Errors
    /// [`IntakeError`] says what to mend.
    pub async fn list(&self) -> Result<Vec<Listed>, IntakeError> {
        let mut files = match self {
            Self::Folder(path) => folder::list(path).await?,
            Self::Sftp(sftp) => sftp.list().await?,
        };
        files.sort();
        Ok(files)
    }

    /// Copies files into a folder that is there and empty.
    ///
    /// # Errors
    /// [`IntakeError::Changed`] when one of them is not as it was listed any more: then nothing that was copied may
    /// be used.
    pub async fn fetch(&self, files: &[Listed], into: &Path) -> Result<(), IntakeError> {
        match self {
            Self::Folder(path) => folder::fetch(path, files, into).await?,
            Self::Sftp(sftp) => sftp.fetch(files, into).await?,
        }
        // A file that was written to in the meantime is a mixture of two exports.
        let now = self.list().await?;
        match files.iter().find(|file| !now.contains(file)) {
            Some(changed) => Err(IntakeError::Changed { name: changed.name.clone() }),
            None => Ok(()),
        }
    }
}

/// A number for a set of files: when it is the same, so is what lies there.
pub fn fingerprint(files: &[Listed]) -> String {
    let mut hash = Xxh3::new();
    for file in files {
        hash.update(&(file.name.len() as u64).to_le_bytes());
        hash.update(file.name.as_bytes());
        hash.update(&file.size.to_le_bytes());
        hash.update(&file.modified.to_le_bytes());
    }
    format!("{:032x}", hash.digest128())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, size: u64, modified: i128) -> Listed {
        Listed { name: name.to_owned(), size, modified }
    }

    #[test]
    fn what_is_being_written_and_what_is_no_export_is_not_taken() {
        for (name, taken) in [
            ("users.csv", true),
            ("Export.ZIP", true),
            (".users.csv", false),
            ("users.csv.part", false),
            ("notes.txt", false),
            ("csv", false),
        ] {
            assert_eq!(listed(name, 1, 1).is_export(), taken, "{name}");
        }
    }

    #[test]
    fn a_fingerprint_changes_with_every_part_of_every_file() {
        let files = [listed("a.csv", 1, 2), listed("b.csv", 3, 4)];
        let others = [
            vec![],
            vec![listed("a.csv", 1, 2)],
            vec![listed("a.csv", 1, 2), listed("b.csv", 3, 5)],
            vec![listed("a.csv", 1, 2), listed("b.csv", 4, 4)],
            vec![listed("a.csv", 1, 2), listed("c.csv", 3, 4)],
        ];
        assert!(others.iter().all(|other| fingerprint(other) != fingerprint(&files)));
        assert_eq!(fingerprint(&files), fingerprint(&files.clone()));
    }

    #[tokio::test]
    async fn a_folder_is_fetched_as_it_was_listed_or_not_at_all() {
        let from = tempfile::tempdir().unwrap();
        std::fs::write(from.path().join("users.csv"), "a\n").unwrap();
        std::fs::write(from.path().join("notes.txt"), "x").unwrap();
        std::fs::create_dir(from.path().join("old.csv")).unwrap();
        let place = Place::Folder(from.path().to_owned());
        let mut files = place.list().await.unwrap();
        assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["notes.txt", "users.csv"]);
        files.retain(Listed::is_export);
        let into = tempfile::tempdir().unwrap();
        place.fetch(&files, into.path()).await.unwrap();
        assert_eq!(std::fs::read(into.path().join("users.csv")).unwrap(), b"a\n");
        std::fs::write(from.path().join("users.csv"), "ab\n").unwrap();
        let changed = place.fetch(&files, tempfile::tempdir().unwrap().path()).await.unwrap_err();
        assert!(matches!(changed, IntakeError::Changed { .. }), "{changed}");
        std::fs::remove_file(from.path().join("users.csv")).unwrap();
        let gone = place.fetch(&files, tempfile::tempdir().unwrap().path()).await.unwrap_err();
        assert!(gone.to_string().contains("users.csv"), "{gone}");
    }

    #[tokio::test]
    async fn what_is_put_in_the_place_of_a_listed_file_is_not_fetched() {
        let from = tempfile::tempdir().unwrap();
        let (secret, users) = (from.path().join("secret"), from.path().join("users.csv"));
        let put: [(&str, &dyn Fn()); 4] = [
            ("a link", &|| std::os::unix::fs::symlink(&secret, &users).unwrap()),
            ("a pipe", &|| assert!(std::process::Command::new("mkfifo").arg(&users).status().unwrap().success())),
            ("a folder", &|| std::fs::create_dir(&users).unwrap()),
            ("a larger file", &|| std::fs::write(&users, "sourcedId\n1\n").unwrap()),
        ];
        for (what, put) in put {
            let _ = std::fs::remove_file(&users).or_else(|_| std::fs::remove_dir(&users));
            std::fs::write(&users, "sourcedId\n").unwrap();
            // As like the other as can be.
            std::fs::copy(&users, &secret).unwrap();
            let modified = std::fs::metadata(&users).unwrap().modified().unwrap();
            std::fs::File::options().write(true).open(&secret).unwrap().set_modified(modified).unwrap();
            let place = Place::Folder(from.path().to_owned());
            let mut files = place.list().await.unwrap();
            files.retain(Listed::is_export);
            std::fs::remove_file(&users).unwrap();
            put();
            let into = tempfile::tempdir().unwrap();
            let error = place.fetch(&files, into.path()).await.unwrap_err();
            assert!(matches!(error, IntakeError::Changed { .. }), "{what}: {error}");
            assert_eq!(std::fs::read_dir(into.path()).unwrap().count(), 0, "{what} was copied");
        }
    }

    #[tokio::test]
    async fn a_link_on_the_way_to_a_folder_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("real/in")).unwrap();
        std::fs::write(root.path().join("real/in/users.csv"), "a\n").unwrap();
        std::os::unix::fs::symlink(root.path().join("real"), root.path().join("link")).unwrap();
        std::os::unix::fs::symlink(root.path().join("real/in"), root.path().join("real/last")).unwrap();
        let place = |path: &str| Place::Folder(root.path().join(path));
        let files = place("real/in").list().await.unwrap();
        assert_eq!(files.len(), 1);
        for path in ["link/in", "real/last"] {
            let into = tempfile::tempdir().unwrap();
            for error in [place(path).list().await.unwrap_err(), place(path).fetch(&files, into.path()).await.unwrap_err()] {
                assert!(error.to_string().contains(path), "{error}");
            }
            assert_eq!(std::fs::read_dir(into.path()).unwrap().count(), 0, "{path}");
        }
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_named() {
        let error = Place::Folder("/nowhere/at/all".into()).list().await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }
}
