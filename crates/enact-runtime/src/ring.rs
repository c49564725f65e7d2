//! The ring's thread: it takes whatever has queued up and turns once. What a turn came to is told by a task, in order: to wake
//! somebody costs more than to decide for him.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use enact_catalog::catalog::Catalog;
use enact_engine::command::{Answer, Command, CommandBody};
use enact_engine::effect::Effect;
use enact_model::id::{ExecutionId, Lsn};
use enact_model::time::Timestamp;
use enact_store::contract::Store;
use enact_store::crash;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::driver::{Driver, Poisoned, Turn};

/// Commands that may wait for the ring before a door has to.
const QUEUE_MAX: usize = 4_096;
/// Commands of one turn: what a single frame group and a single sync carry at most.
const TURN_MAX: usize = 1_024;
/// Turns that may wait to be told before the next one has to.
const TOLD_MAX: usize = 16;
/// Longest sleep of the ring while nothing is due.
const IDLE: Duration = Duration::from_secs(3_600);

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

/// Something that only the ring's thread may do with its store; what it returns tells the caller.
type Errand<S> = Box<dyn FnOnce(&mut Driver<S>) -> Reply + Send>;
type Reply = Box<dyn FnOnce() + Send>;

enum Input<S: Store> {
    Command { actor: Arc<str>, body: CommandBody, reply: Option<oneshot::Sender<Result<Answer, RingError>>> },
    Errand(Errand<S>),
    End,
}

/// Who is told that an execution is settled.
#[derive(Debug, Default)]
struct Waiters(Mutex<BTreeMap<ExecutionId, Vec<oneshot::Sender<()>>>>);

impl Waiters {
    fn tell(&self, settled: Vec<ExecutionId>) {
        let mut waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for waiting in settled.into_iter().filter_map(|execution| waiters.remove(&execution)).flatten() {
            // A caller that went away needs no answer.
            let _ = waiting.send(());
        }
    }
}

/// What every task of a hub shares of its ring.
pub struct Ring<S: Store> {
    sender: mpsc::Sender<Input<S>>,
    waiters: Arc<Waiters>,
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
    /// Starts the thread of a driver whose epoch is open; what it comes to is told in `runtime`.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        driver: Driver<S>,
        clock: Arc<Clock>,
        runtime: &tokio::runtime::Handle,
        perform: Perform,
    ) -> std::io::Result<(Arc<Self>, std::thread::JoinHandle<Driver<S>>)> {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let (publish, position) = watch::channel(driver.view_position());
        let waiters = Arc::new(Waiters::default());
        let catalog = Arc::new(Mutex::new(Arc::clone(driver.catalog())));
        let poisoned = Arc::new(Mutex::new(None));
        let view = driver.view().clone();
        let (tell, told) = mpsc::channel(TOLD_MAX);
        let telling = runtime.spawn(give_away(told, perform, Arc::clone(&waiters)));
        let turning = Turning {
            driver,
            receiver,
            publish,
            tell,
            catalog: Arc::clone(&catalog),
            poisoned: Arc::clone(&poisoned),
            clock: Arc::clone(&clock),
            seed: random_seed()?,
        };
        // Of its own, so that the ring's thread outlives whatever runtime the hub was opened in.
        let timer = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let thread = std::thread::Builder::new().name("ring".to_owned()).spawn(move || {
            let driver = turning.run(&timer);
            // Whoever waits for the ring's end finds everything told; a runtime that is gone tells nothing more.
            let _ = timer.block_on(telling);
            driver
        })?;
        let (suppressed, seed, taken) = (Mutex::default(), random_seed()?, AtomicU64::new(0));
        let ring = Self { sender, waiters, position, catalog, poisoned, clock, suppressed, seed, taken, view };
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
        let input = Input::Command { actor: Arc::clone(actor), body, reply: Some(reply) };
        self.sender.send(input).await.map_err(|_| RingError::Ended)?;
        answer.await.map_err(|_| RingError::Ended)?
    }

    /// Sends a command whose answer nobody needs.
    ///
    /// # Errors
    /// When the ring has ended.
    pub async fn tell(&self, actor: &Arc<str>, body: CommandBody) -> Result<(), RingError> {
        let input = Input::Command { actor: Arc::clone(actor), body, reply: None };
        self.sender.send(input).await.map_err(|_| RingError::Ended)
    }

    /// Lets the ring's thread do something with its driver, between two turns.
    ///
    /// # Errors
    /// When the ring has ended.
    pub async fn errand<T: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut Driver<S>) -> T + Send + 'static,
    ) -> Result<T, RingError> {
        let (reply, answer) = oneshot::channel();
        let boxed: Errand<S> = Box::new(move |driver| {
            let result = errand(driver);
            // A caller that went away needs no answer.
            Box::new(move || drop(reply.send(result)))
        });
        self.sender.send(Input::Errand(boxed)).await.map_err(|_| RingError::Ended)?;
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
    pub fn settlement(&self, execution: ExecutionId) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiters = self.waiters.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = waiters.entry(execution).or_default();
        waiting.retain(|sender| !sender.is_closed());
        waiting.push(sender);
        receiver
    }
    /// Forgets those who no longer wait for an execution.
    pub fn forget(&self, execution: ExecutionId) {
        let mut waiters = self.waiters.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = waiters.get_mut(&execution) {
            waiting.retain(|sender| !sender.is_closed());
            if waiting.is_empty() {
                waiters.remove(&execution);
            }
        }
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

/// What was taken from the queue last; a turn goes on only after a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Command,
    Errand,
    End,
}

struct Turning<S: Store> {
    driver: Driver<S>,
    receiver: mpsc::Receiver<Input<S>>,
    publish: watch::Sender<Lsn>,
    tell: mpsc::Sender<Told>,
    catalog: Arc<Mutex<Arc<Catalog>>>,
    poisoned: Arc<Mutex<Option<Poisoned>>>,
    clock: Arc<Clock>,
    seed: u128,
}

type Asker = Option<oneshot::Sender<Result<Answer, RingError>>>;

impl<S: Store> Turning<S> {
    fn run(mut self, timer: &tokio::runtime::Runtime) -> Driver<S> {
        let actor_of_time: Arc<str> = "timer".into();
        let taken = AtomicU64::new(0);
        let mut ended = false;
        while !ended {
            let mut commands = Vec::new();
            let mut askers: Vec<Asker> = Vec::new();
            let mut errands: Vec<Errand<S>> = Vec::new();
            let mut take = |input: Input<S>, commands: &mut Vec<Command>, now: Timestamp| match input {
                Input::Command { actor, body, reply } => {
                    let number = taken.fetch_add(1, Ordering::Relaxed);
                    let seed = self.seed.wrapping_add(u128::from(number));
                    commands.push(Command { time: now, seed, actor, body });
                    askers.push(reply);
                    Taken::Command
                }
                Input::Errand(errand) => {
                    errands.push(errand);
                    Taken::Errand
                }
                Input::End => Taken::End,
            };
            let pause = match self.driver.next_due() {
                Some(due) if self.driver.poisoned().is_none() => due.since(self.clock.now()).min(IDLE),
                _ => IDLE,
            };
            let first = match self.receiver.try_recv() {
                Ok(input) => Some(input),
                Err(mpsc::error::TryRecvError::Disconnected) => break,
                Err(mpsc::error::TryRecvError::Empty) if pause.is_zero() => None,
                Err(mpsc::error::TryRecvError::Empty) => {
                    match timer.block_on(async { tokio::time::timeout(pause, self.receiver.recv()).await }) {
                        Ok(Some(input)) => Some(input),
                        Ok(None) => break,
                        Err(_) => None,
                    }
                }
            };
            let now = self.clock.now();
            let mut last = first.map_or(Taken::Command, |first| take(first, &mut commands, now));
            // An errand is run after what was sent before it and before what was sent after it.
            while last == Taken::Command && commands.len() < TURN_MAX {
                match self.receiver.try_recv() {
                    Ok(input) => last = take(input, &mut commands, now),
                    Err(_) => break,
                }
            }
            ended = last == Taken::End;
            // An errand may be the one that ends all starts: what is due waits until it was run.
            if last == Taken::Command && self.driver.next_due().is_some_and(|due| due <= now) {
                take(
                    Input::Command { actor: Arc::clone(&actor_of_time), body: CommandBody::Tick, reply: None },
                    &mut commands,
                    now,
                );
            }
            if !commands.is_empty() {
                self.turn(&commands, askers);
            }
            for errand in errands {
                let reply = errand(&mut self.driver);
                self.tell(Told::Errand(reply));
            }
        }
        self.driver
    }

    fn turn(&mut self, commands: &[Command], askers: Vec<Asker>) {
        match self.driver.turn(commands) {
            Ok(Turn { answers, effects, settled, catalog_changed, .. }) => {
                if catalog_changed {
                    *self.catalog.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(self.driver.catalog());
                }
                crash::point("ring-before-publish");
                // Nobody watching is no reason to stop.
                let _ = self.publish.send(self.driver.view_position());
                self.tell(Told::Turn { effects, answers, askers, settled });
            }
            Err(poisoned) => {
                tracing::error!(reason = %poisoned.reason, "the log refused a write; this hub serves reads only");
                *self.poisoned.lock().unwrap_or_else(PoisonError::into_inner) = Some(poisoned.clone());
                self.tell(Told::Poisoned { poisoned, askers });
            }
        }
    }

    fn tell(&self, told: Told) {
        // The runtime that would tell it is gone, and with it everybody who waits.
        let _ = self.tell.blocking_send(told);
    }
}

/// What the ring's thread has to tell.
enum Told {
    Turn { effects: Vec<Effect>, answers: Vec<Answer>, askers: Vec<Asker>, settled: Vec<ExecutionId> },
    Poisoned { poisoned: Poisoned, askers: Vec<Asker> },
    Errand(Reply),
}

/// Gives effects, answers and settlements away until the ring has ended.
async fn give_away(mut told: mpsc::Receiver<Told>, mut perform: Perform, waiters: Arc<Waiters>) {
    while let Some(told) = told.recv().await {
        match told {
            Told::Turn { effects, answers, askers, settled } => {
                crash::point("ring-before-effects");
                if !effects.is_empty() {
                    perform(effects);
                }
                crash::point("ring-before-answers");
                for (asker, answer) in askers.into_iter().zip(answers) {
                    // A caller that went away needs no answer.
                    asker.map(|asker| asker.send(Ok(answer)));
                }
                if !settled.is_empty() {
                    waiters.tell(settled);
                }
            }
            Told::Poisoned { poisoned, askers } => {
                for asker in askers.into_iter().flatten() {
                    // A caller that went away needs no answer.
                    let _ = asker.send(Err(poisoned.clone().into()));
                }
            }
            Told::Errand(reply) => reply(),
        }
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
