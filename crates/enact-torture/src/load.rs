//! The load: intents of two kinds, and what of them was acknowledged.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use enact_cli::socket::client::Client;
use enact_model::id::ExecutionId;
use enact_model::intent::IntentDraft;
use enact_model::json::Json;
use enact_runtime::api::{Request, Response};

use crate::dice::Dice;
use crate::hub::caller;
use crate::{Result, doing};

/// An intent that a hub has acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    pub(crate) execution: ExecutionId,
    pub(crate) draft: IntentDraft,
    /// Whether it may run only once.
    pub(crate) once: bool,
}

/// What was acknowledged in one round.
pub(crate) type Heard = Arc<Mutex<Vec<Acknowledged>>>;

/// Writes the component whose handlers keep the ledger.
pub(crate) fn component(folder: &Path) -> Result<()> {
    let ledger = folder.join("ledger");
    let run = |pause: &str, ledger: &Path| {
        let line = r#"echo "$ENACT_EXECUTION_ID $ENACT_ATTEMPT $ENACT_IDEMPOTENCY_TOKEN" >> "#;
        format!("[sh, -c, '{line}{}; sleep {pause}; echo true']", ledger.display())
    };
    let (short, long) = (run("0", &ledger), run("0.05", &ledger));
    let text = format!(
        r#"component: torture
version: 1.0.0
process: {{ command: [sh] }}
services:
  run:
    once: {{ kind: command, call: {{ command: {short}, stdin: empty }}, emits: [{{ type: done, key: /key }}] }}
    once-slow: {{ kind: command, call: {{ command: {long}, stdin: empty }}, emits: [{{ type: done, key: /key }}] }}
    again:
      kind: command
      idempotent: true
      retry: {{ attempts: 50, backoff: 5ms..20ms }}
      call: {{ command: {short}, stdin: empty, stdout: ignore }}
      produces: [{{ artifact: said.txt, from: stdout }}]
      emits: [{{ type: done, key: /key }}]
    again-slow:
      kind: command
      idempotent: true
      concurrency: {{ limit: 2, key: /key }}
      call: {{ command: {long}, stdin: empty }}
      emits: [{{ type: done, key: /key }}]
"#
    );
    std::fs::create_dir_all(folder.join("component")).map_err(doing("make a folder"))?;
    std::fs::write(folder.join("component/component.yaml"), text).map_err(doing("write the component"))
}

/// Submits until the hub is gone.
pub(crate) async fn submit(mut client: Client, heard: Heard, mut dice: Dice) {
    let Ok(caller) = caller() else { return };
    loop {
        let (number, kind) = (dice.below(u64::MAX), dice.below(4));
        let operation = ["once", "once-slow", "again", "again-slow"].get(kind as usize).copied().unwrap_or("once");
        let parameters = serde_json::json!({ "key": format!("k{}", number % 5), "n": number });
        let draft = IntentDraft {
            intent_type: Some(format!("torture.run.{operation}")),
            parameters: Some(Json::from(&parameters)),
            idempotency_key: Some(format!("{number:016x}")),
            ..IntentDraft::default()
        };
        let wait_ms = [0, 0, 100].get(dice.below(3) as usize).copied().unwrap_or(0);
        let request = Request::Submit { draft: Box::new(draft.clone()), wait_ms };
        match client.ask(&caller, request).await {
            Ok(Response::Accepted { execution, .. }) => {
                let acknowledged = Acknowledged { execution: execution.execution.id, draft, once: kind < 2 };
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(acknowledged);
            }
            // Too much is open, or it is going down.
            Ok(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            Err(_) => return,
        }
    }
}
