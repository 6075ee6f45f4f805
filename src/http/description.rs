//! Parts of the OpenAPI descriptions of imports and exports: the parameters of query strings, and failures.

use axum::http::StatusCode;
use clap::ValueEnum;
use utoipa::openapi::{
    HeaderBuilder, ObjectBuilder, RefOr, Required, ResponseBuilder, Schema, Type,
    path::{Parameter, ParameterBuilder, ParameterIn},
};

/// A parameter of a query string.
pub(super) struct ParameterDescription {
    pub(super) name: &'static str,
    schema: fn() -> RefOr<Schema>,
    description: &'static str,
}

/// Describes a parameter.
pub(super) const fn parameter(
    name: &'static str,
    schema: fn() -> RefOr<Schema>,
    description: &'static str,
) -> ParameterDescription {
    ParameterDescription { name, schema, description }
}

/// Returns the description in OpenAPI.
pub(super) fn query_parameter(parameter: &ParameterDescription) -> Parameter {
    let is_required = parameter.name == "memberbase";
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(ParameterIn::Query)
        .required(if is_required { Required::True } else { Required::False })
        .description(Some(parameter.description))
        .schema(Some((parameter.schema)()))
        .build()
}

pub(super) fn text() -> RefOr<Schema> {
    Schema::from(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1))).into()
}

pub(super) fn boolean() -> RefOr<Schema> {
    Schema::from(ObjectBuilder::new().schema_type(Type::Boolean)).into()
}

/// Returns the schema of a choice of the type's values.
pub(super) fn choice<T: ValueEnum>() -> RefOr<Schema> {
    let values = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let values: Vec<_> = values.map(|value| value.get_name().to_owned()).collect();
    Schema::from(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values))).into()
}

/// Adds the headers of a failure. `methods` are those of the path.
pub(super) fn with_failure_headers(
    response: ResponseBuilder,
    status: StatusCode,
    methods: &'static str,
) -> ResponseBuilder {
    let header = |text: &str| HeaderBuilder::new().description(Some(text)).build();
    match status {
        StatusCode::UNAUTHORIZED => response.header("WWW-Authenticate", header("`Bearer`.")),
        StatusCode::METHOD_NOT_ALLOWED => response.header("Allow", header(&format!("`{methods}`."))),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            response.header("Accept-Encoding", header("`gzip, br, zstd`, if the body has another content encoding."))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            response.header("Retry-After", header("Seconds to wait before the next attempt."))
        }
        _ => response,
    }
}
