//! Clips, stamp collections and transactions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Access, Api, Caller, Child, Error, Response,
    members::distinct,
    pages::List,
    upserts::{self, Failure, Verdict},
    values,
};

/// A type of what belongs to a member.
#[derive(Debug)]
pub struct ChildType {
    pub name: &'static str,
    pub plural: &'static str,
    /// Name of the list of rows, and of the list of a member.
    pub field: &'static str,
    pub prefix: &'static str,
    pub key: &'static str,
    /// The other fields, in the order in which they are checked, with the form of their values.
    pub fields: &'static [(&'static str, Form)],
}

/// The form of a field's values. An omitted optional field stays; null clears it, or sets a count to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    Text,
    OptionalText,
    Time,
    OptionalTime,
    Count,
    Network,
    Bin,
    Amount,
    Currency,
}

use Form::{Amount, Bin, Count, Currency, Network, OptionalText, OptionalTime, Text, Time};

pub const CHILD_TYPES: [ChildType; 3] = [
    ChildType {
        name: "Clip",
        plural: "Clips",
        field: "clips",
        prefix: "clip_",
        key: "dealId",
        fields: &[("creativeId", Text), ("variantId", OptionalText), ("redeemedAt", OptionalTime)],
    },
    ChildType {
        name: "StampCollection",
        plural: "StampCollections",
        field: "stampCollections",
        prefix: "sc_",
        key: "loyaltyProgramId",
        fields: &[("stamps", Count), ("rewardsEarned", Count)],
    },
    ChildType {
        name: "Transaction",
        plural: "Transactions",
        field: "transactions",
        prefix: "txn_",
        key: "externalId",
        fields: &[
            ("authCode", Text),
            ("network", Network),
            ("bin", Bin),
            ("merchantId", Text),
            ("statementDescriptor", OptionalText),
            ("amount", Amount),
            ("currency", Currency),
            ("authedAt", Time),
            ("clearedAt", OptionalTime),
            ("revertedAt", OptionalTime),
        ],
    },
];

impl Form {
    /// Returns the stored form of a value; `None` if it is invalid.
    fn stored(self, value: &Value) -> Option<Value> {
        let is_text = |matches: fn(&str) -> bool| value.as_str().filter(|text| matches(text)).map(Value::from);
        let whole = value.as_f64().filter(|number| number.fract() == 0.0);
        match self {
            OptionalText | OptionalTime | Amount | Currency if value.is_null() => Some(Value::Null),
            Count if value.is_null() => Some(json!(0.0)),
            Text | OptionalText => values::text(value),
            Time | OptionalTime => values::date_time(value),
            Count => whole.filter(|number| (0.0..=2_147_483_647.0).contains(number)).map(|number| json!(number)),
            Amount => whole.filter(|number| number.abs() <= values::MAX_SAFE).map(|number| json!(number)),
            Network => Some(value.clone()),
            Bin => is_text(|text| (6..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())),
            Currency => is_text(|text| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())),
        }
    }
}

/// A row that is valid by itself: its member, its key and the fields that it has.
struct Row {
    member: usize,
    key: String,
    fields: BTreeMap<&'static str, Value>,
}

impl ChildType {
    /// The key of a transaction is unique in the memberbase, that of the others for a member.
    fn is_of_memberbase(&self) -> bool {
        self.name == "Transaction"
    }
}

impl Api {
    pub(super) fn child_json(&self, kind: &ChildType, number: usize) -> Value {
        let child = &self.children[kind.prefix][&number];
        let mut json = json!({
            "__typename": kind.name, "id": Api::symbol(kind.prefix, number), kind.key: child.key,
            "member": {"id": Api::symbol("m_", child.member)}, "updatedAt": Api::symbol("t_", child.updated),
        });
        for (field, value) in &child.fields {
            json[field] = value.clone();
        }
        json
    }

    fn parse_child(&self, base: usize, kind: &ChildType, row: &Value) -> Result<Row, Failure> {
        let invalid = |field: &str| ("INVALID_VALUE", vec![field.to_owned()]);
        let is_own = |number: &usize| self.members.get(number).is_some_and(|member| member.base == base);
        let (name, member) = match (&row["memberId"], &row["memberRef"]) {
            (Value::Null, Value::Null) => return Err(invalid("memberId")),
            (id, Value::Null) => ("memberId", Api::number("m_", id).filter(is_own)),
            (Value::Null, reference) => {
                ("memberRef", self.find_ref(base, reference.as_str().unwrap()).map(|member| member.number))
            }
            _ => return Err(invalid("memberRef")),
        };
        let key = values::key(&row[kind.key]).ok_or_else(|| invalid(kind.key))?;
        let mut fields = BTreeMap::new();
        for (field, form) in kind.fields {
            if let Some(value) = row.get(field) {
                fields.insert(*field, form.stored(value).ok_or_else(|| invalid(field))?);
            }
        }
        let member = member.ok_or_else(|| ("UNKNOWN_MEMBER", vec![name.to_owned()]))?;
        Ok(Row { member, key, fields })
    }

    pub(super) fn bulk_upsert_children(&mut self, caller: Caller, kind: &'static ChildType, input: &Value) -> Response {
        let base = self.scope(caller, Access::Write, &input["memberbaseId"])?;
        let rows = input[kind.field].as_array().unwrap();
        let mut after = self.clone();
        // The record that each row names, with the first row that names it.
        let mut named: Vec<(Option<usize>, usize)> = Vec::new();
        let mut verdicts: Vec<Verdict> = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let verdict = match self.parse_child(base, kind, row) {
                Ok(row) => after.merge_child(base, kind, row),
                Err(error) => Verdict::failed(error),
            };
            let id = verdict.id;
            if id.is_some() && !named.iter().any(|(named, _)| *named == id) {
                named.push((id, index));
            }
            verdicts.push(verdict);
        }
        // The first row of a record has the net outcome.
        for (id, first) in named {
            let (stored, merged) = (self.find_child(kind, id), after.find_child(kind, id));
            let net = match stored {
                None => "CREATED",
                Some(_) if stored != merged => "UPDATED",
                Some(_) => "UNCHANGED",
            };
            verdicts[first].outcome = net;
            if net == "UPDATED" {
                let updated = self.time() + 1;
                after.children.get_mut(kind.prefix).unwrap().get_mut(&id.unwrap()).unwrap().updated = updated;
            }
        }
        upserts::check(input, &verdicts)?;
        if input["dryRun"] != true {
            *self = after;
        }
        for verdict in &mut verdicts {
            verdict.id = verdict.id.filter(|_| self.find_child(kind, verdict.id).is_some());
        }
        let ids = format!("{}Ids", kind.field.trim_end_matches('s'));
        let mut payload = upserts::payload(&verdicts, kind.prefix, &ids, "nodeId")?;
        payload[kind.field] = verdicts.iter().map(|verdict| verdict.id.map(|id| self.child_json(kind, id))).collect();
        Ok(payload)
    }

    fn find_child(&self, kind: &ChildType, number: Option<usize>) -> Option<&Child> {
        self.children.get(kind.prefix)?.get(&number?)
    }

    /// Merges a row into the record that it names, or creates that. A transaction never changes its member.
    fn merge_child(&mut self, base: usize, kind: &'static ChildType, row: Row) -> Verdict {
        let all = self.children.entry(kind.prefix).or_default();
        let named = all.iter().find(|(_, child)| {
            let scope = if kind.is_of_memberbase() { child.base == base } else { child.member == row.member };
            scope && child.key == row.key
        });
        let number = named.map(|(number, _)| *number);
        if named.is_some_and(|(_, child)| child.member != row.member) {
            return Verdict::failed(("MEMBER_MISMATCH", vec![kind.key.to_owned()]));
        }
        let number = number.unwrap_or_else(|| self.create(kind.prefix));
        let (updated, Row { member, key, fields }) = (self.time(), row);
        let new = || {
            let fields =
                kind.fields.iter().map(|(field, form)| (*field, form.stored(&Value::Null).unwrap_or_default()));
            Child { base, member, key, fields: fields.collect(), updated }
        };
        let child = self.children.entry(kind.prefix).or_default().entry(number).or_insert_with(new);
        child.fields.extend(fields);
        Verdict { id: Some(number), ..Verdict::new("UNCHANGED") }
    }

    pub(super) fn delete_children(&mut self, caller: Caller, kind: &'static ChildType, input: &Value) -> Response {
        let base = self.scope(caller, Access::Write, &input["memberbaseId"])?;
        let names = format!("{}Ids", kind.field.trim_end_matches('s'));
        let all = self.children.entry(kind.prefix).or_default();
        let is_own = |id: &Value| {
            Api::number(kind.prefix, id).and_then(|number| all.get(&number)).is_some_and(|child| child.base == base)
        };
        let ids = distinct(input[&names].as_array().unwrap().clone());
        let (deleted, missing): (Vec<_>, Vec<_>) = ids.into_iter().partition(is_own);
        all.retain(|number, _| !deleted.contains(&Api::symbol(kind.prefix, *number).into()));
        let title = |ids: &str| ids[..1].to_uppercase() + &ids[1..];
        Ok(json!({format!("deleted{}", title(&names)): deleted, format!("notFound{}", title(&names)): missing}))
    }

    /// A page of a member's list.
    pub(super) fn child_list(&mut self, kind: &'static ChildType, member: usize, arguments: &Value) -> Response {
        let by_time = kind.is_of_memberbase();
        let own = self.children.get(kind.prefix).into_iter().flatten().filter(|(_, child)| child.member == member);
        let key = |child: &Child| usize::try_from(values::instant(&child.fields["authedAt"]).unwrap()).unwrap();
        let entries = own.map(|(number, child)| {
            let time = if by_time { key(child) } else { 0 };
            ((String::new(), time, *number), self.child_json(kind, *number))
        });
        let page = self.page(&List::of_children(kind, member), entries.collect(), arguments);
        page.map_err(|error| Error { path: Some(kind.field), ..error })
    }
}
