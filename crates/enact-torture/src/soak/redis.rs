//! A Redis server of the soak's own, which syncs what it takes, dies and hangs when it is told to, and is read at the end.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Broken, Result, doing};

pub(super) const STREAM: &str = "soak:events";
/// How long it may take to start.
const START_MAX: Duration = Duration::from_secs(30);
/// Entries that are read at once.
const PAGE: usize = 1_000;

/// One that runs, or was killed.
pub(super) struct Redis {
    child: Child,
    pub(super) port: u16,
    folder: PathBuf,
}

impl Redis {
    /// Starts one on a port, with its data in a folder.
    pub(super) fn start(folder: &Path, port: u16) -> Result<Self> {
        let folder = folder.join("redis");
        std::fs::create_dir_all(&folder).map_err(doing("make a folder for Redis"))?;
        Ok(Self { child: spawn(&folder, port)?, port, folder })
    }
    /// Kills it.
    pub(super) fn kill(&mut self) {
        // It is started again or over; nothing hangs on how it ended.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
    /// Starts it again with what it had, unless it runs.
    pub(super) fn again(&mut self) -> Result<()> {
        if self.child.try_wait().map_err(doing("look after redis-server"))?.is_some() {
            self.child = spawn(&self.folder, self.port)?;
        }
        Ok(())
    }
    /// Lets it hang, or go on.
    pub(super) fn hang(&self, hang: bool) -> Result<()> {
        let signal = if hang { Signal::STOP } else { Signal::CONT };
        let pid =
            Pid::from_raw(self.child.id().cast_signed()).ok_or_else(|| Broken("redis-server has no pid".to_owned()))?;
        kill_process(pid, signal).map_err(doing("signal redis-server"))
    }
    /// Returns the fields of every entry, in their order.
    pub(super) fn entries(&self) -> Result<Vec<BTreeMap<String, String>>> {
        let mut wire = BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).map_err(doing("reach Redis"))?);
        let (mut entries, mut from) = (Vec::new(), "-".to_owned());
        loop {
            let page = PAGE.to_string();
            let Reply::List(list) = ask(&mut wire, &["XRANGE", STREAM, &from, "+", "COUNT", &page])? else {
                return Err(Broken("Redis does not list its stream".to_owned()));
            };
            let Some(Reply::List(last)) = list.last() else { return Ok(entries) };
            let Some(Reply::Text(id)) = last.first() else { return Ok(entries) };
            from = format!("({id}");
            for entry in list {
                let Reply::List(parts) = entry else { continue };
                let Some(Reply::List(fields)) = parts.into_iter().nth(1) else { continue };
                let texts: Vec<String> = fields.into_iter().filter_map(Reply::text).collect();
                let pairs =
                    texts.chunks_exact(2).filter_map(|pair| Some((pair.first()?.clone(), pair.get(1)?.clone())));
                entries.push(pairs.collect());
            }
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether there is one on this machine.
pub(super) fn is_here() -> bool {
    let mut command = Command::new("redis-server");
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn spawn(folder: &Path, port: u16) -> Result<Child> {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"]).arg(folder);
    command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(doing("start redis-server"))?;
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = child.try_wait().map_err(doing("look after redis-server"))?;
        if ended.is_some() || begin.elapsed() > START_MAX {
            let _gone = child.kill();
            return Err(Broken(format!("redis-server does not listen on {port} ({ended:?})")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(child)
}

/// An answer of RESP2.
enum Reply {
    Text(String),
    List(Vec<Reply>),
    None,
}

impl Reply {
    fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn ask(wire: &mut BufReader<TcpStream>, words: &[&str]) -> Result<Reply> {
    let mut bytes = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| bytes.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    wire.get_mut().write_all(bytes.as_bytes()).map_err(doing("ask Redis"))?;
    reply(wire)
}

fn reply(wire: &mut BufReader<TcpStream>) -> Result<Reply> {
    let mut line = String::new();
    wire.read_line(&mut line).map_err(doing("hear Redis"))?;
    let (kind, rest) = line.trim_end().split_at_checked(1).ok_or_else(|| Broken("Redis says nothing".to_owned()))?;
    let number = || rest.parse::<i64>().map_err(doing("read the answer of Redis"));
    match kind {
        "+" | ":" => Ok(Reply::Text(rest.to_owned())),
        "$" => match usize::try_from(number()?) {
            Ok(length) => {
                let mut bytes = vec![0; length + 2];
                wire.read_exact(&mut bytes).map_err(doing("hear Redis"))?;
                bytes.truncate(length);
                Ok(Reply::Text(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Err(_) => Ok(Reply::None),
        },
        "*" => (0..number()?.max(0)).map(|_| reply(wire)).collect::<Result<_>>().map(Reply::List),
        _ => Err(Broken(format!("Redis says {}", line.trim_end()))),
    }
}
