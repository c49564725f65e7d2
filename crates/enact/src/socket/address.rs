//! Where the socket is, and how a path that is too long for the system is reached all the same.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The name of the socket in the folder of the store.
pub const SOCKET_NAME: &str = "hub.sock";
/// Longest path that the system takes for a socket, in bytes, without the zero that ends it.
const PATH_MAX: usize = 107;

/// A path that the system takes for a socket; it is valid as long as this value lives.
#[derive(Debug)]
pub struct Address {
    path: PathBuf,
    _folder: Option<File>,
}

impl Address {
    /// Finds a path to `name` in `folder`: the plain one, or one through an open descriptor of the folder where that is too
    /// long.
    ///
    /// # Errors
    /// A folder that cannot be opened.
    pub fn of(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(name);
        if path.as_os_str().len() <= PATH_MAX {
            return Ok(Self { path, _folder: None });
        }
        let folder = File::open(folder)?;
        let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _folder: Some(folder) })
    }

    /// Returns the path to bind or to connect to.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_socket_in_a_folder_with_a_very_long_path_is_reached() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a".repeat(120)).join("b".repeat(120));
        std::fs::create_dir_all(&folder).unwrap();
        let address = Address::of(&folder, SOCKET_NAME).unwrap();
        assert!(address.path().as_os_str().len() <= PATH_MAX);
        let _listener = UnixListener::bind(address.path()).unwrap();
        UnixStream::connect(Address::of(&folder, SOCKET_NAME).unwrap().path()).unwrap();
        assert!(folder.join(SOCKET_NAME).exists());
    }
}
