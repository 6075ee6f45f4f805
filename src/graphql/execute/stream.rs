//! Subscriptions: a response for each event.

use std::panic::AssertUnwindSafe;

use async_graphql::Data;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio_util::sync::CancellationToken;

use super::{Answer, Executor, Operation, answer, refusal};
use crate::graphql::{Code, Error};

/// An answer for each event, until there are no more.
pub(crate) type Answers = BoxStream<'static, Answer>;

/// By this a subscription's resolver says that it listens. async-graphql tells nothing before the first event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Begun(CancellationToken);

impl Begun {
    /// It listens.
    pub(crate) fn begin(&self) {
        self.0.cancel();
    }
}

impl Executor {
    /// Begins a subscription, which listens when this ends; `data` is what its resolvers find in their context. Where it can't
    /// listen, the answer says why.
    pub(crate) async fn subscribe(
        &self,
        operation: Operation,
        mut data: Data,
        trace_id: &str,
    ) -> Result<Answers, Answer> {
        let Operation { name, document, variables, rows, .. } = operation;
        let planned = self.planned(&document, name.as_deref(), &variables);
        let (document, plan) = planned.map_err(|errors| refusal(&errors, trace_id))?;
        let begun = Begun::default();
        data.insert(rows);
        data.insert(begun.clone());
        let mut request = async_graphql::Request::new(String::new()).variables(variables);
        request.data = data;
        request.set_parsed_query(document);
        let (limits, trace) = (self.limits, trace_id.to_owned());
        let responses = AssertUnwindSafe(self.schema.execute_stream(request)).catch_unwind();
        let mut answers = responses
            .map(move |response| match response {
                Ok(response) => answer(&plan, response, &limits, &trace),
                Err(_) => {
                    tracing::error!("subscription resolver panicked");
                    refusal(&[Error::new(Code::InternalServerError, "internal error")], &trace)
                }
            })
            .boxed();
        let first = tokio::select! {
            biased;
            first = answers.next() => first,
            () = begun.0.cancelled() => return Ok(answers),
        };
        match first {
            // Something happened at once.
            first if begun.0.is_cancelled() => Ok(stream::iter(first).chain(answers).boxed()),
            Some(failed) => Err(failed),
            None => Err(refusal(&[Error::new(Code::InternalServerError, "internal error")], trace_id)),
        }
    }
}
