//! Why a request was not carried out, with the conclusion that status and exit code follow from.

use std::io::{self, ErrorKind};

use enact_engine::command::Refused;
use enact_engine::conclude as code;
use enact_model::conclusion::{Conclusion, DetailCode};
use enact_store::contract::ReadError;
use enact_store::embedded::{self, ColdError};

use crate::api::Refusal;
use crate::driver::describe;
use crate::ring::RingError;

pub(crate) type Result<T> = std::result::Result<T, Box<Refusal>>;

pub(crate) fn from(refused: Refused) -> Box<Refusal> {
    let Refused { conclusion, faults, retry_after_ms } = refused;
    Box::new(Refusal { conclusion, faults, execution: None, retry_after_ms })
}

pub(crate) fn concluded(conclusion: Conclusion) -> Box<Refusal> {
    Box::new(Refusal { conclusion, faults: Vec::new(), execution: None, retry_after_ms: None })
}

pub(crate) fn new(code: DetailCode, message: impl Into<String>) -> Box<Refusal> {
    concluded(Conclusion::new(code, message))
}

/// A refusal with the way out.
pub(crate) fn hinted(code: DetailCode, message: impl Into<String>, hint: impl Into<String>) -> Box<Refusal> {
    concluded(Conclusion::new(code, message).hint(hint))
}

pub(crate) fn of_ring(error: RingError) -> Box<Refusal> {
    match error {
        RingError::Poisoned(poisoned) => {
            let hint = "free the disk or mend it, then start the hub again; reads still work";
            hinted(code::STORE_POISONED, poisoned.to_string(), hint)
        }
        RingError::Ended => draining(),
    }
}

pub(crate) fn draining() -> Box<Refusal> {
    hinted(code::DRAINING, "the hub is shutting down and takes no new work", "ask again when it is back")
}

pub(crate) fn of_read(error: ReadError) -> Box<Refusal> {
    of_store(&error)
}

/// Says what it means that the store could not be read or written: what the system refuses is not damage.
pub(crate) fn of_store(error: &(dyn std::error::Error + 'static)) -> Box<Refusal> {
    let conclusion = Conclusion::new(code_of(error), describe(error));
    concluded(match conclusion.code {
        code::STORE_FULL => conclusion.hint("free the disk of the store and ask again"),
        code::STORE_CORRUPTED => conclusion.hint("`enact doctor` and `enact wal verify` tell more"),
        _ if embedded::is_read_only(error) => conclusion.hint(embedded::READ_ONLY_HINT),
        _ => conclusion,
    })
}

fn code_of(error: &(dyn std::error::Error + 'static)) -> DetailCode {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => code::STORE_FULL,
                ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData => code::STORE_CORRUPTED,
                _ => code::STORE_UNUSABLE,
            };
        }
        if error.downcast_ref::<ColdError>().is_some_and(|error| !error.damaged && error.source.source().is_none()) {
            return code::STORE_UNUSABLE;
        }
        next = error.source();
    }
    code::STORE_CORRUPTED
}

pub(crate) fn internal(error: &dyn std::fmt::Display) -> Box<Refusal> {
    new(code::INTERNAL, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DetailCode {
        of_read(ReadError { what: "a row".to_owned(), source: source.into() }).conclusion.code
    }

    #[test]
    fn a_store_that_takes_no_writes_says_how_it_would() {
        let hint = |kind| {
            let error = ReadError { what: "a row".to_owned(), source: io::Error::from(kind).into() };
            of_read(error).conclusion.hint
        };
        assert_eq!(hint(ErrorKind::ReadOnlyFilesystem).as_deref(), Some(embedded::READ_ONLY_HINT));
        assert_eq!(hint(ErrorKind::Other), None);
    }

    #[test]
    fn what_the_system_refuses_is_not_damage() {
        assert_eq!(read(io::Error::from(ErrorKind::StorageFull)), code::STORE_FULL);
        assert_eq!(read(io::Error::other("EIO")), code::STORE_UNUSABLE);
        assert_eq!(read(io::Error::from(ErrorKind::NotFound)), code::STORE_CORRUPTED);
        assert_eq!(read("these are not its bytes"), code::STORE_CORRUPTED);
    }
}
