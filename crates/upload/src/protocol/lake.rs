//! The Data Lake's way to upload: create, append, flush.

use super::conditions::Conditions;
use super::{Answer, BodyStream, Call, Commit, Refused, answer, blob, blocking, body, committed, refuse, room_for};
use crate::files::{Pieces, Temporary};
use crate::{Container, UploadedFile};

const EXISTS: &str = "PathAlreadyExists";

/// Path - Create: an empty file, whose ETag stays good until the flush.
pub(super) async fn create(call: &Call, name: &str, body: &mut BodyStream) -> Answer {
    Conditions::of(call)?.allow_change(call.container.find(name)?.as_ref(), EXISTS)?;
    room_for(&call.container, name)?;
    body::nothing(call, body).await?;
    let container = call.container.clone();
    let empty = blocking(move || Ok(container.join(&[])?)).await?;
    let named = name.to_owned();
    let forget = move |container: &Container, _: &UploadedFile| {
        container.forget(Pieces::Blocks, &named)?;
        Ok(container.forget(Pieces::Appends, &named)?)
    };
    Ok(committed(201, &call.commit(Commit { name, arrived: empty, exists: EXISTS, base: None }, forget).await?))
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
    let Some(room) = call.most().checked_sub(position) else {
        return refuse(413, "RequestBodyTooLarge", format!("A file may have {} bytes at most.", call.most()));
    };
    blob::room_for_piece(call, Pieces::Appends, name, body::length(call)?.unwrap_or_default()).await?;
    let (arrived, received) = body::to_file(call, body, room, &["content-md5"]).await?;
    call.still_open().await?;
    if received > 0 {
        let (container, named) = (call.container.clone(), name.to_owned());
        blocking(move || Ok(container.keep_piece(Pieces::Appends, &named, &piece(position), arrived)?)).await?;
    }
    if flushes {
        let file = flush_at(call, name, position + received).await?;
        return Ok(committed(202, &file));
    }
    Ok(answer(202).with("x-ms-request-server-encrypted", "true"))
}

/// Path - Update, flush. `close` only matters to who listens to events.
pub(super) async fn flush(call: &Call, name: &str, body: &mut BodyStream) -> Answer {
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
    /// A new file, the ETag of the one that it goes on from, and the pieces in it.
    New(Temporary, Option<String>, Vec<String>),
}

async fn flush_at(call: &Call, name: &str, position: u64) -> Result<UploadedFile, Refused> {
    Conditions::of(call)?.allow_change(call.container.find(name)?.as_ref(), EXISTS)?;
    let (container, named) = (call.container.clone(), name.to_owned());
    match blocking(move || gather(&container, &named, position)).await? {
        Flush::Done(file) => Ok(file),
        Flush::New(arrived, base, pieces) => {
            let named = name.to_owned();
            // Only the pieces that are in the file: appends that came meanwhile wait for the next flush.
            let forget = move |container: &Container, _: &UploadedFile| {
                container.forget(Pieces::Blocks, &named)?;
                Ok(pieces.iter().try_for_each(|piece| container.forget_piece(Pieces::Appends, &named, piece))?)
            };
            call.commit(Commit { name, arrived, exists: EXISTS, base }, forget).await
        }
    }
}

/// Joins the pieces up to a position: from the start of the file, or from the end of what is committed.
fn gather(container: &Container, name: &str, position: u64) -> Result<Flush, Refused> {
    let pieces = container.pieces(Pieces::Appends, name)?;
    let file = container.find(name)?;
    let Some((first, _)) = pieces.first() else {
        return match file {
            Some(file) if file.size == position => Ok(Flush::Done(file)),
            Some(file) => wrong_position(file.size, position),
            None => refuse(404, "PathNotFound", "The specified path does not exist."),
        };
    };
    let starts_anew = *first == piece(0);
    let base = file.filter(|_| !starts_anew);
    let mut reached = base.as_ref().map_or(0, |file| file.size);
    let mut parts: Vec<_> = base.iter().map(|file| file.path.clone()).collect();
    for (piece, bytes) in &pieces {
        // Neither a gap nor an overlap: which of two pieces should win, nobody can know.
        if piece.parse() != Ok(reached) {
            return wrong_position(reached, position);
        }
        reached += bytes;
        parts.push(container.piece(Pieces::Appends, name, piece));
    }
    if reached != position {
        return wrong_position(reached, position);
    }
    let joined = match container.join(&parts) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        joined => Some(joined?),
    };
    match joined {
        Some(joined) if joined.size()? == position => {
            Ok(Flush::New(joined, base.map(|file| file.etag), pieces.into_iter().map(|(piece, _)| piece).collect()))
        }
        // Another flush has just taken the pieces, or another append has replaced one: look again.
        _ => gather(container, name, position),
    }
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
