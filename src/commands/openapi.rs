//! `memberbase openapi`: the description of the plain HTTP face.

use super::{Error, print};
use crate::rpc;

pub(super) fn run() -> Result<(), Error> {
    print(rpc::openapi())
}
