//! Locations in the text of a document (<https://spec.graphql.org/draft/#sec-Errors.Error-Result-Format>).

use apollo_compiler::parser::SourceSpan;
use async_graphql::Pos;

use crate::graphql::Error;

/// Converts byte offsets to lines and columns. A column counts UTF-16 code units, as graphql-js and editors do.
pub(in crate::graphql::execute) struct Positions {
    length: usize,
    line_starts: Vec<usize>,
    /// For each non-ASCII character, the offset after it, and the number of bytes minus the number of code units up to
    /// there.
    surplus: Vec<(usize, usize)>,
}

impl Positions {
    pub(in crate::graphql::execute) fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut line_starts = vec![0];
        for (index, byte) in bytes.iter().enumerate() {
            let ends = *byte == b'\n' || (*byte == b'\r' && bytes.get(index + 1) != Some(&b'\n'));
            if ends {
                line_starts.push(index + 1);
            }
        }
        let mut surplus = Vec::new();
        let mut total = 0;
        for (index, letter) in text.char_indices().filter(|(_, letter)| !letter.is_ascii()) {
            total += letter.len_utf8() - letter.len_utf16();
            surplus.push((index + letter.len_utf8(), total));
        }
        Self { length: text.len(), line_starts, surplus }
    }

    /// Returns the line and column of an offset, at most those of the end of the text.
    pub(in crate::graphql::execute) fn at(&self, offset: usize) -> Pos {
        let offset = offset.min(self.length);
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts[line - 1];
        Pos { line, column: self.units(offset) - self.units(start) + 1 }
    }

    /// Returns the line and column of a syntax node.
    pub(in crate::graphql::execute) fn of(&self, location: Option<SourceSpan>) -> Pos {
        self.at(location.map_or(0, |location| location.offset()))
    }

    /// Adds an offset to the locations of an error.
    pub(super) fn locate_offset(&self, offset: usize, error: Error) -> Error {
        let Pos { line, column } = self.at(offset);
        error.at(line, column)
    }

    /// Adds a syntax node to the locations of an error, if its location is known.
    pub(super) fn locate(&self, location: Option<SourceSpan>, error: Error) -> Error {
        match location {
            Some(location) => self.locate_offset(location.offset(), error),
            None => error,
        }
    }

    /// Returns the number of UTF-16 code units before an offset.
    fn units(&self, offset: usize) -> usize {
        let before = self.surplus.partition_point(|(end, _)| *end <= offset);
        offset - before.checked_sub(1).map_or(0, |last| self.surplus[last].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_code_units() {
        let text = "{a\r\n\"é😀\" b\n\rc";
        let positions = Positions::new(text);
        let at = |what: &str| {
            let Pos { line, column } = positions.at(text.find(what).expect("part of the text"));
            (line, column)
        };
        assert_eq!([at("{"), at("a"), at("\"é"), at("b"), at("c")], [(1, 1), (1, 2), (2, 1), (2, 7), (4, 1)]);
        assert_eq!(positions.at(1_000), positions.at(text.len()));
    }
}
