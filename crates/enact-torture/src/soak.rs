//! An hour of mixed load with kills: memory flat, nothing lost, p99 steady.
//!
//! Clients ask a real hub over HTTP at a rate that does not depend on how fast it answers, while it is killed and started again, and
//! its sinks come and go. What was promised is held against what a ledger outside of the hub and the sinks have.

mod account;
mod clients;
mod end;
mod judge;
mod kind;
mod load;
mod parts;
mod redis;
mod report;
mod sample;
mod trouble;
mod web;
mod world;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use enact_runtime::api::{Request, Response, Status};
use tokio::time::{Instant, sleep_until, timeout};

pub use self::judge::Verdict;
use self::redis::Redis;
pub use self::report::{Report, Row};
use self::trouble::Trouble;
use self::web::{Asked, Web};
use self::world::{Tenant, World};
use crate::dice::Dice;
use crate::hub::{Hub, LIMIT, ask};
use crate::{BE_THE_HUB, Broken, Result, check, doing};

/// Whose calls they are.
const TENANTS: [&str; 3] = ["acme", "birch", "cedar"];

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The hub, or a program that is the hub when [`BE_THE_HUB`] is set.
    pub program: PathBuf,
    /// Whether the hub was built with `short-keep`, so that history goes away within the run.
    pub short_keep: bool,
    /// How long the load goes on.
    pub time: Duration,
    /// The hub is killed about so often.
    pub kill_every: Duration,
    /// Calls in a second.
    pub rate: f64,
    /// Where chance begins.
    pub seed: u64,
    /// How long a window is.
    pub window: Duration,
    /// How long settled executions are kept by a hub with `short_keep`.
    pub keep: Duration,
    /// The jar of `examples/jar-scala-pricing`.
    pub jar: Option<PathBuf>,
    /// Whether there is Python for a worker.
    pub python: bool,
    /// Where the soak makes its folder: the disk that is measured.
    pub dir: PathBuf,
}

/// Returns whether this machine has Python, for [`Plan::python`].
pub fn has_python() -> bool {
    let mut command = std::process::Command::new("python3");
    command.arg("--version").stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Returns whether this machine has a Redis server; without one events go to a file only.
pub fn has_redis() -> bool {
    redis::is_here()
}

/// Asks a hub whether it was built with `short-keep`, for [`Plan::short_keep`].
///
/// # Errors
/// It is no hub that can be started.
pub fn keeps_briefly(program: &Path) -> Result<bool> {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().map_err(doing("make a file"))?;
    std::fs::write(&file, "idempotency: { keep: 1m }\n").map_err(doing("write a configuration"))?;
    let mut command = std::process::Command::new(program);
    command.args(["config", "show", "--config"]).arg(file.path()).env(BE_THE_HUB, "1");
    let output = command.output().map_err(doing("start the hub"))?;
    // What an ordinary hub says of a minute names the key.
    match output.status.success() {
        true => Ok(true),
        false if String::from_utf8_lossy(&output.stderr).contains("idempotency.keep") => Ok(false),
        false => Err(Broken(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

/// Soaks a hub in a new folder.
///
/// # Errors
/// It could not be carried out to its end; the folder is kept then, as it is when a verdict fails.
pub async fn run(plan: &Plan) -> Result<Report> {
    std::fs::create_dir_all(&plan.dir).map_err(doing("make a folder"))?;
    let dir = plan.dir.canonicalize().map_err(doing("find the folder"))?;
    let folder = tempfile::Builder::new().prefix("soak-").tempdir_in(dir).map_err(doing("make a folder"))?;
    match soak(plan, folder.path()).await {
        Ok(report) if report.holds() => Ok(report),
        Ok(report) => {
            say(&format!("its folder is kept: {}", folder.keep().display()));
            Ok(report)
        }
        Err(Broken(what)) => Err(Broken(format!("{what}\n  its folder is {}", folder.keep().display()))),
    }
}

#[allow(clippy::print_stderr)]
fn say(what: &str) {
    eprintln!("{what}");
}

/// Everything that one soak has.
struct Soak<'a> {
    plan: &'a Plan,
    folder: &'a Path,
    port: u16,
    hub: Hub,
    world: Arc<World>,
    redis: Option<Redis>,
    hangs: bool,
    /// From a kill to the first answer, in milliseconds.
    kills_ms: Vec<f64>,
    /// From SIGTERM to the first answer.
    drains_ms: Vec<f64>,
    outages: u32,
}

async fn soak(plan: &Plan, folder: &Path) -> Result<Report> {
    let began = Instant::now();
    let mut soak = Soak::start(plan, folder).await?;
    let mut report = Report { skipped: skipped(plan, soak.redis.is_some()), ..Report::default() };
    say(&format!("soaking a hub for {:?} in {} (seed {})", plan.time, folder.display(), plan.seed));
    let load = tokio::spawn(load::calls(Arc::clone(&soak.world), plan.rate, plan.time));
    let samples = tokio::spawn(load::samples(Arc::clone(&soak.world), plan.clone(), folder.to_path_buf()));
    let dropping = tokio::spawn(load::drop_history(folder.join("store"), plan.clone()));
    let end = Instant::now() + plan.time;
    let troubles = trouble::schedule(plan.time, plan.kill_every, &mut Dice(plan.seed));
    let first = Instant::now();
    for (at, trouble) in troubles {
        soak.live_until(first + at).await?;
        soak.meet(trouble).await?;
    }
    soak.live_until(end).await?;
    soak.meet(Trouble::RedisBack).await?;
    let mut calls = load.await.map_err(doing("end the load"))?;
    let samples = samples.await.map_err(doing("end the samples"))?;
    dropping.abort();
    say("the load is over; waiting for the last outcomes and deliveries …");
    while let Some(call) = calls.join_next().await {
        call.map_err(doing("end a call"))?;
    }
    let seen = soak.world.seen();
    let mut faults = soak.last_questions(&seen).await?;
    faults.splice(0..0, soak.world.faults());
    let Soak { world, redis, mut hub, kills_ms, drains_ms, outages, .. } = soak;
    hub.terminate()?;
    hub.die(LIMIT).await?;
    faults.extend(end::verified(plan, folder)?);
    faults.extend(end::agreed(folder, &seen, redis.as_ref())?);
    let restarts = kills_ms.len() + drains_ms.len();
    let said = match faults.as_slice() {
        [] => format!(
            "{} intents acknowledged over {restarts} restarts, each with its outcome and its events",
            seen.len()
        ),
        faults => format!("{} faults:\n  {}", faults.len(), faults.join("\n  ")),
    };
    report.row("time", began.elapsed().as_secs_f64(), "s");
    report.row("intents acknowledged", world.counted() as f64, "intents");
    report.row("calls with an outcome", seen.len() as f64, "calls");
    let in_doubt = seen.iter().filter(|one| matches!(one.end, account::End::Other { may_have_run: true, .. }));
    report.row("in doubt", in_doubt.count() as f64, "executions");
    report.row("outages of Redis", f64::from(outages), "times");
    report.times("killed to first answer", kills_ms);
    report.times("SIGTERM to first answer", drains_ms);
    report.verdicts.push(Verdict::new("nothing is lost", Some(faults.is_empty()), said));
    report.take(&samples);
    Ok(report)
}

fn skipped(plan: &Plan, redis: bool) -> Vec<String> {
    let mut skipped = Vec::new();
    let mut note = |here: bool, what: &str| {
        if !here {
            skipped.push(what.to_owned());
        }
    };
    note(plan.python, "the worker that speaks frames: there is no python3");
    note(plan.jar.is_some(), "the jar: it was not built");
    note(redis, "the Redis sink: there is no redis-server");
    note(plan.short_keep, "history that goes away: this hub was not built with short-keep");
    skipped
}

impl<'a> Soak<'a> {
    /// Starts what is needed, adds the components and makes the tokens.
    async fn start(plan: &'a Plan, folder: &'a Path) -> Result<Self> {
        let redis = if redis::is_here() { Some(Redis::start(folder, free_port()?)?) } else { None };
        parts::configuration(folder, plan, redis.as_ref().map(|redis| redis.port))?;
        let port = free_port()?;
        let mut hub = Hub::start_on(&plan.program, folder, None, port)?;
        let dead = || Broken("the first hub has died".to_owned());
        let mut client = hub.connect().await?.ok_or_else(dead)?;
        for path in parts::components(folder, plan)? {
            match ask(&mut client, Request::ComponentAdd { path }).await? {
                Response::Done { .. } => {}
                other => return Err(Broken(format!("a component was refused: {other:?}"))),
            }
        }
        let token = |tenant: &'static str| {
            let made =
                command(plan, folder, &["token", "create", tenant, "--role", "operator", "--of", tenant, "--json"])?;
            let made: serde_json::Value = serde_json::from_str(&made).map_err(doing("read a token"))?;
            let secret = made.pointer("/secret").and_then(|secret| secret.as_str());
            let operator = secret.ok_or_else(|| Broken("a token has no secret".to_owned()))?.to_owned();
            Ok(Tenant { name: tenant, operator })
        };
        let tenants = TENANTS.into_iter().map(token).collect::<Result<Vec<_>>>()?;
        let web = Web::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let world = Arc::new(World::new(web, tenants, plan, hub.pid().ok_or_else(dead)?));
        let (kills_ms, drains_ms) = (Vec::new(), Vec::new());
        Ok(Self { plan, folder, port, hub, world, redis, hangs: false, kills_ms, drains_ms, outages: 0 })
    }

    /// Lets the hub be until then; it must not die by itself.
    async fn live_until(&mut self, then: Instant) -> Result<()> {
        tokio::select! {
            () = sleep_until(then) => Ok(()),
            ended = self.hub.ended() => Err(Broken(format!("the hub died by itself: {ended}"))),
        }
    }

    async fn meet(&mut self, trouble: Trouble) -> Result<()> {
        match (trouble, &mut self.redis) {
            (Trouble::Kill | Trouble::Drain, _) => return self.restart(trouble).await,
            (_, None) => {}
            (Trouble::RedisHangs, Some(redis)) => {
                redis.hang(true)?;
                (self.hangs, self.outages) = (true, self.outages + 1);
            }
            (Trouble::RedisDies, Some(redis)) => {
                redis.kill();
                self.outages += 1;
            }
            (Trouble::RedisBack, Some(redis)) => {
                let hangs = std::mem::take(&mut self.hangs);
                tokio::task::block_in_place(|| if hangs { redis.hang(false) } else { redis.again() })?;
            }
        }
        Ok(())
    }

    /// Ends the hub and starts it again; it is back when it has answered a question over HTTP.
    async fn restart(&mut self, trouble: Trouble) -> Result<()> {
        let begin = Instant::now();
        self.world.goes();
        if trouble == Trouble::Drain {
            self.hub.terminate()?;
        }
        let patience = if trouble == Trouble::Drain { LIMIT } else { Duration::ZERO };
        let next = || Hub::start_on(&self.plan.program, self.folder, None, self.port);
        // A port is one hub's, and so is the store: the next one starts when the former is dead.
        self.hub.die(patience).await?;
        self.hub = next()?;
        let pid = self.hub.pid().unwrap_or_default();
        let token = self.world.tenants.first().map(|tenant| tenant.operator.clone()).unwrap_or_default();
        let asked = Asked::get(&token, "/v1/executions?limit=1");
        loop {
            match timeout(LIMIT, self.world.web.once(&asked)).await {
                Ok(Some(answer)) if answer.status == 200 => break,
                _ if begin.elapsed() > LIMIT * 2 => return Err(Broken("the hub does not answer again".to_owned())),
                _ => self.live_until(Instant::now() + Duration::from_millis(3)).await?,
            }
        }
        self.world.is_back(pid);
        let took = begin.elapsed().as_secs_f64() * 1e3;
        if trouble == Trouble::Drain {
            self.drains_ms.push(took)
        } else {
            self.kills_ms.push(took)
        }
        if let Some(status) = status(&self.folder.join("store")).await {
            check::reaped(&status.store_id, status.epoch)?;
        }
        Ok(())
    }
}

/// Asks how the hub is; none if it is away.
async fn status(store: &Path) -> Option<Status> {
    let asked = async {
        let mut client = enact_cli::socket::client::Client::connect(store).await.ok()?;
        match ask(&mut client, Request::Status).await.ok()? {
            Response::Status(status) => Some(*status),
            _ => None,
        }
    };
    timeout(Duration::from_secs(5), asked).await.ok().flatten()
}

/// Carries out a command line in the folder of the soak; returns what it writes.
fn command(plan: &Plan, folder: &Path, words: &[&str]) -> Result<String> {
    let mut command = std::process::Command::new(&plan.program);
    command.args(words).arg("--store").arg(folder.join("store")).current_dir(folder);
    command.env(BE_THE_HUB, "1").env("ENACT_CONFIG", folder.join("enact.yaml")).stdin(std::process::Stdio::null());
    let output = command.output().map_err(doing("start a command"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    Err(Broken(format!("`enact {}` ends with {}: {}", words.join(" "), output.status, said.trim())))
}

/// Returns a port that was free a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(doing("find a free port"))?;
    listener.local_addr().map(|address| address.port()).map_err(doing("find a free port"))
}
