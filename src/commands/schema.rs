//! `memberbase schema`: the schema in its own language.

use super::{Error, print};
use crate::graphql;

pub(super) fn run() -> Result<(), Error> {
    print(graphql::sdl().trim_end())
}
