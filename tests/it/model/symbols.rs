//! The names that a server gives to the symbols of the model.

use std::collections::{BTreeMap, HashMap};

use memberbase::types::{ApiTokenId, ClipId, Id, MemberId, MemberbaseId, StampCollectionId, SyncId, TransactionId};
use serde_json::Value;
use uuid::Uuid;

use super::api::SYMBOL;

#[derive(Default)]
pub struct Symbols {
    texts: HashMap<String, String>,
    symbols: HashMap<String, String>,
    /// The texts by prefix and number. They have to ascend with the numbers.
    ordered: BTreeMap<(String, usize), String>,
}

impl Symbols {
    /// Returns a request's variables with the server's texts in place of symbols.
    pub fn expand(&mut self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.expand(item)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, field)| (name.clone(), self.expand(field)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::String(text) if text.starts_with(SYMBOL) => self.text(text).into(),
            value => value.clone(),
        }
    }

    /// Returns the text of a symbol, made up for something that never existed.
    pub fn text(&mut self, symbol: &str) -> String {
        if let Some(text) = self.texts.get(symbol) {
            return text.clone();
        }
        assert!(symbol.ends_with("none"), "{symbol} is in a request, but no response has shown it");
        let (prefix, _) = symbol.trim_start_matches(SYMBOL).split_once('_').unwrap();
        let uuid = Uuid::now_v7();
        let text = match prefix {
            "mb" => MemberbaseId::from_uuid(uuid).to_string(),
            "m" => MemberId::from_uuid(uuid).to_string(),
            "clip" => ClipId::from_uuid(uuid).to_string(),
            "sc" => StampCollectionId::from_uuid(uuid).to_string(),
            "txn" => TransactionId::from_uuid(uuid).to_string(),
            "atok" => ApiTokenId::from_uuid(uuid).to_string(),
            "sync" => SyncId::from_uuid(uuid).to_string(),
            "t" => "2000-01-01T00:00:00Z".to_owned(),
            _ => "AQ".to_owned(),
        };
        self.name(symbol, &text);
        text
    }

    fn name(&mut self, symbol: &str, text: &str) {
        self.texts.insert(symbol.to_owned(), text.to_owned());
        self.symbols.insert(text.to_owned(), symbol.to_owned());
    }

    /// Compares a response with that of the model, and learns the texts of new symbols. Returns the place and the kind of
    /// the first difference.
    pub fn compare(&mut self, expected: &Value, actual: &Value) -> Result<(), String> {
        match (expected, actual) {
            (Value::String(symbol), Value::String(text)) if symbol.starts_with(SYMBOL) => self.learn(symbol, text),
            (Value::Number(left), Value::Number(right)) if left.as_f64() == right.as_f64() => Ok(()),
            (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
                let mut pairs = left.iter().zip(right).enumerate();
                pairs.try_for_each(|(index, (left, right))| {
                    self.compare(left, right).map_err(|error| format!("{index}.{error}"))
                })
            }
            (Value::Object(left), Value::Object(right))
                if left.keys().all(|key| right.contains_key(key)) && left.len() == right.len() =>
            {
                let mut pairs = left.iter();
                pairs.try_for_each(|(name, left)| {
                    self.compare(left, &right[name]).map_err(|error| format!("{name}.{error}"))
                })
            }
            (left, right) if left == right => Ok(()),
            (left, right) => Err(format!(" expected {left}, got {right}")),
        }
    }

    fn learn(&mut self, symbol: &str, text: &str) -> Result<(), String> {
        if let Some(known) = self.texts.get(symbol) {
            return if known == text { Ok(()) } else { Err(format!(" expected {symbol} ({known}), got {text}")) };
        }
        if symbol.starts_with("§ms_") {
            self.texts.insert(symbol.to_owned(), text.to_owned());
            return Ok(());
        }
        if let Some(other) = self.symbols.get(text) {
            return Err(format!(" expected {symbol}, got {text}, which is {other}"));
        }
        let (prefix, number) = symbol.trim_start_matches(SYMBOL).split_once('_').unwrap();
        if !matches!(prefix, "cursor" | "secret") {
            let key = (prefix.to_owned(), number.parse().unwrap());
            let sortable = if prefix == "t" { sortable_time(text) } else { text.to_owned() };
            let before = self.ordered.range(..&key).next_back().filter(|((its, _), _)| its == prefix);
            let after = self.ordered.range(&key..).next().filter(|((its, _), _)| its == prefix);
            if before.is_some_and(|(_, before)| *before >= sortable)
                || after.is_some_and(|(_, after)| *after <= sortable)
            {
                return Err(format!(" {text} is not in the order of creation: {before:?} {symbol} {after:?}"));
            }
            self.ordered.insert(key, sortable);
        }
        self.name(symbol, text);
        Ok(())
    }

    /// Returns the body of a response with symbols in place of the server's ids, times, cursors and secrets.
    pub fn canonical(&self, body: &str) -> String {
        let is_word = |character: char| character.is_ascii_alphanumeric() || "_-:.+".contains(character);
        let mut canonical = String::with_capacity(body.len());
        let mut rest = body;
        while let Some(start) = rest.find(is_word) {
            let (before, from) = rest.split_at(start);
            let word = &from[..from.find(|character| !is_word(character)).unwrap_or(from.len())];
            let trimmed = word.trim_end_matches([':', '.']);
            canonical.push_str(before);
            match self.symbols.get(trimmed) {
                Some(symbol) => canonical.push_str(symbol),
                None if is_current_time(trimmed) => canonical.push_str("<time>"),
                None if canonical.ends_with("\"traceId\":\"") => canonical.push_str("<trace>"),
                None => canonical.push_str(trimmed),
            }
            canonical.push_str(&word[trimmed.len()..]);
            rest = &from[word.len()..];
        }
        canonical.push_str(rest);
        canonical
    }
}

/// Fills the fraction of a time up, so that texts have the order of times.
fn sortable_time(text: &str) -> String {
    let (seconds, fraction) = text.trim_end_matches('Z').split_once('.').unwrap_or((text, ""));
    format!("{seconds}.{fraction:0<9}")
}

/// Returns whether a word is a time of the server's clock: the times of rows are years older.
fn is_current_time(word: &str) -> bool {
    word.len() >= 24 && word.ends_with('Z') && word.as_bytes()[10] == b'T' && word > "2026"
}
