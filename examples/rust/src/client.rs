//! GraphQL over HTTP.

use std::env;
use std::fmt;

use graphql_client::{GraphQLQuery, Response};
use ureq::Agent;

pub struct Client {
    agent: Agent,
    url: String,
    authorization: String,
}

#[derive(Debug)]
pub enum Error {
    /// The server answered with an error: branch on its code, and quote its trace id when asking about it.
    Answered { code: String, message: String, trace_id: String },
    /// There was no answer, or none that can be read.
    Failed(ureq::Error),
    /// The answer has neither data nor errors.
    Empty,
}

impl Client {
    pub fn from_env() -> Result<Self, env::VarError> {
        let origin = env::var("MEMBERBASE_URL").unwrap_or_else(|_| "http://127.0.0.1:8080".into());
        Ok(Self {
            // Errors have a body that says more than the status.
            agent: Agent::config_builder().http_status_as_error(false).build().into(),
            url: format!("{origin}/graphql"),
            authorization: format!("Bearer {}", env::var("MEMBERBASE_TOKEN")?),
        })
    }

    /// Sends an operation. Fails with the first error where the answer holds any.
    pub fn request<Q: GraphQLQuery>(&self, variables: Q::Variables) -> Result<Q::ResponseData, Error> {
        let answer: Response<Q::ResponseData> = self
            .agent
            .post(&self.url)
            .header("Accept", "application/graphql-response+json")
            .header("Authorization", &self.authorization)
            .send_json(Q::build_query(variables))?
            .body_mut()
            .read_json()?;
        match answer.errors.unwrap_or_default().into_iter().next() {
            Some(error) => Err(error.into()),
            None => answer.data.ok_or(Error::Empty),
        }
    }
}

impl From<graphql_client::Error> for Error {
    fn from(error: graphql_client::Error) -> Self {
        let text = |key: &str| {
            let value = error.extensions.as_ref().and_then(|extensions| extensions.get(key));
            value.and_then(|value| value.as_str()).unwrap_or_default().to_owned()
        };
        Self::Answered { code: text("code"), trace_id: text("traceId"), message: error.message }
    }
}

impl From<ureq::Error> for Error {
    fn from(error: ureq::Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { code, message, trace_id } => write!(f, "{code}: {message} (trace id {trace_id})"),
            Self::Failed(error) => error.fmt(f),
            Self::Empty => f.write_str("the answer has neither data nor errors"),
        }
    }
}

impl std::error::Error for Error {}
