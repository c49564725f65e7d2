//! How bad a simulation is to the hub.

use crate::random::Random;

/// Chances of mishaps, in a thousand steps where not said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// The hub goes down between two turns.
    pub ends: u64,
    /// A disk call fails.
    pub disk: u64,
    /// The wall clock jumps.
    pub jumps: u64,
    /// Calls and deliveries that go wrong, in percent.
    pub rough: u64,
}

impl Weather {
    /// Nothing goes wrong.
    pub const CALM: Self = Self { ends: 0, disk: 0, jumps: 0, rough: 0 };

    /// Lets a seed decide: from a nuisance to a storm.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x77EA_7CE2);
        let rough = random.between(10, 60);
        match random.below(4) {
            0 => Self { ends: 0, disk: 0, jumps: 0, rough },
            1 => Self { ends: 20, disk: 0, jumps: 5, rough },
            2 => Self { ends: 10, disk: 60, jumps: 5, rough },
            _ => Self { ends: 30, disk: 90, jumps: 20, rough },
        }
    }
}
