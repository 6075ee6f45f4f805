//! The records of the model that an operation can name.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::api::{Api, CHILD_TYPES, List};

impl Api {
    /// Returns what exists: the numbers of ids, or of the times of members.
    pub(super) fn existing(&self, prefix: &str) -> Vec<usize> {
        match prefix {
            "mb_" => self.bases.keys().copied().collect(),
            "m_" => self.members.keys().copied().collect(),
            "t_" => self.members.values().map(|member| member.updated).collect(),
            "sync_" => self.syncs.keys().copied().collect(),
            "atok_" => self.tokens.keys().copied().filter(|token| self.tokens[token].revoked.is_none()).collect(),
            _ => self.children.get(prefix).into_iter().flat_map(BTreeMap::keys).copied().collect(),
        }
    }

    /// Returns how many ids of a type, or cursors, there ever were.
    pub(super) fn number_created(&self, prefix: &str) -> usize {
        if prefix == "cursor_" { self.cursors.len() } else { self.created.get(prefix).copied().unwrap_or_default() }
    }

    /// Returns the list that a request reads.
    pub(super) fn list_of(&self, operation: &str, variables: &Value) -> Option<List> {
        match operation {
            "members" => Some(List::of_members(Api::number("mb_", &variables["memberbaseId"])?, &variables["orderBy"])),
            "memberbase" => Some(List::of_syncs(Api::number("mb_", &variables["id"])?)),
            _ => {
                let kind = CHILD_TYPES.iter().find(|kind| operation.strip_prefix("member:") == Some(kind.field))?;
                Some(List::of_children(kind, self.find_by(&variables["by"])?.number))
            }
        }
    }

    pub(super) fn cursors_of(&self, list: Option<&List>) -> impl Iterator<Item = usize> {
        self.cursors.iter().enumerate().filter(move |(_, (its, _))| Some(its) == list).map(|(number, _)| number)
    }
}
