//! Shows a failure and returns the exit status that follows from its conclusion.

use enact_model::conclusion::{Conclusion, DetailCode};
use enact_model::exit_status;
use enact_model::intent::InputFault;
use enact_model::taxonomy::{Category, Cause, Disposition, Interpretation, Responsibility, Symptom};
use serde_json::json;

use super::Failure;
use crate::output::{Output, text};

/// Lines of a stack or a log that are shown.
const LINES_SHOWN: usize = 8;

/// Shows a failure; with `--json` as one document on standard output, unless the answer that it follows from was one.
pub fn report(failure: &Failure, out: &mut Output) -> u8 {
    let conclusion = failure.conclusion();
    match failure {
        // Whoever closed the pipe has what they wanted.
        Failure::PipeClosed => return exit_status::OK,
        Failure::Settled { .. } | Failure::NotYet { .. } | Failure::Unsound { .. } if out.json => {}
        _ if out.json => {
            let document = match failure {
                Failure::Refused(refusal) => json!({ "refused": refusal }),
                Failure::Rejected(rejection) => json!({ "rejected": rejection }),
                _ => json!({ "refused": { "conclusion": conclusion, "faults": faults(failure) } }),
            };
            if out.document(&document).is_err() {
                out.complain(&explain(&conclusion, &faults(failure)));
            }
        }
        Failure::Rejected(rejection) => {
            let explained = explain(&conclusion, &faults(failure));
            out.complain(&format!("enact: {explained}\n  intent: {}", rejection.intent_id));
        }
        _ => out.complain(&format!("enact: {}", explain(&conclusion, &faults(failure)))),
    }
    exit_status::of(&conclusion)
}

/// Shows a command line that is wrong, or the help that was asked for, and returns the exit status.
pub fn report_usage(error: &clap::Error, json: bool) -> u8 {
    if json && error.use_stderr() {
        let code = DetailCode {
            category: Category::Argument,
            symptom: Symptom::SyntaxError,
            cause: Cause::Format,
            interpretation: Interpretation::DomainFailure,
            disposition: Disposition::FixInput,
            responsibility: Responsibility::User,
        };
        let conclusion = Conclusion::new(code, error.render().to_string().trim_end());
        // Whoever closed the pipe does not want to know.
        let _ =
            Output::standard(true, true).document(&json!({ "refused": { "conclusion": conclusion, "faults": [] } }));
    } else {
        // Help and version go to standard output and are no fault; a closed pipe is nobody's.
        let _ = error.print();
    }
    if error.use_stderr() { exit_status::USAGE } else { exit_status::OK }
}

fn faults(failure: &Failure) -> Vec<InputFault> {
    match failure {
        Failure::Config(faults) => faults.to_input_faults(),
        Failure::Refused(refusal) => refusal.faults.clone(),
        Failure::Rejected(rejection) => rejection.faults.clone(),
        _ => Vec::new(),
    }
}

/// Returns a conclusion for people: the sentence with its code, every fault, the evidence, the way out.
pub fn explain(conclusion: &Conclusion, faults: &[InputFault]) -> String {
    let mut out = format!("{} [{}]", text::one_line(&conclusion.message), conclusion.code);
    let mut add = |line: String| {
        out.push_str("\n  ");
        out.push_str(&line);
    };
    let said = |fault: &&InputFault| fault.message == conclusion.message || fault.to_string() == conclusion.message;
    for fault in faults.iter().filter(|fault| faults.len() > 1 || !said(fault)) {
        add(text::one_line(&fault.to_string()));
        if let Some(hint) = &fault.hint {
            add(format!("  hint: {}", text::one_line(hint)));
        }
    }
    let evidence = &conclusion.evidence;
    let facts = [
        evidence.exit_code.map(|code| format!("exit status {code}")),
        evidence.signal.map(|signal| format!("signal {signal}")),
        evidence.http_status.map(|status| format!("HTTP status {status}")),
        evidence.exception.as_ref().map(|name| format!("exception {}", text::one_line(name))),
        evidence.os_error.as_ref().map(|name| text::one_line(name)),
        evidence.raw_output.as_ref().map(|kept| format!("its output is kept as {}", kept.digest)),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    if !facts.is_empty() {
        add(format!("seen: {}", facts.join(", ")));
    }
    if let Some(detail) = &evidence.detail {
        add(format!("detail: {}", text::one_line(detail.as_str())));
    }
    for (what, block) in [("stack", &evidence.stack), ("log", &evidence.log_tail)] {
        let Some(block) = block.as_ref().filter(|block| !block.trim().is_empty()) else { continue };
        for line in telling_lines(block) {
            add(format!("{what}: {}", text::cut(&text::one_line(line), 400)));
        }
    }
    if conclusion.may_have_run {
        add("it may have run: whether its work was done is not known".to_owned());
    }
    let told = |hint: &String| faults.len() > 1 && faults.iter().any(|fault| fault.hint.as_ref() == Some(hint));
    if let Some(hint) = conclusion.hint.as_ref().filter(|hint| !told(hint)) {
        add(format!("hint: {}", text::one_line(hint)));
    }
    out
}

/// Returns the lines of a stack or a log that tell most: the last ones, but the first ones of a stack that begins where it happened,
/// as those of Java and of JavaScript do.
fn telling_lines(block: &str) -> Vec<&str> {
    let lines: Vec<&str> = block.trim_end().lines().collect();
    let from_the_top = lines.iter().take(LINES_SHOWN).any(|line| line.trim_start().starts_with("at "));
    let skipped = if from_the_top { 0 } else { lines.len().saturating_sub(LINES_SHOWN) };
    lines.into_iter().skip(skipped).take(LINES_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_shown_where_it_happened_and_a_log_where_it_ended() {
        let java: String = (0..20).map(|at| format!("\tat acme.Vice.m{at}(Vice.java:39)\n")).collect();
        let java = format!("java.lang.IllegalStateException\n{java}");
        assert_eq!(telling_lines(&java)[1], "\tat acme.Vice.m0(Vice.java:39)");
        assert_eq!(telling_lines(&java).len(), LINES_SHOWN);
        let python: String = (0..20).map(|at| format!("  File \"worker.py\", line {at}\n")).collect();
        assert_eq!(telling_lines(&format!("{python}ValueError: no")).last(), Some(&"ValueError: no"));
    }
}
