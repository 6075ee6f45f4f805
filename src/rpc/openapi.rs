//! The OpenAPI 3.1 document of the RPC API (<https://spec.openapis.org/oas/v3.1.0>).

use std::collections::BTreeMap;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, ComponentsBuilder, ContentBuilder, HeaderBuilder, HttpMethod, InfoBuilder, License, OpenApi,
        OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr, Response, ResponseBuilder, Schema, SecurityRequirement,
        path::{Operation, OperationBuilder},
        request_body::RequestBodyBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{Code, Endpoint, PREFIX, endpoints, error::Envelope};

const JSON: &str = "application/json";
/// The name of the security scheme.
pub(crate) const TOKEN: &str = "token";

/// Returns the OpenAPI document.
pub(crate) fn openapi() -> OpenApi {
    let endpoints = endpoints();
    let mut paths = PathsBuilder::new();
    for endpoint in &endpoints {
        let path = format!("{PREFIX}{}", endpoint.path);
        paths = paths.path(path, PathItem::new(HttpMethod::Post, operation(endpoint)));
    }
    let info = InfoBuilder::new()
        .title("Memberbase HTTP API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The RPC API (`publisher.v1`) for clients of the original API: each call is a POST with a JSON body, in which \
            unknown fields are ignored. `/import` takes files of members, and `/export` returns them. An API token is sent as `Authorization: Bearer \
            <secret>`. The GraphQL API is described by its schema.",
        ))
        .license(Some(License::new(env!("CARGO_PKG_LICENSE"))))
        .build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components(&endpoints))).build()
}

fn operation(endpoint: &Endpoint) -> Operation {
    let shapes = endpoint.shapes();
    let body = RequestBodyBuilder::new()
        .content(JSON, ContentBuilder::new().schema(Some(shapes.request)).build())
        .required(Some(utoipa::openapi::Required::True));
    let success = ResponseBuilder::new()
        .description(endpoint.response_description)
        .content(JSON, ContentBuilder::new().schema(Some(shapes.response)).build())
        .header("X-Trace-Id", trace_id());
    let (tag, _) = endpoint.path.split_once('/').expect("a path is resource/action");
    let operation = OperationBuilder::new()
        .operation_id(Some(endpoint.path.replace(['/', '.', '-'], "_")))
        .summary(Some(endpoint.summary))
        .tag(tag)
        .security(SecurityRequirement::new(TOKEN, Vec::<String>::new()))
        .request_body(Some(body.build()))
        .response("200", success);
    let failure = |codes: &[Code]| RefOr::<Response>::Ref(Ref::from_response_name(codes[0].as_str()));
    by_status()
        .into_iter()
        .fold(operation, |operation, (status, codes)| operation.response(status.to_string(), failure(&codes)))
        .build()
}

fn components(endpoints: &[Endpoint]) -> Components {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API token's secret.")).build();
    let mut failed = vec![(Envelope::name().into_owned(), Envelope::schema())];
    Envelope::schemas(&mut failed);
    let components = ComponentsBuilder::new()
        .security_scheme(TOKEN, SecurityScheme::Http(scheme))
        .schemas_from_iter(endpoints.iter().flat_map(|endpoint| endpoint.shapes().components))
        .schemas_from_iter(failed);
    by_status()
        .into_values()
        .fold(components, |components, codes| components.response(codes[0].as_str(), failure(&codes)))
        .build()
}

/// Returns the codes by HTTP status.
fn by_status() -> BTreeMap<u16, Vec<Code>> {
    let mut by_status = BTreeMap::<_, Vec<_>>::new();
    for code in Code::ALL {
        by_status.entry(code.status().as_u16()).or_default().push(code);
    }
    by_status
}

fn failure(codes: &[Code]) -> Response {
    let words: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.meaning())).collect();
    let shape = RefOr::<Schema>::Ref(Ref::from_schema_name(Envelope::name()));
    let response = ResponseBuilder::new()
        .description(words.join("; "))
        .content(JSON, ContentBuilder::new().schema(Some(shape)).build())
        .header("X-Trace-Id", trace_id());
    let header = |text: &str| HeaderBuilder::new().description(Some(text)).build();
    match codes[0] {
        Code::AuthenticationError => response.header("WWW-Authenticate", header("`Bearer`.")),
        Code::UnsupportedMediaType => {
            response.header("Accept-Encoding", header("`gzip, br, zstd`, if the body has another content encoding."))
        }
        Code::MethodNotAllowed => response.header("Allow", header("`POST`.")),
        Code::RateLimited | Code::ServiceUnavailable => {
            response.header("Retry-After", header("Seconds to wait before the next attempt."))
        }
        _ => response,
    }
    .build()
}

/// Returns the header that every response has.
pub(crate) fn trace_id() -> utoipa::openapi::Header {
    HeaderBuilder::new()
        .description(Some("Trace id of the request, as in the server's log: 32 hexadecimal digits."))
        .build()
}
