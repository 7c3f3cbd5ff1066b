//! From tokens to an expression that is known to fit the model.

use super::ast::{Arithmetic, Comparison, Expr, Function, Kind, Literal, PropertyPath};
use super::lexer::{Token, lex};
use crate::edm::{EnumType, Model, StructuredType, TypeRef};
use crate::error::{Error, nearest};
use crate::limits::Limits;
use crate::time;

/// Parses a filter for entities of a type.
pub fn parse(text: &str, ty: &'static StructuredType, model: &Model, limits: &Limits) -> Result<Expr, Error> {
    let tokens = lex(text, limits)?;
    let mut parser = Parser { tokens, at: 0, end: text.len(), model, ty, limits, depth: 0, variables: Vec::new() };
    let (expr, kind) = parser.or()?;
    if let Some((_, position)) = parser.tokens.get(parser.at) {
        return Err(Error::bad(format!("The filter should end at position {position}.")).position(*position));
    }
    if kind != Kind::Bool {
        return Err(Error::bad("A filter must be a condition, such as displayName eq 'North'.").position(0));
    }
    Ok(expr)
}

/// Resolves a property path such as `creationOptions/createBasedOnRoleGroup`.
pub fn resolve(text: &str, ty: &'static StructuredType, model: &Model, limits: &Limits) -> Result<PropertyPath, Error> {
    let parser = Parser { tokens: Vec::new(), at: 0, end: 0, model, ty, limits, depth: 0, variables: Vec::new() };
    parser.path(text, 0)
}

type Typed = (Expr, Kind);

/// What a lambda variable stands for.
#[derive(Clone, Copy)]
enum Element {
    Value(TypeRef),
    Object(&'static StructuredType),
}

struct Parser<'m> {
    tokens: Vec<(Token, usize)>,
    at: usize,
    end: usize,
    model: &'m Model,
    ty: &'static StructuredType,
    limits: &'m Limits,
    depth: usize,
    variables: Vec<(String, Element)>,
}

impl Parser<'_> {
    fn position(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(_, position)| *position)
    }

    fn peek_word(&self) -> Option<&str> {
        match self.tokens.get(self.at) {
            Some((Token::Word(word), _)) => Some(word),
            _ => None,
        }
    }

    fn take_word(&mut self, words: &[&str]) -> Option<usize> {
        let found = self.peek_word().and_then(|word| words.iter().position(|w| w.eq_ignore_ascii_case(word)))?;
        self.at += 1;
        Some(found)
    }

    fn take(&mut self, token: &Token) -> bool {
        let matched = self.tokens.get(self.at).is_some_and(|(t, _)| t == token);
        self.at += usize::from(matched);
        matched
    }

    fn expect(&mut self, token: &Token, what: &str) -> Result<(), Error> {
        if self.take(token) { Ok(()) } else { Err(self.error(format!("{what} is missing"))) }
    }

    fn error(&self, what: String) -> Error {
        let position = self.position();
        Error::bad(format!("{what} at position {position}.")).position(position)
    }

    fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth >= self.limits.filter_depth {
            return Err(self.error(format!("The filter is nested deeper than {} levels", self.limits.filter_depth)));
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    fn condition((expr, kind): Typed, position: usize) -> Result<Box<Expr>, Error> {
        if kind == Kind::Bool || kind == Kind::Any {
            return Ok(Box::new(expr));
        }
        Err(Error::bad(format!("A condition is needed at position {position}.")).position(position))
    }

    fn or(&mut self) -> Result<Typed, Error> {
        let start = self.position();
        let mut left = self.and()?;
        while self.take_word(&["or"]).is_some() {
            let middle = self.position();
            let right = self.and()?;
            left = (Expr::Or(Self::condition(left, start)?, Self::condition(right, middle)?), Kind::Bool);
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Typed, Error> {
        let start = self.position();
        let mut left = self.not()?;
        while self.take_word(&["and"]).is_some() {
            let middle = self.position();
            let right = self.not()?;
            left = (Expr::And(Self::condition(left, start)?, Self::condition(right, middle)?), Kind::Bool);
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Typed, Error> {
        if self.take_word(&["not"]).is_none() {
            return self.compare();
        }
        self.deeper(|p| {
            let position = p.position();
            let inner = p.not()?;
            Ok((Expr::Not(Self::condition(inner, position)?), Kind::Bool))
        })
    }

    fn compare(&mut self) -> Result<Typed, Error> {
        const WORDS: [(&str, Comparison); 6] = [
            ("eq", Comparison::Eq),
            ("ne", Comparison::Ne),
            ("gt", Comparison::Gt),
            ("ge", Comparison::Ge),
            ("lt", Comparison::Lt),
            ("le", Comparison::Le),
        ];
        let left = self.sum()?;
        if self.take_word(&["has"]).is_some() {
            return Err(self.error("'has' needs an enumeration of flags, and this model has none".to_owned()));
        }
        if self.take_word(&["in"]).is_some() {
            return self.among(left);
        }
        let Some(found) = self.take_word(&WORDS.map(|(word, _)| word)) else { return Ok(left) };
        let position = self.position();
        let right = self.sum()?;
        let (left, right) = self.fit(left, right, position)?;
        Ok((Expr::Compare { op: WORDS[found].1, left: Box::new(left), right: Box::new(right) }, Kind::Bool))
    }

    fn among(&mut self, left: Typed) -> Result<Typed, Error> {
        self.expect(&Token::Open, "A list in parentheses")?;
        let mut items = Vec::new();
        loop {
            let position = self.position();
            let item = self.unary()?;
            items.push(self.fit(left.clone(), item, position)?.1);
            if !self.take(&Token::Comma) {
                break;
            }
        }
        self.expect(&Token::Close, "A closing parenthesis")?;
        Ok((Expr::In(Box::new(left.0), items), Kind::Bool))
    }

    /// Makes the two sides of a comparison comparable, or says why they are not.
    fn fit(&self, left: Typed, right: Typed, position: usize) -> Result<(Expr, Expr), Error> {
        let (left, right) = (self.adapt(left.clone(), &right, position)?, self.adapt(right, &left, position)?);
        let comparable = left.1 == right.1
            || [left.1, right.1].contains(&Kind::Any)
            || matches!((left.1, right.1), (Kind::Date, Kind::Time) | (Kind::Time, Kind::Date));
        if !comparable || left.1 == Kind::Other {
            let hint = match (left.1, right.1) {
                (Kind::Time | Kind::Date, Kind::Text) => " Times stand without quotes: 2026-08-01T00:00:00Z.",
                (Kind::Number | Kind::Bool, Kind::Text) => " Numbers, true and false stand without quotes.",
                (Kind::Text, _) => " Text stands in single quotes.",
                (Kind::Other, _) => " A collection takes any(…) or all(…).",
                _ => "",
            };
            return Err(Error::bad(format!("The two sides of the comparison at position {position} are of different kinds.{hint}"))
                .position(position));
        }
        Ok((left.0, right.0))
    }

    /// A text opposite an enumeration must be one of its words.
    fn adapt(&self, side: Typed, other: &Typed, position: usize) -> Result<Typed, Error> {
        let (Expr::Literal(Literal::String(text)), Expr::Path(path)) = (&side.0, &other.0) else { return Ok(side) };
        let Some(TypeRef::Enum(name)) = path.ty else { return Ok(side) };
        let Some(ty) = self.model.find_enum(name) else { return Ok(side) };
        let word = enum_word(ty, text).ok_or_else(|| {
            let members: Vec<&str> = ty.members.iter().map(|(word, _)| *word).collect();
            Error::bad(format!("'{text}' is not a {}; it can be {}.", ty.name, members.join(", "))).position(position)
        })?;
        Ok((Expr::Literal(Literal::String(word.to_owned())), Kind::Text))
    }

    fn sum(&mut self) -> Result<Typed, Error> {
        let mut left = self.product()?;
        while let Some(found) = self.take_word(&["add", "sub"]) {
            let right = self.product()?;
            left = self.calculate(if found == 0 { Arithmetic::Add } else { Arithmetic::Sub }, left, right)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Typed, Error> {
        let mut left = self.unary()?;
        while let Some(found) = self.take_word(&["mul", "div", "mod"]) {
            let right = self.unary()?;
            left = self.calculate([Arithmetic::Mul, Arithmetic::Div, Arithmetic::Mod][found], left, right)?;
        }
        Ok(left)
    }

    fn calculate(&self, op: Arithmetic, left: Typed, right: Typed) -> Result<Typed, Error> {
        let number = |kind| matches!(kind, Kind::Number | Kind::Any);
        if !number(left.1) || !number(right.1) {
            return Err(self.error("Only numbers can be calculated with; the fault is before the text".to_owned()));
        }
        Ok((Expr::Arithmetic { op, left: Box::new(left.0), right: Box::new(right.0) }, Kind::Number))
    }

    fn unary(&mut self) -> Result<Typed, Error> {
        if self.take(&Token::Minus) {
            return self.deeper(|p| {
                let (inner, kind) = p.unary()?;
                if kind != Kind::Number {
                    return Err(p.error("A number is needed after the minus sign; the fault is before the text".to_owned()));
                }
                Ok((Expr::Negate(Box::new(inner)), Kind::Number))
            });
        }
        if self.take(&Token::Open) {
            return self.deeper(|p| {
                let inner = p.or()?;
                p.expect(&Token::Close, "A closing parenthesis")?;
                Ok(inner)
            });
        }
        let position = self.position();
        match self.tokens.get(self.at).map(|(token, _)| token.clone()) {
            Some(Token::Text(text)) => {
                self.at += 1;
                Ok((Expr::Literal(Literal::String(text)), Kind::Text))
            }
            Some(Token::Word(word)) => {
                self.at += 1;
                self.word(&word, position)
            }
            _ => Err(self.error("A value is missing".to_owned())),
        }
    }

    fn word(&mut self, word: &str, position: usize) -> Result<Typed, Error> {
        if let Some(literal) = literal(word) {
            return Ok(literal);
        }
        // microsoft.graph.industryData.readinessStatus'ready'
        if let Some(ty) = self.model.find_enum(word)
            && let Some((Token::Text(text), _)) = self.tokens.get(self.at).cloned()
        {
            self.at += 1;
            let found = enum_word(ty, &text).ok_or_else(|| Error::bad(format!("'{text}' is not a {}.", ty.name)).position(position))?;
            return Ok((Expr::Literal(Literal::String(found.to_owned())), Kind::Text));
        }
        if self.tokens.get(self.at).is_some_and(|(token, _)| *token == Token::Open) {
            return self.call_or_lambda(word, position);
        }
        if let Some(path) = word.strip_suffix("/$count") {
            let path = self.path(path, position)?;
            if !path.collection {
                return Err(Error::bad(format!("$count follows a collection, which '{word}' is not.")).position(position));
            }
            return Ok((Expr::Count(path), Kind::Number));
        }
        let path = self.path(word, position)?;
        let kind = path.kind();
        Ok((Expr::Path(path), kind))
    }

    fn call_or_lambda(&mut self, word: &str, position: usize) -> Result<Typed, Error> {
        let lower = word.to_ascii_lowercase();
        for (suffix, all) in [("/any", false), ("/all", true)] {
            if lower.ends_with(suffix) {
                return self.lambda(&word[..word.len() - suffix.len()], all, position);
            }
        }
        self.expect(&Token::Open, "An opening parenthesis")?;
        if lower == "now" {
            // The caller's clock is not known here: the time of parsing is the time of the request.
            return Err(Error::bad("now() is not supported; write the time itself, for example 2026-08-01T00:00:00Z.").position(position));
        }
        let Some((_, function, fewest, most, takes, gives)) = Function::TABLE.iter().find(|row| row.0 == lower) else {
            let hint =
                nearest(word, Function::TABLE.iter().map(|row| row.0)).map_or_else(String::new, |near| format!(" Did you mean '{near}'?"));
            return Err(Error::bad(format!("'{word}' is not a function that is supported.{hint}")).position(position));
        };
        let arguments = self.deeper(|p| p.arguments(*takes))?;
        if arguments.len() < *fewest || arguments.len() > *most {
            return Err(Error::bad(format!(
                "{lower} takes {fewest} arguments{}, not {}.",
                if most > fewest { " or more" } else { "" },
                arguments.len()
            ))
            .position(position));
        }
        Ok((Expr::Call(*function, arguments), *gives))
    }

    fn arguments(&mut self, takes: Kind) -> Result<Vec<Expr>, Error> {
        let mut found = Vec::new();
        if self.take(&Token::Close) {
            return Ok(found);
        }
        loop {
            let position = self.position();
            let (expr, kind) = self.or()?;
            let fits = takes == Kind::Any || kind == Kind::Any || kind == takes || takes == Kind::Time && kind == Kind::Date;
            if !fits {
                return Err(Error::bad(format!("The argument at position {position} is of the wrong kind.")).position(position));
            }
            found.push(expr);
            if !self.take(&Token::Comma) {
                break;
            }
        }
        self.expect(&Token::Close, "A closing parenthesis")?;
        Ok(found)
    }

    fn lambda(&mut self, path: &str, all: bool, position: usize) -> Result<Typed, Error> {
        let path = self.path(path, position)?;
        let element = match path.ty {
            Some(TypeRef::Complex(name)) if path.collection => self.model.find_type(name).map(Element::Object),
            Some(ty) if path.collection => Some(Element::Value(ty)),
            _ => None,
        };
        let Some(element) = element else {
            return Err(Error::bad(format!("any and all need a collection at position {position}.")).position(position));
        };
        self.expect(&Token::Open, "An opening parenthesis")?;
        if self.take(&Token::Close) {
            if all {
                return Err(Error::bad("all needs a condition: all(x:…).").position(position));
            }
            return Ok((Expr::Lambda { path, all, variable: String::new(), body: None }, Kind::Bool));
        }
        let Some(variable) = self.peek_word().map(str::to_owned) else { return Err(self.error("A variable is missing".to_owned())) };
        self.at += 1;
        self.expect(&Token::Colon, "A colon after the variable")?;
        self.variables.push((variable.clone(), element));
        let body = self.deeper(|p| {
            let position = p.position();
            let inner = p.or()?;
            Self::condition(inner, position)
        });
        self.variables.pop();
        let body = body?;
        self.expect(&Token::Close, "A closing parenthesis")?;
        Ok((Expr::Lambda { path, all, variable, body: Some(body) }, Kind::Bool))
    }

    /// A property path against the entity's type or a lambda variable.
    fn path(&self, text: &str, position: usize) -> Result<PropertyPath, Error> {
        let mut found = PropertyPath { variable: None, cast: None, names: Vec::new(), ty: None, collection: false };
        let mut ty = Some(self.ty);
        let mut parts = text.split('/').peekable();
        if let Some((name, element)) = parts.peek().and_then(|first| self.variables.iter().rev().find(|(name, _)| name == first)) {
            parts.next();
            found.variable = Some(name.clone());
            match element {
                Element::Object(object) => ty = Some(object),
                Element::Value(value) => {
                    found.ty = Some(*value);
                    ty = None;
                }
            }
        }
        for part in parts {
            let Some(here) = ty else {
                return Err(
                    Error::bad(format!("Nothing follows '{text}' after position {position}: it is a single value.")).position(position)
                );
            };
            if part.contains('.') {
                let cast = self.model.find_type(part).filter(|cast| self.model.is_subtype(cast, here));
                let cast = cast
                    .ok_or_else(|| Error::bad(format!("'{part}' is not a type derived from {}.", here.qualified())).position(position))?;
                if found.names.is_empty() {
                    found.cast = Some(cast);
                }
                ty = Some(cast);
                continue;
            }
            let property = self.model.property(here, part).ok_or_else(|| {
                let derived = self.model.concrete(here).into_iter().find(|sub| self.model.property(sub, part).is_some());
                let known = self.model.properties(here);
                let hint = match derived {
                    Some(sub) => format!(" It is a property of {0}: write {0}/{part}.", sub.qualified()),
                    None => nearest(part, known.iter().map(|p| p.name)).map_or_else(String::new, |near| format!(" Did you mean '{near}'?")),
                };
                Error::bad(format!("'{part}' is not a property of {}.{hint}", here.qualified())).position(position)
            })?;
            if found.collection {
                return Err(Error::bad(format!("'{text}' goes through a collection; use any(…) or all(…).")).position(position));
            }
            if property.write_only {
                return Err(Error::bad(format!("'{part}' is never answered, so it cannot be asked for.")).position(position));
            }
            found.names.push(property.name);
            found.ty = Some(property.ty);
            found.collection = property.collection;
            ty = match property.ty {
                TypeRef::Complex(name) => self.model.find_type(name),
                _ => None,
            };
        }
        Ok(found)
    }
}

fn enum_word(ty: &EnumType, text: &str) -> Option<&'static str> {
    ty.members.iter().map(|(word, _)| *word).find(|word| word.eq_ignore_ascii_case(text))
}

/// A word that is a constant.
fn literal(word: &str) -> Option<Typed> {
    let found = match word {
        "null" => (Literal::Null, Kind::Any),
        "true" => (Literal::Bool(true), Kind::Bool),
        "false" => (Literal::Bool(false), Kind::Bool),
        _ => {
            let first = word.as_bytes().first()?;
            if is_guid(word) {
                (Literal::String(word.to_ascii_lowercase()), Kind::Text)
            } else if !first.is_ascii_digit() && !matches!(first, b'-' | b'+') {
                return None;
            } else if let Some(date) = time::date(word) {
                (Literal::Date(date), Kind::Date)
            } else if let Ok(number) = word.parse::<f64>() {
                (Literal::Number(number), Kind::Number)
            } else {
                let canonical = time::canonical_date_time(word)?;
                (Literal::Time(canonical.parse().ok()?), Kind::Time)
            }
        }
    };
    Some((Expr::Literal(found.0), found.1))
}

fn is_guid(word: &str) -> bool {
    word.len() == 36 && word.bytes().enumerate().all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() })
}
