//! What a configuration is settled from, read once and carried as data.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::fault::{ConfigFault, Faults};

/// The variable that names the file.
pub const CONFIG_ENV: &str = "ENACT_CONFIG";
/// The file that is looked for in the working folder, and under `enact/` in the user's configuration folder.
pub const FILE_NAME: &str = "enact.yaml";

/// Where a value comes from; a later one wins over an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The file.
    File {
        /// Its path.
        path: PathBuf,
        /// The line, from 1.
        line: u32,
        /// The column in characters, from 1.
        column: u32,
    },
    /// A variable of the environment.
    Env(String),
    /// An option of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A file and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// What stands in it.
    pub text: String,
}

/// What a configuration is settled from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Options by the name of the key that they set.
    pub flags: BTreeMap<&'static str, String>,
    /// The environment, names to values.
    pub env: BTreeMap<String, String>,
    /// The file, if there is one.
    pub file: Option<SourceFile>,
    /// The working folder; relative paths of flags and environment begin here.
    pub folder: PathBuf,
    /// The name of the user, for the actor.
    pub user: String,
}

impl Sources {
    /// Reads the environment, the working folder and the file: `--config`, `ENACT_CONFIG`, `./enact.yaml`, or
    /// `enact/enact.yaml` in the user's configuration folder, whichever is first.
    ///
    /// # Errors
    /// A file that was named and cannot be read, or a default one that is there and cannot.
    pub fn read(config: Option<&Path>, flags: BTreeMap<&'static str, String>) -> Result<Self, Faults> {
        let env: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let user = ["USER", "LOGNAME"]
            .iter()
            .find_map(|name| env.get(*name).filter(|user| !user.trim().is_empty()).cloned())
            .unwrap_or_else(user_name);
        let mut sources = Self { flags, env, file: None, folder, user };
        sources.file = sources.find_file(config)?;
        Ok(sources)
    }

    fn find_file(&self, config: Option<&Path>) -> Result<Option<SourceFile>, Faults> {
        let named = match (config, self.env.get(CONFIG_ENV)) {
            (Some(path), _) => Some((path.to_owned(), Origin::Flag("--config".to_owned()))),
            (None, Some(path)) if !path.is_empty() => Some((path.into(), Origin::Env(CONFIG_ENV.to_owned()))),
            _ => None,
        };
        if let Some((path, origin)) = named {
            let path = self.folder.join(path);
            return match std::fs::read_to_string(&path) {
                Ok(text) => Ok(Some(SourceFile { path, text })),
                Err(error) => Err(unreadable(origin, &path, &error)),
            };
        }
        let user_folder = self.user_folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("enact"));
        for folder in [Some(self.folder.clone()), user_folder].into_iter().flatten() {
            let path = folder.join(FILE_NAME);
            match std::fs::read_to_string(&path) {
                Ok(text) => return Ok(Some(SourceFile { path, text })),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => {
                    let origin = Origin::File { path: path.clone(), line: 1, column: 1 };
                    return Err(unreadable(origin, &path, &error));
                }
            }
        }
        Ok(None)
    }

    /// Returns a folder of the user by the XDG base directory specification.
    pub fn user_folder(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let absolute = |name: &str| self.env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(below_home)))
    }
}

/// Returns the name of the user of this process by the system's own list.
fn user_name() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let list = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id == uid).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| format!("uid-{uid}"))
}

fn unreadable(origin: Origin, path: &Path, error: &io::Error) -> Faults {
    let message = format!("{} cannot be read: {error}", path.display());
    Faults(vec![ConfigFault { origin, key: None, message, hint: None }])
}
