//! From text to tokens, each with its byte position.

use crate::error::Error;
use crate::limits::Limits;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    Comma,
    Colon,
    Minus,
    /// `'text'`, unescaped.
    Text(String),
    /// Names, paths, operators, numbers, dates, GUIDs: told apart by the parser.
    Word(String),
}

/// Tokens of a filter. Linear in its length.
pub(super) fn lex(text: &str, limits: &Limits) -> Result<Vec<(Token, usize)>, Error> {
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
            b',' => one(&mut at, Token::Comma),
            b':' => one(&mut at, Token::Colon),
            b'\'' => Token::Text(quoted(text, &mut at)?),
            b'-' if !bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => one(&mut at, Token::Minus),
            _ => Token::Word(word(text, &mut at)?),
        };
        tokens.push((token, start));
        if tokens.len() > limits.filter_tokens {
            return Err(Error::bad(format!("The filter has more than {} tokens.", limits.filter_tokens)).position(start));
        }
    }
    Ok(tokens)
}

fn one(at: &mut usize, token: Token) -> Token {
    *at += 1;
    token
}

/// `'O''Brien'`
fn quoted(text: &str, at: &mut usize) -> Result<String, Error> {
    let start = *at;
    let mut out = String::new();
    let mut rest = &text[start + 1..];
    loop {
        let Some(end) = rest.find('\'') else {
            return Err(Error::bad(format!("The text that starts at position {start} has no closing quote.")).position(start));
        };
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

/// A run of characters that can stand in a name, path, number, date or GUID.
fn word(text: &str, at: &mut usize) -> Result<String, Error> {
    let start = *at;
    let bytes = text.as_bytes();
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b"_./$@+-".contains(&b);
    // A time holds colons: 2026-08-01T10:00:00Z. A lambda's colon follows a name.
    let dated = bytes.get(start).is_some_and(u8::is_ascii_digit) && bytes[start..].iter().take(12).any(|b| matches!(b, b'T' | b't'));
    while *at < bytes.len() && (is_word(bytes[*at]) || dated && bytes[*at] == b':') {
        *at += 1;
    }
    if *at == start {
        let strange = text[start..].chars().next().unwrap_or(' ');
        return Err(Error::bad(format!("The character '{strange}' at position {start} cannot stand in a filter.")).position(start));
    }
    Ok(text[start..*at].to_owned())
}
