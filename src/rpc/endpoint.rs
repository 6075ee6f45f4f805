//! An endpoint: deserializes the request body, calls the handler and serializes the response.

use std::{fmt, pin::Pin};

use serde::{Serialize, de::DeserializeOwned};
use utoipa::{
    ToSchema,
    openapi::{Ref, RefOr, Schema},
};

use super::{Code, Error};
use crate::{app::App, domain::access::Caller, types::Strict};

/// The context of a call.
#[derive(Clone)]
pub struct Call {
    /// The app, limited by the deadline of the call.
    pub app: App,
    /// The authenticated caller.
    pub caller: Caller,
}

type Running = Pin<Box<dyn Future<Output = Result<Vec<u8>, Error>> + Send>>;

type Run = dyn Fn(Call, &[u8]) -> Result<Running, Error> + Send + Sync;

/// An endpoint with its handler and its OpenAPI description.
pub struct Endpoint {
    /// Path after [`super::PREFIX`].
    pub path: &'static str,
    /// OpenAPI summary.
    pub summary: &'static str,
    /// OpenAPI description of the response.
    pub told: &'static str,
    /// True if the endpoint changes data.
    pub changes: bool,
    run: Box<Run>,
    shapes: fn() -> Shapes,
}

/// The schemas of a request and its response.
pub struct Shapes {
    /// Schema of the request body.
    pub given: RefOr<Schema>,
    /// Schema of the response body.
    pub told: RefOr<Schema>,
    /// Named schemas that the two refer to.
    pub named: Vec<(String, RefOr<Schema>)>,
}

impl Shapes {
    fn of<Given: ToSchema, Told: ToSchema>() -> Self {
        let mut named = Vec::new();
        Given::schemas(&mut named);
        Told::schemas(&mut named);
        let mut told = Told::schema();
        if matches!(told, RefOr::T(Schema::Object(_))) {
            let name = Told::name().into_owned();
            named.push((name.clone(), std::mem::replace(&mut told, Ref::from_schema_name(name).into())));
        }
        Self { given: Given::schema(), told, named }
    }
}

impl Endpoint {
    /// Creates an endpoint that only reads.
    pub(super) fn asks<Given, Told, Answer>(
        path: &'static str,
        summary: &'static str,
        handle: fn(Call, Given) -> Answer,
    ) -> Self
    where
        Given: DeserializeOwned + ToSchema + 'static,
        Told: Serialize + ToSchema,
        Answer: Future<Output = Result<Told, Error>> + Send + 'static,
    {
        let run = move |call, body: &[u8]| {
            let answer = handle(call, read(body)?);
            let running: Running = Box::pin(async move { write(&answer.await?) });
            Ok(running)
        };
        let (told, shapes) = ("The requested data.", Shapes::of::<Given, Told>);
        Self { path, summary, told, changes: false, run: Box::new(run), shapes }
    }

    /// Creates an endpoint that changes data.
    pub(super) fn changes<Given, Told, Answer>(
        path: &'static str,
        summary: &'static str,
        handle: fn(Call, Given) -> Answer,
    ) -> Self
    where
        Given: DeserializeOwned + ToSchema + 'static,
        Told: Serialize + ToSchema,
        Answer: Future<Output = Result<Told, Error>> + Send + 'static,
    {
        Self { changes: true, told: "The change is stored.", ..Self::asks(path, summary, handle) }
    }

    /// Replaces the description of the response.
    pub(super) fn told_as(self, told: &'static str) -> Self {
        Self { told, ..self }
    }

    /// Returns the schemas of the request and the response.
    pub fn shapes(&self) -> Shapes {
        (self.shapes)()
    }

    /// Deserializes the body, and returns the future of the response body.
    pub fn call(
        &self,
        call: Call,
        body: &[u8],
    ) -> Result<impl Future<Output = Result<Vec<u8>, Error>> + Send + use<>, Error> {
        (self.run)(call, body)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.path)
    }
}

/// Deserializes the body. Unknown fields are ignored. The error names the field that is missing or has the wrong type.
fn read<Given: DeserializeOwned>(body: &[u8]) -> Result<Given, Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let given = Given::deserialize(Strict(&mut json)).and_then(|given| json.end().map(|()| given));
    let cause = match given {
        Ok(given) => return Ok(given),
        Err(cause) => cause,
    };
    // Deserializes again, with the slower deserializer that records the path of the error.
    let mut json = serde_json::Deserializer::from_slice(body);
    let (path, cause) = match serde_path_to_error::deserialize::<_, Given>(Strict(&mut json)) {
        Ok(_) => (".".to_owned(), cause),
        Err(error) => (error.path().to_string(), error.into_inner()),
    };
    let cause = cause.to_string();
    let (cause, _) = cause.split_once(" at line").unwrap_or((&cause, ""));
    // Names of Rust structs mean nothing to clients.
    let cause = match cause.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected an object"),
        None => cause.to_owned(),
    };
    let message = if matches!(&*path, "." | "?") { cause } else { format!("{path}: {cause}") };
    Err(Error::new(Code::BadRequest, message))
}

fn write(told: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(told).map_err(|error| crate::domain::Error::Internal(error.into()).into())
}
