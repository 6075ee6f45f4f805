//! One regex dialect for both databases. A pattern is parsed here and written again in the dialect of each database, so
//! that it means the same on both. No pattern reaches a database or a log in the form that a client sent.
//!
//! The dialect is described at `RegexFilter` in schema.graphql: literals, `.` for any character, classes, groups, `|`,
//! `* + ? {m,n}`, `^ $`, and ASCII `\d \w \s`. A backslash before punctuation makes it literal.
//!
//! The crate `regex-syntax` can't parse it, because it has operators where this dialect has characters: it reads `[--a]`
//! and `[&&-z]` as other sets, and rejects `[!--]` and `[\<]`.

use std::{fmt::Write, iter::Peekable, str::Chars};

use crate::domain::{Error, text::MAX_BYTES};

/// Maximum count in `{m,n}`, which is PostgreSQL's limit.
const MAX_REPEAT: u32 = 255;

/// Maximum number of characters and class ranges in a pattern with its repetitions expanded, which bounds the automaton
/// that either database builds from it: a range becomes at most a few dozen states, so that the automaton is smaller
/// than the 10 MiB that the `regex` crate allows.
const MAX_EXPANDED_SIZE: u64 = 1_000;

const MAX_GROUP_DEPTH: usize = 20;

/// A valid pattern. It holds the text and not the parsed pattern, which may need 60 times the memory.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Box<str>,
    fold: bool,
    expanded_size: u64,
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
    /// The syntax of the crate `regex`, which implements `regexp` for SQLite.
    Rust,
    /// PostgreSQL's advanced regular expressions
    /// (<https://www.postgresql.org/docs/current/functions-matching.html#FUNCTIONS-POSIX-REGEXP>).
    Postgres,
}

impl Pattern {
    /// The size with which a short pattern is counted, because every pattern has a fixed cost.
    pub(super) const MIN_COUNTED_SIZE: u64 = 100;

    /// Parses a pattern without compiling it. `fold` ignores the case of ASCII letters.
    pub fn parse(pattern: &str, fold: bool) -> Result<Self, Error> {
        let reject = |message: String| Error::bad_input("pattern", message);
        if pattern.len() > MAX_BYTES {
            return Err(reject(format!("the pattern has {} bytes, at most {MAX_BYTES} are allowed", pattern.len())));
        }
        let root = Node::parse(pattern).map_err(|reason| reject(format!("the pattern {reason}")))?;
        let size = root.expanded_size();
        if size > MAX_EXPANDED_SIZE {
            let message = format!(
                "the pattern has {size} characters with its repetitions expanded, at most {MAX_EXPANDED_SIZE} are allowed"
            );
            return Err(reject(message));
        }
        Ok(Self { text: pattern.into(), fold, expanded_size: size })
    }

    /// Returns the size that the budget of a request counts.
    pub(super) fn counted_size(&self) -> u64 {
        self.expanded_size.max(Self::MIN_COUNTED_SIZE)
    }

    /// Returns the pattern for the function `regexp`.
    pub fn for_sqlite(&self) -> String {
        self.to_text(Dialect::Rust)
    }

    /// Returns the pattern for the operator `~`.
    pub fn for_postgres(&self) -> String {
        self.to_text(Dialect::Postgres)
    }

    fn to_text(&self, dialect: Dialect) -> String {
        let mut text = String::new();
        let root = Node::parse(&self.text).expect("the pattern is valid");
        root.write(&mut text, dialect, self.fold);
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
            '*' | '+' | '?' | '{' => {
                Err("has a repetition of nothing: write \\*, \\+, \\? or \\{ for the character itself")
            }
            ']' | '}' => Err("has a ] or } without its [ or {: write \\] or \\} for the character itself"),
            '\0' => Err("holds a NUL character"),
            character => Ok(Node::Set { negated: false, ranges: vec![(character, character)] }),
        }
    }

    fn group(&mut self) -> Parsed<Node> {
        if self.rest.next_if_eq(&'?').is_some() && self.rest.next_if_eq(&':').is_none() {
            return Err("has a group that begins with (? and is not (?:");
        }
        self.depth += 1;
        if self.depth > MAX_GROUP_DEPTH {
            return Err("nests groups deeper than 20 levels");
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
            Some(_) => Err("has an escape other than \\d, \\w, \\s or a backslash before punctuation"),
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

    /// Parses the rest of a range. A hyphen at the end of the class is literal.
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
        if first <= last { Ok((first, last)) } else { Err("has a range whose end is before its start") }
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
            return Err("has a repetition of ^ or $");
        }
        if matches!(self.rest.peek(), Some('*' | '+' | '?' | '{')) {
            return Err("has a repetition of a repetition: put the inner one into a group");
        }
        Ok(Node::Repeat { node: Box::new(node), least, most })
    }

    fn counts(&mut self) -> Parsed<(u32, Option<u32>)> {
        const EXPECTED: &str = "has a { that is not {m}, {m,} or {m,n}: write \\{ for the character itself";
        let least = self.number().ok_or(EXPECTED)?;
        let most = match self.rest.next_if_eq(&',') {
            Some(_) if self.rest.peek() == Some(&'}') => None,
            Some(_) => Some(self.number().ok_or(EXPECTED)?),
            None => Some(least),
        };
        self.rest.next_if_eq(&'}').ok_or(EXPECTED)?;
        match most {
            Some(most) if most < least => Err("has a {m,n} whose n is less than m"),
            _ if least.max(most.unwrap_or(0)) > MAX_REPEAT => Err("has a count over 255"),
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
    fn parse(pattern: &str) -> Parsed<Self> {
        let mut parser = Parser { rest: pattern.chars().peekable(), depth: 0 };
        let root = parser.choice()?;
        match parser.rest.peek() {
            Some(_) => Err("has a ) without its ("),
            None => Ok(root),
        }
    }

    /// Returns the number of characters and ranges with repetitions expanded.
    fn expanded_size(&self) -> u64 {
        match self {
            Self::Any | Self::Start | Self::End => 1,
            Self::Set { ranges, .. } => ranges.len() as u64,
            Self::Sequence(nodes) | Self::Choice(nodes) => {
                nodes.iter().map(Self::expanded_size).fold(1, u64::saturating_add)
            }
            Self::Repeat { node, least, most } => {
                node.expanded_size().saturating_mul(u64::from(most.unwrap_or(*least).max(1)))
            }
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
                for (index, node) in nodes.iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { "|" });
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

/// Returns the ASCII letters of a range in the other case.
fn folded((first, last): (char, char)) -> impl Iterator<Item = (char, char)> {
    let part = move |low: char, high: char| {
        let first = first.max(low);
        let last = last.min(high);
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
    fn patterns_outside_the_dialect_are_rejected() {
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

    /// SQLite's function compiles patterns with the default limits of the `regex` crate, and patterns are not compiled when
    /// they are parsed.
    #[test]
    fn the_largest_patterns_compile_with_half_the_default_limit() {
        for element in ["a", ".", "[^é]", "[\u{81}-\u{10fffe}]", "[^\u{82}\u{a01}]", "[\u{7f}-\u{10001}]", r"[^\w]"] {
            let patterns = (1..).map(|count| Pattern::parse(&format!("({element}{{{count}}}){{4}}"), true));
            let largest = patterns.take_while(Result::is_ok).last().expect("a pattern").expect("a valid one");
            assert!(largest.expanded_size > 900, "{element}: {}", largest.expanded_size);
            let compiled = regex::RegexBuilder::new(&largest.for_sqlite()).size_limit(5 << 20).build();
            assert!(compiled.is_ok(), "{element}: {compiled:?}");
        }
    }
}
