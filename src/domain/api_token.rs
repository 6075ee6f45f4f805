//! API tokens. A stub: the lead has the real one.

use std::fmt;

use super::{
    Error,
    access::{Access, Caller},
};
use crate::{
    app::App,
    types::{ApiTokenId, Id, MemberbaseId, Page, Slice, Time},
};

/// A token without its secret.
#[derive(Clone, Debug)]
pub struct ApiToken {
    /// Its id.
    pub id: ApiTokenId,
    /// What it is for.
    pub description: String,
    /// How much it may do.
    pub access: Access,
    /// Where.
    pub memberbase: Option<MemberbaseId>,
    /// Until when.
    pub expires_at: Option<Time>,
    /// When it was last used.
    pub last_used_at: Option<Time>,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
}

/// A token to be made.
pub struct NewApiToken {
    /// What it is for.
    pub description: String,
    /// How much it may do.
    pub access: Access,
    /// Where.
    pub memberbase: Option<MemberbaseId>,
    /// Until when.
    pub expires_at: Option<Time>,
}

/// The secret of a token.
pub struct Secret(String);

impl Secret {
    /// As it is sent.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(***)")
    }
}

fn id() -> ApiTokenId {
    ApiTokenId::from_uuid(uuid::Uuid::from_u128(1))
}

/// The caller with this secret.
pub async fn authenticate(_app: &App, secret: &str) -> Result<Caller, Error> {
    match secret {
        "admin" => Ok(Caller::with_token(id(), Access::Admin, None)),
        "read" => Ok(Caller::with_token(id(), Access::Read, None)),
        _ => Err(Error::Unauthenticated),
    }
}

/// Makes one.
pub async fn create(_app: &App, _caller: &Caller, new: NewApiToken) -> Result<(ApiToken, Secret), Error> {
    let NewApiToken { description, access, memberbase, expires_at } = new;
    let secret = if access == Access::Read { "read" } else { "admin" };
    let token =
        ApiToken { id: id(), description, access, memberbase, expires_at, last_used_at: None, revoked_at: None };
    Ok((token, Secret(secret.to_owned())))
}

/// Lists.
pub async fn list(_app: &App, _caller: &Caller, _page: &Page<ApiTokenId>) -> Result<Slice<ApiToken>, Error> {
    Ok(Slice { rows: Vec::new(), has_next: false, has_previous: false })
}

/// Revokes.
pub async fn revoke(_app: &App, _caller: &Caller, id: ApiTokenId) -> Result<ApiToken, Error> {
    Err(Error::NotFound(format!("API token {id} does not exist")))
}

/// Makes the first one.
pub async fn first(app: &App) -> Result<Option<(ApiToken, Secret)>, Error> {
    let new = NewApiToken { description: "first".into(), access: Access::Admin, memberbase: None, expires_at: None };
    create(app, &Caller::operator(), new).await.map(Some)
}
