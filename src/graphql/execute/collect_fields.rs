//! Collects the fields of an operation (<https://spec.graphql.org/draft/#sec-Field-Collection>): applies fragments and
//! conditions, and merges fields with the same response key.
//!
//! The result has everything that depends on the selections alone: the operation that async-graphql runs, which
//! resolves a field as often as it is in a document; the shape of the response; and the cost.

mod grouped_fields;
mod syntax;

use std::{collections::HashMap, sync::Arc};

use apollo_compiler::{
    Name, Node,
    ast::{OperationType, Type},
    executable::{Field, Operation, SelectionSet},
    parser::SourceSpan,
    schema::ExtendedType,
};
use async_graphql::{
    Pos, Positioned,
    parser::types::{ExecutableDocument, Selection},
};

use self::grouped_fields::check_same_arguments;
use super::{
    cost::FieldCost,
    document::{LateCheck, Source},
    introspection::MetaField,
    literal,
    prepared_operation::VariableDefinition,
    response_shape::{ResponseField, ResponseObject, ResponseShape, ResponseType},
    schema::Types,
    variable_copies::VariableCopies,
};
use crate::graphql::{Code, Error};

/// Maximum number of fields after fragments are merged: fragments in fragments grow fast.
const MAX_FIELDS: usize = 20_000;

/// Maximum nesting of fields, which bounds the recursion. The configured limits of documents may be higher.
const MAX_DEPTH: usize = 200;

/// The collected fields of an operation.
pub(super) struct Collected {
    /// The operation for async-graphql: each field once, and objects of interfaces and unions with their type.
    pub(super) document: ExecutableDocument,
    pub(super) root: Arc<ResponseObject>,
    pub(super) cost: Vec<FieldCost>,
    /// The root fields that query the schema, which async-graphql does not run.
    pub(super) introspection: Vec<MetaField>,
    /// The parts of arguments that are checked with the values of variables, with the position of the argument.
    pub(super) late_checks: Vec<(Pos, LateCheck)>,
    pub(super) variable_copies: HashMap<async_graphql::Name, VariableCopies>,
    /// Number of fields and of values in their arguments.
    pub(super) size: usize,
}

/// The variables in conditions with their values; `None` for null.
pub(super) type Conditions<'a> = HashMap<&'a str, Option<bool>>;

/// Checks that all fields with the same response key have the same arguments, for any values of the conditions.
///
/// apollo-compiler 1.33 accepts lists of different lengths for the same argument.
pub(super) fn check(types: &Types, source: &Source, operation: &Node<Operation>) -> Result<(), Error> {
    match Collector::new(types, source, operation, None).object(operation.object_type(), &[&operation.selection_set]) {
        // Limits apply to what is executed.
        Err(error) if error.code() == Code::GraphqlValidationFailed => Err(error),
        _ => Ok(()),
    }
}

/// Collects the fields of an operation.
pub(super) fn collect(
    types: &Types,
    source: &Source,
    operation: &Node<Operation>,
    variables: &[VariableDefinition],
    conditions: &Conditions<'_>,
) -> Result<Collected, Error> {
    let mut collector = Collector::new(types, source, operation, Some(conditions));
    let root = collector.object(operation.object_type(), &[&operation.selection_set])?;
    let pos = collector.pos(operation.location());
    Ok(Collected {
        document: syntax::document(operation.operation_type, variables, root.selections, pos),
        root: Arc::new(root.response),
        cost: root.cost,
        introspection: collector.introspection,
        late_checks: collector.late_checks,
        variable_copies: collector.variable_copies,
        size: collector.fields + collector.values,
    })
}

/// The collected fields of an object type.
struct CollectedObject {
    selections: Vec<Positioned<Selection>>,
    response: ResponseObject,
    cost: Vec<FieldCost>,
}

/// The collected fields of a field's value.
#[derive(Default)]
struct CollectedValue {
    selections: Vec<Positioned<Selection>>,
    shape: Option<ResponseShape>,
    /// The cost for each type that the value can have.
    cost: Vec<Vec<FieldCost>>,
}

struct Collector<'a> {
    types: &'a Types,
    source: &'a Source,
    /// `None` if every selection is included.
    conditions: Option<&'a Conditions<'a>>,
    is_query: bool,
    fields: usize,
    values: usize,
    depth: usize,
    introspection: Vec<MetaField>,
    late_checks: Vec<(Pos, LateCheck)>,
    variable_copies: HashMap<async_graphql::Name, VariableCopies>,
}

impl<'a> Collector<'a> {
    fn new(
        types: &'a Types,
        source: &'a Source,
        operation: &Operation,
        conditions: Option<&'a Conditions<'a>>,
    ) -> Self {
        Self {
            types,
            source,
            conditions,
            is_query: operation.operation_type == OperationType::Query,
            fields: 0,
            values: 0,
            depth: 0,
            introspection: Vec::new(),
            late_checks: Vec::new(),
            variable_copies: HashMap::new(),
        }
    }

    fn object(&mut self, type_name: &str, sets: &[&'a SelectionSet]) -> Result<CollectedObject, Error> {
        let response =
            ResponseObject { type_name: type_name.to_owned(), fields: Vec::new(), tagged: false, failure: None };
        let mut collected = CollectedObject { selections: Vec::new(), response, cost: Vec::new() };
        let grouped = match self.group(type_name, sets) {
            Ok(grouped) => grouped,
            Err(condition) => {
                collected.response.failure = Some(self.null_condition(&condition));
                return Ok(collected);
            }
        };
        self.count(grouped.len())?;
        self.depth += 1;
        for (key, fields) in grouped {
            let ty = self.field_type(type_name, fields[0]);
            let key = async_graphql::Name::new(key);
            if self.depth == 1 && self.is_query && matches!(fields[0].name.as_str(), "__schema" | "__type") {
                let meta = self.meta(&key, &fields)?;
                collected.cost.push(FieldCost::of_introspection(meta.count()));
                self.introspection.push(meta);
                collected.response.fields.push(ResponseField { key, ty: response_type(ty, ResponseShape::Leaf) });
                continue;
            }
            self.field(&mut collected, key, ty, &fields)?;
        }
        self.depth -= 1;
        Ok(collected)
    }

    /// Adds fields with the same response key to an object. The first one decides about the arguments.
    fn field(
        &mut self,
        object: &mut CollectedObject,
        key: async_graphql::Name,
        ty: &'a Type,
        fields: &[&'a Node<Field>],
    ) -> Result<(), Error> {
        let field = fields[0];
        let sets: Vec<_> = fields.iter().map(|field| &field.selection_set).collect();
        let value = self.value(ty.inner_named_type(), &sets, field.location())?;
        check_same_arguments(fields, &self.source.positions)?;
        let selection = self.selection(field, value.selections);
        object.cost.push(FieldCost::new(&field.definition, &selection.node, value.cost));
        let pos = selection.pos;
        object.selections.push(Positioned::new(Selection::Field(selection), pos));
        let ty = response_type(ty, value.shape.unwrap_or(ResponseShape::Leaf));
        object.response.fields.push(ResponseField { key, ty });
        Ok(())
    }

    /// Counts fields, and checks the limits.
    fn count(&mut self, fields: usize) -> Result<(), Error> {
        self.fields += fields;
        if self.fields > MAX_FIELDS || self.depth == MAX_DEPTH {
            let message = "the operation has too many selections after its fragments are merged";
            return Err(Error::new(Code::LimitExceeded, message));
        }
        Ok(())
    }

    /// Returns the type of a field in an object type, which can be narrower than in the interface of the selection.
    fn field_type(&self, type_name: &str, field: &'a Field) -> &'a Type {
        let types: &'a Types = self.types;
        let own = types.object(type_name).and_then(|object| object.fields.get(&field.name));
        own.map_or(&field.definition.ty, |definition| &definition.ty)
    }

    fn value(
        &mut self,
        type_name: &Name,
        sets: &[&'a SelectionSet],
        location: Option<SourceSpan>,
    ) -> Result<CollectedValue, Error> {
        let pos = self.pos(location);
        let mut value = CollectedValue::default();
        match self.types.get(type_name) {
            Some(ExtendedType::Object(_)) => {
                let mut object = self.object(type_name, sets)?;
                // async-graphql makes null of an object without selections.
                if object.selections.is_empty() {
                    object.selections.push(syntax::type_name(pos));
                    object.response.tagged = true;
                }
                value.selections = object.selections;
                value.shape = Some(ResponseShape::Object(Arc::new(object.response)));
                value.cost.push(object.cost);
            }
            Some(ExtendedType::Interface(_) | ExtendedType::Union(_)) => {
                let types = self.types;
                let mut objects = HashMap::new();
                for name in types.possible_types(type_name) {
                    let mut object = self.object(name, sets)?;
                    object.response.tagged = true;
                    value.selections.push(syntax::on_type(name, object.selections, pos));
                    value.cost.push(object.cost);
                    objects.insert(name.to_string(), Arc::new(object.response));
                }
                value.selections.push(syntax::type_name(pos));
                value.shape = Some(ResponseShape::Abstract(objects));
            }
            _ => {}
        }
        Ok(value)
    }

    fn meta(&mut self, key: &async_graphql::Name, fields: &[&'a Node<Field>]) -> Result<MetaField, Error> {
        let field = fields[0];
        let sets: Vec<_> = fields.iter().map(|field| &field.selection_set).collect();
        let arguments = field.arguments.iter().map(|argument| {
            let value = literal::convert(self.types, None, &argument.value);
            (argument.name.to_string(), Positioned::new(value, self.pos(argument.value.location())))
        });
        let mut meta = MetaField {
            key: key.clone(),
            name: field.name.to_string(),
            arguments: arguments.collect(),
            fields: Vec::new(),
            is_nullable: !field.definition.ty.is_non_null(),
            failure: None,
        };
        let grouped = match self.group(field.definition.ty.inner_named_type(), &sets) {
            Ok(grouped) => grouped,
            Err(condition) => {
                meta.failure = Some(self.null_condition(&condition));
                return Ok(meta);
            }
        };
        self.count(grouped.len())?;
        for (key, fields) in grouped {
            meta.fields.push(self.meta(&async_graphql::Name::new(key), &fields)?);
        }
        Ok(meta)
    }

    fn pos(&self, location: Option<SourceSpan>) -> Pos {
        self.source.positions.of(location)
    }
}

fn response_type(ty: &Type, leaf: ResponseShape) -> ResponseType {
    let shape = match ty {
        Type::List(item) | Type::NonNullList(item) => ResponseShape::List(Box::new(response_type(item, leaf))),
        Type::Named(_) | Type::NonNullNamed(_) => leaf,
    };
    ResponseType { non_null: ty.is_non_null(), shape }
}
