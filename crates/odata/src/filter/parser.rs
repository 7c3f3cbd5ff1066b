//! From tokens to an expression that is known to fit the model.

use super::ast::{Arithmetic, Comparison, EnumRef, Expr, Kind, Literal, PropertyPath, Simple, Start, TypeName};
use super::functions::Function;
use super::lexer::{Placed, Token, lex};
use super::path::{Variable, in_expression};
use crate::edm::{EnumType, Model, Primitive, StructuredType};
use crate::error::{Error, nearest};
use crate::limits::Limits;
use crate::time;

/// Parameter aliases of a request: `@name` and the text that stands for it.
pub type Aliases<'a> = &'a [(String, String)];

/// Parses a filter for entities of a type.
pub fn parse(text: &str, ty: &'static StructuredType, model: &Model, limits: &Limits) -> Result<Expr, Error> {
    parse_with(text, 0, ty, model, limits, &[])
}

/// Parses a filter in which parameter aliases may stand; it stands at `base` of the option.
pub fn parse_with(
    text: &str,
    base: usize,
    ty: &'static StructuredType,
    model: &Model,
    limits: &Limits,
    aliases: Aliases<'_>,
) -> Result<Expr, Error> {
    let (expr, kind) = whole(text, base, ty, model, limits, aliases)?;
    match kind {
        Kind::Simple(Simple::Bool) | Kind::Null => Ok(expr),
        _ => {
            Err(Error::bad(format!("A filter must be a condition, such as displayName eq 'North'; this is {}.", kind.words()))
                .position(base))
        }
    }
}

/// Parses an expression that gives one value, as `$orderby` takes it; it stands at `base` of the option.
pub fn parse_value(
    text: &str,
    base: usize,
    ty: &'static StructuredType,
    model: &Model,
    limits: &Limits,
    aliases: Aliases<'_>,
) -> Result<Expr, Error> {
    let (expr, kind) = whole(text, base, ty, model, limits, aliases)?;
    match kind {
        Kind::Object(_) | Kind::List => {
            Err(Error::bad(format!("'{text}' is {}, not a single value that can be ordered by.", kind.words())).position(base))
        }
        _ => Ok(expr),
    }
}

fn whole(
    text: &str,
    base: usize,
    ty: &'static StructuredType,
    model: &Model,
    limits: &Limits,
    aliases: Aliases<'_>,
) -> Result<Typed, Error> {
    let tokens = lex(text, base, limits)?;
    let mut parser =
        Parser { tokens, at: 0, end: base + text.len(), model, ty, limits, depth: 0, variables: Vec::new(), aliases, expanded: 0 };
    let found = parser.or()?;
    if parser.token().is_some() { Err(parser.should_end("The expression")) } else { Ok(found) }
}

type Typed = (Expr, Kind);

struct Parser<'m> {
    tokens: Vec<Placed>,
    at: usize,
    end: usize,
    model: &'m Model,
    ty: &'static StructuredType,
    limits: &'m Limits,
    depth: usize,
    variables: Vec<Variable>,
    aliases: Aliases<'m>,
    /// Tokens that aliases have brought in; an alias of aliases could otherwise double at every step.
    expanded: usize,
}

impl Parser<'_> {
    fn token(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    fn position(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |placed| placed.start)
    }

    fn peek_word(&self) -> Option<&str> {
        match self.token() {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn take_word(&mut self, words: &[&str]) -> Option<usize> {
        let found = self.peek_word().and_then(|word| words.iter().position(|w| w.eq_ignore_ascii_case(word)))?;
        self.at += 1;
        Some(found)
    }

    fn take(&mut self, token: &Token) -> bool {
        let matched = self.token() == Some(token);
        self.at += usize::from(matched);
        matched
    }

    fn expect(&mut self, token: &Token, what: &str) -> Result<(), Error> {
        if self.take(token) { Ok(()) } else { Err(self.error(&format!("{what} is missing"))) }
    }

    /// What is wrong with the token that comes next; one that is no token says so itself.
    fn error(&self, what: &str) -> Error {
        let position = self.position();
        match self.token() {
            Some(Token::Wrong(message)) => Error::bad(message.clone()),
            _ => Error::bad(format!("{what} at position {position}.")),
        }
        .position(position)
    }

    /// Something follows where nothing should; most often the rest of a text with a quote in it.
    fn should_end(&self, what: &str) -> Error {
        let error = self.error(&format!("{what} should end"));
        let before = self.at.checked_sub(1).and_then(|before| self.tokens.get(before));
        match before {
            Some(Placed { token: Token::Text(_), end, .. }) if error.position == Some(*end) => {
                Error { message: format!("{} A quote inside a text is written twice: 'O''Neil'.", error.message), ..error }
            }
            _ => error,
        }
    }

    fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth >= self.limits.filter_depth {
            return Err(self.error(&format!("The filter is nested deeper than {} levels", self.limits.filter_depth)));
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    fn condition((expr, kind): Typed, position: usize) -> Result<Box<Expr>, Error> {
        if kind == Kind::BOOL || kind == Kind::Null {
            return Ok(Box::new(expr));
        }
        Err(Error::bad(format!("A condition is needed at position {position}; this is {}.", kind.words())).position(position))
    }

    fn or(&mut self) -> Result<Typed, Error> {
        let start = self.position();
        let mut left = self.and()?;
        while self.take_word(&["or"]).is_some() {
            let middle = self.position();
            let right = self.and()?;
            left = (Expr::Or(Self::condition(left, start)?, Self::condition(right, middle)?), Kind::BOOL);
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Typed, Error> {
        let start = self.position();
        let mut left = self.not()?;
        while self.take_word(&["and"]).is_some() {
            let middle = self.position();
            let right = self.not()?;
            left = (Expr::And(Self::condition(left, start)?, Self::condition(right, middle)?), Kind::BOOL);
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
            Ok((Expr::Not(Self::condition(inner, position)?), Kind::BOOL))
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
        let start = self.position();
        let left = self.sum()?;
        if self.take_word(&["has"]).is_some() {
            return self.has(left, start);
        }
        if self.take_word(&["in"]).is_some() {
            return self.among(left, start);
        }
        let Some(found) = self.take_word(&WORDS.map(|(word, _)| word)) else { return Ok(left) };
        let op = WORDS[found].1;
        let position = self.position();
        let right = self.sum()?;
        let (left, right) = Self::fit(left, right, start, position, matches!(op, Comparison::Eq | Comparison::Ne))?;
        Ok((Expr::Compare { op, left: Box::new(left), right: Box::new(right) }, Kind::BOOL))
    }

    /// `mood has t.mood'happy'`
    fn has(&mut self, left: Typed, start: usize) -> Result<Typed, Error> {
        let Kind::Enum(ty) = left.1 else {
            let message = format!("'has' needs an enumeration in front, at position {start}; this is {}.", left.1.words());
            return Err(Error::bad(message).position(start));
        };
        let position = self.position();
        // Several words, 'a,b', are only meant where flags are: here each is looked for.
        let qualified = self.peek_word().and_then(|word| self.model.find_enum(word));
        if let Some(named) = qualified {
            if EnumRef(named) != ty {
                return Err(
                    Error::bad(format!("The two sides of 'has' at position {position} are of different enumerations.")).position(position)
                );
            }
            self.at += 1;
        }
        let Some(Token::Text(text)) = self.token().cloned() else {
            return Err(self.error("'has' needs a word of the enumeration in single quotes"));
        };
        self.at += 1;
        let words =
            text.split(',').map(|word| enum_word(ty.0, word.trim()).map(|(word, _)| word).ok_or_else(|| no_word(ty.0, word, position)));
        Ok((Expr::Has(Box::new(left.0), words.collect::<Result<_, _>>()?), Kind::BOOL))
    }

    /// `in ('a','b')` or `in ["a","b"]`
    fn among(&mut self, left: Typed, start: usize) -> Result<Typed, Error> {
        let close = match self.token() {
            Some(Token::Open) => Token::Close,
            Some(Token::OpenBracket) => Token::CloseBracket,
            _ => return Err(self.error("A list in parentheses is missing")),
        };
        self.at += 1;
        // What is fitted to each item: of anything but a literal the kind says all, and a copy for each
        // item of a long list would cost the product of both lengths.
        let probe = match &left.0 {
            Expr::Literal(literal) => Expr::Literal(literal.clone()),
            _ => Expr::Literal(Literal::Null),
        };
        let mut items = Vec::new();
        if !self.take(&close) {
            loop {
                let position = self.position();
                let item = self.deeper(Self::unary)?;
                items.push(Self::fit((probe.clone(), left.1), item, start, position, true)?.1);
                if !self.take(&Token::Comma) {
                    break;
                }
            }
            self.expect(&close, "The end of the list")?;
        }
        if items.is_empty() && matches!(left.1, Kind::List | Kind::Object(_)) {
            return Err(Error::bad(format!("A single value is needed at position {start}; this is {}.", left.1.words())).position(start));
        }
        Ok((Expr::In(Box::new(left.0), items), Kind::BOOL))
    }

    /// Makes the two sides of a comparison comparable, or says why they are not.
    fn fit(left: Typed, right: Typed, start: usize, position: usize, equality: bool) -> Result<(Expr, Expr), Error> {
        let left_kind = left.1;
        let left = Self::adapt(left, right.1, start)?;
        let right = Self::adapt(right, left_kind, position)?;
        if comparable(left.1, right.1, equality) {
            return Ok((left.0, right.0));
        }
        let hint = match (left.1, right.1) {
            (Kind::List, _) | (_, Kind::List) => " A collection takes any(…), all(…) or /$count.",
            (Kind::Object(_), _) | (_, Kind::Object(_)) => " A structured value can only be compared with null, by eq and ne.",
            (Kind::Simple(Simple::Time | Simple::Date), Kind::Simple(Simple::Text)) => " Times stand without quotes: 2026-08-01T00:00:00Z.",
            (Kind::Simple(Simple::Int | Simple::Float | Simple::Bool), Kind::Simple(Simple::Text)) => {
                " Numbers, true and false stand without quotes."
            }
            (Kind::Simple(Simple::Text) | Kind::Enum(_), _) => " Text stands in single quotes.",
            _ => "",
        };
        let message = format!(
            "The two sides of the comparison at position {position} are of different kinds: {} and {}.",
            left.1.words(),
            right.1.words()
        );
        Err(Error::bad(message + hint).position(position))
    }

    /// A literal text opposite an enumeration or a GUID must be one of its words, or a GUID; opposite
    /// a duration it may be one.
    fn adapt(side: Typed, other: Kind, position: usize) -> Result<Typed, Error> {
        let Expr::Literal(Literal::String(text)) = &side.0 else { return Ok(side) };
        match other {
            Kind::Enum(ty) => match enum_word(ty.0, text) {
                Some((word, number)) => Ok((Expr::Literal(Literal::Enum(word, number)), Kind::Enum(ty))),
                None => Err(no_word(ty.0, text, position)),
            },
            Kind::Simple(Simple::Guid) if is_guid(text) => {
                Ok((Expr::Literal(Literal::String(text.to_ascii_lowercase())), Kind::Simple(Simple::Guid)))
            }
            // OData 4.01 lets the prefix of durations go where the type is known.
            Kind::Simple(Simple::Duration) => match time::duration(text) {
                Some(duration) => Ok((Expr::Literal(Literal::Duration(duration)), other)),
                None => Ok(side),
            },
            Kind::Simple(Simple::Guid) => Err(Error::bad(format!("'{text}' at position {position} is not a GUID.")).position(position)),
            _ => Ok(side),
        }
    }

    fn sum(&mut self) -> Result<Typed, Error> {
        let start = self.position();
        let mut left = self.product()?;
        while let Some(found) = self.take_word(&["add", "sub"]) {
            let right = self.product()?;
            left = Self::calculate(if found == 0 { Arithmetic::Add } else { Arithmetic::Sub }, left, right, start)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Typed, Error> {
        let start = self.position();
        let mut left = self.unary()?;
        while let Some(found) = self.take_word(&["mul", "div", "divby", "mod"]) {
            let right = self.unary()?;
            let op = [Arithmetic::Mul, Arithmetic::Div, Arithmetic::DivBy, Arithmetic::Mod][found];
            left = Self::calculate(op, left, right, start)?;
        }
        Ok(left)
    }

    fn calculate(op: Arithmetic, left: Typed, right: Typed, position: usize) -> Result<Typed, Error> {
        use Arithmetic as A;
        use Simple as S;
        let kind = match (op, left.1, right.1) {
            (_, Kind::Null, other) | (_, other, Kind::Null) if other == Kind::Null || other.is_number() => other,
            (A::DivBy, a, b) if a.is_number() && b.is_number() => Kind::FLOAT,
            (_, Kind::Simple(S::Int), Kind::Simple(S::Int)) => Kind::INT,
            (_, a, b) if a.is_number() && b.is_number() => Kind::FLOAT,
            (A::Add | A::Sub, Kind::Simple(S::Duration), Kind::Simple(S::Duration)) => Kind::Simple(S::Duration),
            (A::Add | A::Sub, moment @ Kind::Simple(S::Time | S::Date), Kind::Simple(S::Duration)) => moment,
            (A::Sub, Kind::Simple(S::Time), Kind::Simple(S::Time)) | (A::Sub, Kind::Simple(S::Date), Kind::Simple(S::Date)) => {
                Kind::Simple(S::Duration)
            }
            (A::Mul | A::Div | A::DivBy, Kind::Simple(S::Duration), number) if number.is_number() => Kind::Simple(S::Duration),
            (A::Mul, number, Kind::Simple(S::Duration)) if number.is_number() => Kind::Simple(S::Duration),
            (_, a, b) => {
                let message = format!("The calculation at position {position} cannot be made of {} and {}.", a.words(), b.words());
                return Err(Error::bad(message).position(position));
            }
        };
        Ok((Expr::Arithmetic { op, left: Box::new(left.0), right: Box::new(right.0) }, kind))
    }

    fn unary(&mut self) -> Result<Typed, Error> {
        let position = self.position();
        if self.take(&Token::Minus) {
            return self.deeper(|p| {
                let inner = p.unary()?;
                match inner.1 {
                    kind if kind.is_number() || kind == Kind::Null || kind == Kind::Simple(Simple::Duration) => {
                        Ok((Expr::Negate(Box::new(inner.0)), kind))
                    }
                    kind => {
                        Err(Error::bad(format!("A number is needed after - at position {position}, not {}.", kind.words()))
                            .position(position))
                    }
                }
            });
        }
        if self.take(&Token::Open) {
            return self.deeper(|p| {
                let inner = p.or()?;
                p.expect(&Token::Close, "A closing parenthesis")?;
                Ok(inner)
            });
        }
        match self.token().cloned() {
            Some(Token::Text(text) | Token::Json(text)) => {
                self.at += 1;
                Ok((Expr::Literal(Literal::String(text)), Kind::TEXT))
            }
            Some(Token::Word(word)) => {
                self.at += 1;
                self.word(&word, position)
            }
            Some(Token::OpenBracket) => Err(self.error("A collection is only supported after 'in'; it stands")),
            _ => Err(self.error("A value is missing")),
        }
    }

    /// Text that stands right behind the word before it: `duration'PT1H'`.
    fn attached(&self) -> Option<String> {
        let before = self.tokens.get(self.at.checked_sub(1)?)?;
        let next = self.tokens.get(self.at)?;
        match &next.token {
            Token::Text(text) if next.start == before.end => Some(text.clone()),
            _ => None,
        }
    }

    fn word(&mut self, word: &str, position: usize) -> Result<Typed, Error> {
        if let Some(text) = self.attached() {
            self.at += 1;
            return self.prefixed(word, &text, position);
        }
        if let Some(name) = word.strip_prefix('@')
            && !word.contains(['/', '.', '#'])
        {
            return self.alias(name, position);
        }
        if self.token() == Some(&Token::Open) {
            return self.call_or_lambda(word, position);
        }
        // A property or variable may have the name of a constant; the constants win, as in the ABNF.
        if let Some(literal) = literal(word) {
            return Ok(literal);
        }
        if let Some(path) = word.strip_suffix("/$count") {
            let path = self.path(path, position)?;
            if !path.collection {
                return Err(
                    Error::bad(format!("$count follows a collection, which '{word}' at position {position} is not.")).position(position)
                );
            }
            return Ok((Expr::Count(path), Kind::INT));
        }
        let path = self.path(word, position)?;
        let kind = path.value_kind();
        Ok((Expr::Path(path), kind))
    }

    /// `t.mood'happy'`, `duration'PT12H'` and what else OData writes so.
    fn prefixed(&self, word: &str, text: &str, position: usize) -> Result<Typed, Error> {
        if let Some(ty) = self.model.find_enum(word) {
            let (found, number) = enum_word(ty, text).ok_or_else(|| no_word(ty, text, position))?;
            return Ok((Expr::Literal(Literal::Enum(found, number)), Kind::Enum(EnumRef(ty))));
        }
        match word.to_ascii_lowercase().as_str() {
            "duration" => {
                let duration = time::duration(text);
                let bad = || Error::bad(format!("'{text}' at position {position} is not a duration such as P1DT12H.")).position(position);
                Ok((Expr::Literal(Literal::Duration(duration.ok_or_else(bad)?)), Kind::Simple(Simple::Duration)))
            }
            // The quoted forms of OData 3, which Graph still takes.
            "datetime" | "datetimeoffset" | "guid" => match literal(text) {
                Some(found) if matches!(found.1, Kind::Simple(Simple::Time | Simple::Date | Simple::Guid)) => Ok(found),
                _ => Err(Error::bad(format!("'{text}' at position {position} is not a {word}.")).position(position)),
            },
            "binary" | "geography" | "geometry" => {
                Err(Error::bad(format!("A {word} value, at position {position}, is not supported: the model has none.")).position(position))
            }
            _ => Err(Error::bad(format!("'{word}' at position {position} is not an enumeration that Homeroom knows.")).position(position)),
        }
    }

    /// `@name`: what the alias stands for, parsed in its place (OData 4.01 part 2, §5.3).
    fn alias(&mut self, name: &str, position: usize) -> Result<Typed, Error> {
        let full = format!("@{name}");
        let Some((_, text)) = self.aliases.iter().find(|(known, _)| *known == full) else {
            return Err(
                Error::bad(format!("The parameter alias '{full}' at position {position} is not given in the URL.")).position(position)
            );
        };
        let within = |error: Error| Error::bad(format!("In the parameter alias '{full}': {}", error.message)).position(position);
        let tokens = lex(text, 0, self.limits).map_err(within)?;
        self.expanded += tokens.len();
        if self.expanded > self.limits.filter_tokens {
            return Err(
                Error::bad(format!("Parameter aliases bring in more than {} tokens.", self.limits.filter_tokens)).position(position)
            );
        }
        let outer =
            (std::mem::replace(&mut self.tokens, tokens), std::mem::take(&mut self.at), std::mem::replace(&mut self.end, text.len()));
        let found = self.deeper(|p| {
            let inner = p.or()?;
            if p.at < p.tokens.len() { Err(p.should_end("The alias")) } else { Ok(inner) }
        });
        (self.tokens, self.at, self.end) = outer;
        found.map_err(within)
    }

    fn call_or_lambda(&mut self, word: &str, position: usize) -> Result<Typed, Error> {
        let lower = word.to_ascii_lowercase();
        for (suffix, all) in [("/any", false), ("/all", true)] {
            if let Some(path) = lower.strip_suffix(suffix) {
                return self.deeper(|p| p.lambda(&word[..path.len()], all, position));
            }
        }
        if matches!(lower.as_str(), "isof" | "cast") {
            return self.deeper(|p| p.type_function(lower == "cast", position));
        }
        let Some(row) = Function::TABLE.iter().find(|row| row.name == lower) else {
            let known = Function::KNOWN_ELSEWHERE.contains(&lower.as_str());
            let names = Function::TABLE.iter().map(|row| row.name).chain(["isof", "cast"]);
            let hint = match nearest(word, names) {
                Some(near) if !known => format!(" Did you mean '{near}'?"),
                _ => String::new(),
            };
            return Err(
                Error::bad(format!("'{word}' at position {position} is not a function that is supported.{hint}")).position(position)
            );
        };
        self.at += 1;
        let arguments = self.deeper(|p| p.arguments(row.name, row.takes))?;
        if arguments.len() < row.required || arguments.len() > row.takes.len() {
            let wanted =
                if row.required == row.takes.len() { row.required.to_string() } else { format!("{} to {}", row.required, row.takes.len()) };
            let plural = if wanted == "1" { "" } else { "s" };
            return Err(Error::bad(format!("{lower} at position {position} takes {wanted} argument{plural}, not {}.", arguments.len()))
                .position(position));
        }
        Ok((Expr::Call(row.function, arguments), row.gives))
    }

    fn arguments(&mut self, name: &str, takes: &[super::functions::Takes]) -> Result<Vec<Expr>, Error> {
        let mut found = Vec::new();
        if self.take(&Token::Close) {
            return Ok(found);
        }
        loop {
            let position = self.position();
            let (expr, kind) = self.or()?;
            if let Some(wanted) = takes.get(found.len()).filter(|wanted| !wanted.accepts(kind)) {
                let hint = if matches!(kind, Kind::Enum(_)) { " Write cast(…,Edm.String)." } else { "" };
                let message = format!("{name} needs {} at position {position}, not {}.{hint}", wanted.words(), kind.words());
                return Err(Error::bad(message).position(position));
            }
            found.push(expr);
            if !self.take(&Token::Comma) {
                break;
            }
        }
        self.expect(&Token::Close, "A closing parenthesis")?;
        Ok(found)
    }

    /// `isof(type)`, `isof(value,type)` and the same of `cast`; the type may stand in quotes, as OData 3 wrote it.
    fn type_function(&mut self, casts: bool, start: usize) -> Result<Typed, Error> {
        let name = if casts { "cast" } else { "isof" };
        self.expect(&Token::Open, "An opening parenthesis")?;
        let alone = self.tokens.get(self.at + 1).is_some_and(|placed| placed.token == Token::Close);
        let (subject, kind) = if alone {
            let kind = Kind::Object(self.ty);
            (Expr::Path(PropertyPath { start: Start::Entity, steps: Vec::new(), kind, collection: false, navigation: None }), kind)
        } else {
            let subject = self.or()?;
            self.expect(&Token::Comma, "A comma and a type")?;
            subject
        };
        let position = self.position();
        let Some(Token::Word(text) | Token::Text(text)) = self.token().cloned() else {
            return Err(self.error("The name of a type is missing"));
        };
        self.at += 1;
        let ty = self.type_name(&text, position)?;
        self.expect(&Token::Close, "A closing parenthesis")?;
        let fits = match (kind, ty) {
            (Kind::Null, _) => true,
            (Kind::Object(from), TypeName::Structured(to)) => self.model.is_subtype(to, from) || self.model.is_subtype(from, to),
            (Kind::Object(_) | Kind::List, _) | (_, TypeName::Structured(_)) => false,
            (Kind::Simple(simple), TypeName::Enum(_)) => matches!(simple, Simple::Text | Simple::Int),
            _ => true,
        };
        if !fits {
            return Err(Error::bad(format!("{name} at position {start} cannot take {} to {text}.", kind.words())).position(position));
        }
        if !casts {
            return Ok((Expr::IsOf(Box::new(subject), ty), Kind::BOOL));
        }
        let gives = match ty {
            TypeName::Primitive(simple) => Kind::Simple(simple),
            TypeName::Enum(ty) => Kind::Enum(ty),
            TypeName::Structured(ty) => Kind::Object(ty),
        };
        Ok((Expr::Cast(Box::new(subject), ty), gives))
    }

    fn type_name(&self, text: &str, position: usize) -> Result<TypeName, Error> {
        if let Some(ty) = self.model.find_type(text) {
            return Ok(TypeName::Structured(ty));
        }
        if let Some(ty) = self.model.find_enum(text) {
            return Ok(TypeName::Enum(EnumRef(ty)));
        }
        let simple = match text {
            "Edm.Boolean" => Simple::Bool,
            "Edm.Byte" | "Edm.SByte" | "Edm.Int16" | "Edm.Int32" | "Edm.Int64" => Simple::Int,
            "Edm.Decimal" | "Edm.Single" | "Edm.Double" => Simple::Float,
            "Edm.String" => Simple::Text,
            "Edm.Guid" => Simple::Guid,
            "Edm.Date" => Simple::Date,
            "Edm.DateTimeOffset" => Simple::Time,
            "Edm.TimeOfDay" => Simple::Clock,
            "Edm.Duration" => Simple::Duration,
            _ => {
                let edm = [Primitive::Boolean, Primitive::Int32, Primitive::String, Primitive::Date, Primitive::DateTimeOffset];
                let known: Vec<String> =
                    self.model.all_types().map(StructuredType::qualified).chain(edm.iter().map(|p| p.name().to_owned())).collect();
                // By the last part: namespaces are long, and comparing costs the product of the lengths.
                let simple = |name: &'_ str| name.rfind('.').map_or(0, |dot| dot + 1);
                let near = nearest(&text[simple(text)..], known.iter().map(|name| &name[simple(name)..]));
                let full = near.and_then(|near| known.iter().find(|name| &name[simple(name)..] == near));
                let hint = full.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
                return Err(
                    Error::bad(format!("'{text}' at position {position} is not a type that Homeroom knows.{hint}")).position(position)
                );
            }
        };
        Ok(TypeName::Primitive(simple))
    }

    fn lambda(&mut self, path: &str, all: bool, position: usize) -> Result<Typed, Error> {
        let path = self.path(path, position)?;
        if !path.collection {
            return Err(Error::bad(format!("any and all need a collection at position {position}; this is {}.", path.kind.words()))
                .position(position));
        }
        self.expect(&Token::Open, "An opening parenthesis")?;
        if self.token() == Some(&Token::Close) {
            if all {
                return Err(self.error("all needs a condition, all(x:…),"));
            }
            self.at += 1;
            return Ok((Expr::Lambda { path, all, body: None }, Kind::BOOL));
        }
        let name = match self.peek_word() {
            Some(name) if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => name.to_owned(),
            _ => return Err(self.error("A variable is missing")),
        };
        self.at += 1;
        self.expect(&Token::Colon, "A colon after the variable")?;
        self.variables.push(Variable { name, kind: path.kind });
        let start = self.position();
        let body = self.or().and_then(|inner| Self::condition(inner, start));
        self.variables.pop();
        let body = body?;
        self.expect(&Token::Close, "A closing parenthesis")?;
        Ok((Expr::Lambda { path, all, body: Some(body) }, Kind::BOOL))
    }

    fn path(&self, text: &str, position: usize) -> Result<PropertyPath, Error> {
        in_expression(text, position, self.ty, self.model, &self.variables)
    }
}

/// Whether values of two kinds can be compared.
fn comparable(left: Kind, right: Kind, equality: bool) -> bool {
    use Simple as S;
    match (left, right) {
        (Kind::Object(_), Kind::Null) | (Kind::Null, Kind::Object(_)) => equality,
        (Kind::Object(_) | Kind::List, _) | (_, Kind::Object(_) | Kind::List) => false,
        (Kind::Null, _) | (_, Kind::Null) => true,
        (Kind::Simple(a), Kind::Simple(b)) => {
            a == b
                || left.is_number() && right.is_number()
                || matches!((a, b), (S::Date, S::Time) | (S::Time, S::Date) | (S::Text, S::Guid) | (S::Guid, S::Text))
        }
        (left, right) => left == right,
    }
}

/// A word of an enumeration, by name without regard to case or by its number.
fn enum_word(ty: &'static EnumType, text: &str) -> Option<(&'static str, i32)> {
    let by_name = ty.members.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    by_name.or_else(|| text.parse::<i32>().ok().and_then(|number| ty.members.iter().find(|(_, known)| *known == number))).copied()
}

fn no_word(ty: &EnumType, text: &str, position: usize) -> Error {
    let members: Vec<&str> = ty.members.iter().map(|(word, _)| *word).collect();
    Error::bad(format!("'{text}' at position {position} is not a {}; it can be {}.", ty.name, members.join(", "))).position(position)
}

/// A word that is a constant.
fn literal(word: &str) -> Option<Typed> {
    let simple = |literal, simple| Some((Expr::Literal(literal), Kind::Simple(simple)));
    match word {
        "null" => return Some((Expr::Literal(Literal::Null), Kind::Null)),
        "INF" => return simple(Literal::Float(f64::INFINITY), Simple::Float),
        "NaN" => return simple(Literal::Float(f64::NAN), Simple::Float),
        _ if word.eq_ignore_ascii_case("true") => return simple(Literal::Bool(true), Simple::Bool),
        _ if word.eq_ignore_ascii_case("false") => return simple(Literal::Bool(false), Simple::Bool),
        _ => {}
    }
    if is_guid(word) {
        return simple(Literal::String(word.to_ascii_lowercase()), Simple::Guid);
    }
    let first = word.as_bytes().first()?;
    if !first.is_ascii_digit() && !matches!(first, b'-' | b'+') {
        return None;
    }
    if let Some(date) = time::date(word) {
        return simple(Literal::Date(date), Simple::Date);
    }
    if let Some(clock) = time::time_of_day(word) {
        return simple(Literal::Clock(clock), Simple::Clock);
    }
    if let Ok(number) = word.parse::<i64>() {
        return simple(Literal::Int(number), Simple::Int);
    }
    if is_number(word) {
        return simple(Literal::Float(word.parse().ok()?), Simple::Float);
    }
    let canonical = time::canonical_date_time(word)?;
    simple(Literal::Time(canonical.parse().ok()?), Simple::Time)
}

/// `-1.5e3`: a digit on either side of the point (ABNF `decimalValue`), which Rust does not insist on.
fn is_number(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = word.strip_prefix(['-', '+']).unwrap_or(word);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, fraction)| (whole, Some(fraction)));
    digits(whole) && fraction.is_none_or(digits) && exponent.is_none_or(digits)
}

fn is_guid(word: &str) -> bool {
    word.len() == 36 && word.bytes().enumerate().all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() })
}
