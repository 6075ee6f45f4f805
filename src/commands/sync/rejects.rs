//! Collects invalid rows: counts them, keeps the first ones for the summary, and writes all of them to the file of
//! `--rejects`.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use csv::Writer;

use crate::{
    members_file::{INVALID_REF, RowFault},
    types::private_file,
};

/// How many are told at the end.
const TOLD: usize = 10;

/// The bad rows of a run.
pub(super) struct Rejects(Mutex<State>);

struct State {
    file: Option<Writer<File>>,
    count: u64,
    /// The number of rows that can't be attributed to a member.
    unattributed: u64,
    /// The number of rows that were not sent.
    unsent: u64,
    /// By line, for the lanes end in no order.
    first: Vec<(u64, String)>,
}

impl Rejects {
    /// Makes the file, which has its header alone where no row is bad.
    pub(super) fn new(file: Option<&Path>) -> io::Result<Self> {
        let file = file.map(|file| private_file().truncate(true).open(file)).transpose()?;
        let mut file = file.map(Writer::from_writer);
        if let Some(file) = &mut file {
            file.write_record(["line", "ref", "field", "code", "message"])?;
            file.flush()?;
        }
        Ok(Self(Mutex::new(State { file, count: 0, unattributed: 0, unsent: 0, first: Vec::new() })))
    }

    /// Adds a row. One without a ref was not sent.
    pub(super) fn add(&self, line: u64, reference: Option<&str>, fault: &RowFault) -> io::Result<()> {
        let mut state = self.state();
        state.count += 1;
        state.unsent += u64::from(reference.is_none());
        // The API and this program may not agree about what a ref may be.
        state.unattributed += u64::from(reference.is_none() || fault.code == INVALID_REF);
        let field = fault.path.join(".");
        if let Some(file) = &mut state.file {
            let line = line.to_string();
            file.write_record([&*line, reference.unwrap_or_default(), &field, &fault.code, &fault.message])?;
        }
        let told = if field.is_empty() { fault.message.clone() } else { format!("{field}: {}", fault.message) };
        let place = state.first.partition_point(|(other, _)| *other <= line);
        if place < TOLD {
            state.first.insert(place, (line, told));
            state.first.truncate(TOLD);
        }
        Ok(())
    }

    /// Sees to it that all are in the file.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.state().file.as_mut().map_or(Ok(()), Writer::flush)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.state().count
    }

    /// Returns the number of rows that can't be attributed to a member.
    pub(super) fn unattributed(&self) -> u64 {
        self.state().unattributed
    }

    /// Returns the number of rows that were not sent.
    pub(super) fn unsent(&self) -> u64 {
        self.state().unsent
    }

    /// The first of them, a line each.
    pub(super) fn told(&self) -> Vec<String> {
        let state = self.state();
        let mut told: Vec<_> = state.first.iter().map(|(line, why)| format!("line {line}: {why}")).collect();
        let more = state.count - told.len() as u64;
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        told
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_in_the_file_and_the_first_are_told() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let rejects = Rejects::new(Some(file.path())).expect("a file");
        let fault = |path: &[&str]| RowFault {
            code: "INVALID_VALUE".to_owned(),
            message: "no, \"really\"".to_owned(),
            path: path.iter().map(|step| (*step).to_owned()).collect(),
        };
        for line in (1..=12).rev() {
            rejects.add(line, (line > 1).then_some("a,b"), &fault(&["attributes", "age"])).expect("written");
        }
        assert_eq!((rejects.unattributed(), rejects.unsent()), (1, 1));
        let of_ref = RowFault { code: INVALID_REF.to_owned(), ..RowFault::default() };
        rejects.add(13, Some("sent"), &of_ref).expect("written");
        assert_eq!((rejects.unattributed(), rejects.unsent()), (2, 1));
        rejects.flush().expect("written");
        let text = std::fs::read_to_string(file.path()).expect("a file");
        assert_eq!(text.lines().count(), 14);
        assert!(text.starts_with(
            "line,ref,field,code,message\n12,\"a,b\",attributes.age,INVALID_VALUE,\"no, \"\"really\"\"\"\n"
        ));
        assert!(text.contains("\n1,,attributes.age,INVALID_VALUE,\"no, \"\"really\"\"\"\n"));
        let told = rejects.told();
        assert_eq!(
            (told.len(), told[0].as_str(), told[10].as_str()),
            (11, "line 1: attributes.age: no, \"really\"", "and 3 more")
        );
    }
}
