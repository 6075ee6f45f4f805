//! GraphQL requests: JSON, document and variables. Queries are executed, mutations only prepared.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memberbase_fuzz::server;

fuzz_target!(|bytes: &[u8]| {
    server().execute_queries(bytes);
    // The input as a document, so that the fuzzer need not find escaped quotes.
    if let Ok(document) = std::str::from_utf8(bytes) {
        server().execute_queries(serde_json::json!({"query": document}).to_string().as_bytes());
    }
});
