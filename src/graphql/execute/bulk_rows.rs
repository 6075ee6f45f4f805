//! Bulk rows: lists in variables that are deserialized from the request's text into their row type, without a tree of
//! values.
//!
//! The tree of a million rows takes ten times the memory of the rows. So the variable's value has only a marker in
//! place of the rows, and [`DeferredRows`] in the request's data has the rows. Resolvers get them by [`BulkRows`].

use std::{
    any::Any,
    borrow::Cow,
    collections::HashMap,
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use async_graphql::{Context, InputType, InputValueError, InputValueResult, Pos, Value, registry::Registry};
use serde::{
    Deserializer,
    de::{self, DeserializeOwned, DeserializeSeed, IgnoredAny, SeqAccess, Visitor},
};

use crate::{
    budget,
    graphql::{Code, Error},
    types::Strict,
};

/// Maximum number of lists in the variables of a request.
const MAX_LISTS: usize = 100_000;

/// A vector of rows of any type.
pub(super) struct AnyRows {
    rows: Arc<dyn Any + Send + Sync>,
    count: usize,
}

impl AnyRows {
    fn new<T: Send + Sync + 'static>(rows: Vec<T>) -> Self {
        Self { count: rows.len(), rows: Arc::new(rows) }
    }
}

/// The input types whose lists are bulk rows: those of bulk upserts, and the scalars of which a list can be long. A field
/// or argument that is a list of such a type must be [`BulkRows`], never a `Vec`.
#[derive(Default)]
pub(crate) struct RowDecoders(HashMap<String, Box<dyn RowDecoder>>);

impl RowDecoders {
    /// Adds an input type.
    ///
    /// `T`'s `Deserialize` must not accept more than its `InputType`, and must give the same row. It may accept less,
    /// because the rows are then coerced one by one. So `T` has `deny_unknown_fields`, the same names and defaults,
    /// neither `flatten` nor `untagged`, and `bulk::Unparsed` and `scalar::Attributes` for numbers and attributes,
    /// which the domain parses. `Strict` rejects lists for structs and objects for enums.
    #[must_use]
    pub(crate) fn with<T: InputType + DeserializeOwned + Clone + Send + Sync + 'static>(mut self) -> Self {
        self.0.insert(T::type_name().into_owned(), Box::new(Decoder::<T>(PhantomData)));
        self
    }

    /// Returns the decoder of an input type.
    pub(super) fn get(&self, type_name: &str) -> Option<&dyn RowDecoder> {
        self.0.get(type_name).map(Box::as_ref)
    }
}

/// Reads lists of one row type.
pub(super) trait RowDecoder: Send + Sync {
    /// Deserializes the JSON list at the start of a text, and returns the rows and the length of the list in bytes.
    /// Returns `None` if any row has to be coerced or is invalid, or if there are too many.
    fn deserialize(&self, json: &str, max_rows: usize) -> Option<(AnyRows, usize)>;

    /// Returns a builder for rows that are coerced one by one.
    fn builder(&self) -> Box<dyn RowBuilder>;
}

/// Builds a list from coerced rows.
pub(super) trait RowBuilder {
    /// Adds a row, or returns the message of the error.
    fn push(&mut self, value: Value) -> Result<(), String>;

    fn finish(self: Box<Self>) -> AnyRows;
}

struct Decoder<T>(PhantomData<fn() -> T>);

impl<T: InputType + DeserializeOwned + Clone + Send + Sync + 'static> RowDecoder for Decoder<T> {
    fn deserialize(&self, json: &str, max_rows: usize) -> Option<(AnyRows, usize)> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let rows = deserializer.deserialize_seq(RowsVisitor::<T>(max_rows, PhantomData)).ok()?;
        Some((AnyRows::new(rows), deserializer.into_iter::<IgnoredAny>().byte_offset()))
    }

    fn builder(&self) -> Box<dyn RowBuilder> {
        Box::new(Builder::<T>(Vec::new()))
    }
}

struct Builder<T>(Vec<T>);

impl<T: InputType + Send + Sync + 'static> RowBuilder for Builder<T> {
    fn push(&mut self, value: Value) -> Result<(), String> {
        let row = T::parse(Some(value)).map_err(message)?;
        self.0.push(row);
        Ok(())
    }

    fn finish(self: Box<Self>) -> AnyRows {
        AnyRows::new(self.0)
    }
}

fn message<T: InputType>(error: InputValueError<T>) -> String {
    error.into_server_error(Pos::default()).message
}

/// Reads at most this number of rows.
struct RowsVisitor<T>(usize, PhantomData<fn() -> T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for RowsVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = list.next_element_seed(StrictRow(PhantomData))? {
            budget::tick().map_err(de::Error::custom)?;
            if rows.len() == self.0 {
                return Err(de::Error::custom("too many rows"));
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

struct StrictRow<T>(PhantomData<fn() -> T>);

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for StrictRow<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::deserialize(Strict(deserializer))
    }
}

/// Reads a marker: the index in [`DeferredRows`], and the number of rows.
fn read_marker(marker: &[u8]) -> Option<(usize, usize)> {
    match marker.as_chunks() {
        ([index, count], []) => Some((usize::from_be_bytes(*index), usize::from_be_bytes(*count))),
        _ => None,
    }
}

/// Returns the number of rows of a marker.
pub(super) fn count(marker: &[u8]) -> usize {
    read_marker(marker).map_or(0, |(_, count)| count)
}

/// The bulk rows of one request, as part of the request's data.
#[derive(Default)]
pub(crate) struct DeferredRows(Vec<Arc<Mutex<Slot>>>);

struct Slot {
    rows: Option<Arc<dyn Any + Send + Sync>>,
    /// Number of remaining uses; `None` if it is unknown.
    uses: Option<usize>,
}

impl DeferredRows {
    /// Adds rows with their number of uses, and returns the marker for the variable's value. Returns `None` above the
    /// maximum number of lists.
    pub(super) fn add(&mut self, rows: AnyRows, uses: Option<usize>) -> Option<Value> {
        if self.0.len() == MAX_LISTS {
            return None;
        }
        let marker = [self.0.len(), rows.count].map(usize::to_be_bytes).concat();
        self.0.push(Arc::new(Mutex::new(Slot { rows: Some(rows.rows), uses })));
        Some(Value::Binary(marker.into()))
    }

    /// Returns the rows. After their last use only the caller has them.
    fn take<T: Send + Sync + 'static>(&self, index: usize) -> Option<Arc<Vec<T>>> {
        let rows = {
            let mut slot = self.0.get(index)?.lock().unwrap_or_else(PoisonError::into_inner);
            slot.uses = slot.uses.map(|uses| uses.saturating_sub(1));
            if slot.uses == Some(0) { slot.rows.take()? } else { slot.rows.clone()? }
        };
        rows.downcast::<Vec<T>>().ok()
    }
}

/// A context that holds the bulk rows of a request.
pub(crate) trait HasDeferredRows {
    fn deferred_rows(&self) -> Option<&DeferredRows>;
}

impl HasDeferredRows for Context<'_> {
    fn deferred_rows(&self) -> Option<&DeferredRows> {
        self.data_opt()
    }
}

impl HasDeferredRows for DeferredRows {
    fn deferred_rows(&self) -> Option<&DeferredRows> {
        Some(self)
    }
}

/// Bulk rows as an argument or a field of an input object. In the schema it is `Vec<T>`.
#[derive(Debug)]
pub(crate) struct BulkRows<T>(Source<T>);

impl<T> Default for BulkRows<T> {
    fn default() -> Self {
        Self(Source::Literal(Vec::new()))
    }
}

#[derive(Debug)]
enum Source<T> {
    /// The index in [`DeferredRows`].
    Variable(usize),
    Literal(Vec<T>),
}

impl<T: Clone + Send + Sync + 'static> BulkRows<T> {
    /// Returns the rows: moved at their last use, and copied before.
    pub(crate) fn take(self, ctx: &impl HasDeferredRows) -> Result<Vec<T>, Error> {
        budget::check()?;
        let rows = self.shared(ctx).map(Arc::unwrap_or_clone)?;
        budget::check()?;
        Ok(rows)
    }

    /// Returns the rows, shared by all uses.
    pub(crate) fn shared(self, ctx: &impl HasDeferredRows) -> Result<Arc<Vec<T>>, Error> {
        match self.0 {
            Source::Literal(rows) => Ok(Arc::new(rows)),
            Source::Variable(index) => ctx.deferred_rows().and_then(|deferred| deferred.take(index)).ok_or_else(|| {
                tracing::error!(index, "bulk rows of a variable are missing");
                Error::new(Code::InternalServerError, "internal error")
            }),
        }
    }
}

impl<T: InputType> InputType for BulkRows<T> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        <Vec<T> as InputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<T> as InputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<T> as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        if let Some(Value::Binary(marker)) = &value {
            let (index, _) = read_marker(marker).ok_or_else(|| InputValueError::custom("expected a list"))?;
            return Ok(Self(Source::Variable(index)));
        }
        let rows = <Vec<T> as InputType>::parse(value).map_err(InputValueError::propagate)?;
        Ok(Self(Source::Literal(rows)))
    }

    fn to_value(&self) -> Value {
        match &self.0 {
            Source::Variable(index) => Value::Binary([*index, 0].map(usize::to_be_bytes).concat().into()),
            Source::Literal(rows) => Value::List(rows.iter().map(InputType::to_value).collect()),
        }
    }

    fn federation_fields() -> Option<String> {
        <Vec<T> as InputType>::federation_fields()
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
