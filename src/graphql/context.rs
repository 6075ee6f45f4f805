//! Data that resolvers find in their context: the app, the caller, the row budget and a loader of memberbases.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_graphql::{
    Context, Data, ID,
    dataloader::{DataLoader, Loader},
};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use super::Error;
use crate::{
    app::App,
    budget,
    domain::{
        self,
        access::{Access, Caller, Scope, Visibility},
        memberbase,
    },
    types::{Id, MemberbaseId, Slice},
};

/// Returns the context data of one request.
pub fn data(app: App, caller: Caller) -> Data {
    let app = app.for_tenant(caller.tenant());
    let mut data = Data::default();
    let memberbases = Memberbases { app: app.clone(), caller: caller.clone(), found: Mutex::default() };
    let budget = budget::current();
    data.insert(DataLoader::new(memberbases, move |load: BoxFuture<'static, ()>| match &budget {
        // It is not dropped when the budget is exceeded, which the loader would take for a panic: its statement fails then.
        Some(budget) => tokio::spawn(budget.meter(load, false).map(drop)),
        None => tokio::spawn(load),
    }));
    data.insert(RowBudget {
        rows: AtomicU64::new(app.limits.page.rows),
        limit: app.limits.page.rows,
        page_permits: Semaphore::new(MAX_CONCURRENT_PAGES as usize),
    });
    data.insert(app);
    data.insert(caller);
    data
}

/// Accessors for the [`data`] of the request.
pub(super) trait ContextExt<'a> {
    /// Returns the app, limited by the deadline of the request.
    fn app(&self) -> &'a App;

    fn caller(&self) -> &'a Caller;

    /// Returns the loader of memberbases, which combines concurrent look-ups into one statement.
    fn memberbases(&self) -> &'a DataLoader<Memberbases>;

    fn row_budget(&self) -> &'a RowBudget;

    fn authorize(&self, memberbase: &ID, access: Access) -> Result<Scope, Error> {
        Ok(self.caller().authorize(id("memberbaseId", memberbase)?, access)?)
    }

    /// Authorizes an access level in all memberbases that are visible to the token.
    fn authorize_visible(&self, access: Access) -> Result<Visibility, Error> {
        Ok(self.caller().authorize_visible(access)?)
    }
}

impl<'a> ContextExt<'a> for Context<'a> {
    fn app(&self) -> &'a App {
        self.data_unchecked()
    }

    fn caller(&self) -> &'a Caller {
        self.data_unchecked()
    }

    fn memberbases(&self) -> &'a DataLoader<Memberbases> {
        self.data_unchecked()
    }

    fn row_budget(&self) -> &'a RowBudget {
        self.data_unchecked()
    }
}

/// Maximum number of pages that one request reads concurrently. Further lists of the request wait; other requests do not.
const MAX_CONCURRENT_PAGES: u32 = 2;

/// Number of rows from which a page is read alone: its memory may be large.
const MAX_SMALL_PAGE_ROWS: u64 = 250;

/// Limits the rows of one request, because the sizes of nested lists multiply.
pub(super) struct RowBudget {
    rows: AtomicU64,
    limit: u64,
    page_permits: Semaphore,
}

impl RowBudget {
    /// Reads a page of at most `size` rows as soon as a permit is free, unless the budget is exhausted by then. `rows` returns
    /// the number of rows read. `read` is boxed, because the future of every field of a type is as large as the future of the
    /// type's largest field.
    pub(super) async fn page<Page>(
        &self,
        size: u64,
        read: BoxFuture<'_, Result<Page, domain::Error>>,
        rows: impl FnOnce(&Page) -> usize,
    ) -> Result<Page, Error> {
        let _permits = self.permits(size).await;
        self.charge(size)?;
        let page = read.await?;
        self.rows.fetch_add(size - rows(&page) as u64, Ordering::Relaxed);
        Ok(page)
    }

    /// Waits for a permit to look up this number of things, whose memory counts as that of a page.
    pub(super) async fn turn(&self, size: usize) -> Option<SemaphorePermit<'_>> {
        self.permits(size as u64).await
    }

    async fn permits(&self, size: u64) -> Option<SemaphorePermit<'_>> {
        let permits = if size > MAX_SMALL_PAGE_ROWS { MAX_CONCURRENT_PAGES } else { 1 };
        self.page_permits.acquire_many(permits).await.ok()
    }

    /// Reads the pages of a batch of members as soon as a permit is free. `read` is given the number of rows left in the budget;
    /// if it reads more, the budget is exceeded. The rows are not charged here: each page is charged when it is used
    /// ([`RowBudget::charge`]), as often as it is used.
    pub(super) async fn pages<Key, Row, Read>(
        &self,
        read: impl FnOnce(u64) -> Read,
    ) -> Result<HashMap<Key, Slice<Row>>, Error>
    where
        Read: Future<Output = Result<HashMap<Key, Slice<Row>>, domain::Error>>,
    {
        let _permit = self.page_permits.acquire().await;
        let left = self.rows.load(Ordering::Relaxed);
        let slices = read(left).await?;
        let rows: u64 = slices.values().map(|slice| slice.rows.len() as u64).sum();
        if rows > left { Err(self.exceeded()) } else { Ok(slices) }
    }

    /// Charges rows of the response, including rows that were read once and occur several times in the response.
    pub(super) fn charge(&self, rows: u64) -> Result<(), Error> {
        let left = self.rows.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(rows));
        left.map(drop).map_err(|_| self.exceeded())
    }

    fn exceeded(&self) -> Error {
        let most = self.limit;
        let message = format!("the pages of the request have more than {most} rows in total (MEMBERBASE_MAX_ROWS)");
        domain::Error::LimitExceeded(message).into()
    }
}

/// Parses an argument that is an id.
pub(super) fn id<T: Id>(argument: &str, text: &str) -> Result<T, Error> {
    T::parse(text).map_err(|error| domain::Error::bad_input(argument, format!("{argument}: {error}")).into())
}

/// Parses an argument that is a list of ids. An error has the index of the id in its path.
pub(super) fn ids<T: Id>(argument: &str, texts: &[ID]) -> Result<Vec<T>, Error> {
    let parse = |(index, text): (usize, &ID)| {
        let refuse = |error| domain::Error::bad_input(argument, format!("{argument}: {error}")).at(index).into();
        T::parse(text).map_err(refuse)
    };
    texts.iter().enumerate().map(parse).collect()
}

/// Turns `NOT_FOUND` and `FORBIDDEN` of a look-up into `None`: an object that does not exist or is not visible to the token is
/// null and not an error.
pub(super) fn null_if_not_found<T>(outcome: Result<Option<T>, domain::Error>) -> Result<Option<T>, Error> {
    match outcome {
        Err(domain::Error::NotFound(_) | domain::Error::Forbidden(_)) => Ok(None),
        outcome => Ok(outcome?),
    }
}

/// Loads memberbases by id, each once per request.
pub(super) struct Memberbases {
    app: App,
    caller: Caller,
    /// Locked while a statement runs, so that a concurrent look-up of the same memberbase finds it here.
    found: Mutex<HashMap<MemberbaseId, Arc<memberbase::Memberbase>>>,
}

impl Memberbases {
    /// Clears the cache after a change to a memberbase.
    pub(super) async fn forget(&self) {
        self.found.lock().await.clear();
    }
}

impl Loader<MemberbaseId> for Memberbases {
    type Value = Arc<memberbase::Memberbase>;
    type Error = Error;

    async fn load(&self, keys: &[MemberbaseId]) -> Result<HashMap<MemberbaseId, Self::Value>, Error> {
        let mut found = self.found.lock().await;
        let missing: Vec<_> = keys.iter().filter(|key| !found.contains_key(key)).copied().collect();
        if !missing.is_empty() {
            let visibility = self.caller.authorize_visible(Access::Read)?;
            let loaded = memberbase::find_many(&self.app, visibility, &missing).await?;
            found.extend(loaded.into_iter().map(|loaded| (loaded.id, Arc::new(loaded))));
        }
        Ok(keys.iter().filter_map(|key| Some((*key, found.get(key)?.clone()))).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::time::timeout;

    use super::*;
    use crate::{
        budget::{Budget, MemoryLimit},
        graphql::execute::Request,
        types::Limits,
    };

    #[tokio::test]
    async fn load_beyond_the_budget_fails_with_its_reason() {
        let (app, _folder) = App::temporary().await;
        let caller = Caller::operator();
        let base = memberbase::create(&app, &caller, "base".to_owned()).await.expect("a memberbase").id;
        let api = crate::graphql::api(&Limits::default());
        let run = async |query: String, data: Data| {
            let body = serde_json::json!({"query": query}).to_string();
            let request = Request::from_json(body.as_bytes()).expect("a request");
            let operation = api.prepare(request).unwrap_or_else(|errors| panic!("{errors:?}"));
            let response = api.run(operation, data, "trace").await;
            serde_json::from_slice::<serde_json::Value>(&response.body).expect("JSON")
        };
        let input = format!("{{memberbaseId: \"{base}\", members: [{{ref: \"a\"}}]}}");
        let upsert = format!("mutation {{ bulkUpsertMembers(input: {input}) {{ summary {{ created }} }} }}");
        run(upsert, data(app.clone(), caller.clone())).await;
        let limit = MemoryLimit { bytes: 64 << 20, setting: "MEMBERBASE_TEST" };
        let budget = Budget::new(&app.memory, limit, Instant::now());
        let data = budget.measure(|| data(app, caller));
        let by = format!("{{ref: {{memberbaseId: \"{base}\", ref: \"a\"}}}}");
        let late = run(format!("{{ member(by: {by}) {{ memberbase {{ name }} }} }}"), data);
        let json = timeout(Duration::from_secs(20), late).await.expect("a response");
        assert_eq!(json["errors"][0]["extensions"]["code"], "TIMEOUT", "{json}");
    }
}
