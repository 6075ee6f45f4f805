//! API tokens: their types, queries and mutations.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{
    Error,
    connection::{PageInfo, Paging},
    context::{ContextExt, id},
    paced_list::PacedList,
    scalar::{Count, DateTime},
};
use crate::{
    domain::{
        access,
        api_token::{self, NewApiToken},
    },
    types::{ApiTokenId, Id, MemberbaseId, Slice},
};

/// Access level of an API token. Each level includes the levels before it.
#[derive(async_graphql::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Queries and subscriptions.
    Read,
    /// READ, and changes to members and their attributes, clips, stamp collections and transactions, and syncs.
    Write,
    /// WRITE, and management of memberbases, attribute schemas and API tokens.
    Admin,
}

impl From<access::Access> for Access {
    fn from(access: access::Access) -> Self {
        match access {
            access::Access::Read => Self::Read,
            access::Access::Write => Self::Write,
            access::Access::Admin => Self::Admin,
        }
    }
}

impl From<Access> for access::Access {
    fn from(access: Access) -> Self {
        match access {
            Access::Read => Self::Read,
            Access::Write => Self::Write,
            Access::Admin => Self::Admin,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ApiToken(pub(super) api_token::ApiToken);

/// A bearer token for the API. Its secret is sent as `Authorization: Bearer <secret>`.
#[Object]
impl ApiToken {
    /// The token's id (atok_...). The id is not secret.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Purpose of the token, as stated at its creation.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// Access level.
    async fn access(&self) -> Access {
        self.0.access.into()
    }

    /// The memberbase that the token is bound to; null if it is valid for all memberbases.
    async fn memberbase_id(&self) -> Option<ID> {
        self.0.memberbase.map(|id| id.to_string().into())
    }

    /// Creation time in whole milliseconds; the id contains this time.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.id.created_at())
    }

    /// Expiry time; null if the token does not expire.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }

    /// Time of the last use, accurate to a minute; null if the token was never used.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }

    /// Time of the revocation; null if the token is not revoked.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime)
    }
}

#[derive(Debug)]
pub(crate) struct ApiTokenConnection {
    rows: Vec<ApiToken>,
    info: PageInfo,
}

/// A page of API tokens.
#[Object]
impl ApiTokenConnection {
    /// The tokens of the page with their cursors.
    async fn edges(&self) -> PacedList<ApiTokenEdge> {
        self.rows.iter().map(|row| ApiTokenEdge { cursor: api_token::cursor(row.0.id), node: row.clone() }).collect()
    }

    /// The tokens of the page.
    async fn nodes(&self) -> PacedList<&ApiToken> {
        self.rows.iter().collect()
    }

    /// Page info: the first and last cursors of the page, and whether more entries exist.
    async fn page_info(&self) -> &PageInfo {
        &self.info
    }

    /// Number of entries in the whole list, independent of the page. Computed only if selected.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<Count, Error> {
        Ok(Count(api_token::count(ctx.app(), ctx.caller()).await?))
    }
}

/// An API token and its cursor.
#[derive(SimpleObject, Debug)]
pub(crate) struct ApiTokenEdge {
    /// Opaque cursor of this entry, for `after` and `before`.
    cursor: String,
    /// The API token.
    node: ApiToken,
}

/// Input of createApiToken.
#[derive(InputObject, Debug)]
pub(crate) struct CreateApiTokenInput {
    /// Purpose of the token: at most 1,024 bytes.
    description: String,
    /// Access level of the new token.
    access: Access,
    /// The memberbase to bind the token to (mb_...). Default: the memberbase that the caller's token is bound to, otherwise none. A bound token can create only tokens bound to the same memberbase.
    memberbase_id: Option<ID>,
    /// Expiry time. Default: the token does not expire.
    expires_at: Option<DateTime>,
}

/// Result of createApiToken.
#[derive(SimpleObject, Debug)]
pub(crate) struct CreateApiTokenPayload {
    /// The new token.
    api_token: ApiToken,
    /// The token's secret. It is returned only here, because the server stores only its hash.
    secret: String,
}

/// Input of revokeApiToken.
#[derive(InputObject, Debug)]
pub(crate) struct RevokeApiTokenInput {
    /// The token's id (atok_...).
    api_token_id: ID,
}

/// Result of revokeApiToken.
#[derive(SimpleObject, Debug)]
pub(crate) struct RevokeApiTokenPayload {
    /// The revoked token.
    api_token: ApiToken,
}

#[derive(Clone, Default)]
pub(crate) struct ApiTokenQuery;

#[Object]
impl ApiTokenQuery {
    /// The API token of this request; null if it was deleted with its memberbase in the meantime.
    async fn current_api_token(&self, ctx: &Context<'_>) -> Result<Option<ApiToken>, Error> {
        Ok(api_token::current(ctx.app(), ctx.caller()).await?.map(ApiToken))
    }

    /// The API tokens that the caller's token can manage, in order of creation, including revoked and expired ones. Requires an ADMIN token.
    async fn api_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Maximum number of entries, counted from the start of the list or from `after`. Default 100, also with `after` and `before` but without a size; at most 5,000 (MEMBERBASE_MAX_PAGE_SIZE). Can't be combined with `last`."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only entries after this cursor.")] after: Option<String>,
        #[graphql(
            desc = "Maximum number of entries, counted back from the end of the list or from `before`. Default 100 if `before` is the only paging argument; at most 5,000 (MEMBERBASE_MAX_PAGE_SIZE). Can't be combined with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "Only entries before this cursor.")] before: Option<String>,
    ) -> Result<Option<ApiTokenConnection>, Error> {
        let page = Paging { first, after, last, before }.page(ctx, ctx.app().limits.page, api_token::parse_cursor)?;
        let read = Box::pin(api_token::list(ctx.app(), ctx.caller(), &page));
        let slice = ctx.row_budget().page(page.size, read, Slice::size).await?;
        let info = PageInfo::new(&slice, |row| api_token::cursor(row.id));
        let Slice { rows, .. } = slice;
        Ok(Some(ApiTokenConnection { rows: rows.into_iter().map(ApiToken).collect(), info }))
    }
}

#[derive(Clone, Default)]
pub(crate) struct ApiTokenMutation;

#[Object]
impl ApiTokenMutation {
    /// Creates an API token and returns its secret, which can't be read again. Requires an ADMIN token.
    async fn create_api_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Properties of the new token.")] input: CreateApiTokenInput,
    ) -> Result<Option<CreateApiTokenPayload>, Error> {
        let memberbase = input.memberbase_id.map(|text| id::<MemberbaseId>("memberbaseId", &text)).transpose()?;
        let new = NewApiToken {
            description: input.description,
            access: input.access.into(),
            memberbase,
            expires_at: input.expires_at.map(|time| time.0),
        };
        let (made, secret) = api_token::create(ctx.app(), ctx.caller(), new).await?;
        Ok(Some(CreateApiTokenPayload { api_token: ApiToken(made), secret: secret.expose().to_owned() }))
    }

    /// Revokes an API token. Takes effect at once on this server and within one second on others. Revoking again is not an error. Requires an ADMIN token.
    async fn revoke_api_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token to revoke.")] input: RevokeApiTokenInput,
    ) -> Result<Option<RevokeApiTokenPayload>, Error> {
        let id = id::<ApiTokenId>("apiTokenId", &input.api_token_id)?;
        let revoked = api_token::revoke(ctx.app(), ctx.caller(), id).await?;
        Ok(Some(RevokeApiTokenPayload { api_token: ApiToken(revoked) }))
    }
}
