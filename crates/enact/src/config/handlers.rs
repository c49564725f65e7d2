//! Where the secrets of handlers are: `secrets.handlers`, and the encrypted file for every other name.

use std::collections::BTreeMap;
use std::sync::Arc;

use enact_model::id::SecretName;
use enact_runtime::secret::SecretSource;
use enact_sink::secret::Secret;
use enact_sink::vault::Vault;
use serde_json::Value;

use super::quantity::{Readable, Unreadable};

/// Secrets of handlers by name, and where each is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handlers(pub BTreeMap<SecretName, Secret>);

impl Readable for Handlers {
    const TYPE: &'static str = "list of secrets by name";
    const LIST: bool = true;
    fn read(text: &str) -> Result<Self, Unreadable> {
        let mut named = BTreeMap::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (name, secret) = one(item)?;
            if named.insert(name, secret).is_some() {
                return Err(Unreadable::new("names a secret twice", "a secret is in one place"));
            }
        }
        Ok(Self(named))
    }
    fn to_value(&self) -> Value {
        self.0.iter().map(|(name, secret)| format!("{name}={secret}")).collect()
    }
}

fn one(item: &str) -> Result<(SecretName, Secret), Unreadable> {
    let way_out =
        "write NAME=env:VARIABLE, NAME=file:/PATH or NAME=secret:OTHER; the secret itself does not belong here";
    let (name, place) = item.split_once('=').ok_or_else(|| Unreadable::new("has no `=`", way_out))?;
    let name = name.trim().parse().map_err(|_| Unreadable::new("does not begin with the name of a secret", way_out))?;
    let secret: Secret =
        place.trim().parse().map_err(|_| Unreadable::new("does not say where a secret is", way_out))?;
    match &secret {
        Secret::File(path) if !path.is_absolute() => {
            Err(Unreadable::new("names a file by a relative path", "write the path from / on"))
        }
        _ => Ok((name, secret)),
    }
}

/// The secrets of handlers, read at every call.
#[derive(Debug, Clone)]
pub struct HandlerSecrets {
    named: BTreeMap<SecretName, Secret>,
    vault: Option<Arc<Vault>>,
}

impl HandlerSecrets {
    /// Takes what the configuration says.
    pub fn new(named: &Handlers, vault: Option<Vault>) -> Self {
        Self { named: named.0.clone(), vault: vault.map(Arc::new) }
    }
}

impl SecretSource for HandlerSecrets {
    fn read(&self, name: &SecretName) -> Result<String, String> {
        let kept = || Secret::Kept { name: name.to_string(), vault: None };
        let secret = self.named.get(name).cloned().unwrap_or_else(kept);
        let secret = secret.kept_in(self.vault.as_ref()).map_err(|_| "there is no file of secrets".to_owned())?;
        secret.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_handlers_is_named_by_where_it_is_and_never_by_what_it_is() {
        let read = Handlers::read("db=env:DB, key=file:/k,other=secret:hook").unwrap();
        assert_eq!(read.to_value(), serde_json::json!(["db=env:DB", "key=file:/k", "other=secret:hook"]));
        for text in ["hunter2", "db=hunter2", "db=file:hunter2", "a b=env:A", "db=env:A,db=env:B"] {
            let refused = Handlers::read(text).unwrap_err();
            assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_listed_is_looked_for_in_the_encrypted_file() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault { file: folder.path().join("secrets"), key_file: Some(folder.path().join("key")) };
        vault.init().unwrap();
        vault.set("hook", "one".into(), enact_model::time::Timestamp(1), "ann").unwrap();
        let path = folder.path().join("db");
        std::fs::write(&path, "two").unwrap();
        let named = Handlers::read(&format!("db=file:{},alias=secret:hook", path.display())).unwrap();
        let name = |text: &str| text.parse::<SecretName>().unwrap();
        let secrets = HandlerSecrets::new(&named, Some(vault));
        let read = |text| secrets.read(&name(text));
        assert_eq!((read("hook"), read("db"), read("alias")), (Ok("one".into()), Ok("two".into()), Ok("one".into())));
        assert!(read("none").unwrap_err().contains("enact secret set"));
        let without = HandlerSecrets::new(&named, None);
        assert_eq!(without.read(&name("hook")).unwrap_err(), "there is no file of secrets");
        assert_eq!(without.read(&name("db")), Ok("two".into()));
    }
}
