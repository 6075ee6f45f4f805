//! Counts the uses of variables, so that bulk rows are moved at their last use instead of copied.

use std::collections::HashMap;

use apollo_compiler::{
    ast::Value,
    executable::{Field, FragmentMap, Operation, Selection},
};

/// The number of times that an operation uses each of its variables; `None` if it is unknown.
///
/// A use in a root field happens once. The number is unknown below a root field, where a use happens once per item of
/// the parent, and in a fragment with several spreads.
#[derive(Default)]
pub(super) struct VariableUses(HashMap<String, Option<usize>>);

impl VariableUses {
    /// Counts the uses in an operation. Visits each fragment at most twice, because fragments in fragments grow fast.
    pub(super) fn of(operation: &Operation, fragments: &FragmentMap) -> Self {
        let mut uses = Self::default();
        let mut pending = vec![(&operation.selection_set, true)];
        let mut seen: HashMap<&str, bool> = HashMap::new();
        while let Some((set, once)) = pending.pop() {
            for selection in &set.selections {
                match selection {
                    Selection::Field(field) => {
                        uses.arguments(field, once);
                        pending.push((&field.selection_set, false));
                    }
                    Selection::InlineFragment(fragment) => pending.push((&fragment.selection_set, once)),
                    Selection::FragmentSpread(spread) => {
                        let name = spread.fragment_name.as_str();
                        let once = once && !seen.contains_key(name);
                        if let Some(fragment) = fragments.get(name)
                            && seen.insert(name, once) != Some(false)
                        {
                            pending.push((&fragment.selection_set, once));
                        }
                    }
                }
            }
        }
        uses
    }

    /// Returns the number of uses of a variable; `None` if it is unknown.
    pub(super) fn count(&self, variable: &str) -> Option<usize> {
        self.0.get(variable).copied().unwrap_or(Some(0))
    }

    fn arguments(&mut self, field: &Field, once: bool) {
        let mut pending: Vec<_> = field.arguments.iter().map(|argument| &*argument.value).collect();
        while let Some(literal) = pending.pop() {
            match literal {
                Value::Variable(name) => {
                    let count = self.0.entry(name.to_string()).or_insert(Some(0));
                    *count = count.filter(|_| once).map(|count| count + 1);
                }
                Value::List(items) => pending.extend(items.iter().map(|item| &**item)),
                Value::Object(fields) => pending.extend(fields.iter().map(|(_, field)| &**field)),
                _ => {}
            }
        }
    }
}
