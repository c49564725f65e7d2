//! What a worker logs, kept only while it is clear whose it is: one worker serves calls of several tenants.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use enact_model::id::TenantId;
use enact_model::limits::LOG_TAIL_MAX_BYTES;
use rustix::event::{PollFd, PollFlags, Timespec};
use tokio::net::unix::pipe;

/// How much is read from a pipe at once, in bytes.
const CHUNK_BYTES: usize = 8 * 1024;
/// Most chunks that are read from a pipe before a call begins or ends; no pipe holds more (1 MiB).
const SWEEP_CHUNKS_MAX: usize = 128;

/// Whose the lines are that come now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    /// The component's: no call has reached the worker yet.
    Start,
    /// Nobody's: no call is in flight, or calls of several tenants are.
    Nobody,
    /// This tenant's: every call in flight is one of its.
    Tenant(TenantId),
}

/// The log of one worker: its standard output, its standard error, and the lines that come over the wire.
#[derive(Debug)]
pub(super) struct Log {
    pipes: [pipe::Receiver; 2],
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    whose: Whose,
    kept: VecDeque<u8>,
    /// How many bytes were ever kept; a position in the log.
    end: u64,
    lines: [Line; 2],
    chunk: Vec<u8>,
}

/// Where a pipe is within a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Begins,
    Within,
    /// Within one that began as somebody else's.
    Foreign,
}

impl Log {
    pub fn new(pipes: [pipe::Receiver; 2]) -> Arc<Self> {
        let state = State {
            whose: Whose::Start,
            kept: VecDeque::new(),
            end: 0,
            lines: [Line::Begins; 2],
            chunk: vec![0; CHUNK_BYTES],
        };
        Arc::new(Self { pipes, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads both pipes in the background, each to its end.
    pub fn follow(self: &Arc<Self>) -> [tokio::task::JoinHandle<()>; 2] {
        [0, 1].map(|at| tokio::spawn(self.clone().follow_one(at)))
    }

    async fn follow_one(self: Arc<Self>, at: usize) {
        let Some(pipe) = self.pipes.get(at) else { return };
        let mut chunk = vec![0; CHUNK_BYTES];
        while pipe.readable().await.is_ok() {
            // Under the lock, so that nothing is on its way when the log changes hands.
            let mut state = self.state();
            match pipe.try_read(&mut chunk) {
                Ok(0) => return,
                Ok(count) => state.take(at, chunk.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    /// Adds a line that came over the wire.
    pub fn line(&self, message: &str) {
        let mut state = self.state();
        state.keep(message.as_bytes());
        state.keep(b"\n");
    }

    /// From now on the lines are somebody's; what waits in the pipes is still whose it was. Returns the position.
    pub fn turn(&self, whose: Whose) -> u64 {
        let mut state = self.state();
        // Otherwise whoever reads it next reads it for the same.
        if state.whose != whose {
            self.sweep(&mut state);
            state.hand_over(whose);
        }
        state.end
    }

    /// From now on the lines are nobody's, and so is what waits in the pipes: whoever was served has had what they want.
    pub fn rest(&self) {
        self.state().hand_over(Whose::Nobody);
    }

    /// Takes what waits in the pipes.
    fn sweep(&self, state: &mut State) {
        // Not by the reactor, which may not know yet that there is something. One question for both: mostly there is nothing.
        let [out, err] = &self.pipes;
        let mut asked = [out, err].map(|pipe| PollFd::new(pipe, PollFlags::IN));
        if !rustix::event::poll(&mut asked, Some(&Timespec::default())).is_ok_and(|ready| ready > 0) {
            return;
        }
        let mut chunk = std::mem::take(&mut state.chunk);
        for (at, pipe) in self.pipes.iter().enumerate() {
            for _ in 0..SWEEP_CHUNKS_MAX {
                let Ok(count @ 1..) = rustix::io::read(pipe, &mut chunk) else { break };
                state.take(at, chunk.get(..count).unwrap_or_default());
            }
        }
        state.chunk = chunk;
    }

    /// Returns the last of what was kept after a position, if there is any.
    pub fn since(&self, from: u64) -> Option<String> {
        let mut state = self.state();
        self.sweep(&mut state);
        let length = usize::try_from(state.end.saturating_sub(from)).unwrap_or(usize::MAX).min(state.kept.len());
        let bytes: Vec<u8> = state.kept.iter().skip(state.kept.len() - length).copied().collect();
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl State {
    fn hand_over(&mut self, whose: Whose) {
        self.whose = whose;
        for line in &mut self.lines {
            *line = if *line == Line::Begins { Line::Begins } else { Line::Foreign };
        }
    }

    /// Takes what came from a pipe, but for the rest of a line that began as somebody else's.
    fn take(&mut self, at: usize, bytes: &[u8]) {
        let Some(line) = self.lines.get_mut(at) else { return };
        let own = match (*line, bytes.iter().position(|byte| *byte == b'\n')) {
            (Line::Foreign, None) => return,
            (Line::Foreign, Some(end)) => bytes.get(end + 1..).unwrap_or_default(),
            _ => bytes,
        };
        *line = if bytes.ends_with(b"\n") { Line::Begins } else { Line::Within };
        self.keep(own);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.whose == Whose::Nobody {
            return;
        }
        self.end += bytes.len() as u64;
        self.kept.extend(bytes.get(bytes.len().saturating_sub(LOG_TAIL_MAX_BYTES)..).unwrap_or(bytes));
        let over = self.kept.len().saturating_sub(LOG_TAIL_MAX_BYTES);
        self.kept.drain(..over);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;

    fn tenant(name: &str) -> Whose {
        Whose::Tenant(name.parse().unwrap())
    }

    fn log() -> (Arc<Log>, [std::io::PipeWriter; 2]) {
        let [(out, to_out), (err, to_err)] = [0, 1].map(|_| std::io::pipe().unwrap());
        let receiver = |reader| pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).unwrap();
        (Log::new([receiver(out), receiver(err)]), [to_out, to_err])
    }

    #[tokio::test]
    async fn what_waits_in_a_pipe_belongs_to_whoever_was_served_before() {
        let (log, [mut out, mut err]) = log();
        let alice = log.turn(tenant("alice"));
        writeln!(err, "of alice").unwrap();
        let bob = log.turn(tenant("bob"));
        writeln!(out, "of bob").unwrap();
        log.turn(Whose::Nobody);
        writeln!(out, "of nobody").unwrap();
        let carol = log.turn(tenant("carol"));
        assert_eq!(log.since(alice).as_deref(), Some("of alice\nof bob\n"));
        assert_eq!((log.since(bob).as_deref(), log.since(carol)), (Some("of bob\n"), None));
    }

    #[tokio::test]
    async fn the_rest_of_a_line_that_began_as_somebody_elses_is_nobodys() {
        let (log, [mut out, mut err]) = log();
        log.turn(tenant("alice"));
        write!(err, "the key of alice is 4").unwrap();
        let bob = log.turn(tenant("bob"));
        write!(err, "71").unwrap();
        log.turn(tenant("bob"));
        write!(err, "1\nof bob\n").unwrap();
        writeln!(out, "another pipe").unwrap();
        log.turn(tenant("bob"));
        assert_eq!(log.since(bob).as_deref(), Some("another pipe\nof bob\n"));
    }

    #[tokio::test]
    async fn what_waits_in_a_pipe_is_nobodys_once_nobody_wants_it_and_never_the_next_ones() {
        let (log, [mut out, mut err]) = log();
        let alice = log.turn(tenant("alice"));
        writeln!(out, "of alice").unwrap();
        write!(err, "half of ").unwrap();
        log.rest();
        writeln!(out, "of nobody").unwrap();
        let bob = log.turn(tenant("bob"));
        writeln!(err, "alice's").unwrap();
        writeln!(out, "of bob").unwrap();
        assert_eq!((log.since(bob).as_deref(), bob), (Some("of bob\n"), alice));
    }

    #[tokio::test]
    async fn the_log_keeps_its_end() {
        let (log, _pipes) = log();
        log.line(&"a".repeat(3 * LOG_TAIL_MAX_BYTES));
        log.line("end");
        let text = log.since(0).unwrap();
        assert_eq!(text.len(), LOG_TAIL_MAX_BYTES);
        assert!(text.ends_with("a\nend\n"));
    }
}
