//! The memberbases of the hostile clients, and the tokens that are bound to them.

use crate::{
    budgets::world::{World, token},
    support::{Client, Process, Site},
};

/// Tokens of one memberbase.
pub struct Tenant {
    base: String,
    reader: String,
    writer: String,
}

/// All hostile tenants.
pub struct Tenants {
    pub world: World,
    /// The tenants of the memberbases of `world`.
    of_world: Vec<Tenant>,
    /// The one with many writers and subscribers.
    busy: Tenant,
}

impl Tenant {
    async fn new(admin: &Client, base: &str) -> Self {
        let [reader, writer] = [token(admin, "READ", Some(base)).await, token(admin, "WRITE", Some(base)).await];
        Self { base: base.to_owned(), reader, writer }
    }
}

/// A client with the tokens of one memberbase.
#[derive(Clone)]
pub struct TenantClient {
    pub base: String,
    pub reader: Client,
    pub writer: Client,
}

impl Tenants {
    /// Loads a fresh database through a server, which is stopped again.
    pub async fn load(site: &Site) -> Self {
        let world = World::load(site).await;
        let process = site.start().await;
        let admin = &process.admin;
        let mut of_world = Vec::new();
        for base in [&world.pages, &world.large, &world.keys] {
            of_world.push(Tenant::new(admin, base).await);
        }
        let busy = Tenant::new(admin, &admin.memberbase().await).await;
        Self { world, of_world, busy }
    }

    /// Returns the clients of the memberbases of `world`.
    pub fn clients(&self, process: &Process) -> Vec<TenantClient> {
        self.of_world.iter().map(|tenant| tenant.client(process)).collect()
    }

    /// Returns the clients of the memberbase with many writers and subscribers.
    pub fn busy(&self, process: &Process) -> TenantClient {
        self.busy.client(process)
    }
}

impl Tenant {
    fn client(&self, process: &Process) -> TenantClient {
        let [reader, writer] = [&self.reader, &self.writer].map(|secret| process.admin.with_secret(secret));
        TenantClient { base: self.base.clone(), reader, writer }
    }
}
