//! `api-token/...`. The original API has two access levels; its `write` includes memberbases, attribute schemas and tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Call, Code, Error,
    id::{ApiTokenIdText, IdText},
    member_base::Done,
    page::{ListPage, Pagination},
};
use crate::{
    domain::{
        access::Access,
        api_token::{self, ApiToken, NewApiToken, cursor, parse_cursor},
    },
    types::{Id, Time},
};

/// Access level of a token: `read` for queries; `write` for queries and all changes, including memberbases,
/// attribute schemas and tokens.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, Debug)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApiTokenAccess)]
enum TokenAccess {
    Read,
    Write,
}

/// An API token.
#[derive(Serialize, ToSchema, Debug)]
#[schema(as = ApiToken)]
pub(crate) struct Token {
    id: ApiTokenIdText,
    access: TokenAccess,
    description: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// Expiry time; null if the token does not expire.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    /// The token's secret. Returned only when the token is created.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<ApiToken> for Token {
    fn from(found: ApiToken) -> Self {
        let text = |time: Time| time.to_string();
        Self {
            id: IdText(found.id),
            access: if found.access == Access::Read { TokenAccess::Read } else { TokenAccess::Write },
            description: found.description,
            created_at: found.id.created_at().to_string(),
            expires_at: found.expires_at.map(text),
            last_used_at: found.last_used_at.map(text),
            revoked_at: found.revoked_at.map(text),
            token: None,
        }
    }
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Create {
    access: TokenAccess,
    /// Purpose of the token: at most 1,024 bytes.
    description: String,
    /// Expiry time. Default: the token does not expire.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

pub(super) async fn create(call: Call, request: Create) -> Result<Token, Error> {
    let time =
        |text: String| Time::parse(&text).map_err(|error| Error::new(Code::BadRequest, format!("expires_at: {error}")));
    let access = match request.access {
        TokenAccess::Read => Access::Read,
        TokenAccess::Write => Access::Admin,
    };
    let expires_at = request.expires_at.map(time).transpose()?;
    let new = NewApiToken { description: request.description, access, memberbase: None, expires_at };
    let (created, secret) = api_token::create(&call.app, &call.caller, new).await?;
    Ok(Token { token: Some(secret.expose().to_owned()), ..created.into() })
}

#[derive(Deserialize, ToSchema)]
pub(super) struct List {
    pagination: Option<Pagination>,
}

pub(super) async fn list(call: Call, request: List) -> Result<ListPage<Token>, Error> {
    let page = request.pagination.unwrap_or_default().page(call.app.limits.page, parse_cursor)?;
    let slice = api_token::list(&call.app, &call.caller, &page).await?;
    ListPage::new(&page, slice, |row| cursor(row.id), |row| Ok(row.into()))
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Revoke {
    id: ApiTokenIdText,
}

pub(super) async fn revoke(call: Call, request: Revoke) -> Result<Done, Error> {
    api_token::revoke(&call.app, &call.caller, request.id.0).await?;
    Ok(Done {})
}
