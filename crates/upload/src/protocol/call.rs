//! A request that has been let in, and what it may do to the files.

use super::answer::{Refused, closed, internal, refuse};
use super::conditions::{self, Conditions};
use crate::files::{Pieces, Temporary};
use crate::properties::{Block, Properties};
use crate::sas::{Right, Rights};
use crate::usage::{Full, Most, Reservation, Wanted};
use crate::{Container, UploadService, UploadedFile, limits, sessions};
use http::{HeaderMap, Method};
use store::{OpContext, StoreError};

/// A request that has been let in.
pub(super) struct Call {
    pub(super) service: UploadService,
    pub(super) ctx: OpContext,
    pub(super) rights: Rights,
    pub(super) connector: String,
    pub(super) container_id: String,
    pub(super) container: Container,
    pub(super) name: Option<String>,
    /// What stands in front of names in a list, see [`super::names::Place`].
    pub(super) below: String,
    pub(super) method: Method,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
}

/// What is to be committed.
pub(super) struct Commit<'c> {
    pub(super) name: &'c str,
    pub(super) arrived: Temporary,
    pub(super) properties: Properties,
    pub(super) blocks: Vec<Block>,
    /// The code when there should be no file and there is one.
    pub(super) exists: &'static str,
    /// ETag of the file that the new one goes on from.
    pub(super) base: Option<String>,
}

impl Call {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A header's text. One that is there but no text is refused, for it may be a condition; so is one that
    /// is there twice, which could be read in one way here and in another elsewhere.
    pub(super) fn header(&self, name: &str) -> Result<Option<&str>, Refused> {
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return refuse(400, "InvalidHeaderValue", format!("The header {name} is there more than once."));
        }
        let bad = |_| Refused(400, "InvalidHeaderValue", format!("The value of the header {name} is not text."));
        value.to_str().map(|text| Some(text.trim())).map_err(bad)
    }

    /// Bytes of the largest file.
    pub(super) fn most(&self) -> u64 {
        self.service.limits.file_bytes
    }

    /// Refuses unless the URL gives one of these rights.
    pub(super) fn needs(&self, rights: &[Right]) -> Result<(), Refused> {
        if rights.iter().any(|right| self.rights.has(*right)) {
            return Ok(());
        }
        refuse(403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.")
    }

    /// Refuses when the session has been closed while the body was on its way.
    pub(super) async fn still_open(&self) -> Result<(), Refused> {
        let (connector, container) = (self.connector.clone(), self.container_id.clone());
        let read = move |tx: &mut store::Tx<'_>| sessions::is_open(tx, &connector, &container);
        if self.service.store.read::<_, StoreError>(&self.ctx, read).await? { Ok(()) } else { Err(closed()) }
    }

    /// Changes committed files: in a transaction that holds the session open, so that neither closing it
    /// nor another request comes in between.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Container) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let (connector, id, container) = (self.connector.clone(), self.container_id.clone(), self.container.clone());
        let work = move |tx: &mut store::Tx<'_>| {
            if sessions::hold_open(tx, &connector, &id)? { change(&container) } else { Err(closed()) }
        };
        let changed = self.service.store.write(&self.ctx, work).await;
        self.service.usage.outdated(&self.container);
        changed
    }

    /// A file that has arrived becomes the committed one, if the conditions hold at that moment.
    /// `after` follows in the same transaction.
    pub(super) async fn commit(
        &self,
        commit: Commit<'_>,
        after: impl FnOnce(&Container, &UploadedFile) -> Result<(), Refused> + Send + 'static,
    ) -> Result<UploadedFile, Refused> {
        let conditions = Conditions::of(self)?;
        let Commit { name, arrived, properties, blocks, exists, base } = commit;
        let (name, now, rights) = (name.to_owned(), self.ctx.now, self.rights.clone());
        let most = self.service.limits.session_bytes;
        self.change(move |container| {
            let before = container.find(&name)?;
            conditions.allow_change(before.as_ref(), exists)?;
            may_replace(&rights, before.as_ref())?;
            if base.is_some() && base != before.map(|file| file.etag) {
                return conditions::not_met();
            }
            room_for(container, &name, None)?;
            // The room that was kept for it knows only later of what other processes have committed.
            let others = container.committed()?.iter().filter(|file| file.name != name).map(|file| file.size).sum::<u64>();
            if others.saturating_add(arrived.size()?) > most {
                return session_full(most);
            }
            let file = container.place(arrived, &name, now, &properties, &blocks)?;
            after(container, &file)?;
            Ok(file)
        })
        .await
    }

    /// Keeps room for so many bytes, of a piece or of a whole file.
    pub(super) async fn reserve(&self, bytes: u64, piece_of: Option<(Pieces, &str)>) -> Result<Reservation, Refused> {
        let (service, container, now) = (self.service.clone(), self.container.clone(), self.ctx.now);
        let piece_of = piece_of.map(|(kind, name)| (kind, name.to_owned()));
        let most = Most {
            bytes: service.limits.session_bytes,
            pieces: limits::BLOCKS_MAX,
            piece_bytes: service.limits.file_bytes.saturating_mul(limits::STAGED_FILES_MAX),
        };
        blocking(move || {
            let piece_of = piece_of.as_ref().map(|(kind, name)| (*kind, name.as_str()));
            match service.usage.reserve(&container, Wanted { bytes, piece_of }, most, now)? {
                Ok(kept) => Ok(kept),
                Err(full) => too_much(full, most),
            }
        })
        .await
    }
}

/// Files are the store's business or take their time: neither belongs on a thread of the runtime.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refused> + Send + 'static) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work).await.map_err(|error| internal(&error))?
}

/// Refuses when a file would be replaced by a URL that only lets new ones in.
pub(super) fn may_replace(rights: &Rights, before: Option<&UploadedFile>) -> Result<(), Refused> {
    if before.is_none() || rights.has(Right::Write) {
        return Ok(());
    }
    refuse(403, "UnauthorizedBlobOverwrite", "This request is not authorized to perform blob overwrites.")
}

fn session_full<T>(most: u64) -> Result<T, Refused> {
    let message = format!("A session takes {most} bytes in all. Delete what is not needed; the operator sets the number.");
    refuse(409, "ContainerQuotaExceeded", message)
}

fn too_much<T>(full: Full, most: Most) -> Result<T, Refused> {
    match full {
        Full::Session => session_full(most.bytes),
        Full::Pieces => refuse(409, "BlockCountExceedsLimit", format!("{} pieces of a file can wait to be committed.", most.pieces)),
        Full::PieceBytes => {
            let message = format!("{} bytes of a file can wait to be committed. Delete it to start anew.", most.piece_bytes);
            refuse(413, "RequestBodyTooLarge", message)
        }
    }
}

/// Refuses a new name when there are enough, or when it is that of another file in other capitals: on
/// some systems the two would be one file, and nobody means both. `gone` is a name that goes.
pub(super) fn room_for(container: &Container, name: &str, gone: Option<&str>) -> Result<(), Refused> {
    let mut names = container.all_names()?;
    if let Some(gone) = gone {
        names.remove(gone);
    }
    if names.contains(name) {
        return Ok(());
    }
    if let Some(other) = names.iter().find(|other| other.eq_ignore_ascii_case(name)) {
        let message =
            format!("There is a {other} already, which differs only in capitals. Delete it first, or send the file by that name.");
        return refuse(409, "BlobAlreadyExists", message);
    }
    if names.len() >= limits::FILES_MAX {
        return refuse(409, "ContainerQuotaExceeded", format!("A session takes {} files.", limits::FILES_MAX));
    }
    Ok(())
}
