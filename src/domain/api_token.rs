//! API tokens: bearer tokens with a level of access, optionally bound to one memberbase. Only the SHA-256 hash of a
//! secret is stored. A plain hash is enough, because a secret is 256 random bits, which can't be guessed.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QuerySelect,
    sea_query::{Expr, Order},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Error,
    access::{Access, Caller, Visibility},
    filter::IdPredicate,
    id_pagination::{self, CursorKind},
    text,
};
use crate::{
    app::App,
    db::{Lock, Session},
    entity::{api_token, memberbase},
    types::{ApiTokenId, Id, MemberbaseId, Page, Slice, Time},
};

/// Prefix of every secret, by which secret scanners can find one that was leaked.
const SECRET_PREFIX: &str = "mbs_";

/// Minimum time between two updates of a token's `last_used_at`.
const LAST_USED_RESOLUTION_MICROS: i64 = 60_000_000;

/// A token without its secret.
#[derive(Clone, Debug)]
pub struct ApiToken {
    /// Id, which holds the time of creation.
    pub id: ApiTokenId,
    /// Purpose of the token, in the words of its creator.
    pub(crate) description: String,
    pub(crate) access: Access,
    /// The memberbase that it is bound to; `None` if it is not bound.
    pub(crate) memberbase: Option<MemberbaseId>,
    /// Expiry time; `None` if it does not expire.
    pub(crate) expires_at: Option<Time>,
    /// Time of the last use, updated at most once a minute.
    pub(crate) last_used_at: Option<Time>,
    /// Time of the first revocation.
    pub(crate) revoked_at: Option<Time>,
}

#[derive(Clone, Debug)]
pub struct NewApiToken {
    pub description: String,
    pub access: Access,
    /// The memberbase to bind it to; `None` to bind it like the caller's own token.
    pub memberbase: Option<MemberbaseId>,
    /// Expiry time; `None` if it does not expire.
    pub expires_at: Option<Time>,
}

/// The secret of a token. Its `Debug` output is redacted, and it has no `Display`.
pub struct Secret(String);

impl Secret {
    /// Returns the text that a client sends as its bearer token.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Generates 256 bits with the system's random number generator.
    fn generate() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| Error::Internal(error.into()))?;
        Ok(Self(format!("{SECRET_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(***)")
    }
}

/// The result of a successful authentication.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    pub(crate) caller: Caller,
    /// Expiry time of the token; `None` if it does not expire.
    pub(crate) expires_at: Option<Time>,
    /// The stored time of the token's last use, which lags by up to a minute.
    pub(crate) last_used_at: Option<Time>,
}

/// The SHA-256 hash of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SecretHash([u8; 32]);

impl SecretHash {
    pub(crate) fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret).into())
    }
}

/// Authenticates the secret with this hash. Fails with [`Error::Unauthenticated`] if no token has it, or if the token
/// is revoked or expired.
pub(crate) async fn authenticate(app: &App, secret: SecretHash) -> Result<Proof, Error> {
    let session = app.db.read().await?;
    let found = api_token::Entity::find()
        .filter(api_token::Column::SecretHash.eq(secret.0.to_vec()))
        .one(&session)
        .await?
        .ok_or(Error::Unauthenticated)?;
    let token = ApiToken::try_from(found)?;
    let expired = token.expires_at.is_some_and(|time| time <= Time::now());
    if expired || token.revoked_at.is_some() {
        return Err(Error::Unauthenticated);
    }
    let caller = Caller::with_token(token.id, token.access, token.memberbase);
    Ok(Proof { caller, expires_at: token.expires_at, last_used_at: token.last_used_at })
}

/// Creates a token. The tokens of a bound caller are bound to the same memberbase.
pub async fn create(app: &App, caller: &Caller, new: NewApiToken) -> Result<(ApiToken, Secret), Error> {
    let visibility = caller.authorize_visible(Access::Admin)?;
    let memberbase = match new.memberbase {
        Some(memberbase) => Some(caller.authorize(memberbase, Access::Admin)?.memberbase()),
        None => visibility.memberbase(),
    };
    text::check("description", &new.description)?;
    let secret = Secret::generate()?;
    let token = ApiToken {
        id: ApiTokenId::from_uuid(Uuid::now_v7()),
        description: new.description,
        access: new.access,
        memberbase,
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    let row = token.row(&secret);
    let lock = memberbase.map_or(Lock::None, |id| Lock::Shared(id.uuid()));
    app.db
        .write(lock, async |session| {
            if let Some(memberbase) = memberbase
                && memberbase::Entity::find_by_id(memberbase.uuid()).one(&session).await?.is_none()
            {
                return Err(Error::memberbase_not_found(memberbase));
            }
            insert(&session, row.clone()).await
        })
        .await?;
    Ok((token, secret))
}

/// Creates the first ADMIN token if the database has no token at all, not even a revoked one.
pub async fn first(app: &App) -> Result<Option<(ApiToken, Secret)>, Error> {
    let secret = Secret::generate()?;
    let token = ApiToken {
        id: ApiTokenId::from_uuid(Uuid::now_v7()),
        description: "created at the first start".to_owned(),
        access: Access::Admin,
        memberbase: None,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    let row = token.row(&secret);
    // No memberbase has the nil id, so this lock serializes only servers that start at the same time.
    let created = app
        .db
        .write(Lock::Exclusive(Uuid::nil()), async |session| {
            if api_token::Entity::find().limit(1).one(&session).await?.is_some() {
                return Ok::<_, Error>(false);
            }
            insert(&session, row.clone()).await?;
            Ok(true)
        })
        .await?;
    Ok(created.then_some((token, secret)))
}

/// Returns a page of the tokens that the caller manages, oldest first.
pub(crate) async fn list(app: &App, caller: &Caller, page: &Page<ApiTokenId>) -> Result<Slice<ApiToken>, Error> {
    let visibility = caller.authorize_visible(Access::Admin)?;
    let found = api_token::Entity::find().filter(within(visibility));
    id_pagination::page(&app.db.read().await?, found, api_token::Column::Id, Order::Asc, page).await
}

/// Counts the tokens that the caller manages.
pub(crate) async fn count(app: &App, caller: &Caller) -> Result<u64, Error> {
    let found = api_token::Entity::find().filter(within(caller.authorize_visible(Access::Admin)?));
    Ok(found.count(&app.db.read().await?).await?)
}

/// Returns those of these tokens that exist and that the caller manages, in any order.
pub(crate) async fn find_many(app: &App, caller: &Caller, ids: &[ApiTokenId]) -> Result<Vec<ApiToken>, Error> {
    let found = api_token::Entity::find().filter(within(caller.authorize_visible(Access::Admin)?));
    let requested = IdPredicate::In(ids.to_vec()).condition(app.db.backend(), Expr::col(api_token::Column::Id));
    let rows = found.filter(requested).all(&app.db.read().await?).await?;
    rows.into_iter().map(ApiToken::try_from).collect()
}

/// Returns the caller's own token; `None` for the operator.
pub(crate) async fn current(app: &App, caller: &Caller) -> Result<Option<ApiToken>, Error> {
    let Some(id) = caller.token() else { return Ok(None) };
    let found = api_token::Entity::find_by_id(id.uuid()).one(&app.db.read().await?).await?;
    found.map(ApiToken::try_from).transpose()
}

pub(crate) fn cursor(id: ApiTokenId) -> String {
    id_pagination::encode(CursorKind::ApiTokens, id)
}

/// Parses a cursor of the list of tokens. The error is a message for the client.
pub(crate) fn parse_cursor(cursor: &str) -> Result<ApiTokenId, &'static str> {
    id_pagination::decode(CursorKind::ApiTokens, cursor)
}

/// Revokes a token. Revoking it again succeeds and keeps the time of the first revocation.
pub async fn revoke(app: &App, caller: &Caller, id: ApiTokenId) -> Result<ApiToken, Error> {
    let visibility = caller.authorize_visible(Access::Admin)?;
    let revoke = async |session: Session| {
        api_token::Entity::update_many()
            .col_expr(api_token::Column::RevokedAt, Expr::value(Time::now().micros()))
            .filter(within(visibility))
            .filter(api_token::Column::Id.eq(id.uuid()))
            .filter(api_token::Column::RevokedAt.is_null())
            .exec(&session)
            .await?;
        api_token::Entity::find_by_id(id.uuid())
            .filter(within(visibility))
            .one(&session)
            .await?
            .ok_or_else(|| Error::NotFound(format!("API token {id} does not exist")))?
            .try_into()
    };
    let revoked = app.db.write(Lock::None, revoke).await;
    app.tokens_changed();
    revoked
}

/// Returns whether the stored time of a token's last use is a minute old or more.
pub(crate) fn needs_last_used_update(stored: Option<Time>, now: Time) -> bool {
    stored.is_none_or(|stored| now.micros() - stored.micros() >= LAST_USED_RESOLUTION_MICROS)
}

/// Sets the time of a token's last use to now, unless the stored time is less than a minute old.
pub async fn update_last_used(app: &App, id: ApiTokenId) -> Result<(), Error> {
    let now = Time::now().micros();
    let stale = Condition::any()
        .add(api_token::Column::LastUsedAt.is_null())
        .add(api_token::Column::LastUsedAt.lte(now - LAST_USED_RESOLUTION_MICROS));
    let update = async |session: Session| {
        api_token::Entity::update_many()
            .col_expr(api_token::Column::LastUsedAt, Expr::value(now))
            .filter(api_token::Column::Id.eq(id.uuid()))
            .filter(stale.clone())
            .exec(&session)
            .await?;
        Ok(())
    };
    app.db.write(Lock::None, update).await
}

fn within(visibility: Visibility) -> Condition {
    Condition::all().add_option(visibility.memberbase().map(|id| api_token::Column::MemberbaseId.eq(id.uuid())))
}

async fn insert(session: &impl ConnectionTrait, row: api_token::Model) -> Result<(), Error> {
    api_token::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(session).await?;
    Ok(())
}

impl ApiToken {
    fn row(&self, secret: &Secret) -> api_token::Model {
        api_token::Model {
            id: self.id.uuid(),
            secret_hash: SecretHash::of(secret.expose()).0.to_vec(),
            description: self.description.clone(),
            access: self.access as i32,
            memberbase_id: self.memberbase.map(Id::uuid),
            expires_at: self.expires_at.map(Time::micros),
            last_used_at: None,
            revoked_at: None,
        }
    }
}

impl TryFrom<api_token::Model> for ApiToken {
    type Error = Error;

    fn try_from(row: api_token::Model) -> Result<Self, Error> {
        let access = match row.access {
            0 => Access::Read,
            1 => Access::Write,
            2 => Access::Admin,
            other => return Err(Error::Internal(format!("access {other} of a token is unknown").into())),
        };
        Ok(Self {
            id: ApiTokenId::from_uuid(row.id),
            description: row.description,
            access,
            memberbase: row.memberbase_id.map(MemberbaseId::from_uuid),
            expires_at: row.expires_at.map(Time::from_micros),
            last_used_at: row.last_used_at.map(Time::from_micros),
            revoked_at: row.revoked_at.map(Time::from_micros),
        })
    }
}
