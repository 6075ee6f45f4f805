//! Filters of both faces, down to the statement that they become, and the regex dialect.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memberbase::domain::filter::Pattern;
use memberbase_fuzz::server;

fuzz_target!(|text: &str| {
    for fold in [false, true] {
        if let Ok(pattern) = Pattern::parse(text, fold) {
            let _ = (pattern.for_sqlite(), pattern.for_postgres());
        }
    }
    // A filter is JSON, whatever is wrong in it; what is none is for the target `request`.
    if serde_json::from_str::<&serde_json::value::RawValue>(text).is_err() {
        return;
    }
    let (server, base) = (server(), server().memberbase());
    let query =
        "query($f: MemberFilter) { members(memberbaseId: \\\"BASE\\\", filter: $f) { nodes { id } totalCount } }";
    let query = query.replace("BASE", base);
    server.ask(format!(r#"{{"query": "{query}", "variables": {{"f": {text}}}}}"#).as_bytes());
    server.list(format!(r#"{{"member_base_id": "{base}", "filters": [{text}]}}"#).as_bytes());
    server.list(format!(r#"{{"member_base_id": "{base}", "filters": {text}}}"#).as_bytes());
});
