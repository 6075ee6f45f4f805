//! API tokens: who may ask for what. Only a hash of a secret is stored.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Error,
    access::{Access, Caller, Reach},
    cursor::{self, List},
    text,
};
use crate::{
    app::App,
    db::Lock,
    entity::{api_token, memberbase},
    types::{ApiTokenId, Direction, Id, MemberbaseId, Page, Slice, Start, Time},
};

/// What every secret begins with, so that one that got where it should not be is found by its look.
const PREFIX: &str = "mbs_";

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

/// The caller that a secret makes; [`Error::Unauthenticated`] where it is none, was revoked or is past its time.
pub async fn authenticate(app: &App, secret: &str) -> Result<Caller, Error> {
    let session = app.db.read().await?;
    let found = api_token::Entity::find()
        .filter(api_token::Column::SecretHash.eq(hash(secret)))
        .one(&session)
        .await?
        .ok_or(Error::Unauthenticated)?;
    let token = ApiToken::try_from(found)?;
    let expired = token.expires_at.is_some_and(|time| time <= Time::now());
    if expired || token.revoked_at.is_some() {
        return Err(Error::Unauthenticated);
    }
    Ok(Caller::with_token(token.id, token.access, token.memberbase))
}

/// Makes a token. A bound caller makes tokens that are bound to the same memberbase.
pub async fn create(app: &App, caller: &Caller, new: NewApiToken) -> Result<(ApiToken, Secret), Error> {
    let reach = caller.reach(Access::Admin)?;
    let memberbase = match new.memberbase {
        Some(memberbase) => Some(caller.may(memberbase, Access::Admin)?.memberbase()),
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
    let reach = caller.reach(Access::Admin)?;
    let ascending = page.direction == Direction::Forward;
    let mut query = api_token::Entity::find().filter(within(reach));
    if let Start::Beside(id) = page.start {
        let id_column = Expr::col(api_token::Column::Id);
        query = query.filter(if ascending { id_column.gt(id.uuid()) } else { id_column.lt(id.uuid()) });
    }
    if let Start::Skip(rows) = page.start {
        query = query.offset(rows);
    }
    let order = if ascending { sea_orm::Order::Asc } else { sea_orm::Order::Desc };
    let rows = query.order_by(api_token::Column::Id, order).limit(page.size + 1).all(&app.db.read().await?).await?;
    let rows = rows.into_iter().map(ApiToken::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.slice(rows, matches!(page.start, Start::Beside(_))))
}

/// Where a token stands in their list, as a cursor: opaque to whoever holds it.
pub fn cursor(id: ApiTokenId) -> String {
    cursor::write(List::ApiTokens, id)
}

/// Reads a cursor; the message says why it is none of this list.
pub fn parse_cursor(cursor: &str) -> Result<ApiTokenId, &'static str> {
    cursor::read(List::ApiTokens, cursor)
}

/// Revokes a token; again is no error, and leaves the first time.
pub async fn revoke(app: &App, caller: &Caller, id: ApiTokenId) -> Result<ApiToken, Error> {
    let reach = caller.reach(Access::Admin)?;
    app.db
        .write(Lock::None, async |session| {
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
        })
        .await
}

fn within(reach: Reach) -> Condition {
    Condition::all().add_option(reach.memberbase().map(|id| api_token::Column::MemberbaseId.eq(id.uuid())))
}

async fn insert(session: &impl ConnectionTrait, row: api_token::Model) -> Result<(), Error> {
    api_token::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(session).await?;
    Ok(())
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

impl ApiToken {
    fn row(&self, secret: &Secret) -> api_token::Model {
        api_token::Model {
            id: self.id.uuid(),
            secret_hash: hash(secret.expose()),
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
