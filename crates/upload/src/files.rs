//! The files of a container on disk: committed ones, and what is still being sent.

use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use store::{Store, StoreError, TenantId};
use uuid::Uuid;

/// The least by which two commits of a file differ in time, so that each has an ETag of its own.
const TICK: Duration = Duration::from_micros(1);

/// A committed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFile {
    /// Name.
    pub name: String,
    /// Place.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub modified: i64,
    /// Changes with each commit.
    pub etag: String,
}

impl UploadedFile {
    fn of(name: &str, path: PathBuf, data: &Metadata) -> Self {
        let modified = data.modified().unwrap_or(UNIX_EPOCH).duration_since(UNIX_EPOCH).unwrap_or_default();
        let etag = format!("\"0x{:X}-{:X}\"", modified.as_nanos(), data.len());
        Self { name: name.to_owned(), path, size: data.len(), modified: modified.as_secs() as i64, etag }
    }
}

/// A container.
#[derive(Debug, Clone)]
pub struct Container {
    files: PathBuf,
    staging: PathBuf,
}

/// Pieces of a file that were acknowledged but not committed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pieces {
    /// Blocks of the blob protocol, by their id.
    Blocks,
    /// Appends of the Data Lake protocol, by their position.
    Appends,
}

/// A file that goes when this is dropped, unless it was moved to its place: a client that breaks off
/// in the middle leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Temporary {
    path: PathBuf,
    moved: bool,
}

impl Temporary {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(std::fs::metadata(&self.path)?.len())
    }

    fn move_to(&mut self, place: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, place)?;
        self.moved = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.moved {
            // It may not have been made yet; what cannot be removed goes with the container.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Container {
    /// The container with that id. Nothing is made on disk before something arrives.
    ///
    /// # Errors
    /// [`StoreError::BadKey`] for an id that is not a name.
    pub fn new(store: &Store, tenant: TenantId, id: &str) -> Result<Self, StoreError> {
        let path = |part: &str| store.blobs().path(tenant, &format!("uploads/{id}/{part}"));
        Ok(Self { files: path("files")?, staging: path("staging")? })
    }

    /// The folder of its committed files, for Homeroom's own deliveries. It is made when it is not there.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn files_folder(&self) -> io::Result<PathBuf> {
        std::fs::create_dir_all(&self.files)?;
        Ok(self.files.clone())
    }

    /// Committed files by name.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn list(&self) -> Result<Vec<UploadedFile>, StoreError> {
        self.committed().map_err(|source| StoreError::Io { what: format!("list {}", self.files.display()), source })
    }

    pub(crate) fn committed(&self) -> io::Result<Vec<UploadedFile>> {
        let mut found = Vec::new();
        for name in names(&self.files)? {
            found.extend(self.find(&name)?);
        }
        Ok(found)
    }

    /// The committed file of that name.
    pub(crate) fn find(&self, name: &str) -> io::Result<Option<UploadedFile>> {
        let path = self.files.join(name);
        Ok(existing(std::fs::metadata(&path))?.filter(Metadata::is_file).map(|data| UploadedFile::of(name, path, &data)))
    }

    /// The committed file of that name, open: what is read of it is of one commit.
    pub(crate) fn open(&self, name: &str) -> io::Result<Option<(File, UploadedFile)>> {
        let path = self.files.join(name);
        let Some(file) = existing(File::open(&path))? else { return Ok(None) };
        let data = file.metadata()?;
        Ok(Some((file, UploadedFile::of(name, path, &data))))
    }

    /// A new file for something that arrives.
    pub(crate) fn temporary(&self) -> io::Result<(File, Temporary)> {
        let folder = self.arriving();
        make_folder(&folder)?;
        let temporary = Temporary { path: folder.join(Uuid::now_v7().to_string()), moved: false };
        let file = File::options().read(true).write(true).create_new(true).open(&temporary.path)?;
        Ok((file, temporary))
    }

    /// Files one after the other as a new file, synced. One alone is not copied where the file system
    /// has links: pieces are replaced, never written into.
    pub(crate) fn join(&self, parts: &[PathBuf]) -> io::Result<Temporary> {
        if let [only] = parts {
            make_folder(&self.arriving())?;
            let linked = Temporary { path: self.arriving().join(Uuid::now_v7().to_string()), moved: false };
            if std::fs::hard_link(only, linked.path()).is_ok() {
                return Ok(linked);
            }
        }
        let (mut file, joined) = self.temporary()?;
        for part in parts {
            io::copy(&mut File::open(part)?, &mut file)?;
        }
        file.sync_all()?;
        Ok(joined)
    }

    fn arriving(&self) -> PathBuf {
        self.staging.join("arriving")
    }

    /// A file that has arrived and is synced becomes the committed one, durable. Its time is `now`, or
    /// later than that of the file it replaces. The caller holds the session open.
    pub(crate) fn place(&self, mut arrived: Temporary, name: &str, now: Timestamp) -> io::Result<UploadedFile> {
        make_folder(&self.files)?;
        let path = self.files.join(name);
        let before = existing(std::fs::metadata(&path))?.map(|data| data.modified()).transpose()?;
        let now = UNIX_EPOCH + Duration::try_from(now.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default();
        let modified = before.and_then(|before| before.checked_add(TICK)).map_or(now, |after| after.max(now));
        let file = File::options().write(true).open(arrived.path())?;
        file.set_modified(modified)?;
        file.sync_all()?;
        arrived.move_to(&path)?;
        sync_folder(&self.files)?;
        Ok(UploadedFile::of(name, path, &file.metadata()?))
    }

    /// Removes a committed file, durable. The caller holds the session open.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.files.join(name))?;
        sync_folder(&self.files)
    }

    /// Each file has a folder of its own: `a` and `a.csv` must not share the start of a name.
    fn folder(&self, kind: Pieces, name: &str) -> PathBuf {
        self.folder_of_kind(kind).join(name)
    }

    fn folder_of_kind(&self, kind: Pieces) -> PathBuf {
        self.staging.join(match kind {
            Pieces::Blocks => "blocks",
            Pieces::Appends => "appends",
        })
    }

    /// Place of a piece.
    pub(crate) fn piece(&self, kind: Pieces, name: &str, piece: &str) -> PathBuf {
        self.folder(kind, name).join(piece)
    }

    /// A file that has arrived and is synced becomes a piece, in place of one that was there; durable.
    pub(crate) fn keep_piece(&self, kind: Pieces, name: &str, piece: &str, mut arrived: Temporary) -> io::Result<()> {
        let folder = self.folder(kind, name);
        let place = folder.join(piece);
        make_folder(&folder)?;
        if existing(arrived.move_to(&place))?.is_none() {
            // A commit has just taken the folder away with the pieces that were in it.
            make_folder(&folder)?;
            arrived.move_to(&place)?;
        }
        existing(sync_folder(&folder)).map(|_| ())
    }

    /// The pieces that are there: name and bytes, by name.
    pub(crate) fn pieces(&self, kind: Pieces, name: &str) -> io::Result<Vec<(String, u64)>> {
        let folder = self.folder(kind, name);
        let mut found = Vec::new();
        for piece in names(&folder)? {
            if let Some(data) = existing(std::fs::metadata(folder.join(&piece)))? {
                found.push((piece, data.len()));
            }
        }
        Ok(found)
    }

    /// Forgets all pieces of a file.
    pub(crate) fn forget(&self, kind: Pieces, name: &str) -> io::Result<()> {
        let folder = self.folder(kind, name);
        if !folder.is_dir() {
            return Ok(());
        }
        // First out of the way, in one step: a piece that arrives now starts a new folder.
        make_folder(&self.arriving())?;
        let aside = self.arriving().join(Uuid::now_v7().to_string());
        if existing(std::fs::rename(&folder, &aside))?.is_some() && std::fs::remove_dir_all(&aside).is_err() {
            // A piece that was just being moved in went along. What is left goes with the container.
            let _ = std::fs::remove_dir_all(&aside);
        }
        Ok(())
    }

    /// Forgets one piece.
    pub(crate) fn forget_piece(&self, kind: Pieces, name: &str, piece: &str) -> io::Result<()> {
        existing(std::fs::remove_file(self.piece(kind, name, piece))).map(|_| ())
    }

    /// Names of all files of which anything is there.
    pub(crate) fn all_names(&self) -> io::Result<BTreeSet<String>> {
        let mut all = names(&self.files)?;
        all.extend(names(&self.folder_of_kind(Pieces::Blocks))?);
        all.extend(names(&self.folder_of_kind(Pieces::Appends))?);
        Ok(all)
    }

    /// A note about the last commit of a file.
    pub(crate) fn note(&self, name: &str) -> io::Result<Option<String>> {
        existing(std::fs::read_to_string(self.staging.join("notes").join(name)))
    }

    /// Writes that note. It only helps a client that asks twice, so it need not survive a power cut.
    pub(crate) fn write_note(&self, name: &str, text: &str) -> io::Result<()> {
        let folder = self.staging.join("notes");
        make_folder(&folder)?;
        std::fs::write(folder.join(name), text)
    }
}

/// What is there, or nothing.
fn existing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Names in a folder; none when it is not there.
fn names(folder: &Path) -> io::Result<BTreeSet<String>> {
    let Some(entries) = existing(std::fs::read_dir(folder))? else { return Ok(BTreeSet::new()) };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Makes a folder and what is missing above it, durable and closed to others, as the store's own folders
/// are: a file is as safe as the folders around it.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Err(ErrorKind::NotFound.into()) };
    make_folder(parent)?;
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_folder(parent)
}

/// A rename is durable only when its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
