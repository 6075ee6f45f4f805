//! The memory that async-graphql needs for the copies of a variable's value.

use async_graphql::Value;

/// Memory of an entry of a map in addition to its key's text and its value.
const ENTRY_BYTES: usize = 64;

/// The copies of one variable in an operation. Each use of the variable copies its value, and each input object around a
/// value copies it again while its fields are parsed, so that all are in memory at the same time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct VariableCopies {
    uses: usize,
    copies: usize,
}

impl VariableCopies {
    /// Adds a use of the variable below this number of input objects.
    pub(super) fn add_use(&mut self, depth: usize) {
        self.uses += 1;
        self.copies += 1 + depth;
    }

    /// Returns the memory of the copies of a value.
    pub(super) fn bytes(self, value: &Value) -> usize {
        let content = match value {
            Value::String(text) => self.of(text.len()),
            Value::Binary(json) => self.of(json.len()),
            Value::List(items) => sum(items.iter().map(|item| self.bytes(item))),
            Value::Object(fields) => {
                let below = Self { copies: self.copies.saturating_add(self.uses), ..self };
                sum(fields
                    .iter()
                    .map(|(key, value)| self.of(ENTRY_BYTES + key.len()).saturating_add(below.bytes(value))))
            }
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Enum(_) => 0,
        };
        self.of(size_of::<Value>()).saturating_add(content)
    }

    fn of(self, bytes: usize) -> usize {
        self.copies.saturating_mul(bytes)
    }
}

fn sum(bytes: impl Iterator<Item = usize>) -> usize {
    bytes.fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: usize = size_of::<Value>();

    fn bytes(depths: &[usize], json: serde_json::Value) -> usize {
        let mut copies = VariableCopies::default();
        depths.iter().for_each(|&depth| copies.add_use(depth));
        copies.bytes(&Value::from_json(json).expect("a value"))
    }

    #[test]
    fn every_input_object_around_a_value_copies_it() {
        assert_eq!(bytes(&[], serde_json::json!("text")), 0);
        assert_eq!(bytes(&[0], serde_json::json!("text")), VALUE + 4);
        assert_eq!(bytes(&[0, 2], serde_json::json!(["text"])), 4 * (2 * VALUE + 4));
        // The object once, the text in it twice.
        assert_eq!(bytes(&[0], serde_json::json!({"key": "text"})), VALUE + ENTRY_BYTES + 3 + 2 * (VALUE + 4));
        assert_eq!(bytes(&[1, 1], serde_json::json!({"key": "text"})), 4 * (VALUE + ENTRY_BYTES + 3) + 6 * (VALUE + 4));
    }
}
