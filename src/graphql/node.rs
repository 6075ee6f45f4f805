//! Whatever has an id of its own.

use std::{borrow::Cow, collections::HashMap};

use async_graphql::{
    Context, ContextSelectionSet, ID, Interface, Object, OutputType, Positioned, ServerResult, Value,
    parser::types::Field, registry::Registry,
};

use super::{
    Error,
    context::{Found, absent},
    member::Member,
    memberbase::Memberbase,
};
use crate::{
    domain::{self, access::Access, filter::check_values, member, memberbase},
    types::{AnyId, MemberId, MemberbaseId},
};

/// Anything with an id of its own. The id's prefix (mb_, m_) says which type it is.
#[derive(Interface, Clone, Debug)]
#[graphql(field(name = "id", ty = "ID", desc = "Its id."))]
pub enum Node {
    /// A memberbase.
    Memberbase(Memberbase),
    /// A member.
    Member(Member),
}

/// Queries for whatever has an id.
#[derive(Clone, Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Whatever has this id; null where there is nothing that the token sees.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An id of any kind.")] id: ID,
    ) -> Result<Option<Node>, Error> {
        let reach = ctx.reach(Access::Read)?;
        match any_id("id", &id)? {
            AnyId::MemberbaseId(id) => {
                let found = absent(memberbase::find(ctx.app(), reach, id).await)?;
                Ok(found.map(|found| Node::Memberbase(found.into())))
            }
            AnyId::MemberId(id) => {
                Ok(absent(member::find(ctx.app(), reach, id).await)?.map(|found| Node::Member(Member(found))))
            }
            AnyId::ApiTokenId(_) | AnyId::ClipId(_) | AnyId::StampCollectionId(_) | AnyId::TransactionId(_) => Ok(None),
        }
    }

    /// One entry for each id, in order. A malformed id is an error at its place.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Ids of any kind, 100,000 at most.")] ids: Vec<ID>,
    ) -> Result<Option<Vec<Entry>>, Error> {
        check_values("the list of ids", ids.len(), &ctx.app().limits.filter)?;
        let parsed: Vec<_> = ids.iter().map(|id| any_id("ids", id)).collect();
        let found = load(ctx, parsed.iter().flatten()).await?;
        let entry = |(place, id): (usize, Result<AnyId, domain::Error>)| {
            Entry(id.map(|id| found.get(&id).cloned()).map_err(|error| error.at(place).into()))
        };
        Ok(Some(parsed.into_iter().enumerate().map(entry).collect()))
    }
}

/// What these ids name, each kind by one statement.
async fn load(ctx: &Context<'_>, ids: impl Iterator<Item = &AnyId>) -> Result<HashMap<AnyId, Node>, Error> {
    let (mut memberbases, mut members): (Vec<MemberbaseId>, Vec<MemberId>) = Default::default();
    for id in ids {
        match *id {
            AnyId::MemberbaseId(id) => memberbases.push(id),
            AnyId::MemberId(id) => members.push(id),
            AnyId::ApiTokenId(_) | AnyId::ClipId(_) | AnyId::StampCollectionId(_) | AnyId::TransactionId(_) => {}
        }
    }
    let reach = ctx.reach(Access::Read)?;
    let mut found = HashMap::new();
    if !memberbases.is_empty() {
        for row in memberbase::find_many(ctx.app(), reach, &memberbases).await? {
            found.insert(AnyId::MemberbaseId(row.id), Node::Memberbase(row.into()));
        }
    }
    if !members.is_empty() {
        for row in member::find_many(ctx.app(), reach, &members).await? {
            found.insert(AnyId::MemberId(row.id), Node::Member(Member(row)));
        }
    }
    Ok(found)
}

fn any_id(argument: &str, text: &str) -> Result<AnyId, domain::Error> {
    AnyId::parse(text).map_err(|error| domain::Error::bad_input(argument, format!("{argument}: {error}")))
}

/// An entry of `nodes`: an error takes its own place, and not that of the whole list.
#[derive(Debug)]
pub struct Entry(Result<Option<Node>, Error>);

impl OutputType for Entry {
    fn type_name() -> Cow<'static, str> {
        <Option<Node> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Option<Node> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Option<Node> as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        match &self.0 {
            Ok(node) => node.resolve(ctx, field).await,
            Err(error) => {
                let error = async_graphql::Error::from(error.clone()).into_server_error(field.pos);
                ctx.add_error(ctx.set_error_path(error));
                Ok(Value::Null)
            }
        }
    }
}
