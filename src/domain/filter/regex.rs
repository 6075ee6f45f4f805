//! One regex dialect for both databases: parsed here, and written anew in the form of each. No pattern reaches a
//! database, or a log, as it came.
//!
//! The dialect is that of `RegexFilter` in schema.graphql: literals, `.` for any character, classes, groups, `|`,
//! `* + ? {m,n}`, `^ $`, and ASCII `\d \w \s`. A backslash before punctuation takes it literally.

use std::{fmt::Write, iter::Peekable, str::Chars};

use crate::domain::{Error, text::MAX_BYTES};

/// The largest count in `{m,n}`: PostgreSQL's.
const MAX_COUNT: u32 = 255;

/// The most characters and classes that a pattern may come to, counts multiplied out, so that neither database
/// builds a machine without end from it.
const MAX_SIZE: u64 = 1_000;

/// The most bytes that the machine of a pattern may have; the database's own limit is above it.
const MAX_MACHINE: usize = 1 << 20;

/// How deep groups nest.
const MAX_DEPTH: usize = 20;

/// A pattern that was checked.
#[derive(Clone, Debug)]
pub struct Pattern {
    root: Node,
    fold: bool,
}

#[derive(Clone, Debug)]
enum Node {
    Any,
    Start,
    End,
    Set { negated: bool, ranges: Vec<(char, char)> },
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Repeat { node: Box<Node>, least: u32, most: Option<u32> },
}

#[derive(Clone, Copy)]
enum Dialect {
    /// Of the crate `regex`, which SQLite calls.
    Rust,
    /// Advanced regular expressions (PostgreSQL's manual, 9.7.3).
    Postgres,
}

impl Pattern {
    /// Reads a pattern; `fold` makes no difference between `a` and `A`, of ASCII letters alone.
    pub fn parse(pattern: &str, fold: bool) -> Result<Self, Error> {
        let refuse = |message: String| Error::bad_input("pattern", message);
        if pattern.len() > MAX_BYTES {
            return Err(refuse(format!("the pattern has {} bytes, at most {MAX_BYTES} are allowed", pattern.len())));
        }
        let mut parser = Parser { rest: pattern.chars().peekable(), depth: 0 };
        let root = parser.choice().map_err(|reason| refuse(format!("the pattern {reason}")))?;
        if parser.rest.peek().is_some() {
            return Err(refuse("the pattern has a ) without its (".to_owned()));
        }
        let size = root.size();
        if size > MAX_SIZE {
            let message =
                format!("the pattern comes to {size} characters with its counts, at most {MAX_SIZE} are allowed");
            return Err(refuse(message));
        }
        let pattern = Self { root, fold };
        match regex::RegexBuilder::new(&pattern.for_sqlite()).size_limit(MAX_MACHINE).build() {
            Ok(_) => Ok(pattern),
            Err(_) => Err(refuse("the pattern is too large with its classes and counts".to_owned())),
        }
    }

    /// In the form of the function `regexp`.
    pub fn for_sqlite(&self) -> String {
        self.written(Dialect::Rust)
    }

    /// In the form of the operator `~`.
    pub fn for_postgres(&self) -> String {
        self.written(Dialect::Postgres)
    }

    fn written(&self, dialect: Dialect) -> String {
        let mut text = String::new();
        self.root.write(&mut text, dialect, self.fold);
        text
    }
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    depth: usize,
}

type Parsed<T> = Result<T, &'static str>;

impl Parser<'_> {
    fn choice(&mut self) -> Parsed<Node> {
        let mut branches = vec![self.sequence()?];
        while self.rest.next_if_eq(&'|').is_some() {
            branches.push(self.sequence()?);
        }
        Ok(if branches.len() == 1 { branches.swap_remove(0) } else { Node::Choice(branches) })
    }

    fn sequence(&mut self) -> Parsed<Node> {
        let mut nodes = Vec::new();
        while let Some(&next) = self.rest.peek() {
            if next == '|' || next == ')' {
                break;
            }
            let node = self.atom()?;
            nodes.push(self.repeated(node)?);
        }
        Ok(Node::Sequence(nodes))
    }

    fn atom(&mut self) -> Parsed<Node> {
        match self.rest.next().unwrap_or_default() {
            '.' => Ok(Node::Any),
            '^' => Ok(Node::Start),
            '$' => Ok(Node::End),
            '(' => self.group(),
            '[' => self.class(),
            '\\' => Ok(Node::Set { negated: false, ranges: self.escape()? }),
            '*' | '+' | '?' | '{' => Err("repeats nothing: write \\* \\+ \\? \\{ for the characters themselves"),
            ']' | '}' => Err("has a ] or } without its partner: write \\] or \\}"),
            '\0' => Err("holds a NUL character"),
            character => Ok(Node::Set { negated: false, ranges: vec![(character, character)] }),
        }
    }

    fn group(&mut self) -> Parsed<Node> {
        if self.rest.next_if_eq(&'?').is_some() && self.rest.next_if_eq(&':').is_none() {
            return Err("has a group that begins with (? and is not (?:");
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("nests groups deeper than 20");
        }
        let node = self.choice()?;
        self.depth -= 1;
        self.rest.next_if_eq(&')').ok_or("has a ( without its )")?;
        Ok(node)
    }

    fn escape(&mut self) -> Parsed<Vec<(char, char)>> {
        match self.rest.next() {
            Some('d') => Ok(vec![('0', '9')]),
            Some('w') => Ok(vec![('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
            Some('s') => Ok(vec![('\t', '\r'), (' ', ' ')]),
            Some(character) if character.is_ascii_punctuation() => Ok(vec![(character, character)]),
            Some(_) => Err("has an escape other than \\d, \\w, \\s and that of punctuation"),
            None => Err("ends in a backslash"),
        }
    }

    fn class(&mut self) -> Parsed<Node> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut ranges = Vec::new();
        loop {
            match self.rest.next().ok_or("has a [ without its ]")? {
                ']' if !ranges.is_empty() => return Ok(Node::Set { negated, ranges }),
                ']' => return Err("has an empty class: write \\] for the bracket itself"),
                '[' => return Err("has a [ in a class: write \\["),
                '\0' => return Err("holds a NUL character"),
                '\\' => {
                    let escaped = self.escape()?;
                    match escaped[..] {
                        [(first, last)] if first == last => ranges.push(self.range(first)?),
                        _ => ranges.extend(escaped),
                    }
                }
                first => ranges.push(self.range(first)?),
            }
        }
    }

    /// The rest of a range; a hyphen before the end of the class stands for itself.
    fn range(&mut self, first: char) -> Parsed<(char, char)> {
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('-') || matches!(ahead.peek(), None | Some(']')) {
            return Ok((first, first));
        }
        self.rest.next();
        let last = match self.rest.next() {
            Some('\\') => match self.escape()?[..] {
                [(character, other)] if character == other => character,
                _ => return Err("has a range that ends in \\d, \\w or \\s"),
            },
            Some('[') | Some('\0') | None => return Err("has a range without an end"),
            Some(character) => character,
        };
        if first <= last { Ok((first, last)) } else { Err("has a range that runs backwards") }
    }

    fn repeated(&mut self, node: Node) -> Parsed<Node> {
        let (least, most) = match self.rest.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.rest.next();
                let counts = self.counts()?;
                return self.repeat(node, counts);
            }
            _ => return Ok(node),
        };
        self.rest.next();
        self.repeat(node, (least, most))
    }

    fn repeat(&mut self, node: Node, (least, most): (u32, Option<u32>)) -> Parsed<Node> {
        if matches!(node, Node::Start | Node::End) {
            return Err("repeats ^ or $");
        }
        if matches!(self.rest.peek(), Some('*' | '+' | '?' | '{')) {
            return Err("repeats a repetition: put it into a group");
        }
        Ok(Node::Repeat { node: Box::new(node), least, most })
    }

    fn counts(&mut self) -> Parsed<(u32, Option<u32>)> {
        const FORM: &str = "has a { that is no {m}, {m,} or {m,n}: write \\{ for the character itself";
        let least = self.number().ok_or(FORM)?;
        let most = match self.rest.next_if_eq(&',') {
            Some(_) if self.rest.peek() == Some(&'}') => None,
            Some(_) => Some(self.number().ok_or(FORM)?),
            None => Some(least),
        };
        self.rest.next_if_eq(&'}').ok_or(FORM)?;
        match most {
            Some(most) if most < least => Err("has counts that run backwards"),
            _ if least.max(most.unwrap_or(0)) > MAX_COUNT => Err("has a count over 255"),
            most => Ok((least, most)),
        }
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = None;
        while let Some(digit) = self.rest.peek().and_then(|character| character.to_digit(10)) {
            self.rest.next();
            number = Some(number.unwrap_or(0_u32).saturating_mul(10).saturating_add(digit));
        }
        number
    }
}

impl Node {
    fn size(&self) -> u64 {
        match self {
            Self::Any | Self::Start | Self::End => 1,
            Self::Set { ranges, .. } => ranges.len() as u64,
            Self::Sequence(nodes) | Self::Choice(nodes) => nodes.iter().map(Self::size).fold(1, u64::saturating_add),
            Self::Repeat { node, least, most } => node.size().saturating_mul(u64::from(most.unwrap_or(*least).max(1))),
        }
    }

    fn write(&self, text: &mut String, dialect: Dialect, fold: bool) {
        match self {
            Self::Any => text.push_str(match dialect {
                Dialect::Rust => "(?s:.)",
                Dialect::Postgres => ".",
            }),
            Self::Start => text.push('^'),
            Self::End => text.push('$'),
            Self::Set { negated, ranges } => {
                text.push_str(if *negated { "[^" } else { "[" });
                for &range in ranges {
                    write_range(text, dialect, range);
                    if fold {
                        folded(range).for_each(|range| write_range(text, dialect, range));
                    }
                }
                text.push(']');
            }
            Self::Sequence(nodes) => nodes.iter().for_each(|node| node.write_grouped(text, dialect, fold)),
            Self::Choice(nodes) => {
                for (place, node) in nodes.iter().enumerate() {
                    text.push_str(if place == 0 { "" } else { "|" });
                    node.write_grouped(text, dialect, fold);
                }
            }
            Self::Repeat { node, least, most } => {
                node.write_grouped(text, dialect, fold);
                let _ = match most {
                    Some(most) => write!(text, "{{{least},{most}}}"),
                    None => write!(text, "{{{least},}}"),
                };
            }
        }
    }

    fn write_grouped(&self, text: &mut String, dialect: Dialect, fold: bool) {
        if matches!(self, Self::Sequence(_) | Self::Choice(_)) {
            text.push_str("(?:");
            self.write(text, dialect, fold);
            text.push(')');
        } else {
            self.write(text, dialect, fold);
        }
    }
}

/// The same letters in the other case.
fn folded((first, last): (char, char)) -> impl Iterator<Item = (char, char)> {
    let part = move |low: char, high: char| {
        let (first, last) = (first.max(low), last.min(high));
        (first <= last).then_some((first, last))
    };
    let upper = part('a', 'z').map(|(first, last)| (first.to_ascii_uppercase(), last.to_ascii_uppercase()));
    let lower = part('A', 'Z').map(|(first, last)| (first.to_ascii_lowercase(), last.to_ascii_lowercase()));
    upper.into_iter().chain(lower)
}

fn write_range(text: &mut String, dialect: Dialect, (first, last): (char, char)) {
    write_character(text, dialect, first);
    if first != last {
        text.push('-');
        write_character(text, dialect, last);
    }
}

fn write_character(text: &mut String, dialect: Dialect, character: char) {
    let code = u32::from(character);
    let _ = match dialect {
        _ if character.is_ascii_alphanumeric() => write!(text, "{character}"),
        Dialect::Rust => write!(text, "\\x{{{code:x}}}"),
        Dialect::Postgres => write!(text, "\\U{code:08x}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_written_for_each_database() {
        let pattern = Pattern::parse(r"^user_\d{2,}(a|é)?$", false).expect("a pattern");
        assert_eq!(pattern.for_sqlite(), r"^[u][s][e][r][\x{5f}][0-9]{2,}(?:(?:[a])|(?:[\x{e9}])){0,1}$");
        assert_eq!(pattern.for_postgres(), r"^[u][s][e][r][\U0000005f][0-9]{2,}(?:(?:[a])|(?:[\U000000e9])){0,1}$");
        let folded = Pattern::parse("[x-z]k", true).expect("a pattern");
        assert_eq!(folded.for_sqlite(), "[x-zX-Z][kK]");
    }

    #[test]
    fn what_is_not_of_the_dialect_is_refused() {
        for pattern in [
            "*a",
            "a**",
            "a{",
            "a{2",
            "a{3,2}",
            "a{256}",
            "(",
            ")",
            "[",
            "[]",
            "[z-a]",
            "[[:alpha:]]",
            r"\b",
            r"\1",
            r"\D",
            r"\",
            "(?=a)",
            "(?i)a",
            "a}",
            "a]",
            "^*",
            "a\0",
            "a*?",
            "(((a{255}){255}){255}){255}",
            "(.{0,255}){7}",
            "([一-丁七-万丈-三上-下不-与丐-丑专-且丕-世丗-丘丙-业丛-东丝-丞]{255}){3}",
            &"(".repeat(1000),
            &"a".repeat(1025),
        ] {
            assert!(matches!(Pattern::parse(pattern, false), Err(Error::BadInput { .. })), "{pattern:?}");
        }
    }
}
