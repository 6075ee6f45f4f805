//! `memberbase openapi`: prints the OpenAPI description of the RPC API (`publisher.v1`) and of `/import`.

use super::{Error, print};
use crate::http;

pub(super) fn run() -> Result<(), Error> {
    print(http::openapi())
}
