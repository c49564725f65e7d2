//! Every figure that is exported: the only list of them. `docs/metrics.md` is made from it.

use super::{Kind, Metric};

macro_rules! metrics {
    ($(#[$doc:meta] $table:ident { $($kind:ident $name:literal $unit:literal [$($label:literal),*] $meaning:literal;)+ })+) => {
        $(
            #[$doc]
            pub const $table: &[Metric] = &[$(Metric {
                name: $name, kind: Kind::$kind, unit: $unit, labels: &[$($label),*], meaning: $meaning,
            }),+];
        )+
    };
}

metrics! {
    /// What the hub tells of itself, in the order of the page.
    HUB {
        Counter "enact_intents_admitted_total" "" ["tenant"] "Intents that became executions, retries and reconciliations included.";
        Counter "enact_intents_rejected_total" "" ["tenant", "reason"] "Intents that were not admitted, by the name of the conclusion, such as `parameters_invalid` or `overloaded`.";
        Counter "enact_denied_total" "" ["tenant"] "Questions that a role, a tenant or a solution did not cover, whether the log kept them or not.";
        Counter "enact_executions_settled_total" "" ["tenant", "outcome", "category"] "Executions that ended, by outcome and by the category of the conclusion (`none` where there is none).";
        Histogram "enact_execution_start_seconds" "seconds" ["component"] "From acceptance to the first attempt.";
        Histogram "enact_attempt_seconds" "seconds" ["component"] "From the start of an attempt to what the host saw of it.";
        Histogram "enact_execution_settle_seconds" "seconds" ["component"] "From what was seen last to the outcome: zero where one decided the other.";
        Histogram "enact_execution_seconds" "seconds" ["component"] "From acceptance to the outcome.";
        Gauge "enact_executions_open" "" ["tenant"] "Executions that are not settled.";
        Gauge "enact_executions_open_bytes" "bytes" ["tenant"] "Bytes of parameters that they hold.";
        Gauge "enact_executions_queued" "" ["tenant"] "Executions that wait for a slot.";
        Gauge "enact_executions_queued_oldest_seconds" "seconds" ["tenant"] "How long ago the oldest of those that wait for a slot was accepted.";
        Gauge "enact_attempts_running" "" [] "Attempts that are at hosts.";
        Histogram "enact_commit_seconds" "seconds" [] "How long a commit of the log took, its sync included.";
        Histogram "enact_commit_commands" "" [] "Commands that shared a commit.";
        Histogram "enact_commit_records" "" [] "Records of a commit.";
        Gauge "enact_log_position" "" [] "The position of the last durable record.";
        Gauge "enact_log_bytes" "bytes" [] "Bytes of the log that are kept.";
        Gauge "enact_log_segments" "" [] "Segments of the log that are kept.";
        Gauge "enact_tables_behind_records" "" [] "Records by which the tables on disk are behind the log.";
        Gauge "enact_tables_behind_seconds" "seconds" [] "Age of the oldest record that is not in the tables on disk.";
        Gauge "enact_component_instances" "" ["component", "version", "state"] "Processes that run for a component version: `ready` or `busy` with a call.";
        Gauge "enact_component_state" "" ["component", "version", "state"] "1 for the state that its host is in (`registered`, `starting`, `ready`, `degraded`, `backing_off`, `failed`, `draining`, `stopped`), 0 for the others.";
        Gauge "enact_component_circuit_open" "" ["component", "version"] "1 while its host takes no calls because starts have failed.";
        Counter "enact_component_calls_total" "" ["component", "version"] "Calls that began.";
        Counter "enact_component_faults_total" "" ["component", "version"] "Calls that ended with a fault.";
        Counter "enact_component_starts_total" "" ["component", "version"] "Instances that were started.";
        Counter "enact_component_restarts_total" "" ["component", "version"] "Instances that were replaced because they could not be trusted or did not stop.";
        Counter "enact_component_start_failures_total" "" ["component", "version"] "Starts that failed.";
        Gauge "enact_outbox_pending" "" ["sink"] "Messages that a sink still has to get.";
        Gauge "enact_outbox_oldest_seconds" "seconds" ["sink"] "How long the oldest of them has waited.";
        Gauge "enact_outbox_dead_letters" "" ["sink"] "Messages that were given up and not sent again; counted at most once a minute, over the first 200,000 messages.";
        Gauge "enact_sink_down" "" ["sink"] "1 while nothing is delivered since something failed.";
        Counter "enact_deliveries_total" "" ["sink", "result"] "What became of messages: `delivered`, `delayed`, `dead_letter`, `requeued`.";
        Counter "enact_artifact_bytes_total" "bytes" [] "Bytes of artifacts that were taken in, those that were there already included.";
        Gauge "enact_watchers" "" [] "Streams and other watchers of an execution that are open.";
        Counter "enact_watcher_looks_total" "" [] "How often a watcher looked at its execution: at its start, and when something happened to it.";
        Counter "enact_traces_exported_total" "" [] "Executions whose spans the collector has taken.";
        Counter "enact_traces_dropped_total" "" ["reason"] "Executions whose spans were let go of: `queue_full`, `refused` by the collector, or `unreachable` for too long.";
        Gauge "enact_draining" "" [] "1 while the hub takes no new work.";
        Gauge "enact_poisoned" "" [] "1 once the log has refused a write.";
        Gauge "enact_build_info" "" ["version"] "Always 1.";
        Gauge "process_resident_memory_bytes" "bytes" [] "Resident memory of the hub.";
        Gauge "process_open_fds" "" [] "Descriptors that are open.";
        Gauge "process_max_fds" "" [] "Descriptors that may be.";
        Gauge "process_threads" "" [] "Threads.";
        Counter "process_cpu_seconds_total" "seconds" [] "Processor time of the hub, without that of components.";
        Gauge "process_start_time_seconds" "seconds" [] "When the hub opened its store, as seconds of Unix time.";
    }
    /// What the door over HTTP tells of itself.
    DOOR {
        Counter "enact_http_requests_total" "" ["route", "method", "status"] "Requests by the template of their route, `_other` for what is none.";
        Histogram "enact_http_request_seconds" "seconds" ["route", "method"] "Until the head of the answer.";
        Gauge "enact_http_connections" "" [] "Connections that are open.";
        Gauge "enact_http_streams" "" [] "Streams of server-sent events that are open.";
        Gauge "enact_http_certificate_expires_timestamp_seconds" "seconds" [] "When the TLS certificate that is shown ends, since 1970; only with TLS.";
    }
}
