//! `memberbaseChanged`: a subscription to the committed changes of a memberbase.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use async_graphql::{
    Context, ContextSelectionSet, ID, Object, OutputType, Positioned, ServerResult, Subscription, Value,
    parser::types::Field, registry::Registry,
};
use futures_util::{Stream, stream};

use super::{
    Error,
    context::ContextExt,
    execute::{self, LostEvent, SubscriptionReady},
    paced_list::exceeded_at,
    raw_list::ScalarList,
    scalar::Count,
};
use crate::{
    app::{ChangeSelection, PublishedChange},
    domain::{access::Access, change},
    types::{Change, MemberId},
};

#[derive(Clone, Copy, Debug, Default)]
pub struct Subscription;

/// Root type of all subscriptions. Transports: WebSocket (graphql-transport-ws, graphql-ws), server-sent events (graphql-sse, distinct connections mode), and multipart responses (multipart/mixed; subscriptionSpec=1.0).
#[Subscription]
impl Subscription {
    /// Sends an event after each committed write to the memberbase's members, their attributes, clips, stamp collections and transactions. A call that changes nothing, fails or is a dry run sends none. An event is a hint to reload. Events can be lost; if the server knows about it, the next event has `missed: true`. The subscription ends when the memberbase is deleted, after an event for its members.
    async fn memberbase_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The memberbase's id (mb_...); NOT_FOUND if it does not exist or the token has no access to it."
        )]
        memberbase_id: ID,
    ) -> Result<impl Stream<Item = ChangeEvent> + use<>, Error> {
        let scope = ctx.authorize(&memberbase_id, Access::Read)?;
        let receiver = change::subscribe(ctx.app(), scope).await?;
        ctx.data_unchecked::<SubscriptionReady>().begin();
        let lost = ctx.data_unchecked::<LostEvent>().clone();
        Ok(stream::unfold((receiver, lost), |(mut receiver, lost)| async {
            let (published, missed) = receiver.next().await?;
            let missed = lost.take() || missed;
            Some((ChangeEvent { published, missed }, (receiver, lost)))
        }))
    }
}

/// A change as the event of one subscription. In the schema it is a [`MemberbaseChange`].
///
/// It is written once for all subscriptions that select the same from it. Every token that may subscribe to a memberbase
/// may see all of its changes, so that tokens make no difference.
#[derive(Debug)]
pub(crate) struct ChangeEvent {
    published: Arc<PublishedChange>,
    missed: bool,
}

impl OutputType for ChangeEvent {
    fn type_name() -> Cow<'static, str> {
        <MemberbaseChange as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        MemberbaseChange::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <MemberbaseChange as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let Self { published, missed } = self;
        let selection = ctx.data_unchecked::<ChangeSelection>();
        if let Some(json) = published.json.get(selection, *missed) {
            return Ok(Value::Binary(json));
        }
        #[cfg(test)]
        WRITTEN_EVENTS.set(WRITTEN_EVENTS.get() + 1);
        let change = MemberbaseChange::new(Arc::clone(&published.change), *missed);
        let value = change.resolve(ctx, field).await?;
        let json = execute::json(value).map_err(|exceeded| exceeded_at(field, exceeded))?;
        published.json.insert(selection, *missed, json.clone());
        Ok(Value::Binary(json))
    }
}

#[derive(Debug)]
struct MemberbaseChange {
    change: Arc<Change>,
    missed: bool,
    created: IdList,
    updated: IdList,
    deleted: IdList,
}

/// A list of ids, which is written once, however often a selection names it.
#[derive(Debug, Default)]
struct IdList(OnceLock<ScalarList<ID>>);

impl IdList {
    fn of(&self, ids: &[MemberId]) -> Result<ScalarList<ID>, Error> {
        if let Some(list) = self.0.get() {
            return Ok(list.clone());
        }
        let list = ScalarList::of_ids(ids)?;
        Ok(self.0.get_or_init(|| list).clone())
    }
}

impl MemberbaseChange {
    fn new(change: Arc<Change>, missed: bool) -> Self {
        let [created, updated, deleted] = [(); 3].map(|()| IdList::default());
        Self { change, missed, created, updated, deleted }
    }
}

/// Changes of one committed write to the members of a memberbase.
#[Object]
impl MemberbaseChange {
    /// The memberbase's id.
    async fn memberbase_id(&self) -> ID {
        self.change.memberbase.to_string().into()
    }

    /// Number of created members.
    async fn created(&self) -> Count {
        Count(self.change.created.count)
    }

    /// Number of updated members: their attributes changed, or a clip, stamp collection or transaction of theirs was created, changed or deleted.
    async fn updated(&self) -> Count {
        Count(self.change.updated.count)
    }

    /// Number of deleted members.
    async fn deleted(&self) -> Count {
        Count(self.change.deleted.count)
    }

    /// Ids of the created members. All three lists of ids are empty if `truncated` is true.
    async fn created_member_ids(&self) -> Result<ScalarList<ID>, Error> {
        self.created.of(&self.change.created.ids)
    }

    /// Ids of the updated members.
    async fn updated_member_ids(&self) -> Result<ScalarList<ID>, Error> {
        self.updated.of(&self.change.updated.ids)
    }

    /// Ids of the deleted members.
    async fn deleted_member_ids(&self) -> Result<ScalarList<ID>, Error> {
        self.deleted.of(&self.change.deleted.ids)
    }

    /// True if the event covers more than 1,000 members in total, so that their ids are omitted.
    async fn truncated(&self) -> bool {
        self.change.is_truncated()
    }

    /// True if earlier events were lost, so that the client has to reload. All counts can be 0 then.
    async fn missed(&self) -> bool {
        self.missed
    }
}

#[cfg(test)]
std::thread_local! {
    /// Number of events that this thread has written.
    static WRITTEN_EVENTS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, future::join_all};
    use serde_json::json;

    use super::*;
    use crate::{
        app::App,
        domain::{access::Caller, memberbase},
        graphql::{context, execute::Request},
        types::{Id, Limits, Touched},
    };

    #[tokio::test]
    async fn event_is_written_once_for_each_document() {
        let (app, _folder) = App::temporary().await;
        let caller = Caller::operator();
        let base = memberbase::create(&app, &caller, "base".to_owned()).await.expect("a memberbase").id;
        let executor = Arc::new(crate::graphql::api(&Limits::default()));
        let subscribe = async |fields: &str| {
            let query = format!("subscription {{ memberbaseChanged(memberbaseId: \"{base}\") {{ {fields} }} }}");
            let body = json!({"query": query}).to_string();
            let request = Request::from_json(body.as_bytes()).expect("a request");
            let operation = executor.prepare(request).expect("an operation");
            let data = context::data(app.clone(), caller.clone());
            executor.subscribe(operation, data, "trace").await.unwrap_or_else(|_| panic!("a subscription")).responses
        };
        let mut all = Vec::new();
        for fields in ["created", "created", "a: created", "created", "a: created"] {
            all.push(subscribe(fields).await);
        }
        for created in [1, 2] {
            app.changes.publish(Change { created: Touched::counted(created), ..Change::new(base) });
            let responses = join_all(all.iter_mut().map(StreamExt::next)).await;
            let bodies =
                responses.into_iter().map(|next| String::from_utf8(next.expect("an event").body).expect("text"));
            let expected = |key: &str| format!("{{\"data\":{{\"memberbaseChanged\":{{\"{key}\":{created}}}}}}}");
            let keys = ["created", "created", "a", "created", "a"];
            assert_eq!(bodies.collect::<Vec<_>>(), keys.map(expected));
        }
        assert_eq!(WRITTEN_EVENTS.get(), 4);
    }

    #[test]
    fn list_of_ids_is_written_once() {
        let (list, id) = (IdList::default(), MemberId::from_uuid(uuid::Uuid::nil()));
        let written = list.of(&[id]).expect("a list");
        let again = list.of(&[]).expect("the same list");
        assert_eq!(format!("{again:?}"), format!("{written:?}"));
    }
}
