//! What a resolver finds in its context.

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
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, Semaphore};

use super::Error;
use crate::{
    app::App,
    domain::{
        self,
        access::{Access, Caller, Scope, Visibility},
        memberbase,
    },
    types::{Id, MemberbaseId, Slice},
};

/// What the resolvers of one request find in their context.
pub fn data(app: App, caller: Caller) -> Data {
    let mut data = Data::default();
    let memberbases = Memberbases { app: app.clone(), caller: caller.clone(), found: Mutex::default() };
    data.insert(DataLoader::new(memberbases, tokio::spawn));
    data.insert(RowBudget {
        rows: AtomicU64::new(app.limits.page.rows),
        limit: app.limits.page.rows,
        page_permits: Semaphore::new(MAX_CONCURRENT_PAGES),
    });
    data.insert(app);
    data.insert(caller);
    data
}

/// Short ways to what [`data`] put there.
pub(super) trait ContextExt<'a> {
    /// What the request may reach.
    fn app(&self) -> &'a App;

    /// Who asks.
    fn caller(&self) -> &'a Caller;

    /// Memberbases by id, those asked for at the same time by one statement.
    fn memberbases(&self) -> &'a DataLoader<Memberbases>;

    /// What the request may take of the server.
    fn row_budget(&self) -> &'a RowBudget;

    /// Permits something in one memberbase.
    fn authorize(&self, memberbase: &ID, access: Access) -> Result<Scope, Error> {
        Ok(self.caller().authorize(id("memberbaseId", memberbase)?, access)?)
    }

    /// Permits something in all that the token sees.
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

/// How many pages of one request are read at the same time; its other lists wait, and other requests do not.
const MAX_CONCURRENT_PAGES: usize = 2;

/// What one request may take of the server, for lists in lists multiply.
pub(super) struct RowBudget {
    rows: AtomicU64,
    limit: u64,
    page_permits: Semaphore,
}

impl RowBudget {
    /// Reads a page of at most `size` rows when its turn comes, unless the request has read too many by then; `rows` tells
    /// how many there are. What reads is on the heap: each field of a type has a future that is as large as the largest of
    /// them.
    pub(super) async fn page<Page>(
        &self,
        size: u64,
        read: BoxFuture<'_, Result<Page, domain::Error>>,
        rows: impl FnOnce(&Page) -> usize,
    ) -> Result<Page, Error> {
        let _turn = self.page_permits.acquire().await;
        self.charge(size)?;
        let page = read.await?;
        self.rows.fetch_add(size - rows(&page) as u64, Ordering::Relaxed);
        Ok(page)
    }

    /// Reads the pages of many members together when their turn comes, of no more rows than the request may still have and
    /// what it takes to tell that they are more. `read` is given that number. They count once each is taken
    /// ([`Share::take`]), as often as it is.
    pub(super) async fn pages<Key, Row, Read>(
        &self,
        read: impl FnOnce(u64) -> Read,
    ) -> Result<HashMap<Key, Slice<Row>>, Error>
    where
        Read: Future<Output = Result<HashMap<Key, Slice<Row>>, domain::Error>>,
    {
        let _turn = self.page_permits.acquire().await;
        let left = self.rows.load(Ordering::Relaxed);
        let slices = read(left).await?;
        let rows: u64 = slices.values().map(|slice| slice.rows.len() as u64).sum();
        if rows > left { Err(self.exceeded()) } else { Ok(slices) }
    }

    /// Counts rows of an answer: also those that were read before and are there once more, for they multiply too.
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

/// Reads an id of the kind that the argument takes.
pub(super) fn id<T: Id>(argument: &str, text: &str) -> Result<T, Error> {
    T::parse(text).map_err(|error| domain::Error::bad_input(argument, format!("{argument}: {error}")).into())
}

/// Reads a list of ids, each at its place.
pub(super) fn ids<T: Id>(argument: &str, texts: &[ID]) -> Result<Vec<T>, Error> {
    let parse = |(place, text): (usize, &ID)| {
        let refuse = |error| domain::Error::bad_input(argument, format!("{argument}: {error}")).at(place).into();
        T::parse(text).map_err(refuse)
    };
    texts.iter().enumerate().map(parse).collect()
}

/// A look-up of a single thing: what does not exist, or not for this token, is null and no error.
pub(super) fn null_if_not_found<T>(outcome: Result<Option<T>, domain::Error>) -> Result<Option<T>, Error> {
    match outcome {
        Err(domain::Error::NotFound(_) | domain::Error::Forbidden(_)) => Ok(None),
        outcome => Ok(outcome?),
    }
}

/// Loads memberbases, each once a request.
pub(super) struct Memberbases {
    app: App,
    caller: Caller,
    /// Held while a statement runs: who asks for the same meanwhile finds it here.
    found: Mutex<HashMap<MemberbaseId, Arc<memberbase::Memberbase>>>,
}

impl Memberbases {
    /// Forgets all, once one of them may have changed.
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
            let reach = self.caller.authorize_visible(Access::Read)?;
            let loaded = memberbase::find_many(&self.app, reach, &missing).await?;
            found.extend(loaded.into_iter().map(|loaded| (loaded.id, Arc::new(loaded))));
        }
        Ok(keys.iter().filter_map(|key| Some((*key, found.get(key)?.clone()))).collect())
    }
}
