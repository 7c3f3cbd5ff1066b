//! The document of Put Block List: which blocks a file is made of, in order.
//! <https://learn.microsoft.com/rest/api/storageservices/put-block-list#request-body>

use crate::limits;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Where a list wants a block from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockSource {
    /// `<Latest>`: as it was sent last, else as it is in the file.
    Latest,
    /// `<Uncommitted>`: as it was sent since the last commit.
    Uncommitted,
    /// `<Committed>`: as it is in the file.
    Committed,
}

/// Why a list cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockListError {
    /// It is no XML, or not a `BlockList` of `Latest`, `Uncommitted` and `Committed`.
    Invalid,
    /// It has more than [`limits::BLOCKS_MAX`] blocks.
    TooLong,
}

/// Reads `<BlockList><Latest>id</Latest>…</BlockList>` in UTF-8: where each block comes from, and its id
/// as it stands there, without the white space around it.
///
/// # Errors
///
/// [`BlockListError`]; a document type is refused with the rest that is no list, and with it all entities.
pub fn read_block_list(xml: &[u8]) -> Result<Vec<(BlockSource, String)>, BlockListError> {
    let text = std::str::from_utf8(xml).map_err(|_| BlockListError::Invalid)?;
    // Before they are read: a fuzzer found that a document type full of quotes takes 0.5 µs a byte.
    if text.match_indices("<!").any(|(at, _)| !text[at..].starts_with("<!--")) {
        return Err(BlockListError::Invalid);
    }
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().enable_all_checks(true);
    let (mut place, mut blocks) = (Place::Before, Vec::new());
    loop {
        let event = reader.read_event().map_err(|_| BlockListError::Invalid)?;
        place = match (place, event) {
            (place, Event::Comment(_) | Event::PI(_)) | (place @ Place::Before, Event::Decl(_)) => place,
            (Place::Before, Event::Start(element)) if is_list(&element) => Place::List,
            (Place::Before, Event::Empty(element)) if is_list(&element) => Place::After,
            (Place::List, Event::Start(element)) => Place::Block(source(&element)?, String::new()),
            (Place::Block(from, id), Event::Text(text)) => Place::Block(from, id + &text),
            (Place::Block(from, id), Event::End(_)) => {
                if blocks.len() == limits::BLOCKS_MAX {
                    return Err(BlockListError::TooLong);
                }
                blocks.push((from, id.trim().to_owned()));
                Place::List
            }
            (Place::List, Event::End(_)) => Place::After,
            (Place::After, Event::Eof) => return Ok(blocks),
            (place, Event::Text(space)) if space.trim().is_empty() => place,
            _ => return Err(BlockListError::Invalid),
        }
    }
}

/// Where the reader stands.
enum Place {
    Before,
    List,
    /// In an element of the list, with what was read of its id.
    Block(BlockSource, String),
    After,
}

fn is_list(element: &BytesStart) -> bool {
    element.name().as_ref() == "BlockList"
}

fn source(element: &BytesStart) -> Result<BlockSource, BlockListError> {
    match element.name().as_ref() {
        "Latest" => Ok(BlockSource::Latest),
        "Uncommitted" => Ok(BlockSource::Uncommitted),
        "Committed" => Ok(BlockSource::Committed),
        _ => Err(BlockListError::Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Result<Vec<(BlockSource, String)>, BlockListError> {
        read_block_list(xml.as_bytes())
    }

    #[test]
    fn lists_are_read_as_they_are_written() {
        let two = |second| Ok(vec![(BlockSource::Latest, "MQ==".to_owned()), (second, "Mg==".to_owned())]);
        assert_eq!(read("<BlockList><Latest>MQ==</Latest><Committed>Mg==</Committed></BlockList>"), two(BlockSource::Committed));
        assert_eq!(
            read(
                "\u{feff}<?xml version='1.0' encoding='utf-8'?>\n<!-- of two -->\n<BlockList>\n <Latest> MQ== </Latest>\n<Uncommitted>M<!-- in two -->g==</Uncommitted>\n</BlockList>\n"
            ),
            two(BlockSource::Uncommitted)
        );
        for empty in ["<BlockList/>", "<BlockList />", "<?xml version=\"1.0\"?><BlockList></BlockList>"] {
            assert_eq!(read(empty), Ok(vec![]), "{empty}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for bad in [
            "",
            " ",
            "<BlockList>",
            "MQ==",
            "<BlockList>MQ==</BlockList>",
            "<BlockList><Latest>MQ==</Committed></BlockList>",
            "<BlockList><Latest>MQ==",
            "<BlockList><Latest>MQ==</Latest>x</BlockList>",
            "<BlockList><Latest><Latest>MQ==</Latest></Latest></BlockList>",
            "<BlockList><Oldest>MQ==</Oldest></BlockList>",
            "<BlockList></BlockList><BlockList></BlockList>",
            "<BlockList></BlockList>x",
            "<!DOCTYPE b [<!ENTITY a \"MQ==\">]><BlockList><Latest>&a;</Latest></BlockList>",
            "<BlockList><Latest>&amp;</Latest></BlockList>",
            "<BlockList><Latest><![CDATA[MQ==]]></Latest></BlockList>",
        ] {
            assert_eq!(read(bad), Err(BlockListError::Invalid), "{bad}");
        }
        assert_eq!(read_block_list(b"<BlockList>\xff</BlockList>"), Err(BlockListError::Invalid));
        let many = "<Latest>MQ==</Latest>".repeat(limits::BLOCKS_MAX + 1);
        assert_eq!(read(&format!("<BlockList>{many}</BlockList>")), Err(BlockListError::TooLong));
    }

    proptest::proptest! {
        /// Whatever comes as a block list is read or refused, and what is written as one is read as it was.
        #[test]
        fn any_block_list(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400),
            text in "(</?(BlockList|Latest|Committed|Uncommitted)/?>|<\\?xml |\\?>|[ \n<>/&;a-zA-Z0-9=é]){0,40}",
            ids in proptest::collection::vec("[A-Za-z0-9+/]{1,20}={0,2}", 0..20),
        ) {
            let _ = read_block_list(&bytes);
            let _ = read(&text);
            let list: String = ids.iter().map(|id| format!("<Latest>{id}</Latest>")).collect();
            let read = read(&format!("<?xml version=\"1.0\"?><BlockList>{list}</BlockList>"));
            proptest::prop_assert_eq!(read, Ok(ids.into_iter().map(|id| (BlockSource::Latest, id)).collect()));
        }
    }
}
