//! The blob protocol's ways to upload: in one piece, or in blocks and a list of them.

use super::conditions::Conditions;
use super::{Answer, BodyStream, Call, Commit, Refused, answer, blocking, body, committed, refuse, room_for};
use crate::files::Pieces;
use crate::{Container, limits};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const EXISTS: &str = "BlobAlreadyExists";

/// Put Blob.
pub(super) async fn put(call: &Call, name: &str, body: &mut BodyStream) -> Answer {
    match call.header("x-ms-blob-type")? {
        Some(kind) if kind.eq_ignore_ascii_case("BlockBlob") => {}
        Some(_) => return refuse(400, "InvalidHeaderValue", "x-ms-blob-type can be BlockBlob."),
        None => return refuse(400, "MissingRequiredHeader", "The header x-ms-blob-type: BlockBlob is required."),
    }
    before_body(call, name)?;
    let (arrived, _) = body::to_file(call, body, call.most(), &["content-md5", "x-ms-blob-content-md5"]).await?;
    let named = name.to_owned();
    let file = call.commit(Commit { name, arrived, exists: EXISTS, base: None }, move |container, _| forget_all(container, &named)).await?;
    Ok(committed(201, &file))
}

/// What can be known before the body is, so that it need not be sent.
fn before_body(call: &Call, name: &str) -> Result<(), Refused> {
    Conditions::of(call)?.allow_change(call.container.find(name)?.as_ref(), EXISTS)?;
    room_for(&call.container, name)
}

/// A commit discards what else was on its way to the same name, as Azure's does.
fn forget_all(container: &Container, name: &str) -> Result<(), Refused> {
    container.forget(Pieces::Blocks, name)?;
    Ok(container.forget(Pieces::Appends, name)?)
}

/// The name of a block's file.
fn block(id: &str) -> Result<String, Refused> {
    let raw = STANDARD.decode(id).ok().filter(|raw| (1..=limits::BLOCK_ID_BYTES_MAX).contains(&raw.len()));
    let raw = raw.ok_or_else(|| Refused(400, "InvalidQueryParameterValue", "blockid is base64 of 1 to 64 bytes.".to_owned()))?;
    Ok(raw.iter().map(|b| format!("{b:02x}")).collect())
}

/// Put Block.
pub(super) async fn put_block(call: &Call, name: &str, body: &mut BodyStream) -> Answer {
    let block = block(call.field("blockid").unwrap_or_default())?;
    let length = body::length(call)?.unwrap_or_default();
    room_for_piece(call, Pieces::Blocks, name, length).await?;
    let (arrived, _) = body::to_file(call, body, call.most(), &["content-md5"]).await?;
    call.still_open().await?;
    let (container, name) = (call.container.clone(), name.to_owned());
    blocking(move || Ok(container.keep_piece(Pieces::Blocks, &name, &block, arrived)?)).await?;
    Ok(answer(201))
}

/// Refuses a piece of `length` bytes when there are too many already.
pub(super) async fn room_for_piece(call: &Call, kind: Pieces, name: &str, length: u64) -> Result<(), Refused> {
    let (container, name, most) = (call.container.clone(), name.to_owned(), call.most().saturating_mul(limits::STAGED_FILES_MAX));
    blocking(move || {
        room_for(&container, &name)?;
        let pieces = container.pieces(kind, &name)?;
        if pieces.len() >= limits::BLOCKS_MAX {
            return refuse(409, "BlockCountExceedsLimit", format!("{} pieces of a file can wait to be committed.", limits::BLOCKS_MAX));
        }
        let staged = pieces.iter().fold(length, |sum, (_, bytes)| sum.saturating_add(*bytes));
        if staged > most {
            return refuse(
                413,
                "RequestBodyTooLarge",
                format!("{most} bytes of a file can wait to be committed. Delete it to start anew."),
            );
        }
        Ok(())
    })
    .await
}

/// Put Block List.
pub(super) async fn put_block_list(call: &Call, name: &str, body: &mut BodyStream) -> Answer {
    before_body(call, name)?;
    let xml = body::to_memory(call, body, limits::BLOCK_LIST_BYTES_MAX as u64, &["content-md5"]).await?;
    let blocks: Vec<String> = block_ids(&xml)?.iter().map(|id| block(id)).collect::<Result<_, _>>()?;
    let list = STANDARD.encode(digest::digest(&digest::SHA256, blocks.join("\n").as_bytes()));
    let (container, named, most, these) = (call.container.clone(), name.to_owned(), call.most(), list.clone());
    let joined = blocking(move || {
        let staged: std::collections::HashMap<_, _> = container.pieces(Pieces::Blocks, &named)?.into_iter().collect();
        let mut size = 0_u64;
        for block in &blocks {
            let Some(bytes) = staged.get(block) else {
                // The blocks of a commit whose answer got lost are gone, but their file is there.
                let file = container.find(&named)?.filter(|_| !blocks.is_empty());
                let done = file.as_ref().map(|file| note(&these, &file.etag)) == container.note(&named)?;
                return file.filter(|_| done).map(Err).ok_or_else(missing_block);
            };
            size = size.saturating_add(*bytes);
        }
        if size > most {
            return refuse(413, "RequestBodyTooLarge", format!("A file may have {most} bytes at most."));
        }
        let parts: Vec<_> = blocks.iter().map(|block| container.piece(Pieces::Blocks, &named, block)).collect();
        match container.join(&parts) {
            // Another commit has taken them meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(missing_block()),
            joined => Ok(Ok(joined?)),
        }
    })
    .await?;
    let file = match joined {
        Ok(arrived) => {
            let named = name.to_owned();
            let after = move |container: &Container, file: &crate::UploadedFile| {
                container.write_note(&named, &note(&list, &file.etag))?;
                forget_all(container, &named)
            };
            call.commit(Commit { name, arrived, exists: EXISTS, base: None }, after).await?
        }
        Err(done) => {
            Conditions::of(call)?.allow_change(Some(&done), EXISTS)?;
            done
        }
    };
    Ok(committed(201, &file))
}

fn note(list: &str, etag: &str) -> String {
    format!("{list} {etag}")
}

fn missing_block() -> Refused {
    Refused(400, "InvalidBlockList", "The specified block list is invalid: a block of it was not uploaded.".to_owned())
}

/// `<BlockList><Latest>id</Latest>…`: ids in order. Which of the three elements names a block makes
/// no difference, because the blocks of a committed file are not kept.
fn block_ids(xml: &[u8]) -> Result<Vec<String>, Refused> {
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
        if !matches!(element, "Latest" | "Uncommitted" | "Committed") {
            return Err(bad());
        }
        let (id, after) = after.split_once("</").ok_or_else(bad)?;
        rest = after.strip_prefix(element).and_then(|after| after.strip_prefix('>')).ok_or_else(bad)?.trim_start();
        ids.push(id.trim().to_owned());
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
        let two = Ok(vec!["MQ==".to_owned(), "Mg==".to_owned()]);
        assert_eq!(ids("<BlockList><Latest>MQ==</Latest><Committed>Mg==</Committed></BlockList>"), two);
        assert_eq!(
            ids(
                "\u{feff}<?xml version='1.0' encoding='utf-8'?>\n<BlockList>\n <Latest> MQ== </Latest>\n<Uncommitted>Mg==</Uncommitted>\n</BlockList>\n"
            ),
            two
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
}
