//! `memberbase export`: writes the members of a memberbase to a file or to stdout. It is a client of `GET /export`.

mod output;

use std::{
    io::{self, Write},
    sync::Arc,
};

use clap::ValueEnum;
use reqwest::Method;
use serde_json::{Value, json};

use self::output::Output;
use super::{
    Error,
    api::{Client, Failure, StreamedResponse},
    print_notice,
};
use crate::{
    cli::Export,
    members_file::{
        self, Format, Packing,
        writer::{OutputForm, OutputFormat},
    },
};

pub(super) async fn run(settings: Export) -> Result<(), Error> {
    let (packing, from_name) =
        settings.output.as_deref().map_or((Packing::None, Some(Format::Ndjson)), members_file::packing_and_format);
    let from_name = match from_name {
        Some(Format::Csv) => Some(OutputFormat::Csv),
        Some(Format::Ndjson) => Some(OutputFormat::Ndjson),
        // A name without an extension should not mean that the attributes are left out.
        Some(Format::Lines) | None => None,
    };
    let format = settings
        .format
        .or(from_name)
        .ok_or_else(|| Error::Usage("can't infer the format from the file's extension: set --format".to_owned()))?;
    let parameters = parameters(&settings, format)?;
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let client = Client::open(&settings.api, &settings.database, Arc::new(|text: &str| print_notice(text))).await?;
    let outcome = client.retry(|| export(&client, &settings, &parameters, packing)).await;
    client.close().await;
    Ok(outcome?)
}

/// Returns the parameters of the request.
fn parameters(settings: &Export, format: OutputFormat) -> Result<Vec<(&'static str, String)>, Error> {
    let Export { memberbase, columns, delimiter, bom, escape_formulas, .. } = settings;
    let form =
        OutputForm { format, delimiter: *delimiter, bom: bom.then_some(true), escapes_formulas: *escape_formulas };
    form.check().map_err(|_| {
        Error::Usage("--delimiter, --bom and --escape-formulas are for --format csv and --format excel".to_owned())
    })?;
    let mut parameters = vec![("memberbase", memberbase.clone())];
    parameters.extend(format.to_possible_value().map(|value| ("format", value.get_name().to_owned())));
    parameters.extend(columns.iter().map(|names| ("columns", names.clone())));
    parameters.extend(delimiter.map(|delimiter| ("delimiter", delimiter.name())));
    parameters.extend(form.bom.map(|bom| ("bom", bom.to_string())));
    if form.escapes_formulas {
        parameters.push(("escapeFormulas", true.to_string()));
    }
    parameters.extend(filter(settings)?.map(|filter| ("filter", filter.to_string())));
    Ok(parameters)
}

/// Returns the filter that combines `--ref-prefix` and `--filter`.
fn filter(settings: &Export) -> Result<Option<Value>, Error> {
    let prefix = settings.ref_prefix.as_ref().map(|prefix| json!({"ref": {"startsWith": prefix}}));
    let filter = settings.filter.as_deref().map(serde_json::from_str::<serde_json::Map<String, Value>>).transpose();
    let filter = filter
        .map_err(|error| Error::Usage(format!("--filter has to be an object in JSON: {error}")))?
        .map(Value::from);
    Ok(match (prefix, filter) {
        (Some(prefix), Some(filter)) => Some(json!({"and": [prefix, filter]})),
        (prefix, filter) => prefix.or(filter),
    })
}

/// Makes one attempt. A failure after the beginning is transient only if nothing of the output remains.
async fn export(
    client: &Client,
    settings: &Export,
    parameters: &[(&str, &str)],
    packing: Packing,
) -> Result<(), Failure> {
    let response = client.send(Method::GET, "export", parameters, "").await?;
    let response = response.ensure_success().await?;
    let mut output = Output::open(settings.output.as_deref(), packing).map_err(|error| failed(settings, &error))?;
    match write(response, &mut output).await {
        Ok(()) => {}
        // The reader of stdout has closed the pipe, which is not an error.
        Err(Interruption::Output(error)) if is_closed_pipe(settings, &error) => return Ok(()),
        Err(Interruption::Output(error)) => return Err(failed(settings, &error)),
        Err(Interruption::Response { failure, is_begun }) if is_begun && !output.is_temporary() => {
            return Err(Failure::Broken(format!("the output is incomplete: {failure}")));
        }
        Err(Interruption::Response { failure, .. }) => return Err(failure),
    }
    match output.finish() {
        Err(error) if is_closed_pipe(settings, &error) => Ok(()),
        finished => finished.map_err(|error| failed(settings, &error)),
    }
}

/// The reason why an output is not complete.
enum Interruption {
    Output(io::Error),
    Response {
        failure: Failure,
        /// True if a part of the response was written.
        is_begun: bool,
    },
}

async fn write(mut response: StreamedResponse, output: &mut Output) -> Result<(), Interruption> {
    let mut is_begun = false;
    loop {
        match response.next().await {
            Ok(Some(piece)) => output.write_all(&piece).map_err(Interruption::Output)?,
            Ok(None) => return Ok(()),
            Err(failure) => return Err(Interruption::Response { failure, is_begun }),
        }
        is_begun = true;
    }
}

fn is_closed_pipe(settings: &Export, error: &io::Error) -> bool {
    settings.output.is_none() && error.kind() == io::ErrorKind::BrokenPipe
}

fn failed(settings: &Export, error: &io::Error) -> Failure {
    let output = settings.output.as_deref().map_or_else(|| "the output".to_owned(), |file| file.display().to_string());
    Failure::Broken(format!("can't write {output}: {error}"))
}
