//! Bearer tokens: made at random, shown once, kept as a digest in a file of the store's owner.
//!
//! `access/tokens.json` is replaced whole, under a lock, by whoever changes it; a hub that runs reads it again when it is
//! another file than the one it has read, so that a token holds, and is revoked, from the next question on.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use enact_model::digest::Digest;
use enact_model::id::TenantId;
use enact_model::time::Timestamp;
use enact_runtime::api::Role;
use serde::{Deserialize, Serialize};

/// The form of the file.
const VERSION: u32 = 1;
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;
/// What every secret begins with, so that a leaked one is recognised.
const PREFIX: &str = "enact";

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id, a part of the secret.
    pub id: String,
    /// What people call it; the log names it as the actor.
    pub name: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it may ask.
    pub role: Role,
    /// SHA-256 of the secret.
    digest: Digest,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it holds no more by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When somebody took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<String>,
}

/// What a token is to be.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it may ask.
    pub role: Role,
    /// When it holds no more.
    pub expires_at: Option<Timestamp>,
    /// Who makes it.
    pub created_by: String,
}

/// The secret of a token, shown once.
pub struct Secret(String);

impl Secret {
    /// Returns the text that a caller sends.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why tokens could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TokenError {
    /// The system refused.
    #[error("failed to {what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    /// The file is not one of ours.
    #[error("failed to read {}: {source}", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
    /// The file is of a newer release.
    #[error("failed to read {}: its version {found} is newer than {VERSION}", path.display())]
    Newer { path: PathBuf, found: u32 },
    /// Nothing has this id or name.
    #[error("failed to find the token {0:?}")]
    Unknown(String),
    /// Another token has this name and still holds.
    #[error("failed to make the token {0:?}: there is one of that name")]
    Taken(String),
    /// A name that is none.
    #[error("failed to make the token {0:?}: a name has 1 to 64 letters, digits, dots, dashes or underscores")]
    Name(String),
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Listed {
    version: u32,
    tokens: Vec<Token>,
}

/// What tells one file from another.
type Stamp = (u64, i64, i64, u64);

/// The tokens of one store.
#[derive(Debug)]
pub struct Tokens {
    folder: PathBuf,
    read: Mutex<Option<(Stamp, Arc<Vec<Token>>)>>,
}

impl Tokens {
    /// Names the folder in which tokens are kept; nothing is read yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), read: Mutex::default() }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("tokens.json")
    }

    /// Returns every token, those that hold no more included, in the order in which they were made.
    ///
    /// # Errors
    /// A file that cannot be read, or is not ours.
    pub fn list(&self) -> Result<Arc<Vec<Token>>, TokenError> {
        let path = self.file();
        let stamp = match std::fs::metadata(&path) {
            Ok(found) => (found.ino(), found.mtime(), found.mtime_nsec(), found.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Arc::default()),
            Err(source) => return Err(TokenError::Io { what: "read", path, source }),
        };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, tokens)) = &*read
            && *known == stamp
        {
            return Ok(Arc::clone(tokens));
        }
        let text =
            std::fs::read(&path).map_err(|source| TokenError::Io { what: "read", path: path.clone(), source })?;
        let listed: Listed =
            serde_json::from_slice(&text).map_err(|source| TokenError::Malformed { path: path.clone(), source })?;
        if listed.version > VERSION {
            return Err(TokenError::Newer { path, found: listed.version });
        }
        let tokens = Arc::new(listed.tokens);
        *read = Some((stamp, Arc::clone(&tokens)));
        Ok(tokens)
    }

    /// Finds the token of a secret; whether it still holds is for the caller to see.
    ///
    /// # Errors
    /// As [`Tokens::list`].
    pub fn find(&self, secret: &str) -> Result<Option<Token>, TokenError> {
        let digest = Digest::of(secret.as_bytes());
        Ok(self.list()?.iter().find(|token| token.digest == digest).cloned())
    }

    /// Makes a token and returns it with its secret.
    ///
    /// # Errors
    /// A name that is none or taken, and the system's.
    ///
    /// # Durability
    /// File and folder are synced before this returns.
    pub fn create(&self, new: NewToken) -> Result<(Token, Secret), TokenError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if new.name.is_empty() || new.name.len() > 64 || !new.name.chars().all(fits) {
            return Err(TokenError::Name(new.name));
        }
        let id = random::<6>();
        let secret = format!("{PREFIX}_{id}_{}", random::<SECRET_BYTES>());
        let token = Token {
            id,
            name: new.name,
            tenant: new.tenant,
            role: new.role,
            digest: Digest::of(secret.as_bytes()),
            created_at: Timestamp::from_system(SystemTime::now()),
            created_by: new.created_by,
            expires_at: new.expires_at,
            revoked_at: None,
            revoked_by: None,
        };
        self.change(|tokens| {
            if tokens.iter().any(|other| other.name == token.name && other.revoked_at.is_none()) {
                return Err(TokenError::Taken(token.name.clone()));
            }
            tokens.push(token.clone());
            Ok(())
        })?;
        Ok((token, Secret(secret)))
    }

    /// Takes a token back, by its id or its name; one that was taken back before stays so.
    ///
    /// # Errors
    /// Nothing has this id or name, and the system's.
    ///
    /// # Durability
    /// As [`Tokens::create`].
    pub fn revoke(&self, asked: &str, by: &str) -> Result<Token, TokenError> {
        self.change(|tokens| {
            let holds = |token: &&mut Token| token.id == asked || (token.name == asked && token.revoked_at.is_none());
            let token = tokens.iter_mut().find(holds).ok_or_else(|| TokenError::Unknown(asked.to_owned()))?;
            if token.revoked_at.is_none() {
                token.revoked_at = Some(Timestamp::from_system(SystemTime::now()));
                token.revoked_by = Some(by.to_owned());
            }
            Ok(token.clone())
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<Token>) -> Result<T, TokenError>) -> Result<T, TokenError> {
        let _lock = self.lock()?;
        let mut tokens = (*self.list()?).clone();
        let changed = change(&mut tokens)?;
        let text = serde_json::to_vec_pretty(&Listed { version: VERSION, tokens })
            .map_err(|source| TokenError::Malformed { path: self.file(), source })?;
        replace(&self.folder, &self.file(), &text).map_err(|source| TokenError::Io {
            what: "write",
            path: self.file(),
            source,
        })?;
        Ok(changed)
    }

    /// Holds the lock of the folder until the file is closed.
    fn lock(&self) -> Result<File, TokenError> {
        let path = self.folder.join("lock");
        let take = || {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
            rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
            Ok(file)
        };
        take().map_err(|source| TokenError::Io { what: "lock", path: path.clone(), source })
    }
}

fn replace(folder: &Path, path: &Path, text: &[u8]) -> io::Result<()> {
    // Only its owner may read it, from the first moment on.
    let mut file = tempfile::Builder::new().prefix(".tokens").tempfile_in(folder)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

/// Returns random bytes as hexadecimal digits.
fn random<const N: usize>() -> String {
    let mut bytes = [0u8; N];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        filled += rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty()).unwrap_or(0);
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn new(name: &str) -> NewToken {
        let tenant = TenantId::default_tenant();
        NewToken { name: name.to_owned(), tenant, role: Role::Viewer, expires_at: None, created_by: "test".to_owned() }
    }

    #[test]
    fn a_secret_is_shown_once_and_kept_as_a_digest() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::at(folder.path().join("access"));
        let (token, secret) = tokens.create(new("ci")).unwrap();
        let kept = std::fs::read_to_string(tokens.file()).unwrap();
        assert!(!kept.contains(secret.reveal()) && kept.contains(&token.digest.to_string()), "{kept}");
        assert_eq!(std::fs::metadata(tokens.file()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(tokens.find(secret.reveal()).unwrap(), Some(token.clone()));
        assert_eq!(tokens.find(&secret.reveal()[1..]).unwrap(), None);
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert!(matches!(tokens.create(new("ci")), Err(TokenError::Taken(_))));
        assert!(matches!(tokens.create(new("a b")), Err(TokenError::Name(_))));
    }

    #[test]
    fn what_another_process_changes_holds_from_the_next_question_on() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (Tokens::at(folder.path()), Tokens::at(folder.path()));
        assert!(ours.list().unwrap().is_empty());
        let (_, secret) = theirs.create(new("ci")).unwrap();
        assert!(ours.find(secret.reveal()).unwrap().unwrap().revoked_at.is_none());
        theirs.revoke("ci", "somebody").unwrap();
        assert_eq!(ours.find(secret.reveal()).unwrap().unwrap().revoked_by.as_deref(), Some("somebody"));
        assert!(matches!(ours.revoke("ci", "me"), Err(TokenError::Unknown(_))));
    }

    #[test]
    fn a_file_of_a_newer_release_is_refused_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::at(folder.path());
        let text = r#"{"version":2,"tokens":[]}"#;
        std::fs::write(tokens.file(), text).unwrap();
        assert!(matches!(tokens.create(new("ci")), Err(TokenError::Newer { found: 2, .. })));
        assert_eq!(std::fs::read_to_string(tokens.file()).unwrap(), text);
    }
}
