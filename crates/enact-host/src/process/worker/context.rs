//! Context requests of a worker: held against the ids of the call they are made for, then answered by its port (C2).

use std::sync::Arc;

use enact_model::context::ExecutionContext;
use enact_model::json::Json;
use tokio::sync::Semaphore;

use super::instance::Instance;
use crate::contract::{ContextPort, RefusedRequest};
use crate::frames::{FromWorker, OwnIds, ToWorker};

/// Answers one request in the background, or refuses it.
pub(super) fn serve(instance: &Arc<Instance>, request: FromWorker, requests: &Arc<Semaphore>) {
    let (id, name, ids) = match &request {
        FromWorker::StateGet { request, ids, .. } => (*request, "state_get", ids),
        FromWorker::ReferenceGet { request, ids, .. } => (*request, "reference_get", ids),
        FromWorker::LogGet { request, ids } => (*request, "log_get", ids),
        FromWorker::Unfit { request, ids, name, .. } => (*request, *name, ids),
        _ => return,
    };
    let port = match own_port(instance, name, ids) {
        Ok(port) => port,
        Err(message) => {
            instance.tell(&ToWorker::ContextError { request: id, code: "refused", message: &message });
            return;
        }
    };
    if let FromWorker::Unfit { reason, .. } = &request {
        instance.tell(&ToWorker::ContextError { request: id, code: "invalid", message: reason });
        return;
    }
    let Ok(permit) = requests.clone().try_acquire_owned() else {
        let message = "too many context requests at once";
        instance.tell(&ToWorker::ContextError { request: id, code: "unavailable", message });
        return;
    };
    let instance = instance.clone();
    tokio::spawn(async move {
        let answer = match request {
            FromWorker::StateGet { scope, key, .. } => port.state_get(scope, key).await.map(|held| match held {
                Some(held) => (held.value, Some(held.version)),
                // Version 0 is what `if_version` calls "must not exist".
                None => (Json::null(), Some(0)),
            }),
            FromWorker::ReferenceGet { reference, .. } => {
                port.reference_get(reference).await.map(|held| (held.map_or_else(Json::null, |r| r.to_json()), None))
            }
            _ => port.log_get().await.map(|records| (Json::of(&records), None)),
        };
        match answer {
            Ok((value, version)) => {
                let fits = instance.tell(&ToWorker::ContextOk { request: id, value: &value, version });
                if !fits {
                    let message = "the answer does not fit into a frame";
                    instance.tell(&ToWorker::ContextError { request: id, code: "unavailable", message });
                }
            }
            Err(error) => {
                let message = error.to_string();
                instance.tell(&ToWorker::ContextError { request: id, code: "unavailable", message: &message });
            }
        }
        drop(permit);
    });
}

/// Returns the port of the call that a request is made for, if every id it names is that call's own.
fn own_port(instance: &Instance, name: &str, ids: &OwnIds) -> Result<Arc<dyn ContextPort>, String> {
    let calls = instance.calls();
    let sole = (calls.open.len() == 1).then(|| calls.open.values().next()).flatten();
    let entry = match ids.call {
        Some(call) => calls.open.get(&call),
        None => sole,
    };
    let Some(entry) = entry else {
        let what = ids.call.map_or_else(|| "none".to_owned(), |call| call.to_string());
        // It is nobody's; whoever is in flight is the nearest that can be told.
        let told = calls.open.values().next().map(|entry| entry.port.clone());
        drop(calls);
        tracing::warn!(pid = instance.pid(), request = name, call = %what, "a context request names no call in flight");
        if let Some(port) = told {
            port.refused(RefusedRequest { request: name.to_owned(), field: "call", asked: what.clone() });
        }
        return Err(format!("call {what} is not in flight"));
    };
    let foreign = foreign(ids, &entry.call.context);
    let port = entry.port.clone();
    drop(calls);
    let Some((field, asked)) = foreign else { return Ok(port) };
    let asked: String = asked.chars().take(128).collect();
    tracing::warn!(pid = instance.pid(), request = name, field, "a context request names a foreign id");
    port.refused(RefusedRequest { request: name.to_owned(), field, asked });
    Err(format!("{field} is not that of the call"))
}

fn foreign<'a>(ids: &'a OwnIds, context: &ExecutionContext) -> Option<(&'static str, &'a str)> {
    let own = [
        ("tenant_id", &ids.tenant_id, context.tenant_id().to_string()),
        ("session_id", &ids.session_id, context.session_id().to_string()),
        ("execution_id", &ids.execution_id, context.execution_id().to_string()),
    ];
    own.into_iter().find_map(|(field, named, own)| {
        let named = named.as_deref()?;
        (named != own).then_some((field, named))
    })
}
