//! What `enact serve` does on SIGHUP: the configuration is read again, as a whole; what can change while a hub runs does.

use std::collections::BTreeMap;
use std::path::PathBuf;

use enact_server::Live;
use tokio::sync::watch;

use crate::config::settle::{self, Entry};
use crate::config::{ConfigFault, Faults, Origin, Settings, Sheet, Sources};
use crate::door::local::live;
use crate::logging::Level;

/// How the value of a key is taken over from another configuration.
type Take = fn(&mut Settings, &Settings);
/// Keys whose new value holds at once.
const AT_ONCE: [(&str, Take); 5] = [
    ("log.level", |held, new| held.log_level = new.log_level),
    ("http.anonymous", |held, new| held.http_anonymous = new.http_anonymous),
    ("http.hosts", |held, new| held.http_hosts = new.http_hosts.clone()),
    ("http.origins", |held, new| held.http_origins = new.http_origins.clone()),
    ("http.requests_per_second", |held, new| held.http_requests = new.http_requests),
];

fn holds_at_once(key: &str) -> bool {
    AT_ONCE.iter().any(|(known, _)| *known == key)
}

/// Where the configuration came from, to be read again.
#[derive(Debug, Clone, Default)]
pub struct Again {
    /// The file that the command line names.
    pub config: Option<PathBuf>,
    /// What the command line sets.
    pub flags: BTreeMap<&'static str, String>,
    /// The file that was read, named or found; it must be there when it is read again.
    pub file: Option<PathBuf>,
}

impl Again {
    /// Reads the configuration: the first time, and whenever it may have changed.
    ///
    /// # Errors
    /// What cannot be read or does not fit, and a file that was there the first time and is gone: without it a hub would fall back to
    /// values that let in whom the file kept out.
    pub fn read(&mut self) -> Result<Sheet, Faults> {
        let sources = Sources::read(self.config.as_deref(), self.flags.clone())?;
        let found = sources.file.as_ref().map(|file| file.path.clone());
        if let Some(path) = self.file.as_ref().filter(|path| found.as_ref() != Some(*path)) {
            return Err(Faults(vec![ConfigFault {
                origin: Origin::File { path: path.clone(), line: 1, column: 1 },
                key: None,
                message: "the file was read at the start and is gone".to_owned(),
                hint: Some("put it back, or restart the hub to go on without it".to_owned()),
            }]));
        }
        let sheet = settle::settle(&sources)?;
        self.file = found;
        Ok(sheet)
    }
}

/// What changes while a hub runs.
pub struct Reload {
    again: Again,
    level: Level,
    http: Option<watch::Sender<Live>>,
}

impl Reload {
    /// Knows where the configuration came from and where its values go.
    pub fn new(again: Again, level: Level, http: Option<watch::Sender<Live>>) -> Self {
        Self { again, level, http }
    }

    /// Reads the configuration again. With a fault in it nothing changes. Returns the sheet that holds from now on.
    pub fn carry_out(&mut self, running: &Sheet) -> Sheet {
        let sheet = match self.again.read() {
            Ok(sheet) => sheet,
            Err(faults) => {
                for fault in &faults.0 {
                    tracing::warn!(%fault, "the configuration has a fault");
                }
                tracing::warn!("the former configuration goes on");
                return running.clone();
            }
        };
        let (held, waiting) = changed(running, &sheet);
        self.level.set(sheet.settings.log_level);
        if let Some(http) = &self.http {
            http.send_replace(live(&sheet.settings));
        }
        if !waiting.is_empty() {
            tracing::warn!(keys = %waiting.join(", "), "these keys changed and want a restart of the hub");
        }
        tracing::info!(keys = %held.join(", "), "the configuration was read again");
        merged(running, sheet)
    }
}

/// Returns the keys that changed: those that hold at once, and those that want a restart.
fn changed<'a>(running: &'a Sheet, sheet: &'a Sheet) -> (Vec<&'a str>, Vec<&'a str>) {
    let text =
        |sheet: &'a Sheet, key: &str| -> Option<&'a Entry> { sheet.entries.iter().find(|entry| entry.key == key) };
    let keys = running.entries.iter().chain(&sheet.entries).map(|entry| entry.key.as_str());
    let mut keys: Vec<&str> = keys
        .filter(|key| text(running, key).map(|entry| &entry.value) != text(sheet, key).map(|entry| &entry.value))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter().partition(|key| holds_at_once(key))
}

/// Lays the values that hold at once over those of the hub that runs.
fn merged(running: &Sheet, new: Sheet) -> Sheet {
    let mut sheet = running.clone();
    let entries = sheet.entries.iter_mut().filter(|entry| holds_at_once(&entry.key));
    for entry in entries {
        if let Some(found) = new.entries.iter().find(|found| found.key == entry.key) {
            *entry = found.clone();
        }
    }
    for (_, take) in AT_ONCE {
        take(&mut sheet.settings, &new.settings);
    }
    sheet
}
