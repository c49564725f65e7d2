//! `secrets` of a component or an operation: the variable or key under which a handler looks for a secret, and its name.

use std::collections::BTreeMap;

use enact_model::id::SecretName;

use crate::fault::Faults;
use crate::fields::{self, Fields};
use crate::yaml::cut;

/// Most secrets of one component, and of one operation.
const SECRETS_MAX: usize = 64;
/// What the hub tells every program by itself.
const TAKEN: [&str; 5] = ["PATH", "HOME", "TMPDIR", "LANG", "TRACEPARENT"];

/// Reads `secrets`; what is faulty in it is left out.
pub(super) fn read(fields: &Fields<'_>, faults: &mut Faults) -> BTreeMap<String, SecretName> {
    let mut secrets = BTreeMap::new();
    let Some(node) = fields.get("secrets") else { return secrets };
    let Some(map) = Fields::any(node, "secrets", faults) else { return secrets };
    for entry in map.entries() {
        let key = entry.key.as_str();
        if !is_variable(key) {
            let hint = "letters, digits and _ may stand in it: `secrets: { PGPASSWORD: warehouse }`";
            faults.hint(entry.mark, format!("`{}` is not a name of a variable", cut(key, 60)), hint);
        } else if TAKEN.contains(&key) || key.starts_with("ENACT_") {
            faults.hint(entry.mark, format!("`{key}` is set by the hub"), "give the secret another variable");
        }
        let name = fields::text(&entry.value, key, faults);
        let name = name.and_then(|text| fields::parsed(text, entry.value.mark, "a secret", faults));
        secrets.extend(name.map(|name| (key.to_owned(), name)));
    }
    if secrets.len() > SECRETS_MAX {
        faults.add(node.mark, format!("{} secrets are more than {SECRETS_MAX}", secrets.len()));
    }
    secrets
}

fn is_variable(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
