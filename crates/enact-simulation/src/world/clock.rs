//! The simulated clocks: one that only goes on, a wall clock that jumps, and what a hub makes of the two.

use enact_model::time::Timestamp;

/// The first moment of every simulation, in milliseconds since 1970.
const BEGINNING: u64 = 1_700_000_000_000;

/// The clocks.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Milliseconds since the simulation began.
    mono: u64,
    /// What the wall clock is ahead of that.
    wall_ahead: u64,
    /// The hub's time at a moment: it goes on from there and follows the wall forwards.
    base: (u64, u64),
}

impl Clock {
    /// Begins.
    pub fn new() -> Self {
        Self { mono: 0, wall_ahead: BEGINNING, base: (BEGINNING, 0) }
    }
    /// Returns the milliseconds since the simulation began.
    pub fn mono(&self) -> u64 {
        self.mono
    }
    /// Returns the wall clock's time.
    pub fn wall(&self) -> Timestamp {
        Timestamp(self.mono + self.wall_ahead)
    }
    /// Returns the hub's time: never earlier than before.
    pub fn hub(&mut self) -> Timestamp {
        let (wall, steady) = (self.wall().0, self.base.0 + (self.mono - self.base.1));
        if wall > steady {
            self.base = (wall, self.mono);
        }
        Timestamp(wall.max(steady))
    }
    /// Lets time pass.
    pub fn advance(&mut self, ms: u64) {
        self.mono += ms;
    }
    /// Lets time pass until a moment.
    pub fn advance_to(&mut self, mono: u64) {
        self.mono = self.mono.max(mono);
    }
    /// Sets the wall clock forward.
    pub fn jump_forward(&mut self, ms: u64) {
        self.wall_ahead += ms;
    }
    /// Sets the wall clock back.
    pub fn jump_back(&mut self, ms: u64) {
        self.wall_ahead = self.wall_ahead.saturating_sub(ms);
    }
    /// A new hub knows the wall clock and the time of the last record.
    pub fn restart(&mut self, last: Timestamp) {
        self.base = (self.wall().max(last).0, self.mono);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
