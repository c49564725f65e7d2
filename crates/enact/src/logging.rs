//! The log on standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::quantity::{LogFormat, LogLevel};
use crate::config::{Origin, Sheet};

/// Begins to log; commands other than `serve` stay at `warn` unless a level was set.
pub fn begin(sheet: &Sheet, serves: bool) {
    let quiet = !serves && *sheet.origin("log.level") == Origin::Default;
    let level = if quiet { LogLevel::Warn } else { sheet.settings.log_level };
    let filter = EnvFilter::new(level.word());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It fails only if a test of this process logs already.
    let _ = match sheet.settings.log_format {
        LogFormat::Json => builder.json().finish().try_init(),
        LogFormat::Human => builder.with_ansi(false).finish().try_init(),
    };
}
