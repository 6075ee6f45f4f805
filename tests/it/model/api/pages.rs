//! Pages of lists, and cursors.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::{Api, ChildType, Error};

/// The sort key of an entry; the last number is that of its id.
pub type Key = (String, usize, usize);

/// A list that has cursors: what is listed, and in which order.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    name: String,
    descending: bool,
}

impl List {
    pub fn of_members(base: usize, order: &Value) -> Self {
        let field = order["field"].as_str().unwrap_or("CREATED_AT");
        Self { name: format!("members of {base} by {field}"), descending: order["direction"] == "DESC" }
    }

    /// Clips and stamp collections are listed in order of creation, transactions by the time of their authorisation,
    /// newest first.
    pub fn of_children(kind: &ChildType, member: usize) -> Self {
        Self { name: format!("{} of {member}", kind.field), descending: kind.name == "Transaction" }
    }

    /// Syncs are listed newest first.
    pub fn of_syncs(base: usize) -> Self {
        Self { name: format!("syncs of {base}"), descending: true }
    }

    fn order(&self, left: &Key, right: &Key) -> Ordering {
        if self.descending { right.cmp(left) } else { left.cmp(right) }
    }
}

impl Api {
    /// Returns the page of a list that `first`, `after`, `last` and `before` select.
    pub(super) fn page(
        &mut self,
        list: &List,
        mut entries: Vec<(Key, Value)>,
        arguments: &Value,
    ) -> Result<Value, Error> {
        let (first, last) = (arguments["first"].as_i64(), arguments["last"].as_i64());
        if first.is_some() && last.is_some() || first.or(last).is_some_and(|size| !(0..=5_000).contains(&size)) {
            return Err(Error::BAD_INPUT);
        }
        let after = self.position(list, &arguments["after"])?;
        let before = self.position(list, &arguments["before"])?;
        let backward = last.is_some() || first.is_none() && before.is_some() && after.is_none();
        let size = usize::try_from(first.or(last).unwrap_or(100)).unwrap();

        entries.sort_by(|(left, _), (right, _)| list.order(left, right));
        let total = entries.len();
        let follows = |key: &Key| after.as_ref().is_none_or(|after| list.order(key, after).is_gt());
        let precedes = |key: &Key| before.as_ref().is_none_or(|before| list.order(key, before).is_lt());
        let any_up_to_after = entries.iter().any(|(key, _)| !follows(key));
        let any_from_before_on = entries.iter().any(|(key, _)| !precedes(key));
        entries.retain(|(key, _)| follows(key) && precedes(key));
        let more = entries.len() > size;
        let (has_next, has_previous) = if backward {
            entries.drain(..entries.len().saturating_sub(size));
            (any_from_before_on, more)
        } else {
            entries.truncate(size);
            (more, any_up_to_after)
        };

        let cursors: Vec<Value> = entries.iter().map(|(key, _)| self.cursor(list, key)).collect();
        let edges = entries.iter().zip(&cursors).map(|((_, node), cursor)| json!({"cursor": cursor, "node": node}));
        Ok(json!({
            "edges": edges.collect::<Vec<_>>(),
            "pageInfo": {
                "hasNextPage": has_next, "hasPreviousPage": has_previous,
                "startCursor": cursors.first(), "endCursor": cursors.last(),
            },
            "totalCount": total,
        }))
    }

    /// Returns the cursor of an entry.
    fn cursor(&mut self, list: &List, key: &Key) -> Value {
        let known = self.cursors.iter().position(|(its_list, its_key)| its_list == list && its_key == key);
        let number = known.unwrap_or(self.cursors.len());
        if known.is_none() {
            self.cursors.push((list.clone(), key.clone()));
        }
        Api::symbol("cursor_", number).into()
    }

    /// Returns the position of a cursor, which need not have its entry any more. A cursor of another list is rejected.
    fn position(&self, list: &List, cursor: &Value) -> Result<Option<Key>, Error> {
        if cursor.is_null() {
            return Ok(None);
        }
        match Api::number("cursor_", cursor).map(|number| &self.cursors[number]) {
            Some((its_list, key)) if its_list == list => Ok(Some(key.clone())),
            _ => Err(Error::BAD_INPUT),
        }
    }
}
