//! Those who watch an execution: each is woken when something has happened to its own and sleeps otherwise.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use enact_model::id::ExecutionId;

/// Who watches which execution.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    known: Mutex<Known>,
    looks: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    by_execution: HashMap<ExecutionId, Vec<Arc<Place>>>,
    count: usize,
    ended: bool,
}

/// Where a watcher sleeps.
#[derive(Debug, Default)]
struct Place(Mutex<Sleep>);

#[derive(Debug, Default)]
struct Sleep {
    touched: bool,
    ended: bool,
    waker: Option<Waker>,
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Sleep> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn wake(&self, ended: bool) {
        let mut sleep = self.lock();
        sleep.touched = true;
        sleep.ended |= ended;
        let waker = sleep.waker.take();
        drop(sleep);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Watchers {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a watcher. It must look after that: what was published before nobody wakes it for, and what is published
    /// later everybody does.
    pub(crate) fn register(&self, execution: ExecutionId) -> Watched {
        let place = Arc::new(Place::default());
        let mut known = self.known();
        {
            let mut sleep = place.lock();
            (sleep.touched, sleep.ended) = (true, known.ended);
        }
        known.by_execution.entry(execution).or_default().push(Arc::clone(&place));
        known.count += 1;
        Watched { execution, place }
    }
    /// Forgets a watcher.
    pub(crate) fn forget(&self, watched: &Watched) {
        let mut known = self.known();
        let Some(places) = known.by_execution.get_mut(&watched.execution) else { return };
        let before = places.len();
        places.retain(|place| !Arc::ptr_eq(place, &watched.place));
        let (gone, nobody) = (before - places.len(), places.is_empty());
        known.count -= gone;
        if nobody {
            known.by_execution.remove(&watched.execution);
            if known.by_execution.is_empty() {
                known.by_execution.shrink_to_fit();
            }
        }
    }

    /// Wakes those who watch one of these executions, whose rows are visible as they are now. The lock is taken also when
    /// nobody watches: whoever registers later sees everything that was published before.
    pub(crate) fn touch(&self, executions: impl Iterator<Item = ExecutionId>) {
        let known = self.known();
        if known.count == 0 {
            return;
        }
        for place in executions.filter_map(|execution| known.by_execution.get(&execution)).flatten() {
            place.wake(false);
        }
    }
    /// Lets everybody know that nothing will happen any more.
    pub(crate) fn end(&self) {
        let mut known = self.known();
        known.ended = true;
        known.by_execution.values().flatten().for_each(|place| place.wake(true));
    }

    /// Counts that a watcher looked.
    pub(crate) fn looked(&self) {
        self.looks.fetch_add(1, Ordering::Relaxed);
    }
    /// Returns how many watch, and how often any of them has looked.
    pub(crate) fn counts(&self) -> (usize, u64) {
        (self.known().count, self.looks.load(Ordering::Relaxed))
    }
}

/// A watcher's place.
#[derive(Debug)]
pub(crate) struct Watched {
    execution: ExecutionId,
    place: Arc<Place>,
}

/// Why a watcher looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Something may have happened.
    Touched,
    /// It looks for the last time.
    Ended,
}

impl Watched {
    /// Returns why to look; none means that the waker is called when there is a reason.
    pub(crate) fn woken(&self, waker: &Waker) -> Option<Woken> {
        let mut sleep = self.place.lock();
        if std::mem::take(&mut sleep.touched) {
            return Some(if sleep.ended { Woken::Ended } else { Woken::Touched });
        }
        match &mut sleep.waker {
            Some(held) => held.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> ExecutionId {
        ExecutionId::from_u128(number)
    }

    #[test]
    fn only_those_who_watch_the_execution_are_woken_and_each_touch_is_one_look() {
        let watchers = Watchers::default();
        let (mine, other) = (watchers.register(id(1)), watchers.register(id(2)));
        let waker = Waker::noop();
        // What was published before the registration is seen by the first look.
        assert_eq!((mine.woken(waker), other.woken(waker)), (Some(Woken::Touched), Some(Woken::Touched)));
        assert_eq!((mine.woken(waker), other.woken(waker)), (None, None));
        watchers.touch([id(1), id(3), id(1)].into_iter());
        assert_eq!((mine.woken(waker), mine.woken(waker)), (Some(Woken::Touched), None));
        assert_eq!(other.woken(waker), None);
        watchers.end();
        assert_eq!(other.woken(waker), Some(Woken::Ended));
        assert_eq!(watchers.register(id(4)).woken(waker), Some(Woken::Ended));
    }

    #[test]
    fn nothing_is_held_of_those_who_went_away() {
        let watchers = Watchers::default();
        let held: Vec<Watched> = (0..100).map(|number| watchers.register(id(number % 10))).collect();
        assert_eq!(watchers.counts().0, 100);
        held.iter().for_each(|watched| watchers.forget(watched));
        held.iter().for_each(|watched| watchers.forget(watched));
        assert_eq!(watchers.counts().0, 0);
        assert_eq!(watchers.known().by_execution.capacity(), 0);
    }
}
