//! An endpoint: from a body to what is answered.

use std::{fmt, pin::Pin};

use serde::{Serialize, de::DeserializeOwned};
use utoipa::{
    ToSchema,
    openapi::{Ref, RefOr, Schema},
};

use super::{Code, Error};
use crate::{app::App, domain::access::Caller, types::Strict};

/// Who calls, and what the call may reach.
#[derive(Clone)]
pub struct Call {
    /// What it may reach, within its time.
    pub app: App,
    /// Who calls.
    pub caller: Caller,
}

type Running = Pin<Box<dyn Future<Output = Result<Vec<u8>, Error>> + Send>>;

type Run = dyn Fn(Call, &[u8]) -> Result<Running, Error> + Send + Sync;

/// One of all that can be called.
pub struct Endpoint {
    /// Its path below [`super::PREFIX`].
    pub path: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// What its answer is, in a sentence.
    pub told: &'static str,
    /// Whether it changes anything.
    pub changes: bool,
    run: Box<Run>,
    shapes: fn() -> Shapes,
}

/// The shapes of a request and its answer.
pub struct Shapes {
    /// Of the body.
    pub given: RefOr<Schema>,
    /// Of the answer.
    pub told: RefOr<Schema>,
    /// Those that they refer to, by name.
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
    /// One that changes nothing.
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

    /// One that changes something.
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

    /// The same endpoint, with words of its own for its answer.
    pub(super) fn told_as(self, told: &'static str) -> Self {
        Self { told, ..self }
    }

    /// What is sent and answered.
    pub fn shapes(&self) -> Shapes {
        (self.shapes)()
    }

    /// Reads the body, and gives what is to be awaited for the answer.
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

/// Unknown fields are ignored; what is missing or of another type is named.
fn read<Given: DeserializeOwned>(body: &[u8]) -> Result<Given, Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let given = Given::deserialize(Strict(&mut json)).and_then(|given| json.end().map(|()| given));
    let cause = match given {
        Ok(given) => return Ok(given),
        Err(cause) => cause,
    };
    // Once more, slowly, to find the place.
    let mut json = serde_json::Deserializer::from_slice(body);
    let (path, cause) = match serde_path_to_error::deserialize::<_, Given>(Strict(&mut json)) {
        Ok(_) => (".".to_owned(), cause),
        Err(error) => (error.path().to_string(), error.into_inner()),
    };
    let cause = cause.to_string();
    let (cause, _) = cause.split_once(" at line").unwrap_or((&cause, ""));
    // The structs have names that mean nothing to those who send JSON.
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
