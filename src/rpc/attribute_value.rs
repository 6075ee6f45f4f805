//! OpenAPI schemas of attribute values. The values themselves are passed through as JSON.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema,
        schema::{SchemaType, Type},
    },
};

pub(crate) struct AttributeValue;

pub(crate) struct AttributeMap;

impl PartialSchema for AttributeValue {
    fn schema() -> RefOr<Schema> {
        let types = vec![Type::String, Type::Number, Type::Boolean, Type::Array, Type::Null];
        let text = "A string, number, boolean, date (`YYYY-MM-DD` or an RFC 3339 date-time) or list of strings, as declared in \
            the attribute schema of the memberbase.";
        let string = ObjectBuilder::new().schema_type(Type::String);
        ArrayBuilder::new().schema_type(SchemaType::Array(types)).items(string).description(Some(text)).into()
    }
}

impl ToSchema for AttributeValue {}

impl PartialSchema for AttributeMap {
    fn schema() -> RefOr<Schema> {
        let value = Ref::from_schema_name(AttributeValue::name());
        ObjectBuilder::new().additional_properties(Some(RefOr::<Schema>::Ref(value))).into()
    }
}

impl ToSchema for AttributeMap {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((AttributeValue::name().into_owned(), AttributeValue::schema()));
    }
}
