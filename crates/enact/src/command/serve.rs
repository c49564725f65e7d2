//! `enact serve`: a hub that listens on the socket of its store, until it is told to end.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tokio::sync::watch;

use super::desk::Desk;
use super::reload::Reload;
use super::signal::{Ends, HangUps};
use crate::config::quantity::LogFormat;
use crate::config::{ConfigFault, Faults, Settings, Sheet};
use crate::door::local::{Local, http_config, hub_config};
use crate::failure::Failure;
use crate::socket::protocol::RELEASE;
use crate::socket::server::Server;

/// Run a hub that listens on the socket of its store, until it is told to end.
///
/// When it is ready it prints one line with where it listens: the socket, and the address of `http.listen`. SIGTERM, SIGINT or `enact stop` ends it: what was
/// acknowledged is finished within `shutdown.grace` or waits durably, and new work is refused; a second signal ends it at once. SIGHUP reads the configuration again; on a terminal it ends the hub.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  enact serve\n  enact serve --store /var/lib/enact --json")]
pub struct ServeArgs {}

impl ServeArgs {
    /// Carries the command out.
    ///
    /// # Errors
    /// A store that is held or cannot be opened, a socket or an address that cannot be bound, a second signal.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        let (mut ends, mut reloads) = (Ends::of_service()?, HangUps::listen()?);
        look_for_tls(&desk.sheet)?;
        let hub = Arc::new(Local::open(hub_config(desk.settings())).await?);
        let (server, http) = match bind(desk).await {
            Ok(doors) => doors,
            Err(failure) => {
                hub.shutdown().await;
                return Err(failure);
            }
        };
        let url = http.as_ref().map(enact_server::Server::url);
        let (again, level) = desk.again.take().ok_or(Failure::Unexpected)?;
        let mut reload = Reload::new(again, level, http.as_ref().map(enact_server::Server::live));
        let path = server.path().to_owned();
        let (end, ended) = watch::channel(false);
        let over_http = http.map(|http| tokio::spawn(http.serve(hub.hub(), ended.clone())));
        let serving = tokio::spawn(server.serve(Arc::clone(&hub), ended));
        let ready = if desk.out.json {
            let pid = std::process::id();
            desk.out.json_line(&json!({ "listens": path, "http": url, "pid": pid, "release": RELEASE }))
        } else {
            let http = url.map(|url| format!(" and {url}")).unwrap_or_default();
            let (path, pid) = (path.display(), std::process::id());
            desk.out.line(&format!("enact {RELEASE} listens on {path}{http} (process {pid})"))
        };
        // Whoever started it may have closed the pipe by now; the hub goes on.
        if let Err(failure) = ready
            && !matches!(failure, Failure::PipeClosed)
        {
            tracing::warn!(%failure, "failed to say that the hub is ready");
        }
        let asked = hub.hub();
        let reason = loop {
            tokio::select! {
                signal = ends.next() => break signal.to_owned(),
                reason = asked.asked_to_end() => break reason,
                () = reloads.next() => desk.sheet = reload.carry_out(&desk.sheet),
            }
        };
        let grace = desk.sheet.settings.grace();
        match desk.sheet.settings.log_format {
            // Whoever reads the log as JSON reads nothing else there.
            LogFormat::Json => tracing::info!(reason, grace, "ending: new work is refused"),
            LogFormat::Human => {
                desk.out.note(&format!("ending ({reason}): new work is refused, what runs has {grace}"))
            }
        }
        tokio::select! {
            () = hub.shutdown() => {}
            _ = ends.next() => return Err(Failure::EndedAtOnce),
        }
        // The receiver is gone only if serving ended by itself.
        let _ = end.send(true);
        let _ = serving.await;
        if let Some(over_http) = over_http {
            let _ = over_http.await;
        }
        Ok(())
    }
}

/// Looks whether the files of TLS can be read, so that the place which names one is told before the store is opened.
fn look_for_tls(sheet: &Sheet) -> Result<(), Faults> {
    let Settings { http_listen, http_certificate, http_key, .. } = &sheet.settings;
    let named = [("http.tls.certificate", &http_certificate.0), ("http.tls.key", &http_key.0)];
    let fault = |(key, path): (&str, &Option<PathBuf>)| {
        let path = path.as_ref()?;
        let error = std::fs::File::open(path).err()?;
        let why = match error.kind() {
            ErrorKind::NotFound => "no such file".to_owned(),
            _ => error.to_string(),
        };
        let hint = Some("name a file in PEM that the hub may read".to_owned());
        let message = format!("failed to read {}: {why}", path.display());
        Some(ConfigFault { origin: sheet.origin(key).clone(), key: Some(key.to_owned()), message, hint })
    };
    let faults: Vec<ConfigFault> = named.into_iter().filter(|_| http_listen.0.is_some()).filter_map(fault).collect();
    if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
}

/// Binds every door of a hub whose store is held by now.
async fn bind(desk: &Desk) -> Result<(Server, Option<enact_server::Server>), Failure> {
    let socket = Server::bind(&desk.settings().store)?;
    let http = match http_config(desk.settings()) {
        Some(config) => Some(enact_server::Server::bind(config).await?),
        None => None,
    };
    Ok((socket, http))
}
