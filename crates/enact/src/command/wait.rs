//! Waits for an execution, shows that it does, and lets go of it when it is told to.

use std::time::Duration;

use enact_model::id::ExecutionId;
use enact_runtime::api::{ExecutionView, Request, Response};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::desk::Desk;
use super::signal::Ends;
use crate::door::Need;
use crate::failure::Failure;
use crate::output::text;
use crate::show::execution::waits_for;

/// How long one question waits before the next one tells what it waits for by then.
const SLICE: Duration = Duration::from_secs(2);
/// Between two pictures of the progress.
const TICK: Duration = Duration::from_millis(120);
/// How long a command waits before it says so.
const QUIET: Duration = Duration::from_millis(700);
/// The pictures.
const PICTURES: [&str; 4] = ["|", "/", "-", "\\"];

/// Waits until an execution is settled.
///
/// # Errors
/// [`Failure::NotYet`] when the time is over or a signal came; the execution goes on.
pub async fn settled(desk: &mut Desk, view: ExecutionView, most: Duration) -> Result<ExecutionView, Failure> {
    let mut ends = Ends::listen()?;
    let execution = view.execution.id;
    let caller = desk.caller();
    let begin = Instant::now();
    let give_up = begin + most;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut pictures = PICTURES.iter().cycle();
    let mut view = view;
    desk.door(Need::Existing).await?.call_for(execution).await?;
    while view.execution.is_open() {
        let left = give_up.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let message = format!("{execution} is not settled after {}{}", text::duration(most), reason(&view));
            return Err(let_go(desk, execution, message));
        }
        let wait_ms = left.min(SLICE).as_millis() as u64 + 1;
        let waits = reason(&view);
        desk.door(Need::Existing).await?;
        // The door is borrowed by the question while the output draws, so the two are taken apart.
        let asked = {
            let (door, out) = desk.parts()?;
            let answer = door.ask(&caller, Request::Await { execution, wait_ms });
            tokio::pin!(answer);
            loop {
                tokio::select! {
                    response = &mut answer => break Ok(response?),
                    signal = ends.next() => {
                        out.clear_progress();
                        break Err(format!("let go of {execution} on {signal}{waits}"));
                    }
                    _ = tick.tick() => {
                        let since = begin.elapsed();
                        if since > QUIET {
                            let picture = pictures.next().copied().unwrap_or_default();
                            let since = text::duration(Duration::from_secs(since.as_secs()));
                            out.draw_progress(&format!("{picture} {execution} {since}{waits}"));
                        }
                    }
                }
            }
        };
        view = match asked.map_err(|message| let_go(desk, execution, message))? {
            Response::Execution(view) => *view,
            Response::Accepted { execution, .. } => *execution,
            Response::Refused(refusal) => return Err(Failure::Refused(refusal)),
            _ => return Err(Failure::Unexpected),
        };
    }
    desk.out.clear_progress();
    Ok(view)
}

fn reason(view: &ExecutionView) -> String {
    waits_for(view).map(|what| format!(": it waits for {}", text::one_line(&what))).unwrap_or_default()
}

/// Says what becomes of an execution that nobody waits for any more.
pub fn let_go(desk: &Desk, execution: ExecutionId, mut message: String) -> Failure {
    if desk.is_local() {
        let grace = text::duration(Duration::from_millis(desk.settings().shutdown_grace.0));
        message.push_str("; no hub runs but this command's, so an attempt has ");
        message.push_str(&grace);
        message.push_str(" left to end, and what may run again goes on with the next hub");
    }
    Failure::NotYet { execution, message }
}
