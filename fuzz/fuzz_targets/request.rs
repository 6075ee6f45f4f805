//! Requests: JSON, document and variables; queries run too.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memberbase_fuzz::server;

fuzz_target!(|bytes: &[u8]| {
    server().ask(bytes);
    // The same as a document, so that not every quote has to be found in an escaped form.
    if let Ok(document) = std::str::from_utf8(bytes) {
        server().ask(serde_json::json!({"query": document}).to_string().as_bytes());
    }
});
