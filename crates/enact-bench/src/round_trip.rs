//! One call of a process: a worker's frames beside a bare echo, a oneshot beside a bare spawn.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use enact_host::conformance::{Target, call_of, no_port};
use enact_host::contract::{ArtifactSource, CancelSource, Host as _, HostSeen, MaterialiseError};
use enact_host::frames::{FrameReader, encode};
use enact_host::process::{ProcessConfig, ProcessHost};
use enact_model::digest::Digest;
use enact_model::id::Epoch;
use enact_model::json::Json;
use enact_model::limits::FRAME_MAX_BYTES;
use serde_json::{Value, json};

use crate::Failure;
use crate::latency::Latency;
use crate::options::Options;
use crate::placement::Placement;
use crate::report::Row;

const WORKER_CALLS: u32 = 20_000;
const ONESHOT_CALLS: u32 = 500;
/// Not counted: what is started, is warm.
const WARM_UP: u32 = 100;
pub const BUDGET: Duration = Duration::from_secs(30);

/// Measures a call of a worker that answers at once.
pub fn worker(options: &Options) -> Result<Vec<Row>, Failure> {
    let program = std::env::current_exe()?;
    let target = Target::worker("answer", &[&program.display().to_string(), "answer"], "echo", 1, 1);
    let (mut calls, call_bytes) = calls(&options.dir, &target, WORKER_CALLS)?;
    let mut echo = echo(&program, call_bytes, WORKER_CALLS, 1, Placement::Free)?;
    let bare = echo.quantile_us(0.5);
    Ok(vec![
        Row::new("echo p50", 1, bare, "us"),
        Row::new("worker p50", 1, calls.quantile_us(0.5), "us").beside(bare),
        Row::new("worker p99", 1, calls.quantile_us(0.99), "us").beside(echo.quantile_us(0.99)),
    ])
}

/// Measures a call that runs `/bin/true`.
pub fn oneshot(options: &Options) -> Result<Vec<Row>, Failure> {
    let mut spawn = Latency::default();
    for _ in 0..ONESHOT_CALLS {
        let begin = Instant::now();
        Command::new("/bin/true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        spawn.add(begin.elapsed());
    }
    let mut target = Target::oneshot("true", &["/bin/true"], "run");
    let operations = Arc::make_mut(&mut target.component).services.values_mut();
    operations.flat_map(|operations| operations.values_mut()).for_each(|operation| {
        operation.call.stdout = enact_model::descriptor::Stdout::Ignore;
    });
    let (mut calls, _) = calls(&options.dir, &target, ONESHOT_CALLS)?;
    let bare = spawn.quantile_us(0.5);
    Ok(vec![
        Row::new("spawn p50", 1, bare, "us"),
        Row::new("oneshot p50", 1, calls.quantile_us(0.5), "us").beside(bare),
        Row::new("oneshot p99", 1, calls.quantile_us(0.99), "us").beside(spawn.quantile_us(0.99)),
    ])
}

struct NoArtifacts;

impl ArtifactSource for NoArtifacts {
    fn materialise(&self, digest: &Digest, _: &Path) -> Result<(), MaterialiseError> {
        Err(MaterialiseError::Missing(*digest))
    }
}

/// Calls one operation again and again; returns the times and the size of a call's frame.
fn calls(dir: &Path, target: &Target, calls: u32) -> Result<(Latency, usize), Failure> {
    let folder = tempfile::tempdir_in(dir)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let config = ProcessConfig {
            store_id: "bench".to_owned(),
            epoch: Epoch(1),
            folder: folder.path().to_owned(),
            artifacts: Arc::new(NoArtifacts),
            path: "/usr/bin:/bin".into(),
        };
        let (host, _) = ProcessHost::open(config)?;
        let started = host.start(Arc::clone(&target.component), target.digest).await;
        started.map_err(|fault| format!("the component does not start: {fault:?}"))?;
        let mut times = Latency::default();
        let call = call_of(target, Json::parse(r#"{"account":"A-1029384756","cents":125000}"#)?, BUDGET);
        let bytes = Json::of(&call.context).as_str().len() + call.argument.as_str().len();
        for number in 0..WARM_UP + calls {
            let (call, (_source, token)) = (call.clone(), CancelSource::new());
            let begin = Instant::now();
            let seen = host.invoke(call, no_port(), token).await;
            if number >= WARM_UP {
                times.add(begin.elapsed());
            }
            if let HostSeen::Fault(fault) = &seen.seen {
                return Err(format!("a call failed: {fault:?}").into());
            }
        }
        host.shutdown().await;
        Ok((times, bytes))
    })
}

/// Sends frames of so many bytes to a process that sends them back, so many at once: the floor of a call over a socket pair.
///
/// Both sides are threads that block, in two processes, with the header and about the size of a call's frame; the way back,
/// which of a call is mostly shorter, has the same size. Nothing is parsed. Of several in flight all go out in one write.
/// What it takes is mostly the two wake-ups, and these depend on where both run: about 4 µs where they share a core (each
/// wakes the other and goes to sleep), 10 where they have one each (a core is woken up from its sleep). So a call is to be
/// held against an echo in the same place.
pub fn echo(
    program: &Path,
    bytes: usize,
    calls: u32,
    in_flight: u32,
    placement: Placement,
) -> Result<Latency, Failure> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut child = Command::new(program).arg("answer").stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).spawn()?;
    let mut times = Latency::default();
    let mut buffer = [0; 64 * 1024];
    let body = json!({ "text": "x".repeat(bytes), "type": "echo" }).to_string();
    let frame = encode(body.as_bytes(), FRAME_MAX_BYTES)?;
    let frames = frame.repeat(in_flight as usize);
    // It says hello first.
    let _hello = ours.read(&mut buffer)?;
    placement.apply(child.id())?;
    for number in 0..(WARM_UP + calls) / in_flight {
        let begin = Instant::now();
        ours.write_all(&frames)?;
        let (mut got, mut back) = (0, 0);
        while back < in_flight as usize {
            got += ours.read(&mut buffer)?;
            while back < got / frame.len() {
                back += 1;
                if number >= WARM_UP / in_flight {
                    times.add(begin.elapsed());
                }
            }
        }
    }
    drop(ours);
    child.wait()?;
    Ok(times)
}

/// Is a worker: every call is answered with its argument, an `echo` with itself.
pub fn answer() -> Result<(), Failure> {
    let mut wire = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let nonce = std::env::var("ENACT_INSTANCE").unwrap_or_default();
    let say = |mut wire: &UnixStream, frame: &Value| -> Result<(), Failure> {
        wire.write_all(&encode(frame.to_string().as_bytes(), FRAME_MAX_BYTES)?)?;
        Ok(())
    };
    say(&wire, &json!({ "type": "hello", "protocol": 1, "nonce": nonce, "runtime": "bench" }))?;
    let (mut reader, mut buffer) = (FrameReader::new(FRAME_MAX_BYTES), [0; 64 * 1024]);
    loop {
        while let Some(body) = reader.next_frame()? {
            if body.starts_with(br#"{"text"#) {
                wire.write_all(&encode(body, FRAME_MAX_BYTES)?)?;
                continue;
            }
            let frame: Value = serde_json::from_slice(body)?;
            match frame["type"].as_str() {
                Some("init") => say(&wire, &json!({ "type": "ready", "operations": ["echo"] }))?,
                Some("call") => {
                    say(&wire, &json!({ "type": "ok", "id": frame["id"], "output": frame["argument"] }))?;
                }
                Some("ping") => say(&wire, &json!({ "type": "pong", "nonce": frame["nonce"] }))?,
                Some("drain") => return Ok(()),
                _ => {}
            }
        }
        match wire.read(&mut buffer)? {
            0 => return Ok(()),
            got => reader.push(&buffer[..got]),
        }
    }
}
