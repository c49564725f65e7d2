//! The rounds: a hub under load that dies, then a hub that answers for it.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use enact_runtime::api::{Request, Response};
use enact_store::crash::POINTS;

use crate::check::{self, Known};
use crate::dice::Dice;
use crate::hub::{Hub, ask};
use crate::load::{self, Acknowledged, Heard};
use crate::{Broken, Result, doing};

/// Connections that submit.
const SUBMITTERS: u64 = 6;
/// The first rounds replay the log, and then every so many: what that takes grows with all that was logged.
const REPLAYED: u64 = 20;
/// Executions of earlier rounds that each round looks at again.
const LOOKED_AT_AGAIN: usize = 20;
/// How long a hub under load may take to come by a place that it must come by.
const MUST_COME_BY: Duration = Duration::from_secs(30);
/// How long it is given for one that it may miss.
const MAY_COME_BY: Duration = Duration::from_millis(1_500);

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// This program, which is the hub when [`crate::BE_THE_HUB`] is set.
    pub program: PathBuf,
    /// Most rounds.
    pub rounds: u64,
    /// Longest time for all of them.
    pub time: Duration,
    /// Where chance begins.
    pub seed: u64,
    /// Whether hubs end at named places too: the first rounds take them in turn, one each, and later ones at random.
    pub named: bool,
}

/// What was done.
#[derive(Debug, Default, Clone)]
pub struct Account {
    /// Rounds.
    pub rounds: u64,
    /// Hubs that ended by themselves at the named place that they were told.
    pub named: u64,
    /// Those places.
    pub places: BTreeSet<&'static str>,
    /// Intents that were acknowledged.
    pub acknowledged: u64,
    /// Those of them that ended in doubt.
    pub in_doubt: u64,
}

/// Tortures a hub in a new folder.
///
/// # Errors
/// The first thing that must not be, with the round and the command that repeats it; the folder is kept then.
pub async fn run(plan: &Plan) -> Result<Account> {
    let folder = tempfile::tempdir().map_err(doing("make a folder"))?;
    let mut account = Account::default();
    match rounds(plan, folder.path(), &mut account).await {
        Ok(()) => Ok(account),
        Err(Broken(what)) => {
            let kept = folder.keep();
            let (round, seed) = (account.rounds + 1, plan.seed);
            let again = format!("cargo xtask torture --rounds {round} --seed {seed}");
            Err(Broken(format!("round {round}: {what}\n  its folder is {}\n  again: {again}", kept.display())))
        }
    }
}

async fn rounds(plan: &Plan, folder: &Path, account: &mut Account) -> Result<()> {
    std::fs::write(folder.join("enact.yaml"), "log: { level: warn }\n").map_err(doing("write a configuration"))?;
    load::component(folder)?;
    let (began, mut dice) = (Instant::now(), Dice(plan.seed));
    let (mut all, mut known): (Vec<Acknowledged>, Known) = (Vec::new(), Known::new());
    let mut hub = Hub::start(&plan.program, folder, None)?;
    let mut client = hub.connect().await?.ok_or_else(|| Broken("the first hub has died".to_owned()))?;
    let path = folder.join("component").display().to_string();
    match ask(&mut client, Request::ComponentAdd { path }).await? {
        Response::Done { .. } => hub.die(Duration::ZERO).await.map(drop)?,
        other => return Err(Broken(format!("the component was refused: {other:?}"))),
    }
    let mut in_turn = POINTS.iter().copied().filter(|_| plan.named);
    while account.rounds < plan.rounds && began.elapsed() < plan.time {
        let must = in_turn.next();
        let place = must.or_else(|| dice.one_of(POINTS).filter(|_| plan.named && dice.below(4) > 0).copied());
        // Some places are passed a hundred times while others are passed once.
        let end = place.map(|name| End {
            name,
            passage: 1 + dice.below(passages(name, must.is_some())),
            patience: if must.is_some() { MUST_COME_BY } else { MAY_COME_BY },
        });
        let (heard, there) = batter(plan, folder, end.as_ref(), &mut dice).await?;
        match (must, there) {
            (Some(name), false) => return Err(Broken(format!("the hub never came by {name}, where it was to end"))),
            (_, true) => {
                account.named += 1;
                account.places.extend(place);
            }
            (None, false) => {}
        }
        let heard = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
        answer_for(plan, folder, &heard, &all, &mut known, &mut dice, account).await?;
        all.extend(heard);
        account.rounds += 1;
        if account.rounds.is_multiple_of(10) {
            progress(account);
        }
    }
    Ok(())
}

#[allow(clippy::print_stderr)]
fn progress(account: &Account) {
    eprintln!("{} rounds, {} intents acknowledged …", account.rounds, account.acknowledged);
}

/// Where a hub is to end.
struct End {
    name: &'static str,
    /// Which time that it comes by.
    passage: u64,
    /// How long it may take; it is killed then.
    patience: Duration,
}

/// Returns how often a hub comes by a place at least while it is under load, or might if it need not.
fn passages(name: &str, must: bool) -> u64 {
    match (name.split_once('-'), must) {
        (Some(("retention", _)), true) => 1,
        (Some(("retention", _)), false) | (Some(("tables", _)), true) => 2,
        (_, true) => 20,
        (_, false) => 60,
    }
}

/// A hub under load, until it is dead; tells whether it ended where it was to.
async fn batter(plan: &Plan, folder: &Path, end: Option<&End>, dice: &mut Dice) -> Result<(Heard, bool)> {
    let heard = Heard::default();
    let crash = end.map(|end| format!("{}:{}", end.name, end.passage));
    let mut hub = Hub::start(&plan.program, folder, crash.as_deref())?;
    let mut submitters = tokio::task::JoinSet::new();
    for _ in 0..SUBMITTERS {
        let Some(client) = hub.connect().await? else { break };
        submitters.spawn(load::submit(client, Heard::clone(&heard), Dice(dice.below(u64::MAX))));
    }
    if end.is_some_and(|end| end.name.starts_with("retention"))
        && let Some(mut client) = hub.connect().await?
    {
        submitters.spawn(async move {
            // It may die in the middle of it: that is the point.
            let _ = ask(&mut client, Request::HistoryDrop { older_than_ms: 0, reason: "torture".into() }).await;
        });
    }
    let patience = end.map_or_else(|| Duration::from_millis(20 + dice.below(400)), |end| end.patience);
    let status = hub.die(patience).await?;
    submitters.join_all().await;
    // A place ends its hub as nothing else does: the torture kills, and a panic ends no hub.
    let there = end.is_some() && status.signal() == Some(rustix::process::Signal::ABORT.as_raw());
    Ok((heard, there))
}

/// The hub after it: everything acknowledged has its outcome, and everything else holds.
async fn answer_for(
    plan: &Plan,
    folder: &Path,
    heard: &[Acknowledged],
    all: &[Acknowledged],
    known: &mut Known,
    dice: &mut Dice,
    account: &mut Account,
) -> Result<()> {
    let mut hub = Hub::start(&plan.program, folder, None)?;
    let mut client = hub.connect().await?.ok_or_else(|| Broken("the hub does not start again".to_owned()))?;
    match ask(&mut client, Request::Status).await? {
        Response::Status(status) => check::reaped(&status.store_id, status.epoch)?,
        other => return Err(Broken(format!("the status is {other:?}"))),
    }
    check::health(&mut client).await?;
    let earlier: Vec<&Acknowledged> = (0..LOOKED_AT_AGAIN).filter_map(|_| dice.one_of(all)).collect();
    let mut ended = Vec::with_capacity(heard.len());
    for one in heard.iter().chain(earlier.iter().copied()) {
        let view = check::outcome(&mut client, one, known).await?;
        ended.push((one.clone(), view));
    }
    for one in heard.iter().take(30).chain(earlier) {
        check::one(&mut client, one).await?;
    }
    check::delivered(&mut client).await?;
    check::ledger(folder, &ended)?;
    check::health(&mut client).await?;
    if account.rounds < REPLAYED || account.rounds.is_multiple_of(REPLAYED) {
        check::replays(&mut client).await?;
    }
    account.acknowledged += heard.len() as u64;
    let doubt = |view: &enact_runtime::api::ExecutionView| view.outcome().is_some_and(|outcome| outcome.may_have_run());
    account.in_doubt += ended.iter().take(heard.len()).filter(|(_, view)| doubt(view)).count() as u64;
    hub.die(Duration::ZERO).await.map(drop)
}
