//! Field merging (<https://spec.graphql.org/draft/#sec-Field-Selection-Merging>): async-graphql compares the fields
//! of one selection set with the same response key; this module also compares those of sets that are merged, including
//! through fragments with other type conditions. Completion can then take the first field for all of them.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned,
    indexmap::IndexMap,
    parser::types::{ExecutableDocument, Field, Selection, SelectionSet},
    registry::{MetaType, MetaTypeName, Registry},
};

use super::literals::{concrete, root};
use crate::graphql::{Code, Error};

/// Judges all operations. Each selection is looked at as often as it is expanded, which `measure` has bounded.
pub(super) fn check(registry: &Registry, document: &ExecutableDocument) -> Result<(), Error> {
    let merging = Merging { registry, document };
    for (_, operation) in document.operations.iter() {
        merging.level(&[(root(registry, operation.node.ty), &operation.node.selection_set)])?;
    }
    Ok(())
}

/// A selection set on a type.
type Set<'a> = (Option<&'a MetaType>, &'a Positioned<SelectionSet>);
/// A field of a type.
type Member<'a> = (Option<&'a MetaType>, &'a Positioned<Field>);

struct Merging<'a> {
    registry: &'a Registry,
    document: &'a ExecutableDocument,
}

impl<'a> Merging<'a> {
    /// Sets that become one object of the answer.
    fn level(&self, sets: &[Set<'a>]) -> Result<(), Error> {
        let mut keys = IndexMap::new();
        for &(parent, set) in sets {
            self.collect(parent, set, &mut keys);
        }
        for (key, members) in &keys {
            let mut below = Vec::with_capacity(members.len());
            // The first of each type stands for all of it.
            let mut firsts: HashMap<Option<&str>, Member<'a>> = HashMap::new();
            for &member in members {
                let first = *firsts.entry(member.0.map(MetaType::name)).or_insert(member);
                self.compare(key, first, member)?;
                if !member.1.node.selection_set.node.items.is_empty() {
                    let ty = self.ty(member).and_then(|ty| concrete(self.registry, ty));
                    below.push((ty, &member.1.node.selection_set));
                }
            }
            let mut firsts: Vec<_> = firsts.into_values().collect();
            firsts.sort_by_key(|(_, field)| field.pos);
            for (at, &first) in firsts.iter().enumerate() {
                firsts[at + 1..].iter().try_for_each(|&other| self.compare(key, first, other))?;
            }
            if !below.is_empty() {
                self.level(&below)?;
            }
        }
        Ok(())
    }

    fn collect(
        &self,
        parent: Option<&'a MetaType>,
        set: &'a Positioned<SelectionSet>,
        keys: &mut IndexMap<&'a str, Vec<Member<'a>>>,
    ) {
        let on = |name: &str| self.registry.types.get(name);
        for selection in &set.node.items {
            match &selection.node {
                Selection::Field(field) => {
                    keys.entry(field.node.response_key().node.as_str()).or_default().push((parent, field));
                }
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    let parent = condition.map_or(parent, |condition| on(condition.node.on.node.as_str()));
                    self.collect(parent, &inline.node.selection_set, keys);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) {
                        let parent = on(fragment.node.type_condition.node.on.node.as_str());
                        self.collect(parent, &fragment.node.selection_set, keys);
                    }
                }
            }
        }
    }

    fn compare(&self, key: &str, one: Member<'a>, other: Member<'a>) -> Result<(), Error> {
        if std::ptr::eq(one.1, other.1) {
            return Ok(());
        }
        let conflict = |why: String| {
            let message = format!("the fields of the key {key} can't be merged: {why}; use different aliases");
            let error = Error::new(Code::GraphqlValidationFailed, message);
            let (first, second) = (one.1.pos.min(other.1.pos), one.1.pos.max(other.1.pos));
            Err(error.at(first.line, first.column).at(second.line, second.column))
        };
        let (a, b) = (&one.1.node, &other.1.node);
        // An object is never of two object types; what it may be of has to be asked in one way.
        if may_be_one(one.0, other.0) {
            if a.name.node != b.name.node {
                return conflict(format!("{} and {} are different fields", a.name.node, b.name.node));
            }
            let same = |(name, value): &(Positioned<Name>, Positioned<_>)| {
                b.get_argument(&name.node).is_some_and(|other| other.node == value.node)
            };
            if a.arguments.len() != b.arguments.len() || !a.arguments.iter().all(same) {
                return conflict("their arguments differ".to_owned());
            }
        }
        match (self.ty(one), self.ty(other)) {
            (Some(a), Some(b)) if !self.same_shape(a, b) => conflict(format!("their types are {a} and {b}")),
            _ => Ok(()),
        }
    }

    fn same_shape(&self, one: &str, other: &str) -> bool {
        match (MetaTypeName::create(one), MetaTypeName::create(other)) {
            (MetaTypeName::NonNull(one), MetaTypeName::NonNull(other))
            | (MetaTypeName::List(one), MetaTypeName::List(other)) => self.same_shape(one, other),
            (MetaTypeName::Named(one), MetaTypeName::Named(other)) => {
                let composite = |name: &str| self.registry.types.get(name).is_some_and(MetaType::is_composite);
                one == other || (composite(one) && composite(other))
            }
            _ => false,
        }
    }

    fn ty(&self, (parent, field): Member<'a>) -> Option<&'a str> {
        if field.node.name.node == "__typename" {
            return Some("String!");
        }
        parent?.field_by_name(&field.node.name.node).map(|meta| meta.ty.as_str())
    }
}

fn may_be_one(one: Option<&MetaType>, other: Option<&MetaType>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.name() == other.name() || one.is_abstract() || other.is_abstract(),
        _ => true,
    }
}
