//! Who asks, and what that allows. No query is made without one of the proofs of this module.

use super::Error;
use crate::types::{ApiTokenId, MemberbaseId};

/// How much a token may do; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Asks.
    Read,
    /// Also changes members and what belongs to them, and runs syncs.
    Write,
    /// Also manages memberbases, attribute schemas and tokens.
    Admin,
}

/// Whoever makes a request.
#[derive(Clone, Debug)]
pub struct Caller {
    token: Option<ApiTokenId>,
    access: Access,
    /// The one memberbase that the token is bound to; none: all of them.
    memberbase: Option<MemberbaseId>,
}

/// Proof that something may be done in one memberbase. Whether that memberbase exists is for the first statement to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    memberbase: MemberbaseId,
}

/// Proof that something may be done in all that a token sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visibility {
    memberbase: Option<MemberbaseId>,
}

/// Proof that something may be done that concerns no single memberbase.
#[derive(Clone, Copy, Debug)]
pub struct GlobalScope(());

impl Caller {
    /// The caller that a valid token makes. For `api_token::authenticate` alone.
    pub(super) fn with_token(token: ApiTokenId, access: Access, memberbase: Option<MemberbaseId>) -> Self {
        Self { token: Some(token), access, memberbase }
    }

    /// Whoever can run commands on the server's own database may do everything.
    pub fn operator() -> Self {
        Self { token: None, access: Access::Admin, memberbase: None }
    }

    /// The token; none for an operator.
    pub fn token(&self) -> Option<ApiTokenId> {
        self.token
    }

    /// What the token allows.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Permits something in one memberbase. Access is judged first, so that it tells nothing of what exists; a
    /// memberbase outside the token is as one that never was.
    pub fn authorize(&self, memberbase: MemberbaseId, access: Access) -> Result<Scope, Error> {
        self.require(access)?;
        match self.memberbase {
            Some(bound) if bound != memberbase => Err(Error::memberbase_not_found(memberbase)),
            _ => Ok(Scope { memberbase }),
        }
    }

    /// Permits something in all that the token sees, for what is listed or named by id alone.
    pub fn authorize_visible(&self, access: Access) -> Result<Visibility, Error> {
        self.require(access)?;
        Ok(Visibility { memberbase: self.memberbase })
    }

    /// Permits something that concerns no single memberbase, which a bound token may not.
    pub fn authorize_global(&self, access: Access) -> Result<GlobalScope, Error> {
        self.require(access)?;
        match self.memberbase {
            Some(bound) => Err(Error::Forbidden(format!("this token is bound to memberbase {bound}"))),
            None => Ok(GlobalScope(())),
        }
    }

    fn require(&self, access: Access) -> Result<(), Error> {
        if self.access >= access {
            return Ok(());
        }
        let needed = match access {
            Access::Read => "READ",
            Access::Write => "WRITE",
            Access::Admin => "ADMIN",
        };
        Err(Error::Forbidden(format!("this needs a token with {needed} access")))
    }
}

impl Scope {
    /// The memberbase.
    pub fn memberbase(self) -> MemberbaseId {
        self.memberbase
    }
}

impl Visibility {
    /// The same for a memberbase alone; none where it can't be seen.
    pub(super) fn within(self, memberbase: MemberbaseId) -> Option<Scope> {
        self.memberbase.is_none_or(|bound| bound == memberbase).then_some(Scope { memberbase })
    }

    /// The one memberbase that can be seen; none: all of them.
    pub fn memberbase(self) -> Option<MemberbaseId> {
        self.memberbase
    }
}

impl Error {
    pub(super) fn memberbase_not_found(id: MemberbaseId) -> Self {
        Self::NotFound(format!("memberbase {id} does not exist"))
    }
}
