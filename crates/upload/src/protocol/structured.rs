//! `XSM/1.0; properties=crc64`: a body in segments, each with its CRC-64, as Microsoft's storage SDKs send
//! and ask for it when content is to be validated.
//!
//! There is no published page on it; the layout is that of the SDKs' encoders and decoders
//! (azure-storage-blob 12.31 `_shared/streams.py`, @azure/storage-common 12.4 `StructuredMessageEncoding`).
//! Numbers are little-endian:
//!
//! ```text
//! message header: version 1 (u8), length of the whole message (u64), properties (u16), segments (u16)
//! each segment:   number from 1 (u16), length of its content (u64), content, CRC-64 of the content
//! message footer: CRC-64 of all content
//! ```

use super::answer::{Refused, refuse};
use super::body::{CRC64, crc_mismatch};
use bytes::{Buf as _, Bytes, BytesMut};
use crc::Digest;

/// The one kind that is spoken.
pub(super) const KIND: &str = "XSM/1.0; properties=crc64";

const MESSAGE_HEADER: usize = 13;
const SEGMENT_HEADER: usize = 10;
const FOOTER: usize = 8;
const WITH_CRC64: u16 = 1;
/// Content of a segment that is sent; that of the SDKs.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Region {
    MessageHeader,
    SegmentHeader,
    /// So many bytes are still to come.
    Content(u64),
    SegmentFooter,
    MessageFooter,
    End,
}

/// Takes a message apart as it arrives.
pub(super) struct Decoder {
    region: Region,
    /// Start of a header or footer whose rest has not come yet.
    held: BytesMut,
    announced: u64,
    segments: u16,
    number: u16,
    segment: Digest<'static, u64, crc::Table<16>>,
    message: Digest<'static, u64, crc::Table<16>>,
}

fn malformed<T>(what: &str) -> Result<T, Refused> {
    refuse(400, "InvalidInput", format!("The structured body is malformed: {what}."))
}

impl Decoder {
    /// Of a message of so many bytes.
    pub(super) fn new(announced: u64) -> Self {
        let (segment, message) = (CRC64.digest(), CRC64.digest());
        Self { region: Region::MessageHeader, held: BytesMut::new(), announced, segments: 0, number: 0, segment, message }
    }

    /// Gives the content in a chunk, part by part, to `take`.
    pub(super) fn feed(&mut self, mut chunk: Bytes, mut take: impl FnMut(Bytes)) -> Result<(), Refused> {
        loop {
            if let Region::Content(left) = self.region {
                let part = chunk.split_to(chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
                self.segment.update(&part);
                self.message.update(&part);
                let left = left - part.len() as u64;
                self.region = if left == 0 { Region::SegmentFooter } else { Region::Content(left) };
                if !part.is_empty() {
                    take(part);
                }
                if left > 0 {
                    return Ok(());
                }
            }
            let wanted = match self.region {
                Region::MessageHeader => MESSAGE_HEADER,
                Region::SegmentHeader => SEGMENT_HEADER,
                Region::SegmentFooter | Region::MessageFooter => FOOTER,
                Region::Content(_) => continue,
                Region::End if chunk.is_empty() => return Ok(()),
                Region::End => return malformed("it goes on after its end"),
            };
            let more = wanted.saturating_sub(self.held.len()).min(chunk.len());
            self.held.extend_from_slice(&chunk.split_to(more));
            if self.held.len() < wanted {
                return Ok(());
            }
            let fields = self.held.split().freeze();
            self.region = self.read(fields)?;
        }
    }

    /// Reads a header or footer; gives the region after it.
    fn read(&mut self, mut fields: Bytes) -> Result<Region, Refused> {
        match self.region {
            Region::MessageHeader => {
                let (version, length, properties) = (fields.get_u8(), fields.get_u64_le(), fields.get_u16_le());
                self.segments = fields.get_u16_le();
                if version != 1 || properties != WITH_CRC64 {
                    return malformed("only version 1 with CRC-64 is spoken here");
                }
                if length != self.announced {
                    return malformed("its length is not that of the body");
                }
                Ok(if self.segments == 0 { Region::MessageFooter } else { Region::SegmentHeader })
            }
            Region::SegmentHeader => {
                if fields.get_u16_le() != self.number + 1 {
                    return malformed("its segments are not in order");
                }
                self.number += 1;
                self.segment = CRC64.digest();
                Ok(Region::Content(fields.get_u64_le()))
            }
            Region::SegmentFooter => {
                let calculated = std::mem::replace(&mut self.segment, CRC64.digest()).finalize();
                if fields.get_u64_le() != calculated {
                    return Err(crc_mismatch());
                }
                Ok(if self.number == self.segments { Region::MessageFooter } else { Region::SegmentHeader })
            }
            _ => {
                let calculated = std::mem::replace(&mut self.message, CRC64.digest()).finalize();
                if fields.get_u64_le() == calculated { Ok(Region::End) } else { Err(crc_mismatch()) }
            }
        }
    }

    /// Whether the message has come to its end.
    pub(super) fn is_complete(&self) -> bool {
        self.region == Region::End
    }
}

/// Writes content that is sent piece by piece as a message.
pub(super) struct Encoder {
    length: u64,
    sent: u64,
    segment: Digest<'static, u64, crc::Table<16>>,
    message: Digest<'static, u64, crc::Table<16>>,
}

impl Encoder {
    /// Of content of so many bytes.
    pub(super) fn new(length: u64) -> Self {
        Self { length, sent: 0, segment: CRC64.digest(), message: CRC64.digest() }
    }

    fn segments(&self) -> u64 {
        self.length.div_ceil(SEGMENT_BYTES).max(1)
    }

    /// Bytes of the whole message.
    pub(super) fn message_length(&self) -> u64 {
        let frames = MESSAGE_HEADER as u64 + self.segments() * (SEGMENT_HEADER + FOOTER) as u64 + FOOTER as u64;
        self.length + frames
    }

    /// How many segments a message can count.
    pub(super) fn fits(&self) -> bool {
        u16::try_from(self.segments()).is_ok()
    }

    /// How much content may be given at once: no more than the rest of the segment.
    pub(super) fn room(&self) -> u64 {
        SEGMENT_BYTES - self.sent % SEGMENT_BYTES
    }

    /// The message's part for the next piece of content, of at most [`Self::room`] bytes.
    pub(super) fn frame(&mut self, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(content.len() + MESSAGE_HEADER + SEGMENT_HEADER + 2 * FOOTER);
        if self.sent == 0 {
            out.push(1);
            out.extend(self.message_length().to_le_bytes());
            out.extend(WITH_CRC64.to_le_bytes());
            out.extend((self.segments() as u16).to_le_bytes());
        }
        if self.sent.is_multiple_of(SEGMENT_BYTES) {
            let number = self.sent / SEGMENT_BYTES + 1;
            out.extend((number as u16).to_le_bytes());
            out.extend((self.length - self.sent).min(SEGMENT_BYTES).to_le_bytes());
        }
        out.extend_from_slice(content);
        self.segment.update(content);
        self.message.update(content);
        self.sent += content.len() as u64;
        if self.sent == self.length || self.sent.is_multiple_of(SEGMENT_BYTES) {
            out.extend(std::mem::replace(&mut self.segment, CRC64.digest()).finalize().to_le_bytes());
        }
        if self.sent == self.length {
            out.extend(std::mem::replace(&mut self.message, CRC64.digest()).finalize().to_le_bytes());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(content: &[u8], at_once: usize) -> Vec<u8> {
        let mut encoder = Encoder::new(content.len() as u64);
        let announced = encoder.message_length();
        let mut message = Vec::new();
        let mut rest = content;
        loop {
            let (now, later) = rest.split_at(rest.len().min(at_once).min(encoder.room() as usize));
            message.extend(encoder.frame(now));
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        assert_eq!(message.len() as u64, announced);
        message
    }

    fn decode(message: &[u8], at_once: usize) -> Result<Vec<u8>, &'static str> {
        let mut decoder = Decoder::new(message.len() as u64);
        let mut content = Vec::new();
        for chunk in message.chunks(at_once) {
            decoder.feed(Bytes::copy_from_slice(chunk), |part| content.extend_from_slice(&part)).map_err(|refused| refused.1)?;
        }
        if decoder.is_complete() { Ok(content) } else { Err("incomplete") }
    }

    #[test]
    fn a_message_as_the_python_sdk_writes_it() {
        // generate_message_header(1, 52, CRC64, 2), two segments of 3 and 0 bytes.
        let crc = |text: &[u8]| CRC64.checksum(text).to_le_bytes();
        let mut message = vec![1, 60, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0];
        message.extend(b"abc");
        message.extend(crc(b"abc"));
        message.extend([2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        message.extend(crc(b""));
        message.extend(crc(b"abc"));
        assert_eq!(message.len(), 60);
        for at_once in [1, 2, 7, 60] {
            assert_eq!(decode(&message, at_once).unwrap(), b"abc");
        }
        for place in 0..message.len() {
            let mut damaged = message.clone();
            damaged[place] ^= 0x10;
            assert!(decode(&damaged, 9).is_err(), "byte {place}");
            assert!(decode(&message[..place], 9).is_err(), "cut at {place}");
        }
        message.push(0);
        assert!(decode(&message, 9).is_err());
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let content: Vec<u8> = (0..SEGMENT_BYTES as usize * 2 + 5).map(|n| (n % 251) as u8).collect();
        for length in [0, 1, 4_194_303, 4_194_304, 4_194_305, content.len()] {
            for at_once in [65_536, 1_000_003] {
                assert_eq!(decode(&encode(&content[..length], at_once), at_once).unwrap(), &content[..length], "{length}");
            }
        }
    }
}
