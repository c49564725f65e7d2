//! The hub under test: the real store on a simulated disk and the real driver, taken down and brought up again.

use std::path::{Path, PathBuf};

use enact_engine::policy::Policy;
use enact_model::id::Lsn;
use enact_model::record::Record;
use enact_runtime::driver::{self, Driver};
use enact_store::contract::{Store, View};
use enact_store::embedded::{Config, Embedded, EmbeddedView, MemoryStorage};
use enact_store::io::{FailKind, Io, SimDisk};
use sha2::{Digest as _, Sha256};

use crate::violation::{Verdict, broken, hold};

/// The store of the simulation.
pub type SimStore = Embedded<SimDisk, MemoryStorage>;
/// Its view.
pub type SimView = EmbeddedView<SimDisk, MemoryStorage>;

/// How a hub ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `kill -9`: what was written is there, synced or not.
    Killed,
    /// The power goes: what was not synced may be there, or not, or in part.
    PowerLost,
    /// It was asked to end.
    Closed,
}

/// The hub with its disk.
pub struct Hub {
    disk: SimDisk,
    storage: MemoryStorage,
    config: Config,
    policy: Policy,
    driver: Option<Driver<SimStore>>,
    /// What is to go wrong and has not yet.
    armed: Option<FailKind>,
    broken: u64,
}

impl Hub {
    /// Makes a hub that is down, on an empty disk.
    pub fn new(seed: u64, policy: Policy) -> Self {
        let config = Config {
            segment_bytes: 96 * 1024,
            first_segment_bytes: 32 * 1024,
            background: false,
            dirty_max: 200,
            ..Config::default()
        };
        Self {
            disk: SimDisk::new(seed),
            storage: MemoryStorage::new(),
            config,
            policy,
            driver: None,
            armed: None,
            broken: 0,
        }
    }
    /// Returns the limits that it works under.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
    /// Returns the driver of a hub that is up.
    ///
    /// # Errors
    /// When it is down.
    pub fn driver(&mut self) -> Verdict<&mut Driver<SimStore>> {
        self.driver.as_mut().ok_or_else(|| broken("the simulation asks only a hub that is up", "it is down"))
    }
    /// Returns the durable view of a hub that is up.
    ///
    /// # Errors
    /// When it is down.
    pub fn view(&mut self) -> Verdict<SimView> {
        Ok(self.driver()?.view().clone())
    }
    /// Tells whether it is up.
    pub fn is_up(&self) -> bool {
        self.driver.is_some()
    }
    /// Lets the n-th call of a sort fail, counted from now.
    pub fn arm(&mut self, n: u64, kind: FailKind) {
        self.armed = Some(kind);
        self.disk.fail_at(n, kind);
    }
    /// Tells whether something is to go wrong, or has gone wrong and was not asked for yet.
    pub fn is_armed(&self) -> bool {
        self.armed.is_some()
    }
    /// Returns what has gone wrong since the last time it was asked; nothing more will.
    pub fn broke(&mut self) -> Option<FailKind> {
        let armed = self.armed.take();
        let broke = armed.filter(|_| self.disk.disarm());
        self.broken += u64::from(broke.is_some());
        broke
    }
    /// Returns how often something has gone wrong.
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// Opens the store and takes it; says why where that fails.
    ///
    /// # Errors
    /// What the store says; the simulation knows whether it broke something itself.
    pub fn open(&mut self) -> Result<(), String> {
        let (disk, storage) = (self.disk.clone(), self.storage.clone());
        let opened = Embedded::open(disk, storage, Path::new("/hub"), self.config.clone(), &mut driver::replay);
        let (store, _) = opened.map_err(|error| format!("{error}: {error:?}"))?;
        let driver = Driver::new(store, self.policy.clone()).map_err(|error| format!("{error}: {error:?}"))?;
        self.driver = Some(driver);
        Ok(())
    }

    /// Takes the hub down.
    ///
    /// # Errors
    /// When a clean end fails although nothing is broken.
    pub fn take_down(&mut self, end: End, seed: u64) -> Verdict {
        let driver = self.driver.take();
        match end {
            End::Killed => drop(driver),
            End::PowerLost => {
                drop(driver);
                self.disk.crash(seed);
                self.storage.crash(seed ^ 0x5DEE_CE66);
            }
            End::Closed => {
                if let Some(driver) = driver {
                    let closed = driver.into_store().close();
                    let broke = self.broke();
                    hold(closed.is_ok() || broke.is_some(), "a sound store closes", || format!("{closed:?}"))?;
                    if broke == Some(FailKind::Power) {
                        return self.take_down(End::PowerLost, seed);
                    }
                }
            }
        }
        self.broke();
        Ok(())
    }

    /// Writes the tables behind, as the hub's own thread would.
    ///
    /// # Errors
    /// When a sound store does not.
    pub fn flush(&mut self) -> Verdict {
        let flushed = self.driver()?.store_mut().flush();
        flushed.map_err(|error| broken("tables in memory can be written behind", format!("{error:?}")))
    }

    /// Extends the base to `before` and drops the segments that it covers; returns the first position kept.
    ///
    /// # Errors
    /// When a sound store does not.
    pub fn retain_from(&mut self, before: Lsn) -> Verdict<Lsn> {
        let rule = "old segments can be dropped once the base covers them";
        let keep = self.view()?.extend_base(before, &mut driver::replay);
        let keep = keep.map_err(|error| broken(rule, format!("{error:?}")))?;
        let kept = self.driver()?.store_mut().drop_before(keep);
        kept.map_err(|error| broken(rule, format!("{error:?}")))
    }

    /// Rebuilds the tables from the log and compares them with the running ones.
    ///
    /// # Errors
    /// When a row differs.
    pub fn verify_tables(&mut self) -> Verdict {
        let rule = "the log replays to the running tables";
        let report = self.view()?.verify_tables(&mut driver::replay);
        let report = report.map_err(|error| broken(rule, format!("{error:?}")))?;
        hold(report.differing == 0, rule, || format!("{} rows differ: {:?}", report.differing, report.differences))
    }

    /// Reads the records from a position on.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn records_from(&mut self, from: Lsn) -> Verdict<Vec<Record>> {
        let records: Result<Vec<Record>, _> = self.view()?.read_log(from).collect();
        records.map_err(|error| broken("what is durable can be read", format!("{error:?}")))
    }

    /// Returns the position of the last record.
    ///
    /// # Errors
    /// When it is down.
    pub fn position(&mut self) -> Verdict<Lsn> {
        Ok(self.driver()?.store().position())
    }

    /// Digests every byte of the log on the disk.
    pub fn log_digest(&self) -> String {
        let dir = PathBuf::from("/hub/log");
        let mut hasher = Sha256::new();
        for name in self.disk.list(&dir).unwrap_or_default() {
            hasher.update(name.as_bytes());
            hasher.update(self.disk.bytes(&dir.join(&name)).unwrap_or_default());
        }
        hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}
