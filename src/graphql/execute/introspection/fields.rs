//! The fields of the introspection types, one function per type.

use apollo_compiler::{
    Name, Node,
    ast::{DirectiveDefinition, DirectiveList, EnumValueDefinition, FieldDefinition, InputValueDefinition, Type},
    collections::{IndexMap, IndexSet},
    schema::{Component, ComponentName, ExtendedType},
};
use serde_json::Value as Json;

use crate::graphql::execute::schema::Types;

/// An object of an introspection type, named without its underscores.
pub(super) enum Meta<'a> {
    /// The query type, which has the fields `__schema` and `__type`.
    Root,
    Schema,
    Type(&'a ExtendedType),
    /// A list or non-null type.
    Wrapper(Type),
    Field(&'a FieldDefinition),
    InputValue(&'a InputValueDefinition),
    EnumValue(&'a EnumValueDefinition),
    Directive(&'a DirectiveDefinition),
}

/// The value of a field.
pub(super) enum Resolved<'a> {
    Leaf(Json),
    Object(Meta<'a>),
    List(Vec<Meta<'a>>),
}

impl<'a> Meta<'a> {
    /// Returns the value of any field except `__type`.
    pub(super) fn resolve(&self, types: &'a Types, field: &str, include_deprecated: bool) -> Resolved<'a> {
        match self {
            _ if field == "__typename" => leaf(self.type_name()),
            Self::Root => Resolved::Object(Meta::Schema),
            Self::Schema => schema_field(types, field),
            Self::Type(ty) => type_field(types, ty, field, include_deprecated),
            Self::Wrapper(ty) => wrapper_field(types, ty, field),
            Self::Field(definition) => field_field(types, definition, field, include_deprecated),
            Self::InputValue(definition) => input_value_field(types, definition, field),
            Self::EnumValue(definition) => {
                definition_field(&definition.value, definition.description.as_deref(), &definition.directives, field)
            }
            Self::Directive(definition) => directive_field(definition, field, include_deprecated),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Root => "Query",
            Self::Schema => "__Schema",
            Self::Type(_) | Self::Wrapper(_) => "__Type",
            Self::Field(_) => "__Field",
            Self::InputValue(_) => "__InputValue",
            Self::EnumValue(_) => "__EnumValue",
            Self::Directive(_) => "__Directive",
        }
    }
}

impl<'a> Resolved<'a> {
    const NULL: Self = Self::Leaf(Json::Null);

    /// Returns a type; null if there is none with this name.
    pub(super) fn named(types: &'a Types, name: &str) -> Self {
        types.get(name).map_or(Self::NULL, |ty| Self::Object(Meta::Type(ty)))
    }
}

/// <https://spec.graphql.org/draft/#sec-The-__Schema-Type>
fn schema_field<'a>(types: &'a Types, field: &str) -> Resolved<'a> {
    let schema = types.schema();
    let definition = &schema.schema_definition;
    let root = |name: &Option<ComponentName>| name.as_ref().map_or(Resolved::NULL, |name| Resolved::named(types, name));
    match field {
        "description" => leaf(definition.description.as_deref()),
        "types" => list(schema.types.values().map(Meta::Type)),
        "queryType" => root(&definition.query),
        "mutationType" => root(&definition.mutation),
        "subscriptionType" => root(&definition.subscription),
        _ => list(schema.directive_definitions.values().map(|directive| Meta::Directive(directive))),
    }
}

/// <https://spec.graphql.org/draft/#sec-The-__Type-Type>
fn type_field<'a>(types: &'a Types, ty: &'a ExtendedType, field: &str, include_deprecated: bool) -> Resolved<'a> {
    use ExtendedType::{Enum, InputObject, Interface, Object, Scalar, Union};
    let is_listed = |directives: &DirectiveList| include_deprecated || deprecation(directives).is_none();
    let fields = |fields: &'a IndexMap<Name, Component<FieldDefinition>>| {
        list(fields.values().filter(|it| is_listed(&it.directives)).map(|it| Meta::Field(it)))
    };
    let interfaces =
        |names: &IndexSet<ComponentName>| list(names.iter().filter_map(|it| types.get(it)).map(Meta::Type));
    match (field, ty) {
        ("kind", _) => leaf(kind(ty)),
        ("name", _) => leaf(ty.name().as_str()),
        ("description", _) => leaf(ty.description().map(|description| description.as_str())),
        ("fields", Object(object)) => fields(&object.fields),
        ("fields", Interface(interface)) => fields(&interface.fields),
        ("interfaces", Object(object)) => interfaces(&object.implements_interfaces),
        ("interfaces", Interface(interface)) => interfaces(&interface.implements_interfaces),
        ("possibleTypes", Interface(_) | Union(_)) => {
            list(types.possible_types(ty.name()).into_iter().filter_map(|name| types.get(name)).map(Meta::Type))
        }
        ("enumValues", Enum(definition)) => {
            let values = definition.values.values().filter(|it| is_listed(&it.directives));
            list(values.map(|it| Meta::EnumValue(it)))
        }
        ("inputFields", InputObject(object)) => {
            input_values(object.fields.values().map(|field| &**field), include_deprecated)
        }
        ("isOneOf", InputObject(object)) => leaf(object.directives.has("oneOf")),
        ("specifiedByURL", Scalar(scalar)) => {
            let directive = scalar.directives.get("specifiedBy");
            let url = directive.and_then(|directive| directive.specified_argument_by_name("url"));
            leaf(url.and_then(|url| url.as_str()))
        }
        _ => Resolved::NULL,
    }
}

/// <https://spec.graphql.org/draft/#sec-The-__Type-Type>
fn wrapper_field<'a>(types: &'a Types, ty: &Type, field: &str) -> Resolved<'a> {
    match (field, ty) {
        ("kind", ty) => leaf(if ty.is_non_null() { "NON_NULL" } else { "LIST" }),
        ("ofType", Type::List(item)) => wrapped_type(types, item),
        ("ofType", non_null) => wrapped_type(types, &non_null.clone().nullable()),
        _ => Resolved::NULL,
    }
}

/// <https://spec.graphql.org/draft/#sec-The-__Field-Type>
fn field_field<'a>(
    types: &'a Types,
    definition: &'a FieldDefinition,
    field: &str,
    include_deprecated: bool,
) -> Resolved<'a> {
    match field {
        "args" => input_values(definition.arguments.iter(), include_deprecated),
        "type" => wrapped_type(types, &definition.ty),
        _ => definition_field(&definition.name, definition.description.as_deref(), &definition.directives, field),
    }
}

/// <https://spec.graphql.org/draft/#sec-The-__InputValue-Type>
fn input_value_field<'a>(types: &'a Types, definition: &'a InputValueDefinition, field: &str) -> Resolved<'a> {
    match field {
        "type" => wrapped_type(types, &definition.ty),
        "defaultValue" => {
            let default = definition.default_value.as_ref();
            leaf(default.map(|value| value.serialize().no_indent().to_string()))
        }
        _ => definition_field(&definition.name, definition.description.as_deref(), &definition.directives, field),
    }
}

/// <https://spec.graphql.org/draft/#sec-The-__Directive-Type>
fn directive_field<'a>(definition: &'a DirectiveDefinition, field: &str, include_deprecated: bool) -> Resolved<'a> {
    match field {
        "isRepeatable" => leaf(definition.repeatable),
        "locations" => leaf(definition.locations.iter().map(|location| location.name()).collect::<Json>()),
        "args" => input_values(definition.arguments.iter(), include_deprecated),
        _ => definition_field(&definition.name, definition.description.as_deref(), &DirectiveList::new(), field),
    }
}

/// Returns a field that several introspection types have.
fn definition_field<'a>(
    name: &str,
    description: Option<&str>,
    directives: &DirectiveList,
    field: &str,
) -> Resolved<'a> {
    match field {
        "name" => leaf(name),
        "description" => leaf(description),
        "isDeprecated" => leaf(deprecation(directives).is_some()),
        _ => leaf(deprecation(directives)),
    }
}

fn leaf<'a>(json: impl Into<Json>) -> Resolved<'a> {
    Resolved::Leaf(json.into())
}

fn list<'a>(items: impl Iterator<Item = Meta<'a>>) -> Resolved<'a> {
    Resolved::List(items.collect())
}

fn input_values<'a>(
    values: impl Iterator<Item = &'a Node<InputValueDefinition>>,
    include_deprecated: bool,
) -> Resolved<'a> {
    let values = values.filter(|value| include_deprecated || deprecation(&value.directives).is_none());
    list(values.map(|value| Meta::InputValue(value)))
}

fn wrapped_type<'a>(types: &'a Types, ty: &Type) -> Resolved<'a> {
    match ty {
        Type::Named(name) => Resolved::named(types, name),
        wrapper => Resolved::Object(Meta::Wrapper(wrapper.clone())),
    }
}

/// <https://spec.graphql.org/draft/#sec-The-__TypeKind-Enum>
fn kind(ty: &ExtendedType) -> &'static str {
    match ty {
        ExtendedType::Scalar(_) => "SCALAR",
        ExtendedType::Object(_) => "OBJECT",
        ExtendedType::Interface(_) => "INTERFACE",
        ExtendedType::Union(_) => "UNION",
        ExtendedType::Enum(_) => "ENUM",
        ExtendedType::InputObject(_) => "INPUT_OBJECT",
    }
}

/// Returns the reason of a deprecation (<https://spec.graphql.org/draft/#sec--deprecated>).
fn deprecation(directives: &DirectiveList) -> Option<&str> {
    let directive = directives.get("deprecated")?;
    let reason = directive.specified_argument_by_name("reason").and_then(|reason| reason.as_str());
    Some(reason.unwrap_or("No longer supported"))
}
