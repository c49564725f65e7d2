//! Secrets in an encrypted file: one file, one key, replaced whole; `docs/format.md` draws the bytes.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use enact_model::time::Timestamp;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The variable that may hold the key in place of a file.
pub const KEY_ENV: &str = "ENACT_SECRETS_KEY";
/// Largest secret, in bytes.
pub const SECRET_MAX_BYTES: usize = 64 * 1024;
/// Largest file, in bytes.
const FILE_MAX_BYTES: u64 = 16 * 1024 * 1024;
const MAGIC: &[u8; 8] = b"ENACTSEC";
const VERSION: u32 = 1;
/// Magic, version and the name of the key; all of it is authenticated.
const HEAD: usize = 20;
const KEY_BYTES: usize = 32;

/// Why secrets cannot be read or changed. None of it says what a secret is.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum VaultError {
    #[error("failed to {what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("failed to find the key of {}: there is neither {KEY_ENV} nor secrets.key_file", file.display())]
    NoKey { file: PathBuf },
    #[error("failed to read the key from {from}: it must be {} hex digits", KEY_BYTES * 2)]
    BadKey { from: String },
    #[error("failed to use the key in {}: others than its owner may read it (mode {mode:o})", path.display())]
    OpenKey { path: PathBuf, mode: u32 },
    #[error("failed to make the key {}: there is one", path.display())]
    KeyThere { path: PathBuf },
    #[error("failed to open {}: it was made with another key", path.display())]
    OtherKey { path: PathBuf },
    #[error("failed to open {}: it is not what was written", path.display())]
    Altered { path: PathBuf },
    #[error("failed to open {}: its version {found} is newer than {VERSION}", path.display())]
    Newer { path: PathBuf, found: u32 },
    #[error("failed to find the secret {name} in {}", path.display())]
    Unknown { name: String, path: PathBuf },
    #[error("failed to take {0:?} as a name: it has 1 to 64 letters, digits, dots, dashes or underscores")]
    Name(String),
    #[error("failed to take the secret: it is {0}")]
    Value(&'static str),
    #[error("failed to draw random bytes from the system")]
    Random,
}

impl VaultError {
    /// Returns what to do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoKey { .. } => Some("`enact secret init` makes a key where secrets.key_file says"),
            Self::BadKey { .. } => Some("take the key from where it was kept; `enact secret init` makes a new one"),
            Self::OpenKey { .. } => Some("chmod 600 it, and think of who may have read it"),
            Self::KeyThere { .. } => Some("it may be the key of secrets that are kept; move it away if it is not"),
            Self::OtherKey { .. } => {
                Some("name the key that it was made with in secrets.key_file or ENACT_SECRETS_KEY")
            }
            Self::Altered { .. } => Some("restore it from a backup, or remove it and set the secrets anew"),
            Self::Newer { .. } => Some("install the enact that wrote it; nothing was changed"),
            Self::Unknown { .. } => Some("`enact secret list` shows the names, `enact secret set NAME` sets one"),
            Self::Value(_) => Some("write it to standard input, such as `enact secret set NAME < file`"),
            Self::Io { .. } | Self::Name(_) | Self::Random => None,
        }
    }
}

/// A secret as it is listed, without what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// When it was set.
    pub set_at: Timestamp,
    /// By whom.
    pub set_by: String,
}

/// A secret as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    value: String,
    set_at: Timestamp,
    set_by: String,
}

type Secrets = BTreeMap<String, Kept>;

/// An encrypted file of secrets, and where its key is. Neither is read before it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    /// The file.
    pub file: PathBuf,
    /// The file of the key; the variable [`KEY_ENV`] comes before it.
    pub key_file: Option<PathBuf>,
}

/// Tells whether a text can be the name of a secret.
pub fn is_name(text: &str) -> bool {
    text.parse::<enact_model::id::SecretName>().is_ok()
}

struct Key {
    key: LessSafeKey,
    /// What tells it from others: the beginning of its digest.
    name: [u8; 8],
}

impl Key {
    fn read(text: &str, from: impl FnOnce() -> String) -> Result<Self, VaultError> {
        let text = text.trim();
        let mut bytes = [0; KEY_BYTES];
        let digits = |pair: &[u8]| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            Some((digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?) as u8)
        };
        let whole = text.len() == KEY_BYTES * 2
            && bytes.iter_mut().zip(text.as_bytes().chunks(2)).all(|(byte, pair)| match digits(pair) {
                Some(read) => {
                    *byte = read;
                    true
                }
                None => false,
            });
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).ok().filter(|_| whole);
        let key = LessSafeKey::new(key.ok_or_else(|| VaultError::BadKey { from: from() })?);
        let digest = Sha256::new().chain_update(b"enact secrets key").chain_update(bytes).finalize();
        let mut name = [0; 8];
        name.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Ok(Self { key, name })
    }
}

impl Vault {
    /// Makes a key in the file that is named for it, readable for its owner alone.
    ///
    /// # Errors
    /// A key that is there, or none that is named.
    ///
    /// # Durability
    /// The key is synced before this returns.
    pub fn init(&self) -> Result<&Path, VaultError> {
        let path = self.key_file.as_deref().ok_or_else(|| VaultError::NoKey { file: self.file.clone() })?;
        let mut bytes = [0; KEY_BYTES];
        SystemRandom::new().fill(&mut bytes).map_err(|_| VaultError::Random)?;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => VaultError::KeyThere { path: path.to_owned() },
            _ => io_error("make", path)(source),
        };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).chain(["\n".to_owned()]).collect();
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io_error("write", path))?;
        sync_folder(path)?;
        Ok(path)
    }

    /// Returns what a secret is.
    ///
    /// # Errors
    /// One that is not there, and as [`Vault::list`].
    pub fn get(&self, name: &str) -> Result<String, VaultError> {
        let unknown = || VaultError::Unknown { name: name.to_owned(), path: self.file.clone() };
        self.read(&self.key()?)?.remove(name).map(|kept| kept.value).ok_or_else(unknown)
    }

    /// Lists the secrets by name.
    ///
    /// # Errors
    /// A key that is not there or another one, a file that cannot be read or was altered.
    pub fn list(&self) -> Result<Vec<Listed>, VaultError> {
        let listed = |(name, kept): (String, Kept)| Listed { name, set_at: kept.set_at, set_by: kept.set_by };
        Ok(self.read(&self.key()?)?.into_iter().map(listed).collect())
    }

    /// Sets a secret, in place of one that has the name.
    ///
    /// # Errors
    /// What is no name or no secret, and as [`Vault::list`].
    ///
    /// # Durability
    /// File and folder are synced before this returns; whoever reads meanwhile reads the old file or the new one.
    pub fn set(&self, name: &str, value: String, at: Timestamp, by: &str) -> Result<(), VaultError> {
        if !is_name(name) {
            return Err(VaultError::Name(name.chars().take(64).collect()));
        }
        match value.len() {
            _ if value.trim().is_empty() => return Err(VaultError::Value("empty")),
            SECRET_MAX_BYTES.. => return Err(VaultError::Value("64 KiB or longer")),
            _ => {}
        }
        self.change(|secrets| {
            secrets.insert(name.to_owned(), Kept { value, set_at: at, set_by: by.to_owned() });
            Ok(())
        })
    }

    /// Removes a secret.
    ///
    /// # Errors
    /// One that is not there, and as [`Vault::set`].
    ///
    /// # Durability
    /// As [`Vault::set`].
    pub fn remove(&self, name: &str) -> Result<(), VaultError> {
        let unknown = || VaultError::Unknown { name: name.to_owned(), path: self.file.clone() };
        self.change(|secrets| secrets.remove(name).map(|_| ()).ok_or_else(unknown))
    }

    fn key(&self) -> Result<Key, VaultError> {
        if let Ok(text) = std::env::var(KEY_ENV) {
            return Key::read(&text, || KEY_ENV.to_owned());
        }
        let path = self.key_file.as_deref().ok_or_else(|| VaultError::NoKey { file: self.file.clone() })?;
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(VaultError::NoKey { file: self.file.clone() });
            }
            file => file.map_err(io_error("open", path))?,
        };
        let mode = file.metadata().map_err(io_error("read", path))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(VaultError::OpenKey { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        let read = file.take(1024).read_to_string(&mut text);
        read.map_err(|_| VaultError::BadKey { from: path.display().to_string() })?;
        Key::read(&text, || path.display().to_string())
    }

    fn read(&self, key: &Key) -> Result<Secrets, VaultError> {
        let path = &self.file;
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Secrets::new()),
            file => file.map_err(io_error("open", path))?,
        };
        let mut bytes = Vec::new();
        file.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io_error("read", path))?;
        let altered = || VaultError::Altered { path: path.clone() };
        let (head, rest) = bytes.split_at_checked(HEAD).ok_or_else(altered)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(altered)?;
        let (magic, version) = (head.first_chunk::<8>(), head.get(8..12).and_then(|bytes| bytes.first_chunk::<4>()));
        if magic != Some(MAGIC) {
            return Err(altered());
        }
        match version.map(|bytes| u32::from_le_bytes(*bytes)) {
            Some(VERSION) => {}
            Some(found) if found > VERSION => return Err(VaultError::Newer { path: path.clone(), found }),
            _ => return Err(altered()),
        }
        if head.get(12..HEAD) != Some(&key.name) {
            return Err(VaultError::OtherKey { path: path.clone() });
        }
        let (nonce, mut sealed) = (Nonce::assume_unique_for_key(*nonce), sealed.to_vec());
        let opened = key.key.open_in_place(nonce, Aad::from(head), &mut sealed).map_err(|_| altered())?;
        serde_json::from_slice(opened).map_err(|_| altered())
    }

    fn change(&self, change: impl FnOnce(&mut Secrets) -> Result<(), VaultError>) -> Result<(), VaultError> {
        let path = &self.file;
        let lock_path = path.with_added_extension("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
        let lock = lock.map_err(io_error("make", &lock_path))?;
        lock.lock().map_err(io_error("lock", &lock_path))?;
        let key = self.key()?;
        let mut secrets = self.read(&key)?;
        change(&mut secrets)?;
        let bytes = seal(&key, &secrets)?;
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        // A file that only its owner can read, under a name that nobody can guess, until it has the right one.
        let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(io_error("write in", folder))?;
        draft.write_all(&bytes).and_then(|()| draft.as_file().sync_all()).map_err(io_error("write", path))?;
        draft.persist(path).map_err(|error| io_error("replace", path)(error.error))?;
        sync_folder(path)
    }
}

fn seal(key: &Key, secrets: &Secrets) -> Result<Vec<u8>, VaultError> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).map_err(|_| VaultError::Random)?;
    let head = [&MAGIC[..], &VERSION.to_le_bytes(), &key.name].concat();
    let mut sealed = serde_json::to_vec(secrets).map_err(|_| VaultError::Value("no text"))?;
    let nonce_used = Nonce::assume_unique_for_key(nonce);
    let tagged = key.key.seal_in_place_append_tag(nonce_used, Aad::from(&head), &mut sealed);
    tagged.map_err(|_| VaultError::Value("too long"))?;
    Ok([&head[..], &nonce, &sealed].concat())
}

fn sync_folder(path: &Path) -> Result<(), VaultError> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("sync", folder))
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> VaultError {
    let path = path.to_owned();
    move |source| VaultError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1_000);

    fn vault(folder: &Path) -> Vault {
        let vault = Vault { file: folder.join("secrets"), key_file: Some(folder.join("key")) };
        vault.init().unwrap();
        vault
    }

    fn set(vault: &Vault, name: &str, value: &str) {
        vault.set(name, value.to_owned(), AT, "ann").unwrap();
    }

    #[test]
    fn secrets_are_set_listed_and_removed_and_stand_nowhere_in_clear() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(folder.path());
        assert_eq!(vault.list().unwrap(), []);
        set(&vault, "hook", "hunter2-one");
        set(&vault, "other", "hunter2-two");
        set(&vault, "hook", "hunter2-three");
        assert_eq!(vault.get("hook").unwrap(), "hunter2-three");
        let names: Vec<_> = vault.list().unwrap().into_iter().map(|listed| listed.name).collect();
        assert_eq!(names, ["hook", "other"]);
        let bytes = std::fs::read(&vault.file).unwrap();
        for hidden in [&b"hunter2"[..], b"hook", b"ann"] {
            assert!(!bytes.windows(hidden.len()).any(|window| window == hidden));
        }
        for path in [&vault.file, vault.key_file.as_ref().unwrap()] {
            assert_eq!(std::fs::metadata(path).unwrap().mode() & 0o777, 0o600, "{}", path.display());
        }
        // The same secrets look otherwise each time.
        set(&vault, "hook", "hunter2-three");
        assert_ne!(std::fs::read(&vault.file).unwrap(), bytes);
        vault.remove("hook").unwrap();
        assert!(vault.get("hook").unwrap_err().to_string().contains("the secret hook in"));
        assert!(matches!(vault.remove("hook"), Err(VaultError::Unknown { .. })));
        assert!(!format!("{vault:?}").contains("hunter2"));
    }

    #[test]
    fn every_altered_byte_is_noticed_and_so_is_a_file_that_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(folder.path());
        set(&vault, "hook", "hunter2");
        let bytes = std::fs::read(&vault.file).unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            std::fs::write(&vault.file, altered).unwrap();
            let error = vault.get("hook").unwrap_err();
            let as_it_must = match at {
                8..12 => matches!(error, VaultError::Newer { .. } | VaultError::Altered { .. }),
                12..20 => matches!(error, VaultError::OtherKey { .. }),
                _ => matches!(error, VaultError::Altered { .. }),
            };
            assert!(as_it_must, "byte {at}: {error}");
            assert!(vault.set("x", "y".into(), AT, "ann").is_err(), "nothing is written over what cannot be read");
        }
        for len in 0..bytes.len() {
            std::fs::write(&vault.file, &bytes[..len]).unwrap();
            assert!(matches!(vault.get("hook"), Err(VaultError::Altered { .. })), "{len} bytes");
        }
        std::fs::write(&vault.file, bytes).unwrap();
        assert_eq!(vault.get("hook").unwrap(), "hunter2");
    }

    #[test]
    fn a_key_that_is_another_malformed_missing_or_open_to_others_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(folder.path());
        set(&vault, "hook", "hunter2");
        let path = vault.key_file.clone().unwrap();
        assert!(matches!(vault.init(), Err(VaultError::KeyThere { .. })));
        let right = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, "ab".repeat(32)).unwrap();
        assert!(matches!(vault.get("hook"), Err(VaultError::OtherKey { .. })));
        for text in ["", "abc", &"zz".repeat(32), &"ab".repeat(33), "äöü"] {
            std::fs::write(&path, text).unwrap();
            let error = vault.get("hook").unwrap_err();
            assert!(matches!(error, VaultError::BadKey { .. }), "{text:?}: {error}");
            assert!(text.is_empty() || !error.to_string().contains(text), "a key is not repeated: {error}");
        }
        std::fs::write(&path, &right).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(vault.get("hook").unwrap_err().to_string().contains("mode 640"));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(vault.get("hook"), Err(VaultError::NoKey { .. })));
        let keyless = Vault { key_file: None, ..vault };
        assert!(matches!(keyless.get("hook"), Err(VaultError::NoKey { .. })));
        assert!(matches!(keyless.init(), Err(VaultError::NoKey { .. })));
    }

    #[test]
    fn what_is_no_name_or_no_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(folder.path());
        for name in ["", "a b", "a/b", "ä", &"n".repeat(65)] {
            assert!(matches!(vault.set(name, "v".into(), AT, "ann"), Err(VaultError::Name(_))), "{name:?}");
        }
        for value in ["", " \n", &"v".repeat(SECRET_MAX_BYTES)] {
            assert!(matches!(vault.set("n", value.into(), AT, "ann"), Err(VaultError::Value(_))));
        }
        assert!(!vault.file.exists());
    }

    #[test]
    fn those_who_set_secrets_at_once_lose_none() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(folder.path());
        std::thread::scope(|scope| {
            for n in 0..8 {
                let vault = &vault;
                scope.spawn(move || (0..5).for_each(|m| set(vault, &format!("n{n}-{m}"), "v")));
            }
        });
        assert_eq!(vault.list().unwrap().len(), 40);
    }
}
