//! Real servers on private ports with folders of their own, ended with the test.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::skip::skip;

/// Longest time for a server to start, on a machine that is busy.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A server that can be ended and started again with what it had.
pub struct Server {
    program: &'static str,
    args: Vec<String>,
    pub port: u16,
    _folder: TempDir,
    child: Option<Child>,
}

/// Returns a port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    fn new(program: &'static str, args: impl FnOnce(u16, &str) -> Vec<String>) -> Option<Self> {
        if Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            skip(&format!("{program} is not here; `cargo xtask setup` brings it"));
            return None;
        }
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let args = args(port, folder.path().to_str().unwrap());
        let mut server = Self { program, args, port, _folder: folder, child: None };
        server.start();
        Some(server)
    }
    /// A Redis server that has synced what it acknowledges.
    pub fn redis(more: &[&str]) -> Option<Self> {
        Self::new("redis-server", |port, folder| {
            let own =
                format!("--port {port} --bind 127.0.0.1 --dir {folder} --appendonly yes --appendfsync always --save");
            let own = own.split(' ').map(str::to_owned).chain([String::new()]);
            own.chain(more.iter().map(|word| word.replace("PORT", &port.to_string()))).collect()
        })
    }
    /// A NATS server with JetStream.
    pub fn nats(more: &[&str]) -> Option<Self> {
        Self::new("nats-server", |port, folder| {
            let own = format!("-a 127.0.0.1 -p {port} -js -sd {folder}");
            own.split(' ').chain(more.iter().copied()).map(str::to_owned).collect()
        })
    }
    pub fn start(&mut self) {
        let mut command = Command::new(self.program);
        command.args(&self.args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        let end = Instant::now() + START_LIMIT;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "{} does not listen", self.program);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    /// Ends it as an operator does; what it had acknowledged it has again afterwards.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
