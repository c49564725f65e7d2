//! A handler with every vice, for the conformance suite: `handler oneshot <probe>`, `handler worker`, `handler hub`.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::zombie_processes, reason = "that is what it is for")]

mod hub;
mod worker;

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::time::Duration;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["worker", "deaf"] => deaf(&["worker", "plain"]),
        ["worker", mode] => worker::run(mode),
        ["oneshot", "deaf"] => deaf(&["oneshot", "loop"]),
        ["oneshot", probe] => oneshot(probe),
        ["hub", folder] => hub::run(folder),
        _ => panic!("handler oneshot PROBE | worker MODE | hub FOLDER"),
    }
}

/// Goes on as the handler of these words, which does not hear SIGTERM, beside a child that does not either.
fn deaf(words: &[&str]) -> ! {
    let handler = std::env::current_exe().expect("the handler has a path");
    let script = r#"trap '' TERM; sleep 9 & exec "$0" "$@""#;
    let error = std::process::Command::new("sh").args(["-c", script]).arg(handler).args(words).exec();
    panic!("no shell: {error}")
}

fn oneshot(probe: &str) {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("standard input can be read");
    let argument: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    match probe {
        "echo" => println!("{argument}"),
        "typed-failure" => {
            eprintln!("the basket is empty");
            std::process::exit(7);
        }
        "big-reply" => flood(100 << 20),
        "flood" => flood(1 << 30),
        "garbage" => print!("\u{1}not json"),
        "half" => print!("{{\"half\": "),
        "bad-effects" => println!("{{\"output\":1,\"stat\":[]}}"),
        other => misbehave(other, &argument),
    }
}

/// What both shapes can do.
fn misbehave(probe: &str, argument: &serde_json::Value) {
    match probe {
        "sleep" => {
            std::thread::sleep(Duration::from_millis(argument["ms"].as_u64().unwrap_or(0)));
            println!("{argument}");
        }
        // Endless as far as any deadline goes; but a test that fails must not leave it on the machine.
        "loop" => {
            let begun = std::time::Instant::now();
            while begun.elapsed() < Duration::from_secs(60) {
                std::hint::spin_loop();
            }
        }
        "exit" => std::process::exit(3),
        "abort" => std::process::abort(),
        "kill" => {
            let pid = std::process::id().to_string();
            let _ = std::process::Command::new("kill").args(["-9", &pid]).status();
        }
        "exhaust" => {
            let mut held = Vec::new();
            loop {
                held.push(vec![1u8; 8 << 20]);
            }
        }
        "descriptors" => {
            let open = std::fs::read_dir("/proc/self/fd").expect("/proc is here");
            let open: Vec<_> = open
                .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
                .map(|target| target.display().to_string())
                .filter(|target| !target.contains("/fd"))
                .collect();
            println!("{}", serde_json::json!(open));
        }
        "environment" => {
            println!("{}", serde_json::json!(std::env::vars().collect::<std::collections::BTreeMap<_, _>>()));
        }
        other => panic!("no probe is called {other}"),
    }
}

fn flood(bytes: usize) {
    let chunk = vec![b'x'; 1 << 20];
    let mut out = std::io::stdout().lock();
    for _ in 0..bytes / chunk.len() {
        if out.write_all(&chunk).is_err() {
            return;
        }
    }
}
