//! Packages that others wrote and that a test holds our messages against: a verifier of signatures, a reader of CloudEvents, Prometheus' parser
//! of figures, the messages of OpenTelemetry.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Failure, Outcome, Place};
use crate::fixtures::python_with_pip;
use crate::report::say;
use crate::setup::{Here, Need};
use crate::shell;

/// What is asked for, pinned.
const PACKAGES: [&str; 4] =
    ["standardwebhooks==1.1.0", "cloudevents==2.2.0", "prometheus_client==0.26.0", "opentelemetry-proto==1.45.2"];

fn folder() -> PathBuf {
    shell::root().join("target/readers").join(PACKAGES.join("-"))
}

/// Returns whether they are in the cache already.
pub fn cached() -> bool {
    folder().is_dir()
}

/// Returns the folder that Python finds them in: from the cache, or from the package registry.
///
/// # Errors
/// They cannot be fetched.
pub fn fetch(here: &Here) -> Outcome<PathBuf> {
    let folder = folder();
    if cached() {
        return Ok(folder);
    }
    for need in [Need::Python, Need::Pip] {
        if !here.has(need) {
            return Err(Failure::to(format!("fetch {}: {}", PACKAGES.join(" and "), here.why_not(need))));
        }
    }
    say(format!("fetching {}", PACKAGES.join(" and ")));
    // Beside, and renamed at the end, so that half an installation is never taken for a whole one.
    let fresh = folder.with_extension("fresh");
    let _old = fs::remove_dir_all(&fresh);
    let mut pip = Command::new(python_with_pip()?);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--target"]);
    shell::text(pip.arg(&fresh).args(PACKAGES))?;
    fs::rename(&fresh, &folder).doing(|| format!("move {} to {}", fresh.display(), folder.display()))?;
    Ok(folder)
}
