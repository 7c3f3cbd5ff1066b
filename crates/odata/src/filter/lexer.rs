//! From text to tokens, each with its place.

use crate::error::Error;
use crate::limits::Limits;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Comma,
    Colon,
    Minus,
    /// `'text'`, unescaped.
    Text(String),
    /// `"text"`, as JSON writes it in a collection literal.
    Json(String),
    /// Names, paths, operators, numbers, dates, GUIDs: told apart by the parser.
    Word(String),
    /// What is no token, as the message that says so. It ends the tokens; the parser refuses it when
    /// it comes to it, so that of two mistakes the one in front is named.
    Wrong(String),
}

/// A token with its first byte and the one after its last.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Tokens of a filter, whose text stands at `base` of its option. Linear in its length.
pub(super) fn lex(text: &str, base: usize, limits: &Limits) -> Result<Vec<Placed>, Error> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let token = match bytes[at] {
            b' ' | b'\t' => {
                at += 1;
                continue;
            }
            b'(' => one(&mut at, Token::Open),
            b')' => one(&mut at, Token::Close),
            b'[' => one(&mut at, Token::OpenBracket),
            b']' => one(&mut at, Token::CloseBracket),
            b',' => one(&mut at, Token::Comma),
            b':' => one(&mut at, Token::Colon),
            b'\'' => Token::or_wrong(quoted(text, &mut at).map(Token::Text), base + start),
            b'"' => Token::or_wrong(json(text, &mut at).map(Token::Json), base + start),
            b'-' if !bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => one(&mut at, Token::Minus),
            _ => Token::or_wrong(word(text, &mut at).map(Token::Word), base + start),
        };
        let wrong = matches!(token, Token::Wrong(_));
        tokens.push(Placed { token, start: base + start, end: base + at });
        if tokens.len() > limits.filter_tokens {
            return Err(Error::bad(format!("The filter has more than {} tokens.", limits.filter_tokens)).position(base + start));
        }
        if wrong {
            break;
        }
    }
    Ok(tokens)
}

fn one(at: &mut usize, token: Token) -> Token {
    *at += 1;
    token
}

/// What is wrong with a token.
enum Wrong {
    Unclosed,
    NotJson,
    Strange(char),
}

impl Token {
    fn or_wrong(read: Result<Self, Wrong>, position: usize) -> Self {
        read.unwrap_or_else(|wrong| {
            Self::Wrong(match wrong {
                Wrong::Unclosed => format!("The text that starts at position {position} has no closing quote."),
                Wrong::NotJson => format!("The text that starts at position {position} is not a JSON string."),
                Wrong::Strange(strange) => format!("The character '{strange}' at position {position} cannot stand in a filter."),
            })
        })
    }
}

/// `'O''Brien'`
fn quoted(text: &str, at: &mut usize) -> Result<String, Wrong> {
    let start = *at;
    let mut out = String::new();
    let mut rest = &text[start + 1..];
    loop {
        let Some(end) = rest.find('\'') else { return Err(Wrong::Unclosed) };
        out.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                out.push('\'');
                rest = after;
            }
            None => break,
        }
    }
    *at = text.len() - rest.len();
    Ok(out)
}

/// `"a \"quoted\" word"`
fn json(text: &str, at: &mut usize) -> Result<String, Wrong> {
    let start = *at;
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => {
                *at = index + 1;
                return serde_json::from_str(&text[start..=index]).map_err(|_| Wrong::NotJson);
            }
            _ => {}
        }
    }
    Err(Wrong::Unclosed)
}

/// A run of characters that can stand in a name, path, number, date or GUID.
fn word(text: &str, at: &mut usize) -> Result<String, Wrong> {
    let start = *at;
    let bytes = text.as_bytes();
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b"_./$@+-#".contains(&b);
    let digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    // A time holds colons: 2026-08-01T10:00:00Z, 11:22:33. A lambda's colon follows a name.
    let dated = digit(start) && bytes[start..].iter().take(12).any(|b| matches!(b, b'T' | b't'));
    let timed = digit(start) && digit(start + 1) && bytes.get(start + 2) == Some(&b':') && digit(start + 3);
    while *at < bytes.len() && (is_word(bytes[*at]) || (dated || timed) && bytes[*at] == b':') {
        *at += 1;
    }
    if *at == start {
        return Err(Wrong::Strange(text[start..].chars().next().unwrap_or(' ')));
    }
    let found = text[start..*at].to_owned();
    // Microsoft's classic JavaScript client does not escape the + of an offset, which then arrives as a blank.
    let offset = dated && found.len() > 10 && bytes.get(*at) == Some(&b' ') && !found.ends_with(['Z', 'z']);
    if offset && digit(*at + 1) && digit(*at + 2) && bytes.get(*at + 3) == Some(&b':') && digit(*at + 4) && digit(*at + 5) {
        let zone = &text[*at + 1..*at + 6];
        *at += 6;
        return Ok(format!("{found}+{zone}"));
    }
    Ok(found)
}
