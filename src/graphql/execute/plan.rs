//! The selections of an operation per concrete type, in the order of the response
//! (<https://spec.graphql.org/draft/#sec-Field-Collection>).
//!
//! Built once per request; `complete` walks the data along it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_graphql::{
    Name, Positioned, Value, Variables,
    indexmap::IndexMap,
    parser::types::{
        Directive, ExecutableDocument, Field as QueryField, OperationDefinition, OperationType, Selection, SelectionSet,
    },
    registry::{MetaType, Registry},
};

mod flatten;
mod introspection;

pub(crate) use flatten::flatten;

/// The response key under which objects tell their type to `complete`. No client can choose it: it is no GraphQL name.
pub(super) const TYPE_KEY: &str = "@type";

/// How deep a plan goes at most; validation and its limit on depth come long before.
const MAX_DEPTH: usize = 200;

/// The selection of an operation.
#[derive(Debug)]
pub(crate) struct Plan {
    root: Arc<Object>,
}

/// What is selected of a concrete type.
#[derive(Debug)]
pub(super) struct Object {
    /// The name of the type.
    pub(super) name: String,
    /// The fields in the order of the answer.
    pub(super) fields: Vec<Field>,
    /// Whether the data has `TYPE_KEY`.
    pub(super) tagged: bool,
}

/// A field of an answer.
#[derive(Debug)]
pub(super) struct Field {
    /// The response key.
    pub(super) key: Name,
    /// The type.
    pub(super) ty: Type,
}

/// A type with what is selected of it.
#[derive(Debug)]
pub(super) struct Type {
    /// Whether `null` is no value of it.
    pub(super) non_null: bool,
    /// What it is made of.
    pub(super) shape: Shape,
}

/// What a type is made of.
#[derive(Debug)]
pub(super) enum Shape {
    /// A scalar, an enum, or something unknown: taken as it is.
    Leaf,
    /// A list.
    List(Box<Type>),
    /// An object of one type.
    Object(Arc<Object>),
    /// An object of one of several types.
    Abstract(HashMap<String, Arc<Object>>),
}

impl Plan {
    /// Plans an operation of a validated document. The registry names its root types; the variables are coerced, and
    /// so hold the defaults: async-graphql judges `@skip` and `@include` by them alone.
    pub(crate) fn new(
        registry: &Registry,
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        variables: &Variables,
    ) -> Self {
        let mut planner = Planner::new(registry, document, operation, variables);
        Self { root: planner.object(root_type(registry, operation.ty), &[&operation.selection_set.node]) }
    }

    /// The root.
    pub(super) fn root(&self) -> &Object {
        &self.root
    }
}

impl Object {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), fields: Vec::new(), tagged: false }
    }
}

/// By response key: the first field and what is selected of its value, in every place.
type Collected<'a> = IndexMap<&'a Name, (&'a Positioned<QueryField>, Vec<&'a SelectionSet>)>;

struct Planner<'a> {
    registry: &'a Registry,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    /// By type and selections, so that fragments that are spread in many places are planned once.
    known: HashMap<(String, Vec<*const SelectionSet>), Arc<Object>>,
    depth: usize,
}

impl<'a> Planner<'a> {
    fn new(
        registry: &'a Registry,
        document: &'a ExecutableDocument,
        operation: &'a OperationDefinition,
        variables: &'a Variables,
    ) -> Self {
        Self { registry, document, operation, variables, known: HashMap::new(), depth: 0 }
    }

    fn object(&mut self, name: &str, sets: &[&'a SelectionSet]) -> Arc<Object> {
        let key = (name.to_owned(), sets.iter().map(|set| std::ptr::from_ref(*set)).collect::<Vec<_>>());
        if let Some(known) = self.known.get(&key) {
            return Arc::clone(known);
        }
        let mut object = Object::new(name);
        let (mut fields, mut spread) = (Collected::new(), HashSet::new());
        for set in sets {
            self.collect(&mut object, &mut fields, &mut spread, set);
        }
        for (key, (field, sets)) in fields {
            let ty = match field_type(self.registry, name, &field.node.name.node) {
                Some(ty) => self.ty(ty, &sets),
                None => Type { non_null: false, shape: Shape::Leaf },
            };
            object.fields.push(Field { key: key.clone(), ty });
        }
        let object = Arc::new(object);
        self.known.insert(key, Arc::clone(&object));
        object
    }

    fn collect(
        &self,
        object: &mut Object,
        fields: &mut Collected<'a>,
        spread: &mut HashSet<&'a Name>,
        set: &'a SelectionSet,
    ) {
        for item in &set.items {
            if self.skipped(item.node.directives()) {
                continue;
            }
            let (condition, inner) = match &item.node {
                Selection::Field(field) => {
                    let key = &field.node.response_key().node;
                    if key == TYPE_KEY {
                        object.tagged = true;
                        continue;
                    }
                    let set = &field.node.selection_set.node;
                    match fields.get_mut(key) {
                        Some((_, sets)) => sets.push(set),
                        None => {
                            fields.insert(key, (field, vec![set]));
                        }
                    }
                    continue;
                }
                Selection::InlineFragment(fragment) => {
                    (fragment.node.type_condition.as_ref(), &fragment.node.selection_set.node)
                }
                Selection::FragmentSpread(fragment) => {
                    let name = &fragment.node.fragment_name.node;
                    let Some(fragment) = self.document.fragments.get(name) else { continue };
                    if !spread.insert(name) {
                        continue;
                    }
                    (Some(&fragment.node.type_condition), &fragment.node.selection_set.node)
                }
            };
            if condition.is_none_or(|condition| self.applies(&condition.node.on.node, &object.name)) {
                self.collect(object, fields, spread, inner);
            }
        }
    }

    fn applies(&self, condition: &str, name: &str) -> bool {
        condition == name || self.registry.types.get(condition).is_some_and(|ty| ty.is_possible_type(name))
    }

    fn skipped(&self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().any(|directive| {
            let include = match directive.node.name.node.as_str() {
                "include" => true,
                "skip" => false,
                _ => return false,
            };
            let Some(condition) = directive.node.get_argument("if") else { return false };
            let value = condition.node.clone().into_const_with(|name| self.variable(&name).ok_or(()));
            (value == Ok(Value::Boolean(true))) != include
        })
    }

    fn variable(&self, name: &str) -> Option<Value> {
        let given = self.variables.get(name).cloned();
        given.or_else(|| {
            let mut definitions = self.operation.variable_definitions.iter();
            definitions.find(|definition| definition.node.name.node == name)?.node.default_value().cloned()
        })
    }

    fn ty(&mut self, text: &str, sets: &[&'a SelectionSet]) -> Type {
        let (text, non_null) = match text.strip_suffix('!') {
            Some(text) => (text, true),
            None => (text, false),
        };
        if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            return Type { non_null, shape: Shape::List(Box::new(self.ty(inner, sets))) };
        }
        if self.depth == MAX_DEPTH {
            return Type { non_null, shape: Shape::Leaf };
        }
        self.depth += 1;
        let shape = match self.registry.types.get(text) {
            Some(MetaType::Object { .. }) => Shape::Object(self.object(text, sets)),
            Some(ty @ (MetaType::Interface { .. } | MetaType::Union { .. })) => Shape::Abstract(
                ty.possible_types().into_iter().flatten().map(|name| (name.clone(), self.object(name, sets))).collect(),
            ),
            None if introspection::is_object(text) => Shape::Object(self.object(text, sets)),
            _ => Shape::Leaf,
        };
        self.depth -= 1;
        Type { non_null, shape }
    }
}

/// The type that an operation begins with; the registry names it.
pub(super) fn root_type(registry: &Registry, ty: OperationType) -> &str {
    match ty {
        OperationType::Query => &registry.query_type,
        OperationType::Mutation => registry.mutation_type.as_deref().unwrap_or_default(),
        OperationType::Subscription => registry.subscription_type.as_deref().unwrap_or_default(),
    }
}

/// The type of a field, as the schema's language has it.
fn field_type<'r>(registry: &'r Registry, name: &str, field: &str) -> Option<&'r str> {
    match registry.types.get(name).and_then(|ty| ty.field_by_name(field)) {
        Some(field) => Some(&field.ty),
        None => introspection::field_type(name, field),
    }
}
