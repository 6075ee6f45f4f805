//! OpenAPI schemas of filters.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, SchemaFormat,
        schema::{AdditionalProperties, KnownFormat, Type},
    },
};

use super::{Filterable, Filters, ValueType};
use crate::rpc::id;

impl<T: Filterable> PartialSchema for Filters<T> {
    fn schema() -> RefOr<Schema> {
        entries::<T>().description(Some("Filters that must all match.")).into()
    }
}

impl<T: Filterable> ToSchema for Filters<T> {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::NAME.to_owned(), entry::<T>().into()));
    }
}

fn entries<T: Filterable>() -> ArrayBuilder {
    ArrayBuilder::new().items(Ref::from_schema_name(T::NAME))
}

fn entry<T: Filterable>() -> Schema {
    let list = |name: &str| closed().property(name, entries::<T>()).required(name).build();
    let key = |(key, value_type): &(&str, ValueType)| condition(key, *value_type);
    let entries = [list("and"), list("or")].into_iter().chain(T::KEYS.iter().map(key));
    let text = "A condition on one key with exactly one operator, or `and` or `or` with a list of filters.";
    let of = |schemas: OneOfBuilder, entry: Object| schemas.item(entry);
    entries.fold(OneOfBuilder::new(), of).description(Some(text)).into()
}

/// Returns the schema of a condition: an object of the key and exactly one operator.
fn condition(key: &str, value_type: ValueType) -> Object {
    let list = || ArrayBuilder::new().items(value(value_type));
    let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([key]));
    let mut condition = closed()
        .property("key", name)
        .required("key")
        .min_properties(Some(2))
        .max_properties(Some(2))
        .property("eq", value(value_type))
        .property("in", list())
        .property("nin", list())
        .property("exists", ObjectBuilder::new().schema_type(Type::Boolean));
    if value_type == ValueType::Strings {
        let pattern = ObjectBuilder::new().schema_type(Type::String);
        let insensitive = ObjectBuilder::new().schema_type(Type::Boolean);
        let regex = closed().property("pattern", pattern).required("pattern");
        condition = condition.property("regex", regex.property("case_insensitive", insensitive));
    }
    condition.build()
}

fn value(value_type: ValueType) -> ObjectBuilder {
    match value_type {
        ValueType::Ids(prefix) => id::schema(prefix),
        ValueType::Times => {
            let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
            ObjectBuilder::new().schema_type(Type::String).format(Some(format))
        }
        ValueType::Strings => ObjectBuilder::new().schema_type(Type::String),
    }
}

fn closed() -> ObjectBuilder {
    let none = AdditionalProperties::FreeForm(false);
    ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(none))
}
