//! Members: upserts, deletion, look-ups and lists.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Access, Api, CHILD_TYPES, Caller, Error, Member, Response, filters,
    pages::List,
    upserts::{self, Failure, Verdict},
    values,
};

impl Member {
    pub(super) fn json(&self) -> Value {
        json!({
            "__typename": "Member", "id": Api::symbol("m_", self.number), "ref": self.reference,
            "memberbaseId": Api::symbol("mb_", self.base), "attributes": self.attributes,
            "updatedAt": Api::symbol("t_", self.updated), "sourceUpdatedAt": self.source_updated_at,
        })
    }
}

impl Api {
    pub(super) fn find_ref(&self, base: usize, reference: &str) -> Option<&Member> {
        self.members.values().find(|member| member.base == base && member.reference == reference)
    }

    pub(super) fn bulk_upsert_members(&mut self, caller: Caller, input: &Value) -> Response {
        let base = self.scope(caller, Access::Write, &input["memberbaseId"])?;
        let open =
            self.syncs.iter().find(|(_, sync)| sync.base == base && sync.state == "OPEN").map(|(number, _)| *number);
        if !input["syncId"].is_null() {
            let number = Api::number("sync_", &input["syncId"]);
            let sync = number.and_then(|number| self.syncs.get(&number)).filter(|sync| sync.base == base);
            if sync.ok_or(Error::NOT_FOUND)?.state != "OPEN" {
                return Err(Error::CONFLICT);
            }
        }

        let rows = input["members"].as_array().unwrap();
        let mut verdicts = vec![Verdict::new("UNCHANGED"); rows.len()];
        let mut rows_of_refs: Vec<(String, Vec<usize>)> = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            match values::key(&row["ref"]) {
                None => verdicts[index] = Verdict::failed(("INVALID_REF", vec!["ref".to_owned()])),
                Some(key) => match rows_of_refs.iter_mut().find(|(reference, _)| *reference == key) {
                    Some((_, indexes)) => indexes.push(index),
                    None => rows_of_refs.push((key, vec![index])),
                },
            }
        }
        let mut after = self.clone();
        for (reference, indexes) in &rows_of_refs {
            after.upsert_member(base, reference, indexes, input, &mut verdicts);
        }

        let checked = upserts::check(input, &verdicts);
        let is_dry = input["dryRun"] == true;
        if checked.is_ok() && !is_dry {
            *self = after;
        }
        // The marks of an open sync are kept whatever becomes of the rows.
        if let Some(sync) = open.filter(|_| !is_dry || !input["syncId"].is_null()) {
            let named = rows_of_refs.iter().filter_map(|(reference, _)| Some(self.find_ref(base, reference)?.number));
            let named: BTreeSet<usize> = named.collect();
            self.syncs.get_mut(&sync).unwrap().seen.extend(named);
        }
        checked?;
        for verdict in &mut verdicts {
            verdict.id = verdict.id.filter(|number| self.members.contains_key(number));
        }
        let mut payload = upserts::payload(&verdicts, "m_", "memberIds", "memberId")?;
        for (result, row) in payload["results"].as_array_mut().unwrap().iter_mut().zip(rows) {
            let reference = row["ref"].as_str().unwrap();
            let is_long = reference.len() > 1024;
            result["ref"] =
                if is_long { reference.chars().take(100).collect::<String>().into() } else { reference.into() };
        }
        payload["members"] = verdicts.iter().map(|verdict| verdict.id.map(|id| self.members[&id].json())).collect();
        Ok(payload)
    }

    /// Merges the rows of one ref, in order: each is judged FAILED, then SKIPPED, then STALE; the first of the others has
    /// the net outcome.
    fn upsert_member(
        &mut self,
        base: usize,
        reference: &str,
        indexes: &[usize],
        input: &Value,
        verdicts: &mut [Verdict],
    ) {
        let stored = self.find_ref(base, reference).cloned();
        let is_skipped = match input["mode"].as_str() {
            Some("INSERT_ONLY") => stored.is_some(),
            Some("UPDATE_ONLY") => stored.is_none(),
            _ => false,
        };
        let mut merged = stored.clone().unwrap_or_else(|| Member {
            number: self.created.get("m_").copied().unwrap_or_default(),
            base,
            reference: reference.to_owned(),
            attributes: BTreeMap::new(),
            source_updated_at: Value::Null,
            updated: self.time(),
        });
        let mut first_merged = None;
        for &index in indexes {
            let row = &input["members"][index];
            let attributes = match self.parse_attributes(base, row) {
                Ok(attributes) => attributes,
                Err(error) => {
                    verdicts[index] = Verdict::failed(error);
                    continue;
                }
            };
            let time = values::instant(&row["sourceUpdatedAt"]);
            let is_stale =
                time.is_some_and(|time| values::instant(&merged.source_updated_at).is_some_and(|stored| time < stored));
            verdicts[index] = match () {
                () if is_skipped => Verdict::new("SKIPPED"),
                () if is_stale => Verdict::new("STALE"),
                () => {
                    first_merged.get_or_insert(index);
                    merge(&mut merged, row, attributes);
                    Verdict::new("UNCHANGED")
                }
            };
        }
        if let Some(first) = first_merged {
            match &stored {
                None => {
                    self.create("m_");
                    verdicts[first].outcome = "CREATED";
                }
                Some(stored) if stored.attributes != merged.attributes => {
                    merged.updated = self.time() + 1;
                    verdicts[first].outcome = "UPDATED";
                }
                Some(_) => {}
            }
            self.members.insert(merged.number, merged);
        }
        let id = self.find_ref(base, reference).map(|member| member.number);
        for &index in indexes {
            verdicts[index].id = id.filter(|_| verdicts[index].error.is_none());
        }
    }

    /// Checks the attributes and the time of a row. Returns the new value of each attribute of the row, null to remove it.
    fn parse_attributes(&self, base: usize, row: &Value) -> Result<Vec<(String, Value)>, Failure> {
        let mut parsed = Vec::new();
        for (key, value) in row["attributes"].as_object().into_iter().flatten() {
            let path = || vec!["attributes".to_owned(), key.clone()];
            let kind = self.bases[&base].kind(key).ok_or_else(|| ("UNKNOWN_ATTRIBUTE", path()))?;
            let stored = if value.is_null() { Some(Value::Null) } else { values::attribute(kind, value) };
            parsed.push((key.clone(), stored.ok_or_else(|| ("INVALID_ATTRIBUTE_TYPE", path()))?));
        }
        if !row["sourceUpdatedAt"].is_null() && values::date_time(&row["sourceUpdatedAt"]).is_none() {
            return Err(("INVALID_VALUE", vec!["sourceUpdatedAt".to_owned()]));
        }
        Ok(parsed)
    }

    pub(super) fn delete_members(&mut self, caller: Caller, input: &Value) -> Response {
        let base = self.scope(caller, Access::Write, &input["memberbaseId"])?;
        let (mut found, mut missing_ids, mut missing_refs) = (Vec::new(), Vec::new(), Vec::new());
        for id in input["memberIds"].as_array().into_iter().flatten() {
            let number = Api::number("m_", id)
                .filter(|number| self.members.get(number).is_some_and(|member| member.base == base));
            number.map_or_else(|| missing_ids.push(id.clone()), |number| found.push(number));
        }
        for reference in input["refs"].as_array().into_iter().flatten() {
            let member = self.find_ref(base, reference.as_str().unwrap());
            member.map_or_else(|| missing_refs.push(reference.clone()), |member| found.push(member.number));
        }
        let found = distinct(found);
        if input["atMost"].as_u64().is_some_and(|most| found.len() as u64 > most) {
            return Err(Error::LIMIT_EXCEEDED);
        }
        let deleted = self.count_rows(&found);
        if input["dryRun"] != true {
            self.remove_members(&found);
        }
        Ok(json!({
            "deletedMemberIds": found.iter().map(|number| Api::symbol("m_", *number)).collect::<Vec<_>>(),
            "notFoundMemberIds": distinct(missing_ids), "notFoundRefs": distinct(missing_refs), "deleted": deleted,
        }))
    }

    /// Counts members and what belongs to them.
    pub(super) fn count_rows(&self, members: &[usize]) -> Value {
        let attributes: usize = members.iter().map(|number| self.members[number].attributes.len()).sum();
        let mut counts = json!({"members": members.len(), "attributes": attributes});
        for kind in &CHILD_TYPES {
            let own = self.children.get(kind.prefix).into_iter().flat_map(BTreeMap::values);
            counts[kind.field] = own.filter(|child| members.contains(&child.member)).count().into();
        }
        counts
    }

    pub(super) fn remove_members(&mut self, members: &[usize]) {
        self.members.retain(|number, _| !members.contains(number));
        self.children.values_mut().for_each(|all| all.retain(|_, child| !members.contains(&child.member)));
        self.syncs.values_mut().for_each(|sync| sync.seen.retain(|number| !members.contains(number)));
    }

    pub fn find_by(&self, by: &Value) -> Option<&Member> {
        match &by["ref"] {
            Value::Null => self.members.get(&Api::number("m_", &by["id"])?),
            named => self.find_ref(Api::number("mb_", &named["memberbaseId"])?, named["ref"].as_str().unwrap()),
        }
    }

    /// The member by id or ref with a page of its children of one type.
    pub(super) fn member(&mut self, caller: Caller, children: &str, variables: &Value) -> Response {
        let found = self.find_by(&variables["by"]).filter(|member| caller.sees(member.base)).cloned();
        let Some(member) = found else { return Ok(Value::Null) };
        let kind = CHILD_TYPES.iter().find(|kind| kind.field == children).unwrap();
        let mut json = member.json();
        json[kind.field] = self.child_list(kind, member.number, variables)?;
        Ok(json)
    }

    /// The members with the first or last of their children of each type.
    pub(super) fn members_by_ref(&mut self, caller: Caller, variables: &Value) -> Response {
        let base = self.scope(caller, Access::Read, &variables["memberbaseId"])?;
        let mut found = Vec::new();
        for reference in variables["refs"].as_array().unwrap() {
            let member = self.find_ref(base, reference.as_str().unwrap()).cloned();
            let mut json = member.as_ref().map_or(Value::Null, Member::json);
            for (kind, size) in CHILD_TYPES.iter().zip(["first", "last", "first"]) {
                if let Some(member) = &member {
                    json[kind.field] = self.child_list(kind, member.number, &json!({size: 2}))?;
                }
            }
            found.push(json);
        }
        Ok(found.into())
    }

    pub(super) fn member_list(&mut self, caller: Caller, variables: &Value) -> Response {
        // Arguments are checked before the memberbase is looked up.
        let base = Api::number("mb_", &variables["memberbaseId"]).filter(|base| caller.sees(*base));
        let base = base.or(caller.base.is_none().then_some(usize::MAX)).ok_or(Error::NOT_FOUND)?;
        filters::check(self.bases.get(&base), &variables["filter"])?;
        let found =
            self.members.values().filter(|member| member.base == base && self.matches(member, &variables["filter"]));
        let order = &variables["orderBy"];
        let field = order["field"].as_str().unwrap_or("CREATED_AT");
        let entries = found.map(|member| {
            let key = match field {
                "CREATED_AT" => (String::new(), 0, member.number),
                "UPDATED_AT" => (String::new(), member.updated, member.number),
                _ => (member.reference.clone(), 0, 0),
            };
            (key, member.json())
        });
        let page = self.page(&List::of_members(base, order), entries.collect(), variables)?;
        if self.bases.contains_key(&base) { Ok(page) } else { Err(Error::NOT_FOUND) }
    }
}

/// Merges a row: an omitted field stays, null clears it.
fn merge(member: &mut Member, row: &Value, attributes: Vec<(String, Value)>) {
    if row.get("attributes") == Some(&Value::Null) {
        member.attributes.clear();
    }
    for (key, value) in attributes {
        if value.is_null() {
            member.attributes.remove(&key);
        } else {
            member.attributes.insert(key, value);
        }
    }
    if let Some(time) = row.get("sourceUpdatedAt") {
        member.source_updated_at = values::date_time(time).unwrap_or_default();
    }
}

/// Returns each item once, in the order of their first occurrences.
pub(super) fn distinct<T: PartialEq>(items: Vec<T>) -> Vec<T> {
    items.into_iter().fold(Vec::new(), |mut found, item| {
        if !found.contains(&item) {
            found.push(item);
        }
        found
    })
}
