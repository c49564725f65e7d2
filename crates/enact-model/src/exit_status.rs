//! The exit status that follows from a conclusion; the only place where it is decided.

use crate::conclusion::Conclusion;
use crate::taxonomy::Disposition;

/// Everything went well.
pub const OK: u8 = 0;
/// The command line was wrong.
pub const USAGE: u8 = 2;

/// Returns the exit status of a command that ended with this conclusion: 10 fix-input, 11 retry-now, 12 retry-later,
/// 13 escalation.
pub const fn of(conclusion: &Conclusion) -> u8 {
    match conclusion.code.disposition {
        Disposition::FixInput => 10,
        Disposition::RetryNow => 11,
        Disposition::RetryLater => 12,
        Disposition::Escalation => 13,
    }
}
