//! What a hub holds that has nothing to do: `enact serve` in its own process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Failure;
use crate::options::Options;
use crate::report::Row;

/// DESIGN §6.
const TARGET_MIB: f64 = 40.0;
/// A hub that has just started still tidies up.
const SETTLE: Duration = Duration::from_secs(2);

/// Measures the release build of `enact` that lies beside this program.
pub fn measure(options: &Options) -> Result<Vec<Row>, Failure> {
    let program = std::env::current_exe()?.with_file_name("enact");
    if !program.exists() {
        return Err(format!("{} is missing: `cargo build --release -p enact` makes it", program.display()).into());
    }
    let folder = tempfile::tempdir_in(&options.dir)?;
    let mut serve = Command::new(program);
    serve.arg("--store").arg(folder.path().join("store")).arg("serve");
    serve.env("ENACT_HTTP_LISTEN", "127.0.0.1:0").current_dir(folder.path());
    let mut serve = serve.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let resident = resident_mib(&mut serve);
    if let Some(pid) = i32::try_from(serve.id()).ok().and_then(rustix::process::Pid::from_raw) {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    }
    serve.wait()?;
    Ok(vec![Row::new("idle memory", 0, resident?, "MiB").beside(TARGET_MIB)])
}

fn resident_mib(serve: &mut Child) -> Result<f64, Failure> {
    let ready = serve.stdout.as_mut().ok_or("its output cannot be read")?;
    let mut line = String::new();
    if BufReader::new(ready).read_line(&mut line)? == 0 {
        return Err("`enact serve` ended before it was ready".into());
    }
    std::thread::sleep(SETTLE);
    let status = std::fs::read_to_string(format!("/proc/{}/status", serve.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("VmRSS is not told")?;
    let kib: f64 = line.split_ascii_whitespace().next().ok_or("VmRSS is empty")?.parse()?;
    Ok(kib / 1024.0)
}
