//! What a committed write did to the members of a memberbase.

use super::{MemberId, MemberbaseId};

/// The most ids that a change tells; where it has more, it tells none.
pub const MAX_REPORTED_IDS: u64 = 1_000;

/// What a committed write did to the members of a memberbase, and to what belongs to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The memberbase.
    pub memberbase: MemberbaseId,
    /// Members who were not there.
    pub created: Touched,
    /// Members whose attributes are different now, or something that belongs to them.
    pub updated: Touched,
    /// Members who are no more.
    pub deleted: Touched,
    /// Whether changes before this one were lost on their way.
    pub missed: bool,
    /// Whether the memberbase is no more: then no change comes after this one.
    pub last: bool,
}

/// How many members, and who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// How many.
    pub count: u64,
    /// Who; none of them where they are more than [`MOST_IDS`].
    pub ids: Vec<MemberId>,
}

impl Change {
    /// One that did nothing yet.
    pub fn new(memberbase: MemberbaseId) -> Self {
        let [created, updated, deleted] = Default::default();
        Self { memberbase, created, updated, deleted, missed: false, last: false }
    }

    /// Of which nothing is known but that there were some.
    pub fn unknown(memberbase: MemberbaseId) -> Self {
        Self { missed: true, ..Self::new(memberbase) }
    }

    /// Whether it touched nobody and has nothing else to tell.
    pub fn is_empty(&self) -> bool {
        self.count() == 0 && !self.missed && !self.last
    }

    /// Whether it has more members than it tells the ids of.
    pub fn is_truncated(&self) -> bool {
        self.count() > MAX_REPORTED_IDS
    }

    /// The same, without ids where they are too many together.
    #[must_use]
    pub fn bounded(mut self) -> Self {
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
    /// So many, whoever they are.
    pub fn counted(count: u64) -> Self {
        Self { count, ids: Vec::new() }
    }
}

impl FromIterator<MemberId> for Touched {
    /// Keeps no more ids than are told, however many there are.
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
    fn a_thousand_ids_are_told_and_one_more_is_not() {
        assert_eq!((members(1_000).ids.len(), members(1_000).count), (1_000, 1_000));
        assert_eq!((members(1_001).ids.len(), members(1_001).count), (0, 1_001));
    }

    #[test]
    fn the_ids_of_all_kinds_are_counted_together() {
        let base = MemberbaseId::from_uuid(Uuid::now_v7());
        let change = |created, deleted| {
            Change { created: members(created), deleted: members(deleted), ..Change::new(base) }.bounded()
        };
        let (whole, cut) = (change(999, 1), change(999, 2));
        assert!(!whole.is_truncated() && whole.created.ids.len() == 999 && whole.deleted.ids.len() == 1);
        assert!(cut.is_truncated() && cut.created.ids.is_empty() && cut.deleted.ids.is_empty());
        assert_eq!((cut.created.count, cut.deleted.count), (999, 2));
        assert!(change(0, 0).is_empty() && !Change::unknown(base).is_empty());
    }
}
