//! `memberbase schema`: prints the GraphQL schema in the schema definition language.

use super::{Error, print};
use crate::graphql;

pub(super) fn run() -> Result<(), Error> {
    print(graphql::sdl().trim_end())
}
