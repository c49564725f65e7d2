//! Faults of a configuration: where, which key, what, and the way out; all of them at once.

use std::fmt;

use enact_model::conclusion::{Conclusion, DetailCode};
use enact_model::intent::InputFault;
use enact_model::taxonomy::{Category, Cause, Disposition, Interpretation, Responsibility, Symptom};

use super::source::Origin;

/// One fault of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigFault {
    /// Where the value comes from.
    pub origin: Origin,
    /// The key, if it is about one.
    pub key: Option<String>,
    /// What is wrong, with the value.
    pub message: String,
    /// The way out.
    pub hint: Option<String>,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Every fault of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to settle the configuration: it has {} fault{}", .0.len(), if .0.len() == 1 { "" } else { "s" })]
pub struct Faults(pub Vec<ConfigFault>);

impl Faults {
    /// Returns what they mean.
    pub fn conclusion(&self) -> Conclusion {
        let code = DetailCode {
            category: Category::Configuration,
            symptom: Symptom::Invalid,
            cause: Cause::Format,
            interpretation: Interpretation::ConfigurationFailure,
            disposition: Disposition::FixInput,
            responsibility: Responsibility::SystemAdmin,
        };
        Conclusion::new(code, self.to_string()).hint("`enact config keys` lists every key with its type and default")
    }

    /// Returns them as the doors show faults.
    pub fn to_input_faults(&self) -> Vec<InputFault> {
        let at = |fault: &ConfigFault| match &fault.key {
            Some(key) => format!("{}: {key}", fault.origin),
            None => fault.origin.to_string(),
        };
        self.0
            .iter()
            .map(|fault| InputFault { at: at(fault), message: fault.message.clone(), hint: fault.hint.clone() })
            .collect()
    }
}
