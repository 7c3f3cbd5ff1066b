//! `$search` (OData 4.01 part 2, §5.1.7): words and phrases with AND, OR and NOT.
//!
//! ```text
//! or   = and *( "OR" and )
//! and  = not *( [ "AND" ] not )
//! not  = "NOT" not / "(" or ")" / phrase / word
//! ```
//!
//! The operators are upper case. Where no operand follows or none goes before, they are words.

use crate::error::Error;
use crate::limits::Limits;
use serde_json::{Map, Value};

/// What to look for in the display name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search(Node);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    /// In lower case.
    Word(String),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
}

impl Search {
    /// Parses what to look for; it stands at `base` of the option.
    pub fn parse(text: &str, base: usize, limits: &Limits) -> Result<Self, Error> {
        let tokens = lex(text, base)?;
        if tokens.len() > limits.filter_tokens {
            return Err(Error::bad(format!("$search has more than {} words.", limits.filter_tokens)));
        }
        if tokens.is_empty() {
            return Err(Error::bad("$search needs a word to look for.").position(base));
        }
        let mut parser = Parser { tokens, at: 0, end: base + text.len(), depth: limits.filter_depth };
        let node = parser.or()?;
        match parser.tokens.get(parser.at) {
            None => Ok(Self(node)),
            Some((_, position)) => {
                Err(Error::bad(format!("The closing parenthesis at position {position} closes nothing.")).position(*position))
            }
        }
    }

    /// Whether the display name has what is looked for, without regard to case.
    pub fn matches(&self, document: &Map<String, Value>) -> bool {
        let name = document.get("displayName").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        self.0.matches(&name)
    }
}

impl Node {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Word(word) => name.contains(word),
            Self::And(nodes) => nodes.iter().all(|node| node.matches(name)),
            Self::Or(nodes) => nodes.iter().any(|node| node.matches(name)),
            Self::Not(node) => !node.matches(name),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    Word(String),
    Phrase(String),
}

fn lex(text: &str, base: usize) -> Result<Vec<(Token, usize)>, Error> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let start = base + text.len() - rest.len();
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let (token, after) = match first {
            '(' => (Token::Open, &rest[1..]),
            ')' => (Token::Close, &rest[1..]),
            '"' => {
                let unclosed = || Error::bad(format!("The quotation mark at position {start} is not closed.")).position(start);
                let end = rest[1..].find('"').ok_or_else(unclosed)? + 1;
                (Token::Phrase(rest[1..end].to_owned()), &rest[end + 1..])
            }
            // An apostrophe is part of a word unless it opens and closes one.
            '\'' if rest[1..].contains('\'') => {
                let end = rest[1..].find('\'').unwrap_or_default() + 1;
                (Token::Phrase(rest[1..end].to_owned()), &rest[end + 1..])
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "()\"".contains(c)).unwrap_or(rest.len());
                (Token::Word(rest[..end].to_owned()), &rest[end..])
            }
        };
        let joined = match token {
            Token::Word(_) => after.starts_with('"'),
            Token::Phrase(_) => after.starts_with(|c: char| !c.is_whitespace() && !"()".contains(c)),
            Token::Open | Token::Close => false,
        };
        if joined {
            let position = base + text.len() - after.len();
            return Err(Error::bad(format!("A blank is missing at position {position}, beside the quotation mark.")).position(position));
        }
        tokens.push((token, start));
        rest = after;
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn operator(&self, ahead: usize, name: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some((Token::Word(word), _)) if word == name)
    }

    /// Whether something that can be looked for starts there.
    fn operand(&self, ahead: usize) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|(token, _)| *token != Token::Close)
    }

    fn or(&mut self) -> Result<Node, Error> {
        let mut nodes = vec![self.and()?];
        while self.operator(0, "OR") && self.operand(1) {
            self.at += 1;
            nodes.push(self.and()?);
        }
        Ok(single(nodes, Node::Or))
    }

    fn and(&mut self) -> Result<Node, Error> {
        let mut nodes = vec![self.not()?];
        while self.operand(0) && !(self.operator(0, "OR") && self.operand(1)) {
            if self.operator(0, "AND") && self.operand(1) {
                self.at += 1;
            }
            nodes.push(self.not()?);
        }
        Ok(single(nodes, Node::And))
    }

    fn not(&mut self) -> Result<Node, Error> {
        let position = self.tokens.get(self.at).map_or(self.end, |(_, position)| *position);
        if self.depth == 0 {
            return Err(Error::bad(format!("$search is nested too deeply at position {position}.")).position(position));
        }
        if self.operator(0, "NOT") && self.operand(1) {
            self.at += 1;
            self.depth -= 1;
            let inner = self.not()?;
            self.depth += 1;
            return Ok(Node::Not(Box::new(inner)));
        }
        let token = self.tokens.get(self.at).map(|(token, _)| token.clone());
        self.at += 1;
        match token {
            Some(Token::Open) => {
                self.depth -= 1;
                let inner = self.or()?;
                self.depth += 1;
                if !matches!(self.tokens.get(self.at), Some((Token::Close, _))) {
                    return Err(Error::bad(format!("The parenthesis at position {position} is not closed.")).position(position));
                }
                self.at += 1;
                Ok(inner)
            }
            // Graph's directory wants "displayName:word" in quotes; it is the only property that is searched.
            Some(Token::Word(word) | Token::Phrase(word)) => {
                Ok(Node::Word(word.strip_prefix("displayName:").unwrap_or(&word).to_lowercase()))
            }
            Some(Token::Close) | None => {
                Err(Error::bad(format!("$search needs a word to look for at position {position}.")).position(position))
            }
        }
    }
}

fn single(mut nodes: Vec<Node>, many: fn(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        Some(last) => {
            nodes.push(last);
            many(nodes)
        }
        None => many(nodes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(search: &str, name: &str) -> bool {
        let document = serde_json::json!({ "displayName": name });
        Search::parse(search, 0, &Limits::DEFAULT).unwrap().matches(document.as_object().unwrap())
    }

    #[test]
    fn operators_phrases_and_parentheses() {
        let name = "Staff - North School";
        for search in [
            "staff",
            "\"north school\" staff",
            "south OR staff",
            "staff AND north",
            "NOT south",
            "staff NOT south",
            "(south OR north) AND (staff OR student)",
            "\"displayName:north\"",
            "south AND west OR staff",
            "'th sch'",
        ] {
            assert!(holds(search, name), "{search}");
        }
        for search in ["south", "\"school north\"", "NOT staff", "staff AND south", "south AND (west OR staff)", "NOT (south OR staff)"] {
            assert!(!holds(search, name), "{search}");
        }
    }

    #[test]
    fn operators_without_operands_are_words() {
        assert!(holds("AND", "Salt and Pepper"));
        assert!(holds("AND OR NOT", "not at all"));
        assert!(holds("NOT", "not at all"));
        assert!(holds("Daniel's", "Daniel's class"));
    }

    #[test]
    fn what_is_not_closed_is_refused_with_its_place() {
        for (search, position) in [("\"blue", 0), ("a (b", 2), ("a) b", 1), ("a\"b\"", 1), ("\"a\"b", 3), ("'a'\"b\"", 3), ("()", 1)] {
            assert_eq!(Search::parse(search, 0, &Limits::DEFAULT).unwrap_err().position, Some(position), "{search}");
        }
        assert!(Search::parse(" ", 0, &Limits::DEFAULT).is_err());
        assert!(Search::parse(&"(".repeat(1_000), 0, &Limits::DEFAULT).unwrap_err().message.contains("deep"));
        assert!(Search::parse(&"NOT ".repeat(1_000), 0, &Limits::DEFAULT).is_err());
    }
}
