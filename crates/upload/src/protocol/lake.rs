//! The Data Lake's way to upload: create, append, flush.

use super::BodyStream;
use super::answer::{Answer, Refused, answer, committed, refuse};
use super::body::{self, Wanted};
use super::call::{Call, Commit, blocking, may_replace, room_for};
use super::conditions::Conditions;
use super::headers::{self, Dialect};
use crate::files::{Opened, Part, Pieces};
use crate::properties::Properties;
use crate::sas::Right;
use crate::{Container, UploadedFile};

const EXISTS: &str = "PathAlreadyExists";

/// Path - Create: an empty file, whose ETag stays good until the flush.
pub(super) async fn create(call: &Call, name: &str, body: &mut BodyStream) -> Answer {
    call.needs(&[Right::Create, Right::Write])?;
    let before = call.container.find(name)?;
    Conditions::of(call)?.allow_change(before.as_ref(), EXISTS)?;
    may_replace(&call.rights, before.as_ref())?;
    room_for(&call.container, name, None)?;
    body::nothing(call, body).await?;
    let properties = headers::of_new(call, Dialect::Lake)?;
    let container = call.container.clone();
    let empty = blocking(move || Ok(container.join(&[], None)?)).await?;
    let named = name.to_owned();
    let forget = move |container: &Container, _: &UploadedFile| {
        container.forget(Pieces::Blocks, &named)?;
        Ok(container.forget(Pieces::Appends, &named)?)
    };
    let commit = Commit { name, arrived: empty, properties, blocks: Vec::new(), exists: EXISTS, base: None };
    Ok(committed(201, &call.commit(commit, forget).await?))
}

fn position(call: &Call) -> Result<u64, Refused> {
    let bad = || Refused(400, "InvalidQueryParameterValue", "position is a number of bytes.".to_owned());
    call.field("position").and_then(|p| p.parse().ok()).ok_or_else(bad)
}

/// `true` and `false`, as the Data Lake's parameters have them.
fn flag(call: &Call, name: &str) -> Result<bool, Refused> {
    match call.field(name).unwrap_or("false") {
        text if text.eq_ignore_ascii_case("true") => Ok(true),
        text if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => refuse(400, "InvalidQueryParameterValue", format!("{name} is true or false.")),
    }
}

/// A piece's name: its position, so that names sort as positions do.
fn piece(position: u64) -> String {
    format!("{position:020}")
}

/// Path - Update, append. Appends come in any order and at once: each is a piece of its own until the
/// flush. One at the same position, such as a second try, takes the place of the first.
pub(super) async fn append(call: &Call, name: &str, body: &mut BodyStream) -> Answer {
    let (position, flushes) = (position(call)?, flag(call, "flush")?);
    call.needs(&[Right::Create, Right::Write])?;
    let Some(most) = call.most().checked_sub(position) else {
        return refuse(413, "RequestBodyTooLarge", format!("A file may have {} bytes at most.", call.most()));
    };
    let (container, named) = (call.container.clone(), name.to_owned());
    blocking(move || room_for(&container, &named, None)).await?;
    let wanted = Wanted { most, md5s: &["content-md5"], with_md5: false, piece_of: Some((Pieces::Appends, name)) };
    let arrived = body::to_file(call, body, wanted).await?;
    call.still_open().await?;
    let end = position + arrived.bytes;
    if arrived.bytes > 0 {
        let (container, named) = (call.container.clone(), name.to_owned());
        blocking(move || Ok(container.keep_piece(Pieces::Appends, &named, &piece(position), arrived.file)?)).await?;
        arrived.room.settle();
    }
    let appended = if flushes { committed(202, &flush_at(call, name, end).await?) } else { answer(202) };
    body::checked(call, appended)
}

/// Path - Update, flush. `close` only matters to who listens to events.
pub(super) async fn flush(call: &Call, name: &str, body: &mut BodyStream) -> Answer {
    call.needs(&[Right::Create, Right::Write])?;
    let position = position(call)?;
    flag(call, "close")?;
    if flag(call, "retainUncommittedData")? {
        return refuse(400, "UnsupportedQueryParameter", "retainUncommittedData is not supported: flush what was appended.");
    }
    body::nothing(call, body).await?;
    Ok(committed(200, &flush_at(call, name, position).await?))
}

/// What a flush finds.
enum Flush {
    /// Everything is committed already.
    Done(UploadedFile),
    /// Pieces that make a new file.
    New(Gathered),
}

/// Pieces up to a position: from the start of the file, or from the end of what is committed.
struct Gathered {
    /// The file that the new one goes on from.
    base: Option<UploadedFile>,
    pieces: Vec<String>,
    properties: Properties,
}

async fn flush_at(call: &Call, name: &str, position: u64) -> Result<UploadedFile, Refused> {
    Conditions::of(call)?.allow_change(call.container.find(name)?.as_ref(), EXISTS)?;
    let mut given = Properties::default();
    headers::set_content(call, Dialect::Lake, &mut given)?;
    loop {
        let (container, named) = (call.container.clone(), name.to_owned());
        let Gathered { base, pieces, mut properties } = match blocking(move || gather(&container, &named, position)).await? {
            Flush::Done(file) => return Ok(file),
            Flush::New(gathered) => gathered,
        };
        if properties.created == 0 {
            properties.created = call.ctx.now.as_second();
        }
        headers::take_given(&mut properties, given.clone(), None);
        // For a moment the pieces and the file of them are on the disk.
        let _room = call.reserve(position, None).await?;
        let container = call.container.clone();
        let mut parts: Vec<_> = base.iter().map(|file| Part::Whole(file.path.clone())).collect();
        parts.extend(pieces.iter().map(|piece| Part::Whole(container.piece(Pieces::Appends, name, piece))));
        let joined = blocking(move || match container.join(&parts, None) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            joined => Ok(Some(joined?)),
        })
        .await?;
        let Some(arrived) = joined else { continue };
        if arrived.size()? != position {
            // Another flush has just taken the pieces, or another append has replaced one: look again.
            continue;
        }
        let named = name.to_owned();
        // Only the pieces that are in the file: appends that came meanwhile wait for the next flush.
        let forget = move |container: &Container, _: &UploadedFile| {
            container.forget(Pieces::Blocks, &named)?;
            Ok(pieces.iter().try_for_each(|piece| container.forget_piece(Pieces::Appends, &named, piece))?)
        };
        let base = base.map(|file| file.etag);
        return call.commit(Commit { name, arrived, properties, blocks: Vec::new(), exists: EXISTS, base }, forget).await;
    }
}

fn gather(container: &Container, name: &str, position: u64) -> Result<Flush, Refused> {
    let pieces = container.pieces(Pieces::Appends, name)?;
    let (file, mut properties) =
        container.open(name)?.map_or_else(Default::default, |Opened { file, properties, .. }| (Some(file), properties));
    let Some((first, _)) = pieces.first() else {
        return match file {
            Some(file) if file.size == position => Ok(Flush::Done(file)),
            Some(file) => wrong_position(file.size, position),
            None => refuse(404, "PathNotFound", "The specified path does not exist."),
        };
    };
    properties.md5 = None;
    let starts_anew = *first == piece(0);
    let base = file.filter(|_| !starts_anew);
    let mut reached = base.as_ref().map_or(0, |file| file.size);
    for (piece, bytes) in &pieces {
        // Neither a gap nor an overlap: which of two pieces should win, nobody can know.
        if piece.parse() != Ok(reached) {
            return wrong_position(reached, position);
        }
        reached += bytes;
    }
    if reached != position {
        return wrong_position(reached, position);
    }
    Ok(Flush::New(Gathered { base, pieces: pieces.into_iter().map(|(piece, _)| piece).collect(), properties }))
}

fn wrong_position<T>(reached: u64, position: u64) -> Result<T, Refused> {
    refuse(
        400,
        "InvalidFlushPosition",
        format!(
            "The uploaded data is not contiguous or the position query parameter value is not equal to the length of the file after \
             appending the uploaded data: it is contiguous up to {reached}, not {position}. Create the file anew to start over."
        ),
    )
}
