//! The log on standard error.

use std::fmt;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::quantity::{LogFormat, LogLevel};
use crate::config::{Origin, Sheet};

/// How much is logged, to be changed while the process runs.
pub struct Level(Box<dyn Fn(LogLevel) + Send + Sync>);

impl Level {
    /// Logs so much from now on.
    pub fn set(&self, level: LogLevel) {
        (self.0)(level);
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Level")
    }
}

/// Begins to log; commands other than `serve` stay at `warn` unless a level was set.
pub fn begin(sheet: &Sheet, serves: bool) -> Level {
    let quiet = !serves && *sheet.origin("log.level") == Origin::Default;
    let level = if quiet { LogLevel::Warn } else { sheet.settings.log_level };
    let builder =
        || tracing_subscriber::fmt().with_env_filter(EnvFilter::new(level.word())).with_writer(std::io::stderr);
    // It fails only if a test of this process logs already, and so does a change of the level.
    match sheet.settings.log_format {
        LogFormat::Json => {
            let builder = builder().json().with_filter_reloading();
            let handle = builder.reload_handle();
            let _ = builder.finish().try_init();
            Level(Box::new(move |level| drop(handle.reload(EnvFilter::new(level.word())))))
        }
        LogFormat::Human => {
            let builder = builder().with_ansi(false).with_filter_reloading();
            let handle = builder.reload_handle();
            let _ = builder.finish().try_init();
            Level(Box::new(move |level| drop(handle.reload(EnvFilter::new(level.word())))))
        }
    }
}
