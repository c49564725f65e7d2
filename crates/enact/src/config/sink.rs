//! The sinks of a configuration: their kinds, what each may say, and what is made of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use enact_catalog::near::did_you_mean;
use enact_dial::Endpoint;
use enact_runtime::sink::{FileSink, Sink};
use enact_sink::nats::{Login, NatsSetup, NatsSink};
use enact_sink::redis::{RedisSetup, RedisSink};
use enact_sink::secret::Secret;
use enact_sink::vault::Vault;
use enact_sink::webhook::{WebhookSetup, WebhookSink};
use enact_sink::{Invalid, Trust};
use serde_json::Value;

use super::fault::ConfigFault;
use super::key::SINKS;
use super::quantity::{Count, Millis, Readable, Unreadable};
use super::source::Origin;

/// The fields that say what a sink is; a sink has exactly one of them.
pub const KINDS: [&str; 4] = ["file", "webhook", "redis", "nats"];

/// Something that a sink may say.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// The kinds of sinks that have it.
    pub kinds: &'static [&'static str],
    /// What its value is.
    pub type_name: &'static str,
    /// In which unit it is shown by `--json`.
    pub unit: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

macro_rules! fields {
    ($($name:literal of $kinds:expr, $type_name:literal, $unit:literal, $default:literal, $meaning:literal;)+) => {
        /// Everything that a sink may say, in the order of the reference.
        pub const FIELDS: &[Field] = &[$(Field {
            name: $name, kinds: &$kinds, type_name: $type_name, unit: $unit, default: $default, meaning: $meaning,
        }),+];
    };
}

fields! {
    "file" of ["file"], "path", "", "`audit`: `events.jsonl` in the folder of the store",
        "A file that messages are appended to as JSON lines. A file that has `sinks` replaces the default one.";
    "webhook" of ["webhook"], "address", "", "–",
        "Where messages are posted to, `https://…` or `http://…`, one request for each.";
    "secret" of ["webhook"], "list of secrets", "", "–",
        "What the messages of a webhook are signed with, `whsec_…`; a signature for each, so that one can be renewed.";
    "timeout" of ["webhook"], "duration", "ms", "`10s`", "Longest time for the answer of a webhook; not above 25s.";
    "at_once" of ["webhook"], "whole number", "", "`16`", "Most requests to a webhook at once, each of another key.";
    "redis" of ["redis"], "address", "", "–", "A Redis server, `redis://host:6379/0` or `rediss://…` with TLS.";
    "stream" of ["redis", "nats"], "name", "", "`enact:events`; of NATS none",
        "The stream of Redis that messages are added to, with `{tenant}` and `{type}` for those of the message; or the stream of \
         NATS that must be the one that takes them.";
    "max_length" of ["redis"], "whole number", "", "–", "About how many entries a stream of Redis keeps; without it all.";
    "nats" of ["nats"], "address", "", "–", "A NATS server with JetStream, `nats://host:4222` or `tls://…`.";
    "subject" of ["nats"], "name", "", "`enact.events`",
        "The subject that messages are published to, with `{tenant}` and `{type}` for those of the message; a tenant is one word of it, with `%2E` for a dot, and a type keeps its dots.";
    "username" of ["redis", "nats"], "text", "", "–", "Who asks the server.";
    "password" of ["redis", "nats"], "secret", "", "–", "With which password.";
    "token" of ["nats"], "secret", "", "–", "Or with which token.";
    "credentials" of ["nats"], "secret", "", "–", "Or with which credentials, a file as `nsc` writes it.";
    "nkey" of ["nats"], "secret", "", "–", "Or with which nkey, its seed.";
    "ca" of ["webhook", "redis", "nats"], "path", "", "–",
        "Certificates in PEM to trust there instead of those of the system, for `https://`, `rediss://` and `tls://`; they are read again at every connection.";
}

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SinkSetup {
    File(PathBuf),
    Webhook(WebhookSetup),
    Redis(RedisSetup),
    Nats(NatsSetup),
}

impl SinkSetup {
    /// Makes the sink; nothing is opened or connected yet.
    pub fn build(&self) -> Arc<dyn Sink> {
        match self {
            Self::File(path) => Arc::new(FileSink::new(path)),
            Self::Webhook(setup) => Arc::new(WebhookSink::new(setup.clone())),
            Self::Redis(setup) => Arc::new(RedisSink::new(setup.clone())),
            Self::Nats(setup) => Arc::new(NatsSink::new(setup.clone())),
        }
    }
}

/// What was given for one field.
#[derive(Debug, Clone)]
pub struct Given {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub origin: Origin,
    /// Where a relative path in it begins.
    pub folder: PathBuf,
}

/// What was given for one sink, by field.
pub type Fields = BTreeMap<&'static str, Given>;

/// Returns the field of a name.
pub fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

/// Reads what was given for a sink; its values as they are shown come with it.
pub fn read(
    name: &str,
    given: &Fields,
    vault: Option<&Arc<Vault>>,
    faults: &mut Vec<ConfigFault>,
) -> Option<(SinkSetup, BTreeMap<&'static str, Value>)> {
    let before = faults.len();
    let mut reading = Reading { name, given, vault, faults, values: BTreeMap::new() };
    let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| given.contains_key(kind)).collect();
    let kind = match kinds[..] {
        [kind] => kind,
        [] => {
            reading.whole("it does not say where its messages go".to_owned(), "add file, webhook, redis or nats");
            return None;
        }
        [..] => {
            reading.whole(format!("it goes to {} at once", kinds.join(" and ")), "make a sink of each");
            return None;
        }
    };
    for field in given.keys().filter_map(|name| field(name)).filter(|field| !field.kinds.contains(&kind)) {
        let own: Vec<&str> = FIELDS.iter().filter(|f| f.kinds.contains(&kind)).map(|field| field.name).collect();
        let hint =
            did_you_mean(field.name, own.iter().copied()).unwrap_or_else(|| format!("it has: {}", own.join(", ")));
        reading.fault(field.name, format!("no {kind} sink has this"), Some(hint));
    }
    let setup = match kind {
        "webhook" => reading.webhook(),
        "redis" => reading.redis(),
        "nats" => reading.nats(),
        _ => reading.file(),
    };
    let values = std::mem::take(&mut reading.values);
    setup.filter(|_| faults.len() == before).map(|setup| (setup, values))
}

struct Reading<'a> {
    name: &'a str,
    given: &'a Fields,
    /// The encrypted file of secrets, if there is one.
    vault: Option<&'a Arc<Vault>>,
    faults: &'a mut Vec<ConfigFault>,
    values: BTreeMap<&'static str, Value>,
}

impl Reading<'_> {
    fn file(&mut self) -> Option<SinkSetup> {
        let path = self.value("file", |given| {
            PathBuf::read(&join(&given.folder, &given.text)).map(|path| (path.to_value(), path))
        });
        path.map(SinkSetup::File)
    }

    fn webhook(&mut self) -> Option<SinkSetup> {
        let endpoint = self.value("webhook", |given| shown(given, WebhookSetup::endpoint(&given.text)));
        let vault = self.vault;
        let secrets = self.value("secret", |given| {
            let read = |text: &str| text.parse::<Secret>()?.within(&given.folder).kept_in(vault);
            shown(given, given.text.split(',').map(|text| read(text.trim())).collect::<Result<Vec<_>, _>>())
        });
        let timeout = self.value("timeout", |given| match Millis::read(&given.text)? {
            Millis(0) => Err(Unreadable { reason: "gives it no time at all".to_owned(), hint: None }),
            Millis(ms) if Duration::from_millis(ms) > WebhookSetup::TIMEOUT_MAX => {
                let hint =
                    Some("write 25s or less: a slow answer keeps the next message of its key waiting".to_owned());
                Err(Unreadable { reason: "is too long".to_owned(), hint })
            }
            value => Ok((value.to_value(), value.0)),
        });
        let at_once = self.value("at_once", count);
        let trust = self.trust(endpoint.as_ref(), "https");
        Some(SinkSetup::Webhook(WebhookSetup {
            endpoint: endpoint?,
            trust,
            secrets: secrets.unwrap_or_default(),
            timeout: timeout.map_or(WebhookSetup::TIMEOUT, Duration::from_millis),
            at_once: at_once.map_or(WebhookSetup::AT_ONCE, |count| count.0 as usize),
        }))
    }

    fn redis(&mut self) -> Option<SinkSetup> {
        let endpoint = self.value("redis", |given| shown(given, RedisSetup::endpoint(&given.text)));
        let stream = self.value("stream", |given| shown(given, given.text.parse()));
        let stream = stream.or_else(|| RedisSetup::STREAM.parse().ok());
        let max_length = self.value("max_length", count).map(|count| count.0.into());
        let (username, password) = (self.text("username"), self.secret("password"));
        if self.given.contains_key("username") && !self.given.contains_key("password") {
            self.fault(
                "username",
                "it has no password".to_owned(),
                Some("name where it is: `password: env:NAME`".to_owned()),
            );
        }
        let trust = self.trust(endpoint.as_ref(), "rediss");
        Some(SinkSetup::Redis(RedisSetup {
            endpoint: endpoint?,
            username,
            password,
            trust,
            stream: stream?,
            max_length,
        }))
    }

    fn nats(&mut self) -> Option<SinkSetup> {
        let endpoint = self.value("nats", |given| shown(given, NatsSetup::endpoint(&given.text)));
        let subject = self.value("subject", |given| shown(given, NatsSetup::subject(&given.text)));
        let subject = subject.or_else(|| NatsSetup::subject(NatsSetup::SUBJECT).ok());
        let (stream, name) = (self.text("stream"), self.text("username"));
        let [password, token, credentials, nkey] =
            ["password", "token", "credentials", "nkey"].map(|field| self.secret(field));
        let login = match (name, password, token, credentials, nkey) {
            (None, None, None, None, None) => Some(Login::Nobody),
            (Some(name), Some(password), None, None, None) => Some(Login::User { name, password }),
            (None, None, Some(token), None, None) => Some(Login::Token(token)),
            (None, None, None, Some(credentials), None) => Some(Login::Credentials(credentials)),
            (None, None, None, None, Some(seed)) => Some(Login::Nkey(seed)),
            _ => {
                let hint = "give username and password, or token, or credentials, or nkey";
                self.whole("it says in more than one way who asks, or in half of one".to_owned(), hint);
                None
            }
        };
        let trust = self.trust(endpoint.as_ref(), "tls");
        Some(SinkSetup::Nats(NatsSetup { endpoint: endpoint?, login: login?, trust, subject: subject?, stream }))
    }

    /// Reads whose certificates are trusted; that means nothing where no TLS is demanded.
    fn trust(&mut self, endpoint: Option<&Endpoint>, scheme: &str) -> Trust {
        let path = self
            .value("ca", |given| PathBuf::read(&join(&given.folder, &given.text)).map(|path| (path.to_value(), path)));
        if path.is_some() && endpoint.is_some_and(|endpoint| !endpoint.tls) {
            self.fault(
                "ca",
                "the address speaks no TLS".to_owned(),
                Some(format!("write {scheme}://…, or leave it out")),
            );
        }
        path.map_or(Trust::System, Trust::File)
    }

    fn text(&mut self, field: &'static str) -> Option<String> {
        self.value(field, |given| match given.text.trim() {
            "" => Err(Unreadable { reason: "is empty".to_owned(), hint: None }),
            text => Ok((text.into(), text.to_owned())),
        })
    }
    fn secret(&mut self, field: &'static str) -> Option<Secret> {
        let vault = self.vault;
        let read = |given: &Given| given.text.parse::<Secret>()?.within(&given.folder).kept_in(vault);
        self.value(field, |given| shown(given, read(given)))
    }

    /// Reads a field, if it was given. What was given may be what it must not be, a secret, and is not repeated.
    fn value<T>(&mut self, field: &'static str, read: impl Fn(&Given) -> Result<(Value, T), Unreadable>) -> Option<T> {
        match read(self.given.get(field)?) {
            Ok((value, read)) => {
                self.values.insert(field, value);
                Some(read)
            }
            Err(why) => {
                self.fault(field, format!("what stands there {}", why.reason), why.hint);
                None
            }
        }
    }

    fn fault(&mut self, field: &str, message: String, hint: Option<String>) {
        let origin = self.given.get(field).map_or(Origin::Default, |given| given.origin.clone());
        self.faults.push(ConfigFault { origin, key: Some(format!("{SINKS}.{}.{field}", self.name)), message, hint });
    }
    /// A fault that no single field can be blamed for.
    fn whole(&mut self, message: String, hint: &str) {
        let origin = self.given.values().map(|given| given.origin.clone()).min().unwrap_or(Origin::Default);
        let key = Some(format!("{SINKS}.{}", self.name));
        self.faults.push(ConfigFault { origin, key, message, hint: Some(hint.to_owned()) });
    }
}

fn shown<T>(given: &Given, read: Result<T, Invalid>) -> Result<(Value, T), Unreadable> {
    let unreadable = |invalid: Invalid| Unreadable { reason: invalid.reason, hint: Some(invalid.hint) };
    read.map(|value| (given.text.as_str().into(), value)).map_err(unreadable)
}

fn count(given: &Given) -> Result<(Value, Count), Unreadable> {
    Count::read(&given.text).map(|count| (count.to_value(), count))
}

/// Makes a path absolute.
pub(super) fn join(folder: &Path, text: &str) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    let joined = folder.join(text);
    std::path::absolute(&joined).unwrap_or(joined).to_string_lossy().into_owned()
}
