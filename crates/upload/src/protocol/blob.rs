//! The blob protocol's ways to upload: in one piece, or in blocks and a list of them.

use super::BodyStream;
use super::answer::{Answer, Refused, answer, committed, refuse};
use super::body::{self, Wanted};
use super::call::{Call, Commit, blocking, may_replace, room_for};
use super::conditions::Conditions;
use super::headers::{self, Dialect};
use crate::files::{Opened, Part, Pieces};
use crate::properties::Block;
use crate::sas::Right;
use crate::{BlockListError, BlockSource, Container, limits, read_block_list};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use std::fs::File;

const EXISTS: &str = "BlobAlreadyExists";

/// Put Blob.
pub(super) async fn put(call: &Call, name: &str, body: &mut BodyStream) -> Answer {
    match call.header("x-ms-blob-type")? {
        Some(kind) if kind.eq_ignore_ascii_case("BlockBlob") => {}
        Some(_) => return refuse(400, "InvalidHeaderValue", "x-ms-blob-type can be BlockBlob."),
        None => return refuse(400, "MissingRequiredHeader", "The header x-ms-blob-type: BlockBlob is required."),
    }
    before_body(call, name)?;
    let mut properties = headers::of_new(call, Dialect::Blob)?;
    if properties.content_type.is_none() {
        properties.content_type = call.header("content-type")?.map(str::to_owned);
    }
    let wanted = Wanted { most: call.most(), md5s: &["content-md5", "x-ms-blob-content-md5"], with_md5: true, piece_of: None };
    let arrived = body::to_file(call, body, wanted).await?;
    properties.md5 = arrived.md5;
    let named = name.to_owned();
    let commit = Commit { name, arrived: arrived.file, properties: properties.clone(), blocks: Vec::new(), exists: EXISTS, base: None };
    let file = call.commit(commit, move |container, _| forget_all(container, &named)).await?;
    let done = body::checked(call, committed(201, &file))?;
    Ok(done.with_some("content-md5", properties.md5.as_ref()))
}

/// What can be known before the body is, so that it need not be sent.
fn before_body(call: &Call, name: &str) -> Result<(), Refused> {
    call.needs(&[Right::Create, Right::Write])?;
    let before = call.container.find(name)?;
    Conditions::of(call)?.allow_change(before.as_ref(), EXISTS)?;
    may_replace(&call.rights, before.as_ref())?;
    room_for(&call.container, name, None)
}

/// A commit discards what else was on its way to the same name, as Azure's does.
fn forget_all(container: &Container, name: &str) -> Result<(), Refused> {
    container.forget(Pieces::Blocks, name)?;
    Ok(container.forget(Pieces::Appends, name)?)
}

/// The name of a block's file: its id in hexadecimal digits.
fn block(id: &str) -> Result<String, Refused> {
    let raw = STANDARD.decode(id).ok().filter(|raw| (1..=limits::BLOCK_ID_BYTES_MAX).contains(&raw.len()));
    let raw = raw.ok_or_else(|| Refused(400, "InvalidQueryParameterValue", "blockid is base64 of 1 to 64 bytes.".to_owned()))?;
    Ok(raw.iter().map(|b| format!("{b:02x}")).collect())
}

/// A block's id as clients write it.
pub(super) fn shown(block: &str) -> String {
    let digits = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or_default();
    STANDARD.encode(block.as_bytes().chunks(2).map(digits).collect::<Vec<_>>())
}

/// Put Block.
pub(super) async fn put_block(call: &Call, name: &str, body: &mut BodyStream) -> Answer {
    call.needs(&[Right::Create, Right::Write])?;
    let block = block(call.field("blockid").unwrap_or_default())?;
    let (container, named, length) = (call.container.clone(), name.to_owned(), block.len());
    blocking(move || {
        room_for(&container, &named, None)?;
        match container.any_piece(Pieces::Blocks, &named)? {
            Some(other) if other.len() != length => {
                refuse(400, "InvalidBlobOrBlock", "The ids of all blocks of a file have the same length. Delete it to start anew.")
            }
            _ => Ok(()),
        }
    })
    .await?;
    let wanted = Wanted { most: call.most(), md5s: &["content-md5"], with_md5: false, piece_of: Some((Pieces::Blocks, name)) };
    let arrived = body::to_file(call, body, wanted).await?;
    call.still_open().await?;
    let (container, name) = (call.container.clone(), name.to_owned());
    blocking(move || Ok(container.keep_piece(Pieces::Blocks, &name, &block, arrived.file)?)).await?;
    arrived.room.settle();
    body::checked(call, answer(201))
}

/// Put Block List.
pub(super) async fn put_block_list(call: &Call, name: &str, body: &mut BodyStream) -> Answer {
    before_body(call, name)?;
    let properties = headers::of_new(call, Dialect::Blob)?;
    let (xml, md5) = body::to_memory(call, body, limits::BLOCK_LIST_BYTES_MAX as u64, &["content-md5"]).await?;
    let wanted = read_block_list(&xml)
        .map_err(unreadable_list)?
        .into_iter()
        .map(|(from, id)| Ok((from, block(&id)?)))
        .collect::<Result<Vec<_>, Refused>>()?;
    let (container, named) = (call.container.clone(), name.to_owned());
    let Chosen { parts, before, blocks } = blocking(move || choose(&container, &named, wanted)).await?;
    let bytes = blocks.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    if bytes > call.most() {
        return refuse(413, "RequestBodyTooLarge", format!("A file may have {} bytes at most.", call.most()));
    }
    // For a moment the blocks and the file of them are on the disk.
    let _room = call.reserve(bytes, None).await?;
    let container = call.container.clone();
    let arrived = blocking(move || match container.join(&parts, before.as_ref()) {
        // Another commit has taken them meanwhile.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(missing_block()),
        joined => Ok(joined?),
    })
    .await?;
    let named = name.to_owned();
    let commit = Commit { name, arrived, properties, blocks, exists: EXISTS, base: None };
    let file = call.commit(commit, move |container, _| forget_all(container, &named)).await?;
    // That of the list and not of the file: the clients take it for that of what they have sent.
    Ok(body::checked(call, committed(201, &file))?.with_some("content-md5", md5.as_ref()))
}

/// What a list is made of.
struct Chosen {
    parts: Vec<Part>,
    /// The committed file; it stays readable when another commit replaces it.
    before: Option<File>,
    /// The blocks of the new file.
    blocks: Vec<Block>,
}

fn choose(container: &Container, name: &str, wanted: Vec<(BlockSource, String)>) -> Result<Chosen, Refused> {
    let staged: HashMap<String, u64> = container.pieces(Pieces::Blocks, name)?.into_iter().collect();
    let mut committed = HashMap::new();
    let before = container.open(name)?;
    if let Some(Opened { file, .. }) = &before {
        let mut place = 0;
        for (id, bytes) in container.blocks(file)? {
            committed.insert(id, (place, bytes));
            place += bytes;
        }
    }
    let (mut parts, mut blocks) = (Vec::with_capacity(wanted.len()), Vec::with_capacity(wanted.len()));
    for (source, id) in wanted {
        let staged = staged.get(&id).filter(|_| source != BlockSource::Committed);
        let committed = committed.get(&id).filter(|_| source != BlockSource::Uncommitted);
        let (part, bytes) = match (staged, committed) {
            (Some(bytes), _) => (Part::Whole(container.piece(Pieces::Blocks, name, &id)), *bytes),
            (None, Some((place, bytes))) => (Part::Before(*place, *bytes), *bytes),
            (None, None) => return Err(missing_block()),
        };
        parts.push(part);
        blocks.push((id, bytes));
    }
    Ok(Chosen { parts, before: before.map(|before| before.content), blocks })
}

fn missing_block() -> Refused {
    Refused(400, "InvalidBlockList", "The specified block list is invalid: a block of it was not uploaded.".to_owned())
}

fn unreadable_list(error: BlockListError) -> Refused {
    match error {
        BlockListError::Invalid => {
            let message = "XML specified is not syntactically valid: a BlockList of Latest, Uncommitted and Committed.";
            Refused(400, "InvalidXmlDocument", message.to_owned())
        }
        BlockListError::TooLong => {
            let message = format!("The block list may not contain more than {} blocks.", limits::BLOCKS_MAX);
            Refused(400, "BlockListTooLong", message)
        }
    }
}
