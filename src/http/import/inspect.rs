//! `/import?inspect=true`: says what a file is by its beginning, how it can be imported, and what its first rows become.

use std::{
    io::{self, Read},
    sync::Arc,
    time::Instant,
};

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::{sync::oneshot, time::timeout_at};
use tracing::Instrument;

use super::{
    BUFFER_BYTES,
    body::{self, BodyReader, Incoming},
    ending::{Ending, panicked},
    event::{DeclaredAttribute, Failure},
    parameters::InspectionParameters,
    reading::extended,
    rejected::{MAX_ROW_ERRORS, fault, shown},
};
use crate::{
    domain::{
        attribute::{AttributeType, Schema},
        member::bulk_upsert::{self, row_errors},
    },
    graphql::{Code, MemberInput},
    http::{Service, compute, expand::Expander, permits::Permit, rejection::Rejection},
    members_file::{
        RowFault,
        columns::{ColumnNames, Mapping},
        content,
        inspect::{BEGINNING_BYTES, Column, Inspection, inspect},
        rows::{Next, ReadError, Row, Rows},
        source,
    },
};

/// Maximum number of rows that are shown.
const MAX_ROWS: usize = 20;

/// The response.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    format: String,
    encoding: &'static str,
    columns: Vec<ColumnDescription>,
    /// The attributes that an import would declare, if that was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    declared: Option<Vec<DeclaredAttribute>>,
    /// The parameters with which the file can be imported.
    parameters: Vec<(&'static str, String)>,
    /// The first rows as these parameters read them.
    rows: Vec<RowDescription>,
    /// Why the file can't be imported with these parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize)]
struct ColumnDescription {
    name: String,
    /// The type of its values; null if it has none.
    r#type: Option<&'static str>,
    samples: Vec<String>,
    /// `ref`, `sourceUpdatedAt` or the key of an attribute; null if the column is left out.
    key: Option<String>,
}

#[derive(Serialize)]
struct RowDescription {
    line: u64,
    /// The member, or the cells or the text of a row that is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<RowFaultDescription>,
}

#[derive(Serialize)]
struct RowFaultDescription {
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    code: String,
    message: String,
    path: Vec<String>,
}

/// An inspection that was requested.
pub(super) struct InspectionJob {
    pub(super) parameters: InspectionParameters,
    pub(super) schema: Schema,
    pub(super) started: Instant,
    /// Held while the thread works.
    pub(super) permit: Permit,
}

impl Service {
    /// Inspects the beginning of a file, and returns the response.
    pub(super) async fn inspect(
        self: &Arc<Self>,
        job: InspectionJob,
        incoming: Incoming,
        expander: Option<Expander>,
    ) -> Result<Vec<u8>, Rejection> {
        let InspectionJob { parameters, schema, started, permit } = job;
        let budget = self.open_budget(true, started).await?;
        budget.reserve(BUFFER_BYTES).await?;
        let ending = Arc::new(Ending::new(self.stopping.clone()));
        let (receiving, reader) = body::receive(incoming, Arc::clone(&ending), expander);
        let receiving = self.tasks.spawn(receiving.in_current_span());
        let (sender, described) = oneshot::channel();
        compute::spawn_blocking(move || {
            let _permit = permit;
            // The receiver is gone if the client has disconnected.
            let _ = sender.send(budget.measure(|| describe(reader, parameters, &schema)));
        });
        let deadline = started + self.app.limits.time.query;
        let described = match timeout_at(deadline.into(), described).await {
            Ok(described) => described.unwrap_or_else(|_| Err(panicked())),
            Err(_) => Err(Failure::new(Code::Timeout, "the file was not received within the time limit of a query")),
        };
        let described = described.map_err(|failure| ending.first_failure(failure));
        ending.finish();
        receiving.abort();
        let description =
            described.map_err(|failure| Rejection::with_status(failure.status(), failure.code, failure.message))?;
        Ok(serde_json::to_vec(&description).expect("texts and numbers are JSON"))
    }
}

fn describe(reader: BodyReader, parameters: InspectionParameters, schema: &Schema) -> Result<Description, Failure> {
    let InspectionParameters { mapping, declare, given, .. } = parameters;
    let mapping = Mapping { schema: schema.definitions().to_vec(), ..mapping };
    let (begin, goes_on) = beginning(reader).map_err(|error| unreadable(&ReadError::Io(error)))?;
    let (mut inspection, text) = inspect(&begin, goes_on, &given, &mapping);
    let is_utf_16 = [UTF_16LE, UTF_16BE].contains(&inspection.encoding);
    let foreign = content::foreign_in_any_encoding(&begin).or_else(|| content::foreign(&begin).filter(|_| !is_utf_16));
    if let Some(message) = foreign {
        return Err(unreadable(&ReadError::Damaged(message)));
    }
    let (declared, problem) = match inspection.undeclared(&inspection.mapping(&mapping), true) {
        _ if !declare => (None, None),
        Ok(definitions) => (Some(definitions), None),
        Err(message) => (None, Some(message)),
    };
    let schema = extended(schema, declared.as_deref().unwrap_or_default())?;
    let mapping = Mapping { schema: schema.definitions().to_vec(), ..mapping };
    if declared.is_some() {
        inspection.assign_declared(&mapping);
    }
    let mapping = inspection.mapping(&mapping);
    let (rows, problem) = match (problem, Rows::new(inspection.format, source::of_text(&text), &mapping)) {
        (None, Ok(rows)) => first_rows(rows, &schema),
        (Some(problem), _) => (Vec::new(), Some(problem)),
        (None, Err(error)) => (Vec::new(), Some(error.to_string())),
    };
    let columns = |column: &Column| ColumnDescription {
        name: column.name.clone(),
        r#type: column.kind.map(AttributeType::name),
        samples: column.samples.clone(),
        key: column.target.clone(),
    };
    Ok(Description {
        format: name(&inspection.format),
        encoding: inspection.encoding.name(),
        columns: inspection.columns.iter().map(columns).collect(),
        parameters: suggested(&inspection, &mapping, declared.as_ref().is_some_and(|new| !new.is_empty())),
        declared: declared.map(|definitions| definitions.iter().map(DeclaredAttribute::from).collect()),
        rows,
        problem,
    })
}

/// Reads the beginning of the unpacked file, and returns whether there is more.
fn beginning(reader: BodyReader) -> io::Result<(Vec<u8>, bool)> {
    let mut input = source::receive_unpacked(reader)?.take(BEGINNING_BYTES as u64 + 1);
    let mut begin = Vec::new();
    let read = input.read_to_end(&mut begin);
    let goes_on = begin.len() > BEGINNING_BYTES || read.is_err();
    begin.truncate(BEGINNING_BYTES);
    match read {
        // The beginning of a packed file is cut somewhere.
        Err(error) if begin.is_empty() => Err(error),
        _ => Ok((begin, goes_on)),
    }
}

/// Reads the first rows, and returns the reason why reading has ended if it is not the end of the beginning.
fn first_rows(mut rows: Rows, schema: &Schema) -> (Vec<RowDescription>, Option<String>) {
    let columns = rows.column_names();
    let (mut row, mut described) = (Row::default(), Vec::new());
    while described.len() < MAX_ROWS {
        let is_row = match rows.next(&mut row) {
            Ok(Next::End) => break,
            Ok(next) => next == Next::Row,
            Err(error) => return (described, Some(error.to_string())),
        };
        let faults: Vec<_> = match row.fault.take() {
            Some(fault) => vec![fault],
            None if is_row => errors(&row.json, schema),
            None => Vec::new(),
        };
        let json = if row.text.is_empty() { &row.json } else { &row.text };
        described.push(RowDescription {
            line: row.line,
            row: shown(json).map(ToOwned::to_owned),
            errors: faults.into_iter().map(|fault| described_fault(fault, &columns)).collect(),
        });
    }
    (described, None)
}

fn errors(json: &[u8], schema: &Schema) -> Vec<RowFault> {
    match serde_json::from_slice::<MemberInput>(json) {
        Ok(input) => {
            let row = bulk_upsert::Row::from(input);
            row_errors(schema, &row).take(MAX_ROW_ERRORS).map(|error| fault(&error)).collect()
        }
        Err(_) => Vec::new(),
    }
}

fn described_fault(fault: RowFault, columns: &ColumnNames) -> RowFaultDescription {
    let RowFault { code, message, path } = fault;
    RowFaultDescription { column: columns.of(&path).map(str::to_owned), code, message, path }
}

/// Returns the parameters with which the file can be imported.
fn suggested(inspection: &Inspection, mapping: &Mapping, declares: bool) -> Vec<(&'static str, String)> {
    let mut parameters = vec![("format", name(&inspection.format))];
    if inspection.encoding != UTF_8 {
        parameters.push(("encoding", inspection.encoding.name().to_ascii_lowercase()));
    }
    if let Some(delimiter) = inspection.delimiter {
        parameters.push(("delimiter", delimiter.name()));
    }
    if !inspection.has_header {
        parameters.push(("header", "false".to_owned()));
    }
    parameters.extend(mapping.map.iter().map(|(key, column)| ("map", format!("{key}={column}"))));
    parameters.extend(mapping.ignored.iter().map(|column| ("ignore", column.clone())));
    if declares {
        parameters.push(("declare", "true".to_owned()));
    }
    if mapping.ignore_unknown {
        parameters.push(("ignoreUnknownColumns", "true".to_owned()));
    }
    if let Some(decimal) = &inspection.decimal {
        parameters.push(("decimal", name(decimal)));
    }
    if let Some(order) = &inspection.date_order {
        parameters.push(("dateOrder", name(order)));
    }
    parameters
}

/// Returns the name of a value as a parameter has it.
fn name(value: &impl clap::ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn unreadable(error: &ReadError) -> Failure {
    Failure::new(Code::BadUserInput, error.to_string())
}
