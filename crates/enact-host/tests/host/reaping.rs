//! A hub that is killed leaves nothing running behind the next one's start (H10).

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use enact_host::proc::ticks_since_boot;
use enact_host::process::{ProcessConfig, ProcessHost};
use enact_host::reap::reap_former;
use enact_model::id::{Epoch, ExecutionId};

use crate::shapes::{Artifacts, HANDLER};

fn alive(pid: i32) -> bool {
    enact_host::proc::facts(pid).is_ok_and(|facts| facts.is_alive())
}

#[tokio::test]
async fn what_a_killed_hub_left_is_gone_before_the_next_host_exists() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = Command::new(HANDLER).arg("hub").arg(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(hub.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pids: Vec<i32> = line.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.len() >= 6, "{line:?}");
    assert!(pids.iter().all(|pid| alive(*pid)), "{pids:?}");
    // Somebody else's process, which must be left alone.
    let bystander = Command::new("/bin/sleep").arg("1000").process_group_of_its_own().spawn().unwrap();
    hub.kill().unwrap();
    hub.wait().unwrap();
    let config = ProcessConfig {
        store_id: "reaped-store".to_owned(),
        epoch: Epoch(2),
        folder: folder.path().to_owned(),
        artifacts: Arc::new(Artifacts::default()),
        path: std::env::var_os("PATH").unwrap(),
    };
    let (_host, report) = ProcessHost::open(config).unwrap();
    let left: Vec<i32> = pids.iter().copied().filter(|pid| alive(*pid)).collect();
    for pid in &left {
        // A test that fails leaves nothing either.
        let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
    }
    let mut bystander = bystander;
    let untouched = bystander.try_wait().unwrap().is_none();
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    assert!(untouched, "a process of somebody else was killed");
    assert!(left.is_empty(), "still there: {left:?} of {pids:?}, {report:?}");
    assert!(report.unknown.is_empty(), "{report:?}");
}

trait OwnGroup {
    fn process_group_of_its_own(&mut self) -> &mut Self;
}

impl OwnGroup for Command {
    fn process_group_of_its_own(&mut self) -> &mut Self {
        std::os::unix::process::CommandExt::process_group(self, 0)
    }
}

#[test]
fn an_instance_that_was_announced_but_never_seen_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let execution = ExecutionId::from_u128(5);
    let lines = [
        serde_json::json!({"hub": {"epoch": 1, "boot": boot.trim()}}),
        serde_json::json!({"spawn": {"nonce": "1-1", "label": "pricing 1.0.0", "execution": execution}}),
        serde_json::json!({"spawn": {"nonce": "1-2", "label": "pricing 1.0.0", "execution": null}}),
        serde_json::json!({"gone": {"nonce": "1-2"}}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(folder.path().join("instances.log"), &text).unwrap();
    let report = reap_former(folder.path(), "announced-store", Epoch(2)).unwrap();
    assert_eq!(report.unknown.len(), 1);
    assert_eq!(report.unknown[0].execution, Some(execution));
    // On another boot it is certainly gone.
    std::fs::write(folder.path().join("instances.log"), text.replace(boot.trim(), "another-boot")).unwrap();
    assert_eq!(reap_former(folder.path(), "announced-store", Epoch(2)).unwrap().unknown, []);
}

/// Writes the ledger of a hub that came from these processes, and had just announced an instance for an execution, and a worker.
fn announced(folder: &Path, ancestors: &[i32], execution: ExecutionId) {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let at = ticks_since_boot();
    let lines = [
        serde_json::json!({"hub": {"epoch": 1, "boot": boot.trim(), "ancestors": ancestors}}),
        serde_json::json!({"spawn": {"nonce": "1-1", "label": "pricing 1.0.0", "execution": execution, "at": at}}),
        serde_json::json!({"spawn": {"nonce": "1-2", "label": "stock 1.0.0", "execution": null, "at": at}}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(folder.join("instances.log"), text).unwrap();
}

#[test]
fn an_instance_that_was_announced_is_gone_where_no_process_can_be_it() {
    let folder = tempfile::tempdir().unwrap();
    let execution = ExecutionId::from_u128(5);
    let reaped = || {
        announced(folder.path(), &[], execution);
        reap_former(folder.path(), "announced-store", Epoch(2)).unwrap()
    };
    // Somebody else's orphan may come at this very moment; not a hundred times.
    assert!((0..100).any(|_| reaped().unknown.is_empty()), "{:?}", reaped());
}

#[test]
fn a_process_without_a_name_that_may_be_the_instance_keeps_its_attempt_in_doubt_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let execution = ExecutionId::from_u128(5);
    announced(folder.path(), &[std::process::id() as i32], execution);
    // It has wiped its environment, and its parent is one that the hub came from.
    let mut child = Command::new("/bin/sleep").arg("1000").env_clear().process_group_of_its_own().spawn().unwrap();
    let report = reap_former(folder.path(), "announced-store", Epoch(2)).unwrap();
    let untouched = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(untouched, "nobody knows whose it is, and it was killed");
    assert_eq!(report.may_still_run(execution).map(|instance| instance.label.as_str()), Some("pricing 1.0.0"));
    // A worker that was never seen had no call, so nobody else's attempt is in doubt for it.
    assert_eq!(report.unknown.len(), 2);
    assert_eq!(report.may_still_run(ExecutionId::from_u128(6)), None);
}

#[test]
fn a_process_of_another_store_or_of_this_epoch_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let start = |hub: &str, epoch: &str| {
        let mut command = Command::new("/bin/sleep");
        command.arg("1000").env("ENACT_HUB", hub).env("ENACT_EPOCH", epoch).process_group_of_its_own();
        command.spawn().unwrap()
    };
    // A name that no other run of this test has.
    let own = folder.path().display().to_string();
    let (mut other, mut same, mut former) = (start("other-store", "1"), start(&own, "7"), start(&own, "6"));
    let report = reap_former(folder.path(), &own, Epoch(7)).unwrap();
    let untouched = other.try_wait().unwrap().is_none() && same.try_wait().unwrap().is_none();
    for child in [&mut other, &mut same, &mut former] {
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert!(untouched);
    assert_eq!(report.killed, [former.id() as i32]);
}

#[test]
fn the_ledger_has_one_hub_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let config = |epoch| ProcessConfig {
        store_id: "locked-store".to_owned(),
        epoch: Epoch(epoch),
        folder: folder.path().to_owned(),
        artifacts: Arc::new(Artifacts::default()),
        path: Default::default(),
    };
    let first = ProcessHost::open(config(1)).unwrap();
    assert!(ProcessHost::open(config(2)).is_err());
    drop(first);
    assert!(ProcessHost::open(config(2)).is_ok());
}
