//! A jar that is kept warm: its calls beside a bare echo, its starts beside `java -jar`, its memory, and its replacement under load.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use enact_host::conformance::{Target, call_of, no_port};
use enact_host::contract::{ArtifactSource, Call, CancelSource, Host, HostSeen, MaterialiseError};
use enact_host::frames::ToWorker;
use enact_host::jar::{JarConfig, JarHost, JavaPlaces};
use enact_host::process::{ProcessConfig, ProcessHost};
use enact_model::descriptor::{Component, JarShape, JavaCall, JavaMethod, JavaParam, Stdin};
use enact_model::digest::Digest;
use enact_model::id::Epoch;
use enact_model::json::Json;
use enact_model::limits::FRAME_MAX_BYTES;
use serde_json::json;

use crate::Failure;
use crate::latency::Latency;
use crate::options::Options;
use crate::placement::{PLACEMENTS, Placement};
use crate::report::Row;
use crate::round_trip::{BUDGET, echo};

const CALLS: u32 = 20_000;
/// Not counted: so many calls at a time, until the compilers of the JVM have done next to nothing meanwhile.
const WARM_UP: u32 = 10_000;
const WARM_UPS_MAX: u32 = 30;
const COMPILED_BELOW_MS: f64 = 10.0;
/// The calls of one load come in so many stretches, and before each of them as many echoes: a neighbour meets both.
const STRETCHES: u32 = 4;
/// How long an idle JVM is waited for until it has given back what its load has left.
const REST_MAX: Duration = Duration::from_secs(90);
const STARTS: u32 = 11;
const BASKET: &str = r#"{"basket":{"items":[{"sku":"tea","price":2.5,"count":2},{"sku":"cup","price":7.95}]}}"#;
/// Components side by side.
const MANY: usize = 10;
/// After so many calls a JVM is replaced, under this load.
const RECYCLE_CALLS: u64 = 1_000;
const RECYCLED_LOAD: u32 = 16;
/// How long an archive of classes may take to be made.
const ARCHIVE_MAX: Duration = Duration::from_secs(60);

/// Measures warm calls.
pub fn calls(options: &Options) -> Result<Vec<Row>, Failure> {
    of_assembly(options, warm)
}

/// Measures the first call of a JVM that has to be started for it.
pub fn starts(options: &Options) -> Result<Vec<Row>, Failure> {
    of_assembly(options, cold)
}

/// Measures several components at once, and one whose JVM is replaced under load.
pub fn many(options: &Options) -> Result<Vec<Row>, Failure> {
    of_assembly(options, |folder, assembly| {
        let mut rows = ten(folder, assembly)?;
        rows.extend(recycled(folder, assembly)?);
        Ok(rows)
    })
}

/// Measures the Scala assembly of the examples; without its compiler there is nothing to measure.
#[allow(clippy::print_stderr)]
fn of_assembly(
    options: &Options,
    measure: impl FnOnce(&Path, &Assembly) -> Result<Vec<Row>, Failure>,
) -> Result<Vec<Row>, Failure> {
    let folder = tempfile::tempdir_in(&options.dir)?;
    let jar = folder.path().join("pricing.jar");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/jar-scala-pricing/build.sh");
    if !Command::new("sh").arg(script).arg(&jar).status()?.success() {
        eprintln!(
            "skipped 1: jar, because the Scala example cannot be built here; `cargo xtask setup` installs what it needs"
        );
        return Ok(Vec::new());
    }
    let assembly = Assembly { digest: Digest::of(&std::fs::read(&jar)?), jar };
    measure(folder.path(), &assembly)
}

struct Assembly {
    jar: PathBuf,
    digest: Digest,
}

/// Has one artifact.
struct OneJar(PathBuf);

impl ArtifactSource for OneJar {
    fn materialise(&self, _: &Digest, target: &Path) -> Result<(), MaterialiseError> {
        std::fs::copy(&self.0, target)?;
        Ok(())
    }
}

impl Assembly {
    fn target(&self, name: &str, recycle_calls: Option<u64>) -> Result<Target, Failure> {
        let shape: JarShape = serde_json::from_value(json!({
            "paths": ["pricing.jar"], "files": { "pricing.jar": self.digest }, "memory_bytes": 128 << 20,
            "recycle": { "calls": recycle_calls },
        }))?;
        let target = Target::of(name, shape, &["total"], "total");
        let mut component = Component::clone(&target.component);
        for operation in component.services.values_mut().flat_map(|operations| operations.values_mut()) {
            operation.call.stdin = Stdin::Empty;
            let basket = JavaParam { name: "basket".to_owned(), of: Some("Basket".to_owned()) };
            operation.call.java = Some(JavaCall::Method(JavaMethod {
                class: "com.acme.Quote".to_owned(),
                method: "total".to_owned(),
                params: Some(vec![basket]),
                returns: None,
            }));
        }
        let digest = Digest::of(Json::of(&component).as_str().as_bytes());
        Ok(Target { component: Arc::new(component), digest, ..target })
    }

    /// Opens a host whose archives of classes are in `folder`.
    fn host(&self, folder: &Path, archives: bool) -> Result<(ProcessHost, Arc<JarHost>), Failure> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let config = ProcessConfig {
            store_id: "bench".to_owned(),
            epoch: Epoch(1),
            folder: folder.join("host"),
            artifacts: Arc::new(OneJar(self.jar.clone())),
            path: path.clone(),
        };
        let (process, _) = ProcessHost::open(config)?;
        let java =
            JavaPlaces { home: None, path, folders: vec![PathBuf::from("/usr/lib/jvm")], ..JavaPlaces::default() };
        let host = JarHost::beside(&process, JarConfig { folder: folder.join("java"), java, archives })?;
        Ok((process, Arc::new(host)))
    }
}

async fn begin(host: &JarHost, target: &Target) -> Result<(), Failure> {
    let started = host.start(Arc::clone(&target.component), target.digest).await;
    started.map_err(|fault| format!("the component does not start: {fault:?}").into())
}

async fn call(host: &JarHost, target: &Target, argument: &Json) -> Result<Duration, Failure> {
    let (call, (_source, token)) = (call_of(target, argument.clone(), BUDGET), CancelSource::new());
    let begin = Instant::now();
    match host.invoke(call, no_port(), token).await.seen {
        HostSeen::Replied(_) => Ok(begin.elapsed()),
        HostSeen::Fault(fault) => Err(format!("a call failed: {fault:?}").into()),
    }
}

/// Calls again and again, so many at once.
async fn load(host: &Arc<JarHost>, target: &Target, in_flight: u32, calls: u32) -> Result<Latency, Failure> {
    let left = Arc::new(AtomicU32::new(calls));
    let argument = Json::parse(BASKET)?;
    let clients = (0..in_flight).map(|_| {
        let (host, target, argument, left) = (Arc::clone(host), target.clone(), argument.clone(), Arc::clone(&left));
        tokio::spawn(async move {
            let mut times = Latency::default();
            let another = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
            while another() {
                times.add(call(&host, &target, &argument).await?);
            }
            Ok::<_, Failure>(times)
        })
    });
    let mut times = Latency::default();
    for client in clients.collect::<Vec<_>>() {
        times.merge(client.await??);
    }
    Ok(times)
}

fn on_a_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// The size of a call's frame as it goes out: without the context, which the method does not take.
fn frame_bytes(call: &Call) -> Result<usize, Failure> {
    let frame = ToWorker::Call {
        id: u64::from(CALLS),
        service: call.service.as_str(),
        operation: call.operation_name.as_str(),
        argument: &call.argument,
        context: None,
        budget_ms: u64::try_from(call.budget.as_millis())?,
        trace: call.context.trace(),
        scratch: None,
        files: BTreeMap::new(),
    };
    Ok(frame.encode(FRAME_MAX_BYTES)?.len())
}

/// Warm calls at 1 and 16 in flight beside a bare echo in the same place, and what the JVM holds.
fn warm(folder: &Path, assembly: &Assembly) -> Result<Vec<Row>, Failure> {
    let target = assembly.target("pricing", None)?;
    let bytes = frame_bytes(&call_of(&target, Json::parse(BASKET)?, BUDGET))?;
    on_a_runtime(async {
        let (_process, host) = assembly.host(&folder.join("warm"), false)?;
        begin(&host, &target).await?;
        load(&host, &target, 1, 1).await?;
        let first = resident_mib(&host);
        warm_up(&host, &target).await?;
        let mut rows = Vec::new();
        for placement in PLACEMENTS {
            for in_flight in [1, 16] {
                rows.extend(placed(&host, &target, bytes, placement, in_flight).await?);
            }
        }
        rows.push(Row::new("jar memory after its first call", 0, first, "MiB"));
        rows.push(Row::new("jar memory under load", 0, resident_mib(&host), "MiB"));
        rows.push(Row::new("jar memory at rest", 0, at_rest_mib(&host), "MiB"));
        host.shutdown().await;
        Ok(rows)
    })
}

/// Calls until the compilers rest.
async fn warm_up(host: &Arc<JarHost>, target: &Target) -> Result<(), Failure> {
    for at in 0..WARM_UPS_MAX {
        let before = compilers_ms(host);
        load(host, target, if at % 2 == 0 { 16 } else { 1 }, WARM_UP).await?;
        if at > 0 && compilers_ms(host) - before < COMPILED_BELOW_MS {
            break;
        }
    }
    Ok(())
}

/// Echoes and calls in one place, in turn.
async fn placed(
    host: &Arc<JarHost>,
    target: &Target,
    bytes: usize,
    placement: Placement,
    in_flight: u32,
) -> Result<Vec<Row>, Failure> {
    let (mut bare, mut times) = (Latency::default(), Latency::default());
    let (mut hub_ms, mut jvm_ms) = (0.0, 0.0);
    for _ in 0..STRETCHES {
        bare.merge(echo(&std::env::current_exe()?, bytes, CALLS / STRETCHES, in_flight, placement)?);
        for pid in pids(host) {
            placement.apply(pid)?;
        }
        let before = (ran_ms(std::process::id(), ""), jvms_ms(host, ""));
        times.merge(load(host, target, in_flight, CALLS / STRETCHES).await?);
        hub_ms += ran_ms(std::process::id(), "") - before.0;
        jvm_ms += jvms_ms(host, "") - before.1;
    }
    for pid in pids(host) {
        Placement::Free.apply(pid)?;
    }
    let row = |what: &str, value: f64| Row::new(format!("jar {what}{placement}"), in_flight, value, "us");
    let each = |ms: f64| ms * 1e3 / times.count().max(1) as f64;
    let (hub_us, jvm_us) = (each(hub_ms), each(jvm_ms));
    Ok(vec![
        row("echo p50", bare.quantile_us(0.5)),
        row("echo p99", bare.quantile_us(0.99)),
        // The target is 3.
        row("p50", times.quantile_us(0.5)).beside(bare.quantile_us(0.5)),
        row("p99", times.quantile_us(0.99)).beside(bare.quantile_us(0.99)),
        // With what making a call costs the bench itself.
        row("cpu of the hub", hub_us),
        row("cpu of the JVM", jvm_us),
    ])
}

/// Waits until an idle JVM holds no less than a moment before.
fn at_rest_mib(host: &JarHost) -> f64 {
    let begun = Instant::now();
    let loaded = resident_mib(host);
    let mut least = loaded;
    let mut since = Instant::now();
    while begun.elapsed() < REST_MAX && (least > loaded * 0.95 || since.elapsed() < REST_MAX / 2) {
        std::thread::sleep(Duration::from_millis(500));
        let now = resident_mib(host);
        if now < least * 0.98 {
            (least, since) = (now, Instant::now());
        }
    }
    resident_mib(host)
}

/// The first call of a JVM that has to be started for it, beside the whole run of a program that does the same once, and of
/// a JVM that does nothing. They take turns, so that what else the machine does meets them alike.
fn cold(folder: &Path, assembly: &Assembly) -> Result<Vec<Row>, Failure> {
    let (cold, archived) = (folder.join("cold"), folder.join("archived"));
    // The first one makes the archive.
    first_call(&archived, assembly, true, || wait_for(|| has_archive(&archived)))?;
    let [mut boot, mut program, mut plain, mut quick] = [(); 4].map(|()| Latency::default());
    for _ in 0..STARTS {
        boot.add(run(Command::new("java").arg("-version"))?);
        program.add(run(Command::new("java").arg("-jar").arg(&assembly.jar))?);
        plain.add(first_call(&cold, assembly, false, || ())?);
        quick.add(first_call(&archived, assembly, true, || ())?);
    }
    let [boot, program, plain, quick] = [boot, program, plain, quick].map(|mut times| times.quantile_us(0.5) / 1e3);
    Ok(vec![
        // No start can be shorter.
        Row::new("java -version", 0, boot, "ms").beside(program),
        Row::new("java -jar", 0, program, "ms"),
        Row::new("jar cold start and call", 0, plain, "ms").beside(program),
        // The target is a third.
        Row::new("jar archived start and call", 0, quick, "ms").beside(program),
    ])
}

/// Runs a program to its end.
fn run(program: &mut Command) -> Result<Duration, Failure> {
    let begin = Instant::now();
    if !program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
        return Err("`java` fails".into());
    }
    Ok(begin.elapsed())
}

/// Calls a component once that nobody has called before.
fn first_call(folder: &Path, assembly: &Assembly, archives: bool, then: impl FnOnce()) -> Result<Duration, Failure> {
    let target = assembly.target("pricing", None)?;
    let argument = Json::parse(BASKET)?;
    on_a_runtime(async {
        let (_process, host) = assembly.host(folder, archives)?;
        begin(&host, &target).await?;
        let took = call(&host, &target, &argument).await?;
        then();
        host.shutdown().await;
        Ok(took)
    })
}

fn wait_for(there: impl Fn() -> bool) {
    let begin = Instant::now();
    while !there() && begin.elapsed() < ARCHIVE_MAX {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Tells whether an archive was made and sealed.
fn has_archive(folder: &Path) -> bool {
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        path.extension().is_some_and(|ending| ending == "sha256") || (path.is_dir() && has_archive(&path))
    })
}

/// Ten components at once, each in a JVM of its own.
fn ten(folder: &Path, assembly: &Assembly) -> Result<Vec<Row>, Failure> {
    let argument = Json::parse(BASKET)?;
    on_a_runtime(async {
        let (_process, host) = assembly.host(&folder.join("archived"), true)?;
        let begun = Instant::now();
        for number in 0..MANY {
            let target = assembly.target(&format!("pricing-{number}"), None)?;
            begin(&host, &target).await?;
            call(&host, &target, &argument).await?;
        }
        let (took, memory) = (begun.elapsed(), resident_mib(&host));
        host.shutdown().await;
        Ok(vec![
            Row::new("ten jars, start and call", 0, took.as_secs_f64() * 1e3, "ms"),
            Row::new("ten jars, memory", 0, memory, "MiB"),
            Row::new("ten jars, memory of each", 0, memory / MANY as f64, "MiB"),
        ])
    })
}

/// A JVM that is replaced again and again under load.
fn recycled(folder: &Path, assembly: &Assembly) -> Result<Vec<Row>, Failure> {
    let target = assembly.target("pricing", Some(RECYCLE_CALLS))?;
    on_a_runtime(async {
        let (_process, host) = assembly.host(&folder.join("archived"), true)?;
        begin(&host, &target).await?;
        // A call that is lost ends the measurement.
        let mut times = load(&host, &target, RECYCLED_LOAD, CALLS).await?;
        let replaced: u64 = host.stats().iter().map(|stats| stats.recycled).sum();
        host.shutdown().await;
        Ok(vec![
            Row::new("recycled jar, calls answered", RECYCLED_LOAD, times.count() as f64, "calls")
                .beside(f64::from(CALLS)),
            Row::new("recycled jar, JVMs replaced", RECYCLED_LOAD, replaced as f64, "JVMs"),
            Row::new("recycled jar p99", RECYCLED_LOAD, times.quantile_us(0.99), "us"),
        ])
    })
}

fn pids(host: &JarHost) -> Vec<u32> {
    host.stats().into_iter().flat_map(|stats| stats.instances).map(|instance| instance.pid).collect()
}

/// What the compilers of the JVMs have done so far.
fn compilers_ms(host: &JarHost) -> f64 {
    jvms_ms(host, "Compiler")
}

fn jvms_ms(host: &JarHost, name: &str) -> f64 {
    pids(host).into_iter().map(|pid| ran_ms(pid, name)).sum()
}

/// How long the threads of a process have run whose names have a part.
fn ran_ms(pid: u32, name: &str) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let ran = threads.filter_map(|thread| {
        let called = std::fs::read_to_string(thread.path().join("comm")).ok()?;
        // In nanoseconds, the first of three.
        let ran = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        called.contains(name).then(|| ran.split(' ').next()?.parse::<f64>().ok()).flatten()
    });
    ran.sum::<f64>() / 1e6
}

/// What the instances of a host hold together.
fn resident_mib(host: &JarHost) -> f64 {
    let pages: u64 = pids(host)
        .into_iter()
        .filter_map(|pid| {
            let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
            statm.split(' ').nth(1)?.parse::<u64>().ok()
        })
        .sum();
    (pages * 4_096) as f64 / f64::from(1 << 20)
}
