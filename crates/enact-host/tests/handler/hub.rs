//! A hub that starts things and then waits to be killed: prints the pids of what must be reaped after it.

use std::sync::Arc;
use std::time::Duration;

use enact_host::conformance::{Target, call_of, no_port};
use enact_host::contract::{ArtifactSource, CancelToken, Host, HostSeen, MaterialiseError};
use enact_host::process::{ProcessConfig, ProcessHost};
use enact_model::digest::Digest;
use enact_model::id::Epoch;
use enact_model::json::Json;

struct Nothing;

impl ArtifactSource for Nothing {
    fn materialise(&self, digest: &Digest, _: &std::path::Path) -> Result<(), MaterialiseError> {
        Err(MaterialiseError::Missing(*digest))
    }
}

pub fn run(folder: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let config = ProcessConfig {
            store_id: "reaped-store".to_owned(),
            epoch: Epoch(1),
            folder: folder.into(),
            artifacts: Arc::new(Nothing),
            path: std::env::var_os("PATH").unwrap_or_default(),
        };
        let (host, _) = ProcessHost::open(config).expect("the folder is fresh");
        let host = Arc::new(host);
        let handler = std::env::current_exe().expect("a path").display().to_string();
        // A oneshot program with a child that has no marker, one in a session of its own, and one that ignores signals.
        let script = "env -i /bin/sleep 1000 & setsid /bin/sleep 1000 & trap '' TERM INT HUP; wait";
        let oneshot = Target::oneshot("leaver", &["sh", "-c", script], "leave");
        let worker = Target::worker("keeper", &[&handler, "worker", "plain"], "leave-child", 1, 4);
        for target in [&oneshot, &worker] {
            host.start(target.component.clone(), target.digest).await.expect("it can be started");
        }
        let call = call_of(&worker, Json::null(), Duration::from_secs(30));
        let seen = host.invoke(call, no_port(), CancelToken::never()).await;
        let HostSeen::Replied(reply) = seen.seen else { panic!("{:?}", seen.seen) };
        let _running = tokio::spawn({
            let host = host.clone();
            async move {
                let call = call_of(&oneshot, Json::null(), Duration::from_secs(600));
                host.invoke(call, no_port(), CancelToken::never()).await;
            }
        });
        // Ready when the shell and its two children are there: the session leader and one that has none of the marks.
        let own = std::process::id() as i32;
        loop {
            let all = enact_host::proc::all().expect("/proc is here");
            let mut pids: Vec<i32> = all.values().filter(|f| f.parent == own).map(|f| f.pid).collect();
            let nested: Vec<i32> = all.values().filter(|f| pids.contains(&f.parent)).map(|f| f.pid).collect();
            pids.extend(nested);
            let sleeping = |pid: i32| {
                std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep")
            };
            if pids.iter().filter(|pid| sleeping(**pid)).count() == 3 {
                println!("{} {}", reply.output, pids.iter().map(i32::to_string).collect::<Vec<_>>().join(" "));
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        std::future::pending::<()>().await;
    });
}
