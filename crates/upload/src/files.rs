//! The files of a container on disk: committed ones, and what is still being sent.

use crate::properties::{self, Block, Properties};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::{Store, StoreError, TenantId};
use uuid::Uuid;

/// The least by which two commits of a file differ in time, so that each has an ETag of its own. All
/// file systems in use keep times at least as exactly.
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
    /// The moment of the commit, what the ETag is made of.
    time: SystemTime,
}

impl UploadedFile {
    fn new(name: &str, path: PathBuf, size: u64, time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let etag = format!("\"0x{:X}-{size:X}\"", since.as_nanos());
        Self { name: name.to_owned(), path, size, modified: since.as_secs() as i64, etag, time }
    }

    fn of(name: &str, path: PathBuf, data: &Metadata) -> Self {
        Self::new(name, path, data.len(), data.modified().unwrap_or(UNIX_EPOCH))
    }
}

/// In whole ticks.
fn system_time(time: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(time.as_microsecond().max(0).unsigned_abs())
}

/// `now`, or later when that is needed to be later than `files`; in whole ticks.
fn later_than<'f>(files: impl IntoIterator<Item = &'f UploadedFile>, now: Timestamp) -> SystemTime {
    files.into_iter().fold(system_time(now), |time, file| time.max(file.time.checked_add(TICK).unwrap_or(file.time)))
}

fn set_time(path: &Path, time: SystemTime) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    file.set_modified(time)?;
    file.sync_all()
}

/// A container.
#[derive(Debug, Clone)]
pub struct Container {
    files: PathBuf,
    staging: PathBuf,
    properties: PathBuf,
}

/// A committed file that is being read.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) content: File,
    pub(crate) file: UploadedFile,
    pub(crate) properties: Properties,
}

/// Pieces of a file that were acknowledged but not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Pieces {
    /// Blocks of the blob protocol, by their id.
    Blocks,
    /// Appends of the Data Lake protocol, by their position.
    Appends,
}

/// A part of a new file.
#[derive(Debug)]
pub(crate) enum Part {
    /// A file, whole.
    Whole(PathBuf),
    /// So many bytes of the file before, from a place on.
    Before(u64, u64),
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
    /// What tells it from every other container.
    pub(crate) fn key(&self) -> &Path {
        &self.files
    }

    /// The container with that id. Nothing is made on disk before something arrives.
    ///
    /// # Errors
    /// [`StoreError::BadKey`] for an id that is not a name.
    pub fn new(store: &Store, tenant: TenantId, id: &str) -> Result<Self, StoreError> {
        let path = |part: &str| store.blobs().path(tenant, &format!("uploads/{id}/{part}"));
        Ok(Self { files: path("files")?, staging: path("staging")?, properties: path("properties")? })
    }

    /// The folder of its committed files, for Homeroom's own deliveries. It is made when it is not there.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn files_folder(&self) -> io::Result<PathBuf> {
        make_folder(&self.files)?;
        Ok(self.files.clone())
    }

    /// Committed files by name.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn list(&self) -> Result<Vec<UploadedFile>, StoreError> {
        self.committed().map_err(|source| StoreError::Io { what: format!("list {}", self.files.display()), source })
    }

    /// Names of the committed files.
    pub(crate) fn names(&self) -> io::Result<BTreeSet<String>> {
        names(&self.files)
    }

    pub(crate) fn committed(&self) -> io::Result<Vec<UploadedFile>> {
        let mut found = Vec::new();
        for name in self.names()? {
            found.extend(self.find(&name)?);
        }
        Ok(found)
    }

    /// The committed file of that name.
    pub(crate) fn find(&self, name: &str) -> io::Result<Option<UploadedFile>> {
        let path = self.files.join(name);
        Ok(existing(std::fs::metadata(&path))?.filter(Metadata::is_file).map(|data| UploadedFile::of(name, path, &data)))
    }

    /// The committed file of that name, open, and its properties: all that is read of it is of one commit.
    pub(crate) fn open(&self, name: &str) -> io::Result<Option<Opened>> {
        let path = self.files.join(name);
        loop {
            let Some(content) = existing(File::open(&path))? else { return Ok(None) };
            let file = UploadedFile::of(name, path.clone(), &content.metadata()?);
            let kept = existing(File::open(self.properties_of(&file)))?;
            // A file without them was just replaced, or was laid here by Homeroom itself.
            if kept.is_some() || self.find(name)?.as_ref() == Some(&file) {
                let properties = kept.as_ref().map(|kept| properties::read(BufReader::new(kept))).transpose()?;
                return Ok(Some(Opened { content, file, properties: properties.unwrap_or_default() }));
            }
        }
    }

    /// A new file for something that arrives.
    pub(crate) fn temporary(&self) -> io::Result<(File, Temporary)> {
        let folder = self.arriving();
        make_folder(&folder)?;
        let temporary = Temporary { path: folder.join(Uuid::now_v7().to_string()), moved: false };
        let file = File::options().read(true).write(true).create_new(true).open(&temporary.path)?;
        Ok((file, temporary))
    }

    /// Parts one after the other as a new file, synced; `before` is the file that parts of it are taken from.
    /// A piece alone is not copied where the file system has links: pieces are replaced, never written into.
    pub(crate) fn join(&self, parts: &[Part], before: Option<&File>) -> io::Result<Temporary> {
        if let [Part::Whole(only)] = parts {
            make_folder(&self.arriving())?;
            let linked = Temporary { path: self.arriving().join(Uuid::now_v7().to_string()), moved: false };
            if std::fs::hard_link(only, linked.path()).is_ok() {
                return Ok(linked);
            }
        }
        let (mut file, joined) = self.temporary()?;
        for part in parts {
            match part {
                Part::Whole(path) => io::copy(&mut File::open(path)?, &mut file)?,
                Part::Before(start, bytes) => {
                    let mut before = before.ok_or(ErrorKind::NotFound)?;
                    before.seek(SeekFrom::Start(*start))?;
                    io::copy(&mut before.take(*bytes), &mut file)?
                }
            };
        }
        file.sync_all()?;
        Ok(joined)
    }

    fn arriving(&self) -> PathBuf {
        self.staging.join("arriving")
    }

    /// Removes what was arriving in a process that was killed: what was begun, and written to last, before that time.
    pub(crate) fn forget_abandoned(&self, before: Timestamp) -> io::Result<()> {
        for name in names(&self.arriving())? {
            let path = self.arriving().join(&name);
            let Some(data) = existing(std::fs::metadata(&path))? else { continue };
            // The name says when it was begun; a link to a piece has the time of the piece.
            let begun = Uuid::try_parse(&name).ok().and_then(|id| id.get_timestamp()).map_or(0, |time| time.to_unix().0);
            let used = data.modified()?.max(UNIX_EPOCH + Duration::from_secs(begun));
            if used < system_time(before) {
                existing(if data.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) })?;
            }
        }
        Ok(())
    }

    /// A file that has arrived and is synced becomes the committed one, durable. The caller holds the
    /// session open.
    pub(crate) fn place(
        &self,
        mut arrived: Temporary,
        name: &str,
        now: Timestamp,
        properties: &Properties,
        blocks: &[Block],
    ) -> io::Result<UploadedFile> {
        make_folder(&self.files)?;
        let time = later_than(self.find(name)?.iter(), now);
        let placed = UploadedFile::new(name, self.files.join(name), arrived.size()?, time);
        self.keep_properties(&placed, properties, blocks)?;
        set_time(arrived.path(), time)?;
        arrived.move_to(&placed.path)?;
        sync_folder(&self.files)?;
        self.forget_properties(name, Some(&placed))?;
        Ok(placed)
    }

    /// Sets the properties of a committed file, durable. The caller holds the session open.
    pub(crate) fn set_properties(&self, file: &UploadedFile, now: Timestamp, properties: &Properties) -> io::Result<UploadedFile> {
        let changed = UploadedFile::new(&file.name, file.path.clone(), file.size, later_than([file], now));
        self.keep_properties(&changed, properties, &self.blocks(file)?)?;
        set_time(&file.path, changed.time)?;
        self.forget_properties(&file.name, Some(&changed))?;
        Ok(changed)
    }

    /// Gives a committed file another name, in place of the file that has it, durable. The caller holds
    /// the session open.
    pub(crate) fn rename(&self, file: &UploadedFile, name: &str, now: Timestamp, properties: &Properties) -> io::Result<UploadedFile> {
        let (replaced, blocks) = (self.find(name)?, self.blocks(file)?);
        let time = later_than([file].into_iter().chain(&replaced), now);
        let renamed = UploadedFile::new(name, self.files.join(name), file.size, time);
        // Under both names: at no moment is the file without its properties.
        self.keep_properties(&UploadedFile { name: file.name.clone(), ..renamed.clone() }, properties, &blocks)?;
        self.keep_properties(&renamed, properties, &blocks)?;
        set_time(&file.path, time)?;
        std::fs::rename(&file.path, &renamed.path)?;
        sync_folder(&self.files)?;
        self.forget_properties(&file.name, None)?;
        self.forget_properties(name, Some(&renamed))?;
        Ok(renamed)
    }

    /// Removes a committed file, durable. The caller holds the session open.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.files.join(name))?;
        sync_folder(&self.files)?;
        self.forget_properties(name, None)
    }

    /// The blocks that a committed file was made of; none when it came in another way.
    pub(crate) fn blocks(&self, file: &UploadedFile) -> io::Result<Vec<Block>> {
        let kept = existing(File::open(self.properties_of(file)))?;
        kept.map_or_else(|| Ok(Vec::new()), |kept| properties::read_blocks(BufReader::new(kept)))
    }

    fn properties_of(&self, file: &UploadedFile) -> PathBuf {
        self.properties.join(&file.name).join(file.etag.trim_matches('"'))
    }

    fn keep_properties(&self, file: &UploadedFile, properties: &Properties, blocks: &[Block]) -> io::Result<()> {
        let folder = self.properties.join(&file.name);
        make_folder(&folder)?;
        let mut out = BufWriter::new(File::create(self.properties_of(file))?);
        properties::write(&mut out, properties, blocks)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        sync_folder(&folder)
    }

    /// Forgets the properties of a name but those of `current`.
    fn forget_properties(&self, name: &str, current: Option<&UploadedFile>) -> io::Result<()> {
        let current = current.map(|file| self.properties_of(file));
        let folder = self.properties.join(name);
        for old in names(&folder)?.into_iter().map(|tag| folder.join(tag)).filter(|path| Some(path) != current.as_ref()) {
            existing(std::fs::remove_file(old))?;
        }
        Ok(())
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

    /// The id of any piece that is there.
    pub(crate) fn any_piece(&self, kind: Pieces, name: &str) -> io::Result<Option<String>> {
        let Some(mut entries) = existing(std::fs::read_dir(self.folder(kind, name)))? else { return Ok(None) };
        entries.next().transpose().map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
    }

    /// Names of the files that have pieces.
    pub(crate) fn names_with_pieces(&self, kind: Pieces) -> io::Result<BTreeSet<String>> {
        names(&self.folder_of_kind(kind))
    }

    /// Names of all files of which anything is there.
    pub(crate) fn all_names(&self) -> io::Result<BTreeSet<String>> {
        let mut all = self.names()?;
        all.extend(self.names_with_pieces(Pieces::Blocks)?);
        all.extend(self.names_with_pieces(Pieces::Appends)?);
        Ok(all)
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
