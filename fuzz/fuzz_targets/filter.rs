//! Filters of GraphQL and of the RPC API, up to the SQL statement, and the regex dialect.

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
    // Filters are JSON; the target `request` covers texts that are not.
    if serde_json::from_str::<&serde_json::value::RawValue>(text).is_err() {
        return;
    }
    let (server, base) = (server(), server().memberbase());
    let query =
        "query($f: MemberFilter) { members(memberbaseId: \\\"BASE\\\", filter: $f) { nodes { id } totalCount } }";
    let query = query.replace("BASE", base);
    server.execute_queries(format!(r#"{{"query": "{query}", "variables": {{"f": {text}}}}}"#).as_bytes());
    server.list(format!(r#"{{"member_base_id": "{base}", "filters": [{text}]}}"#).as_bytes());
    server.list(format!(r#"{{"member_base_id": "{base}", "filters": {text}}}"#).as_bytes());
});
