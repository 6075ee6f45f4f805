//! Persisted documents (<https://graphql.github.io/graphql-over-http/draft/#sec-Appendix-A.Persisted-Documents>):
//! documents that clients sent before (automatic persisted queries), and trusted documents.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use quick_cache::{Weighter, sync::Cache};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Request;
use crate::graphql::{Code, Error};

/// Capacity of the cache of automatic persisted queries, in bytes.
const CACHE_BYTES: u64 = 16 << 20;

/// Estimated size of a cache entry without its text, in bytes.
const ENTRY_BYTES: u64 = 64;

type Hash = [u8; 32];

/// The documents that a request can identify.
pub(super) struct Persisted {
    automatic: Cache<Hash, Arc<str>, Weight>,
    /// If set, the only documents that may run.
    trusted: Option<Trusted>,
}

/// Trusted documents.
#[derive(Debug, Default)]
pub struct Trusted {
    by_id: HashMap<String, Arc<str>>,
    texts: HashSet<Arc<str>>,
}

/// A manifest as Apollo writes it, or as Relay and GraphQL Code Generator do.
#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    Apollo { operations: Vec<Entry> },
    Map(HashMap<String, String>),
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    body: String,
}

impl Trusted {
    /// Reads a manifest: a JSON object from id to document, or `{"operations": [{"id", "body"}]}`.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let manifest = serde_json::from_str(json).map_err(|_| {
            r#"expected a JSON object from id to document, or {"operations": [{"id", "body"}]}"#.to_owned()
        })?;
        let entries: Vec<(String, String)> = match manifest {
            Manifest::Map(documents) => documents.into_iter().collect(),
            Manifest::Apollo { operations } => operations.into_iter().map(|entry| (entry.id, entry.body)).collect(),
        };
        if entries.is_empty() {
            return Err("it contains no document".to_owned());
        }
        let mut trusted = Self::default();
        for (id, text) in entries {
            let text: Arc<str> = text.into();
            trusted.texts.insert(Arc::clone(&text));
            trusted.by_id.insert(id, text);
        }
        Ok(trusted)
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }
}

#[derive(Clone)]
struct Weight;

impl Weighter<Hash, Arc<str>> for Weight {
    fn weight(&self, _: &Hash, text: &Arc<str>) -> u64 {
        text.len() as u64 + ENTRY_BYTES
    }
}

impl Persisted {
    pub(super) fn new(trusted: Option<Trusted>) -> Self {
        Self { automatic: Cache::with_weighter(100, CACHE_BYTES, Weight), trusted }
    }

    /// Returns the document of a request.
    pub(super) fn text<'a>(&self, request: &Request<'a>) -> Result<Cow<'a, str>, Error> {
        if let Some(trusted) = &self.trusted {
            return trusted.text(request);
        }
        match (&request.query, request.hash()) {
            (Some(query), None) => Ok(query.clone()),
            (Some(query), Some(hash)) => {
                if decode(hash) == Some(digest(query)) {
                    return Ok(query.clone());
                }
                Err(Error::new(Code::BadRequest, "the hash of the persisted query does not match query"))
            }
            (None, Some(hash)) => {
                let found = decode(hash).and_then(|hash| self.automatic.get(&hash));
                found.map(|text| Cow::Owned(text.to_string())).ok_or_else(not_found)
            }
            (None, None) => Err(Error::new(Code::BadRequest, "query is required")),
        }
    }

    /// Stores a valid document if the request has its hash.
    pub(super) fn store(&self, request: &Request<'_>, text: &str) {
        if self.trusted.is_none()
            && request.query.is_some()
            && let Some(hash) = request.hash().and_then(decode)
        {
            self.automatic.insert(hash, text.into());
        }
    }
}

impl Trusted {
    fn text<'a>(&self, request: &Request<'a>) -> Result<Cow<'a, str>, Error> {
        let id = request.document_id.as_deref().or(request.persisted_hash.as_deref());
        if let Some(id) = id {
            let found = self.by_id.get(id).or_else(|| self.by_id.get(id.strip_prefix("sha256:")?));
            return found.map(|text| Cow::Owned(text.to_string())).ok_or_else(not_found);
        }
        match &request.query {
            Some(query) if self.texts.contains(&**query) => Ok(query.clone()),
            Some(_) => {
                Err(Error::new(Code::Forbidden, "only trusted documents are allowed (MEMBERBASE_TRUSTED_DOCUMENTS)"))
            }
            None => Err(Error::new(Code::BadRequest, "query or documentId is required")),
        }
    }
}

/// Apollo's clients look for this code or for this message, and then send the document with its hash.
fn not_found() -> Error {
    Error::new(Code::PersistedQueryNotFound, "PersistedQueryNotFound")
}

fn digest(text: &str) -> Hash {
    Sha256::digest(text).into()
}

/// Decodes 64 hexadecimal digits.
fn decode(hash: &str) -> Option<Hash> {
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hash[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(query: Option<&'a str>, hash: String) -> Request<'a> {
        Request {
            query: query.map(Cow::Borrowed),
            document_id: None,
            persisted_hash: Some(hash.into()),
            operation_name: None,
            variables: None,
        }
    }

    /// Stores more than the capacity, and finds each document immediately after it was stored.
    fn assert_newest_is_found_within_capacity(count: u64, text: impl Fn(u64) -> String) {
        let persisted = Persisted::new(None);
        let mut total = 0;
        for number in 0..count {
            let (text, hash) = (text(number), format!("{number:064x}"));
            persisted.store(&request(Some(&text), hash.clone()), &text);
            total += text.len() as u64 + ENTRY_BYTES;
            let found = persisted.text(&request(None, hash));
            assert!(found.is_ok_and(|found| found == text), "{number} is not found");
            assert!(persisted.automatic.weight() <= CACHE_BYTES, "{number}: {}", persisted.automatic.weight());
        }
        assert!(total > CACHE_BYTES + CACHE_BYTES / 4, "{total}");
        let stored: u64 = persisted.automatic.iter().map(|(_, text)| text.len() as u64 + ENTRY_BYTES).sum();
        assert!((CACHE_BYTES / 4..=CACHE_BYTES).contains(&stored), "{stored}");
    }

    #[test]
    fn long_documents_are_stored_within_capacity() {
        assert_newest_is_found_within_capacity(100, |number| format!("{number:03}").repeat(80_000));
    }

    #[test]
    fn short_documents_are_stored_within_capacity() {
        assert_newest_is_found_within_capacity(300_000, |number| format!("{{a{number}}}"));
    }
}
