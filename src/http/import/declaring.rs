//! Declares the columns of a file as attributes.

use std::sync::Arc;

use super::{event::Failure, run::Import};
use crate::{
    app::App,
    domain::{attribute::Definition, memberbase},
};

impl Import {
    /// Returns the attributes that the import has declared; in a dry run, those that it would declare.
    pub(super) fn declared(&self) -> &[Definition] {
        self.declared.get().map(Vec::as_slice).unwrap_or_default()
    }

    /// Declares attributes, except in a dry run.
    pub(super) async fn declare(&self, definitions: Vec<Definition>) -> Result<(), Failure> {
        if definitions.is_empty() {
            return Ok(());
        }
        if !self.parameters().dry_run {
            let (scope, new) = (self.scope(), Arc::new(definitions.clone()));
            let declare = |app: App| {
                let new = Arc::clone(&new);
                async move { memberbase::declare_attributes(&app, scope, &new).await }
            };
            self.mutate(0, declare).await?;
        }
        // It is set only once.
        let _ = self.declared.set(definitions);
        Ok(())
    }
}
