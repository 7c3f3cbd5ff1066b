//! Texts of others as people are shown them, in reports and on the terminal.
//!
//! A value comes from a file that anybody may have written. With the characters of [`misleads`] in it a line could show
//! something else than it says: text in another order ("Trojan Source", CVE-2021-42574), another line, or whatever a
//! terminal does on an escape sequence. People see their numbers instead; programs that read JSON get the value as it is.

use std::borrow::Cow;

/// Whether a character moves the cursor of a terminal, ends a line or turns the direction of writing: controls (C0, DEL
/// and C1), line and paragraph separators, and the marks, embeddings, overrides and isolates of the bidirectional
/// algorithm (UAX #9).
pub fn misleads(c: char) -> bool {
    c.is_control() || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text on one line, with such characters written as in Rust: `\u{202e}`.
pub fn legible(text: &str) -> Cow<'_, str> {
    escaped(text, |c, out| out.extend(c.escape_unicode()))
}

/// JSON as it was serialized, compact or pretty, with such characters of its texts written as JSON has them: `\u202e`. It
/// parses to the same value.
pub fn legible_json(json: &str) -> Cow<'_, str> {
    // Serializers write the controls below U+0020 so; those that stand here are between values.
    escaped(json, |c, out| match c {
        '\n' => out.push(c),
        _ => out.push_str(&format!("\\u{:04x}", u32::from(c))),
    })
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(misleads) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if misleads(c) { escape(c, &mut out) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_misleads_is_shown_by_its_number() {
        assert_eq!(legible("Zoë Müller, 数学 שלום 👩‍🏫"), "Zoë Müller, 数学 שלום 👩‍🏫");
        assert_eq!(legible("a\u{202e}b\u{2069}\u{9b}2J\r\n"), "a\\u{202e}b\\u{2069}\\u{9b}2J\\u{d}\\u{a}");
    }

    #[test]
    fn json_keeps_its_values_and_its_lines() {
        let value = json!({ "a\u{85}": ["\u{202e}x\n\u{7f}", 1], "b": {} });
        for text in [format!("{value}"), format!("{value:#}")] {
            let shown = legible_json(&text);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
            assert_eq!(shown.lines().count(), text.split('\n').count(), "{shown}");
            assert!(shown.contains("\\u202ex\\n\\u007f") && shown.contains("a\\u0085"), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_misleads(text: String) {
            prop_assert!(!legible(&text).contains(misleads));
            let json = serde_json::Value::from(text).to_string();
            let shown = legible_json(&json);
            prop_assert!(!shown.contains(misleads));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), serde_json::from_str::<String>(&json).unwrap());
        }
    }
}
