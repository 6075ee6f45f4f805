//! An endpoint: deserializes the request body, calls the handler and serializes the response.

use std::{fmt, marker::PhantomData, pin::Pin};

use serde::{
    Serialize,
    de::{DeserializeOwned, DeserializeSeed},
};
use serde_path_to_error::{Deserializer as PathDeserializer, Track};
use utoipa::{
    ToSchema,
    openapi::{Ref, RefOr, Schema},
};

use super::{Code, Error};
use crate::{
    app::App,
    domain::access::Caller,
    types::{Strict, excerpt},
};

#[derive(Clone)]
pub struct Call {
    /// The app, limited by the deadline of the call.
    pub app: App,
    pub caller: Caller,
}

type Running = Pin<Box<dyn Future<Output = Result<Vec<u8>, Error>> + Send>>;

/// A call whose request is deserialized.
pub type PreparedCall = Box<dyn FnOnce(Call) -> Running + Send>;

type Prepare = dyn Fn(&[u8]) -> Result<PreparedCall, Error> + Send + Sync;

/// An endpoint with its handler and its OpenAPI description.
pub struct Endpoint {
    /// Path after [`super::PREFIX`].
    pub path: &'static str,
    /// OpenAPI summary.
    pub summary: &'static str,
    /// OpenAPI description of the response.
    pub(crate) response_description: &'static str,
    /// True if the endpoint changes data.
    pub(crate) changes: bool,
    prepare: Box<Prepare>,
    shapes: fn() -> Shapes,
}

/// The schemas of a request and its response.
pub(crate) struct Shapes {
    pub(crate) request: RefOr<Schema>,
    pub(crate) response: RefOr<Schema>,
    /// Named schemas that the two refer to.
    pub(crate) components: Vec<(String, RefOr<Schema>)>,
}

impl Shapes {
    fn of<Request: ToSchema, Response: ToSchema>() -> Self {
        let mut components = Vec::new();
        Request::schemas(&mut components);
        Response::schemas(&mut components);
        let mut response = Response::schema();
        if matches!(response, RefOr::T(Schema::Object(_))) {
            let name = Response::name().into_owned();
            components.push((name.clone(), std::mem::replace(&mut response, Ref::from_schema_name(name).into())));
        }
        Self { request: Request::schema(), response, components }
    }
}

impl Endpoint {
    /// Creates an endpoint that only reads.
    pub(super) fn query<Request, Response, Handled>(
        path: &'static str,
        summary: &'static str,
        handle: fn(Call, Request) -> Handled,
    ) -> Self
    where
        Request: DeserializeOwned + ToSchema + Send + 'static,
        Response: Serialize + ToSchema,
        Handled: Future<Output = Result<Response, Error>> + Send + 'static,
    {
        let prepare = move |body: &[u8]| {
            let request: Request = read(body)?;
            let run = move |call| -> Running {
                let response = handle(call, request);
                Box::pin(async move { write(&response.await?) })
            };
            Ok(Box::new(run) as PreparedCall)
        };
        let shapes = Shapes::of::<Request, Response>;
        Self {
            path,
            summary,
            response_description: "The requested data.",
            changes: false,
            prepare: Box::new(prepare),
            shapes,
        }
    }

    /// Creates an endpoint that changes data.
    pub(super) fn mutation<Request, Response, Handled>(
        path: &'static str,
        summary: &'static str,
        handle: fn(Call, Request) -> Handled,
    ) -> Self
    where
        Request: DeserializeOwned + ToSchema + Send + 'static,
        Response: Serialize + ToSchema,
        Handled: Future<Output = Result<Response, Error>> + Send + 'static,
    {
        Self { changes: true, response_description: "The change is stored.", ..Self::query(path, summary, handle) }
    }

    /// Replaces the description of the response.
    pub(super) fn described_as(self, response_description: &'static str) -> Self {
        Self { response_description, ..self }
    }

    pub(crate) fn shapes(&self) -> Shapes {
        (self.shapes)()
    }

    /// Deserializes the body.
    pub fn prepare(&self, body: &[u8]) -> Result<PreparedCall, Error> {
        (self.prepare)(body)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.path)
    }
}

/// Deserializes the body. Unknown fields are ignored. The error names the field that is missing or has the wrong type.
fn read<Request: DeserializeOwned>(body: &[u8]) -> Result<Request, Error> {
    read_with(body, PhantomData::<Request>, "")
}

/// Deserializes a part of the body with a seed; `field` is the path of the part.
pub(super) fn read_with<'b, S: DeserializeSeed<'b> + Copy>(
    body: &'b [u8],
    seed: S,
    field: &str,
) -> Result<S::Value, Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let request = seed.deserialize(Strict(&mut json)).and_then(|request| json.end().map(|()| request));
    let cause = match request {
        Ok(request) => return Ok(request),
        Err(cause) => cause,
    };
    // Deserializes again, with the slower deserializer that records the path of the error.
    let mut json = serde_json::Deserializer::from_slice(body);
    let mut track = Track::new();
    let (path, cause) = match seed.deserialize(PathDeserializer::new(Strict(&mut json), &mut track)) {
        Ok(_) => (".".to_owned(), cause),
        Err(cause) => (track.path().to_string(), cause),
    };
    let path = if field.is_empty() { path } else { format!("{field}{}", path.trim_end_matches('.')) };
    let cause = message(&cause);
    // A `?` is a key that is not known yet.
    let path = path.trim_end_matches(".?");
    let message = if matches!(path, "." | "?") { cause } else { format!("{}: {cause}", excerpt(path)) };
    Err(Error::new(Code::BadRequest, message))
}

/// Returns the message of an error, which echoes at most 100 characters of the value that it is about.
pub(super) fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (text, _) = text.rsplit_once(" at line").unwrap_or((&text, ""));
    let (found, expected) = match text.rsplit_once(", expected ") {
        // Names of Rust structs mean nothing to clients.
        Some((found, expected)) if expected.starts_with("struct ") => (found, ", expected an object".to_owned()),
        Some((found, expected)) => (found, format!(", expected {expected}")),
        None => (text, String::new()),
    };
    let (before, value) = found.split_at(found.find(['"', '`']).map_or(found.len(), |quote| quote + 1));
    let echoed = excerpt(value);
    let cut = if echoed.len() < value.len() { "…" } else { "" };
    format!("{before}{echoed}{cut}{expected}")
}

fn write(response: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(response).map_err(|error| crate::domain::Error::Internal(error.into()).into())
}
