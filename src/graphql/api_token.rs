//! API tokens: who may ask for what.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{
    Error,
    connection::{PageInfo, Paging},
    context::{ContextExt, id},
    scalar::{Count, DateTime},
};
use crate::{
    domain::{
        access,
        api_token::{self, NewApiToken},
    },
    types::{ApiTokenId, Id, MemberbaseId, Slice},
};

/// How much a token may do; each includes the ones before it.
#[derive(async_graphql::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Asks.
    Read,
    /// Also changes members and what belongs to them, and runs syncs.
    Write,
    /// Also manages memberbases, attribute schemas and tokens.
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

/// Lets whoever carries its secret in: Authorization: Bearer <secret>.
#[derive(Clone, Debug)]
pub struct ApiToken(pub(super) api_token::ApiToken);

/// Lets whoever carries its secret in: Authorization: Bearer <secret>.
#[Object]
impl ApiToken {
    /// Its id, which begins with atok_. It is no secret.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What it is for.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// How much it may do.
    async fn access(&self) -> Access {
        self.0.access.into()
    }

    /// The one memberbase that it is bound to; null: every memberbase.
    async fn memberbase_id(&self) -> Option<ID> {
        self.0.memberbase.map(|id| id.to_string().into())
    }

    /// The time in its id.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.id.created_at())
    }

    /// From when on it lets nobody in; null: it works for ever.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }

    /// When it was last used, to a minute; null: never.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }

    /// When it was revoked; null: it was not.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime)
    }
}

/// A part of the list of tokens.
#[derive(Debug)]
pub struct ApiTokenConnection {
    rows: Vec<ApiToken>,
    info: PageInfo,
}

/// A part of the list of tokens.
#[Object]
impl ApiTokenConnection {
    /// The tokens with their cursors.
    async fn edges(&self) -> Vec<ApiTokenEdge> {
        self.rows.iter().map(|row| ApiTokenEdge { cursor: api_token::cursor(row.0.id), node: row.clone() }).collect()
    }

    /// The tokens.
    async fn nodes(&self) -> &[ApiToken] {
        &self.rows
    }

    /// What lies around this part.
    async fn page_info(&self) -> &PageInfo {
        &self.info
    }

    /// Of the whole list, whatever the page; counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<Count, Error> {
        Ok(Count(api_token::count(ctx.app(), ctx.caller()).await?))
    }
}

/// A token in the list.
#[derive(SimpleObject, Debug)]
pub struct ApiTokenEdge {
    /// Where it stands in the list.
    cursor: String,
    /// The token.
    node: ApiToken,
}

/// What a new token is to be. memberbaseId left out: as the token that asks (a bound one makes bound ones alone).
#[derive(InputObject, Debug)]
pub struct CreateApiTokenInput {
    /// What it is for; 1,024 bytes at most.
    description: String,
    /// How much it may do.
    access: Access,
    /// The one memberbase that it is to be bound to.
    memberbase_id: Option<ID>,
    /// From when on it lets nobody in; left out: it works for ever.
    expires_at: Option<DateTime>,
}

/// What was made.
#[derive(SimpleObject, Debug)]
pub struct CreateApiTokenPayload {
    /// The new token.
    api_token: ApiToken,
    /// Shown this once; only its hash is stored.
    secret: String,
}

/// Which token is to let nobody in any more.
#[derive(InputObject, Debug)]
pub struct RevokeApiTokenInput {
    /// An id that begins with atok_.
    api_token_id: ID,
}

/// What was revoked.
#[derive(SimpleObject, Debug)]
pub struct RevokeApiTokenPayload {
    /// The token as it is now.
    api_token: ApiToken,
}

/// Queries for tokens.
#[derive(Clone, Default)]
pub struct ApiTokenQuery;

#[Object]
impl ApiTokenQuery {
    /// The token that this request carries.
    async fn current_api_token(&self, ctx: &Context<'_>) -> Result<Option<ApiToken>, Error> {
        Ok(api_token::current(ctx.app(), ctx.caller()).await?.map(ApiToken))
    }

    /// The tokens that this one manages, in the order of their creation; revoked and expired ones too. Needs an ADMIN token.
    async fn api_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<Option<ApiTokenConnection>, Error> {
        let page = Paging { first, after, last, before }.page(ctx, ctx.app().limits.page, api_token::parse_cursor)?;
        let read = Box::pin(api_token::list(ctx.app(), ctx.caller(), &page));
        let slice = ctx.row_budget().page(page.size, read, Slice::size).await?;
        let info = PageInfo::new(&slice, |row| api_token::cursor(row.id));
        let Slice { rows, .. } = slice;
        Ok(Some(ApiTokenConnection { rows: rows.into_iter().map(ApiToken).collect(), info }))
    }
}

/// Mutations of tokens.
#[derive(Clone, Default)]
pub struct ApiTokenMutation;

#[Object]
impl ApiTokenMutation {
    /// Makes a token, and shows its secret this once. Needs an ADMIN token.
    async fn create_api_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: CreateApiTokenInput,
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

    /// Ends a token at once; again is no error. Needs an ADMIN token.
    async fn revoke_api_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which token.")] input: RevokeApiTokenInput,
    ) -> Result<Option<RevokeApiTokenPayload>, Error> {
        let id = id::<ApiTokenId>("apiTokenId", &input.api_token_id)?;
        let revoked = api_token::revoke(ctx.app(), ctx.caller(), id).await?;
        Ok(Some(RevokeApiTokenPayload { api_token: ApiToken(revoked) }))
    }
}
