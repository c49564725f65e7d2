//! `enact status`, `enact doctor` and `enact stop`: how the hub is, and its end.

use std::time::Duration;

use clap::Args;
use enact_runtime::api::{Request, Response};
use serde_json::json;
use tokio::time::Instant;

use super::desk::Desk;
use super::run::duration;
use crate::door::remote::RemoteError;
use crate::door::{Need, held_in_silence};
use crate::failure::Failure;
use crate::show;
use crate::socket::client::ClientError;

/// Between two looks at a hub that is ending.
const LOOK: Duration = Duration::from_millis(50);

/// Show how the hub is.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  enact status --json")]
pub struct StatusArgs {}

impl StatusArgs {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        desk.ask_and_show(Need::Existing, Request::Status).await?;
        if desk.is_local() && !desk.out.json {
            desk.out.note("no hub runs on this store; this command opened it for a moment");
        }
        Ok(())
    }
}

/// Check that everything is as it should be.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  enact doctor")]
pub struct DoctorArgs {}

impl DoctorArgs {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses; problems that it found.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        desk.ask_and_show(Need::Existing, Request::Doctor).await
    }
}

/// End the hub that holds the store: what runs is finished or waits durably.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  enact stop --reason 'update'")]
pub struct StopArgs {
    /// Why
    #[arg(long, default_value = "asked on the command line")]
    reason: String,
    /// How long to wait until it has ended
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    wait: Duration,
}

impl StopArgs {
    /// Carries the command out; without a hub there is nothing to do.
    ///
    /// # Errors
    /// A hub that cannot be reached, also because its socket is gone, or has not ended in time.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        match desk.ask(Need::Running, Request::Shutdown { reason: self.reason }).await {
            Ok(Response::Done { .. }) => {}
            Ok(other) => return show::show(other, &mut desk.out),
            // A hub whose socket is gone holds the store all the same.
            Err(Failure::Client(ClientError::NoHub)) => match held_in_silence(&desk.settings().store).await {
                Some(held) => return Err(held.into()),
                None => return say(desk, "no hub runs on this store"),
            },
            Err(failure) => return Err(failure),
        }
        let give_up = Instant::now() + self.wait;
        while Instant::now() < give_up {
            match desk.ask(Need::Running, Request::Status).await {
                Err(
                    Failure::Client(ClientError::NoHub | ClientError::Lost)
                    | Failure::Remote(RemoteError::Unreachable(_) | RemoteError::Lost(_)),
                ) => return say(desk, "the hub has ended"),
                _ => tokio::time::sleep(LOOK).await,
            }
        }
        Err(Failure::Client(ClientError::Silent))
    }
}

fn say(desk: &mut Desk, message: &str) -> Result<(), Failure> {
    if desk.out.json { desk.out.document(&json!({ "message": message })) } else { desk.out.line(message) }
}
