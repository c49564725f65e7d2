//! A hub in this process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use enact_engine::policy::Policy;
use enact_model::id::{ExecutionId, Lsn};
use enact_model::record::Record;
use enact_model::time::Timestamp;
use enact_runtime::api::{Caller, Refusal, Request, Response};
use enact_runtime::hub::{Hub, HubConfig, OpenError};
use enact_runtime::probe::{BoxFuture, Probe};
use enact_runtime::trace::Traces;
use enact_server::TlsFiles;
use enact_server::access::{Oidc, OidcConfig, Pace, Trust};
use enact_sink::otlp::{OtlpSetup, OtlpSink};
use enact_store::embedded::{self, FolderError};
use enact_store::io::LockError;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Answers, OpenFailure};
use crate::config::Settings;
use crate::config::door::{MaybePath, MaybeText};
use crate::config::handlers::HandlerSecrets;
use crate::failure::Failure;

/// How long a command waits for its messages to be delivered before it takes its hub away; the next one goes on with them.
const DELIVERY_LIMIT: Duration = Duration::from_millis(500);
/// Between two looks at them.
const LOOK: Duration = Duration::from_millis(5);

/// A hub in this process.
pub struct Local {
    hub: Arc<Hub>,
}

impl Local {
    /// Opens a hub for one command. It ends with its command, so it begins nothing that would have to be given up then, but
    /// for what is [called for](Self::call_for).
    ///
    /// # Errors
    /// As [`Local::open`].
    pub async fn for_one_command(settings: &Settings) -> Result<Self, OpenFailure> {
        let mut config = hub_config(settings);
        config.policy.running_max = 0;
        Self::open(config).await.map_err(|failure| match failure {
            OpenFailure::Held { path, held, .. } => OpenFailure::Held { path, held, for_one: true },
            other => other,
        })
    }

    /// Opens a hub.
    ///
    /// # Errors
    /// A store that is held by another process or cannot be opened.
    pub async fn open(config: HubConfig) -> Result<Self, OpenFailure> {
        let path = config.store.clone();
        Hub::open(config).await.map(|hub| Self { hub }).map_err(|error| refused(path, error))
    }

    /// Returns the hub itself, for doors that know it.
    pub fn hub(&self) -> Arc<Hub> {
        Arc::clone(&self.hub)
    }

    /// Starts an execution that somebody waits for here.
    ///
    /// # Errors
    /// When the hub is ending.
    pub async fn call_for(&self, execution: ExecutionId) -> Result<(), Failure> {
        self.hub
            .call_for(execution)
            .await
            .map_err(|error| Failure::System { what: "start the execution", source: std::io::Error::other(error) })
    }

    /// Waits a moment for messages that are on their way.
    pub async fn deliver(&self) {
        let end = Instant::now() + DELIVERY_LIMIT;
        while self.hub.status().pending_messages > 0 && Instant::now() < end {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends the hub: new work is refused, what runs is finished within its grace or waits durably.
    pub async fn shutdown(&self) {
        if let Err(error) = self.hub.shutdown().await {
            tracing::warn!(%error, "the hub did not end cleanly; nothing that was acknowledged is lost");
        }
    }
}

impl Answers for Local {
    async fn handle(&self, caller: Caller, request: Request) -> Response {
        self.hub.handle(&caller, request).await
    }

    async fn watch(&self, caller: Caller, execution: ExecutionId) -> Result<mpsc::Receiver<Record>, Box<Refusal>> {
        match self.hub.handle(&caller, Request::Execution { execution }).await {
            Response::Refused(refusal) => Err(refusal),
            _ => {
                let mut records = self.hub.watch(&caller, execution, Lsn::ZERO);
                let (sender, receiver) = mpsc::channel(64);
                tokio::spawn(async move {
                    loop {
                        let record = tokio::select! {
                            record = records.recv() => record,
                            () = sender.closed() => None,
                        };
                        let Some(record) = record else { return };
                        if sender.send(record).await.is_err() {
                            return;
                        }
                    }
                });
                Ok(receiver)
            }
        }
    }
}

/// Says why the store in a folder cannot be opened.
pub fn refused(path: PathBuf, error: OpenError) -> OpenFailure {
    match error {
        OpenError::Store(embedded::OpenError::Folder(FolderError::Lock {
            source: held @ LockError::Held { .. },
            ..
        })) => OpenFailure::Held { path, held, for_one: false },
        error => OpenFailure::Refused { path, conclusion: Box::new(error.conclusion()) },
    }
}

/// Returns the set-up of the door over HTTP, if there is to be one.
pub fn http_config(settings: &Settings) -> Option<enact_server::Config> {
    let listen = settings.http_listen.0?;
    Some(enact_server::Config {
        tls: tls_files(settings),
        oidc: oidc_config(settings),
        live: live(settings),
        anonymous_tenant: settings.tenant.clone(),
        connections: settings.http_connections.0 as usize,
        ..enact_server::Config::new(listen, super::tokens_folder(&settings.store))
    })
}

fn tls_files(settings: &Settings) -> Option<TlsFiles> {
    let (certificate, key) = settings.http_certificate.0.clone().zip(settings.http_key.0.clone())?;
    Some(TlsFiles { certificate, key })
}

/// Returns what may change while that door serves.
pub fn live(settings: &Settings) -> enact_server::Live {
    enact_server::Live {
        anonymous: settings.http_anonymous.0,
        hosts: settings.http_hosts.0.clone(),
        origins: settings.http_origins.0.clone(),
        requests_per_second: settings.http_requests.0,
    }
}

/// Returns the issuer whose tokens hold, if there is one.
fn oidc_config(settings: &Settings) -> Option<OidcConfig> {
    let text = |text: &MaybeText| text.0.clone().unwrap_or_default();
    Some(OidcConfig {
        issuer: settings.http_oidc_issuer.0.clone()?,
        audience: text(&settings.http_oidc_audience),
        tenant_claim: text(&settings.http_oidc_tenant),
        roles_claim: text(&settings.http_oidc_roles),
        trust: trust(&settings.http_oidc_ca),
        pace: Pace::default(),
    })
}

fn trust(ca: &MaybePath) -> Trust {
    ca.0.clone().map_or(Trust::System, Trust::File)
}

/// The issuer, as the doctor asks it.
struct IssuerProbe(Oidc);

impl Probe for IssuerProbe {
    fn check<'a>(&'a self) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(self.0.check())
    }
}

/// Returns the set-up of a hub with these settings.
pub fn hub_config(settings: &Settings) -> HubConfig {
    HubConfig {
        policy: policy(settings),
        sinks: settings.sinks.iter().map(|(name, setup)| (name.clone(), setup.build())).collect(),
        secrets: Some(Arc::new(HandlerSecrets::new(&settings.handler_secrets, settings.vault()))),
        traces: traces(settings),
        history_keep: settings.history_keep.0.map(Duration::from_millis),
        shutdown_grace: Duration::from_millis(settings.shutdown_grace.0),
        java_homes: settings.java_homes.0.clone(),
        probes: probes(settings),
        ..HubConfig::new(settings.store.clone())
    }
}

/// The files of TLS, as the doctor looks at them.
struct CertificateProbe(TlsFiles);

impl Probe for CertificateProbe {
    fn check<'a>(&'a self) -> BoxFuture<'a, Result<String, String>> {
        let path = self.0.certificate.display();
        let found = match self.0.look() {
            Err(error) => Err(format!("{error}; a hub that runs shows the certificate it had before")),
            Ok(None) => Ok(format!("{path}")),
            Ok(Some(validity)) => match validity.trouble(SystemTime::now()) {
                Some(trouble) => Err(format!(
                    "{trouble} ({path}); renew it and write both files anew: they are read again without a restart"
                )),
                None => Ok(format!("{path}, until {}", Timestamp::from_system(validity.until))),
            },
        };
        Box::pin(std::future::ready(found))
    }
}

/// Returns what the doctor asks beside the hub itself.
fn probes(settings: &Settings) -> BTreeMap<String, Arc<dyn Probe>> {
    let mut probes: BTreeMap<String, Arc<dyn Probe>> = BTreeMap::new();
    if settings.http_listen.0.is_some() {
        probes.extend(
            oidc_config(settings).map(|config| ("issuer".to_owned(), Arc::new(IssuerProbe(Oidc::new(config))) as _)),
        );
        probes.extend(
            tls_files(settings).map(|files| ("certificate".to_owned(), Arc::new(CertificateProbe(files)) as _)),
        );
    }
    probes
}

fn traces(settings: &Settings) -> Option<Traces> {
    let endpoint = OtlpSetup::endpoint(settings.otlp_endpoint.0.as_deref()?).ok()?;
    let (headers, service_name) = (settings.otlp_headers.0.clone(), settings.service_name.0.clone());
    let sink = OtlpSink::new(OtlpSetup { endpoint, trust: trust(&settings.otlp_ca), headers, service_name });
    Some(Traces { sink: Arc::new(sink), share: settings.sampling.share() })
}

fn policy(settings: &Settings) -> Policy {
    let backoff = settings.delivery_backoff;
    Policy {
        open_max: settings.open_executions.0.into(),
        open_max_per_tenant: settings.open_executions_per_tenant.0.into(),
        queued_bytes_max: settings.queued_bytes.0,
        queued_bytes_max_per_tenant: settings.queued_bytes_per_tenant.0,
        running_max: settings.running.0,
        called_for: None,
        rejections_per_minute: settings.rejections_per_minute.0,
        idempotency_keep: Duration::from_millis(settings.idempotency_keep.0),
        default_sinks: settings.default_sinks.0.clone(),
        delivery_attempts: settings.delivery_attempts.0,
        delivery_backoff: (Duration::from_millis(backoff.first_ms), Duration::from_millis(backoff.longest_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, settle};

    #[test]
    fn the_defaults_of_the_configuration_are_those_of_the_hub() {
        let sources = Sources { flags: [("store", "/s".to_owned())].into(), ..Sources::default() };
        let ours = hub_config(&settle::settle(&sources).unwrap().settings);
        let theirs = HubConfig::new("/s");
        let policy = Policy { default_sinks: vec!["audit".parse().unwrap()], ..theirs.policy };
        assert_eq!(format!("{:?}", ours.policy), format!("{policy:?}"));
        assert_eq!(ours.java_homes, theirs.java_homes);
        assert_eq!((ours.history_keep, ours.shutdown_grace), (theirs.history_keep, theirs.shutdown_grace));
    }
}
