//! The kinds of calls that are mixed, and what may be expected of each.

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A program for each attempt, at most once.
    Once,
    /// The same, which may run again.
    Again,
    /// Fails in its first attempt.
    Flaky,
    /// Ends with 3.
    Fails,
    /// Answers what its schema does not allow.
    Invalid,
    /// Takes a document and makes a copy of it.
    Copy,
    /// Sleeps, and is cancelled.
    Slow,
    /// Starts later.
    Later,
    /// A kept worker that speaks frames, at most once.
    WorkOnce,
    /// The same, which may run again.
    WorkAgain,
    /// Counts in the state of its session.
    Count,
    /// A method of a jar, which is kept warm.
    Price,
}

impl Kind {
    /// All of them, with how many of a hundred calls each has.
    pub(crate) const SHARES: [(Self, u64); 12] = [
        (Self::Once, 10),
        (Self::Again, 10),
        (Self::Flaky, 4),
        (Self::Fails, 5),
        (Self::Invalid, 3),
        (Self::Copy, 5),
        (Self::Slow, 3),
        (Self::Later, 5),
        (Self::WorkOnce, 15),
        (Self::WorkAgain, 15),
        (Self::Count, 10),
        (Self::Price, 15),
    ];

    /// Returns the kind that a number below a hundred stands for.
    pub(crate) fn of(mut number: u64) -> Self {
        for (kind, share) in Self::SHARES {
            if number < share {
                return kind;
            }
            number -= share;
        }
        Self::WorkAgain
    }
    pub(crate) const fn intent_type(self) -> &'static str {
        match self {
            Self::Once => "soak.run.once",
            Self::Again => "soak.run.again",
            Self::Flaky => "soak.run.flaky",
            Self::Fails => "soak.run.fails",
            Self::Invalid => "soak.run.invalid",
            Self::Copy => "soak.run.copy",
            Self::Slow => "soak.run.slow",
            Self::Later => "soak.run.later",
            Self::WorkOnce => "soak-worker.work.once",
            Self::WorkAgain => "soak-worker.work.again",
            Self::Count => "soak-worker.work.count",
            Self::Price => "pricing.quote.total",
        }
    }
    /// Whether it may run only once.
    pub(crate) const fn once(self) -> bool {
        matches!(self, Self::Once | Self::WorkOnce | Self::Slow | Self::Later | Self::Fails | Self::Invalid)
    }
    /// Whether its handler writes a line of the ledger.
    pub(crate) const fn in_ledger(self) -> bool {
        !matches!(self, Self::Fails | Self::Invalid | Self::Copy | Self::Count | Self::Price)
    }
    /// Whether it cannot end well.
    pub(crate) const fn always_fails(self) -> bool {
        matches!(self, Self::Fails | Self::Invalid)
    }
    /// Whether it must end well, however often hubs die.
    pub(crate) const fn must_complete(self) -> bool {
        matches!(self, Self::Again | Self::Flaky | Self::WorkAgain | Self::Count | Self::Copy | Self::Price)
    }
    /// Whether it promises an event when it completes.
    pub(crate) const fn emits(self) -> bool {
        !matches!(self, Self::Price)
    }
    /// Whether its time from when it was due to its outcome counts: it waits for nothing but the hub and its program.
    pub(crate) const fn timed(self) -> bool {
        !matches!(self, Self::Slow | Self::Later | Self::Flaky)
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn the_shares_are_a_hundred_and_every_kind_has_its_own() {
        let mut counts = std::collections::BTreeMap::<Kind, u64>::new();
        (0..100).for_each(|number| *counts.entry(Kind::of(number)).or_default() += 1);
        assert_eq!(counts, Kind::SHARES.into_iter().collect());
    }
}
