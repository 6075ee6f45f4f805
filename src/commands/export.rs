//! `memberbase export`: writes the members of a memberbase as NDJSON or CSV that `sync` can read.

mod output;

use std::{
    collections::HashMap,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use self::output::Output;
use super::{
    Error,
    api::{Client, Failure, Memberbase},
    print_notice,
};
use crate::{
    cli::Export,
    domain::attribute::Definition,
    members_file::{self, Format, Packing, REF, SOURCE_UPDATED_AT, cell},
};

/// The code of a page that the server does not serve because of its size.
const LIMIT_EXCEEDED: &str = "LIMIT_EXCEEDED";

const PAGE: &str = "query ($id: ID!, $filter: MemberFilter, $first: Int!, $after: String) { \
    members(memberbaseId: $id, filter: $filter, first: $first, after: $after) { \
    nodes { ref attributes sourceUpdatedAt } pageInfo { hasNextPage endCursor } } }";

#[derive(Deserialize)]
struct Response {
    members: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    nodes: Vec<Member>,
    page_info: PageInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

/// A member, as the API returns it and as a line of NDJSON.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    #[serde(rename = "ref")]
    reference: String,
    attributes: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_updated_at: Option<String>,
}

pub(super) async fn run(settings: Export) -> Result<(), Error> {
    let (packing, from_name) =
        settings.output.as_deref().map_or((Packing::None, Some(Format::Ndjson)), members_file::packing_and_format);
    let format = match settings.format.or(from_name.filter(|format| *format != Format::Lines)) {
        Some(Format::Lines) => return Err(Error::Usage("members are exported as csv or as ndjson".to_owned())),
        Some(format) => format,
        None => {
            return Err(Error::Usage("can't infer the format from the file's extension: set --format".to_owned()));
        }
    };
    let filter = filter(&settings)?;
    let client = Client::open(&settings.api, &settings.database, Arc::new(|text: &str| print_notice(text))).await?;
    let outcome = write(&client, &settings, format, packing, &filter).await;
    client.close().await;
    outcome
}

/// Returns the filter that combines `--ref-prefix` and `--filter`.
fn filter(settings: &Export) -> Result<Value, Error> {
    let mut all = Vec::new();
    if let Some(prefix) = &settings.ref_prefix {
        all.push(json!({"ref": {"startsWith": prefix}}));
    }
    if let Some(text) = &settings.filter {
        let filter: serde_json::Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| Error::Usage(format!("--filter has to be an object in JSON: {error}")))?;
        all.push(filter.into());
    }
    Ok(json!({"and": all}))
}

async fn write(
    client: &Client,
    settings: &Export,
    format: Format,
    packing: Packing,
    filter: &Value,
) -> Result<(), Error> {
    let memberbase = Memberbase::get(client, &settings.memberbase).await?;
    let output = Output::open(settings.output.as_deref(), packing).map_err(|error| failed(settings, error))?;
    let id = &memberbase.id;
    let mut first = settings.page_size;
    let mut writer = Writer::new(format, output, memberbase.attribute_schema);
    let mut after: Option<String> = None;
    loop {
        let variables = json!({"id": id, "filter": filter, "first": first, "after": after});
        let Page { nodes, page_info } = match client.call::<Response>(PAGE, variables).await {
            Ok(response) => response.members,
            // The members of the page may be too large together.
            Err(Failure::Refused(refusal)) if refusal.code == LIMIT_EXCEEDED && first > 1 => {
                first = first.div_ceil(2);
                continue;
            }
            Err(failure) => return Err(failure.into()),
        };
        match nodes.iter().try_for_each(|member| writer.member(member)) {
            // The reader of stdout has closed the pipe, which is not an error.
            Err(error) if settings.output.is_none() && error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(|error| failed(settings, error))?,
        }
        if !page_info.has_next_page || page_info.end_cursor.is_none() {
            break;
        }
        after = page_info.end_cursor;
    }
    match writer.finish() {
        Err(error) if settings.output.is_none() && error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        finished => finished.map_err(|error| failed(settings, error)),
    }
}

fn failed(settings: &Export, error: io::Error) -> Error {
    match settings.output.as_deref().map(Path::display) {
        Some(file) => Error::Refused(format!("can't write {file}: {error}")),
        None => Error::Output(error),
    }
}

enum Writer {
    Ndjson(Output),
    Csv { writer: Box<csv::Writer<Output>>, schema: Vec<Definition>, has_header: bool },
}

impl Writer {
    fn new(format: Format, output: Output, schema: Vec<Definition>) -> Self {
        if format == Format::Csv {
            Self::Csv { writer: Box::new(csv::Writer::from_writer(output)), schema, has_header: false }
        } else {
            Self::Ndjson(output)
        }
    }

    fn member(&mut self, member: &Member) -> io::Result<()> {
        match self {
            Self::Ndjson(output) => {
                serde_json::to_writer(&mut *output, member)?;
                output.write_all(b"\n")
            }
            Self::Csv { .. } => self.csv(member),
        }
    }

    fn csv(&mut self, member: &Member) -> io::Result<()> {
        self.header()?;
        let Self::Csv { writer, schema, .. } = self else { return Ok(()) };
        let attributes: HashMap<String, &RawValue> = serde_json::from_str(member.attributes.get())?;
        writer.write_field(&*cell::write(&member.reference))?;
        for Definition { key, .. } in schema {
            writer.write_field(&*cell::from_json(attributes.get(key).copied())?)?;
        }
        writer.write_field(member.source_updated_at.as_deref().unwrap_or(cell::NONE))?;
        Ok(writer.write_record(None::<&[u8]>)?)
    }

    fn header(&mut self) -> io::Result<()> {
        let Self::Csv { writer, schema, has_header } = self else { return Ok(()) };
        if std::mem::replace(has_header, true) {
            return Ok(());
        }
        writer.write_field(REF)?;
        for Definition { key, .. } in schema {
            writer.write_field(&*members_file::column_name(key))?;
        }
        writer.write_field(SOURCE_UPDATED_AT)?;
        Ok(writer.write_record(None::<&[u8]>)?)
    }

    fn finish(mut self) -> io::Result<()> {
        self.header()?;
        match self {
            Self::Ndjson(output) => output.finish(),
            Self::Csv { writer, .. } => writer.into_inner().map_err(|error| error.into_error())?.finish(),
        }
    }
}
