//! The OpenAPI description of imports.

use axum::http::StatusCode;
use utoipa::openapi::{
    ArrayBuilder, ContentBuilder, HttpMethod, KnownFormat, ObjectBuilder, OpenApi, PathItem, RefOr, Required, Response,
    ResponseBuilder, Schema, SchemaFormat, SecurityRequirement, Type,
    path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
};

use super::{
    METHODS,
    parameters::{OnError, UpsertMode},
    resource,
};
use crate::{
    http::description::{
        ParameterDescription, boolean, choice, parameter, query_parameter, text, with_failure_headers,
    },
    members_file::{
        Format,
        cell::Empty,
        forms::{DateOrder, Decimal},
    },
    rpc,
};

/// All parameters. Those of the file are described in docs/import.md.
pub(super) const PARAMETERS: [ParameterDescription; 20] = [
    parameter(
        "memberbase",
        text,
        "Id of the memberbase, or its name if no other memberbase has the same name. Required.",
    ),
    parameter(
        "import",
        uuid,
        "A UUID that the client chooses. A request with the same UUID continues the import. Default: none, so that the import \
        can't be continued.",
    ),
    parameter(
        "inspect",
        boolean,
        "Whether the beginning of a file is inspected, and nothing is stored. Default false.",
    ),
    parameter("format", choice::<Format>, "Format of the file. Required unless the content type says it."),
    parameter("delimiter", text, "Delimiter of CSV: a character, or tab. Default: recognized by the header."),
    parameter("header", boolean, "Whether CSV has a header. Default true."),
    parameter(
        "encoding",
        text,
        "Encoding of the file, such as windows-1252. Default: UTF-8, or UTF-16 with a byte order mark.",
    ),
    parameter(
        "map",
        pairs,
        "Maps a column of CSV or a field of NDJSON: KEY=COLUMN, such as ref=customer_id. Can be repeated.",
    ),
    parameter("ignore", names, "Name of a column or field that is left out, whatever it means. Can be repeated."),
    parameter(
        "declare",
        boolean,
        "Whether columns and fields that are not an attribute are declared as attributes, with the types of their values at the \
        beginning of the file. Needs an admin token. Default false.",
    ),
    parameter(
        "ignoreUnknownColumns",
        boolean,
        "Whether columns that are not an attribute are left out. Default false.",
    ),
    parameter("empty", choice::<Empty>, "Meaning of an empty cell. Default text."),
    parameter("decimal", choice::<Decimal>, "Decimal separator of numbers. Default: numbers are written as in JSON."),
    parameter(
        "dateOrder",
        choice::<DateOrder>,
        "Order of the parts of dates such as 3/14/2024, which are invalid without it.",
    ),
    parameter("onError", choice::<OnError>, "Whether an invalid row fails the import or is skipped. Default reject."),
    parameter("mode", choice::<UpsertMode>, "Which rows are stored, by whether their member exists. Default upsert."),
    parameter("dryRun", boolean, "Whether nothing is stored, and all invalid rows are reported. Default false."),
    parameter("mirror", boolean, "Whether the members that are not in the file are deleted at the end. Default false."),
    parameter(
        "maxDeletedPercent",
        percent,
        "Of a mirror: maximum percentage of the members to delete. If more would be deleted, none is. Default 10.",
    ),
    parameter("abandonOpen", boolean, "Of a mirror: whether a sync that is still open is abandoned. Default false."),
];

/// The statuses of imports that do not begin.
const FAILURES: [(StatusCode, &str); 12] = [
    (
        StatusCode::BAD_REQUEST,
        "The parameters are invalid, or the beginning of the file can't be read or does not fit them.",
    ),
    (StatusCode::UNAUTHORIZED, "The request has no valid token."),
    (StatusCode::FORBIDDEN, "The token does not have write access, or admin access for `declare=true`."),
    (StatusCode::NOT_FOUND, "The memberbase does not exist, or the token can't see it."),
    (StatusCode::METHOD_NOT_ALLOWED, "The method must be POST or PUT."),
    (StatusCode::CONFLICT, "Another sync is open in the memberbase, or a mirror would delete too many members."),
    (StatusCode::PAYLOAD_TOO_LARGE, "The rows of the file take too much memory at a time."),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is a form, or has an unknown content encoding."),
    (StatusCode::TOO_MANY_REQUESTS, "The token sends too many requests."),
    (StatusCode::INTERNAL_SERVER_ERROR, "A fault of the server."),
    (StatusCode::SERVICE_UNAVAILABLE, "The server or the database is overloaded or unavailable."),
    (StatusCode::GATEWAY_TIMEOUT, "The database did not respond in time, or no data arrived."),
];

/// The statuses of failed requests that watch or cancel an import.
const RESOURCE_FAILURES: [(StatusCode, &str); 9] = [
    (StatusCode::BAD_REQUEST, "The id is not a UUID."),
    (StatusCode::UNAUTHORIZED, "The request has no valid token."),
    (StatusCode::FORBIDDEN, "The token does not have write access."),
    (StatusCode::NOT_FOUND, "The import does not exist, or the token can't see it."),
    (StatusCode::METHOD_NOT_ALLOWED, "The method must be GET or DELETE."),
    (StatusCode::TOO_MANY_REQUESTS, "The token sends too many requests."),
    (StatusCode::INTERNAL_SERVER_ERROR, "A fault of the server."),
    (StatusCode::SERVICE_UNAVAILABLE, "The server or the database is overloaded or unavailable."),
    (StatusCode::GATEWAY_TIMEOUT, "The database did not respond in time."),
];

/// Adds imports to the description of the RPC API.
pub(in crate::http) fn describe(api: &mut OpenApi) {
    let methods = [HttpMethod::Post, HttpMethod::Put];
    let mut item = PathItem::default();
    for method in methods {
        let id = if method == HttpMethod::Post { "import" } else { "import_put" };
        item.merge_operations(PathItem::new(method, operation(id)));
    }
    api.paths.paths.insert("/import".to_owned(), item);
    let mut item = PathItem::new(HttpMethod::Get, watching());
    item.merge_operations(PathItem::new(HttpMethod::Delete, cancelling()));
    api.paths.paths.insert("/import/{id}".to_owned(), item);
}

fn watching() -> Operation {
    let messages =
        ObjectBuilder::new().schema_type(Type::String).description(Some("The data of a message is an event."));
    let success = ResponseBuilder::new()
        .description("The events, until the import has ended.")
        .content("text/event-stream", ContentBuilder::new().schema(Some(Schema::from(messages))).build())
        .header("X-Trace-Id", rpc::trace_id());
    let operation = OperationBuilder::new()
        .operation_id(Some("watch_import"))
        .summary(Some("Watch an import"))
        .description(Some(
            "Reports an import beside its upload, as server-sent events: `progress`, and when it has ended, its `rejected` rows \
            and `summary` or `failed`. Described in docs/import.md.",
        ))
        .tag("import")
        .security(SecurityRequirement::new(rpc::TOKEN, Vec::<String>::new()))
        .parameter(id_parameter())
        .response("200", success.build());
    with_failures(operation, &RESOURCE_FAILURES, resource::METHODS).build()
}

fn cancelling() -> Operation {
    let success = ResponseBuilder::new().description("The import is cancelled.").header("X-Trace-Id", rpc::trace_id());
    let operation = OperationBuilder::new()
        .operation_id(Some("cancel_import"))
        .summary(Some("Cancel an import"))
        .description(Some(
            "The request that sends the file fails, and the sync of a mirror is abandoned. Rows that are stored stay stored.",
        ))
        .tag("import")
        .security(SecurityRequirement::new(rpc::TOKEN, Vec::<String>::new()))
        .parameter(id_parameter())
        .response("204", success.build());
    let complete = [(StatusCode::CONFLICT, "The import is complete.")];
    let failures = [&RESOURCE_FAILURES[..], &complete].concat();
    with_failures(operation, &failures, resource::METHODS).build()
}

fn id_parameter() -> Parameter {
    ParameterBuilder::new()
        .name("id")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The UUID of the parameter `import`."))
        .schema(Some(uuid()))
        .build()
}

fn with_failures(
    operation: OperationBuilder,
    failures: &[(StatusCode, &str)],
    methods: &'static str,
) -> OperationBuilder {
    failures.iter().fold(operation, |operation, (status, description)| {
        operation.response(status.as_u16().to_string(), failure(*status, description, methods))
    })
}

fn operation(id: &str) -> Operation {
    let file =
        ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
    let body = RequestBodyBuilder::new()
        .description(Some("The file, compressed with gzip or zstd or not, of any size."))
        .content("application/octet-stream", ContentBuilder::new().schema(Some(Schema::from(file))).build())
        .required(Some(Required::True));
    let operation = OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some("Import a file of members"))
        .description(Some(
            "Stores the members of a file, and reports what happens as lines of JSON while the file arrives: `progress`, \
            `rejected` for each invalid row, and at the end `summary` or `failed`. Described in docs/import.md.",
        ))
        .tag("import")
        .security(SecurityRequirement::new(rpc::TOKEN, Vec::<String>::new()))
        .parameters(Some(PARAMETERS.iter().map(query_parameter)))
        .request_body(Some(body.build()))
        .response("200", success("The whole file was stored, and the last event is `summary`; or the client accepts `application/x-ndjson`, and the import has begun.").build());
    with_failures(operation, &FAILURES, METHODS).build()
}

fn success(description: &str) -> ResponseBuilder {
    let object = ObjectBuilder::new().description(Some("The description of a file, with `inspect=true`."));
    let content = ContentBuilder::new().schema(Some(Schema::from(object))).build();
    response(description).content("application/json", content)
}

fn failure(status: StatusCode, description: &str, methods: &'static str) -> Response {
    let response = response(&format!("{description} The only event is `failed`."));
    with_failure_headers(response, status, methods).build()
}

fn response(description: &str) -> ResponseBuilder {
    let lines = ObjectBuilder::new().schema_type(Type::String).description(Some("A JSON object per line."));
    ResponseBuilder::new()
        .description(description)
        .content("application/x-ndjson", ContentBuilder::new().schema(Some(Schema::from(lines))).build())
        .header("X-Trace-Id", rpc::trace_id())
}

fn uuid() -> RefOr<Schema> {
    let format = SchemaFormat::Custom("uuid".to_owned());
    Schema::from(ObjectBuilder::new().schema_type(Type::String).format(Some(format))).into()
}

fn percent() -> RefOr<Schema> {
    let percent = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0.0)).maximum(Some(100.0));
    Schema::from(percent).into()
}

fn pairs() -> RefOr<Schema> {
    let pair = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[^=]+=.+$"));
    Schema::from(ArrayBuilder::new().items(pair)).into()
}

fn names() -> RefOr<Schema> {
    Schema::from(ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String))).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_documented() {
        let documented = include_str!("../../../docs/import.md");
        let names: Vec<_> = documented
            .lines()
            .skip_while(|line| !line.starts_with("| parameter |"))
            .skip(2)
            .map_while(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name))
            .collect();
        assert_eq!(names, PARAMETERS.map(|parameter| parameter.name));
    }
}
