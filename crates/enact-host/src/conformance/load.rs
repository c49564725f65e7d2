//! The check of many calls at once: nothing is left behind, and the host's figures are those of the system (H9).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::checks::{AMPLE, begin, invoke, replied, unmet};
use super::measure::Usage;
use super::{Halt, HostUnderTest, Probe, Target, Unmet, usage};

/// Calls in all.
const CALLS: usize = 1000;
/// Calls at once.
const AT_ONCE: usize = 16;

pub(super) async fn thousand_calls(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let echo = under.target(Probe::Echo).map_err(Halt::Skipped)?;
    // As after a start of the hub that finds much to do: each of them is the first.
    let first = async || {
        begin(under, &echo).await?;
        replied(&invoke(under, &echo, 0, AMPLE).await)
    };
    for end in join_all((0..AT_ONCE).map(|_| Box::pin(first())).collect()).await {
        end?;
    }
    settled(under).await?;
    let neighbour = under.neighbour();
    begin(under, &neighbour).await?;
    // Warm: instances, threads and allocator are as large as this load makes them.
    many(under, &echo, 4 * AT_ONCE).await?;
    let before = settled(under).await?;
    many(under, &echo, CALLS).await?;
    let after = settled(under).await?;
    let leaks = after.children > before.children
        || after.zombies > before.zombies
        || after.descriptors > before.descriptors + 2
        || after.threads > before.threads + AT_ONCE
        || after.memory > before.memory + (24 << 20);
    if leaks {
        return unmet(format!("{CALLS} calls left something behind: {before:?}, then {after:?}"));
    }
    Ok(())
}

/// Counts the instances that the host says it has; one that several components share is listed by each of them.
fn known(under: &dyn HostUnderTest) -> usize {
    let stats = under.host().stats();
    let instances = stats.iter().flat_map(|stats| &stats.instances).map(|instance| instance.pid);
    instances.collect::<BTreeSet<u32>>().len()
}

async fn many(under: &dyn HostUnderTest, target: &Target, calls: usize) -> Result<(), Halt> {
    let left = Arc::new(AtomicUsize::new(calls));
    let one_by_one = async || {
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
            replied(&invoke(under, target, 0, AMPLE).await)?;
        }
        Ok::<_, Halt>(())
    };
    let mut lanes = Vec::new();
    for _ in 0..AT_ONCE {
        lanes.push(Box::pin(one_by_one()));
    }
    for end in join_all(lanes).await {
        end?;
    }
    Ok(())
}

/// Drives futures of one type to their ends, side by side.
async fn join_all<F: Future + Unpin>(futures: Vec<F>) -> Vec<F::Output> {
    let mut slots: Vec<Result<F::Output, F>> = futures.into_iter().map(Err).collect();
    std::future::poll_fn(move |cx| {
        let mut pending = false;
        for slot in &mut slots {
            if let Err(future) = slot {
                match std::pin::Pin::new(future).poll(cx) {
                    std::task::Poll::Ready(output) => *slot = Ok(output),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(std::mem::take(&mut slots).into_iter().filter_map(Result::ok).collect())
    })
    .await
}

/// Waits until what goes in the background has gone, such as an instance that was replaced and takes its time to end: two
/// looks that agree with one another and with what the host says, and in which no call is in flight.
async fn settled(under: &dyn HostUnderTest) -> Result<Usage, Halt> {
    let begun = Instant::now();
    let mut last: Option<Usage> = None;
    loop {
        let now = usage().map_err(|e| Unmet(e.to_string()))?;
        let idle = under.host().stats().iter().all(|stats| stats.instances.iter().all(|i| i.in_flight == 0));
        let same = last.is_some_and(|last| {
            (last.children, last.zombies, last.descriptors) == (now.children, now.zombies, now.descriptors)
        });
        let known = known(under);
        if idle && same && now.zombies == 0 && known == now.children {
            return Ok(now);
        }
        if begun.elapsed() > Duration::from_secs(5) {
            return unmet(format!("it does not come to rest: stats knows {known} instances, the system {now:?}"));
        }
        last = Some(now);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
