//! Which calls a worker takes without their context: those of operations that it has named in its `ready`, and no others.

use std::collections::BTreeSet;

/// The operations of one worker whose calls carry no context.
#[derive(Debug, Default)]
pub(super) struct Contextless {
    /// As the worker names them: `quote.total`, or `total` of every service that has no other of this name.
    names: BTreeSet<String>,
    /// Others that it knows. One of them may be meant by a name that stands among `names`.
    others: BTreeSet<String>,
}

impl Contextless {
    /// Takes what a worker knows and what it wants no context for. What it does not know itself counts for nothing.
    pub fn of(known: &[String], without: Vec<String>) -> Self {
        let names: BTreeSet<String> = without.into_iter().filter(|name| known.contains(name)).collect();
        let others = known.iter().filter(|name| !names.contains(*name)).cloned().collect();
        Self { names, others }
    }

    /// Returns whether a call of this operation carries none, whichever of the two names the worker finds it by.
    pub fn has(&self, service: &str, operation: &str) -> bool {
        if self.names.is_empty() {
            return false;
        }
        let whole = [service, operation].join(".");
        let takes = |name: &str| self.others.contains(name);
        (self.names.contains(&whole) || self.names.contains(operation)) && !takes(&whole) && !takes(operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contextless(known: &[&str], without: &[&str]) -> Contextless {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        Contextless::of(&owned(known), owned(without))
    }

    #[test]
    fn only_what_was_named_goes_without_a_context() {
        let some = contextless(&["quote.total", "quote.issue", "list"], &["quote.total", "list"]);
        assert!(some.has("quote", "total") && some.has("quote", "list") && some.has("other", "list"));
        assert!(!some.has("quote", "issue") && !some.has("other", "total") && !some.has("quote", "Total"));
        assert!(!Contextless::default().has("quote", "total"));
    }

    #[test]
    fn a_name_that_may_mean_an_operation_with_a_context_gives_it() {
        // The worker may look for `quote.total` first, or for `total`; either of them may be the one that takes it.
        assert!(!contextless(&["total", "quote.total"], &["total"]).has("quote", "total"));
        assert!(!contextless(&["total", "quote.total"], &["quote.total"]).has("quote", "total"));
        assert!(contextless(&["total", "quote.total"], &["total"]).has("other", "total"));
        assert!(contextless(&["total", "quote.total"], &["total", "quote.total"]).has("quote", "total"));
    }

    #[test]
    fn what_a_worker_does_not_know_itself_counts_for_nothing() {
        assert!(!contextless(&[], &["total"]).has("quote", "total"));
        assert!(!contextless(&["issue"], &["total"]).has("quote", "total"));
    }
}
