//! The OpenAPI description of exports.

use axum::http::StatusCode;
use utoipa::openapi::{
    ArrayBuilder, ContentBuilder, HeaderBuilder, HttpMethod, ObjectBuilder, OpenApi, PathItem, RefOr, Response,
    ResponseBuilder, Schema, SecurityRequirement, Type,
    path::{Operation, OperationBuilder},
};

use super::METHODS;
use crate::{
    http::description::{
        ParameterDescription, boolean, choice, parameter, query_parameter, text, with_failure_headers,
    },
    members_file::writer::OutputFormat,
    rpc,
};

/// All parameters. docs/export.md describes them in detail.
pub(super) const PARAMETERS: [ParameterDescription; 7] = [
    parameter(
        "memberbase",
        text,
        "Id of the memberbase, or its name if no other memberbase has the same name. Required.",
    ),
    parameter(
        "format",
        choice::<OutputFormat>,
        "Format of the file. Required. `excel` is CSV with semicolons, CRLF and a byte order mark.",
    ),
    parameter("filter", text, "A `MemberFilter` of the GraphQL API as JSON. Default: all members."),
    parameter(
        "columns",
        texts,
        "Columns in their order, separated by commas: ref, sourceUpdatedAt and keys of attributes. Can be repeated. \
        Default: ref, all attributes and sourceUpdatedAt.",
    ),
    parameter("delimiter", text, "Delimiter of CSV: a character, or tab. Default: a comma, with `excel` a semicolon."),
    parameter("bom", boolean, "Whether CSV begins with a byte order mark. Default false, with `excel` true."),
    parameter(
        "escapeFormulas",
        boolean,
        "Whether texts of CSV that begin with = + - @ or a control character are preceded by an apostrophe, so that \
        spreadsheets do not evaluate them. Such a file does not have the same texts when it is imported. Default false.",
    ),
];

/// The statuses of exports that do not begin.
const FAILURES: [(StatusCode, &str); 10] = [
    (StatusCode::BAD_REQUEST, "The parameters are invalid, or do not fit the memberbase."),
    (StatusCode::UNAUTHORIZED, "The request has no valid token."),
    (StatusCode::FORBIDDEN, "The token does not have read access."),
    (StatusCode::NOT_FOUND, "The memberbase does not exist, or the token can't see it."),
    (StatusCode::METHOD_NOT_ALLOWED, "The method must be GET or HEAD."),
    (StatusCode::CONFLICT, "The filter exceeds a limit."),
    (StatusCode::TOO_MANY_REQUESTS, "The token sends too many requests."),
    (StatusCode::INTERNAL_SERVER_ERROR, "A fault of the server."),
    (StatusCode::SERVICE_UNAVAILABLE, "The server or the database is overloaded or unavailable."),
    (StatusCode::GATEWAY_TIMEOUT, "The database did not respond in time."),
];

/// Adds exports to the description of the RPC API.
pub(in crate::http) fn describe(api: &mut OpenApi) {
    api.paths.paths.insert("/export".to_owned(), PathItem::new(HttpMethod::Get, operation()));
}

fn operation() -> Operation {
    let operation = OperationBuilder::new()
        .operation_id(Some("export"))
        .summary(Some("Export the members as a file"))
        .description(Some(
            "Streams the members of a memberbase in the order of their creation, as a file that `/import` reads back \
            unchanged. Every member that exists during the whole export is included exactly once. If the export fails after \
            it has begun, the body ends without its last chunk, and the connection is reset.",
        ))
        .tag("export")
        .security(SecurityRequirement::new(rpc::TOKEN, Vec::<String>::new()))
        .parameters(Some(PARAMETERS.iter().map(query_parameter)))
        .response("200", file());
    FAILURES
        .into_iter()
        .fold(operation, |operation, (status, description)| {
            operation.response(status.as_u16().to_string(), failure(status, description))
        })
        .build()
}

/// Describes the file.
fn file() -> Response {
    let types = [
        ("text/csv", "With format=csv and format=excel: a header, and a row per member."),
        ("application/x-ndjson", "With format=ndjson: a JSON object per line."),
        ("text/plain", "With format=lines: a ref per line."),
    ];
    let response = ResponseBuilder::new().description("The file.").header("X-Trace-Id", rpc::trace_id()).header(
        "Content-Disposition",
        header("`attachment`, with the name of the memberbase as the name of the file."),
    );
    types
        .into_iter()
        .fold(response, |response, (name, description)| {
            let text = ObjectBuilder::new().schema_type(Type::String).description(Some(description));
            response.content(name, ContentBuilder::new().schema(Some(Schema::from(text))).build())
        })
        .build()
}

fn failure(status: StatusCode, description: &str) -> Response {
    let property = |kind| ObjectBuilder::new().schema_type(kind);
    let text = || property(Type::String);
    let error = ["event", "code", "message", "traceId"]
        .into_iter()
        .fold(ObjectBuilder::new(), |error, name| error.property(name, text()).required(name))
        .property("retryable", property(Type::Boolean).description(Some("Whether the same request can succeed later.")))
        .required("retryable");
    let response = ResponseBuilder::new()
        .description(description)
        .content("application/json", ContentBuilder::new().schema(Some(Schema::from(error))).build())
        .header("X-Trace-Id", rpc::trace_id());
    with_failure_headers(response, status, METHODS).build()
}

fn header(text: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new().description(Some(text)).build()
}

fn texts() -> RefOr<Schema> {
    let name = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    Schema::from(ArrayBuilder::new().items(name)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_documented() {
        let documented = include_str!("../../../docs/export.md");
        let names: Vec<_> = documented
            .lines()
            .skip_while(|line| !line.starts_with("| parameter |"))
            .skip(2)
            .map_while(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name))
            .collect();
        assert_eq!(names, PARAMETERS.map(|parameter| parameter.name));
    }
}
