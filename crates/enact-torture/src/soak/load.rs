//! What goes on beside the troubles: calls at their rate, a sample for each window, history that is let go.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use enact_runtime::api::Request;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, sleep_until};

use super::sample::{self, Sample};
use super::world::World;
use super::{Plan, clients, say, status};
use crate::hub::ask;

/// Consoles look through lists so often.
const BROWSED: Duration = Duration::from_secs(5);
/// Appends of the probe in a window.
const PROBES: u32 = 40;

/// Starts calls at their rate, whether or not the former are answered; returns those that are still open.
pub(super) async fn calls(world: Arc<World>, rate: f64, time: Duration) -> JoinSet<()> {
    let (began, mut calls, mut browsed) = (Instant::now(), JoinSet::new(), Instant::now());
    let mut beat = interval(Duration::from_secs_f64(1.0 / rate));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut number = 0;
    while began.elapsed() < time {
        let due = beat.tick().await;
        number += 1;
        calls.spawn(clients::call(Arc::clone(&world), number, due));
        if browsed.elapsed() >= BROWSED {
            browsed = Instant::now();
            calls.spawn(clients::browse(Arc::clone(&world), number));
        }
        while calls.try_join_next().is_some() {}
    }
    calls
}

/// Takes a sample for each window.
pub(super) async fn samples(world: Arc<World>, plan: Plan, folder: PathBuf) -> Vec<Sample> {
    let (began, mut all, mut back) = (Instant::now(), Vec::new(), world.running().since);
    while began.elapsed() + plan.window / 2 < plan.time {
        let next = Instant::now() + plan.window;
        let (disk, length) = (folder.clone(), plan.window.mul_f64(0.9));
        let probe = tokio::task::spawn_blocking(move || sample::probe(&disk, length, PROBES));
        sleep_until(next).await;
        let mut probe = probe.await.ok().and_then(std::result::Result::ok).unwrap_or_default();
        let running = world.running();
        let mut times = world.window();
        // One that took much longer was not the hub's: somebody stopped this process, or the machine.
        let frozen = next.elapsed() > plan.window / 2;
        let disturbed = frozen || world.disturbed(plan.window) || running.since != back;
        back = running.since;
        let disk = folder.join("store");
        let (held, store_mib) =
            tokio::task::spawn_blocking(move || (sample::held(running.pid), sample::folder_mib(&disk)))
                .await
                .unwrap_or_default();
        let status = if running.away { None } else { status(&folder.join("store")).await };
        let oldest = status.iter().flat_map(|status| &status.sinks).filter_map(|sink| sink.oldest_ms).max();
        let one = Sample {
            at_s: began.elapsed().as_secs_f64(),
            age_s: running.since.elapsed().as_secs_f64(),
            disturbed,
            calls: times.len(),
            p50_ms: sample::quantile(&mut times, 0.5),
            p99_ms: sample::quantile(&mut times, 0.99),
            probe_ms: sample::quantile(&mut probe, 0.99),
            held: held.filter(|_| !running.away).unwrap_or_default(),
            store_mib,
            pending: status.as_ref().map_or(0, |status| status.pending_messages),
            oldest_s: oldest.unwrap_or(0) as f64 / 1e3,
        };
        say(&progress(&one, world.counted(), world.faults().len()));
        all.push(one);
    }
    all
}

fn progress(one: &Sample, acknowledged: u64, faults: usize) -> String {
    let Sample { at_s, age_s, calls, p50_ms, p99_ms, probe_ms, held, store_mib, pending, oldest_s, .. } = one;
    let restart = if one.disturbed { "  restart" } else { "" };
    format!(
        "{at_s:>5.0} s  {acknowledged:>6} acknowledged  {calls:>4} calls p50 {p50_ms:.1} p99 {p99_ms:.1} ms  probe {probe_ms:.1} ms  \
         hub {age_s:.0} s {:.1} MiB, {} fds, {} threads, children {:.0} MiB  store {store_mib:.0} MiB  \
         pending {pending} ({oldest_s:.1} s)  faults {faults}{restart}",
        held.resident_mib, held.descriptors, held.threads, held.children_mib
    )
}

/// Lets history go, again and again, where the hub was built for it.
pub(super) async fn drop_history(store: PathBuf, plan: Plan) {
    if !plan.short_keep {
        return;
    }
    loop {
        sleep(plan.keep / 4).await;
        // A hub that is away is asked the next time.
        if let Ok(mut client) = enact_cli::socket::client::Client::connect(&store).await {
            let older_than_ms = plan.keep.as_millis() as u64;
            let _ = ask(&mut client, Request::HistoryDrop { older_than_ms, reason: "soak".to_owned() }).await;
        }
    }
}
