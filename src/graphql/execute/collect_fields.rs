//! Collects the fields of an operation (<https://spec.graphql.org/draft/#sec-Field-Collection>): applies fragments and
//! conditions, and merges fields with the same response key.
//!
//! The result has everything that depends on the selections alone: the operation that async-graphql runs, which resolves a
//! field as often as it is in a document; the shape of the response; and the cost.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use apollo_compiler::{
    Name, Node,
    ast::{DirectiveList, OperationType, Type},
    collections::IndexMap,
    executable::{Field, Operation, Selection, SelectionSet},
    parser::SourceSpan,
    schema::ExtendedType,
};
use async_graphql::{
    Pos, Positioned, ServerError,
    parser::types::{self as parsed, DocumentOperations, ExecutableDocument},
};

use super::{
    cost::FieldCost,
    document::{LateCheck, Source},
    introspection::MetaField,
    literal,
    prepared_operation::VariableDefinition,
    response_shape::{ResponseField, ResponseObject, ResponseShape, ResponseType, TYPE_KEY},
    schema::Types,
};
use crate::graphql::{Code, Error};

/// Maximum number of fields after fragments are merged: fragments in fragments grow fast.
const MAX_FIELDS: usize = 20_000;

/// Maximum nesting of fields, which limits of documents may exceed by configuration.
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
}

/// The variables in conditions with their values; `None` for null.
pub(super) type Conditions<'a> = HashMap<&'a str, Option<bool>>;

/// Checks that all fields with the same response key have the same arguments, whatever the conditions' values.
///
/// apollo-compiler 1.33 takes lists of different lengths for the same argument.
pub(super) fn check(types: &Types, source: &Source, operation: &Node<Operation>) -> Result<(), Error> {
    match Collector::new(types, source, operation, None).object(operation.object_type(), &[&operation.selection_set]) {
        // Limits are for what is executed.
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
    let mut selections = root.selections;
    let pos = collector.pos(operation.location());
    if selections.is_empty() {
        selections.push(type_name(pos));
    }
    let definition = parsed::OperationDefinition {
        ty: match operation.operation_type {
            OperationType::Query => parsed::OperationType::Query,
            OperationType::Mutation => parsed::OperationType::Mutation,
            OperationType::Subscription => parsed::OperationType::Subscription,
        },
        variable_definitions: variables.iter().filter_map(|variable| define(variable, pos)).collect(),
        directives: Vec::new(),
        selection_set: Positioned::new(parsed::SelectionSet { items: selections }, pos),
    };
    let operations = DocumentOperations::Single(Positioned::new(definition, pos));
    Ok(Collected {
        document: ExecutableDocument { operations, fragments: HashMap::new() },
        root: Arc::new(root.response),
        cost: root.cost,
        introspection: collector.introspection,
        late_checks: collector.late_checks,
    })
}

fn define(variable: &VariableDefinition, pos: Pos) -> Option<Positioned<parsed::VariableDefinition>> {
    let definition = parsed::VariableDefinition {
        name: Positioned::new(async_graphql::Name::new(&variable.name), pos),
        var_type: Positioned::new(parsed::Type::new(&variable.ty.to_string())?, pos),
        directives: Vec::new(),
        default_value: variable.default.clone().map(|default| Positioned::new(default, pos)),
    };
    Some(Positioned::new(definition, pos))
}

/// The collected fields of an object type.
struct CollectedObject {
    selections: Vec<Positioned<parsed::Selection>>,
    response: ResponseObject,
    cost: Vec<FieldCost>,
}

/// What is selected of a field's value.
#[derive(Default)]
struct CollectedValue {
    selections: Vec<Positioned<parsed::Selection>>,
    shape: Option<ResponseShape>,
    /// The cost for each type that the value can have.
    cost: Vec<Vec<FieldCost>>,
}

/// The fields with the same response key. The first one decides about the arguments.
type GroupedFields<'a> = IndexMap<&'a Name, Vec<&'a Node<Field>>>;

/// A condition that is null (<https://spec.graphql.org/draft/#sec--include>).
struct NullCondition {
    directive: Name,
    location: Option<SourceSpan>,
}

struct Collector<'a> {
    types: &'a Types,
    source: &'a Source,
    /// `None` if every selection is included.
    conditions: Option<&'a Conditions<'a>>,
    is_query: bool,
    fields: usize,
    depth: usize,
    introspection: Vec<MetaField>,
    late_checks: Vec<(Pos, LateCheck)>,
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
            depth: 0,
            introspection: Vec::new(),
            late_checks: Vec::new(),
        }
    }

    fn object(&mut self, type_name: &str, sets: &[&'a SelectionSet]) -> Result<CollectedObject, Error> {
        let mut response =
            ResponseObject { type_name: type_name.to_owned(), fields: Vec::new(), tagged: false, failure: None };
        let grouped = match self.group(type_name, sets) {
            Ok(grouped) => grouped,
            Err(condition) => {
                response.failure = Some(self.null_condition(&condition));
                return Ok(CollectedObject { selections: Vec::new(), response, cost: Vec::new() });
            }
        };
        self.fields += grouped.len();
        if self.fields > MAX_FIELDS || self.depth == MAX_DEPTH {
            let message = "the operation has too many selections after its fragments are merged";
            return Err(Error::new(Code::LimitExceeded, message));
        }
        let (mut selections, mut cost) = (Vec::with_capacity(grouped.len()), Vec::with_capacity(grouped.len()));
        self.depth += 1;
        for (key, fields) in grouped {
            let field = fields[0];
            let ty = self.field_type(type_name, field);
            let key = async_graphql::Name::new(key);
            if self.depth == 1 && self.is_query && matches!(field.name.as_str(), "__schema" | "__type") {
                let meta = self.meta(&key, &fields)?;
                cost.push(FieldCost::of_introspection(meta.count()));
                self.introspection.push(meta);
                let shape = ResponseShape::Leaf;
                response.fields.push(ResponseField { key, ty: ResponseType { non_null: ty.is_non_null(), shape } });
                continue;
            }
            let sets: Vec<_> = fields.iter().map(|field| &field.selection_set).collect();
            let value = self.value(ty.inner_named_type(), &sets, field.location())?;
            let selection = self.selection(field, &fields, value.selections)?;
            cost.push(FieldCost::new(&field.definition, &selection.node, value.cost));
            let pos = selection.pos;
            selections.push(Positioned::new(parsed::Selection::Field(selection), pos));
            let ty = response_type(ty, value.shape.unwrap_or(ResponseShape::Leaf));
            response.fields.push(ResponseField { key, ty });
        }
        self.depth -= 1;
        Ok(CollectedObject { selections, response, cost })
    }

    /// <https://spec.graphql.org/draft/#CollectFields()>
    fn group(&self, object: &str, sets: &[&'a SelectionSet]) -> Result<GroupedFields<'a>, NullCondition> {
        let (mut grouped, mut visited) = (GroupedFields::default(), HashSet::new());
        for set in sets {
            self.collect_into(&mut grouped, &mut visited, object, set)?;
        }
        Ok(grouped)
    }

    fn collect_into(
        &self,
        grouped: &mut GroupedFields<'a>,
        visited: &mut HashSet<&'a Name>,
        object: &str,
        set: &'a SelectionSet,
    ) -> Result<(), NullCondition> {
        for selection in &set.selections {
            // As in graphql-js, the conditions of a fragment that was visited are not evaluated.
            if selection.as_fragment_spread().is_some_and(|spread| visited.contains(&spread.fragment_name))
                || !self.is_included(selection.directives())?
            {
                continue;
            }
            match selection {
                Selection::Field(field) => grouped.entry(field.response_key()).or_default().push(field),
                Selection::InlineFragment(inline) => {
                    let condition = inline.type_condition.as_ref();
                    if condition.is_none_or(|condition| self.types.applies(condition, object)) {
                        self.collect_into(grouped, visited, object, &inline.selection_set)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let Some(fragment) = self.source.document.fragments.get(&spread.fragment_name) else { continue };
                    if visited.insert(&spread.fragment_name) && self.types.applies(fragment.type_condition(), object) {
                        self.collect_into(grouped, visited, object, &fragment.selection_set)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Applies `@skip` and `@include` (<https://spec.graphql.org/draft/#sec--skip>).
    fn is_included(&self, directives: &DirectiveList) -> Result<bool, NullCondition> {
        let Some(conditions) = self.conditions else { return Ok(true) };
        for (name, includes) in [("skip", false), ("include", true)] {
            let Some(directive) = directives.get(name) else { continue };
            let Some(value) = directive.specified_argument_by_name("if") else { continue };
            let condition = match value.as_variable() {
                Some(variable) => conditions.get(variable.as_str()).copied().flatten(),
                None => value.to_bool(),
            };
            match condition {
                Some(condition) if condition == includes => {}
                Some(_) => return Ok(false),
                None => return Err(NullCondition { directive: directive.name.clone(), location: value.location() }),
            }
        }
        Ok(true)
    }

    fn null_condition(&self, condition: &NullCondition) -> ServerError {
        let message = format!("the argument if of @{} must not be null", condition.directive);
        let mut error = ServerError::new(message, Some(self.pos(condition.location)));
        error.extensions = Some(Error::new(Code::BadUserInput, "").extensions());
        error
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
                // async-graphql makes null of an object of which nothing is selected.
                if object.selections.is_empty() {
                    object.selections.push(self::type_name(pos));
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
                    value.selections.push(on_type(name, object.selections, pos));
                    value.cost.push(object.cost);
                    objects.insert(name.to_string(), Arc::new(object.response));
                }
                value.selections.push(self::type_name(pos));
                value.shape = Some(ResponseShape::Abstract(objects));
            }
            _ => {}
        }
        Ok(value)
    }

    /// Builds the field that async-graphql resolves for fields with the same response key.
    fn selection(
        &mut self,
        field: &'a Node<Field>,
        fields: &[&'a Node<Field>],
        selections: Vec<Positioned<parsed::Selection>>,
    ) -> Result<Positioned<parsed::Field>, Error> {
        let pos = self.pos(field.location());
        if let Some(other) = fields.iter().find(|other| !is_same_call(field, other)) {
            let message =
                format!("the fields of the key {} have different arguments; use aliases", field.response_key());
            let other = self.pos(other.location());
            let error = Error::new(Code::GraphqlValidationFailed, message);
            return Err(error.at(pos.line, pos.column).at(other.line, other.column));
        }
        let mut arguments = Vec::with_capacity(field.arguments.len());
        for argument in &field.arguments {
            let ty = field.definition.argument_by_name(&argument.name).map(|definition| &*definition.ty);
            let value = literal::convert(self.types, ty, &argument.value);
            let at = self.pos(argument.value.location());
            let checks = argument.value.location().and_then(|it| self.source.late_checks.get(&it.offset()));
            self.late_checks.extend(checks.into_iter().flatten().map(|check| (at, check.clone())));
            let name = Positioned::new(async_graphql::Name::new(&argument.name), self.pos(argument.location()));
            arguments.push((name, Positioned::new(value, at)));
        }
        let name = |name: &Name| Positioned::new(async_graphql::Name::new(name), pos);
        let field = parsed::Field {
            alias: field.alias.as_ref().map(name),
            name: name(&field.name),
            arguments,
            directives: Vec::new(),
            selection_set: Positioned::new(parsed::SelectionSet { items: selections }, pos),
        };
        Ok(Positioned::new(field, pos))
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
        self.fields += grouped.len();
        if self.fields > MAX_FIELDS {
            let message = "the operation has too many selections after its fragments are merged";
            return Err(Error::new(Code::LimitExceeded, message));
        }
        for (key, fields) in grouped {
            meta.fields.push(self.meta(&async_graphql::Name::new(key), &fields)?);
        }
        Ok(meta)
    }

    fn pos(&self, location: Option<SourceSpan>) -> Pos {
        self.source.positions.at(location.map_or(0, |location| location.offset()))
    }
}

/// Whether two fields are the same field with the same arguments, whatever their order.
fn is_same_call(field: &Field, other: &Field) -> bool {
    field.name == other.name
        && field.arguments.len() == other.arguments.len()
        && field.arguments.iter().all(|argument| {
            let same = other.arguments.iter().find(|it| it.name == argument.name);
            same.is_some_and(|same| literal::is_same(&argument.value, &same.value))
        })
}

fn response_type(ty: &Type, leaf: ResponseShape) -> ResponseType {
    let shape = match ty {
        Type::List(item) | Type::NonNullList(item) => ResponseShape::List(Box::new(response_type(item, leaf))),
        Type::Named(_) | Type::NonNullNamed(_) => leaf,
    };
    ResponseType { non_null: ty.is_non_null(), shape }
}

/// `... on Type { selections }`
fn on_type(type_name: &Name, items: Vec<Positioned<parsed::Selection>>, pos: Pos) -> Positioned<parsed::Selection> {
    let condition = parsed::TypeCondition { on: Positioned::new(async_graphql::Name::new(type_name), pos) };
    let fragment = parsed::InlineFragment {
        type_condition: Some(Positioned::new(condition, pos)),
        directives: Vec::new(),
        selection_set: Positioned::new(parsed::SelectionSet { items }, pos),
    };
    Positioned::new(parsed::Selection::InlineFragment(Positioned::new(fragment, pos)), pos)
}

/// `@type: __typename`
fn type_name(pos: Pos) -> Positioned<parsed::Selection> {
    let name = |name| Positioned::new(async_graphql::Name::new(name), pos);
    let field = parsed::Field {
        alias: Some(name(TYPE_KEY)),
        name: name("__typename"),
        arguments: Vec::new(),
        directives: Vec::new(),
        selection_set: Positioned::new(parsed::SelectionSet::default(), pos),
    };
    Positioned::new(parsed::Selection::Field(Positioned::new(field, pos)), pos)
}
