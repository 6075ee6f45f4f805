//! Authorization: callers, and the proofs of access that every finder of the domain takes.
//!
//! Creating a proof never reads the database, so access is checked before existence, and a rejection reveals nothing
//! about what exists. The first statement of the function that takes the proof finds out whether the memberbase exists.

use uuid::Uuid;

use super::Error;
use crate::types::{ApiTokenId, Id, MemberbaseId};

/// Level of access of a token; each level includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Permits queries.
    Read,
    /// Also permits changes of members and what belongs to them, and syncs.
    Write,
    /// Also permits managing memberbases, attribute schemas and tokens.
    Admin,
}

/// The authenticated sender of a request.
#[derive(Clone, Debug)]
pub struct Caller {
    token: Option<ApiTokenId>,
    access: Access,
    /// The memberbase that the token is bound to; `None` if it is not bound.
    memberbase: Option<MemberbaseId>,
}

/// Proof of access to one memberbase, which may not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    memberbase: MemberbaseId,
}

/// Proof of access to everything that a token can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visibility {
    memberbase: Option<MemberbaseId>,
}

/// Proof of access to the whole server, for actions that concern no single memberbase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GlobalScope(());

impl Caller {
    /// Returns the caller of a valid token. Only `api_token::authenticate` calls this.
    pub(super) fn with_token(token: ApiTokenId, access: Access, memberbase: Option<MemberbaseId>) -> Self {
        Self { token: Some(token), access, memberbase }
    }

    /// Returns whom the caller's work is done for: the memberbase that the token is bound to, or else the token.
    pub(crate) fn tenant(&self) -> Option<Uuid> {
        self.memberbase.map(Id::uuid).or_else(|| self.token.map(Id::uuid))
    }

    /// Returns the operator, who can run commands on the server's own database and has ADMIN access.
    pub fn operator() -> Self {
        Self { token: None, access: Access::Admin, memberbase: None }
    }

    /// Returns the id of the token; `None` for the operator.
    pub(crate) fn token(&self) -> Option<ApiTokenId> {
        self.token
    }

    pub(crate) fn access(&self) -> Access {
        self.access
    }

    /// Authorizes access to one memberbase. The level is checked first, so that a rejection reveals nothing about what
    /// exists; a memberbase that the token is not bound to is reported like one that does not exist.
    pub fn authorize(&self, memberbase: MemberbaseId, access: Access) -> Result<Scope, Error> {
        self.require(access)?;
        match self.memberbase {
            Some(bound) if bound != memberbase => Err(Error::memberbase_not_found(memberbase)),
            _ => Ok(Scope { memberbase }),
        }
    }

    /// Authorizes access to everything that the token can see, for lists and for things that are named by id only.
    pub fn authorize_visible(&self, access: Access) -> Result<Visibility, Error> {
        self.require(access)?;
        Ok(Visibility { memberbase: self.memberbase })
    }

    /// Authorizes access to the whole server, which a bound token never has.
    pub(crate) fn authorize_global(&self, access: Access) -> Result<GlobalScope, Error> {
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
    pub fn memberbase(self) -> MemberbaseId {
        self.memberbase
    }
}

impl Visibility {
    /// Narrows this proof to one memberbase; `None` if the token can't see it.
    pub(super) fn within(self, memberbase: MemberbaseId) -> Option<Scope> {
        self.memberbase.is_none_or(|bound| bound == memberbase).then_some(Scope { memberbase })
    }

    /// Returns the only memberbase that the token can see; `None` if it can see all of them.
    pub(crate) fn memberbase(self) -> Option<MemberbaseId> {
        self.memberbase
    }
}

impl Error {
    pub(super) fn memberbase_not_found(id: MemberbaseId) -> Self {
        Self::NotFound(format!("memberbase {id} does not exist"))
    }
}
