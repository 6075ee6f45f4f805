//! `memberbase openapi`: prints the OpenAPI description of the RPC API (`publisher.v1`).

use super::{Error, print};
use crate::rpc;

pub(super) fn run() -> Result<(), Error> {
    print(rpc::openapi())
}
