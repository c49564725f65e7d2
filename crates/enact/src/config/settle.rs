//! Settles a configuration: lays the sources over one another, checks every value that was given, reports all faults at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use enact_catalog::near::did_you_mean;
use enact_model::id::SinkId;
use enact_sink::secret::Secret;
use enact_sink::vault::{KEY_ENV, Vault};
use serde_json::Value;

use super::fault::{ConfigFault, Faults};
use super::file::{self, FileValues};
use super::key::{Key, SINKS, env_name};
use super::settings::{KEYS, Settings};
use super::sink::{self, Fields, Given, SinkSetup, join};
use super::source::{CONFIG_ENV, Origin, Sources};

/// The name of the sink that is there when nobody names one.
const AUDIT: &str = "audit";
/// The file of that sink, in the folder of the store.
const AUDIT_FILE: &str = "events.jsonl";

/// One settled value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The text that won.
    pub text: String,
    /// Its value in the unit of the key.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// A settled configuration with the origin of every value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// The values, typed.
    pub settings: Settings,
    /// The values with their origin, keys in the order of the reference, then the sinks.
    pub entries: Vec<Entry>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

impl Sheet {
    /// Returns where the value of a key comes from.
    pub fn origin(&self, key: &str) -> &Origin {
        self.entries.iter().find(|entry| entry.key == key).map_or(&Origin::Default, |entry| &entry.origin)
    }
}

/// Settles a configuration.
///
/// # Errors
/// Every fault of every source, values that another source covers included.
pub fn settle(sources: &Sources) -> Result<Sheet, Faults> {
    let mut faults = Vec::new();
    let from_file = sources.file.as_ref().map_or_else(FileValues::default, |file| file::read(file, &mut faults));
    let mut entries = Vec::new();
    for key in KEYS {
        let default = default_text(key, sources, &mut faults);
        let mut winner = entry(key, default, Origin::Default);
        for (text, origin) in given(key, sources, &from_file) {
            match (key.check)(&text) {
                Ok(value) => winner = Entry { key: key.name.to_owned(), text, value, origin },
                Err(why) => faults.push(ConfigFault {
                    origin,
                    key: Some(key.name.to_owned()),
                    message: blamed(key, &text, &why.reason),
                    hint: why.hint,
                }),
            }
        }
        entries.push(winner);
    }
    unknown_variables(sources, &mut faults);
    let store = entries.iter().find(|entry| entry.key == "store").map(|entry| entry.text.clone()).unwrap_or_default();
    let given_sinks = given_sinks(sources, &from_file, Path::new(&store));
    let text = |key: &str| entries.iter().find(|e| e.key == key).map(|e| e.text.clone()).unwrap_or_default();
    let path = |key: &str| Some(PathBuf::from(text(key))).filter(|path| *path != Path::new(""));
    let key_file = path("secrets.key_file");
    let vault = path("secrets.file").map(|file| Arc::new(Vault { file, key_file }));
    let (sinks, sink_entries) = sinks(&given_sinks, vault.as_ref(), &mut faults);
    let settings = Settings::read(text, sinks);
    if let Some(settings) = &settings {
        check_together(settings, &given_sinks, &entries, &mut faults);
    }
    faults.sort();
    faults.dedup();
    match settings {
        Some(settings) if faults.is_empty() => {
            entries.extend(sink_entries);
            Ok(Sheet { settings, entries, file: sources.file.as_ref().map(|file| file.path.clone()) })
        }
        _ => Err(Faults(faults)),
    }
}

/// Keys whose value says where a secret is; what was given may be what it must not be, the secret, and is not repeated.
const SECRET_KEYS: [&str; 3] = ["client.token", "secrets.handlers", "telemetry.otlp.headers"];

/// Says what is wrong with a value, and names it unless it is, or has in it, what nobody should read.
fn blamed(key: &Key, text: &str, reason: &str) -> String {
    if SECRET_KEYS.contains(&key.name) || text.contains('@') && text.contains("//") {
        return format!("what stands there {reason}");
    }
    format!("`{}` {reason}", enact_catalog::yaml::cut(text, 60))
}

fn entry(key: &Key, text: String, origin: Origin) -> Entry {
    let value = (key.check)(&text).unwrap_or(Value::Null);
    Entry { key: key.name.to_owned(), text, value, origin }
}

fn default_text(key: &Key, sources: &Sources, faults: &mut Vec<ConfigFault>) -> String {
    if !key.default.contains('{') {
        return key.default.to_owned();
    }
    let state = sources.user_folder("XDG_STATE_HOME", ".local/state");
    if key.default.contains("{state}")
        && state.is_none()
        && given(key, sources, &FileValues::default()).next().is_none()
        && sources.file.is_none()
    {
        faults.push(ConfigFault {
            origin: Origin::Default,
            key: Some(key.name.to_owned()),
            message: "neither XDG_STATE_HOME nor HOME is set, so there is no default".to_owned(),
            hint: Some(format!("name a folder by --store or {}", key.env_name())),
        });
    }
    let state = state.unwrap_or_else(|| sources.folder.join(".enact-state"));
    key.default.replace("{state}", &state.to_string_lossy()).replace("{user}", &sources.user)
}

/// Returns what was given for a key, the one that wins last; paths are absolute.
fn given<'a>(
    key: &'a Key,
    sources: &'a Sources,
    from_file: &'a FileValues,
) -> impl Iterator<Item = (String, Origin)> + 'a {
    let file_folder = sources.file.as_ref().and_then(|file| file.path.parent()).unwrap_or(&sources.folder);
    let absolute = |text: &str, folder: &Path| match (key.path, key.list) {
        (true, false) => join(folder, text),
        (true, true) => text.split(',').map(|one| join(folder, one.trim())).collect::<Vec<_>>().join(","),
        (false, _) => text.to_owned(),
    };
    let lines = from_file.lines.iter().filter(|line| line.key == key.name);
    let lines = lines.map(move |line| (absolute(&line.text, file_folder), line.origin.clone()));
    let env_name = key.env_name();
    let env = sources.env.get(&env_name).map(|text| (absolute(text, &sources.folder), Origin::Env(env_name)));
    let flag = sources.flags.get(key.name).map(|text| {
        (
            absolute(text, &sources.folder),
            Origin::Flag(format!("--{}", key.name.trim_start_matches("client.").replace(['.', '_'], "-"))),
        )
    });
    lines.chain(env).chain(flag)
}

/// A variable that is nearly one of ours is a slip; others may belong to somebody else, such as the `ENACT_SERVICE_HOST`
/// that Kubernetes sets for a service of the name `enact`.
fn unknown_variables(sources: &Sources, faults: &mut Vec<ConfigFault>) {
    let known: Vec<String> =
        KEYS.iter().map(Key::env_name).chain([CONFIG_ENV.to_owned(), KEY_ENV.to_owned()]).collect();
    for name in sources.env.keys().filter(|name| name.starts_with("ENACT_") && !known.contains(name)) {
        if sink_of_variable(name).is_some() {
            continue;
        }
        let bare = known.iter().map(|known| known.trim_start_matches("ENACT_"));
        if let Some(hint) = did_you_mean(name.trim_start_matches("ENACT_"), bare) {
            faults.push(ConfigFault {
                origin: Origin::Env(name.clone()),
                key: None,
                message: "no key has this name".to_owned(),
                hint: Some(hint.replace("did you mean ", "did you mean ENACT_").replace(" or ", " or ENACT_")),
            });
        }
    }
}

/// Returns the sink and its field that a variable is about.
fn sink_of_variable(name: &str) -> Option<(String, &'static str)> {
    let rest = name.strip_prefix("ENACT_SINKS_")?;
    let field = |field: &&sink::Field| rest.ends_with(&format!("_{}", field.name.to_ascii_uppercase()));
    let field = sink::FIELDS.iter().filter(field).max_by_key(|field| field.name.len())?.name;
    let sink = rest.get(..rest.len() - field.len() - 1)?;
    Some((sink.to_ascii_lowercase().replace('_', "-"), field))
}

/// What was given for every sink, the one that wins last.
fn given_sinks(sources: &Sources, from_file: &FileValues, store: &Path) -> BTreeMap<String, Fields> {
    let mut all: BTreeMap<String, Fields> = BTreeMap::new();
    let mut put = |sink: &str, field: &'static str, text: &str, folder: &Path, origin: Origin| {
        let given = Given { text: text.to_owned(), origin, folder: folder.to_owned() };
        all.entry(sink.to_owned()).or_default().insert(field, given);
    };
    if !from_file.names_sinks {
        put(AUDIT, "file", AUDIT_FILE, store, Origin::Default);
    }
    let file_folder = sources.file.as_ref().and_then(|file| file.path.parent()).unwrap_or(&sources.folder);
    for line in &from_file.lines {
        let name = line.key.strip_prefix("sinks.").and_then(|rest| rest.rsplit_once('.'));
        if let Some((sink, field)) = name.and_then(|(sink, field)| Some((sink, sink::field(field)?))) {
            put(sink, field.name, &line.text, file_folder, line.origin.clone());
        }
    }
    for (name, text) in &sources.env {
        if let Some((sink, field)) = sink_of_variable(name) {
            put(&sink, field, text, &sources.folder, Origin::Env(name.clone()));
        }
    }
    all
}

/// Reads every sink; its values follow as entries.
fn sinks(
    given: &BTreeMap<String, Fields>,
    vault: Option<&Arc<Vault>>,
    faults: &mut Vec<ConfigFault>,
) -> (BTreeMap<SinkId, SinkSetup>, Vec<Entry>) {
    let (mut sinks, mut entries) = (BTreeMap::new(), Vec::new());
    for (name, given) in given {
        match name.parse::<SinkId>() {
            Ok(id) => {
                if let Some((setup, values)) = sink::read(name, given, vault, faults) {
                    entries.extend(values.into_iter().filter_map(|(field, value)| {
                        let origin = given.get(field)?.origin.clone();
                        let text = value.as_str().map_or_else(
                            || given.get(field).map(|given| given.text.clone()),
                            |text| Some(text.to_owned()),
                        );
                        Some(Entry { key: format!("{SINKS}.{name}.{field}"), text: text?, value, origin })
                    }));
                    sinks.insert(id, setup);
                }
            }
            Err(error) => faults.push(ConfigFault {
                origin: given.values().map(|given| given.origin.clone()).min().unwrap_or(Origin::Default),
                key: Some(SINKS.to_owned()),
                message: format!("`{name}` is no name of a sink: {}", error.reason),
                hint: None,
            }),
        }
    }
    (sinks, entries)
}

/// Checks what no value can be blamed for alone.
fn check_together(
    settings: &Settings,
    sinks: &BTreeMap<String, Fields>,
    entries: &[Entry],
    faults: &mut Vec<ConfigFault>,
) {
    let mut fault = |key: &str, message: String, hint: String| {
        let origin =
            entries.iter().find(|entry| entry.key == key).map_or(Origin::Default, |entry| entry.origin.clone());
        faults.push(ConfigFault { origin, key: Some(key.to_owned()), message, hint: Some(hint) });
    };
    for sink in settings.default_sinks.0.iter().filter(|sink| !sinks.contains_key(sink.as_str())) {
        let names = sinks.keys().map(String::as_str);
        let hint = did_you_mean(sink.as_str(), names).unwrap_or_else(|| {
            format!(
                "add it: `sinks: {{ {sink}: {{ file: ./{sink}.jsonl }} }}`, or {}",
                env_name(&format!("sinks.{sink}.file"))
            )
        });
        fault("outbox.default_sinks", format!("no sink is named `{sink}`"), hint);
    }
    match (&settings.http_certificate.0, &settings.http_key.0) {
        (Some(_), None) => {
            fault("http.tls.certificate", "the certificate has no key".into(), "name its file in http.tls.key".into())
        }
        (None, Some(_)) => {
            fault("http.tls.key", "the key has no certificate".into(), "name its file in http.tls.certificate".into());
        }
        _ => {}
    }
    let kept = |secret: &Secret| matches!(secret, Secret::Kept { .. });
    if settings.secrets_file.0.is_none() && settings.handler_secrets.0.values().any(kept) {
        fault("secrets.handlers", "there is no file of secrets".into(), "name it in secrets.file".into());
    }
    for (key, ca, at, whose, asked) in [
        ("http.oidc.ca", &settings.http_oidc_ca, &settings.http_oidc_issuer.0, "issuer", "http.oidc.issuer"),
        ("telemetry.otlp.ca", &settings.otlp_ca, &settings.otlp_endpoint.0, "collector", "telemetry.otlp.endpoint"),
    ] {
        if ca.0.is_some() && at.as_ref().is_none_or(|at| at.starts_with("http:")) {
            fault(key, format!("there is no {whose} over HTTPS that it would be for"), format!("name one in {asked}"));
        }
    }
    if settings.http_oidc_issuer.0.is_some() {
        for (name, value, hint) in [
            (
                "http.oidc.audience",
                &settings.http_oidc_audience,
                "name what its tokens must be meant for: others have some, too",
            ),
            ("http.oidc.tenant_claim", &settings.http_oidc_tenant, "name the claim that has the tenant"),
            ("http.oidc.roles_claim", &settings.http_oidc_roles, "name the claim that has the roles"),
        ] {
            if value.0.is_none() {
                fault(name, "the issuer needs it".into(), hint.into());
            }
        }
    }
    let keep_least = enact_model::limits::IDEMPOTENCY_KEEP.as_millis() as u64;
    // A soak is over before a day is: its hub is built to let history go earlier.
    if !cfg!(feature = "short-keep") && settings.idempotency_keep.0 < keep_least {
        fault(
            "idempotency.keep",
            "it is shorter than a day".into(),
            "write 24h or more: a repetition may come that late".into(),
        );
    }
}

#[cfg(test)]
mod tests;
