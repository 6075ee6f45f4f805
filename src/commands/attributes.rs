//! `memberbase attributes`: prints the attribute schema of a memberbase, and declares attributes. It is a client of the API. What
//! the columns of a file are is said by an inspection of `POST /import`.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use reqwest::Method;
use serde::Deserialize;

use super::{
    Error,
    api::{Attribute, Client, Failure, Memberbase},
    input::{file_name, with_options},
    print, print_notice,
};
use crate::{
    cli::Attributes,
    members_file::{self, Packing, inspect::BEGINNING_BYTES},
};

/// Number of bytes at the beginning of a compressed file that are sent.
const PACKED_BYTES: usize = BEGINNING_BYTES / 2;

const MAX_RESPONSE_BYTES: usize = 16 << 20;

/// The response of an inspection.
#[derive(Deserialize)]
struct Inspection {
    format: String,
    /// `None` because of the problem.
    declared: Option<Vec<Attribute>>,
    /// Why the file can't be imported as it is.
    problem: Option<String>,
}

pub(super) async fn run(settings: Attributes) -> Result<(), Error> {
    let client = Client::open(&settings.api, &settings.database, Arc::new(|text: &str| print_notice(text))).await?;
    let outcome = declare(&client, &settings).await;
    client.close().await;
    let attributes = outcome?;
    if settings.json {
        return print(serde_json::to_string(&attributes).expect("texts are JSON"));
    }
    attributes.iter().try_for_each(print)
}

/// Declares the attributes, and returns all of the memberbase.
async fn declare(client: &Client, settings: &Attributes) -> Result<Vec<Attribute>, Error> {
    let Attributes { memberbase: named, from, dry_run, .. } = settings;
    let missing = || Error::Refused(format!("there is no memberbase {named:?}"));
    let memberbase = Memberbase::find(client, named).await?.ok_or_else(missing)?;
    let of_file = match from {
        Some(file) => of_file(client, settings, &memberbase, file).await?,
        None => Vec::new(),
    };
    let given = settings
        .attributes
        .iter()
        .map(|definition| Attribute { key: definition.key.clone(), kind: definition.kind.name().to_owned() });
    // The file may have taken a while: what others have declared since stays.
    let memberbase = match from {
        Some(_) => Memberbase::find(client, &memberbase.id).await?.ok_or_else(missing)?,
        None => memberbase,
    };
    let mut attributes = memberbase.attribute_schema.clone();
    for new in of_file.into_iter().chain(given) {
        match attributes.iter_mut().find(|known| known.key == new.key) {
            Some(known) => *known = new,
            None => attributes.push(new),
        }
    }
    let declared: Vec<_> = attributes.iter().filter(|new| !memberbase.attribute_schema.contains(new)).collect();
    if !dry_run && !declared.is_empty() {
        memberbase.set_attribute_schema(client, &attributes).await?;
    }
    let what = if *dry_run { "would be declared" } else { "declared" };
    declared.iter().for_each(|new| print_notice(format_args!("{what}: {new}")));
    Ok(attributes)
}

/// Returns the attributes that the columns of a file would be.
async fn of_file(
    client: &Client,
    settings: &Attributes,
    memberbase: &Memberbase,
    file: &Path,
) -> Result<Vec<Attribute>, Error> {
    let usage = |message: &str| Error::Usage(format!("{}: {}", file_name(file), with_options(message)));
    let begin = beginning(file).map_err(|error| Error::Refused(format!("{}: {error}", file_name(file))))?;
    let mut parameters = settings.input.parameters(settings.input.format_of(file));
    let inspecting = [("memberbase", &*memberbase.id), ("inspect", "true"), ("declare", "true")];
    parameters.extend(inspecting.map(|(name, value)| (name, value.to_owned())));
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let inspect = || async {
        let response = client.send(Method::POST, "import", &parameters, begin.clone()).await?;
        response.ensure_success().await?.whole(MAX_RESPONSE_BYTES).await
    };
    let inspection = match client.retry(inspect).await {
        Err(Failure::Refused(refusal)) if ["BAD_USER_INPUT", "BAD_REQUEST"].contains(&&*refusal.code) => {
            return Err(usage(&refusal.message));
        }
        inspection => inspection?,
    };
    let Inspection { format, declared, problem } = serde_json::from_slice(&inspection)
        .map_err(|error| Error::Refused(format!("the response does not have the expected form: {error}")))?;
    if format == "lines" {
        return Err(usage("it has a ref per line, and so no columns; --format csv reads it as a table"));
    }
    match (declared, problem) {
        (Some(declared), None) => Ok(declared),
        (Some(declared), Some(problem)) => {
            print_notice(format_args!("{}: {}", file_name(file), with_options(&problem)));
            Ok(declared)
        }
        (None, problem) => Err(usage(&problem.unwrap_or_default())),
    }
}

/// Reads as much of a file as the server inspects. One byte more shows that the file goes on.
fn beginning(file: &Path) -> io::Result<Vec<u8>> {
    let is_packed = members_file::packing_and_format(file).0 != Packing::None;
    let size = if is_packed { PACKED_BYTES } else { BEGINNING_BYTES + 1 };
    let input: Box<dyn Read> = if file == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(file)?) };
    let mut begin = Vec::new();
    input.take(size as u64).read_to_end(&mut begin)?;
    Ok(begin)
}
