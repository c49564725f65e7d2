//! Signals that ask a process to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// The signals that ask to end: `SIGINT`, `SIGTERM`, and `SIGHUP`, which comes when the terminal is closed; under `nohup`
/// it is ignored and stays so.
pub struct Ends {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Option<Signal>,
}

impl Ends {
    /// Begins to listen; from now on they do not end the process by themselves.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|source| Failure::System { what: "listen for signals", source });
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: (!ignores_hang_up()).then(|| listen(SignalKind::hangup())).transpose()?,
        })
    }

    /// Begins to listen as a service does: without a terminal there is none that could be closed, and `SIGHUP` asks for
    /// something else.
    ///
    /// # Errors
    /// What the system says.
    pub fn of_service() -> Result<Self, Failure> {
        let ends = Self::listen()?;
        Ok(if on_terminal() { ends } else { Self { hang_up: None, ..ends } })
    }

    /// Waits for the next one and returns its name.
    ///
    /// # Cancel safety
    /// No signal is lost.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            Some(_) = next_of(self.hang_up.as_mut()) => "SIGHUP",
        }
    }
}

/// `SIGHUP` of a process without a terminal.
pub struct HangUps(Option<Signal>);

impl HangUps {
    /// Begins to listen.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen() -> Result<Self, Failure> {
        let listen = || signal(SignalKind::hangup());
        let signal = (!on_terminal() && !ignores_hang_up()).then(listen).transpose();
        signal.map(Self).map_err(|source| Failure::System { what: "listen for signals", source })
    }

    /// Waits for the next one; on a terminal none comes.
    ///
    /// # Cancel safety
    /// No signal is lost.
    pub async fn next(&mut self) {
        if next_of(self.0.as_mut()).await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

fn on_terminal() -> bool {
    use std::io::IsTerminal;
    std::io::stdin().is_terminal() || std::io::stderr().is_terminal()
}

async fn next_of(signal: Option<&mut Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => None,
    }
}

/// Returns whether whoever started this process had it ignore `SIGHUP`.
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Signal 1 is the lowest bit.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
