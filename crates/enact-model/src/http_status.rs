//! The HTTP status that follows from a conclusion; the only place where it is decided.

use crate::conclusion::Conclusion;
use crate::taxonomy::{Category, Cause, Disposition, Interpretation, Symptom};

/// Returns the HTTP status of a conclusion; total over the taxonomy, always 200 or within 400 to 599.
pub const fn of(conclusion: &Conclusion) -> u16 {
    let code = &conclusion.code;
    if matches!(code.interpretation, Interpretation::Success) {
        return 200;
    }
    let fix_input = matches!(code.disposition, Disposition::FixInput);
    match (code.category, code.symptom, code.cause) {
        (_, Symptom::AuthenticationRequired, _) => 401,
        (Category::Security, _, _) | (_, Symptom::PermissionDenied, Cause::Permission | Cause::Policy) => 403,
        (Category::Resource, Symptom::Unavailable, Cause::Limit | Cause::Policy) => 429,
        (_, Symptom::NotFound, _) if fix_input => 404,
        (_, Symptom::Conflict | Symptom::Duplicate, _) => 409,
        (Category::State, _, _) => 409,
        (_, Symptom::PreconditionViolation, _) => 412,
        (Category::Argument | Category::Value, Symptom::Illegal, Cause::Limit) if fix_input => 413,
        (Category::Argument, Symptom::Unsupported, Cause::Format) if fix_input => 415,
        (Category::Value, Symptom::DomainValue, Cause::Limit) if fix_input => 416,
        (Category::Operation, Symptom::Unsupported, _) if fix_input => 405,
        (_, Symptom::SyntaxError, _) if fix_input => 400,
        // The time of the caller, who did not send it; every other time is of something that is called.
        (Category::Argument, _, Cause::Timeout) => 408,
        (_, _, Cause::Timeout) => 504,
        (_, Symptom::NotImplemented | Symptom::Unsupported, _) => 501,
        _ => match (code.disposition, code.interpretation) {
            (Disposition::FixInput, _) => 422,
            (Disposition::RetryNow | Disposition::RetryLater, _) => 503,
            (Disposition::Escalation, Interpretation::NetworkFailure | Interpretation::ExternalServiceFailure) => 502,
            (Disposition::Escalation, _) => 500,
        },
    }
}
