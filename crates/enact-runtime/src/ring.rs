//! The ring: one thread decides whatever has queued up while another commits what was decided before. What it came to is told
//! by a task, in order: to wake somebody costs more than to decide for him.

mod committing;
mod deciding;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use enact_catalog::catalog::Catalog;
use enact_engine::command::{Answer, CommandBody};
use enact_engine::effect::Effect;
use enact_model::execution::Execution;
use enact_model::id::{ExecutionId, Lsn};
use enact_model::time::Timestamp;
use enact_store::contract::{Store, View as _};
use smallvec::SmallVec;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::driver::{ByExecution, Decider, Driver, Poisoned};
use crate::witness::Witness;
use committing::{Committing, give_away};
use deciding::Deciding;

/// Commands that may wait for the ring before a door has to.
const QUEUE_MAX: usize = 4_096;
/// Commands of one turn, which is decided as a whole: as many as wait, but no more than the second, so that the first ones are on
/// their way to the disk while those behind them are decided. A few dozen callers would otherwise go round all together, and
/// each thread would wait for the others.
const TURN: (usize, usize) = (32, 128);
/// Turns that one sync makes durable at most.
const TURNS_TOGETHER_MAX: usize = 8;
/// Turns that may wait to be told before the next one has to.
const TOLD_MAX: usize = 16;

/// Why a command has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// The log refuses writes.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
    /// The ring has ended.
    #[error("failed to reach the ring: the hub is shutting down")]
    Ended,
}

/// Something that only the owner of a `T` may do with it, between two turns; what it returns tells the caller.
type Errand<T> = Box<dyn FnOnce(&mut T) -> Reply + Send>;
type Reply = Box<dyn FnOnce() + Send>;
type Asker = Option<Asking>;

/// Who asked for a command.
struct Asking {
    answer: oneshot::Sender<Result<Answer, RingError>>,
    /// Gets the execution that the command began, once it is settled; it is let go if there is none.
    settled: Option<oneshot::Sender<Arc<Execution>>>,
}

enum Input<S: Store> {
    Command {
        actor: Arc<str>,
        body: CommandBody,
        reply: Asker,
    },
    Commands {
        actor: Arc<str>,
        bodies: Vec<CommandBody>,
    },
    /// For the one who decides.
    Rule(Errand<Decider<S::View>>),
    /// For the one who commits.
    Store(Errand<S>),
    End,
}

/// Who is told that an execution is settled.
#[derive(Debug, Default)]
struct Waiters(Mutex<ByExecution<Waiting>>);

/// Nearly always one.
type Waiting = SmallVec<[oneshot::Sender<Arc<Execution>>; 1]>;

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, ByExecution<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Answers commands, and keeps who waits until the execution that a command began is settled.
    fn answer(&self, askers: Vec<Asker>, answers: Vec<Answer>) {
        let mut waiters = self.lock();
        for (asker, answer) in askers.into_iter().zip(answers) {
            let Some(Asking { answer: reply, settled }) = asker else { continue };
            let begun = if let Answer::Accepted(execution) = &answer { Some(*execution) } else { None };
            // A caller that went away needs no answer.
            if reply.send(Ok(answer)).is_ok()
                && let (Some(execution), Some(settled)) = (begun, settled)
            {
                waiters.entry(execution).or_default().push(settled);
            }
        }
    }
    fn tell(&self, settled: Vec<Arc<Execution>>) {
        let mut waiters = self.lock();
        for execution in settled {
            for waiting in waiters.remove(&execution.id).into_iter().flatten() {
                // A caller that went away needs no answer.
                let _ = waiting.send(Arc::clone(&execution));
            }
        }
    }
}

/// What every task of a hub shares of its ring.
pub struct Ring<S: Store> {
    sender: mpsc::Sender<Input<S>>,
    waiters: Arc<Waiters>,
    witness: Arc<Witness<S::View>>,
    position: watch::Receiver<Lsn>,
    catalog: Arc<Mutex<Arc<Catalog>>>,
    poisoned: Arc<Mutex<Option<Poisoned>>>,
    clock: Arc<Clock>,
    suppressed: Mutex<BTreeMap<String, u64>>,
    seed: u128,
    taken: AtomicU64,
    view: S::View,
}

/// Where the ring gives its effects; it must not block.
pub type Perform = Box<dyn FnMut(Vec<Effect>) + Send>;

impl<S: Store + 'static> Ring<S>
where
    S::View: Clone,
{
    /// Starts the threads of a driver whose epoch is open; what it comes to is told in `runtime`. The first thread returns
    /// the store when the ring has ended.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(
        driver: Driver<S>,
        clock: Arc<Clock>,
        runtime: &tokio::runtime::Handle,
        perform: Perform,
    ) -> std::io::Result<(Arc<Self>, std::thread::JoinHandle<S>)> {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let (decider, writer) = driver.split();
        let view = decider.view().clone();
        let (publish, position) = watch::channel(view.position());
        let waiters = Arc::new(Waiters::default());
        let witness = Arc::new(Witness::of(view.clone()));
        let catalog = Arc::new(Mutex::new(Arc::clone(decider.catalog())));
        let poisoned = Arc::new(Mutex::new(None));
        let (tell, told) = mpsc::channel(TOLD_MAX);
        let telling = runtime.spawn(give_away(told, perform, Arc::clone(&waiters), Arc::clone(&witness)));
        // While one batch becomes durable the next one is decided ahead, turn by turn.
        let (commit, decided) = std::sync::mpsc::sync_channel(TURNS_TOGETHER_MAX - 1);
        let committing = Committing {
            writer,
            decided,
            publish,
            tell,
            catalog: Arc::clone(&catalog),
            poisoned: Arc::clone(&poisoned),
        };
        let deciding = Deciding {
            decider,
            receiver,
            commit,
            poisoned: Arc::clone(&poisoned),
            clock: Arc::clone(&clock),
            seed: random_seed()?,
            taken: 0,
            room: Vec::new(),
        };
        // Of its own, so that the ring's thread outlives whatever runtime the hub was opened in.
        let timer = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let log = std::thread::Builder::new().name("log".to_owned()).spawn(move || committing.run())?;
        let thread = std::thread::Builder::new().name("ring".to_owned()).spawn(move || {
            deciding.run(&timer);
            let store = log.join().expect("the thread that commits does not panic");
            // Whoever waits for the ring's end finds everything told; a runtime that is gone tells nothing more.
            let _ = timer.block_on(telling);
            store
        })?;
        let (suppressed, seed, taken) = (Mutex::default(), random_seed()?, AtomicU64::new(0));
        let ring = Self { sender, waiters, witness, position, catalog, poisoned, clock, suppressed, seed, taken, view };
        Ok((Arc::new(ring), thread))
    }

    /// Sends a command and waits until what it came to is durable.
    ///
    /// # Errors
    /// When the log refuses writes or the ring has ended; nothing of the command is visible then.
    ///
    /// # Cancel safety
    /// A command that was sent is carried out even if nobody waits for its answer.
    pub async fn ask(&self, actor: &Arc<str>, body: CommandBody) -> Result<Answer, RingError> {
        let (reply, answer) = oneshot::channel();
        let reply = Some(Asking { answer: reply, settled: None });
        let input = Input::Command { actor: Arc::clone(actor), body, reply };
        self.sender.send(input).await.map_err(|_| RingError::Ended)?;
        answer.await.map_err(|_| RingError::Ended)?
    }

    /// Sends a command that may begin an execution, and waits until that is settled, at most so long. Returns what the command
    /// came to, and the execution if it has settled: whoever waits for it is woken once, not for each of the two.
    ///
    /// # Errors
    /// As [`Ring::ask`].
    ///
    /// # Cancel safety
    /// As [`Ring::ask`].
    pub async fn ask_to_settle(
        &self,
        actor: &Arc<str>,
        body: CommandBody,
        limit: Duration,
    ) -> Result<(Answer, Option<Arc<Execution>>), RingError> {
        let (reply, answer) = oneshot::channel();
        let (settle, settled) = oneshot::channel();
        let reply = Some(Asking { answer: reply, settled: Some(settle) });
        let input = Input::Command { actor: Arc::clone(actor), body, reply };
        self.sender.send(input).await.map_err(|_| RingError::Ended)?;
        let settled = tokio::time::timeout(limit, settled).await.ok().and_then(Result::ok);
        let answer = answer.await.map_err(|_| RingError::Ended)??;
        if let (Answer::Accepted(execution), None) = (&answer, &settled) {
            self.forget(*execution);
        }
        Ok((answer, settled))
    }

    /// Sends a command whose answer nobody needs.
    ///
    /// # Errors
    /// When the ring has ended.
    pub async fn tell(&self, actor: &Arc<str>, body: CommandBody) -> Result<(), RingError> {
        let input = Input::Command { actor: Arc::clone(actor), body, reply: None };
        self.sender.send(input).await.map_err(|_| RingError::Ended)
    }

    /// Sends commands whose answers nobody needs; they are decided one after the other in one turn.
    ///
    /// # Errors
    /// When the ring has ended.
    pub async fn tell_all(&self, actor: &Arc<str>, bodies: Vec<CommandBody>) -> Result<(), RingError> {
        if bodies.is_empty() {
            return Ok(());
        }
        let input = Input::Commands { actor: Arc::clone(actor), bodies };
        self.sender.send(input).await.map_err(|_| RingError::Ended)
    }

    /// Lets the one who decides be told something, between two turns.
    ///
    /// # Errors
    /// When the ring has ended.
    pub async fn rule<T: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut Decider<S::View>) -> T + Send + 'static,
    ) -> Result<T, RingError> {
        self.errand(errand, Input::Rule).await
    }

    /// Lets the owner of the store do something with it, between two commits.
    ///
    /// # Errors
    /// When the ring has ended.
    pub async fn with_store<T: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, RingError> {
        self.errand(errand, Input::Store).await
    }

    async fn errand<O: 'static, T: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut O) -> T + Send + 'static,
        input: impl FnOnce(Errand<O>) -> Input<S>,
    ) -> Result<T, RingError> {
        let (reply, answer) = oneshot::channel();
        let boxed: Errand<O> = Box::new(move |owned| {
            let result = errand(owned);
            // A caller that went away needs no answer.
            Box::new(move || drop(reply.send(result)))
        });
        self.sender.send(input(boxed)).await.map_err(|_| RingError::Ended)?;
        answer.await.map_err(|_| RingError::Ended)
    }

    /// Ends the ring after what was sent before.
    pub async fn end(&self) {
        // A ring that has ended already is what was asked for.
        let _ = self.sender.send(Input::End).await;
    }

    /// Ends the ring without waiting until it has taken that in.
    pub fn end_soon(&self) {
        // A queue that is full belongs to a ring that is busy; it ends with the process then.
        let _ = self.sender.try_send(Input::End);
    }

    /// Returns whether the ring has ended.
    pub fn ended(&self) -> bool {
        self.sender.is_closed()
    }

    /// Returns a receiver that resolves when the execution settles; register first, then look whether it has.
    pub fn settlement(&self, execution: ExecutionId) -> oneshot::Receiver<Arc<Execution>> {
        let (sender, receiver) = oneshot::channel();
        let mut waiters = self.waiters.lock();
        let waiting = waiters.entry(execution).or_default();
        waiting.retain(|sender| !sender.is_closed());
        waiting.push(sender);
        receiver
    }
    /// Forgets those who no longer wait for an execution.
    pub fn forget(&self, execution: ExecutionId) {
        let mut waiters = self.waiters.lock();
        if let Some(waiting) = waiters.get_mut(&execution) {
            waiting.retain(|sender| !sender.is_closed());
            if waiting.is_empty() {
                waiters.remove(&execution);
            }
        }
    }

    /// Returns who has seen everything that was committed.
    pub(crate) fn witness(&self) -> &Arc<Witness<S::View>> {
        &self.witness
    }
    /// Returns the durable view.
    pub fn view(&self) -> &S::View {
        &self.view
    }
    /// Returns the durable catalog.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.lock().unwrap_or_else(PoisonError::into_inner))
    }
    /// Returns a receiver of the position up to which everything is published.
    pub fn position(&self) -> watch::Receiver<Lsn> {
        self.position.clone()
    }
    /// Returns why writes are refused, if they are.
    pub fn poisoned(&self) -> Option<Poisoned> {
        self.poisoned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Returns the hub's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
    /// Returns bits that no other call of any hub returns: every start has its own and counts on from there.
    pub fn random(&self) -> u128 {
        self.seed.wrapping_add(u128::from(self.taken.fetch_add(1, Ordering::Relaxed)))
    }
    /// Counts rejections that were over the rate limit and left no record.
    pub fn count_suppressed(&self, tenant: &str, count: u64) {
        if count > 0 {
            let mut counts = self.suppressed.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.entry(tenant.to_owned()).or_default() += count;
        }
    }
    /// Takes the number of rejections since the last one that was logged.
    pub fn take_suppressed(&self, tenant: &str) -> u64 {
        self.suppressed.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant).unwrap_or_default()
    }
}

/// Takes 128 bits from the system: with a counter added they make every id of this start unique.
pub(crate) fn random_seed() -> std::io::Result<u128> {
    use std::io::Read as _;
    static SOURCE: OnceLock<std::fs::File> = OnceLock::new();
    let mut source = match SOURCE.get() {
        Some(source) => source,
        None => {
            let opened = std::fs::File::open("/dev/urandom")?;
            SOURCE.get_or_init(|| opened)
        }
    };
    let mut bytes = [0; 16];
    source.read_exact(&mut bytes)?;
    Ok(u128::from_be_bytes(bytes))
}
