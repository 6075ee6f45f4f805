//! Generated sequences of operations, run against a model of the API, SQLite and PostgreSQL: all responses are equal, but
//! for ids and times. The responses of the two databases are the same bytes.
//!
//! `MEMBERBASE_TEST_MODEL_OPERATIONS` is the number of operations on each database, and `MEMBERBASE_TEST_MODEL_SEED` the
//! seed of the first sequence; each further sequence has the next seed. A failure prints the seed that brings it back.

mod api;
mod documents;
mod operation;
mod site;
mod symbols;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use proptest_state_machine::ReferenceStateMachine;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::Database;
use api::Api;
use operation::{Operation, Request};
use site::Site;

const DEFAULT_OPERATIONS: u64 = 5_000;
const DEFAULT_SEED: u64 = 1;
/// Number of operations of a sequence after the first ones, which all sequences have.
const SEQUENCE: usize = 100;
/// Number of operations after which a long run prints a line.
const PROGRESS: usize = 20_000;
/// The time limit for making a failing sequence shorter.
const MAX_SHRINK_MILLIS: u32 = 60_000;
const MAX_SHRINK_ITERATIONS: u32 = 10_000;

/// The model after an operation: the operation with its picks resolved, and the model's response.
#[derive(Clone, Debug, Default)]
struct Step {
    api: Api,
    request: Request,
    response: Value,
}

struct Machine;

impl ReferenceStateMachine for Machine {
    type State = Step;
    type Transition = Operation;

    fn init_state() -> BoxedStrategy<Step> {
        let first = Operation::first();
        Just(first.iter().fold(Step::default(), Self::apply)).boxed()
    }

    fn transitions(_: &Step) -> BoxedStrategy<Operation> {
        thread_local!(static ANY: BoxedStrategy<Operation> = operation::any_operation());
        ANY.with(Clone::clone)
    }

    fn apply(step: Step, operation: &Operation) -> Step {
        let Step { mut api, .. } = step;
        let request = operation.resolve(&api);
        let response = api.respond(request.token, &request.operation, &request.variables);
        Step { api, request, response }
    }
}

/// Counts of what the responses contained.
#[derive(Default)]
struct Distribution(BTreeMap<String, usize>);

impl Distribution {
    fn count(&mut self, operation: &str, response: &Value) {
        let result = response["errors"][0]["code"].as_str().unwrap_or("ok");
        *self.0.entry(format!("{operation} {result}")).or_default() += 1;
        self.count_rows(response);
    }

    fn count_rows(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.count_rows(item)),
            Value::Object(fields) => {
                for name in ["outcome", "code", "state"] {
                    if let Some(Value::String(text)) = fields.get(name) {
                        *self.0.entry(text.clone()).or_default() += 1;
                    }
                }
                fields.values().for_each(|field| self.count_rows(field));
            }
            _ => {}
        }
    }

    /// Fails if the generator does not produce an outcome or an error that matters.
    fn check(&self) {
        for outcome in [
            "CREATED",
            "UPDATED",
            "UNCHANGED",
            "STALE",
            "SKIPPED",
            "FAILED",
            "BAD_USER_INPUT",
            "UNAUTHENTICATED",
            "FORBIDDEN",
            "NOT_FOUND",
            "CONFLICT",
            "LIMIT_EXCEEDED",
            "INVALID_REF",
            "INVALID_VALUE",
            "UNKNOWN_ATTRIBUTE",
            "INVALID_ATTRIBUTE_TYPE",
            "UNKNOWN_MEMBER",
            "MEMBER_MISMATCH",
            "OPEN",
            "COMMITTED",
            "ABANDONED",
        ] {
            assert!(self.0.contains_key(outcome), "no operation resulted in {outcome}");
        }
    }
}

struct Run<'r> {
    runtime: &'r Runtime,
    sites: [Site; 2],
    distribution: Distribution,
}

impl<'r> Run<'r> {
    fn new(runtime: &'r Runtime) -> Self {
        let start = async { [Site::start(Database::Sqlite).await, Site::start(Database::Postgres).await] };
        let sites = runtime.block_on(start);
        Self { runtime, sites, distribution: Distribution::default() }
    }

    /// Runs a sequence on both databases. `seen` counts its operations, so that those after a failure are cut off.
    fn sequence(&mut self, operations: &[Operation], seen: Option<&Arc<AtomicUsize>>) -> Result<(), TestCaseError> {
        self.sites.iter_mut().for_each(Site::begin);
        let first = Operation::first();
        let mut step = Step::default();
        for (index, operation) in first.iter().chain(operations).enumerate() {
            if let Some(seen) = seen.filter(|_| index >= first.len()) {
                seen.fetch_add(1, Ordering::SeqCst);
            }
            step = Machine::apply(step, operation);
            self.distribution.count(&step.request.operation, &step.response);
            self.send(&step).map_err(|difference| {
                TestCaseError::fail(format!(
                    "operation {index}, {operation:?}\nexpected {}\n{difference}",
                    step.response
                ))
            })?;
        }
        Ok(())
    }

    fn send(&mut self, step: &Step) -> Result<(), String> {
        let [sqlite, postgres] = &mut self.sites;
        let both = async {
            tokio::join!(sqlite.send(&step.request, &step.response), postgres.send(&step.request, &step.response))
        };
        let (sqlite, postgres) = self.runtime.block_on(both);
        let (sqlite, postgres) = (sqlite?, postgres?);
        if sqlite == postgres { Ok(()) } else { Err(format!("the databases differ:\n{sqlite}\n{postgres}")) }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: 1,
        failure_persistence: None,
        max_shrink_time: MAX_SHRINK_MILLIS,
        max_shrink_iters: MAX_SHRINK_ITERATIONS,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

#[test]
fn both_databases_respond_like_the_model() {
    let operations = setting("MEMBERBASE_TEST_MODEL_OPERATIONS", DEFAULT_OPERATIONS);
    let first_seed = setting("MEMBERBASE_TEST_MODEL_SEED", DEFAULT_SEED);
    println!("MEMBERBASE_TEST_MODEL_SEED={first_seed}");
    let start = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // The servers need the runtime until they are dropped.
    let _entered = runtime.enter();
    let mut run = Run::new(&runtime);
    let strategy = Machine::sequential_strategy(SEQUENCE);
    let mut seed = first_seed;
    while (run.sites[0].operations as u64) < operations {
        let (shared, before) = (std::cell::RefCell::new(&mut run), start.elapsed());
        let result =
            runner(seed).run(&strategy, |(_, sequence, seen)| shared.borrow_mut().sequence(&sequence, seen.as_ref()));
        match result {
            Ok(()) => {}
            Err(TestError::Fail(reason, (_, sequence, _))) => {
                let sequence: Vec<_> = sequence.iter().map(|operation| format!("  {operation:?}\n")).collect();
                panic!(
                    "{reason}\nthe shortest sequence that fails, after {:?}:\n{}\nit failed after {} operations and {before:?}; \
                    MEMBERBASE_TEST_MODEL_SEED={seed} brings it back",
                    Operation::first(),
                    sequence.concat(),
                    (seed - first_seed) * (SEQUENCE as u64 + 2),
                );
            }
            Err(error) => panic!("{error}"),
        }
        seed += 1;
        let done = run.sites[0].operations;
        if done / PROGRESS > (done - SEQUENCE) / PROGRESS {
            println!("{done} operations, seed {seed}, {:?}", start.elapsed());
        }
    }
    println!(
        "figures: {} operations on each database, {} kinds of responses, {:.0?}",
        run.sites[0].operations,
        run.distribution.0.len(),
        start.elapsed()
    );
    for (name, count) in &run.distribution.0 {
        println!("{count:>9} {name}");
    }
    if operations >= DEFAULT_OPERATIONS {
        run.distribution.check();
    }
}
