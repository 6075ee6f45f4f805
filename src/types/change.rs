//! Changes: the effect of a committed write on the members of a memberbase, as published to subscribers.

use super::{MemberId, MemberbaseId};

/// Maximum number of ids in a change. A change of more members contains no ids.
pub(crate) const MAX_REPORTED_IDS: u64 = 1_000;

/// The effect of a committed write on the members of a memberbase and their clips, stamp collections and transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) memberbase: MemberbaseId,
    pub(crate) created: Touched,
    /// Members whose attributes, clips, stamp collections or transactions changed.
    pub(crate) updated: Touched,
    pub(crate) deleted: Touched,
    /// True if changes before this one were lost.
    pub(crate) missed: bool,
    /// True if the memberbase was deleted: this is its last change.
    pub(crate) last: bool,
}

/// A number of members, with their ids if there are at most [`MAX_REPORTED_IDS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) count: u64,
    /// The ids of the members; empty if there are more than [`MAX_REPORTED_IDS`].
    pub(crate) ids: Vec<MemberId>,
}

impl Change {
    /// Returns a change without effects.
    pub(crate) fn new(memberbase: MemberbaseId) -> Self {
        let [created, updated, deleted] = Default::default();
        Self { memberbase, created, updated, deleted, missed: false, last: false }
    }

    /// Returns a change that only says that others were lost.
    pub(crate) fn unknown(memberbase: MemberbaseId) -> Self {
        Self { missed: true, ..Self::new(memberbase) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0 && !self.missed && !self.last
    }

    /// Returns whether the change has too many members to contain their ids.
    pub(crate) fn is_truncated(&self) -> bool {
        self.count() > MAX_REPORTED_IDS
    }

    /// Removes all ids if the created, updated and deleted members together exceed [`MAX_REPORTED_IDS`].
    #[must_use]
    pub(crate) fn bounded(mut self) -> Self {
        if self.is_truncated() {
            for touched in [&mut self.created, &mut self.updated, &mut self.deleted] {
                touched.ids = Vec::new();
            }
        }
        self
    }

    fn count(&self) -> u64 {
        [&self.created, &self.updated, &self.deleted].iter().fold(0, |sum, touched| sum.saturating_add(touched.count))
    }
}

impl Touched {
    /// Returns a number of members without ids.
    pub(crate) fn counted(count: u64) -> Self {
        Self { count, ids: Vec::new() }
    }
}

impl FromIterator<MemberId> for Touched {
    /// Counts all members. Never holds more than [`MAX_REPORTED_IDS`] ids.
    fn from_iter<I: IntoIterator<Item = MemberId>>(members: I) -> Self {
        let mut touched = Self::default();
        for id in members {
            touched.count += 1;
            if touched.count <= MAX_REPORTED_IDS {
                touched.ids.push(id);
            }
        }
        if touched.count > MAX_REPORTED_IDS { Self::counted(touched.count) } else { touched }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::types::Id;

    fn members(count: u64) -> Touched {
        (0..count).map(|_| MemberId::from_uuid(Uuid::now_v7())).collect()
    }

    #[test]
    fn more_than_a_thousand_ids_are_only_counted() {
        assert_eq!((members(1_000).ids.len(), members(1_000).count), (1_000, 1_000));
        assert_eq!((members(1_001).ids.len(), members(1_001).count), (0, 1_001));
    }

    #[test]
    fn the_limit_of_ids_applies_to_all_members_of_a_change_together() {
        let base = MemberbaseId::from_uuid(Uuid::now_v7());
        let change = |created, deleted| {
            Change { created: members(created), deleted: members(deleted), ..Change::new(base) }.bounded()
        };
        let whole = change(999, 1);
        let cut = change(999, 2);
        assert!(!whole.is_truncated() && whole.created.ids.len() == 999 && whole.deleted.ids.len() == 1);
        assert!(cut.is_truncated() && cut.created.ids.is_empty() && cut.deleted.ids.is_empty());
        assert_eq!((cut.created.count, cut.deleted.count), (999, 2));
        assert!(change(0, 0).is_empty() && !Change::unknown(base).is_empty());
    }
}
