//! Subscriptions: a response for each event.

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_graphql::Data;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio_util::sync::CancellationToken;

use super::{Executor, GraphqlResponse, Operation, request_error};
use crate::graphql::{Code, Error};

/// An answer for each event, until there are no more.
pub(crate) type ResponseStream = BoxStream<'static, GraphqlResponse>;

/// By this a subscription's resolver says that it listens. async-graphql tells nothing before the first event.
#[derive(Clone, Debug, Default)]
pub(crate) struct SubscriptionReady(CancellationToken);

impl SubscriptionReady {
    /// It listens.
    pub(crate) fn begin(&self) {
        self.0.cancel();
    }
}

impl Executor {
    /// Begins a subscription, which listens when this ends; `data` is what its resolvers find in their context. Where it can't
    /// listen, the answer says why.
    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        operation: Operation,
        mut data: Data,
        trace_id: &str,
    ) -> Result<ResponseStream, GraphqlResponse> {
        let begun = SubscriptionReady::default();
        data.insert(begun.clone());
        let (request, pending) =
            operation.into_request(&self.types, data).map_err(|errors| request_error(&errors, trace_id))?;
        if let Some(failure) = &pending.collected.root.failure {
            let error = Error::new(Code::BadUserInput, failure.message.as_str());
            let error = failure.locations.iter().fold(error, |error, pos| error.at(pos.line, pos.column));
            return Err(request_error(&[error], trace_id));
        }
        let (executor, trace) = (Arc::clone(self), trace_id.to_owned());
        let responses = AssertUnwindSafe(self.schema.execute_stream(request)).catch_unwind();
        let mut answers = responses
            .map(move |response| match response {
                Ok(response) => executor.answer(&pending, response, &trace),
                Err(_) => {
                    tracing::error!("subscription resolver panicked");
                    request_error(&[Error::new(Code::InternalServerError, "internal error")], &trace)
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
            None => Err(request_error(&[Error::new(Code::InternalServerError, "internal error")], trace_id)),
        }
    }
}
