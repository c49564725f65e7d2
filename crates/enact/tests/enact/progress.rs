//! What long work shows of itself, to whom, and the completions of shells.

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

use super::fake::{enact, text};
use super::hub::Store;
use super::skip::skip;

/// Runs a command of a shell whose standard error is a terminal; what that showed is the standard output.
fn on_a_terminal(store: &Store, line: &str) -> Output {
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", line, "/dev/null"]).stdin(Stdio::null());
    let typed = store.command(&[]);
    command.env_clear().envs(typed.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("ENACT_STORE", store.path()).current_dir(store.path()).output().unwrap()
}

#[test]
fn progress_is_drawn_on_a_terminal_alone_and_never_into_an_answer() {
    let store = Store::new();
    let _hub = store.serve();
    let binary = env!("CARGO_BIN_EXE_enact");
    let long = ["run", "c.s.echo", "--input", "{}", "--start-after", "1500ms"];
    let plain = store.run(&long);
    assert_eq!(text(&plain.stdout), "{}\n", "{}", text(&plain.stderr));
    assert!(!text(&plain.stderr).contains('\r'), "{}", text(&plain.stderr));
    let json = store.run(&[&long[..], &["--json"]].concat());
    assert!(json.stderr.is_empty(), "{}", text(&json.stderr));
    serde_json::from_slice::<serde_json::Value>(&json.stdout).unwrap();
    if Command::new("script").arg("--version").output().is_err() {
        return skip("there is no `script`, which makes a terminal");
    }
    let drawn = |options: &str| {
        let seen = on_a_terminal(&store, &format!("{binary} {} {options} > answer", long.join(" ")));
        assert!(seen.status.success(), "{}", text(&seen.stdout));
        (text(&seen.stdout), std::fs::read_to_string(store.path().join("answer")).unwrap())
    };
    let (shown, answer) = drawn("");
    assert_eq!(answer, "{}\n");
    assert!(shown.contains("\r\u{1b}[2K") && shown.contains("| exe_"), "a line that is drawn over: {shown:?}");
    assert!(shown.ends_with("\r\u{1b}[2K"), "and taken away: {shown:?}");
    for quiet in ["--json", "--quiet"] {
        let (shown, answer) = drawn(quiet);
        assert_eq!(shown, "", "{quiet}");
        assert!(!answer.contains('\r') && serde_json::from_str::<serde_json::Value>(&answer).is_ok(), "{answer:?}");
    }
}

/// Lists every command, without the hidden ones.
fn commands(command: &clap::Command) -> BTreeSet<String> {
    let shown = command.get_subcommands().filter(|next| !next.is_hide_set());
    shown.flat_map(|next| commands(next).into_iter().chain([next.get_name().to_owned()])).collect()
}

#[test]
fn every_shell_is_given_completions_of_every_command_and_bash_completes_by_them() {
    let folder = tempfile::tempdir().unwrap();
    let all = commands(&enact_cli::cli::definition());
    assert!(all.contains("redeliver") && all.len() > 50, "{all:?}");
    for shell in ["bash", "zsh", "fish"] {
        let made = enact(folder.path(), &["completions", shell]).output().unwrap();
        assert_eq!((made.status.code(), made.stderr.len()), (Some(0), 0), "{shell}");
        let script = text(&made.stdout);
        let missing: Vec<&String> = all.iter().filter(|name| !script.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{shell}: {missing:?}");
        std::fs::write(folder.path().join(shell), script).unwrap();
    }
    let typed = "source ./bash; COMP_WORDS=(enact execution re); COMP_CWORD=2; _enact enact re execution; echo \"${COMPREPLY[@]}\"";
    let completed = Command::new("bash").args(["--norc", "-c", typed]).current_dir(folder.path()).output().unwrap();
    assert_eq!(text(&completed.stdout), "records retry retry-all resume\n", "{}", text(&completed.stderr));
    let none = enact(folder.path(), &["completions", "tcsh"]).output().unwrap();
    assert_eq!(none.status.code(), Some(2), "{}", text(&none.stderr));
}
