//! The rows of a batch.

use std::mem;

use crate::members_file::{RowFault, rows::Row};

/// Number of bytes at which a batch ends, too.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// Rows that are stored together.
#[derive(Debug, Default)]
pub(in crate::http::import) struct Batch {
    /// The `MemberInput`s, one after another.
    pub(super) json: Vec<u8>,
    origins: Vec<RowOrigin>,
    faults: Vec<KnownFault>,
    /// Rows that are not stored, because they can't be attributed to a member.
    unattributed: Vec<UnattributedRow>,
    /// Size of the texts of `faults` and `unattributed`.
    fault_bytes: usize,
    /// The number of the first row in the file, from 0.
    pub(super) first_row: u64,
}

#[derive(Debug)]
struct RowOrigin {
    line: u64,
    /// The end of the row in [`Batch::json`].
    end: usize,
}

/// The error of a row that was found while it was read.
#[derive(Debug)]
pub(in crate::http::import) struct KnownFault {
    index: usize,
    pub(in crate::http::import) fault: RowFault,
    /// The row in the file ([`Row::text`]).
    pub(in crate::http::import) text: Vec<u8>,
}

/// A row that can't be attributed to a member.
#[derive(Debug)]
pub(in crate::http::import) struct UnattributedRow {
    pub(in crate::http::import) line: u64,
    pub(in crate::http::import) reference: String,
    pub(in crate::http::import) fault: RowFault,
    /// The row in the file ([`Row::text`]), or the member as it was read.
    pub(in crate::http::import) text: Vec<u8>,
}

impl UnattributedRow {
    /// Takes the row that was read.
    pub(in crate::http::import) fn take(row: &mut Row) -> Self {
        let text = mem::take(if row.text.is_empty() { &mut row.json } else { &mut row.text });
        let fault = row.fault.take().unwrap_or_default();
        Self { line: row.line, reference: mem::take(&mut row.reference), fault, text }
    }
}

impl Batch {
    /// Returns the number of rows that are attributed to members.
    pub(in crate::http::import) fn len(&self) -> usize {
        self.origins.len()
    }

    /// Returns the number of bytes of the rows.
    pub(in crate::http::import) fn bytes(&self) -> usize {
        self.json.len()
    }

    /// Returns the JSON of each row.
    pub(in crate::http::import) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.row(index))
    }

    pub(in crate::http::import) fn row(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.origins[before].end);
        &self.json[start..self.origins[index].end]
    }

    /// Returns the line of a row in the file.
    pub(in crate::http::import) fn line(&self, index: usize) -> u64 {
        self.origins[index].line
    }

    /// Returns the error of a row that was found while it was read.
    pub(in crate::http::import) fn known_fault(&self, index: usize) -> Option<&KnownFault> {
        let place = self.faults.binary_search_by_key(&index, |known| known.index).ok()?;
        self.faults.get(place)
    }

    pub(in crate::http::import) fn unattributed(&self) -> &[UnattributedRow] {
        &self.unattributed
    }

    /// Returns the number of the first row in the file, from 0.
    pub(in crate::http::import) fn first_row(&self) -> u64 {
        self.first_row
    }

    pub(super) fn is_empty(&self) -> bool {
        self.origins.is_empty() && self.unattributed.is_empty()
    }

    pub(super) fn push(&mut self, row: &mut Row) {
        self.json.extend_from_slice(&row.json);
        if let Some(fault) = row.fault.take() {
            let text = mem::take(&mut row.text);
            self.fault_bytes += text.len() + fault.message.len();
            self.faults.push(KnownFault { index: self.len(), fault, text });
        }
        self.origins.push(RowOrigin { line: row.line, end: self.json.len() });
    }

    pub(super) fn push_unattributed(&mut self, row: UnattributedRow) {
        self.fault_bytes += row.text.len() + row.fault.message.len() + row.reference.len();
        self.unattributed.push(row);
    }

    pub(super) fn is_full(&self, max_rows: usize) -> bool {
        self.len() + self.unattributed.len() >= max_rows || self.json.len() + self.fault_bytes >= MAX_BYTES
    }

    pub(super) fn clear(&mut self) {
        self.json.clear();
        self.origins.clear();
        self.faults.clear();
        self.unattributed.clear();
        self.fault_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_fault_belongs_to_its_row() {
        let mut batch = Batch::default();
        for line in 0..3 {
            let fault = (line == 1).then(|| RowFault { message: "no".to_owned(), ..RowFault::default() });
            batch.push(&mut Row { line, json: b"{}".into(), text: b"[]".into(), fault, ..Row::default() });
        }
        assert!(batch.known_fault(0).is_none() && batch.known_fault(2).is_none());
        let known = batch.known_fault(1).expect("a fault");
        assert_eq!((&*known.fault.message, &*known.text, batch.row(2)), ("no", &b"[]"[..], &b"{}"[..]));
    }
}
