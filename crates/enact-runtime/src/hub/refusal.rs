//! Why a request was not carried out, with the conclusion that status and exit code follow from.

use enact_engine::command::Refused;
use enact_engine::conclude as code;
use enact_model::conclusion::{Conclusion, DetailCode};
use enact_store::contract::ReadError;

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

pub(crate) fn of_ring(error: RingError) -> Box<Refusal> {
    match error {
        RingError::Poisoned(poisoned) => concluded(
            Conclusion::new(code::STORE_POISONED, poisoned.to_string())
                .hint("free the disk or mend it, then start the hub again; reads still work"),
        ),
        RingError::Ended => draining(),
    }
}

pub(crate) fn draining() -> Box<Refusal> {
    concluded(
        Conclusion::new(code::DRAINING, "the hub is shutting down and takes no new work")
            .hint("ask again when it is back"),
    )
}

pub(crate) fn of_read(error: ReadError) -> Box<Refusal> {
    new(code::STORE_CORRUPTED, describe(&error))
}

pub(crate) fn internal(error: &dyn std::fmt::Display) -> Box<Refusal> {
    new(code::INTERNAL, error.to_string())
}
