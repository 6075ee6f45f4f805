//! API tokens: who may ask for what. Only a hash of a secret is stored.

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

/// What every secret begins with, so that one that got where it should not be is found by its look.
const PREFIX: &str = "mbs_";

/// How many microseconds lie between two notes that a token was used.
const LAST_USED_RESOLUTION_MICROS: i64 = 60_000_000;

/// A token without its secret.
#[derive(Clone, Debug)]
pub struct ApiToken {
    /// Its id.
    pub id: ApiTokenId,
    /// What it is for.
    pub description: String,
    /// How much it may do.
    pub access: Access,
    /// The one memberbase where; none: all of them.
    pub memberbase: Option<MemberbaseId>,
    /// Until when; none: for ever.
    pub expires_at: Option<Time>,
    /// When it was last used.
    pub last_used_at: Option<Time>,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewApiToken {
    /// What it is for.
    pub description: String,
    /// How much it may do.
    pub access: Access,
    /// The one memberbase where; none: as the caller's own token, and all of them where that is not bound.
    pub memberbase: Option<MemberbaseId>,
    /// Until when; none: for ever.
    pub expires_at: Option<Time>,
}

/// The secret of a token. It never prints by accident.
pub struct Secret(String);

impl Secret {
    /// As it is sent.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// 256 bits from the system's generator.
    fn generate() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| Error::Internal(error.into()))?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(***)")
    }
}

/// What a secret proves.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The caller that it makes.
    pub caller: Caller,
    /// Until when; none: for ever.
    pub expires_at: Option<Time>,
    /// When the token was last used, as far as it was noted.
    pub last_used_at: Option<Time>,
}

/// The hash by which a secret is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Of a secret.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret).into())
    }
}

/// What the secret with this hash proves; [`Error::Unauthenticated`] where it is none, was revoked or is past its time.
pub async fn authenticate(app: &App, secret: SecretHash) -> Result<Proof, Error> {
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

/// Makes a token. A bound caller makes tokens that are bound to the same memberbase.
pub async fn create(app: &App, caller: &Caller, new: NewApiToken) -> Result<(ApiToken, Secret), Error> {
    let reach = caller.authorize_visible(Access::Admin)?;
    let memberbase = match new.memberbase {
        Some(memberbase) => Some(caller.authorize(memberbase, Access::Admin)?.memberbase()),
        None => reach.memberbase(),
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
    let (row, lock) = (token.row(&secret), memberbase.map_or(Lock::None, |id| Lock::Shared(id.uuid())));
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

/// Makes the first ADMIN token where the database has no token at all, not even a revoked one.
pub async fn first(app: &App) -> Result<Option<(ApiToken, Secret)>, Error> {
    let secret = Secret::generate()?;
    let token = ApiToken {
        id: ApiTokenId::from_uuid(Uuid::now_v7()),
        description: "made at the first start".to_owned(),
        access: Access::Admin,
        memberbase: None,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    let row = token.row(&secret);
    // No memberbase has the nil id: servers that start together wait for each other here.
    let made = app
        .db
        .write(Lock::Exclusive(Uuid::nil()), async |session| {
            if api_token::Entity::find().limit(1).one(&session).await?.is_some() {
                return Ok::<_, Error>(false);
            }
            insert(&session, row.clone()).await?;
            Ok(true)
        })
        .await?;
    Ok(made.then_some((token, secret)))
}

/// The tokens that the caller manages, the oldest first.
pub async fn list(app: &App, caller: &Caller, page: &Page<ApiTokenId>) -> Result<Slice<ApiToken>, Error> {
    let reach = caller.authorize_visible(Access::Admin)?;
    let found = api_token::Entity::find().filter(within(reach));
    id_pagination::page(&app.db.read().await?, found, api_token::Column::Id, Order::Asc, page).await
}

/// How many tokens the caller manages.
pub async fn count(app: &App, caller: &Caller) -> Result<u64, Error> {
    let found = api_token::Entity::find().filter(within(caller.authorize_visible(Access::Admin)?));
    Ok(found.count(&app.db.read().await?).await?)
}

/// Those of these tokens that are there and that the caller manages, in any order.
pub async fn find_many(app: &App, caller: &Caller, ids: &[ApiTokenId]) -> Result<Vec<ApiToken>, Error> {
    let found = api_token::Entity::find().filter(within(caller.authorize_visible(Access::Admin)?));
    let asked = IdPredicate::In(ids.to_vec()).condition(app.db.backend(), Expr::col(api_token::Column::Id));
    let rows = found.filter(asked).all(&app.db.read().await?).await?;
    rows.into_iter().map(ApiToken::try_from).collect()
}

/// The token of the caller; none for an operator.
pub async fn current(app: &App, caller: &Caller) -> Result<Option<ApiToken>, Error> {
    let Some(id) = caller.token() else { return Ok(None) };
    let found = api_token::Entity::find_by_id(id.uuid()).one(&app.db.read().await?).await?;
    found.map(ApiToken::try_from).transpose()
}

/// Where a token stands in their list, as a cursor: opaque to whoever holds it.
pub fn cursor(id: ApiTokenId) -> String {
    id_pagination::encode(CursorKind::ApiTokens, id)
}

/// Reads a cursor; the message says why it is none of this list.
pub fn parse_cursor(cursor: &str) -> Result<ApiTokenId, &'static str> {
    id_pagination::decode(CursorKind::ApiTokens, cursor)
}

/// Revokes a token; again is no error, and leaves the first time.
pub async fn revoke(app: &App, caller: &Caller, id: ApiTokenId) -> Result<ApiToken, Error> {
    let reach = caller.authorize_visible(Access::Admin)?;
    let revoke = async |session: Session| {
        api_token::Entity::update_many()
            .col_expr(api_token::Column::RevokedAt, Expr::value(Time::now().micros()))
            .filter(within(reach))
            .filter(api_token::Column::Id.eq(id.uuid()))
            .filter(api_token::Column::RevokedAt.is_null())
            .exec(&session)
            .await?;
        api_token::Entity::find_by_id(id.uuid())
            .filter(within(reach))
            .one(&session)
            .await?
            .ok_or_else(|| Error::NotFound(format!("API token {id} does not exist")))?
            .try_into()
    };
    let revoked = app.db.write(Lock::None, revoke).await;
    app.tokens_changed();
    revoked
}

/// Whether the use of a token is to be noted now, which was last noted then.
pub fn needs_last_used_update(noted: Option<Time>, now: Time) -> bool {
    noted.is_none_or(|noted| now.micros() - noted.micros() >= LAST_USED_RESOLUTION_MICROS)
}

/// Notes that a token is used now, unless that was noted a short time ago.
pub async fn update_last_used(app: &App, id: ApiTokenId) -> Result<(), Error> {
    let now = Time::now().micros();
    let stale = Condition::any()
        .add(api_token::Column::LastUsedAt.is_null())
        .add(api_token::Column::LastUsedAt.lte(now - LAST_USED_RESOLUTION_MICROS));
    let note = async |session: Session| {
        api_token::Entity::update_many()
            .col_expr(api_token::Column::LastUsedAt, Expr::value(now))
            .filter(api_token::Column::Id.eq(id.uuid()))
            .filter(stale.clone())
            .exec(&session)
            .await?;
        Ok(())
    };
    app.db.write(Lock::None, note).await
}

fn within(reach: Visibility) -> Condition {
    Condition::all().add_option(reach.memberbase().map(|id| api_token::Column::MemberbaseId.eq(id.uuid())))
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
