//! Secrets by name: the configuration says where one is, and it is read when it is needed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::Invalid;
use crate::vault::Vault;

/// Largest file of a secret, in bytes.
const FILE_MAX_BYTES: u64 = 64 * 1024;

/// Where a secret is. Neither this nor anything else prints what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// A variable of the environment.
    Env(String),
    /// A file; it is read at every use, so that a secret can be renewed while the hub runs.
    File(PathBuf),
    /// A secret of the encrypted file; it is read at every use, too.
    Kept {
        /// Its name.
        name: String,
        /// The file, once it is known which.
        vault: Option<Arc<Vault>>,
    },
}

impl Secret {
    /// Makes the path of a file absolute, from the folder in which it was written.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(folder.join(path)),
            other => other,
        }
    }

    /// Says which encrypted file a kept secret stands in.
    ///
    /// # Errors
    /// A kept secret, and no file for it.
    pub fn kept_in(self, known: Option<&Arc<Vault>>) -> Result<Self, Invalid> {
        match (self, known) {
            (Self::Kept { .. }, None) => Err(Invalid::new(
                "names a kept secret, and there is no file of secrets",
                "name the file in secrets.file, and set the secret with `enact secret set NAME`",
            )),
            (Self::Kept { name, .. }, Some(vault)) => Ok(Self::Kept { name, vault: Some(Arc::clone(vault)) }),
            (other, _) => Ok(other),
        }
    }

    /// Reads it; space around it, such as the end of a line, does not count.
    ///
    /// # Errors
    /// In words: a variable that is not set, a file that cannot be read, nothing in it.
    pub fn read(&self) -> Result<String, String> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| format!("the variable {name} is not set"))?,
            Self::File(path) => {
                let failed = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
                let length = std::fs::metadata(path).map_err(failed)?.len();
                if length > FILE_MAX_BYTES {
                    return Err(format!("{} is larger than {FILE_MAX_BYTES} bytes", path.display()));
                }
                std::fs::read_to_string(path).map_err(failed)?
            }
            Self::Kept { name, vault } => {
                let vault = vault.as_ref().ok_or_else(|| format!("{self} is in no file of secrets"))?;
                vault.get(name).map_err(|error| match error.hint() {
                    Some(hint) => format!("{error}; {hint}"),
                    None => error.to_string(),
                })?
            }
        };
        match text.trim() {
            "" => Err(format!("{self} is empty")),
            text => Ok(text.to_owned()),
        }
    }
}

impl FromStr for Secret {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let name =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match text.split_once(':') {
            Some(("env", rest)) if name(rest) => Ok(Self::Env(rest.to_owned())),
            Some(("file", rest)) if !rest.is_empty() && !rest.contains('\0') => Ok(Self::File(rest.into())),
            Some(("secret", rest)) if crate::vault::is_name(rest) => {
                Ok(Self::Kept { name: rest.to_owned(), vault: None })
            }
            _ => Err(Invalid::new(
                "does not say where the secret is",
                "write env:NAME, file:PATH or secret:NAME; the secret itself does not belong here",
            )),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Kept { name, .. } => write!(f, "secret:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_where_its_name_says_each_time_anew() {
        let folder = tempfile::tempdir().unwrap();
        let secret = "file:key".parse::<Secret>().unwrap().within(folder.path());
        assert!(secret.read().unwrap_err().contains("cannot be read"));
        for text in ["one\n", "two"] {
            std::fs::write(folder.path().join("key"), text).unwrap();
            assert_eq!(secret.read().unwrap(), text.trim());
        }
        std::fs::write(folder.path().join("key"), " \n").unwrap();
        assert!(secret.read().unwrap_err().ends_with("is empty"));
        assert!(Secret::Env("ENACT_NOT_THERE".into()).read().unwrap_err().contains("ENACT_NOT_THERE"));
    }

    #[test]
    fn a_kept_secret_is_read_from_the_encrypted_file_each_time_anew() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault { file: folder.path().join("secrets"), key_file: Some(folder.path().join("key")) };
        let secret = "secret:hook".parse::<Secret>().unwrap();
        assert!(secret.read().unwrap_err().contains("in no file"));
        assert!(secret.clone().kept_in(None).unwrap_err().reason.contains("no file of secrets"));
        let secret = secret.kept_in(Some(&Arc::new(vault.clone()))).unwrap();
        assert!(secret.read().unwrap_err().contains("enact secret init"));
        vault.init().unwrap();
        assert!(secret.read().unwrap_err().contains("enact secret set NAME"));
        for text in ["one\n", "two"] {
            vault.set("hook", text.into(), enact_model::time::Timestamp(1), "ann").unwrap();
            assert_eq!(secret.read().unwrap(), text.trim());
        }
        assert_eq!((secret.to_string().as_str(), format!("{secret:?}").contains("two")), ("secret:hook", false));
    }

    #[test]
    fn a_secret_itself_is_no_name_and_is_not_repeated() {
        for text in
            ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "hunter2", "env:", "env:A-B", "file:", "secret:", "secret:a b"]
        {
            let invalid = text.parse::<Secret>().unwrap_err();
            assert!(!invalid.reason.contains(text) && !invalid.hint.contains("hunter2"));
        }
    }
}
