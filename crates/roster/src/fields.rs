//! Fields of a line: RFC 4180, one record a line.

use crate::limits::LINE_BYTES_MAX;

/// Marks a range that is one of the text put together, and not of the line.
const MENDED: u32 = 1 << 31;

/// Where the fields of a line are; used again for the next line.
#[derive(Default)]
pub(crate) struct Fields {
    ranges: Vec<(u32, u32)>,
    /// Quoted fields that are not one piece of the line, as they are meant.
    mended: Vec<u8>,
}

/// A quote is not closed on its line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OpenQuote;

impl Fields {
    /// Splits a line at its commas, of which none is quoted.
    pub(crate) fn split_plain(&mut self, line: &[u8]) {
        self.ranges.clear();
        self.plain(line, 0);
    }

    /// Adds the fields of a piece of the line in which no comma is quoted. `start`: where it begins in the line.
    #[inline]
    fn plain(&mut self, piece: &[u8], mut start: u32) {
        const COMMAS: u64 = u64::from_le_bytes([b','; 8]);
        const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        let mut at = start;
        let (words, tail) = piece.as_chunks::<8>();
        for word in words {
            let other = u64::from_le_bytes(*word) ^ COMMAS;
            // The high bit of each byte that is a comma.
            let mut commas = !(((other & LOW) + LOW) | other | LOW);
            while commas != 0 {
                let comma = at + commas.trailing_zeros() / 8;
                self.ranges.push((start, comma));
                start = comma + 1;
                commas &= commas - 1;
            }
            at += 8;
        }
        for byte in tail {
            if *byte == b',' {
                self.ranges.push((start, at));
                start = at + 1;
            }
            at += 1;
        }
        self.ranges.push((start, at));
    }

    /// Splits a line at commas outside quotes; gives whether it has no quotes.
    pub(crate) fn split(&mut self, line: &[u8]) -> Result<bool, OpenQuote> {
        self.ranges.clear();
        self.mended.clear();
        let (mut start, mut looked, mut is_plain) = (0, 0, true);
        while let Some(found) = memchr::memchr(b'"', &line[looked..]) {
            is_plain = false;
            let quote = looked + found;
            if quote > start {
                looked = quote + 1;
                if line[quote - 1] != b',' {
                    // Inside of a field it is a character like others.
                    continue;
                }
                self.plain(&line[start..quote - 1], start as u32);
            }
            let end = self.quoted(line, quote + 1)?;
            if end == line.len() {
                return Ok(false);
            }
            start = end + 1;
            looked = start;
        }
        self.plain(&line[start..], start as u32);
        Ok(is_plain)
    }

    /// A quoted field, from behind its quote; gives where it ends. Text between its closing quote and
    /// the comma is taken as it stands.
    fn quoted(&mut self, line: &[u8], start: usize) -> Result<usize, OpenQuote> {
        let mended = self.mended.len();
        let mut from = start;
        loop {
            let quote = from + memchr::memchr(b'"', &line[from..]).ok_or(OpenQuote)?;
            let after = line.get(quote + 1);
            if from == start && matches!(after, None | Some(b',')) {
                self.ranges.push((start as u32, quote as u32));
                return Ok(quote + 1);
            }
            self.mended.extend_from_slice(&line[from..quote]);
            from = quote + 1;
            if after != Some(&b'"') {
                break;
            }
            self.mended.push(b'"');
            from += 1;
        }
        let end = memchr::memchr(b',', &line[from..]).map_or(line.len(), |found| from + found);
        self.mended.extend_from_slice(&line[from..end]);
        self.ranges.push((mended as u32 | MENDED, self.mended.len() as u32));
        Ok(end)
    }

    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// A field: a piece of the line, or what was put together.
    #[inline]
    pub(crate) fn get<'l>(&self, line: &'l str, index: usize) -> Result<&'l str, &str> {
        let (start, end) = self.ranges[index];
        if start == end {
            return Ok("");
        }
        if start & MENDED == 0 { Ok(&line[start as usize..end as usize]) } else { Err(self.mended(start, end)) }
    }

    /// What was put together, out of the way of what is a piece of the line.
    #[cold]
    fn mended(&self, start: u32, end: u32) -> &str {
        // Only whole characters were put together.
        std::str::from_utf8(&self.mended[(start & !MENDED) as usize..end as usize]).unwrap_or_default()
    }

    /// A field of a line that need not be text.
    pub(crate) fn bytes<'f>(&'f self, line: &'f [u8], index: usize) -> &'f [u8] {
        let (start, end) = self.ranges[index];
        let of = if start & MENDED == 0 { line } else { &self.mended };
        &of[(start & !MENDED) as usize..end as usize]
    }

    /// A field as text of its own.
    pub(crate) fn text<'f>(&'f self, line: &'f str, index: usize) -> &'f str {
        self.get(line, index).unwrap_or_else(|mended| mended)
    }
}

/// A control character other than a tab.
pub(crate) fn control_character(line: &[u8]) -> Option<usize> {
    line.iter().position(|byte| *byte < b' ' && *byte != b'\t')
}

/// Whether a line could be a row, were it not for a quote that it does not close.
pub(crate) fn leaves_value_open(line: &[u8]) -> bool {
    memchr::memchr(b'"', line).is_some()
        && line.len() <= LINE_BYTES_MAX
        && simdutf8::basic::from_utf8(line).is_ok()
        && control_character(line).is_none()
        && Fields::default().split(line).is_err()
}

/// Whether a line looks like the rest of a value that was opened on the line before: it has an odd
/// number of quotes, and the first single one of them closes a field.
pub(crate) fn is_rest_of_value(line: &[u8]) -> bool {
    if memchr::memchr_iter(b'"', line).count().is_multiple_of(2) {
        return false;
    }
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'"', &line[at..]) {
        match line.get(at + found + 1) {
            Some(b'"') => at += found + 2,
            after => return matches!(after, None | Some(b',')),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(line: &str) -> Result<Vec<String>, OpenQuote> {
        let mut fields = Fields::default();
        fields.split(line.as_bytes())?;
        Ok((0..fields.len()).map(|index| fields.text(line, index).to_owned()).collect())
    }

    #[test]
    fn quotes() {
        assert_eq!(split("a,\"b"), Err(OpenQuote));
        assert_eq!(split("\"a\"b,\"\",\"c,\"\"d\"").unwrap(), ["ab", "", "c,\"d"]);
        assert_eq!(split("").unwrap(), [""]);
        assert_eq!(split(",").unwrap(), ["", ""]);
        assert_eq!(split("\"a\"\"\",\"b\"").unwrap(), ["a\"", "b"]);
    }

    proptest! {
        #[test]
        fn what_is_written_as_csv_is_read_back(row in proptest::collection::vec("[^\\r\\n]{0,12}", 1..8)) {
            let line: Vec<String> = row.iter().map(|f| format!("\"{}\"", f.replace('"', "\"\""))).collect();
            prop_assert_eq!(split(&line.join(",")).unwrap(), row);
        }

        /// Field by field, as the rule is told.
        #[test]
        fn quotes_matter_at_the_beginning_of_a_field_only(line in "[a,\"]{0,24}") {
            let (mut rest, mut fields) = (Some(line.as_str()), Some(Vec::new()));
            while let Some(field) = rest {
                let (closed, text, behind) = match field.strip_prefix('"') {
                    Some(quoted) => {
                        let inner = quoted.replace("\"\"", "\0\0");
                        let close = inner.find('"');
                        let close_or_end = close.unwrap_or(inner.len());
                        let (text, tail) = (quoted[..close_or_end].replace("\"\"", "\""), quoted.get(close_or_end + 1..).unwrap_or_default());
                        let (more, behind) = tail.split_once(',').map_or((tail, None), |(more, behind)| (more, Some(behind)));
                        (close.is_some(), text + more, behind)
                    }
                    None => field.split_once(',').map_or((true, field.to_owned(), None), |(text, rest)| (true, text.to_owned(), Some(rest))),
                };
                fields = fields.filter(|_| closed);
                let Some(fields) = &mut fields else { break };
                fields.push(text);
                rest = behind;
            }
            prop_assert_eq!(split(&line).ok(), fields);
            prop_assert_eq!(Fields::default().split(line.as_bytes()).unwrap_or(false), !line.contains('"'));
        }

        #[test]
        fn without_quotes_both_ways_are_the_same(line in "[a,é]{0,40}") {
            let mut fields = Fields::default();
            fields.split_plain(line.as_bytes());
            let plain: Vec<_> = (0..fields.len()).map(|index| fields.text(&line, index).to_owned()).collect();
            prop_assert_eq!(&plain, &split(&line).unwrap());
            prop_assert_eq!(plain, line.split(',').collect::<Vec<_>>());
        }
    }
}
