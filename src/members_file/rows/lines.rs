//! Reads one ref per line. A carriage return before the line feed is not part of the ref, and an empty line is skipped.

use super::{Next, ReadError, Row, Source, TextLines, fault};
use crate::members_file::{INVALID_REF, cell};

pub(crate) struct LineRows(TextLines);

impl LineRows {
    pub(super) fn new(source: Source) -> Self {
        Self(TextLines::new(source))
    }

    pub(super) fn next(&mut self, row: &mut Row) -> Result<Next, ReadError> {
        while let Some((line, text)) = self.0.next()? {
            if text.is_empty() {
                continue;
            }
            row.line = line;
            if text.contains('\r') {
                // Old programs of the Mac end lines so: it may be several refs.
                cell::string(text, &mut row.text);
                row.fault =
                    Some(fault(INVALID_REF, "it holds a carriage return; lines end with \\n or \\r\\n", &["ref"]));
                return Ok(Next::Nobody);
            }
            row.reference.push_str(text);
            row.json.extend_from_slice(b"{\"ref\":");
            cell::string(text, &mut row.json);
            row.json.push(b'}');
            return Ok(Next::Row);
        }
        Ok(Next::End)
    }
}

#[cfg(test)]
mod tests {
    use crate::members_file::{Format, columns::Mapping, rows};

    fn told(text: &[u8]) -> Vec<String> {
        rows::told(Format::Lines, text, &Mapping::default())
    }

    #[test]
    fn a_line_is_a_ref() {
        let expected = [r#"1: {"ref":"ann"}"#, r#"3: {"ref":" b\"en "}"#, r#"4: {"ref":"\\N"}"#, r#"5: {"ref":"é"}"#];
        assert_eq!(told("ann\r\n\n b\"en \n\\N\né".as_bytes()), expected);
        assert_eq!(told(b""), [""; 0]);
    }

    #[test]
    fn a_line_that_can_t_be_a_ref_is_bad() {
        let expected = ["1: ref holds a NUL character", "2: it holds a carriage return; lines end with \\n or \\r\\n"];
        assert_eq!(told(b"a\0\nann\rben\n"), expected);
        assert_eq!(told(&[b'x'; 1025]), ["1: ref has 1025 bytes; a ref has 1 to 1024"]);
    }

    #[test]
    fn what_is_not_text_ends_the_reading() {
        assert_eq!(
            told(b"ann\nb\xffn\ncid"),
            [
                r#"1: {"ref":"ann"}"#,
                "line 2 is not UTF-8: encoding=windows-1252 reads what many Windows programs write"
            ]
        );
        assert_eq!(told(&vec![b'x'; 5 << 20]), ["line 1 is longer than 4 MiB: is it a file of members?"]);
    }
}
