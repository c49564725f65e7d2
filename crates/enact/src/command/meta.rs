//! `enact meta`: what the hub and its components tell of themselves.

use clap::{Args, ValueEnum};
use enact_catalog::meta::{HUB, Parameters, Question};
use enact_model::id::Name;
use enact_model::json::Json;
use enact_runtime::api::{Request, Response};

use super::desk::Desk;
use crate::door::Need;
use crate::failure::Failure;

/// Ask the hub or a component what it is and what it can do
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  enact meta help\n  enact meta tree\n  enact meta schema content --operation files.ingest\n  \
    enact run content.meta.describe"
)]
pub struct MetaArgs {
    /// What to ask
    question: Asked,
    /// Component to ask [default: the hub]
    #[arg(value_name = "COMPONENT", default_value = HUB)]
    name: Name,
    /// One version of the component instead of the active one
    #[arg(long)]
    version: Option<String>,
    /// One operation instead of all
    #[arg(long)]
    operation: Option<String>,
}

/// A question on the command line.
#[derive(Debug, Clone, Copy)]
struct Asked(Question);

impl ValueEnum for Asked {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Asked; Question::ALL.len()] = {
            let mut all = [Asked(Question::Help); Question::ALL.len()];
            let mut at = 0;
            while at < all.len() {
                all[at] = Asked(Question::ALL[at]);
                at += 1;
            }
            all
        };
        &ALL
    }
    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.as_str()))
    }
}

impl MetaArgs {
    /// Carries the command out.
    ///
    /// # Errors
    /// A component, a version or an operation that is not there.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        let Self { question: Asked(question), name, version, operation } = self;
        ask(name, question, Parameters { version, operation }, desk).await
    }
}

/// Reads the parameters of a question.
///
/// # Errors
/// What it does not take.
pub fn parameters(input: &Json) -> Result<Parameters, Failure> {
    serde_json::from_str(input.as_str()).map_err(|error| Failure::Misfit(error.to_string()))
}

/// Asks, and shows the answer; help is a text for people.
///
/// # Errors
/// As [`MetaArgs::carry_out`].
pub async fn ask(name: Name, question: Question, parameters: Parameters, desk: &mut Desk) -> Result<(), Failure> {
    match desk.ask(Need::Existing, Request::Meta { name, question, parameters }).await? {
        Response::Described(json) if question == Question::Help && !desk.out.json => {
            let help = json.to_value();
            let text = help.get("text").and_then(serde_json::Value::as_str).unwrap_or_default();
            desk.out.line(text.trim_end())
        }
        other => crate::show::show(other, &mut desk.out),
    }
}
