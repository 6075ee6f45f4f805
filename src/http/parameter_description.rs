//! Descriptions of the parameters of query strings, for OpenAPI.

use clap::ValueEnum;
use utoipa::openapi::{
    ObjectBuilder, RefOr, Required, Schema, Type,
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
