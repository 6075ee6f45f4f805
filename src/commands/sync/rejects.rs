//! Collects rejected rows: keeps the first ones for the summary, and writes all of them to the file of `--rejects`.

use std::{
    collections::HashSet,
    fs::File,
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use csv::Writer;

use super::events::{Problem, Rejected};
use crate::{commands::input::with_options, types::private_file};

/// Maximum number of rows that the summary lists.
const MAX_LISTED: usize = 10;

/// The rejected rows of a run.
pub(super) struct Rejects(Mutex<State>);

struct State {
    file: Option<Writer<File>>,
    /// The lines of the rows. Another attempt reports a row again.
    lines: HashSet<u64>,
    /// The first rows, by line.
    first: Vec<(u64, String)>,
}

impl Rejects {
    /// Creates the file, which has only its header if no row is rejected.
    pub(super) fn new(file: Option<&Path>) -> io::Result<Self> {
        let file = file.map(|file| private_file().truncate(true).open(file)).transpose()?;
        let mut file = file.map(Writer::from_writer);
        if let Some(file) = &mut file {
            file.write_record(["line", "ref", "field", "code", "message"])?;
            file.flush()?;
        }
        Ok(Self(Mutex::new(State { file, lines: HashSet::new(), first: Vec::new() })))
    }

    /// Adds a row with all its errors, unless it was added before.
    pub(super) fn add(&self, row: &Rejected) -> io::Result<()> {
        let Rejected { line, reference, problem, more } = row;
        let mut state = self.state();
        if !state.lines.insert(*line) {
            return Ok(());
        }
        if let Some(file) = &mut state.file {
            let reference = reference.as_deref().unwrap_or_default();
            for Problem { code, message, path } in [problem].into_iter().chain(more) {
                let message = with_options(message);
                file.write_record([&*line.to_string(), reference, &path.join("."), code, &message])?;
            }
        }
        let field = problem.path.join(".");
        let message = with_options(&problem.message);
        let message = if field.is_empty() { message } else { format!("{field}: {message}") };
        let place = state.first.partition_point(|(other, _)| other <= line);
        if place < MAX_LISTED {
            state.first.insert(place, (*line, message));
            state.first.truncate(MAX_LISTED);
        }
        Ok(())
    }

    /// Writes what is not in the file yet.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.state().file.as_mut().map_or(Ok(()), Writer::flush)
    }

    /// Returns the number of rows.
    pub(super) fn count(&self) -> u64 {
        self.state().lines.len() as u64
    }

    /// Returns the first rows, one per line of text.
    pub(super) fn listed(&self) -> Vec<String> {
        let state = self.state();
        let mut listed: Vec<_> = state.first.iter().map(|(line, message)| format!("line {line}: {message}")).collect();
        let more = state.lines.len() - listed.len();
        if more > 0 {
            listed.push(format!("and {more} more"));
        }
        listed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(path: &[&str]) -> Problem {
        let path = path.iter().map(|step| (*step).to_owned()).collect();
        Problem { code: "INVALID_VALUE".to_owned(), message: "no, \"really\"".to_owned(), path }
    }

    #[test]
    fn all_rows_are_in_the_file_and_the_first_are_listed() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let rejects = Rejects::new(Some(file.path())).expect("a file");
        for line in (1..=12).rev().chain([7]) {
            let reference = (line > 1).then(|| "a,b".to_owned());
            let problem = problem(&["attributes", "age"]);
            rejects.add(&Rejected { line, reference, problem, more: Vec::new() }).expect("written");
        }
        let more = vec![problem(&["attributes", "plan"])];
        rejects.add(&Rejected { line: 13, reference: None, problem: problem(&[]), more }).expect("written");
        rejects.flush().expect("written");
        let text = std::fs::read_to_string(file.path()).expect("a file");
        assert_eq!((text.lines().count(), rejects.count()), (15, 13));
        assert!(text.starts_with(
            "line,ref,field,code,message\n12,\"a,b\",attributes.age,INVALID_VALUE,\"no, \"\"really\"\"\"\n"
        ));
        assert!(text.contains("\n1,,attributes.age,INVALID_VALUE,\"no, \"\"really\"\"\"\n"));
        assert!(text.contains("\n13,,,INVALID_VALUE,") && text.contains("\n13,,attributes.plan,INVALID_VALUE,"));
        let listed = rejects.listed();
        assert_eq!(
            (listed.len(), listed[0].as_str(), listed[10].as_str()),
            (11, "line 1: attributes.age: no, \"really\"", "and 3 more")
        );
    }
}
