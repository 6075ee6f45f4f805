//! Syncs.

use serde_json::{Value, json};

use super::{Access, Api, Caller, Error, Response, Sync};

impl Api {
    pub(super) fn sync_json(&self, number: usize) -> Value {
        let sync = &self.syncs[&number];
        let (seen, missing) =
            sync.counts.unwrap_or_else(|| (self.members_of(sync, true).len(), self.members_of(sync, false).len()));
        json!({
            "__typename": "Sync", "id": Api::symbol("sync_", number), "state": sync.state, "seen": seen,
            "missing": missing, "deleted": sync.deleted, "endedAt": sync.ended.map(|time| Api::symbol("t_", time)),
        })
    }

    /// Returns the existing members that a sync has seen, or those that it misses: they were created before it started,
    /// and were not seen since.
    fn members_of(&self, sync: &Sync, seen: bool) -> Vec<usize> {
        let all = self.members.values().filter(|member| member.base == sync.base).map(|member| member.number);
        let is_missing = |number: &usize| *number < sync.first_new_member && !sync.seen.contains(number);
        all.filter(|number| if seen { sync.seen.contains(number) } else { is_missing(number) }).collect()
    }

    /// Returns a sync that the caller can change.
    fn own_sync(&self, caller: Caller, input: &Value) -> Result<usize, Error> {
        let caller = caller.require(Access::Write)?;
        let is_visible = |number: &usize| self.syncs.get(number).is_some_and(|sync| caller.sees(sync.base));
        Api::number("sync_", &input["syncId"]).filter(is_visible).ok_or(Error::NOT_FOUND)
    }

    fn end(&mut self, number: usize, state: &'static str) {
        let sync = &self.syncs[&number];
        let counts = Some((self.members_of(sync, true).len(), self.members_of(sync, false).len()));
        let sync = Sync { state, counts, ended: Some(self.time()), ..sync.clone() };
        self.syncs.insert(number, sync);
    }

    pub(super) fn start_sync(&mut self, caller: Caller, input: &Value) -> Response {
        let base = self.scope(caller, Access::Write, &input["memberbaseId"])?;
        let open =
            self.syncs.iter().find(|(_, sync)| sync.base == base && sync.state == "OPEN").map(|(number, _)| *number);
        if let Some(open) = open {
            if input["abandonOpen"] != true {
                return Err(Error::CONFLICT);
            }
            self.end(open, "ABANDONED");
        }
        let number = self.create("sync_");
        let first_new_member = self.created.get("m_").copied().unwrap_or_default();
        let (state, seen, deleted) = ("OPEN", Default::default(), Value::Null);
        self.syncs.insert(number, Sync { base, state, first_new_member, seen, counts: None, deleted, ended: None });
        Ok(json!({"sync": self.sync_json(number)}))
    }

    /// Committing again changes nothing and returns the same result.
    pub(super) fn commit_sync(&mut self, caller: Caller, input: &Value) -> Response {
        let number = self.own_sync(caller, input)?;
        let sync = self.syncs[&number].clone();
        match sync.state {
            "OPEN" => {}
            "COMMITTED" => return Ok(json!({"sync": self.sync_json(number)})),
            _ => return Err(Error::CONFLICT),
        }
        let mut missing = Vec::new();
        if input["onMissing"] == "DELETE" {
            let seen = self.members_of(&sync, true).len();
            missing = self.members_of(&sync, false);
            let members = self.members.values().filter(|member| member.base == sync.base).count();
            if seen == 0 {
                return Err(Error::CONFLICT);
            }
            let max_percent = input["maxDeletedPercent"].as_u64().unwrap_or(10);
            if missing.len() as u64 * 100 > max_percent * members as u64 {
                return Err(Error::LIMIT_EXCEEDED);
            }
        }
        self.end(number, "COMMITTED");
        self.syncs.get_mut(&number).unwrap().deleted = self.count_rows(&missing);
        self.remove_members(&missing);
        Ok(json!({"sync": self.sync_json(number)}))
    }

    /// Abandoning again returns the same result.
    pub(super) fn abandon_sync(&mut self, caller: Caller, input: &Value) -> Response {
        let number = self.own_sync(caller, input)?;
        match self.syncs[&number].state {
            "OPEN" => self.end(number, "ABANDONED"),
            "COMMITTED" => return Err(Error::CONFLICT),
            _ => {}
        }
        Ok(json!({"sync": self.sync_json(number)}))
    }
}
