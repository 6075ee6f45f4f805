//! ResponseStream queries of the schema (<https://spec.graphql.org/draft/#sec-Schema-Introspection>), which need no resolvers and
//! never wait.

use std::borrow::Cow;

use apollo_compiler::{
    Name, Node,
    ast::{DirectiveDefinition, DirectiveList, EnumValueDefinition, FieldDefinition, InputValueDefinition, Type},
    schema::ExtendedType,
};
use async_graphql::{PathSegment, Positioned, ServerError, Value};
use async_graphql_value::Value as Literal;

use super::schema::Types;
use crate::graphql::{Code, Error};

/// A collected field of an introspection type.
#[derive(Debug)]
pub(super) struct MetaField {
    pub(super) key: async_graphql::Name,
    pub(super) name: String,
    pub(super) arguments: Vec<(String, Positioned<Literal>)>,
    pub(super) fields: Vec<Self>,
    pub(super) is_nullable: bool,
    /// The field error of the field's object if the fields below can't be collected.
    pub(super) failure: Option<ServerError>,
}

impl MetaField {
    /// Returns the number of fields, this one included.
    pub(super) fn count(&self) -> u64 {
        1 + self.fields.iter().map(Self::count).sum::<u64>()
    }
}

/// Writes the value of a root field as JSON, null if it fails. Errors are field errors.
pub(super) fn write<'v>(
    types: &Types,
    field: &MetaField,
    value: impl Fn(&str) -> Option<&'v Value>,
) -> (Vec<u8>, Vec<ServerError>) {
    let mut writer = Writer { types, value, out: Vec::new(), path: Vec::new(), errors: Vec::new() };
    let root = Meta::Root;
    if writer.field(&root, field).is_err() {
        writer.out.clear();
        writer.out.extend_from_slice(b"null");
    }
    (writer.out, writer.errors)
}

/// A value of an introspection type, named without its underscores.
enum Meta<'a> {
    /// The query type, which has the fields `__schema` and `__type`.
    Root,
    Schema,
    Type(&'a ExtendedType),
    /// A list or non-null type.
    Wrapper(Cow<'a, Type>),
    Field(&'a FieldDefinition),
    InputValue(&'a InputValueDefinition),
    EnumValue(&'a EnumValueDefinition),
    Directive(&'a DirectiveDefinition),
}

/// A null that propagates to the parent (<https://spec.graphql.org/draft/#sec-Handling-Execution-Errors>).
struct PropagateNull;

type Written = Result<(), PropagateNull>;

struct Writer<'a, V> {
    types: &'a Types,
    value: V,
    out: Vec<u8>,
    path: Vec<PathSegment>,
    errors: Vec<ServerError>,
}

impl<'a, 'v, V: Fn(&str) -> Option<&'v Value>> Writer<'a, V> {
    fn object(&mut self, meta: &Meta<'a>, field: &MetaField) -> Written {
        if let Some(failure) = &field.failure {
            return self.fail(failure.clone());
        }
        self.out.push(b'{');
        for (index, field) in field.fields.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.json(field.key.as_str());
            self.out.push(b':');
            self.field(meta, field)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn field(&mut self, meta: &Meta<'a>, field: &MetaField) -> Written {
        let start = self.out.len();
        self.path.push(PathSegment::Field(field.key.to_string()));
        let written = self.resolve(meta, field);
        self.path.pop();
        if written.is_err() && field.is_nullable {
            self.out.truncate(start);
            return self.null();
        }
        written
    }

    fn fail(&mut self, mut error: ServerError) -> Written {
        error.path.clone_from(&self.path);
        self.errors.push(error);
        Err(PropagateNull)
    }

    fn resolve(&mut self, meta: &Meta<'a>, field: &MetaField) -> Written {
        let types = self.types;
        let name = field.name.as_str();
        match (meta, name) {
            (_, "__typename") => self.json(meta.type_name()),
            (Meta::Root, "__type") => {
                let name = self.type_argument(field)?;
                return self.nullable_object(types.get(&name).map(Meta::Type), field);
            }
            (Meta::Root, _) => return self.object(&Meta::Schema, field),
            (Meta::Schema, "types") => return self.list(types.schema().types.values().map(Meta::Type), field),
            (Meta::Schema, "directives") => {
                let definitions = types.schema().directive_definitions.values();
                return self.list(definitions.map(|definition| Meta::Directive(definition)), field);
            }
            (Meta::Schema, "description") => self.json(&types.schema().schema_definition.description.as_deref()),
            (Meta::Schema, _) => {
                let root = &types.schema().schema_definition;
                let root = match name {
                    "queryType" => &root.query,
                    "mutationType" => &root.mutation,
                    _ => &root.subscription,
                };
                let root = root.as_ref().and_then(|root| types.get(&root.name));
                return self.nullable_object(root.map(Meta::Type), field);
            }
            (Meta::Type(ty), _) => return self.named_type(ty, field),
            (Meta::Wrapper(ty), "kind") => self.json(if ty.is_non_null() { "NON_NULL" } else { "LIST" }),
            (Meta::Wrapper(ty), "ofType") => return self.object(&unwrapped(types, ty), field),
            (Meta::Wrapper(_), _) => self.json(&()),
            (Meta::Field(definition), "name") => self.json(definition.name.as_str()),
            (Meta::Field(definition), "description") => self.json(&definition.description.as_deref()),
            (Meta::Field(definition), "args") => return self.input_values(definition.arguments.iter(), field),
            (Meta::Field(definition), "type") => return self.object(&of_type(types, &definition.ty), field),
            (Meta::Field(definition), _) => self.deprecation(deprecated(&definition.directives), name),
            (Meta::InputValue(definition), "name") => self.json(definition.name.as_str()),
            (Meta::InputValue(definition), "description") => self.json(&definition.description.as_deref()),
            (Meta::InputValue(definition), "type") => {
                return self.object(&of_type(types, &definition.ty), field);
            }
            (Meta::InputValue(definition), "defaultValue") => {
                let default = definition.default_value.as_ref();
                self.json(&default.map(|value| value.serialize().no_indent().to_string()));
            }
            (Meta::InputValue(definition), _) => self.deprecation(deprecated(&definition.directives), name),
            (Meta::EnumValue(definition), "name") => self.json(definition.value.as_str()),
            (Meta::EnumValue(definition), "description") => self.json(&definition.description.as_deref()),
            (Meta::EnumValue(definition), _) => self.deprecation(deprecated(&definition.directives), name),
            (Meta::Directive(definition), "name") => self.json(definition.name.as_str()),
            (Meta::Directive(definition), "description") => self.json(&definition.description.as_deref()),
            (Meta::Directive(definition), "isRepeatable") => self.json(&definition.repeatable),
            (Meta::Directive(definition), "locations") => {
                let locations: Vec<_> = definition.locations.iter().map(|location| location.name()).collect();
                self.json(&locations);
            }
            (Meta::Directive(definition), _) => return self.input_values(definition.arguments.iter(), field),
        }
        Ok(())
    }

    fn named_type(&mut self, ty: &'a ExtendedType, field: &MetaField) -> Written {
        let types = self.types;
        match (ty, field.name.as_str()) {
            (_, "kind") => self.json(kind(ty)),
            (_, "name") => self.json(ty.name().as_str()),
            (_, "description") => self.json(&ty.description().map(|description| description.as_str())),
            (ExtendedType::Object(_) | ExtendedType::Interface(_), "fields") => {
                let fields = match ty {
                    ExtendedType::Object(object) => &object.fields,
                    ExtendedType::Interface(interface) => &interface.fields,
                    _ => return self.null(),
                };
                let all = self.includes_deprecated(field);
                let fields = fields.values().filter(|it| all || deprecated(&it.directives).is_none());
                return self.list(fields.map(|definition| Meta::Field(definition)), field);
            }
            (_, "interfaces") => {
                let interfaces = match ty {
                    ExtendedType::Object(object) => &object.implements_interfaces,
                    ExtendedType::Interface(interface) => &interface.implements_interfaces,
                    _ => return self.null(),
                };
                return self.types_by_name(interfaces.iter().map(|interface| &interface.name), field);
            }
            (ExtendedType::Interface(_) | ExtendedType::Union(_), "possibleTypes") => {
                return self.types_by_name(types.possible_types(ty.name()).into_iter(), field);
            }
            (ExtendedType::Enum(definition), "enumValues") => {
                let all = self.includes_deprecated(field);
                let values = definition.values.values().filter(|it| all || deprecated(&it.directives).is_none());
                return self.list(values.map(|definition| Meta::EnumValue(definition)), field);
            }
            (ExtendedType::InputObject(object), "inputFields") => {
                return self.input_values(object.fields.values().map(|definition| &**definition), field);
            }
            (ExtendedType::InputObject(object), "isOneOf") => self.json(&object.directives.has("oneOf")),
            (ExtendedType::Scalar(scalar), "specifiedByURL") => {
                let directive = scalar.directives.get("specifiedBy");
                let url = directive.and_then(|directive| directive.specified_argument_by_name("url"));
                self.json(&url.and_then(|url| url.as_str()));
            }
            _ => self.json(&()),
        }
        Ok(())
    }

    fn null(&mut self) -> Written {
        self.json(&());
        Ok(())
    }

    fn nullable_object(&mut self, meta: Option<Meta<'a>>, field: &MetaField) -> Written {
        let Some(meta) = meta else { return self.null() };
        self.object(&meta, field)
    }

    fn types_by_name<'n>(&mut self, names: impl Iterator<Item = &'n Name>, field: &MetaField) -> Written {
        let types = self.types;
        self.list(names.filter_map(|name| types.get(name)).map(Meta::Type), field)
    }

    fn input_values(
        &mut self,
        values: impl Iterator<Item = &'a Node<InputValueDefinition>>,
        field: &MetaField,
    ) -> Written {
        let all = self.includes_deprecated(field);
        let values = values.filter(|value| all || deprecated(&value.directives).is_none());
        self.list(values.map(|definition| Meta::InputValue(definition)), field)
    }

    fn list(&mut self, items: impl Iterator<Item = Meta<'a>>, field: &MetaField) -> Written {
        self.out.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.path.push(PathSegment::Index(index));
            let written = self.object(&item, field);
            self.path.pop();
            written?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn deprecation(&mut self, reason: Option<&str>, field: &str) {
        match field {
            "isDeprecated" => self.json(&reason.is_some()),
            _ => self.json(&reason),
        }
    }

    fn argument(&self, field: &MetaField, name: &str) -> Option<Value> {
        let (_, literal) = field.arguments.iter().find(|(argument, _)| argument == name)?;
        match &literal.node {
            Literal::Variable(variable) => (self.value)(variable).cloned(),
            literal => literal.clone().into_const(),
        }
    }

    fn includes_deprecated(&self, field: &MetaField) -> bool {
        self.argument(field, "includeDeprecated") == Some(Value::Boolean(true))
    }

    /// Returns the name that `__type` is asked for. A variable with a default can be null.
    fn type_argument(&mut self, field: &MetaField) -> Result<String, PropagateNull> {
        if let Some(Value::String(name)) = self.argument(field, "name") {
            return Ok(name);
        }
        let pos = field.arguments.first().map(|(_, value)| value.pos);
        let mut error = ServerError::new("the argument name must not be null", pos);
        error.extensions = Some(Error::new(Code::BadUserInput, "").extensions());
        self.fail(error).map(|()| String::new())
    }

    fn json<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        let written = serde_json::to_writer(&mut self.out, value);
        debug_assert!(written.is_ok(), "{written:?}");
    }
}

impl Meta<'_> {
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

fn of_type<'a>(types: &'a Types, ty: &'a Type) -> Meta<'a> {
    match ty {
        Type::Named(name) => named(types, name),
        ty => Meta::Wrapper(Cow::Borrowed(ty)),
    }
}

/// Returns the type that a list or non-null type wraps.
fn unwrapped<'a>(types: &'a Types, ty: &Type) -> Meta<'a> {
    match ty {
        Type::Named(name) | Type::NonNullNamed(name) => named(types, name),
        Type::NonNullList(item) => Meta::Wrapper(Cow::Owned(Type::List(item.clone()))),
        Type::List(item) => match &**item {
            Type::Named(name) => named(types, name),
            item => Meta::Wrapper(Cow::Owned(item.clone())),
        },
    }
}

fn named<'a>(types: &'a Types, name: &Name) -> Meta<'a> {
    Meta::Type(&types.schema().types[name])
}

/// Returns the reason of a deprecation (<https://spec.graphql.org/draft/#sec--deprecated>).
fn deprecated(directives: &DirectiveList) -> Option<&str> {
    let directive = directives.get("deprecated")?;
    let reason = directive.specified_argument_by_name("reason").and_then(|reason| reason.as_str());
    Some(reason.unwrap_or("No longer supported"))
}
