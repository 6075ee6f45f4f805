//! The shape of a response: the fields of each object in their order, with their types.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Name, ServerError};

/// The response key under which objects of interfaces and unions report their type to `complete`. It is not a GraphQL
/// name, so that no client can choose it.
pub(crate) const TYPE_KEY: &str = "@type";

/// The selected fields of an object type.
#[derive(Debug)]
pub(super) struct ResponseObject {
    pub(super) type_name: String,
    /// The fields in the order of the response.
    pub(super) fields: Vec<ResponseField>,
    /// True if the data has `TYPE_KEY`.
    pub(super) tagged: bool,
    /// The field error of an object whose fields can't be collected, because a condition is null.
    pub(super) failure: Option<ServerError>,
}

#[derive(Debug)]
pub(super) struct ResponseField {
    pub(super) key: Name,
    pub(super) ty: ResponseType,
}

#[derive(Debug)]
pub(super) struct ResponseType {
    pub(super) non_null: bool,
    pub(super) shape: ResponseShape,
}

#[derive(Debug)]
pub(super) enum ResponseShape {
    /// A scalar or an enum.
    Leaf,
    List(Box<ResponseType>),
    Object(Arc<ResponseObject>),
    /// An object of an interface or a union, by its type.
    Abstract(HashMap<String, Arc<ResponseObject>>),
}
