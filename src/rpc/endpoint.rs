//! An endpoint: from a body to what is answered.

use std::{fmt, pin::Pin};

use serde::{Serialize, de::DeserializeOwned};

use super::{Code, Error};
use crate::{app::App, domain::access::Caller};

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
    /// Whether it changes anything.
    pub changes: bool,
    run: Box<Run>,
}

impl Endpoint {
    /// One that changes nothing.
    pub(super) fn asks<Given, Told, Answer>(path: &'static str, handle: fn(Call, Given) -> Answer) -> Self
    where
        Given: DeserializeOwned + 'static,
        Told: Serialize,
        Answer: Future<Output = Result<Told, Error>> + Send + 'static,
    {
        let run = move |call, body: &[u8]| {
            let answer = handle(call, read(body)?);
            let running: Running = Box::pin(async move { write(&answer.await?) });
            Ok(running)
        };
        Self { path, changes: false, run: Box::new(run) }
    }

    /// One that changes something.
    pub(super) fn changes<Given, Told, Answer>(path: &'static str, handle: fn(Call, Given) -> Answer) -> Self
    where
        Given: DeserializeOwned + 'static,
        Told: Serialize,
        Answer: Future<Output = Result<Told, Error>> + Send + 'static,
    {
        Self { changes: true, ..Self::asks(path, handle) }
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
    if let Ok(given) = serde_json::from_slice(body) {
        return Ok(given);
    }
    // Once more, slowly, to find the place.
    let given = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(body));
    given.map_err(|error| {
        let (path, cause) = (error.path().to_string(), error.into_inner());
        let cause = cause.to_string();
        let (cause, _) = cause.split_once(" at line").unwrap_or((&cause, ""));
        let message = if path == "." { cause.to_owned() } else { format!("{path}: {cause}") };
        Error::new(Code::BadRequest, message)
    })
}

fn write(told: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(told).map_err(|error| crate::domain::Error::Internal(error.into()).into())
}
