//! What a door needs of others, so that the doctor can ask whether it is there.

pub use enact_host::contract::BoxFuture;

/// Something outside that a door needs.
pub trait Probe: Send + Sync {
    /// Looks whether it is there and says what it looked at.
    ///
    /// # Errors
    /// What is in the way, for people, with the way out.
    fn check<'a>(&'a self) -> BoxFuture<'a, Result<String, String>>;
}
