//! Renewing: a worker that is old, large or has served enough is replaced without losing a call, one that is not needed
//! any more ends, and one that is about to end by itself is seen out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use enact_model::descriptor::Recycle;
use tokio::time::{Instant, timeout};

use super::drive::Doom;
use super::instance::Instance;
use super::pool::{DRAIN_WAIT, Pool, start_one};
use crate::frames::ToWorker;
use crate::proc::{self, Weight};
use crate::process::version::Version;

/// Between two looks at a worker that has calls.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a worker that says that it is about to end may take for it, once nobody waits for an answer of its.
const EXIT_WAIT: Duration = Duration::from_secs(3);

/// Watches one worker until it is over, has too many threads, has had no call for long, or is to be replaced.
pub(super) async fn watch(pool: Arc<Pool>, version: Arc<Version>, instance: Arc<Instance>) {
    let kept = pool.kept();
    let old = kept.recycle.age_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
    let ages = async {
        match old {
            Some(old) => tokio::time::sleep_until(old).await,
            None => std::future::pending().await,
        }
    };
    let wears = kept.threads_max.is_some() || kept.recycle.calls.or(kept.recycle.memory_bytes).is_some();
    let tires = async {
        if !wears {
            return std::future::pending().await;
        }
        loop {
            // Nothing changes in a worker without a call that a call would not find out.
            instance.used().await;
            loop {
                let idle = instance.calls().open.is_empty();
                if wears_out(&instance, &kept.recycle, kept.threads_max) {
                    return;
                }
                tokio::time::sleep(LOOK_EVERY).await;
                if idle && instance.calls().open.is_empty() {
                    break;
                }
            }
            if wears_out(&instance, &kept.recycle, kept.threads_max) {
                return;
            }
        }
    };
    tokio::select! {
        () = instance.over() => return,
        () = rests(&pool, &instance) => {
            tracing::debug!(pid = instance.pid(), "a worker had no call for long and ends");
            return see_off(&instance).await;
        }
        () = ages => {}
        () = tires => {}
    }
    renew(&pool, &version, &instance).await;
}

/// Waits until a worker has had no call for long and need not stay; then it takes none.
async fn rests(pool: &Pool, instance: &Instance) {
    let idle = pool.kept().idle;
    loop {
        let begun = instance.idle_since().unwrap_or_else(Instant::now);
        tokio::time::sleep_until(begun + idle).await;
        match instance.idle_since() {
            Some(since) if since + idle <= Instant::now() => {
                if pool.retire(instance) {
                    return;
                }
                // Those that have to stay may be others by then.
                tokio::time::sleep(idle.max(LOOK_EVERY)).await;
            }
            _ => {}
        }
    }
}

/// Returns whether a worker is to be replaced; ends one with too many threads.
fn wears_out(instance: &Instance, recycle: &Recycle, threads_max: Option<u32>) -> bool {
    if recycle.calls.is_some_and(|most| instance.calls().last >= most) {
        return true;
    }
    if threads_max.is_none() && recycle.memory_bytes.is_none() {
        return false;
    }
    let Ok(Weight { threads, resident_bytes }) = proc::weight(instance.pid()) else { return false };
    if let Some(most) = threads_max.filter(|most| threads > *most) {
        instance.condemn(Doom::Threads { had: threads, most });
        return false;
    }
    recycle.memory_bytes.is_some_and(|most| resident_bytes >= most)
}

/// Starts another worker, and only then lets this one finish its calls and end.
async fn renew(pool: &Arc<Pool>, version: &Arc<Version>, instance: &Arc<Instance>) {
    loop {
        let gone = instance.is_over() || instance.calls().doom.is_some() || instance.calls().draining;
        if gone {
            return;
        }
        let Some(wait) = pool.claim_replacement() else { return };
        if let Some(until) = wait {
            tokio::select! {
                () = instance.over() => return,
                () = tokio::time::sleep_until(until) => continue,
            }
        }
        if start_one(pool.clone(), version.clone()).await.is_ok() {
            break;
        }
    }
    tracing::debug!(pid = instance.pid(), "a worker is replaced");
    version.counts.recycled.fetch_add(1, Ordering::Relaxed);
    instance.calls().draining = true;
    see_off(instance).await;
}

/// Lets a worker that takes no more calls finish those it has and end.
async fn see_off(instance: &Instance) {
    tokio::select! {
        () = instance.over() => return,
        () = instance.settled() => {}
    }
    // Not before the last answer: a call that was opened may not be on the wire yet.
    instance.tell(&ToWorker::Drain);
    if timeout(DRAIN_WAIT, instance.over()).await.is_err() {
        instance.condemn(Doom::Closed);
    }
}

/// Waits for the end of a worker that has said that it ends, and brings it about if it hangs.
pub(super) async fn see_out(instance: Arc<Instance>) {
    tokio::select! {
        () = instance.over() => return,
        () = instance.settled() => {}
    }
    if timeout(EXIT_WAIT, instance.over()).await.is_err() {
        instance.condemn(Doom::Lingers);
    }
}
