//! Huge pages: none for the hub, and for its children as the system has them.
//!
//! Each thread's small allocations lie in pages of their own, so a page of 2 MiB is mostly empty: with huge ones a hub whose
//! allocations are 16 MiB holds 100 MiB. A child inherits that its parent forgoes them, but its memory is not ours to decide on.

use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::thread::{disable_transparent_huge_pages, transparent_huge_pages_are_disabled};

/// Whether this process forgoes them; held while a child is started.
static FORGONE: Mutex<bool> = Mutex::new(false);

/// Forgoes huge pages in this process. One that already has none, as its parent wanted it, is left as it is.
///
/// # Errors
/// The system does not know them.
pub fn forgo() -> io::Result<()> {
    let mut forgone = FORGONE.lock().unwrap_or_else(PoisonError::into_inner);
    if !transparent_huge_pages_are_disabled()? {
        disable_transparent_huge_pages(true)?;
        *forgone = true;
    }
    Ok(())
}

/// Starts a child that has them as if this process did not forgo them.
pub(crate) fn kept<T>(start: impl FnOnce() -> T) -> T {
    let forgone = FORGONE.lock().unwrap_or_else(PoisonError::into_inner);
    let forgo = |disable| {
        if *forgone {
            // What could be set once can be set again.
            let _ = disable_transparent_huge_pages(disable);
        }
    };
    forgo(false);
    let started = start();
    forgo(true);
    started
}
