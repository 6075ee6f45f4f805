//! The GraphQL door.

mod error;
pub mod execute;

pub use error::{Code, Error};
