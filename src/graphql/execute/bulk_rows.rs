//! Bulk rows: deserialized from the request's text directly into their row type, without a tree of values.
//!
//! The tree of a million rows takes ten times the memory of the rows. So the tree holds only a marker in their place, and
//! [`DeferredRows`], in the request's data, holds the rows. An input object that has [`BulkRows`] for a field passes them to
//! its resolver.

use std::{
    any::Any,
    borrow::Cow,
    collections::HashMap,
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use apollo_compiler::{
    ast::Value as Literal,
    executable::{self, FragmentMap, Selection},
};
use async_graphql::{Context, InputType, InputValueError, InputValueResult, Pos, Value, registry::Registry};
use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, SeqAccess, Visitor},
};

use crate::{
    graphql::{Code, Error},
    types::Strict,
};

/// How many lists of rows a request has at most: with more, the same key stands in the JSON again and again.
const LISTS: usize = 1_000;

/// Rows of some type.
pub(super) type AnyRows = Arc<dyn Any + Send + Sync>;

/// The input types whose lists are bulk rows. A field or argument that is a list of such a type has to be
/// [`BulkRows`], never a `Vec`.
#[derive(Default)]
pub(crate) struct RowDecoders(HashMap<String, Box<dyn RowDecoder>>);

impl RowDecoders {
    /// Also reads lists of `T` as bulk rows.
    ///
    /// `T`'s `Deserialize` is a fast way to what its `InputType` accepts: it may refuse more (the slow way is then
    /// asked), but must not accept more, nor read otherwise. So: `deny_unknown_fields`, the same names and defaults, and
    /// no `flatten` or `untagged`; numbers and attributes, which stay text until the domain judges them, as
    /// `bulk::Raw` and `scalar::Attributes`. Lists for structs and objects for enums are refused here.
    #[must_use]
    pub(crate) fn with<T: InputType + DeserializeOwned + Clone + Send + Sync + 'static>(mut self) -> Self {
        self.0.insert(T::type_name().into_owned(), Box::new(Reader::<T>(PhantomData)));
        self
    }

    /// The reader of an input type.
    pub(super) fn get(&self, type_name: &str) -> Option<&dyn RowDecoder> {
        self.0.get(type_name).map(Box::as_ref)
    }
}

/// How lists of one type are read.
pub(super) trait RowDecoder: Send + Sync {
    /// All rows of the JSON list with which the text begins, and its length; nothing where there is anything unusual about
    /// any.
    fn fast(&self, json: &str) -> Option<(AnyRows, usize)>;

    /// To read row after row.
    fn slow(&self) -> Box<dyn RowBuilder>;
}

/// Rows that come one by one.
pub(super) trait RowBuilder {
    /// Takes a coerced value for the next row; or says why it is none.
    fn push(&mut self, value: Value) -> Result<(), String>;

    /// The rows.
    fn finish(self: Box<Self>) -> AnyRows;
}

struct Reader<T>(PhantomData<fn() -> T>);

impl<T: InputType + DeserializeOwned + Clone + Send + Sync + 'static> RowDecoder for Reader<T> {
    fn fast(&self, json: &str) -> Option<(AnyRows, usize)> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let rows = deserializer.deserialize_seq(Rows::<T>(PhantomData)).ok()?;
        Some((Arc::new(rows), deserializer.into_iter::<IgnoredAny>().byte_offset()))
    }

    fn slow(&self) -> Box<dyn RowBuilder> {
        Box::new(Rest::<T>(Vec::new()))
    }
}

struct Rest<T>(Vec<T>);

impl<T: InputType + Send + Sync + 'static> RowBuilder for Rest<T> {
    fn push(&mut self, value: Value) -> Result<(), String> {
        let row = T::parse(Some(value)).map_err(message)?;
        self.0.push(row);
        Ok(())
    }

    fn finish(self: Box<Self>) -> AnyRows {
        Arc::new(self.0)
    }
}

fn message<T: InputType>(error: InputValueError<T>) -> String {
    error.into_server_error(Pos::default()).message
}

struct Rows<T>(PhantomData<fn() -> T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for Rows<T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = list.next_element_seed(Row(PhantomData))? {
            rows.push(row);
        }
        Ok(rows)
    }
}

struct Row<T>(PhantomData<fn() -> T>);

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Row<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::deserialize(Strict(deserializer))
    }
}

/// The bulk rows of one request, to be put into its data.
#[derive(Default)]
pub(crate) struct DeferredRows(Vec<Arc<Mutex<Slot>>>);

struct Slot {
    rows: Option<AnyRows>,
    /// How often they are still to be taken; nothing where that is not known.
    uses: Option<usize>,
}

impl DeferredRows {
    /// Keeps rows that are to be taken so many times, and gives what stands for them in the value tree; or nothing where there
    /// are more than any request can have use for.
    pub(super) fn keep(&mut self, rows: AnyRows, uses: Option<usize>) -> Option<Value> {
        if self.0.len() == LISTS {
            return None;
        }
        let marker = Value::Binary(self.0.len().to_be_bytes().to_vec().into());
        self.0.push(Arc::new(Mutex::new(Slot { rows: Some(rows), uses })));
        Some(marker)
    }

    /// The rows behind a marker: themselves at their last use, else a copy.
    fn take<T: Clone + Send + Sync + 'static>(&self, index: usize) -> Option<Vec<T>> {
        let rows = {
            let mut slot = self.0.get(index)?.lock().unwrap_or_else(PoisonError::into_inner);
            slot.uses = slot.uses.map(|uses| uses.saturating_sub(1));
            if slot.uses == Some(0) { slot.rows.take()? } else { slot.rows.clone()? }
        };
        rows.downcast::<Vec<T>>().ok().map(Arc::unwrap_or_clone)
    }
}

/// Bulk rows as a field of an input object or as an argument: what `Vec<T>` is in the schema.
#[derive(Debug)]
pub(crate) struct BulkRows<T>(Source<T>);

#[derive(Debug)]
enum Source<T> {
    DeferredRows(usize),
    Literal(Vec<T>),
}

impl<T: Clone + Send + Sync + 'static> BulkRows<T> {
    /// The rows.
    pub(crate) fn take(self, ctx: &Context<'_>) -> Result<Vec<T>, Error> {
        match self.0 {
            Source::Literal(rows) => Ok(rows),
            Source::DeferredRows(index) => {
                ctx.data_opt::<DeferredRows>().and_then(|deferred| deferred.take(index)).ok_or_else(|| {
                    tracing::error!(index, "bulk rows of a variable are missing");
                    Error::new(Code::InternalServerError, "internal error")
                })
            }
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
            let index = marker.as_ref().try_into().map(usize::from_be_bytes);
            return index.map(|index| Self(Source::DeferredRows(index))).map_err(InputValueError::custom);
        }
        let rows = <Vec<T> as InputType>::parse(value).map_err(InputValueError::propagate)?;
        Ok(Self(Source::Literal(rows)))
    }

    fn to_value(&self) -> Value {
        match &self.0 {
            Source::DeferredRows(index) => Value::Binary(index.to_be_bytes().to_vec().into()),
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

/// How often an operation uses each of its variables.
///
/// A use in a field of the operation's root happens at most once. One deeper down happens as often as its parent has
/// items, and one in a fragment that is spread more than once is not followed: there the count is not known.
#[derive(Default)]
pub(super) struct VariableUses(HashMap<String, Option<usize>>);

impl VariableUses {
    /// Counts. Each fragment is walked at most twice, however the fragments nest.
    pub(super) fn of(operation: &executable::Operation, fragments: &FragmentMap) -> Self {
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

    /// Returns how often a variable is used; `None` if that is not known.
    pub(super) fn count(&self, variable: &str) -> Option<usize> {
        self.0.get(variable).copied().unwrap_or(Some(0))
    }

    fn arguments(&mut self, field: &executable::Field, once: bool) {
        let mut pending: Vec<_> = field.arguments.iter().map(|argument| &*argument.value).collect();
        while let Some(literal) = pending.pop() {
            match literal {
                Literal::Variable(name) => {
                    let count = self.0.entry(name.to_string()).or_insert(Some(0));
                    *count = count.filter(|_| once).map(|count| count + 1);
                }
                Literal::List(items) => pending.extend(items.iter().map(|item| &**item)),
                Literal::Object(fields) => pending.extend(fields.iter().map(|(_, field)| &**field)),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
