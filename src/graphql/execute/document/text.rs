//! Scans the text of a document before it is parsed, because the parser recurses for each bracket, and its own limits
//! also count white space.

use super::positions::Positions;
use crate::{
    graphql::{Code, Error},
    types::DocumentLimits,
};
use apollo_parser::{Lexer, Token, TokenKind};

/// Maximum length of a name, in bytes: error messages repeat names.
const MAX_NAME_BYTES: usize = 256;

/// The text of a document within its limits.
pub(super) struct Text {
    /// The text for the parser: descriptions, comments and commas are replaced by spaces, and offsets are unchanged. So
    /// there is at most one token of white space between two lexical tokens.
    pub(super) parsable: String,
    /// Number of lexical tokens (<https://spec.graphql.org/draft/#Token>).
    pub(super) tokens: usize,
    pub(super) positions: Positions,
    /// The offset and the error of the first name of an argument or an input field without a value.
    pub(super) missing_value: Option<(usize, Error)>,
}

impl Text {
    /// Scans a text. Stops at the first lexical error, which the parser then reports.
    pub(super) fn scan(text: &str, limits: &DocumentLimits) -> Result<Self, Error> {
        if text.len() > limits.bytes {
            return Err(over("document", text.len(), "bytes", limits.bytes, "MEMBERBASE_MAX_DOCUMENT"));
        }
        let positions = Positions::new(text);
        let mut scan = Scan {
            positions: &positions,
            limits,
            tokens: 0,
            open: Vec::new(),
            blanks: Vec::new(),
            missing_value: None,
        };
        let mut previous = None;
        let mut string = None;
        for token in Lexer::new(text) {
            let Ok(token) = token else { break };
            match token.kind() {
                TokenKind::Whitespace => continue,
                TokenKind::Comment | TokenKind::Comma => {
                    scan.blank(&token);
                    continue;
                }
                _ => {}
            }
            scan.token(&token)?;
            if let Some((string, before)) = string.take() {
                scan.describe(&string, before, &token);
            }
            if token.kind() == TokenKind::StringValue {
                string = Some((token.clone(), previous));
            }
            scan.bracket(&token)?;
            // A string after the name of a variable is no description, as after its sign.
            previous = Some(match (previous, token.kind()) {
                (Some(TokenKind::Dollar), TokenKind::Name) => TokenKind::Dollar,
                (_, kind) => kind,
            });
        }
        let Scan { tokens, blanks, missing_value, .. } = scan;
        Ok(Self { parsable: blank(text, blanks), tokens, positions, missing_value })
    }
}

/// An open bracket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    /// The bracket of arguments or of an input object.
    Named(Expected),
    List,
    /// The bracket of variable definitions.
    Variables,
    Selections,
}

/// The token that is expected next in arguments and input objects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Name,
    Colon,
    Value,
}

struct Scan<'a> {
    positions: &'a Positions,
    limits: &'a DocumentLimits,
    tokens: usize,
    open: Vec<Bracket>,
    /// The ranges of bytes that are replaced by spaces.
    blanks: Vec<(usize, usize)>,
    missing_value: Option<(usize, Error)>,
}

impl Scan<'_> {
    fn token(&mut self, token: &Token<'_>) -> Result<(), Error> {
        if token.kind() == TokenKind::Eof {
            return Ok(());
        }
        self.tokens += 1;
        if self.tokens > self.limits.tokens {
            let message = format!(
                "the document has more than the maximum of {} tokens (MEMBERBASE_MAX_TOKENS)",
                self.limits.tokens
            );
            return Err(self.over(token, message));
        }
        let length = token.data().len();
        if token.kind() == TokenKind::Name && length > MAX_NAME_BYTES {
            let message = format!("a name has {length} bytes, at most {MAX_NAME_BYTES} are allowed");
            return Err(self.over(token, message));
        }
        Ok(())
    }

    fn bracket(&mut self, token: &Token<'_>) -> Result<(), Error> {
        let bracket = match (token.kind(), self.open.last()) {
            (TokenKind::RParen | TokenKind::RBracket | TokenKind::RCurly, bracket) => {
                if bracket == Some(&Bracket::Named(Expected::Colon)) {
                    self.miss_value(token);
                }
                self.open.pop();
                self.value_ends();
                return Ok(());
            }
            (TokenKind::LParen, _) => Bracket::Named(Expected::Name),
            (TokenKind::LBracket, _) => Bracket::List,
            (TokenKind::LCurly, Some(Bracket::Named(_) | Bracket::List | Bracket::Variables)) => {
                Bracket::Named(Expected::Name)
            }
            (TokenKind::LCurly, _) => Bracket::Selections,
            _ => {
                self.argument(token);
                return Ok(());
            }
        };
        if self.open.len() == self.limits.bracket_depth {
            let message = format!(
                "brackets are nested deeper than the maximum of {} (MEMBERBASE_MAX_BRACKET_DEPTH)",
                self.limits.bracket_depth
            );
            return Err(self.over(token, message));
        }
        self.open.push(bracket);
        Ok(())
    }

    /// Follows the names, colons and values of arguments and input fields
    /// (<https://spec.graphql.org/draft/#sec-Language.Arguments>): apollo-parser 0.8 ignores a name without a value.
    fn argument(&mut self, token: &Token<'_>) {
        let Some(Bracket::Named(expected)) = self.open.last().copied() else { return };
        let next = match (expected, token.kind()) {
            (Expected::Name, TokenKind::Dollar) => Bracket::Variables,
            (Expected::Name, TokenKind::Name) => Bracket::Named(Expected::Colon),
            (Expected::Colon, TokenKind::Colon) => Bracket::Named(Expected::Value),
            (Expected::Colon, _) => return self.miss_value(token),
            (Expected::Value, TokenKind::Name | TokenKind::StringValue | TokenKind::Int | TokenKind::Float) => {
                Bracket::Named(Expected::Name)
            }
            _ => return,
        };
        self.open.pop();
        self.open.push(next);
    }

    /// Handles the end of a list or an object, which can be the value of an argument or an input field.
    fn value_ends(&mut self) {
        if let Some(Bracket::Named(expected @ Expected::Value)) = self.open.last_mut() {
            *expected = Expected::Name;
        }
    }

    fn miss_value(&mut self, token: &Token<'_>) {
        if self.missing_value.is_none() {
            let error = Error::new(Code::GraphqlParseFailed, format!("syntax error: expected :, got {}", token.data()));
            self.missing_value = Some((token.index(), self.positions.locate_offset(token.index(), error)));
        }
    }

    fn blank(&mut self, token: &Token<'_>) {
        self.blanks.push((token.index(), token.index() + token.data().len()));
    }

    /// Blanks a string that is the description of an operation, a fragment or a variable definition
    /// (<https://spec.graphql.org/September2025/#sec-Descriptions>), which apollo-parser 0.8 does not know.
    fn describe(&mut self, string: &Token<'_>, before: Option<TokenKind>, next: &Token<'_>) {
        let is_description = match self.open.as_slice() {
            [] => {
                let begins = matches!(before, None | Some(TokenKind::RCurly));
                begins && matches!(next.data(), "query" | "mutation" | "subscription" | "fragment")
            }
            [Bracket::Variables | Bracket::Named(Expected::Name)] => {
                // A string after these tokens is not a description.
                let is_value =
                    matches!(before, Some(TokenKind::Eq | TokenKind::Colon | TokenKind::Dollar | TokenKind::At));
                !is_value && next.kind() == TokenKind::Dollar
            }
            _ => false,
        };
        if is_description {
            self.blank(string);
        }
    }

    fn over(&self, token: &Token<'_>, message: String) -> Error {
        self.positions.locate_offset(token.index(), Error::new(Code::LimitExceeded, message))
    }
}

/// Returns the error for a count above its limit.
pub(super) fn over(what: &str, count: usize, unit: &str, limit: usize, setting: &str) -> Error {
    let message = format!("the {what} has {count} {unit}, at most {limit} are allowed ({setting})");
    Error::new(Code::LimitExceeded, message)
}

/// Replaces ranges by as many spaces.
fn blank(text: &str, mut ranges: Vec<(usize, usize)>) -> String {
    ranges.sort_unstable();
    let mut blanked = String::with_capacity(text.len());
    let mut end = 0;
    for (from, to) in ranges {
        blanked.push_str(&text[end..from]);
        blanked.extend(std::iter::repeat_n(' ', to - from));
        end = to;
    }
    blanked.push_str(&text[end..]);
    blanked
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::operation("\"a b\" query Q { c }", "      query Q { c }")]
    #[case::block("\"\"\"a\"\"\"\nfragment F on T { c }", "       \nfragment F on T { c }")]
    #[case::second("{ c } # \n \"x\" mutation { c }", "{ c }   \n     mutation { c }")]
    #[case::variables("query(\"x\" $a: Int = 1, \"y\" $b: Int) { c }", "query(    $a: Int = 1      $b: Int) { c }")]
    #[case::default_value("query($a: String = \"x\" $b: Int) { c }", "query($a: String = \"x\" $b: Int) { c }")]
    #[case::shorthand("\"x\" { c }", "\"x\" { c }")]
    #[case::argument("{ c(a: \"x\" b: $b) }", "{ c(a: \"x\" b: $b) }")]
    #[case::name("query($\"x\" $b: Int) { c }", "query($\"x\" $b: Int) { c }")]
    #[case::no_type("query($a \"x\" $b: Int) { c }", "query($a \"x\" $b: Int) { c }")]
    #[case::directive("query($a: Int @d \"x\" $b: Int) { c }", "query($a: Int @d     $b: Int) { c }")]
    #[case::misplaced("query \"x\" query { c }", "query \"x\" query { c }")]
    #[case::unterminated("\"x query { c }", "\"x query { c }")]
    fn descriptions_are_blanked(#[case] text: &str, #[case] expected: &str) {
        let Ok(scanned) = Text::scan(text, &DocumentLimits::default()) else { panic!("within the limits") };
        assert_eq!(scanned.parsable, expected);
    }

    #[rstest]
    #[case("{ a(b) }", 6)]
    #[case("{ a(b: 1 c) }", 11)]
    #[case("{ a(b: {c}) }", 10)]
    #[case("{ a(b: [{c: [1] d}]) }", 18)]
    #[case("query($v: I = {c} @d(e)) { a }", 17)]
    #[case("{ a @b(c d: 1) }", 10)]
    fn name_without_value_is_found(#[case] text: &str, #[case] column: usize) {
        let Ok(Text { missing_value: Some((_, error)), .. }) = Text::scan(text, &DocumentLimits::default()) else {
            panic!("{text} is accepted")
        };
        assert_eq!((error.code(), error.locations()[0].column), (Code::GraphqlParseFailed, column), "{error:?}");
    }

    #[rstest]
    #[case(
        "query Q($v: [I!]! = [{a: 1, b: {c: $d}}] @e(f: \"\"\"g\"\"\"), $w: J = h) @i(j: k) { l(m: $v n: [o, {p: [q]}] r: -1.5) { s } }"
    )]
    #[case("{ a(b: true c: null d: E) { f } g(h: {}) }")]
    fn names_with_values_are_accepted(#[case] text: &str) {
        assert!(Text::scan(text, &DocumentLimits::default()).is_ok_and(|text| text.missing_value.is_none()));
    }

    #[test]
    fn ignored_tokens_are_not_counted() {
        let Ok(scanned) = Text::scan("\u{feff}{ a, # b\n c(d: \"e\") }", &DocumentLimits::default()) else { panic!() };
        assert_eq!(scanned.tokens, 9);
    }
}
