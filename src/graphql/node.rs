//! Global object identification (<https://relay.dev/graphql/objectidentification.htm>): `node` and `nodes`.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use async_graphql::{
    Context, ContextSelectionSet, ID, Interface, Object, OutputType, Positioned, ServerResult, Value,
    parser::types::Field, registry::Registry,
};

use super::{
    Error, api_token::ApiToken, child::Child, clip::Clip, context::ContextExt, execute::BulkRows, member::Member,
    memberbase::Memberbase, paced_list::PacedList, stamp_collection::StampCollection, sync::Sync,
    transaction::Transaction,
};
use crate::{
    app::App,
    domain::{
        self,
        access::{Access, Visibility},
        api_token,
        filter::check_values,
        member,
        member_child::{self, MemberChild},
        memberbase, sync,
    },
    types::{AnyId, ApiTokenId, ClipId, MemberId, MemberbaseId, StampCollectionId, SyncId, TransactionId},
};

/// An object with a global id. The prefix of the id (mb_, m_, clip_, sc_, txn_, atok_, sync_) determines the type.
#[derive(Interface, Clone, Debug)]
#[graphql(field(name = "id", ty = "ID", desc = "Global id of the object."))]
pub(crate) enum Node {
    Memberbase(Memberbase),
    Member(Member),
    Clip(Clip),
    StampCollection(StampCollection),
    Transaction(Transaction),
    ApiToken(ApiToken),
    Sync(Sync),
}

#[derive(Clone, Default)]
pub(crate) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with this id; null if it does not exist or the token has no access to it.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of an object of any type.")] id: ID,
    ) -> Result<Option<Node>, Error> {
        let id = any_id("id", &id)?;
        Ok(load(ctx, std::iter::once(&id)).await?.remove(&id))
    }

    /// The object for each id, in the order of `ids`. An entry is null if its object does not exist or the token has no access to the object. The entry of a malformed id is null too, and the response has an error with the code BAD_USER_INPUT for this entry; the other entries are returned.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Ids of objects of any type, at most 100,000 (MEMBERBASE_MAX_FILTER_VALUES); LIMIT_EXCEEDED if there are more."
        )]
        ids: BulkRows<ID>,
    ) -> Result<Option<PacedList<Entry>>, Error> {
        let ids = ids.shared(ctx)?;
        check_values("the list of ids", ids.len(), &ctx.app().limits.filter)?;
        let _turn = ctx.row_budget().turn(ids.len()).await;
        let parsed: Vec<_> = ids.iter().map(|id| AnyId::parse(id).ok()).collect();
        let found = load(ctx, parsed.iter().flatten()).await?;
        let entry = |(index, id): (usize, Option<AnyId>)| match id {
            Some(id) => Entry::Found(found.get(&id).cloned()),
            None => Entry::Malformed(index, Arc::clone(&ids)),
        };
        Ok(Some(parsed.into_iter().enumerate().map(entry).collect()))
    }
}

/// Loads the objects with these ids by one statement per type.
async fn load(ctx: &Context<'_>, ids: impl Iterator<Item = &AnyId>) -> Result<HashMap<AnyId, Node>, domain::Error> {
    let mut by_type = IdsByType::default();
    for id in ids {
        match *id {
            AnyId::MemberbaseId(id) => by_type.memberbases.push(id),
            AnyId::MemberId(id) => by_type.members.push(id),
            AnyId::ClipId(id) => by_type.clips.push(id),
            AnyId::StampCollectionId(id) => by_type.stamp_collections.push(id),
            AnyId::TransactionId(id) => by_type.transactions.push(id),
            AnyId::ApiTokenId(id) => by_type.api_tokens.push(id),
            AnyId::SyncId(id) => by_type.syncs.push(id),
        }
    }
    let app = ctx.app();
    let visibility = ctx.caller().authorize_visible(Access::Read)?;
    let mut found = HashMap::new();
    if !by_type.memberbases.is_empty() {
        for row in memberbase::find_many(app, visibility, &by_type.memberbases).await? {
            found.insert(AnyId::MemberbaseId(row.id), Node::Memberbase(row.into()));
        }
    }
    if !by_type.members.is_empty() {
        let members = Member::all(member::find_many(app, visibility, &by_type.members).await?);
        found.extend(members.into_iter().map(|row| (AnyId::MemberId(row.0.id), Node::Member(row))));
    }
    let clips = find_children(app, visibility, &by_type.clips).await?;
    found.extend(clips.map(|row: Clip| (AnyId::ClipId(row.row.id), Node::Clip(row))));
    let stamps = find_children(app, visibility, &by_type.stamp_collections).await?;
    found.extend(stamps.map(|row: StampCollection| (AnyId::StampCollectionId(row.row.id), Node::StampCollection(row))));
    let transactions = find_children(app, visibility, &by_type.transactions).await?;
    found.extend(transactions.map(|row: Transaction| (AnyId::TransactionId(row.row.id), Node::Transaction(row))));
    // A caller that can't manage tokens sees none.
    if !by_type.api_tokens.is_empty() && ctx.caller().access() >= Access::Admin {
        for row in api_token::find_many(app, ctx.caller(), &by_type.api_tokens).await? {
            found.insert(AnyId::ApiTokenId(row.id), Node::ApiToken(ApiToken(row)));
        }
    }
    if !by_type.syncs.is_empty() {
        for row in sync::find_many(app, visibility, &by_type.syncs).await? {
            found.insert(AnyId::SyncId(row.id), Node::Sync(row.into()));
        }
    }
    Ok(found)
}

#[derive(Default)]
struct IdsByType {
    memberbases: Vec<MemberbaseId>,
    members: Vec<MemberId>,
    clips: Vec<ClipId>,
    stamp_collections: Vec<StampCollectionId>,
    transactions: Vec<TransactionId>,
    api_tokens: Vec<ApiTokenId>,
    syncs: Vec<SyncId>,
}

async fn find_children<T: MemberChild>(
    app: &App,
    visibility: Visibility,
    ids: &[T::Id],
) -> Result<impl Iterator<Item = Child<T>> + use<T>, domain::Error> {
    let found = member_child::find_many::<T>(app, visibility, ids).await?;
    Ok(Child::from_batch(found.into_iter().map(Some).collect()).into_iter().flatten())
}

fn any_id(argument: &str, text: &str) -> Result<AnyId, domain::Error> {
    AnyId::parse(text).map_err(|error| domain::Error::bad_input(argument, format!("{argument}: {error}")))
}

/// An entry of `nodes`. An error makes this entry null and not the whole list.
#[derive(Debug)]
pub(crate) enum Entry {
    Found(Option<Node>),
    /// An index into the ids.
    Malformed(usize, Arc<Vec<ID>>),
}

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
        match self {
            Self::Found(node) => node.resolve(ctx, field).await,
            Self::Malformed(index, ids) => {
                if let Err(error) = any_id("ids", &ids[*index]) {
                    let error = async_graphql::Error::from(Error::from(error.at(*index))).into_server_error(field.pos);
                    ctx.add_error(ctx.set_error_path(error));
                }
                Ok(Value::Null)
            }
        }
    }
}
