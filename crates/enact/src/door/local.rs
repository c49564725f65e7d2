//! A hub in this process.

use enact_model::conclusion::{Conclusion, DetailCode};
use enact_model::id::ExecutionId;
use enact_model::record::Record;
use enact_model::taxonomy::{Category, Cause, Disposition, Interpretation, Responsibility, Symptom};
use enact_runtime::api::{Caller, Refusal, Request, Response};
use tokio::sync::mpsc;

use super::{Answers, OpenFailure};
use crate::config::Settings;

/// A hub in this process.
pub struct Local {}

impl Local {
    /// Opens the hub on its store.
    ///
    /// # Errors
    /// A store that is held by another process or cannot be opened.
    pub async fn open(settings: &Settings) -> Result<Self, OpenFailure> {
        let code = DetailCode {
            category: Category::Datastore,
            symptom: Symptom::NotImplemented,
            cause: Cause::Capability,
            interpretation: Interpretation::Defect,
            disposition: Disposition::Escalation,
            responsibility: Responsibility::Developer,
        };
        let detail = "this build has no hub".to_owned();
        let conclusion = Box::new(Conclusion::new(code, detail.clone()));
        Err(OpenFailure::Refused { path: settings.store.clone(), detail, conclusion })
    }

    /// Ends the hub.
    pub async fn shutdown(&self, _reason: &str) {}
}

impl Answers for Local {
    async fn handle(&self, _caller: Caller, _request: Request) -> Response {
        Response::Done { message: String::new() }
    }
    async fn watch(&self, _caller: Caller, _execution: ExecutionId) -> Result<mpsc::Receiver<Record>, Box<Refusal>> {
        let (_, records) = mpsc::channel(1);
        Ok(records)
    }
}
