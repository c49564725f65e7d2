//! How an execution ended.

use serde::{Deserialize, Serialize};

use crate::conclusion::Conclusion;
use crate::observation::StoredArtifact;
use crate::payload::Payload;

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The handler did what was asked.
    Completed {
        /// Its output.
        output: Payload,
        /// A request to cancel it came too late.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cancel_too_late: bool,
    },
    /// It did not.
    Failed {
        /// What that means.
        conclusion: Conclusion,
        /// Output that could not be used, kept as it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw_output: Option<StoredArtifact>,
    },
    /// Somebody asked for it to stop.
    Cancelled {
        /// Why.
        reason: String,
        /// Whether the handler may have run.
        may_have_run: bool,
    },
    /// A saga was undone.
    Compensated,
    /// A saga could not be undone.
    CompensationFailed {
        /// What that means.
        conclusion: Conclusion,
    },
}

impl Outcome {
    /// The words for every kind of outcome.
    pub const WORDS: [&str; 5] = ["completed", "failed", "cancelled", "compensated", "compensation_failed"];

    /// Returns the word for it.
    pub fn word(&self) -> &'static str {
        let [completed, failed, cancelled, compensated, compensation_failed] = Self::WORDS;
        match self {
            Self::Completed { .. } => completed,
            Self::Failed { .. } => failed,
            Self::Cancelled { .. } => cancelled,
            Self::Compensated => compensated,
            Self::CompensationFailed { .. } => compensation_failed,
        }
    }
    /// Returns the conclusion, if it has one.
    pub fn conclusion(&self) -> Option<&Conclusion> {
        match self {
            Self::Failed { conclusion, .. } | Self::CompensationFailed { conclusion } => Some(conclusion),
            _ => None,
        }
    }
    /// Returns whether the handler may have run although no answer came.
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::Failed { conclusion, .. } => conclusion.may_have_run,
            Self::Cancelled { may_have_run, .. } => *may_have_run,
            _ => false,
        }
    }
}
