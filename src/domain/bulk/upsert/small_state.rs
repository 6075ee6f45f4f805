//! Drafts of states that are small enough to be built anew for each row.

use super::{Change, Merge};

/// The state after the merged rows; `None` while it equals the stored one.
pub(in crate::domain) struct SmallStateDraft<State>(Option<State>);

impl<State> Default for SmallStateDraft<State> {
    fn default() -> Self {
        Self(None)
    }
}

impl<State: PartialEq> SmallStateDraft<State> {
    /// Returns the state into which the next row is merged; `None` for a record that does not exist yet.
    pub(crate) fn current<'s>(&'s self, stored: Option<&'s State>) -> Option<&'s State> {
        self.0.as_ref().or(stored)
    }

    /// Sets the state that the merged row asks for.
    pub(crate) fn set(&mut self, state: State) -> Merge {
        self.0 = Some(state);
        Merge::Merged
    }

    pub(crate) fn finish(self, stored: Option<&State>) -> Option<Change<State>> {
        let state = self.0.filter(|state| stored != Some(state))?;
        Some(Change { state, visible: true })
    }
}
