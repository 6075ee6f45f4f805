//! The RPC API (`publisher.v1`): `POST /publisher.v1/<resource>/<action>` with a JSON body, for clients of the original API.
//! Calls the same functions of the domain as the GraphQL API, and has no rules of its own.

mod api_token;
mod attribute_schema;
mod attribute_value;
mod endpoint;
mod error;
mod filter;
mod id;
mod member;
mod member_attributes;
mod member_base;
mod openapi;
mod page;
mod transaction;

pub use endpoint::{Call, Endpoint};
pub use error::Code;
pub(crate) use error::Error;
pub(crate) use openapi::{TOKEN, openapi, trace_id};

use self::attribute_value::{AttributeMap, AttributeValue};

/// Prefix of all paths.
pub(crate) const PREFIX: &str = "/publisher.v1/";

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::mutation("member/bulk-upsert", "Create or update members by ref, all or none", member::bulk_upsert)
            .described_as("The members' ids, in the order of the request. Equal refs have equal ids."),
        Endpoint::query("member/get", "Get a member by id or by ref", member::get),
        Endpoint::query("member/list", "List members", member::list),
        Endpoint::mutation(
            "member/bulk-delete",
            "Delete members with their attributes, clips, stamp collections and transactions",
            member::bulk_delete,
        ),
        Endpoint::mutation("member-base/create", "Create a memberbase", member_base::create),
        Endpoint::query("member-base/get", "Get a memberbase", member_base::get),
        Endpoint::mutation("member-base/delete", "Delete a memberbase with everything in it", member_base::delete),
        Endpoint::query("member-base/list", "List memberbases", member_base::list),
        Endpoint::mutation(
            "attribute.schema/set",
            "Replace the attribute schema of a memberbase",
            attribute_schema::set,
        ),
        Endpoint::query("attribute.schema/get", "Get the attribute schema of a memberbase", attribute_schema::get),
        Endpoint::mutation(
            "member.attributes/set",
            "Set attribute values of members, all or none",
            member_attributes::set,
        ),
        Endpoint::mutation("member.attributes/delete", "Remove attribute values of members", member_attributes::delete),
        Endpoint::query("member.attributes/list", "List the attribute values of a member", member_attributes::list),
        Endpoint::mutation("transaction/ingest", "Create or update transactions, all or none", transaction::ingest),
        Endpoint::mutation("api-token/create", "Create an API token", api_token::create)
            .described_as("The token. `token` holds the secret, which can't be read again."),
        Endpoint::query("api-token/list", "List API tokens", api_token::list),
        Endpoint::mutation("api-token/revoke", "Revoke an API token", api_token::revoke),
    ]
}
