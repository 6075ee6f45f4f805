//! A server of one of the databases, and its responses in the form of the model.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{api::Api, documents::document, operation::Request, symbols::Symbols};
use crate::support::{Caller, Database, Server};

pub struct Site {
    server: Server,
    admin: Caller,
    database: Database,
    documents: HashMap<String, String>,
    /// The names of the current sequence.
    symbols: Symbols,
    callers: HashMap<usize, Caller>,
    pub operations: usize,
}

impl Site {
    pub async fn start(database: Database) -> Self {
        let server = Server::in_memory(database).await;
        let admin = server.admin().await;
        Self {
            server,
            admin,
            database,
            documents: HashMap::new(),
            symbols: Symbols::default(),
            callers: HashMap::new(),
            operations: 0,
        }
    }

    /// Forgets the names of the last sequence.
    pub fn begin(&mut self) {
        self.symbols = Symbols::default();
        self.callers.clear();
    }

    /// Sends a request, and compares the response with that of the model. Returns the body with symbols.
    pub async fn send(&mut self, request: &Request, expected: &Value) -> Result<String, String> {
        self.operations += 1;
        let caller = match request.token {
            None => self.admin.clone(),
            Some(token) => {
                let secret = self.symbols.text(&Api::symbol("secret_", token));
                self.callers.entry(token).or_insert_with(|| self.server.with_secret(&secret)).clone()
            }
        };
        let variables = self.symbols.expand(&request.variables);
        let document =
            self.documents.entry(request.operation.clone()).or_insert_with(|| document(&request.operation)).clone();
        let response = caller.graphql(&document, variables).await;
        let body = String::from_utf8(response.body.clone()).unwrap();
        let actual = simplified(response.json());
        match self.symbols.compare(expected, &actual) {
            Ok(()) => Ok(self.symbols.canonical(&body)),
            Err(difference) => Err(format!("{:?} differs from the model at {difference}\n{body}", self.database)),
        }
    }
}

/// Reduces a response to what the model states: errors without their messages, locations and traces.
fn simplified(mut response: Value) -> Value {
    if let Some(errors) = response.get_mut("errors") {
        *errors = errors.as_array().unwrap().iter().map(simplified_error).collect();
    }
    remove_messages(&mut response);
    response
}

fn simplified_error(error: &Value) -> Value {
    let mut simple = json!({"code": error["extensions"]["code"]});
    for (name, value) in [
        ("path", error.get("path")),
        ("failureCount", error["extensions"].get("failureCount")),
        ("failures", error["extensions"].get("failures")),
    ] {
        if let Some(value) = value {
            simple[name] = value.clone();
        }
    }
    simple
}

/// Removes the messages of failed rows.
fn remove_messages(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(remove_messages),
        Value::Object(fields) => {
            if fields.contains_key("code") {
                fields.remove("message");
            }
            fields.values_mut().for_each(remove_messages);
        }
        _ => {}
    }
}
