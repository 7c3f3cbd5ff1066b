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
use crate::{Container, limits};
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
    let wanted = block_ids(&xml)?.into_iter().map(|(from, id)| Ok((from, block(&id)?))).collect::<Result<Vec<_>, Refused>>()?;
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

/// Where a list wants a block from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// `<Latest>`: as it was sent last, else as it is in the file.
    Latest,
    Uncommitted,
    Committed,
}

/// What a list is made of.
struct Chosen {
    parts: Vec<Part>,
    /// The committed file; it stays readable when another commit replaces it.
    before: Option<File>,
    /// The blocks of the new file.
    blocks: Vec<Block>,
}

fn choose(container: &Container, name: &str, wanted: Vec<(Source, String)>) -> Result<Chosen, Refused> {
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
        let staged = staged.get(&id).filter(|_| source != Source::Committed);
        let committed = committed.get(&id).filter(|_| source != Source::Uncommitted);
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

/// `<BlockList><Latest>id</Latest>…`: ids in order.
fn block_ids(xml: &[u8]) -> Result<Vec<(Source, String)>, Refused> {
    let bad = || {
        Refused(
            400,
            "InvalidXmlDocument",
            "XML specified is not syntactically valid: a BlockList of Latest, Uncommitted and Committed.".to_owned(),
        )
    };
    let text = std::str::from_utf8(xml).map_err(|_| bad())?.trim_start_matches('\u{feff}').trim();
    let text = match text.strip_prefix("<?xml ") {
        Some(rest) => rest.split_once("?>").ok_or_else(bad)?.1.trim(),
        None => text,
    };
    if text.strip_prefix("<BlockList").is_some_and(|rest| rest.trim_start() == "/>") {
        return Ok(Vec::new());
    }
    let mut rest = text.strip_prefix("<BlockList>").and_then(|t| t.strip_suffix("</BlockList>")).ok_or_else(bad)?.trim();
    let mut ids = Vec::new();
    while !rest.is_empty() {
        let (element, after) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or_else(bad)?;
        let from = match element {
            "Latest" => Source::Latest,
            "Uncommitted" => Source::Uncommitted,
            "Committed" => Source::Committed,
            _ => return Err(bad()),
        };
        let (id, after) = after.split_once("</").ok_or_else(bad)?;
        rest = after.strip_prefix(element).and_then(|after| after.strip_prefix('>')).ok_or_else(bad)?.trim_start();
        ids.push((from, id.trim().to_owned()));
        if ids.len() > limits::BLOCKS_MAX {
            return refuse(400, "BlockListTooLong", format!("The block list may not contain more than {} blocks.", limits::BLOCKS_MAX));
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_lists() {
        let ids = |xml: &str| block_ids(xml.as_bytes()).map_err(|refused| refused.1);
        let two = |second| Ok(vec![(Source::Latest, "MQ==".to_owned()), (second, "Mg==".to_owned())]);
        assert_eq!(ids("<BlockList><Latest>MQ==</Latest><Committed>Mg==</Committed></BlockList>"), two(Source::Committed));
        assert_eq!(
            ids(
                "\u{feff}<?xml version='1.0' encoding='utf-8'?>\n<BlockList>\n <Latest> MQ== </Latest>\n<Uncommitted>Mg==</Uncommitted>\n</BlockList>\n"
            ),
            two(Source::Uncommitted)
        );
        for empty in ["<BlockList/>", "<BlockList />", "<?xml version=\"1.0\"?><BlockList></BlockList>"] {
            assert_eq!(ids(empty), Ok(vec![]), "{empty}");
        }
        for bad in [
            "",
            "<BlockList>",
            "MQ==",
            "<BlockList>MQ==</BlockList>",
            "<BlockList><Latest>MQ==</Committed></BlockList>",
            "<BlockList><Latest>MQ==",
            "<BlockList><Latest>MQ==</Latest>x</BlockList>",
            "<BlockList><Oldest>MQ==</Oldest></BlockList>",
            "<BlockList></BlockList><BlockList></BlockList>",
        ] {
            assert_eq!(ids(bad), Err("InvalidXmlDocument"), "{bad}");
        }
        assert_eq!(block_ids(b"<BlockList>\xff</BlockList>").map_err(|r| r.1), Err("InvalidXmlDocument"));
        let many = "<Latest>MQ==</Latest>".repeat(limits::BLOCKS_MAX + 1);
        assert_eq!(ids(&format!("<BlockList>{many}</BlockList>")), Err("BlockListTooLong"));
    }

    proptest::proptest! {
        /// Whatever comes as a block list is read or refused, and what is written as one is read as it was.
        #[test]
        fn any_block_list(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400),
            text in "(</?(BlockList|Latest|Committed|Uncommitted)/?>|<\\?xml |\\?>|[ \n<>/&;a-zA-Z0-9=é]){0,40}",
            ids in proptest::collection::vec("[A-Za-z0-9+/]{1,20}={0,2}", 0..20),
        ) {
            let _ = block_ids(&bytes);
            let _ = block_ids(text.as_bytes());
            let list: String = ids.iter().map(|id| format!("<Latest>{id}</Latest>")).collect();
            let read = block_ids(format!("<?xml version=\"1.0\"?><BlockList>{list}</BlockList>").as_bytes()).map_err(|refused| refused.1);
            proptest::prop_assert_eq!(read, Ok(ids.into_iter().map(|id| (Source::Latest, id)).collect()));
        }
    }
}
