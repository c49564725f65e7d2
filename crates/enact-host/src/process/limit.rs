//! Limits of a child: set before the program runs where that is possible, and a moment after its start in any case.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Resource, Rlimit};

/// Most open files of a child.
const FILES_MAX: u64 = 4096;
/// Where util-linux keeps the program that sets limits and then becomes another program.
const PRLIMIT: [&str; 2] = ["/usr/bin/prlimit", "/bin/prlimit"];

/// Returns the words to put before a program that is to begin with its limits, if it has one that must not be late.
///
/// Limits set from outside come a moment after the program has begun, and what it has forked by then has none; setting
/// them between fork and exec is unsafe in a program with threads. So another program sets its own and then becomes the
/// one that is meant. What that one could not start is started directly, so that the system's error is seen.
pub(super) fn before(program: &Path, memory_bytes: Option<u64>) -> Option<Vec<OsString>> {
    let bytes = memory_bytes?;
    let prlimit = PRLIMIT.iter().find(|path| Path::new(path).exists())?;
    let words = [(*prlimit).to_owned(), format!("--data={bytes}"), format!("--nofile={FILES_MAX}")];
    let words = words.into_iter().chain(["--core=0".to_owned(), "--".to_owned()]);
    starts(program).ok()?.then(|| words.map(OsString::from).collect())
}

/// Sets the limits of a process that has just begun.
pub(super) fn after(pid: Pid, memory_bytes: Option<u64>) -> io::Result<()> {
    let limit = |resource, value: u64| {
        let limit = Rlimit { current: Some(value), maximum: Some(value) };
        match rustix::process::prlimit(Some(pid), resource, limit) {
            // A child that has ended already needs none.
            Ok(_) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(io::Error::from(error)),
        }
    };
    if let Some(bytes) = memory_bytes {
        // Data, not address space: a JVM or Go reserves far more addresses than it ever uses.
        limit(Resource::Data, bytes)?;
    }
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, FILES_MAX)
}

/// Returns whether the system certainly starts a program: one for this machine, or a script of one.
fn starts(program: &Path) -> io::Result<bool> {
    let head = head(program)?;
    let Some(line) = head.strip_prefix(b"#!") else { return is_native(&head) };
    let line = String::from_utf8_lossy(line.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    let Some(interpreter) = line.split_ascii_whitespace().next() else { return Ok(false) };
    is_native(&self::head(&PathBuf::from(interpreter))?)
}

/// Returns whether a program has the form of the hub's own: the magic, the class, the byte order and the machine of ELF.
fn is_native(head: &[u8]) -> io::Result<bool> {
    let own = self::head(Path::new("/proc/self/exe"))?;
    let same = |range: std::ops::Range<usize>| head.get(range.clone()).is_some_and(|part| own.get(range) == Some(part));
    Ok(same(0..7) && same(18..20))
}

fn head(program: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(program)?.take(256).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_could_refuse_is_started_directly() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let script = file("script", "#! /bin/sh -e\ntrue\n");
        for program in [Path::new("/bin/sh"), &script] {
            assert!(before(program, Some(1 << 20)).is_some(), "{program:?}");
            assert!(before(program, None).is_none());
        }
        let noise = file("noise", "\u{7f}ELF nonsense");
        let orphan = file("orphan", "#!/no/such/interpreter\n");
        for program in [&noise, &orphan, &file("empty", ""), &file("plain", "true\n"), &folder.path().join("none")] {
            assert!(before(program, Some(1 << 20)).is_none(), "{program:?}");
        }
    }
}
