//! Named places at which a torture ends the process as a kill would. A build without debug assertions has none of them.

/// Whether this build has them.
pub const HERE: bool = cfg!(debug_assertions);

/// Every place, in the order in which an intent comes by.
pub const POINTS: &[&str] = &[
    "log-before-write",
    "log-before-sync",
    "log-after-sync",
    "ring-before-publish",
    "ring-before-effects",
    "ring-before-answers",
    "host-before-attempt",
    "host-after-attempt",
    "host-before-report",
    "relay-before-send",
    "relay-before-mark",
    "tables-before-flush",
    "tables-after-flush",
    "retention-before-base",
    "retention-before-drop",
    "retention-after-drop",
];

/// Ends the process with SIGABRT if the environment says `ENACT_CRASH=name:count` and this is the count-th passage.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicI64, Ordering};

    static PLAN: OnceLock<Option<(String, AtomicI64)>> = OnceLock::new();
    debug_assert!(POINTS.contains(&name), "{name} is not listed");
    let plan = PLAN.get_or_init(|| {
        let text = std::env::var("ENACT_CRASH").ok()?;
        let (name, count) = text.split_once(':')?;
        Some((name.to_owned(), AtomicI64::new(count.parse().ok()?)))
    });
    if let Some((planned, left)) = plan
        && planned == name
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        std::process::abort();
    }
}

/// Does nothing in this build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn point(_name: &str) {}
