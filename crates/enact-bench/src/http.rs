//! Calls over HTTP, the hub beside its peers: the same load generator, the same machine, every fsync on, one after the other
//! in one run. The handler does nothing and runs in a process of its own: a resident worker here, the SDK's own process there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;

use crate::Failure;
use crate::latency::Latency;
use crate::options::Options;
use crate::peers::Peers;
use crate::report::Row;
use crate::streams::{Connection, Serve, raise_descriptors};

/// Connections, each with one question at a time.
const LOADS: [u32; 3] = [1, 64, 512];
/// Not counted: what is started, is warm.
const WARM_UP: Duration = Duration::from_secs(2);
/// Longest wait for the answers that are due when a load ends.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(60);
/// What every handler is called with, and answers.
pub const BODY: &str = r#"{"account":"A-1029384756","cents":125000}"#;

/// What one load came to.
struct Seen {
    calls_per_second: f64,
    p50_us: f64,
    p99_us: f64,
}

/// Measures the hub and each peer that can be had.
pub fn measure(options: &Options) -> Result<Vec<Row>, Failure> {
    raise_descriptors()?;
    let program = std::env::current_exe()?;
    let component = format!(
        "component: nothing\nversion: 1.0.0\nprocess: {{ command: ['{}', answer], mode: worker, calls_in_flight: 512 }}\n\
         services: {{ nothing: {{ echo: {{ kind: command, idempotent: true, call: {{ }} }} }} }}\n",
        program.display()
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let hub = Serve::start(&options.dir, &component)?;
    let ours = loads(&runtime, hub.address, "/rest/v1/nothing/nothing/echo", options.time());
    drop(hub);
    let ours = ours.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut rows: Vec<Row> =
        LOADS.iter().zip(&ours).flat_map(|(load, seen)| told("enact", *load, seen, None)).collect();
    let peers = Peers::open(&options.dir)?;
    let mut skipped = 0;
    let mut skip = |what: String, why: Failure| {
        skipped += 1;
        say(&format!("skipped: http {what} – {why}"));
    };
    for name in ["restate", "dbos"] {
        let peer = match peers.start(name) {
            Ok(peer) => peer,
            Err(why) => {
                skip(name.to_owned(), why);
                continue;
            }
        };
        let seen = loads(&runtime, peer.address, peer.path, options.time());
        for ((load, ours), seen) in LOADS.iter().zip(&ours).zip(seen) {
            match seen {
                Ok(seen) => rows.extend(told(name, *load, &seen, Some(ours))),
                Err(why) => skip(format!("{name} at {load}"), why),
            }
        }
    }
    rows.push(Row::new("http peers skipped", 0, f64::from(skipped), "peers"));
    Ok(rows)
}

#[allow(clippy::print_stderr)]
fn say(what: &str) {
    eprintln!("{what}");
}

/// Writes the rows of one load of one server; those of a peer have the ratio of the hub's figure to the peer's.
fn told(name: &str, load: u32, seen: &Seen, ours: Option<&Seen>) -> [Row; 3] {
    let row = |what: &str, unit, figure: fn(&Seen) -> f64| {
        let mut row = Row::new(format!("http {name}{what}"), load, figure(seen), unit);
        row.ratio = ours.map(|ours| figure(ours) / figure(seen));
        row
    };
    [
        row("", "calls/s", |seen| seen.calls_per_second),
        row(" p50", "us", |seen| seen.p50_us),
        row(" p99", "us", |seen| seen.p99_us),
    ]
}

fn loads(
    runtime: &tokio::runtime::Runtime,
    address: SocketAddr,
    path: &'static str,
    time: Duration,
) -> Vec<Result<Seen, Failure>> {
    LOADS.iter().map(|connections| runtime.block_on(load(address, path, *connections, time))).collect()
}

/// Lets so many connections ask, each as soon as it has its answer.
async fn load(address: SocketAddr, path: &'static str, connections: u32, time: Duration) -> Result<Seen, Failure> {
    let (counts, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let mut connection = Connection::open(address, false).await?;
        let (counts, over) = (Arc::clone(&counts), Arc::clone(&over));
        clients.spawn(async move {
            let mut times = Latency::default();
            while !over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                let body = connection.ask(address, path, Some(BODY)).await?.into_body().collect().await?.to_bytes();
                if !body.windows(6).any(|part| part == b"125000") {
                    return Err(format!("{path} answers {body:?}").into());
                }
                // What is answered in the time counts, whenever it was asked: a slow server is not told to be idle.
                if counts.load(Ordering::Relaxed) && !over.load(Ordering::Relaxed) {
                    times.add(begin.elapsed());
                }
            }
            Ok::<_, Failure>(times)
        });
    }
    tokio::time::sleep(WARM_UP).await;
    counts.store(true, Ordering::Relaxed);
    let begin = Instant::now();
    tokio::time::sleep(time).await;
    over.store(true, Ordering::Relaxed);
    let seconds = begin.elapsed().as_secs_f64();
    let mut times = Latency::default();
    let last = async {
        while let Some(client) = clients.join_next().await {
            times.merge(client??);
        }
        Ok::<_, Failure>(())
    };
    tokio::time::timeout(LAST_ANSWERS_MAX, last).await.map_err(|_| "the last answers did not come within 60 s")??;
    if times.count() == 0 {
        return Err(format!("no call of {connections} connections was answered within {time:?}").into());
    }
    Ok(Seen {
        calls_per_second: times.count() as f64 / seconds,
        p50_us: times.quantile_us(0.5),
        p99_us: times.quantile_us(0.99),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_twice_as_slow_makes_two_of_the_rate_and_half_of_the_latency() {
        let ours = Seen { calls_per_second: 200.0, p50_us: 5.0, p99_us: 10.0 };
        let theirs = Seen { calls_per_second: 100.0, p50_us: 10.0, p99_us: 20.0 };
        let ratios = told("peer", 64, &theirs, Some(&ours)).map(|row| (row.name, row.ratio));
        let [(name, rate), (_, p50), (_, p99)] = ratios;
        assert_eq!((name.as_str(), rate, p50, p99), ("http peer", Some(2.0), Some(0.5), Some(0.5)));
        assert!(told("enact", 64, &ours, None).iter().all(|row| row.ratio.is_none()));
    }
}
