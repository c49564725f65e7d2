//! The only judge: what an observation means for an operation.

use enact_model::conclusion::{Conclusion, DetailCode};
use enact_model::descriptor::{JavaCall, Operation, Stdout};
use enact_model::observation::{Fault, FaultKind, Reached};
use enact_model::taxonomy::{Category, Cause, Disposition, Interpretation, Responsibility, Symptom};

/// Draws the conclusion from a fault.
pub fn conclude(fault: &Fault, operation: &Operation) -> Conclusion {
    let (interpretation, disposition, responsibility) = judge(fault, operation);
    let code = DetailCode {
        category: fault.category,
        symptom: fault.symptom,
        cause: fault.cause,
        interpretation,
        disposition,
        responsibility,
    };
    Conclusion {
        code,
        kind: Some(fault.kind),
        message: fault.message.clone(),
        hint: hint(fault.kind, operation).map(str::to_owned),
        may_have_run: fault.reached == Reached::Unknown,
        evidence: Box::new(fault.evidence.clone()),
    }
}

fn judge(fault: &Fault, operation: &Operation) -> (Interpretation, Disposition, Responsibility) {
    use FaultKind as F;
    use Interpretation as I;
    use Responsibility as R;
    let escalate = Disposition::Escalation;
    let (interpretation, disposition, responsibility) = match fault.kind {
        F::HandlerFailed => (I::DomainFailure, handler_asks(fault), R::User),
        F::BadArgument | F::InputPathRefused | F::TemplateUnfit => (I::DomainFailure, Disposition::FixInput, R::User),
        F::UnknownOperation => (I::ConfigurationFailure, escalate, R::Developer),
        F::ExitedNonZero => (I::DomainFailure, Disposition::RetryLater, R::ApplicationAdmin),
        F::Signalled | F::CrashedInCall => (I::Defect, Disposition::RetryLater, R::Developer),
        F::DeadlineExceeded => (I::SystemFailure, Disposition::RetryLater, R::ApplicationAdmin),
        F::Stopped => (I::DomainFailure, escalate, R::User),
        F::LostWithInstance | F::HubRestarted => (I::SystemFailure, Disposition::RetryNow, R::SystemAdmin),
        F::InstanceUnknown => (I::SystemFailure, escalate, R::SystemAdmin),
        F::OutOfMemory => (I::SystemFailure, Disposition::RetryLater, R::SystemAdmin),
        F::ProgramMissing | F::ProgramNotExecutable | F::InitRefused | F::SecretMissing => {
            (I::ConfigurationFailure, escalate, R::ApplicationAdmin)
        }
        F::StartFailed | F::StartDied | F::StartTimedOut | F::CircuitOpen => {
            (I::SystemFailure, Disposition::RetryLater, R::ApplicationAdmin)
        }
        F::HostGone => (I::ConfigurationFailure, Disposition::RetryNow, R::ApplicationAdmin),
        F::OutputTooLarge | F::OutputNotJson | F::OutputInvalid | F::EnvelopeInvalid | F::ProducedMissing => {
            (I::Defect, escalate, R::Developer)
        }
        F::FrameTooLarge | F::GarbageOnWire | F::ProtocolBroken => (I::Defect, escalate, R::Developer),
        F::HandlerBroken | F::PathEscapes => (I::Defect, escalate, R::Developer),
        F::ArtifactMissing | F::ArtifactAltered => (I::SystemFailure, escalate, R::SystemAdmin),
        F::ScratchUnavailable | F::StoreUnavailable => (I::SystemFailure, Disposition::RetryLater, R::SystemAdmin),
        F::ReconciledNotRun => (I::SystemFailure, Disposition::RetryLater, R::ApplicationAdmin),
        F::HostPanicked => (I::Defect, escalate, R::SystemAdmin),
        F::ReferenceConflict => (I::Defect, escalate, R::Developer),
        F::EffectUnfit | F::EffectRefused => (I::Defect, escalate, R::ApplicationAdmin),
        F::StateConflict => (I::DomainFailure, Disposition::RetryNow, R::User),
    };
    // What may not run again is tried again only where it certainly has not run.
    let again = operation.may_run_again() || fault.reached == Reached::No;
    let retry = matches!(disposition, Disposition::RetryNow | Disposition::RetryLater);
    (interpretation, if retry && !again { escalate } else { disposition }, responsibility)
}

/// A handler's own failure is final unless its detail says `"retryable": true`.
fn handler_asks(fault: &Fault) -> Disposition {
    let retryable = fault
        .evidence
        .detail
        .as_ref()
        .is_some_and(|detail| detail.to_value().get("retryable") == Some(&serde_json::Value::Bool(true)));
    if retryable { Disposition::RetryLater } else { Disposition::FixInput }
}

fn hint(kind: FaultKind, operation: &Operation) -> Option<&'static str> {
    use FaultKind as F;
    // It has no standard output that could be told to be anything.
    let is_method = matches!(operation.call.java, Some(JavaCall::Method(_)));
    Some(match kind {
        F::ProgramMissing => "install the program on the hub's machine, or name its path in `process.command`",
        F::ProgramNotExecutable => "make the file executable and readable for the hub's user",
        F::SecretMissing => "set it with `enact secret set NAME`, or say in `secrets.handlers` where it is; then retry",
        F::DeadlineExceeded => "raise `timeout` of the operation if the work is long by nature",
        F::OutputNotJson if is_method => {
            "let the method return a value that JSON can hold; docs/bring-a-jar.md says which there are"
        }
        F::OutputInvalid if is_method => {
            "mend the method or the `output` schema; what it returned is kept as an artifact"
        }
        F::OutputTooLarge if is_method => {
            "let the method answer with less: a result has one frame, 16 MiB; what is larger comes page by page, in calls of its own"
        }
        F::OutputTooLarge => "raise `call.output_max`, or let the program write a file that `produces` takes",
        F::OutputNotJson if operation.call.stdout == Stdout::Text => {
            "let the program print text in UTF-8, or take what it prints as an artifact with `produces`"
        }
        F::OutputNotJson => "set `call.stdout: text`, or let the program print one JSON value and nothing else",
        F::OutputInvalid => "mend the program or the `output` schema; what it printed is kept as an artifact",
        F::EnvelopeInvalid => {
            "answer {output, state, events, artifacts, references, derived} as docs/descriptor.md says"
        }
        F::ArtifactAltered => "restore the artifact from a backup; the stored bytes no longer match their digest",
        F::InstanceUnknown | F::HubRestarted => {
            "find out whether it ran, then `enact execution retry --confirm-may-have-run`; or declare `reconcile`"
        }
        F::ReconciledNotRun => "find out what loses it; it did not run, so it can be submitted again",
        F::ReferenceConflict => "register it under another name, or as it is registered",
        F::CircuitOpen => "look at the component's earlier failures with `enact component list`",
        F::InputPathRefused => "name a file inside the configured root, without `..` and without links",
        _ => return None,
    })
}

/// Attempts that may be lost with their instance before such a loss counts.
pub const LOST_FREE: u32 = 5;

/// Returns whether an attempt that ended so counts against the attempts of the operation's policy.
pub fn counts_against_policy(conclusion: &Conclusion) -> bool {
    let through_others = matches!(
        conclusion.kind,
        Some(FaultKind::HubRestarted | FaultKind::LostWithInstance | FaultKind::HostGone | FaultKind::StateConflict)
    );
    !through_others || is_suspect(conclusion)
}

/// Returns whether [`suspect`] has judged a loss to count: what is lost through others is retried at once.
fn is_suspect(conclusion: &Conclusion) -> bool {
    conclusion.kind == Some(FaultKind::LostWithInstance) && conclusion.disposition() == Disposition::RetryLater
}

/// Judges a loss after `uncounted` attempts that did not count: one call that is lost again and again may be what ends the
/// instances, so from then on it is like any other failure, with the pauses and the attempts of its policy.
pub fn suspect(mut conclusion: Conclusion, uncounted: u32) -> Conclusion {
    let lost = conclusion.kind == Some(FaultKind::LostWithInstance);
    if lost && uncounted >= LOST_FREE && conclusion.disposition() == Disposition::RetryNow {
        conclusion.code.disposition = Disposition::RetryLater;
    }
    conclusion
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $category:ident $symptom:ident $cause:ident $interpretation:ident $disposition:ident $responsibility:ident;)+) => {
        $(
            $(#[$doc])*
            pub const $name: DetailCode = DetailCode {
                category: Category::$category,
                symptom: Symptom::$symptom,
                cause: Cause::$cause,
                interpretation: Interpretation::$interpretation,
                disposition: Disposition::$disposition,
                responsibility: Responsibility::$responsibility,
            };
        )+
        /// Every conclusion that the engine draws by itself.
        pub const OWN_CODES: &[DetailCode] = &[$($name),+];
        /// Returns the name of a conclusion that the engine draws by itself, such as `OVERLOADED`.
        pub fn own_name(code: DetailCode) -> Option<&'static str> {
            match code {
                $($name => Some(stringify!($name)),)+
                _ => None,
            }
        }
    };
}

codes! {
    /// An intent whose fields are missing, blank or wrong.
    INTENT_INVALID = Argument FormatError Format DomainFailure FixInput User;
    /// Parameters that violate the schema of the operation.
    PARAMETERS_INVALID = Argument DomainValue Format DomainFailure FixInput User;
    /// An intent type that nobody handles.
    INTENT_TYPE_UNKNOWN = Operation NotFound Relation DomainFailure FixInput User;
    /// A solution that is not bound.
    SOLUTION_UNKNOWN = Configuration NotFound Relation DomainFailure FixInput User;
    /// An intent type that several operations handle.
    INTENT_TYPE_AMBIGUOUS = Operation Redundant Relation ConfigurationFailure FixInput ApplicationAdmin;
    /// An intent type whose component takes no new executions.
    COMPONENT_DRAINING = Component Unavailable Policy ConfigurationFailure RetryLater ApplicationAdmin;
    /// The same idempotency key or intent id with other content.
    KEY_CONFLICT = Property Conflict Conflict DomainFailure FixInput User;
    /// A reference that the tenant does not have.
    REFERENCE_UNKNOWN = Reference NotFound Relation DomainFailure FixInput User;
    /// A session that is closed or has expired.
    SESSION_ENDED = State Illegal Guard DomainFailure FixInput User;
    /// Too much is open already.
    OVERLOADED = Resource Unavailable Limit SystemFailure RetryLater SystemAdmin;
    /// Too many rejections in one minute.
    REJECTIONS_LIMITED = Resource Unavailable Policy DomainFailure RetryLater User;
    /// The hub is shutting down.
    DRAINING = System Unavailable Policy SystemFailure RetryLater SystemAdmin;
    /// The log refused a write.
    STORE_POISONED = Datastore Unavailable Exhaustion SystemFailure Escalation SystemAdmin;
    /// The disk of the store has no room.
    STORE_FULL = Datastore Unavailable Limit SystemFailure RetryLater SystemAdmin;
    /// The total deadline passed.
    DEADLINE_PASSED = Operation Unavailable Limit DomainFailure RetryLater User;
    /// The total deadline passed while something ran that may not run again.
    DEADLINE_IN_DOUBT = Operation ImpossibleState Timeout SystemFailure Escalation ApplicationAdmin;
    /// An execution that does not exist for this tenant.
    EXECUTION_UNKNOWN = Entity NotFound Relation DomainFailure FixInput User;
    /// A command that does not fit the phase of the execution.
    PHASE_CONFLICT = State Conflict Guard DomainFailure FixInput User;
    /// A retry of what may have run, without saying that this is known.
    CONFIRMATION_MISSING = State PreconditionViolation Guard DomainFailure FixInput User;
    /// What became of an attempt in doubt could not be found out.
    STAYS_IN_DOUBT = Operation ImpossibleState Unknown SystemFailure Escalation ApplicationAdmin;
    /// A component, service, solution, session, message or other thing that is not there.
    NOT_FOUND = Resource NotFound Relation DomainFailure FixInput User;
    /// A descriptor with faults, or one that does not fit what is there.
    DESCRIPTOR_INVALID = Configuration Invalid Format ConfigurationFailure FixInput ApplicationAdmin;
    /// A descriptor that would make an intent type ambiguous, or a version that exists with other content.
    CATALOG_CONFLICT = Configuration Conflict Conflict ConfigurationFailure FixInput ApplicationAdmin;
    /// A compare-and-set that was lost.
    VERSION_CONFLICT = State Conflict Guard DomainFailure RetryNow User;
    /// The same thing registered with other content.
    REFERENCE_CONFLICT = Reference Conflict Conflict DomainFailure FixInput User;
    /// A file or folder that cannot be read or written.
    FILE_UNUSABLE = Resource Unavailable Permission ConfigurationFailure FixInput ApplicationAdmin;
    /// A store that is there and cannot be opened.
    STORE_UNUSABLE = Datastore Unavailable Permission ConfigurationFailure Escalation SystemAdmin;
    /// Stored bytes that are not what they were.
    STORE_CORRUPTED = Datastore Corrupted Corruption SystemFailure Escalation SystemAdmin;
    /// A hub that does not answer.
    HUB_UNREACHABLE = Service Unavailable Unknown SystemFailure RetryLater SystemAdmin;
    /// An issuer of tokens that does not say which keys are its own.
    ISSUER_UNREACHABLE = ServiceProvider Unavailable Unknown ExternalServiceFailure RetryLater SystemAdmin;
    /// A configuration with faults.
    CONFIGURATION_INVALID = Configuration FormatError Format ConfigurationFailure FixInput SystemAdmin;
    /// A question without credentials, or with credentials that hold no more.
    AUTHENTICATION_REQUIRED = Security AuthenticationRequired Permission DomainFailure FixInput User;
    /// Something that the caller's role, tenant or solution does not cover.
    ACCESS_DENIED = Security PermissionDenied Permission DomainFailure FixInput User;
    /// Too many questions of one caller.
    RATE_LIMITED = Resource Unavailable Limit DomainFailure RetryLater User;
    /// A request that cannot be read: no JSON, no tar, a header that is no text.
    REQUEST_MALFORMED = Argument SyntaxError Format DomainFailure FixInput User;
    /// A request whose body did not come in time; the network's fault, so the same request may do.
    REQUEST_TOO_SLOW = Argument Missing Timeout NetworkFailure RetryNow User;
    /// A body that is larger than its limit.
    BODY_TOO_LARGE = Argument Illegal Limit DomainFailure FixInput User;
    /// A body of a media type, or packed in a way, that is not taken there.
    BODY_UNSUPPORTED = Argument Unsupported Format DomainFailure FixInput User;
    /// A way of sending a body that the hub does not know.
    TRANSFER_UNSUPPORTED = Argument Unsupported Capability DomainFailure FixInput User;
    /// A method that a route does not know.
    METHOD_UNSUPPORTED = Operation Unsupported Relation DomainFailure FixInput User;
    /// A condition of a request that does not hold, such as a tag that is another.
    PRECONDITION_FAILED = Reference PreconditionViolation Guard DomainFailure FixInput User;
    /// A range outside of the bytes that there are.
    RANGE_OUTSIDE = Value DomainValue Limit DomainFailure FixInput User;
    /// The hub itself broke a rule of its own.
    INTERNAL = System InvariantViolation Unknown Defect Escalation Developer;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn operation(text: &str) -> Operation {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_kind_of_fault_has_a_detail_code_of_its_own() {
        let query = operation(r#"{"kind":"query","call":{},"timeout_ms":1}"#);
        let mut seen = BTreeMap::new();
        for kind in FaultKind::ALL {
            let code = conclude(&kind.fault("x"), &query).code.to_string();
            assert_eq!(code.len(), 12);
            if let Some(other) = seen.insert(code.clone(), kind) {
                panic!("{kind:?} and {other:?} share {code}");
            }
        }
        for code in OWN_CODES {
            if let Some(other) = seen.insert(code.to_string(), &FaultKind::HostPanicked) {
                panic!("{code} is shared with {other:?}");
            }
        }
    }

    #[test]
    fn a_method_is_told_nothing_of_a_standard_output() {
        let method =
            operation(r#"{"kind":"query","call":{"java":{"method":{"class":"A","method":"b"}}},"timeout_ms":1}"#);
        let program = operation(r#"{"kind":"query","call":{"java":{"run":{"class":"A"}}},"timeout_ms":1}"#);
        for kind in [FaultKind::OutputNotJson, FaultKind::OutputInvalid] {
            let told = |operation| conclude(&kind.fault("x"), operation).hint.unwrap();
            assert!(told(&method).contains("method") && !told(&method).contains("print"), "{}", told(&method));
            assert!(told(&program).contains("program"), "{}", told(&program));
        }
        assert!(conclude(&FaultKind::OutputNotJson.fault("x"), &program).hint.unwrap().contains("call.stdout: text"));
    }

    #[test]
    fn what_may_not_run_again_is_retried_only_if_it_was_not_reached() {
        let command = operation(r#"{"kind":"command","call":{},"timeout_ms":1}"#);
        let idempotent = operation(r#"{"kind":"command","idempotent":true,"call":{},"timeout_ms":1}"#);
        for kind in FaultKind::ALL {
            for reached in [Reached::No, Reached::Unknown, Reached::Yes] {
                let fault = kind.fault("x").reached(reached);
                let once = conclude(&fault, &command).disposition();
                let again = conclude(&fault, &idempotent).disposition();
                let retry = |d| matches!(d, Disposition::RetryNow | Disposition::RetryLater);
                assert!(!retry(once) || reached == Reached::No, "{kind:?} {reached:?}");
                assert_eq!(retry(again) && reached == Reached::No, retry(once), "{kind:?} {reached:?}");
            }
        }
    }

    #[test]
    fn the_statuses_are_total_functions_of_the_conclusion() {
        let mut statuses = std::collections::BTreeSet::new();
        for &category in Category::ALL {
            for &symptom in Symptom::ALL {
                for &cause in Cause::ALL {
                    for &interpretation in Interpretation::ALL {
                        for &disposition in Disposition::ALL {
                            let responsibility = Responsibility::User;
                            let code =
                                DetailCode { category, symptom, cause, interpretation, disposition, responsibility };
                            let conclusion = Conclusion::new(code, "x");
                            let http = enact_model::http_status::of(&conclusion);
                            assert!(http == 200 || (400..600).contains(&http));
                            assert_eq!(http == 200, interpretation == Interpretation::Success, "{code}");
                            assert!((10..14).contains(&enact_model::exit_status::of(&conclusion)));
                            statuses.insert(http);
                        }
                    }
                }
            }
        }
        for status in [200, 400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 416, 422, 429, 500, 501, 502, 503, 504] {
            assert!(statuses.remove(&status), "{status}");
        }
        assert!(statuses.is_empty(), "and no others: {statuses:?}");
    }

    #[test]
    fn what_http_finds_fault_with_has_a_status_of_its_own_and_only_a_slow_body_is_no_fault_of_the_input() {
        for (code, http, exit) in [
            (REQUEST_MALFORMED, 400, 10),
            (METHOD_UNSUPPORTED, 405, 10),
            (REQUEST_TOO_SLOW, 408, 11),
            (PRECONDITION_FAILED, 412, 10),
            (BODY_TOO_LARGE, 413, 10),
            (BODY_UNSUPPORTED, 415, 10),
            (RANGE_OUTSIDE, 416, 10),
            (TRANSFER_UNSUPPORTED, 501, 10),
        ] {
            let conclusion = Conclusion::new(code, "x");
            let statuses = (enact_model::http_status::of(&conclusion), enact_model::exit_status::of(&conclusion));
            assert_eq!(statuses, (http, exit), "{}", own_name(code).unwrap());
        }
        // How something ended that ran is never told as a fault of how it was asked for.
        let query = operation(r#"{"kind":"query","call":{},"timeout_ms":1}"#);
        for kind in FaultKind::ALL {
            let http = enact_model::http_status::of(&conclude(&kind.fault("x"), &query));
            assert!(!matches!(http, 405 | 408 | 412 | 415 | 416), "{kind:?}: {http}");
        }
    }
}
