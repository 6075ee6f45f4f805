//! Writes a page of members as JSON directly, if only columns of the members are selected.

use async_graphql::{
    Value,
    parser::types::{Selection, SelectionSet},
};

use super::{Member, MemberConnection, MemberEdge, Rows};
use crate::{
    budget::Exceeded,
    domain::member::{MemberColumns, MemberView},
    graphql::{
        json_template::{JsonTemplate, nullable, quoted, text, write_list},
        paced_list::PacedList,
        raw_list::RawList,
    },
    types::{Id, Time},
};

#[derive(Debug)]
pub(crate) struct Nodes<'a>(pub(super) &'a MemberConnection);

#[derive(Debug)]
pub(crate) struct Edges<'a>(pub(super) &'a MemberConnection);

/// The parts of an entry that differ from member to member.
#[derive(Debug)]
enum Slot {
    Id,
    Ref,
    MemberbaseId,
    Attributes,
    CreatedAt,
    UpdatedAt,
    SourceUpdatedAt,
    Cursor,
}

/// Returns the columns that the selection of a connection needs; `None` if it selects fields that need resolvers.
pub(super) fn columns(selection: &SelectionSet) -> Option<MemberColumns> {
    let mut fields = MemberColumns::default();
    for item in &selection.items {
        let Selection::Field(field) = &item.node else { return None };
        let selection = &field.node.selection_set.node;
        let template = match field.node.name.node.as_str() {
            "nodes" => nodes(selection)?,
            "edges" => edges(selection)?,
            _ => continue,
        };
        fields = template.slots().fold(fields, |fields, slot| fields | slot.field());
    }
    Some(fields)
}

fn nodes(selection: &SelectionSet) -> Option<JsonTemplate<Slot>> {
    JsonTemplate::of(selection, node)
}

fn edges(selection: &SelectionSet) -> Option<JsonTemplate<Slot>> {
    JsonTemplate::of(selection, |template, name, selection| match name {
        "__typename" => template.type_name("MemberEdge"),
        "cursor" => template.quoted_slot(Slot::Cursor),
        "node" => template.object(selection, node),
        _ => None,
    })
}

fn node(template: &mut JsonTemplate<Slot>, name: &str, _: &SelectionSet) -> Option<()> {
    match name {
        "__typename" => template.type_name("Member"),
        "id" => template.quoted_slot(Slot::Id),
        "ref" => template.slot(Slot::Ref),
        "memberbaseId" => template.quoted_slot(Slot::MemberbaseId),
        "attributes" => template.slot(Slot::Attributes),
        "createdAt" => template.quoted_slot(Slot::CreatedAt),
        "updatedAt" => template.quoted_slot(Slot::UpdatedAt),
        "sourceUpdatedAt" => template.slot(Slot::SourceUpdatedAt),
        _ => None,
    }
}

impl Slot {
    /// Returns the column that the slot needs in addition to the id and the sort key.
    fn field(&self) -> MemberColumns {
        match self {
            Self::Id | Self::MemberbaseId | Self::CreatedAt | Self::Cursor => MemberColumns::default(),
            Self::Ref => MemberColumns::REF,
            Self::Attributes => MemberColumns::ATTRIBUTES,
            Self::UpdatedAt => MemberColumns::UPDATED_AT,
            Self::SourceUpdatedAt => MemberColumns::SOURCE_UPDATED_AT,
        }
    }

    /// Writes the slot's value. `cursor` returns the cursor of the member.
    #[inline]
    fn write(&self, member: &MemberView<'_>, json: &mut Vec<u8>, cursor: impl FnOnce() -> String) {
        match self {
            Self::Id => json.extend_from_slice(member.id.ascii().as_ref()),
            Self::Ref => text(json, member.reference),
            Self::MemberbaseId => json.extend_from_slice(member.memberbase.ascii().as_ref()),
            Self::Attributes => json.extend_from_slice(member.attributes.unwrap_or("{}").as_bytes()),
            Self::CreatedAt => json.extend_from_slice(member.id.created_at().ascii().as_ref()),
            Self::UpdatedAt => json.extend_from_slice(member.updated_at.ascii().as_ref()),
            Self::SourceUpdatedAt => nullable(json, member.source_updated_at.map(Time::ascii), quoted),
            Self::Cursor => json.extend_from_slice(cursor().as_bytes()),
        }
    }
}

/// A list of members with null for each that does not exist.
#[derive(Debug)]
pub(crate) struct FoundMembers(pub(in crate::graphql) Vec<Option<Member>>);

impl RawList for FoundMembers {
    type Plain = PacedList<Option<Member>>;

    fn json(&self, selection: &SelectionSet) -> Option<Result<Value, Exceeded>> {
        let template = nodes(selection)?;
        Some(write_list(self.0.iter(), |member, json| {
            nullable(json, member.as_ref(), |json, member| {
                // The selection of a member has no cursor.
                template.item(json, |slot, json| slot.write(&member.0.view(), json, String::new));
            });
        }))
    }

    fn plain(&self) -> Self::Plain {
        self.0.clone().into()
    }
}

impl MemberConnection {
    fn write(&self, template: &JsonTemplate<Slot>) -> Result<Value, Exceeded> {
        let fill = |member: &MemberView<'_>, slot: &Slot, json: &mut Vec<u8>| {
            slot.write(member, json, || self.cursor(*member));
        };
        match &self.rows {
            Rows::Members(members) => template.list(members.iter().map(|member| member.0.view()), fill),
            Rows::Columns(page) => template.list(page.members(), fill),
        }
    }

    fn members(&self) -> &[Member] {
        match &self.rows {
            Rows::Members(members) => members,
            Rows::Columns(_) => unreachable!("columns are loaded only for selections that are written as JSON"),
        }
    }
}

impl<'a> RawList for Nodes<'a> {
    type Plain = PacedList<&'a Member>;

    fn json(&self, selection: &SelectionSet) -> Option<Result<Value, Exceeded>> {
        nodes(selection).map(|template| self.0.write(&template))
    }

    fn plain(&self) -> Self::Plain {
        self.0.members().iter().collect()
    }
}

impl RawList for Edges<'_> {
    type Plain = PacedList<MemberEdge>;

    fn json(&self, selection: &SelectionSet) -> Option<Result<Value, Exceeded>> {
        edges(selection).map(|template| self.0.write(&template))
    }

    fn plain(&self) -> Self::Plain {
        let edge = |member: &Member| MemberEdge { cursor: self.0.cursor(member.0.view()), node: member.clone() };
        self.0.members().iter().map(edge).collect()
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::{parse_query, types::DocumentOperations};

    use super::*;

    fn of(selection: &str) -> Option<MemberColumns> {
        let document = parse_query(selection).expect("a document");
        let DocumentOperations::Single(operation) = document.operations else { panic!("one operation") };
        columns(&operation.node.selection_set.node)
    }

    #[test]
    fn only_columns_are_loaded_unless_a_field_needs_a_resolver() {
        assert_eq!(of("{ totalCount pageInfo { endCursor } }"), Some(MemberColumns::default()));
        assert_eq!(of("{ nodes { id createdAt memberbaseId __typename } }"), Some(MemberColumns::default()));
        assert_eq!(
            of("{ edges { cursor node { ref } } a: nodes { updatedAt } }"),
            Some(MemberColumns::REF | MemberColumns::UPDATED_AT)
        );
        let all = "attributes updatedAt ref id sourceUpdatedAt";
        assert_eq!(of(&format!("{{ edges {{ node {{ {all} }} }} }}")), Some(MemberColumns::ALL));
        for other in ["attribute(key: \"a\")", "memberbase { id }", "clips { totalCount }", "@type: id"] {
            let other = other.replace("@type:", "id @x a:");
            assert_eq!(of(&format!("{{ nodes {{ id {other} }} }}")), None, "{other}");
            assert_eq!(of(&format!("{{ nodes {{ id }} edges {{ node {{ {other} }} }} }}")), None, "{other}");
        }
    }
}
