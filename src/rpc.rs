//! The plain HTTP face, `POST /publisher.v1/<resource>/<action>` with a JSON body, for clients of the original API. A
//! second door to the domain's functions: no rule lives here.

mod api_token;
mod attribute_schema;
mod endpoint;
mod error;
mod filter;
mod member;
mod member_attributes;
mod member_base;
mod page;
mod transaction;

pub use endpoint::{Call, Endpoint};
pub use error::{Code, Error};

/// What all paths begin with.
pub const PREFIX: &str = "/publisher.v1/";

/// All that can be called.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::changes("member/bulk-upsert", member::bulk_upsert),
        Endpoint::asks("member/get", member::get),
        Endpoint::asks("member/list", member::list),
        Endpoint::changes("member/bulk-delete", member::bulk_delete),
        Endpoint::changes("member-base/create", member_base::create),
        Endpoint::asks("member-base/get", member_base::get),
        Endpoint::changes("member-base/delete", member_base::delete),
        Endpoint::asks("member-base/list", member_base::list),
        Endpoint::changes("attribute.schema/set", attribute_schema::set),
        Endpoint::asks("attribute.schema/get", attribute_schema::get),
        Endpoint::changes("member.attributes/set", member_attributes::set),
        Endpoint::changes("member.attributes/delete", member_attributes::delete),
        Endpoint::asks("member.attributes/list", member_attributes::list),
        Endpoint::changes("api-token/create", api_token::create),
        Endpoint::asks("api-token/list", api_token::list),
        Endpoint::changes("api-token/revoke", api_token::revoke),
        Endpoint::changes("transaction/ingest", transaction::ingest),
    ]
}
