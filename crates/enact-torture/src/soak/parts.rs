//! What a soak puts into its folder: two components that keep the ledger, a jar if there is one, and the configuration.

use std::path::Path;

use super::Plan;
use crate::{Result, doing};

/// The example that is to be copied by whoever writes a worker, and its last line.
const WORKER: &str = include_str!("../../../../examples/worker-python/worker.py");
const SERVE: &str = "\nWorker().serve()\n";
const PRICING: &str = include_str!("../../../../examples/jar-scala-pricing/component.yaml");

/// Writes the components; returns their folders.
pub(super) fn components(folder: &Path, plan: &Plan) -> Result<Vec<String>> {
    let ledger = folder.join("ledger");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(doing("make a folder"))?;
        std::fs::write(path, text).map_err(doing("write a component"))
    };
    write("run/component.yaml", &programs(&ledger))?;
    let mut folders = vec!["run"];
    if plan.python {
        write("work/component.yaml", FRAMES)?;
        write("work/worker.py", &worker(&ledger))?;
        folders.push("work");
    }
    if let Some(jar) = &plan.jar {
        write("pricing/component.yaml", PRICING)?;
        std::fs::copy(jar, folder.join("pricing/pricing-assembly.jar")).map_err(doing("copy the jar"))?;
        folders.push("pricing");
    }
    Ok(folders.into_iter().map(|name| folder.join(name).display().to_string()).collect())
}

/// A program for each attempt.
fn programs(ledger: &Path) -> String {
    let note =
        format!(r#"echo "$ENACT_EXECUTION_ID $ENACT_ATTEMPT $ENACT_IDEMPOTENCY_TOKEN" >> "{}""#, ledger.display());
    let run = |then: &str| format!("[sh, -c, '{note}; {then}']");
    let (plain, slow) = (run("echo true"), run("exec sleep 20"));
    let flaky = run(r#"if [ "$ENACT_ATTEMPT" = 1 ]; then exit 1; fi; echo true"#);
    let emits = "emits: [{ type: done, key: /key }]";
    let again = "idempotent: true, retry: { attempts: 50, backoff: 20ms..200ms }";
    format!(
        r#"component: soak
version: 1.0.0
process: {{ command: [sh] }}
services:
  run:
    once: {{ kind: command, call: {{ command: {plain}, stdin: empty }}, {emits} }}
    later: {{ kind: command, call: {{ command: {plain}, stdin: empty }}, {emits} }}
    again: {{ kind: command, {again}, call: {{ command: {plain}, stdin: empty }}, {emits} }}
    flaky: {{ kind: command, {again}, call: {{ command: {flaky}, stdin: empty }}, {emits} }}
    slow: {{ kind: command, call: {{ command: {slow}, stdin: empty }}, {emits} }}
    fails: {{ kind: command, call: {{ command: [sh, -c, "echo 'closed' >&2; exit 3"], stdin: empty }}, {emits} }}
    invalid:
      kind: command
      call: {{ command: [sh, -c, "echo '{{\"cents\":\"none\"}}'"], stdin: empty }}
      output: {{ type: object, required: [cents], properties: {{ cents: {{ type: integer }} }} }}
      {emits}
    copy:
      kind: command
      idempotent: true
      retry: {{ attempts: 50, backoff: 20ms..200ms }}
      call: {{ command: [cat], args: [{{ file: /document }}] }}
      produces: [{{ artifact: copy.bin, from: stdout, derived_from: /document }}]
      {emits}
"#
    )
}

const FRAMES: &str = "\
component: soak-worker
version: 1.0.0
process: { command: [python3, worker.py], mode: worker, files: [worker.py], instances: 2, calls_in_flight: 8 }
services:
  work:
    once: { kind: command, emits: [{ type: done, key: /key }] }
    again: { kind: command, idempotent: true, retry: { attempts: 50, backoff: 20ms..200ms }, emits: [{ type: done, key: /key }] }
    count:
      kind: command
      idempotent: true
      retry: { attempts: 50, backoff: 20ms..200ms }
      returns: effects
      output: { type: object, required: [count], properties: { count: { type: integer } } }
";

/// The example, with operations of its own.
fn worker(ledger: &Path) -> String {
    let operations = format!(
        r#"

LEDGER = os.open({:?}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def noted(argument, call):
    told = call.context
    os.write(LEDGER, f"{{told['execution_id']}} {{told['attempt']}} {{told['idempotency_token']}}\n".encode())
    return True


def count_in_session(argument, call):
    counted = count(argument, call)
    counted["events"][0]["key"] = call.context["session_id"]
    return counted


OPERATIONS = {{"once": noted, "again": noted, "count": count_in_session}}
"#,
        ledger.display().to_string()
    );
    WORKER.replace(SERVE, &format!("{operations}{SERVE}"))
}

/// Writes the configuration; `redis` is the port of a server, if there is one.
pub(super) fn configuration(folder: &Path, plan: &Plan, redis: Option<u16>) -> Result<()> {
    let (stream, sinks) = match redis {
        Some(port) => (
            format!("  stream: {{ redis: \"redis://127.0.0.1:{port}\", stream: {} }}\n", super::redis::STREAM),
            "audit, stream",
        ),
        None => (String::new(), "audit"),
    };
    let keep = match plan.short_keep {
        true => {
            let s = plan.keep.as_secs();
            format!("history: {{ keep: {s}s }}\nidempotency: {{ keep: {s}s }}\n")
        }
        false => String::new(),
    };
    let text = format!(
        "log: {{ level: warn }}\nhttp: {{ anonymous: none }}\nsinks:\n  audit: {{ file: ./events.jsonl }}\n{stream}\
         outbox: {{ default_sinks: [{sinks}], attempts: 1000, backoff: 100ms..2s }}\n{keep}"
    );
    std::fs::write(folder.join("enact.yaml"), text).map_err(doing("write a configuration"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_of_the_examples_takes_the_operations_of_the_soak() {
        let text = worker(Path::new("/tmp/a ledger"));
        assert!(text.ends_with(SERVE) && text.contains(r#"os.open("/tmp/a ledger""#) && text.contains("def count("));
    }
}
