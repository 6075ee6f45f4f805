//! Scans the text before the parser, which recurses for each bracket and has no limits.

use std::collections::HashSet;

use crate::{
    graphql::{Code, Error},
    types::DocumentLimits,
};

/// The longest name, in bytes. Error messages repeat names, and suggestions compare them letter by letter.
const NAME: usize = 256;

/// What a text shows that the parsed document does not.
pub(super) struct Scan {
    /// How many tokens it has.
    pub(super) tokens: usize,
    /// A key that an object has twice. Whether the text is a document at all is told first.
    pub(super) twice: Option<Error>,
}

/// Reads the text once.
pub(super) fn scan(text: &str, limits: &DocumentLimits) -> Result<Scan, Error> {
    if text.len() > limits.bytes {
        return Err(over("document", text.len(), "bytes", limits.bytes, "MEMBERBASE_MAX_DOCUMENT"));
    }
    let mut scanner = Scanner { text, at: 0, tokens: 0, open: Vec::new(), parentheses: 0, name: None, twice: None };
    while scanner.at < text.len() {
        scanner.step(limits)?;
    }
    Ok(Scan { tokens: scanner.tokens, twice: scanner.twice })
}

/// A figure over its limit.
pub(super) fn over(what: &str, figure: usize, unit: &str, limit: usize, setting: &str) -> Error {
    let message = format!("the {what} has {figure} {unit}, at most {limit} are allowed ({setting})");
    Error::new(Code::LimitExceeded, message)
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    tokens: usize,
    /// The brackets that are open.
    open: Vec<Bracket<'a>>,
    /// How many of them are parentheses.
    parentheses: usize,
    /// The last token, where it is a name.
    name: Option<(usize, &'a str)>,
    twice: Option<Error>,
}

enum Bracket<'a> {
    Parenthesis,
    /// An object, with its keys.
    Object(HashSet<&'a str>),
    Other,
}

impl<'a> Scanner<'a> {
    fn step(&mut self, limits: &DocumentLimits) -> Result<(), Error> {
        let (start, bytes) = (self.at, self.text.as_bytes());
        let byte = bytes[start];
        self.at += 1;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => return Ok(()),
            // Of a byte order mark, or of what the parser refuses.
            0x80.. => return Ok(()),
            b'#' => {
                self.skip_while(|byte| byte != b'\n' && byte != b'\r');
                return Ok(());
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                self.skip_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                let name = &self.text[start..self.at];
                if name.len() > NAME {
                    let message = format!("a name has {} bytes, at most {NAME} are allowed", name.len());
                    return Err(self.located(start, Error::new(Code::LimitExceeded, message)));
                }
                self.name = Some((start, name));
                return self.count(limits);
            }
            b'-' | b'0'..=b'9' => self.skip_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)),
            b'"' if bytes[start..].starts_with(b"\"\"\"") => self.block_string(start)?,
            b'"' => self.string(start)?,
            b'.' => self.skip_while(|byte| byte == b'.'),
            b':' => self.key(),
            b'(' | b'[' | b'{' => self.enter(byte, limits)?,
            b')' | b']' | b'}' => {
                if let Some(Bracket::Parenthesis) = self.open.pop() {
                    self.parentheses -= 1;
                }
            }
            _ => {}
        }
        self.name = None;
        self.count(limits)
    }

    fn skip_while(&mut self, inside: impl Fn(u8) -> bool) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().position(|&byte| !inside(byte)).unwrap_or(rest.len());
    }

    fn count(&mut self, limits: &DocumentLimits) -> Result<(), Error> {
        self.tokens += 1;
        if self.tokens <= limits.tokens {
            return Ok(());
        }
        let message =
            format!("the document has more than the maximum of {} tokens (MEMBERBASE_MAX_TOKENS)", limits.tokens);
        Err(self.located(self.at - 1, Error::new(Code::LimitExceeded, message)))
    }

    fn enter(&mut self, bracket: u8, limits: &DocumentLimits) -> Result<(), Error> {
        if self.open.len() == limits.bracket_depth {
            let message = format!(
                "brackets are nested deeper than the maximum of {} (MEMBERBASE_MAX_BRACKET_DEPTH)",
                limits.bracket_depth
            );
            return Err(self.located(self.at - 1, Error::new(Code::LimitExceeded, message)));
        }
        self.open.push(match bracket {
            b'(' => Bracket::Parenthesis,
            b'{' if self.parentheses > 0 => Bracket::Object(HashSet::new()),
            _ => Bracket::Other,
        });
        self.parentheses += usize::from(bracket == b'(');
        Ok(())
    }

    /// The colon after a key: the parser keeps the last of two values, so that nothing later would see both.
    fn key(&mut self) {
        let Some((start, name)) = self.name else { return };
        if let Some(Bracket::Object(keys)) = self.open.last_mut()
            && !keys.insert(name)
            && self.twice.is_none()
        {
            let error = Error::new(Code::GraphqlValidationFailed, format!("the input field {name} is given twice"));
            self.twice = Some(self.located(start, error));
        }
    }

    fn string(&mut self, start: usize) -> Result<(), Error> {
        loop {
            self.skip_while(|byte| !b"\"\\\r\n".contains(&byte));
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at = (self.at + 2).min(self.text.len()),
                _ => return Err(self.open_string(start)),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// One that is not closed has to be refused here: the parser would go on with an empty string, and see brackets in
    /// what was counted as text.
    fn block_string(&mut self, start: usize) -> Result<(), Error> {
        self.at = start + 3;
        let bytes = self.text.as_bytes();
        loop {
            self.skip_while(|byte| byte != b'"' && byte != b'\\');
            let rest = bytes.get(self.at..).unwrap_or_default();
            self.at += match rest {
                [] => return Err(self.open_string(start)),
                // The parser would leave the backslash in the text.
                [b'\\', b'"', b'"', b'"', ..] => {
                    let message =
                        r#"a block string with \""" in it is not supported here; pass the text as a variable"#;
                    return Err(self.located(self.at, Error::new(Code::GraphqlParseFailed, message)));
                }
                [b'"', b'"', b'"', ..] => break,
                _ => 1,
            };
        }
        self.at += 3;
        Ok(())
    }

    fn open_string(&self, start: usize) -> Error {
        self.located(start, Error::new(Code::GraphqlParseFailed, "unterminated string"))
    }

    fn located(&self, offset: usize, error: Error) -> Error {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let lines = before.matches('\n').count().max(before.matches('\r').count());
        error.at(lines + 1, before[line_start..].chars().count() + 1)
    }
}
