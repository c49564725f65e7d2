//! Writes the tables behind the loop: a thread that coalesces what has changed.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use enact_model::id::Lsn;

use crate::crash;

use super::cold::{Cold, ColdError};
use super::tables::Tables;

/// Positions between two syncs of the cold side: what a loss of power makes the next start replay, at most. The first write
/// of a start is synced, too: what the cold side has read back from its journal into memory goes to its files then.
const SYNC_EVERY: u64 = 200_000;

/// Between two tries while the cold side fails: from the first to the longest, doubling.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// The thread and how to reach it.
pub(super) struct Flusher {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Signal {
    state: Mutex<State>,
    wake: Condvar,
    done: Condvar,
}

#[derive(Default)]
struct State {
    wanted: bool,
    urgent: bool,
    stop: bool,
    /// Somebody waits for the next try, which is not put off then.
    demanded: bool,
    /// How many tries there were, and how many of the last ones failed.
    tries: u64,
    failures: u32,
    failing: Option<ColdError>,
}

impl Signal {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flusher {
    /// Starts the thread; it waits `every` before it writes, unless it is urgent.
    pub(super) fn start<C: Cold>(tables: Arc<Tables<C>>, every: Duration) -> std::io::Result<Self> {
        let signal = Arc::new(Signal::default());
        let theirs = Arc::clone(&signal);
        let thread = std::thread::Builder::new().name("enact-write-behind".to_owned());
        let thread = thread.spawn(move || run(&theirs, &tables, every))?;
        Ok(Self { signal, thread: Some(thread) })
    }
    /// Says that there is something to write, and whether at once.
    pub(super) fn want(&self, urgent: bool) {
        let mut state = self.signal.lock();
        if !state.wanted || (urgent && !state.urgent) {
            (state.wanted, state.urgent) = (true, state.urgent || urgent);
            self.signal.wake.notify_one();
        }
    }
    /// Waits until `enough` holds or the deadline has passed; gives the reason when writing fails, now and not some time ago.
    pub(super) fn wait(&self, limit: Duration, enough: impl Fn() -> bool) -> Result<(), Option<ColdError>> {
        let deadline = Instant::now() + limit;
        let mut state = self.signal.lock();
        // The try that is under way may have begun before.
        let before = state.tries + 1;
        while !enough() {
            if state.tries > before && state.failing.is_some() {
                return Err(state.failing.take());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(None);
            }
            (state.wanted, state.urgent, state.demanded) = (true, true, true);
            self.signal.wake.notify_one();
            state = self.signal.done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.signal.lock().stop = true;
        self.signal.wake.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes tables behind has panicked");
        }
    }
}

fn run<C: Cold>(signal: &Signal, tables: &Tables<C>, every: Duration) {
    let mut synced = None;
    loop {
        let mut state = signal.lock();
        while !state.wanted && !state.stop {
            state = signal.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.urgent && !state.stop {
            let hurried = |state: &mut State| !state.urgent && !state.stop;
            let waited = signal.wake.wait_timeout_while(state, every, hurried);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.failures > 0 {
            let put_off = |state: &mut State| !state.demanded && !state.stop;
            let pause = pause(state.failures);
            let waited = signal.wake.wait_timeout_while(state, pause, put_off);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.stop {
            return;
        }
        (state.wanted, state.urgent, state.demanded) = (false, false, false);
        drop(state);
        crash::point("tables-before-flush");
        let mut result = tables.flush();
        crash::point("tables-after-flush");
        let due = synced.is_none_or(|synced: Lsn| tables.flushed().0 >= synced.0 + SYNC_EVERY);
        if result.is_ok() && due {
            result = tables.sync();
            synced = Some(tables.flushed());
        }
        let mut state = signal.lock();
        state.wanted |= result.is_err();
        state.tries += 1;
        state.failures = if result.is_err() { state.failures.saturating_add(1) } else { 0 };
        state.failing = result.err();
        signal.done.notify_all();
    }
}

/// Returns how long the next try is put off after so many failures in a row.
fn pause(failures: u32) -> Duration {
    let (first, longest) = PAUSES;
    first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_that_fail_come_less_and_less_often() {
        let pauses = [1, 2, 3, 7, 8, 9, 40, u32::MAX].map(|failures| pause(failures).as_millis());
        assert_eq!(pauses, [100, 200, 400, 6_400, 10_000, 10_000, 10_000, 10_000]);
    }
}
