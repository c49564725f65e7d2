//! How a component version does: its state with the reason, its instances, and what was counted.

use enact_model::digest::Digest;
use enact_model::id::Name;
use enact_model::time::Timestamp;

/// The state of one component version in its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostState {
    /// Known; nothing was started yet.
    Registered,
    /// The first instance is starting.
    Probing,
    /// It takes calls.
    Ready,
    /// It takes calls although its last start failed.
    Degraded(String),
    /// The next start waits.
    BackingOff {
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// It takes no calls until the circuit closes, or because what it needs is not here.
    Failed(String),
    /// Its calls may finish; it takes no new ones.
    Draining,
    /// Nothing of it is left.
    Gone,
}

/// One component version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStats {
    /// The component.
    pub component: Name,
    /// Its version.
    pub version: String,
    /// The digest of its package.
    pub digest: Digest,
    /// How it does.
    pub state: HostState,
    /// What runs for it now.
    pub instances: Vec<InstanceStats>,
    /// Calls that began.
    pub calls: u64,
    /// Calls that ended with a fault.
    pub faults: u64,
    /// Instances that were started.
    pub started: u64,
    /// Instances that were replaced because they could not be trusted or did not stop.
    pub recycled: u64,
    /// Starts that failed.
    pub start_failures: u64,
}

/// One running instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceStats {
    /// Its process, which is also its process group.
    pub pid: u32,
    /// Calls in flight.
    pub in_flight: u32,
    /// Since when it runs.
    pub since: Timestamp,
}
