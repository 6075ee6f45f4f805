//! Documents requested by hash or by name: those that clients sent before (automatic persisted queries), and trusted
//! documents.

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

/// How much the documents that were sent may weigh, in bytes.
const CACHE: u64 = 16 << 20;

type Hash = [u8; 32];

/// The documents that can be asked for.
pub(super) struct Persisted {
    sent: Cache<Hash, Arc<str>, Weight>,
    trusted: Option<Trusted>,
}

/// The only documents that may run, by what clients call them.
#[derive(Debug, Default)]
pub struct Trusted {
    by_id: HashMap<String, Arc<str>>,
    texts: HashSet<Arc<str>>,
}

/// A manifest: what Relay and GraphQL Code Generator write, or what Apollo writes.
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

    /// The documents.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }
}

#[derive(Clone)]
struct Weight;

impl Weighter<Hash, Arc<str>> for Weight {
    fn weight(&self, _: &Hash, text: &Arc<str>) -> u64 {
        text.len() as u64 + 64
    }
}

impl Persisted {
    pub(super) fn new(trusted: Option<Trusted>) -> Self {
        Self { sent: Cache::with_weighter(100, CACHE, Weight), trusted }
    }

    /// The document that a request asks for.
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
                let found = decode(hash).and_then(|hash| self.sent.get(&hash));
                found.map(|text| Cow::Owned(text.to_string())).ok_or_else(not_found)
            }
            (None, None) => Err(Error::new(Code::BadRequest, "query is required")),
        }
    }

    /// Keeps a document that came with its hash and turned out to be valid.
    pub(super) fn keep(&self, request: &Request<'_>, text: &str) {
        if self.trusted.is_none()
            && request.query.is_some()
            && let Some(hash) = request.hash().and_then(decode)
        {
            self.sent.insert(hash, text.into());
        }
    }
}

impl Trusted {
    fn text<'a>(&self, request: &Request<'a>) -> Result<Cow<'a, str>, Error> {
        let id = request.document_id.as_deref().or(request.persisted.as_deref());
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

/// Clients know it by its code, some by these very words.
fn not_found() -> Error {
    Error::new(Code::PersistedQueryNotFound, "PersistedQueryNotFound")
}

fn digest(text: &str) -> Hash {
    Sha256::digest(text).into()
}

/// 64 hexadecimal digits.
fn decode(hash: &str) -> Option<Hash> {
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hash[2 * place..2 * place + 2], 16).ok()?;
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
            persisted: Some(hash.into()),
            operation_name: None,
            variables: None,
        }
    }

    /// Keeps texts, each of which has to be found at once; in the end there were more than may be kept.
    fn keeps_the_newest_within_its_bound(count: u64, text: impl Fn(u64) -> String) {
        let persisted = Persisted::new(None);
        let mut all = 0;
        for number in 0..count {
            let (text, hash) = (text(number), format!("{number:064x}"));
            persisted.keep(&request(Some(&text), hash.clone()), &text);
            all += text.len() as u64 + 64;
            let found = persisted.text(&request(None, hash));
            assert!(found.is_ok_and(|found| found == text), "{number} is not found");
            assert!(persisted.sent.weight() <= CACHE, "{number}: {}", persisted.sent.weight());
        }
        assert!(all > CACHE + CACHE / 4, "{all}");
        // The texts, and for each its hash with what a map needs.
        let kept: u64 = persisted.sent.iter().map(|(_, text)| text.len() as u64 + 64).sum();
        assert!((CACHE / 4..=CACHE).contains(&kept), "{kept}");
    }

    #[test]
    fn long_documents_are_kept_up_to_a_bound() {
        keeps_the_newest_within_its_bound(100, |number| format!("{number:03}").repeat(80_000));
    }

    #[test]
    fn short_documents_are_kept_up_to_a_bound() {
        keeps_the_newest_within_its_bound(300_000, |number| format!("{{a{number}}}"));
    }
}
