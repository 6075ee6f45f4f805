//! The pages of an export. Each is a query of its own, with a check that the token is still valid.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable};

use crate::{
    app::App,
    auth::Bearer,
    budget::{self, Budget},
    domain::{
        self,
        access::{Access, Scope},
        filter::Filter,
        member::{self, MemberPage, MemberView, Order, OrderField, Position, Predicate},
    },
    graphql::Code,
    http::{Service, failure::Failure, rejection::Rejection},
    members_file::writer::MemberWriter,
    types::{Anchor, Direction, MemberbaseId, Page},
};

/// Maximum number of members of a page. While larger pages are read on PostgreSQL, they hold memory as if all their members had
/// the maximum size.
const MAX_PAGE_ROWS: u64 = 500;

/// Number of members of the first page, whose size is not known.
const FIRST_PAGE_ROWS: u64 = 50;

/// Size at which a page ends, if its members are as large as those of the page before.
const PAGE_BYTES: u64 = 512 << 10;

/// The order of ids: a member that exists during the whole export keeps its position.
const ORDER: Order = Order { field: OrderField::CreatedAt, descending: false };

/// A page is retried for half a minute while the database or memory is not available: the client waits for it.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(250))
    .with_max_delay(Duration::from_secs(5))
    .with_total_delay(Some(Duration::from_secs(30)))
    .with_jitter()
    .without_max_times();

/// The members that are exported, and their form.
pub(super) struct Content {
    pub(super) writer: MemberWriter,
    pub(super) filter: Filter<Predicate>,
}

/// Reads the pages of an export.
pub(super) struct Pages {
    service: Arc<Service>,
    bearer: Bearer,
    memberbase: MemberbaseId,
    content: Arc<Content>,
}

/// A part of the file.
pub(super) struct WrittenPage {
    pub(super) text: Vec<u8>,
    /// Number of members.
    pub(super) rows: u64,
    /// The position of the next page; `None` after the last one.
    pub(super) next: Option<NextPage>,
    /// Holds the memory of the text.
    pub(super) budget: Budget,
}

/// The position and size of a page.
#[derive(Clone, Debug)]
pub(super) struct NextPage {
    after: Position,
    rows: u64,
}

impl Pages {
    pub(super) fn new(service: Arc<Service>, bearer: Bearer, memberbase: MemberbaseId, content: Content) -> Self {
        Self { service, bearer, memberbase, content: Arc::new(content) }
    }

    pub(super) fn service(&self) -> &Arc<Service> {
        &self.service
    }

    pub(super) fn memberbase(&self) -> MemberbaseId {
        self.memberbase
    }

    /// Reads the first page. A failure is not retried, because the client can do that.
    pub(super) async fn first(&self) -> Result<WrittenPage, Failure> {
        self.read_that_fits(Anchor::Start, self.max_rows().min(FIRST_PAGE_ROWS)).await
    }

    /// Reads another page, and retries it after a transient failure.
    pub(super) async fn next(&self, page: &NextPage) -> Result<WrittenPage, Failure> {
        let read = || self.read_that_fits(Anchor::Cursor(page.after.clone()), page.rows);
        read.retry(BACKOFF)
            .when(|failure| failure.code == Code::ServiceUnavailable)
            .notify(|failure, wait| {
                tracing::info!(error = failure.message, wait_ms = wait.as_millis(), "an export waits");
            })
            .await
    }

    fn max_rows(&self) -> u64 {
        self.service.app.limits.page.max.clamp(1, MAX_PAGE_ROWS)
    }

    /// Reads a page, with fewer members if they do not fit into the memory of a query.
    async fn read_that_fits(&self, anchor: Anchor<Position>, mut rows: u64) -> Result<WrittenPage, Failure> {
        loop {
            match self.read(anchor.clone(), rows).await {
                Err(failure) if failure.code == Code::LimitExceeded && rows > 1 => rows = rows.div_ceil(4),
                read => return read,
            }
        }
    }

    async fn read(&self, anchor: Anchor<Position>, rows: u64) -> Result<WrittenPage, Failure> {
        let (service, started) = (&self.service, Instant::now());
        let app = service.app.until(started + service.app.limits.time.query);
        let caller = service.tokens.caller(&app, &service.tasks, self.bearer).await?;
        let scope = caller.authorize(self.memberbase, Access::Read)?;
        let budget = service.open_budget(true, started).await?;
        let (content, max_rows) = (Arc::clone(&self.content), self.max_rows());
        let read = |app: App| async move {
            content.page(&app.for_tenant(caller.tenant()), scope, anchor, rows, max_rows).await
        };
        let written: Result<_, Rejection> = service.run_query(started, &budget, true, read).await;
        let (text, rows, next) = written??;
        budget.settle(text.capacity());
        Ok(WrittenPage { text, rows, next, budget })
    }
}

/// The text and number of a page's members, and the page after it.
type Written = (Vec<u8>, u64, Option<NextPage>);

impl Content {
    /// Reads and writes a page of this size.
    async fn page(
        &self,
        app: &App,
        scope: Scope,
        anchor: Anchor<Position>,
        size: u64,
        max_size: u64,
    ) -> Result<Written, domain::Error> {
        let is_first = matches!(anchor, Anchor::Start);
        let page = Page { size, anchor, until: None, direction: Direction::Forward, check_opposite: false };
        let columns = self.writer.member_columns();
        let page = member::list_columns(app, scope, &self.filter, ORDER, &page, columns).await?;
        self.write(&page, is_first, max_size)
    }

    fn write(&self, page: &MemberPage, is_first: bool, max_size: u64) -> Result<Written, domain::Error> {
        let (mut text, mut read_bytes, mut last) = (Vec::new(), 0, None);
        let members = page.members().map(|member| {
            budget::tick()?;
            read_bytes += bytes(&member);
            last = Some(Position::of(member, ORDER));
            Ok(member)
        });
        let rows = members.len() as u64;
        self.writer.write(is_first, members, &mut text)?;
        let page_bytes = (text.len() as u64).max(read_bytes).max(1);
        let size = (rows.max(1) * PAGE_BYTES / page_bytes).clamp(1, max_size);
        let next = last.filter(|_| page.slice.has_next).map(|after| NextPage { after, rows: size });
        Ok((text, rows, next))
    }
}

fn bytes(member: &MemberView<'_>) -> u64 {
    (member.reference.len() + member.attributes.map_or(0, str::len)) as u64
}
