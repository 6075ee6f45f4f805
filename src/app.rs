//! All that a request may reach.

use std::sync::Arc;

use crate::{
    db::Db,
    types::{Limits, Tally},
};

/// All that a request may reach. A clone is cheap and shares the database.
#[derive(Clone)]
pub struct App {
    /// The database, with the request's deadline.
    pub db: Db,
    /// What a request may ask for.
    pub limits: Arc<Limits>,
    /// What became of the rows that were sent.
    pub rows: Tally,
}
