//! The model: everything that the API promises, in memory and without regard to speed. It does not use the product.
//!
//! It takes the arguments of a root field as JSON and returns the response as JSON. Ids, times, cursors and secrets are
//! symbols such as `§m_3`, the fourth member that was created; members that one call creates are numbered in the order of
//! their first rows. Symbols of times have the order of the times. Errors have a code and a path, but no message.

mod children;
mod filters;
mod members;
mod pages;
mod syncs;
mod upserts;
pub mod values;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub use children::{CHILD_TYPES, ChildType};
pub use filters::REGEXES;
pub use pages::{Key, List};

/// The first character of every symbol.
pub const SYMBOL: char = '§';

#[derive(Clone, Debug, Default)]
pub struct Api {
    pub(super) bases: BTreeMap<usize, Base>,
    pub(super) members: BTreeMap<usize, Member>,
    /// The children of members by the prefix of their ids.
    pub(super) children: BTreeMap<&'static str, BTreeMap<usize, Child>>,
    pub(super) syncs: BTreeMap<usize, Sync>,
    pub(super) tokens: BTreeMap<usize, Token>,
    pub(super) cursors: Vec<(List, Key)>,
    /// Number of ids that were ever created, by prefix.
    pub(super) created: BTreeMap<&'static str, usize>,
    /// Number of requests so far. A request creates records at twice this time, and updates others just after that.
    clock: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Base {
    name: String,
    /// The symbol of a time. That of the creation has whole milliseconds (`§ms_2`), so that it can be equal to another.
    updated: String,
    /// Pairs of key and type.
    schema: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) number: usize,
    base: usize,
    reference: String,
    attributes: BTreeMap<String, Value>,
    source_updated_at: Value,
    pub(super) updated: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Child {
    base: usize,
    member: usize,
    key: String,
    fields: BTreeMap<&'static str, Value>,
    updated: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Sync {
    base: usize,
    state: &'static str,
    /// Number of members that were ever created before the sync started.
    first_new_member: usize,
    seen: BTreeSet<usize>,
    /// Counts of members seen and missing at its end.
    counts: Option<(usize, usize)>,
    deleted: Value,
    ended: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    access: Access,
    base: Option<usize>,
    pub(super) revoked: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) enum Access {
    Read,
    Write,
    Admin,
}

/// The error of a request: its code, its path below the root field, and the rows that failed.
#[derive(Clone, Debug)]
struct Error {
    code: &'static str,
    path: Option<&'static str>,
    failures: Vec<Value>,
}

impl Error {
    const BAD_INPUT: Self = Self::new("BAD_USER_INPUT");
    const NOT_FOUND: Self = Self::new("NOT_FOUND");
    const FORBIDDEN: Self = Self::new("FORBIDDEN");
    const CONFLICT: Self = Self::new("CONFLICT");
    const LIMIT_EXCEEDED: Self = Self::new("LIMIT_EXCEEDED");

    const fn new(code: &'static str) -> Self {
        Self { code, path: None, failures: Vec::new() }
    }
}

type Response = Result<Value, Error>;

/// The token of a request.
#[derive(Clone, Copy)]
struct Caller {
    access: Access,
    base: Option<usize>,
}

impl Caller {
    fn require(self, access: Access) -> Result<Self, Error> {
        if self.access >= access { Ok(self) } else { Err(Error::FORBIDDEN) }
    }

    /// A token that is bound to a memberbase sees no other.
    fn sees(self, base: usize) -> bool {
        self.base.is_none_or(|bound| bound == base)
    }
}

impl Api {
    /// Returns the response to a request. `token` is the number of the token, `None` for an ADMIN token that is not bound.
    pub fn respond(&mut self, token: Option<usize>, operation: &str, variables: &Value) -> Value {
        self.clock += 1;
        let caller = match token.map(|token| &self.tokens[&token]) {
            None => Caller { access: Access::Admin, base: None },
            Some(Token { revoked: None, access, base }) => Caller { access: *access, base: *base },
            Some(_) => return json!({"errors": [{"code": "UNAUTHENTICATED"}]}),
        };
        let (field, detail) = operation.split_once(':').unwrap_or((operation, ""));
        match self.call(caller, field, detail, variables) {
            Ok(value) => json!({"data": {field: value}}),
            Err(Error { code, path, failures }) => {
                let path: Vec<_> = [Some(field), path].into_iter().flatten().collect();
                let mut error = json!({"code": code, "path": path});
                if !failures.is_empty() {
                    error["failureCount"] = failures.len().into();
                    error["failures"] = failures.into_iter().take(100).collect();
                }
                json!({"data": {field: null}, "errors": [error]})
            }
        }
    }

    fn call(&mut self, caller: Caller, field: &str, detail: &str, variables: &Value) -> Response {
        let input = &variables["input"];
        match field {
            "createMemberbase" => self.create_memberbase(caller, input),
            "updateMemberbase" => self.update_memberbase(caller, input),
            "setAttributeSchema" => self.set_attribute_schema(caller, input),
            "deleteMemberbase" => self.delete_memberbase(caller, input),
            "bulkUpsertMembers" => self.bulk_upsert_members(caller, input),
            "deleteMembers" => self.delete_members(caller, input),
            "member" => self.member(caller, detail, variables),
            "membersByRef" => self.members_by_ref(caller, variables),
            "members" => self.member_list(caller, variables),
            "memberbase" => self.memberbase_with_syncs(caller, variables),
            "nodes" => self.nodes(caller, variables),
            "startSync" => self.start_sync(caller, input),
            "commitSync" => self.commit_sync(caller, input),
            "abandonSync" => self.abandon_sync(caller, input),
            "createApiToken" => self.create_api_token(caller, input),
            "revokeApiToken" => self.revoke_api_token(caller, input),
            _ => {
                let kind = CHILD_TYPES.iter().find(|kind| field.ends_with(kind.plural)).unwrap();
                if field.starts_with("delete") {
                    self.delete_children(caller, kind, input)
                } else {
                    self.bulk_upsert_children(caller, kind, input)
                }
            }
        }
    }

    // Symbols

    pub fn symbol(prefix: &str, number: usize) -> String {
        format!("{SYMBOL}{prefix}{number}")
    }

    /// Returns the number of a symbol; `None` if it does not have this prefix, or is of something that never existed.
    pub(super) fn number(prefix: &str, symbol: &Value) -> Option<usize> {
        symbol.as_str()?.strip_prefix(SYMBOL)?.strip_prefix(prefix)?.parse().ok()
    }

    fn time(&self) -> usize {
        2 * self.clock
    }

    fn create(&mut self, prefix: &'static str) -> usize {
        let count = self.created.entry(prefix).or_default();
        *count += 1;
        *count - 1
    }

    // Memberbases and tokens

    /// Authorizes access to a memberbase, before looking whether it exists.
    fn scope(&self, caller: Caller, access: Access, id: &Value) -> Result<usize, Error> {
        let caller = caller.require(access)?;
        let exists = |base: &usize| caller.sees(*base) && self.bases.contains_key(base);
        Api::number("mb_", id).filter(exists).ok_or(Error::NOT_FOUND)
    }

    fn base_json(&self, number: usize) -> Value {
        let Base { name, updated, schema } = &self.bases[&number];
        let schema: Vec<_> = schema.iter().map(|(key, kind)| json!({"key": key, "type": kind})).collect();
        json!({
            "__typename": "Memberbase", "id": Api::symbol("mb_", number), "name": name,
            "updatedAt": updated, "attributeSchema": schema,
        })
    }

    fn create_memberbase(&mut self, caller: Caller, input: &Value) -> Response {
        if caller.require(Access::Admin)?.base.is_some() {
            return Err(Error::FORBIDDEN);
        }
        let (number, updated) = (self.create("mb_"), Api::symbol("ms_", self.time()));
        let name = input["name"].as_str().unwrap().to_owned();
        self.bases.insert(number, Base { name, updated, schema: Vec::new() });
        Ok(json!({"memberbase": self.base_json(number)}))
    }

    fn update_memberbase(&mut self, caller: Caller, input: &Value) -> Response {
        let (number, now) =
            (self.scope(caller, Access::Admin, &input["memberbaseId"])?, Api::symbol("t_", self.time()));
        let base = self.bases.get_mut(&number).unwrap();
        if input["name"] != *base.name {
            *base = Base { name: input["name"].as_str().unwrap().to_owned(), updated: now, ..base.clone() };
        }
        Ok(json!({"memberbase": self.base_json(number)}))
    }

    /// A key for which a member has a value is neither removed nor changes its type.
    fn set_attribute_schema(&mut self, caller: Caller, input: &Value) -> Response {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let schema: Vec<_> =
            input["attributes"].as_array().unwrap().iter().map(|d| (text(&d["key"]), text(&d["type"]))).collect();
        let (number, now) =
            (self.scope(caller, Access::Admin, &input["memberbaseId"])?, Api::symbol("t_", self.time()));
        let new = Base { schema, updated: now, ..self.bases[&number].clone() };
        let old = &self.bases[&number];
        let mut used =
            self.members.values().filter(|member| member.base == number).flat_map(|member| member.attributes.keys());
        if used.any(|key| new.kind(key) != old.kind(key)) {
            return Err(Error::CONFLICT);
        }
        if new.schema != old.schema {
            self.bases.insert(number, new);
        }
        Ok(json!({"memberbase": self.base_json(number)}))
    }

    fn delete_memberbase(&mut self, caller: Caller, input: &Value) -> Response {
        let number = self.scope(caller, Access::Admin, &input["memberbaseId"])?;
        let members: Vec<_> =
            self.members.values().filter(|member| member.base == number).map(|member| member.number).collect();
        if input["atMostMembers"].as_u64().is_some_and(|most| members.len() as u64 > most) {
            return Err(Error::LIMIT_EXCEEDED);
        }
        let deleted = self.count_rows(&members);
        if input["dryRun"] != true {
            self.remove_members(&members);
            self.syncs.retain(|_, sync| sync.base != number);
            let bound = self.tokens.values_mut().filter(|token| token.base == Some(number));
            bound.for_each(|token| token.revoked = Some(0));
            self.bases.remove(&number);
        }
        Ok(json!({"deletedMemberbaseId": input["memberbaseId"], "deleted": deleted}))
    }

    fn memberbase_with_syncs(&mut self, caller: Caller, variables: &Value) -> Response {
        let Ok(number) = self.scope(caller, Access::Read, &variables["id"]) else { return Ok(Value::Null) };
        let list = List::of_syncs(number);
        let own = self.syncs.iter().filter(|(_, sync)| sync.base == number);
        let entries = own.map(|(sync, _)| ((String::new(), 0, *sync), self.sync_json(*sync))).collect();
        let mut base = self.base_json(number);
        base["syncs"] = self.page(&list, entries, variables).map_err(|error| Error { path: Some("syncs"), ..error })?;
        Ok(base)
    }

    fn token_json(&self, number: usize) -> Value {
        let Token { access, base, revoked } = &self.tokens[&number];
        json!({
            "__typename": "ApiToken", "id": Api::symbol("atok_", number),
            "access": format!("{access:?}").to_uppercase(), "boundTo": base.map(|base| Api::symbol("mb_", base)),
            "revokedAt": revoked.map(|time| Api::symbol("t_", time)),
        })
    }

    /// A bound token creates only tokens that are bound to the same memberbase.
    fn create_api_token(&mut self, caller: Caller, input: &Value) -> Response {
        let base = match &input["memberbaseId"] {
            Value::Null => caller.require(Access::Admin)?.base,
            id => Some(self.scope(caller, Access::Admin, id)?),
        };
        let access = match input["access"].as_str().unwrap() {
            "READ" => Access::Read,
            "WRITE" => Access::Write,
            _ => Access::Admin,
        };
        let number = self.create("atok_");
        self.tokens.insert(number, Token { access, base, revoked: None });
        Ok(json!({"apiToken": self.token_json(number), "secret": Api::symbol("secret_", number)}))
    }

    fn revoke_api_token(&mut self, caller: Caller, input: &Value) -> Response {
        let (caller, now) = (caller.require(Access::Admin)?, self.time());
        let number = Api::number("atok_", &input["apiTokenId"]).filter(|token| self.manages(caller, *token));
        let number = number.ok_or(Error::NOT_FOUND)?;
        self.tokens.get_mut(&number).unwrap().revoked.get_or_insert(now);
        Ok(json!({"apiToken": self.token_json(number)}))
    }

    /// Returns whether a token exists and the caller can manage it. It is deleted with its memberbase.
    fn manages(&self, caller: Caller, token: usize) -> bool {
        let Token { base, .. } = self.tokens[&token];
        caller.access == Access::Admin
            && base.is_none_or(|base| self.bases.contains_key(&base))
            && (caller.base.is_none() || caller.base == base)
    }

    /// Looks up objects of all types: null for what does not exist or is not visible.
    fn nodes(&self, caller: Caller, variables: &Value) -> Response {
        let find = |id: &Value| {
            let member = |number: &usize| self.members.get(number).filter(|member| caller.sees(member.base));
            let sync = |number: &usize| self.syncs.get(number).is_some_and(|sync| caller.sees(sync.base));
            let token = Api::number("atok_", id).filter(|token| self.manages(caller, *token));
            let child = CHILD_TYPES.iter().find_map(|kind| {
                let number = Api::number(kind.prefix, id)?;
                let child = self.children.get(kind.prefix)?.get(&number)?;
                caller.sees(child.base).then(|| self.child_json(kind, number))
            });
            let base = self.scope(caller, Access::Read, id).ok().map(|base| self.base_json(base));
            base.or_else(|| Api::number("m_", id).as_ref().and_then(member).map(Member::json))
                .or_else(|| Api::number("sync_", id).filter(sync).map(|sync| self.sync_json(sync)))
                .or_else(|| token.map(|token| self.token_json(token)))
                .or(child)
        };
        Ok(variables["ids"].as_array().unwrap().iter().map(find).collect())
    }
}

impl Base {
    fn kind(&self, key: &str) -> Option<&str> {
        self.schema.iter().find(|(its_key, _)| its_key == key).map(|(_, kind)| kind.as_str())
    }
}
