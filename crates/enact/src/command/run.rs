//! `enact run`: calls an operation and waits for its output.

use std::time::Duration;

use clap::Args;
use enact_catalog::meta::of_selector;
use enact_model::id::IntentId;
use enact_model::intent::IntentDraft;
use enact_model::time::Timestamp;
use enact_runtime::api::{ExecutionView, Request, Response};
use serde_json::json;

use super::desk::Desk;
use super::{input, meta, wait};
use crate::door::Need;
use crate::failure::Failure;
use crate::show;

/// What an intent may say.
#[derive(Debug, Args)]
pub struct DraftArgs {
    /// Parameters: JSON, @FILE, or - for standard input [default: {}]
    #[arg(long, short, value_name = "JSON")]
    input: Option<String>,
    /// Idempotency key: the same key and input is the same execution
    #[arg(long)]
    key: Option<String>,
    /// Session [default: default]
    #[arg(long)]
    session: Option<String>,
    /// Solution whose intent types count [default: default]
    #[arg(long)]
    solution: Option<String>,
    /// Longest time for all of it, such as 30s
    #[arg(long, value_name = "DURATION")]
    deadline: Option<String>,
    /// Not before this time (RFC 3339), or so long from now, such as 10m
    #[arg(long, value_name = "TIME")]
    start_after: Option<String>,
    /// Metadata that goes along; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    meta: Vec<(String, String)>,
}

#[derive(Debug, thiserror::Error)]
#[error("it must have the form key=value")]
struct NoPair;

fn pair(text: &str) -> Result<(String, String), NoPair> {
    text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).ok_or(NoPair)
}

/// Reads a duration.
///
/// # Errors
/// A text that is none.
pub fn duration(text: &str) -> Result<Duration, enact_catalog::quantity::QuantityError> {
    enact_catalog::quantity::duration_ms(text).map(Duration::from_millis)
}

impl DraftArgs {
    /// Submits the intent; returns the execution and whether it was there already.
    ///
    /// # Errors
    /// Input that cannot be read, a rejection or a refusal.
    pub async fn submit(self, intent_type: String, desk: &mut Desk) -> Result<(ExecutionView, bool), Failure> {
        let parameters = input::read(self.input.as_deref())?;
        let now = Timestamp::from_system(std::time::SystemTime::now());
        let draft = IntentDraft {
            intent_id: Some(IntentId::from_parts(now.0, random()?).to_string()),
            intent_type: Some(intent_type),
            tenant_id: Some(desk.settings().tenant.to_string()),
            session_id: Some(self.session.unwrap_or_else(|| "default".to_owned())),
            solution_id: Some(self.solution.unwrap_or_else(|| "default".to_owned())),
            parameters: Some(parameters),
            metadata: self.meta.into_iter().collect(),
            created_at: Some(now.to_string()),
            idempotency_key: self.key,
            deadline: self.deadline,
            start_after: self.start_after,
        };
        let request = Request::Submit { draft: Box::new(draft), wait_ms: 0 };
        match desk.ask(Need::Existing, request).await? {
            Response::Accepted { execution, repeated } => Ok((*execution, repeated)),
            Response::Rejected(rejection) => Err(Failure::Rejected(rejection)),
            Response::Refused(refusal) => Err(Failure::Refused(refusal)),
            _ => Err(Failure::Unexpected),
        }
    }
}

fn random() -> Result<u128, Failure> {
    let mut bytes = [0; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| Failure::System { what: "draw a random number", source: error.into() })?;
    Ok(u128::from_le_bytes(bytes))
}

/// Call an operation and wait for its output.
///
/// The output goes to standard output, the id of the execution and everything else to standard error. Ctrl-C lets go of
/// the execution; it does not end it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    enact run content.files.ingest --input '{\"path\": \"in/a.pdf\"}'\n  \
    enact run pricing.quote.issue --input @basket.json --key order-4711 --deadline 30s\n  \
    echo '{}' | enact run pricing.quote.total --input - --json\n  \
    enact run reports.nightly.build --start-after 10m --no-wait")]
pub struct RunArgs {
    /// Operation (component.service.operation) or another intent type
    selector: String,
    #[command(flatten)]
    draft: DraftArgs,
    /// How long to wait for the outcome
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration, conflicts_with = "no_wait")]
    wait: Duration,
    /// Print the id of the execution and do not wait
    #[arg(long)]
    no_wait: bool,
}

impl RunArgs {
    /// Carries the command out.
    ///
    /// # Errors
    /// A rejection, an outcome other than completed, or no outcome in time.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        if let Some((name, question)) = of_selector(&self.selector) {
            let input = input::read(self.draft.input.as_deref())?;
            return meta::ask(name, question, meta::parameters(&input)?, desk).await;
        }
        let wait = (!self.no_wait).then_some(self.wait);
        submit_and_wait(self.draft, self.selector, wait, desk).await
    }
}

/// Submits an intent and waits for its outcome if that is wanted.
///
/// # Errors
/// As [`RunArgs::carry_out`].
pub async fn submit_and_wait(
    draft: DraftArgs,
    intent_type: String,
    wait: Option<Duration>,
    desk: &mut Desk,
) -> Result<(), Failure> {
    let (view, repeated) = draft.submit(intent_type, desk).await?;
    let Some(most) = wait else {
        show::execution::accepted(&view, repeated, &mut desk.out)?;
        if desk.is_local() && view.execution.is_open() {
            desk.out.note("no hub runs: it starts with `enact serve`, or when `enact execution watch` waits for it");
        }
        return Ok(());
    };
    if !desk.out.json {
        let known = if repeated { " (admitted before, under the same key)" } else { "" };
        desk.out.note(&format!("{}{known}", view.execution.id));
    }
    match wait::settled(desk, view, most).await {
        Ok(view) => show::execution::outcome(&view, &mut desk.out),
        Err(failure @ Failure::NotYet { execution, .. }) if desk.out.json => {
            desk.out.document(&json!({ "execution": { "execution": { "id": execution } }, "settled": false }))?;
            Err(failure)
        }
        Err(failure) => Err(failure),
    }
}
