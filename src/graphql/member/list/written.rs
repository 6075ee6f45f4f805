//! Pages of members as JSON, where all that is selected of them are fields of their own.

use async_graphql::{
    Value,
    parser::types::{Selection, SelectionSet},
};

use super::{Member, MemberConnection, MemberEdge, Rows};
use crate::{
    domain::member::{Fields, View},
    graphql::execute::template::{Template, TwoForms, nullable, quoted, text},
    types::{Id, Time},
};

/// The nodes of a connection.
#[derive(Debug)]
pub struct Nodes<'a>(pub(super) &'a MemberConnection);

/// The edges of a connection.
#[derive(Debug)]
pub struct Edges<'a>(pub(super) &'a MemberConnection);

/// What differs from member to member.
#[derive(Debug)]
enum Gap {
    Id,
    Ref,
    MemberbaseId,
    Attributes,
    CreatedAt,
    UpdatedAt,
    SourceUpdatedAt,
    Cursor,
}

/// What the selection of a connection asks of its members; none where it asks for more than fields of their own.
pub(super) fn fields(selection: &SelectionSet) -> Option<Fields> {
    let mut fields = Fields::default();
    for item in &selection.items {
        let Selection::Field(field) = &item.node else { return None };
        let selection = &field.node.selection_set.node;
        let template = match field.node.name.node.as_str() {
            "nodes" => nodes(selection)?,
            "edges" => edges(selection)?,
            _ => continue,
        };
        fields = template.gaps().fold(fields, |fields, gap| fields | gap.field());
    }
    Some(fields)
}

fn nodes(selection: &SelectionSet) -> Option<Template<Gap>> {
    Template::of(selection, node)
}

fn edges(selection: &SelectionSet) -> Option<Template<Gap>> {
    Template::of(selection, |template, name, selection| match name {
        "__typename" => template.type_name("MemberEdge"),
        "cursor" => template.quoted_gap(Gap::Cursor),
        "node" => template.object(selection, node),
        _ => None,
    })
}

fn node(template: &mut Template<Gap>, name: &str, _: &SelectionSet) -> Option<()> {
    match name {
        "__typename" => template.type_name("Member"),
        "id" => template.quoted_gap(Gap::Id),
        "ref" => template.gap(Gap::Ref),
        "memberbaseId" => template.quoted_gap(Gap::MemberbaseId),
        "attributes" => template.gap(Gap::Attributes),
        "createdAt" => template.quoted_gap(Gap::CreatedAt),
        "updatedAt" => template.quoted_gap(Gap::UpdatedAt),
        "sourceUpdatedAt" => template.gap(Gap::SourceUpdatedAt),
        _ => None,
    }
}

impl Gap {
    /// What has to be known beside the id and what the order is by.
    fn field(&self) -> Fields {
        match self {
            Self::Id | Self::MemberbaseId | Self::CreatedAt | Self::Cursor => Fields::default(),
            Self::Ref => Fields::REF,
            Self::Attributes => Fields::ATTRIBUTES,
            Self::UpdatedAt => Fields::UPDATED_AT,
            Self::SourceUpdatedAt => Fields::SOURCE_UPDATED_AT,
        }
    }
}

impl MemberConnection {
    fn write(&self, template: &Template<Gap>) -> Value {
        let fill = |member: &View<'_>, gap: &Gap, json: &mut Vec<u8>| match gap {
            Gap::Id => json.extend_from_slice(member.id.ascii().as_ref()),
            Gap::Ref => text(json, member.reference),
            Gap::MemberbaseId => json.extend_from_slice(member.memberbase.ascii().as_ref()),
            Gap::Attributes => json.extend_from_slice(member.attributes.unwrap_or("{}").as_bytes()),
            Gap::CreatedAt => json.extend_from_slice(member.id.created_at().ascii().as_ref()),
            Gap::UpdatedAt => json.extend_from_slice(member.updated_at.ascii().as_ref()),
            Gap::SourceUpdatedAt => nullable(json, member.source_updated_at.map(Time::ascii), quoted),
            Gap::Cursor => json.extend_from_slice(self.cursor(*member).as_bytes()),
        };
        match &self.rows {
            Rows::Members(members) => template.list(members.iter().map(|member| member.0.view()), fill),
            Rows::Picked(page) => template.list(page.members(), fill),
        }
    }

    fn members(&self) -> &[Member] {
        match &self.rows {
            Rows::Members(members) => members,
            Rows::Picked(_) => unreachable!("members are picked for lists that can be written"),
        }
    }
}

impl<'a> TwoForms for Nodes<'a> {
    type Plain = &'a [Member];

    fn json(&self, selection: &SelectionSet) -> Option<Value> {
        nodes(selection).map(|template| self.0.write(&template))
    }

    fn plain(&self) -> Self::Plain {
        self.0.members()
    }
}

impl TwoForms for Edges<'_> {
    type Plain = Vec<MemberEdge>;

    fn json(&self, selection: &SelectionSet) -> Option<Value> {
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

    fn of(selection: &str) -> Option<Fields> {
        let document = parse_query(selection).expect("a document");
        let DocumentOperations::Single(operation) = document.operations else { panic!("one operation") };
        fields(&operation.node.selection_set.node)
    }

    #[test]
    fn members_are_picked_for_fields_of_their_own_alone() {
        assert_eq!(of("{ totalCount pageInfo { endCursor } }"), Some(Fields::default()));
        assert_eq!(of("{ nodes { id createdAt memberbaseId __typename } }"), Some(Fields::default()));
        assert_eq!(
            of("{ edges { cursor node { ref } } a: nodes { updatedAt } }"),
            Some(Fields::REF | Fields::UPDATED_AT)
        );
        let all = "attributes updatedAt ref id sourceUpdatedAt";
        assert_eq!(of(&format!("{{ edges {{ node {{ {all} }} }} }}")), Some(Fields::ALL));
        for other in ["attribute(key: \"a\")", "memberbase { id }", "clips { totalCount }", "@type: id"] {
            let other = other.replace("@type:", "id @x a:");
            assert_eq!(of(&format!("{{ nodes {{ id {other} }} }}")), None, "{other}");
            assert_eq!(of(&format!("{{ nodes {{ id }} edges {{ node {{ {other} }} }} }}")), None, "{other}");
        }
    }
}
