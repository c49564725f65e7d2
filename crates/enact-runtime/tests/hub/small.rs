//! A disk that is soon full.

use std::path::Path;
use std::process::Command;

use crate::skip::skip;

/// A small file system of its own, which can be made larger.
pub struct Small(tempfile::TempDir);

impl Small {
    /// Mounts it; nothing where that cannot be, which is counted.
    pub fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display().to_string();
        match run("mount", &["-t", "tmpfs", "-o", "size=6m", "enact-test", &at]) {
            Ok(()) => Some(Self(folder)),
            Err(reason) => {
                skip(&format!("a small file system cannot be mounted here: {}", reason.trim_end()));
                None
            }
        }
    }
    pub fn path(&self) -> &Path {
        self.0.path()
    }
    /// Puts everything that is free into one file.
    pub fn fill(&self) {
        let filler = std::fs::File::create(self.path().join("filler")).unwrap();
        let full = std::io::copy(&mut std::io::repeat(7), &mut &filler).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }
    #[allow(dead_code, reason = "not every test needs the room again")]
    pub fn empty(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
    #[allow(dead_code, reason = "not every test starts again on it")]
    pub fn grow(&self) {
        run("mount", &["-o", "remount,size=64m", &self.path().display().to_string()]).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = run("umount", &["-l", &self.path().display().to_string()]);
    }
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(args).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
