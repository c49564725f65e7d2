//! The settled values, as a plain struct that a hub is opened with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use enact_model::id::{SinkId, TenantId};
use enact_sink::vault::Vault;

use super::door::{HostNames, Issuer, Listen, MaybePath, MaybeRole, MaybeSecret, MaybeText, MaybeUrl, Often, Origins};
use super::handlers::Handlers;
use super::key::Key;
use super::quantity::{Actor, Backoff, Bytes, Count, Keep, LogFormat, LogLevel, Millis, Paths, Readable, SinkNames};
use super::sink::SinkSetup;
use super::telemetry::{Collector, Headers, Label, Share};

macro_rules! settings {
    ($($field:ident: $type:ty = $name:literal, $default:literal, $meaning:literal;)+) => {
        /// Every key, in the order of the reference.
        pub const KEYS: &[Key] = &[$(Key {
            name: $name,
            type_name: <$type as Readable>::TYPE,
            unit: <$type as Readable>::UNIT,
            default: $default,
            meaning: $meaning,
            path: <$type as Readable>::PATH,
            list: <$type as Readable>::LIST,
            check: |text| <$type as Readable>::read(text).map(|value| value.to_value()),
        }),+];

        /// The settled values.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Settings {
            $(#[doc = $meaning] pub $field: $type,)+
            /// Where messages go, by name.
            pub sinks: BTreeMap<SinkId, SinkSetup>,
        }

        impl Settings {
            /// Reads the texts that won, one for each key; none if one of them is no value.
            pub(super) fn read(text: impl Fn(&str) -> String, sinks: BTreeMap<SinkId, SinkSetup>) -> Option<Self> {
                Some(Self { $($field: <$type as Readable>::read(&text($name)).ok()?,)+ sinks })
            }
        }
    };
}

settings! {
    store: PathBuf = "store", "{state}/enact",
        "The folder of the store. `{state}` is `$XDG_STATE_HOME`, or `~/.local/state`.";
    tenant: TenantId = "tenant", "default",
        "On whose behalf the command line asks.";
    actor: Actor = "actor", "cli:{user}",
        "Who the log says did it. `{user}` is the name of the user.";
    log_level: LogLevel = "log.level", "info",
        "How much is written to standard error; commands other than `serve` stay at `warn` unless it is set.";
    log_format: LogFormat = "log.format", "human",
        "How a line of the log looks.";
    open_executions: Count = "limits.open_executions", "10000",
        "Most open executions of all tenants; beyond it intents are refused and may be sent again later.";
    open_executions_per_tenant: Count = "limits.open_executions_per_tenant", "8000",
        "Most open executions of one tenant; below that of all, so that one tenant alone cannot keep the others out.";
    queued_bytes: Bytes = "limits.queued_bytes", "256MiB",
        "Most bytes of parameters that open executions of all tenants hold.";
    queued_bytes_per_tenant: Bytes = "limits.queued_bytes_per_tenant", "128MiB",
        "Most bytes of parameters that open executions of one tenant hold.";
    running: Count = "limits.running", "256",
        "Most attempts that run at once in the whole hub; others wait for a slot.";
    rejections_per_minute: Count = "limits.rejections_per_minute", "60",
        "Most rejected intents of one tenant that are kept in the log each minute; others are only answered.";
    history_keep: Keep = "history.keep", "forever",
        "How long records of settled executions are kept.";
    idempotency_keep: Millis = "idempotency.keep", "24h",
        "How long an idempotency key is kept after its execution is settled, at least. Not below 24h.";
    default_sinks: SinkNames = "outbox.default_sinks", "audit",
        "Where messages go that no solution sends elsewhere.";
    delivery_attempts: Count = "outbox.attempts", "10",
        "Tries of one delivery before it becomes a dead letter.";
    delivery_backoff: Backoff = "outbox.backoff", "200ms..60s",
        "The first and the longest pause between two tries of a delivery.";
    http_listen: Listen = "http.listen", "127.0.0.1:7400",
        "Where `enact serve` listens for HTTP; `off` leaves only the socket of the store. Port 0 is any that is free.";
    http_anonymous: MaybeRole = "http.anonymous", "operator",
        "What a caller without a token may ask, over loopback only and as `tenant`; `none` wants a token there too.";
    http_certificate: MaybePath = "http.tls.certificate", "",
        "The certificate chain in PEM, leaf first; with it HTTP is HTTPS. It is read again when it changes.";
    http_key: MaybePath = "http.tls.key", "",
        "The private key of the certificate in PEM.";
    http_oidc_issuer: Issuer = "http.oidc.issuer", "",
        "An OIDC issuer whose signed tokens hold beside those of `enact token`, exactly as its tokens name it.";
    http_oidc_audience: MaybeText = "http.oidc.audience", "",
        "What the tokens of the issuer must be meant for, their `aud`.";
    http_oidc_tenant: MaybeText = "http.oidc.tenant_claim", "tenant",
        "The claim that names the tenant; dots go into objects. Whom it names an admin of tenant `default` is one of the whole hub.";
    http_oidc_roles: MaybeText = "http.oidc.roles_claim", "roles",
        "The claim that names roles, a text or a list; the greatest of viewer, operator and admin counts. Dots go into objects, such as \
         `realm_access.roles`.";
    http_oidc_ca: MaybePath = "http.oidc.ca", "",
        "Certificates in PEM to trust there instead of those of the system; they are read again each time the issuer is asked.";
    http_hosts: HostNames = "http.hosts", "",
        "Names under which it is reached, beside those of loopback. Off loopback every name passes while there are none.";
    http_origins: Origins = "http.origins", "",
        "Origins of pages that may ask, beside its own; they are let in by CORS.";
    http_requests: Often = "http.requests_per_second", "unlimited",
        "Most questions of one token in a second, and of one address without a token that holds.";
    http_connections: Count = "http.connections", "16384",
        "Most connections at once; others wait.";
    client_url: MaybeUrl = "client.url", "",
        "Where the hub is that `enact client` asks, such as `https://hub.example.org`.";
    client_token: MaybeSecret = "client.token", "",
        "Where its token is: `file:PATH` or `env:NAME`.";
    client_ca: MaybePath = "client.ca", "",
        "Certificates in PEM to trust there instead of those of the system.";
    secrets_file: MaybePath = "secrets.file", "",
        "An encrypted file of secrets, which sinks name as `secret:NAME` and components by NAME; `enact secret` sets them.";
    secrets_key_file: MaybePath = "secrets.key_file", "",
        "The key of that file, readable for its owner alone; `ENACT_SECRETS_KEY` comes before it and has the key itself.";
    handler_secrets: Handlers = "secrets.handlers", "",
        "Secrets that components name and that are elsewhere, as `NAME=env:VARIABLE`, `NAME=file:/PATH` or `NAME=secret:OTHER`; in the variable with commas between.";
    otlp_endpoint: Collector = "telemetry.otlp.endpoint", "",
        "A collector of spans by OTLP over HTTP, such as `http://127.0.0.1:4318`; they go to `/v1/traces` below it.";
    otlp_headers: Headers = "telemetry.otlp.headers", "",
        "Headers that it wants, as `NAME=env:VARIABLE` or `NAME=file:PATH`; in the variable with commas between.";
    otlp_ca: MaybePath = "telemetry.otlp.ca", "",
        "Certificates in PEM to trust there instead of those of the system; they are read again at every connection.";
    service_name: Label = "telemetry.service_name", "enact",
        "What the hub is called there.";
    sampling: Share = "telemetry.sampling", "1",
        "The share of traces that is exported where the caller brought none; a `traceparent` decides for itself.";
    java_homes: Paths = "java.homes", "",
        "Java runtimes, or folders of them, that come before `JAVA_HOME`, `PATH` and the usual folders; in the variable with commas between.";
    shutdown_grace: Millis = "shutdown.grace", "10s",
        "How long running attempts may go on after a signal to end; what is not over by then is recovered at the next start.";
}

impl Settings {
    /// Returns the encrypted file of secrets, if there is one.
    pub fn vault(&self) -> Option<Vault> {
        Some(Vault { file: self.secrets_file.0.clone()?, key_file: self.secrets_key_file.0.clone() })
    }
    /// Returns the grace of a shutdown for people.
    pub fn grace(&self) -> String {
        enact_catalog::quantity::print_ms(self.shutdown_grace.0)
    }
}
