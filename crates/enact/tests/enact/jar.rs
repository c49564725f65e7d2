//! The binary with a jar that brings its descriptor along: added, called, looked at, and left by a hub that is killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::fake::{enact, text};
use super::inspect::has_javac;

const DESCRIPTOR: &str = "component: pricing\nversion: 1.0.0\njar: { memory: 64MiB }\nservices:\n  quote:\n    \
    total: { kind: query, call: { class: Quote, method: total }, input: { $ref: basket.json } }\n    \
    hello: { kind: query, call: { run: Quote } }\n";
const QUOTE: &str = "public class Quote { public static long total(int[] cents) { long sum = 0; for (int one : cents) sum += one; \
    return sum; } public static void main(String[] args) { System.out.print(\"hello \" + args[0]); } }";

/// Makes `pricing.jar` in a folder.
fn jar(folder: &Path) {
    let inside = folder.join("classes/META-INF/enact");
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::write(inside.join("component.yaml"), DESCRIPTOR).unwrap();
    std::fs::write(inside.join("basket.json"), r#"{"type": "array", "maxItems": 3}"#).unwrap();
    std::fs::write(folder.join("Quote.java"), QUOTE).unwrap();
    // A class for Java 21 alone: it is passed over by every other one, and does not count.
    let newer = folder.join("classes/META-INF/versions/21");
    std::fs::create_dir_all(&newer).unwrap();
    std::fs::write(newer.join("Quote.class"), b"\xca\xfe\xba\xbe\0\0\0\x41").unwrap();
    std::fs::write(folder.join("manifest"), "Multi-Release: true\n").unwrap();
    for (program, args) in [
        ("javac", &["--release", "8", "-Xlint:-options", "-d", "classes", "Quote.java"][..]),
        ("jar", &["cfm", "pricing.jar", "manifest", "-C", "classes", "."]),
    ] {
        let made = Command::new(program).current_dir(folder).args(args).output().unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
    }
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = enact(folder, args);
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command
}

pub fn run(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

#[test]
fn a_jar_with_its_descriptor_inside_is_added_called_and_looked_at() {
    if !has_javac("enact::jar::a_jar_with_its_descriptor_inside_is_added_called_and_looked_at") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    jar(folder);
    for command in ["check", "add"] {
        let done = run(folder, &["component", command, "pricing.jar"]);
        assert_eq!(done.status.code(), Some(0), "{command}: {}", text(&done.stderr));
    }
    let total = run(folder, &["run", "pricing.quote.total", "--input", "[1, 2]"]);
    assert_eq!((text(&total.stdout).trim(), total.status.code()), ("3", Some(0)), "{}", text(&total.stderr));
    let refused = run(folder, &["run", "pricing.quote.total", "--input", "[1, 2, 3, 4]"]);
    assert_ne!(refused.status.code(), Some(0), "the schema inside of the jar is kept");
    let hello = run(folder, &["run", "pricing.quote.hello", "--input", r#"{"args": ["you"]}"#]);
    assert!(text(&hello.stdout).contains("hello you"), "{}", text(&hello.stderr));
    let described = text(&run(folder, &["component", "describe", "pricing"]).stdout);
    assert!(described.contains("Java 8 or newer") && described.contains("Quote.main(String[])"), "{described}");
    let doctor = run(folder, &["doctor"]);
    assert!(text(&doctor.stdout).contains("java: Java "), "{}", text(&doctor.stdout));

    // What stands beside it counts; what it names and is not there is a fault of the check.
    let other = DESCRIPTOR.replace("jar: { ", "jar: { path: pricing.jar, ").replace("1.0.0", "1.1.0");
    let other = other.replace("method: total", "method: totl").replace(", input: { $ref: basket.json }", "");
    std::fs::write(folder.join("pricing.yaml"), other).unwrap();
    let checked = run(folder, &["component", "check", "pricing.jar"]);
    assert!(text(&checked.stderr).contains("Quote has no method totl"), "{}", text(&checked.stderr));
    std::fs::write(folder.join("text.jar"), "no jar").unwrap();
    let wrong = DESCRIPTOR.replace("jar: { ", "jar: { path: text.jar, ");
    std::fs::write(folder.join("component.yaml"), wrong).unwrap();
    let checked = run(folder, &["component", "check", "component.yaml"]);
    assert!(text(&checked.stderr).contains("`text.jar` is not a jar"), "{}", text(&checked.stderr));
}

/// Starts a hub and waits until it is ready.
pub fn serve(folder: &Path) -> Child {
    let mut hub = command(folder, &["serve", "-q"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(hub.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("listens on"), "{line:?}");
    hub
}

/// Lists the JVMs that a hub has started.
pub fn jvms(hub: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{hub}/task")).unwrap().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<String> =
        children.flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    // Beside them there may be one that makes an archive of classes, which has no wire.
    let is_jvm = |pid: &String| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words.contains("dev.enact.jvm.Main"))
    };
    children.into_iter().filter(is_jvm).collect()
}

#[test]
fn a_hub_that_is_killed_leaves_no_jvm_behind() {
    if !has_javac("enact::jar::a_hub_that_is_killed_leaves_no_jvm_behind") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    jar(folder);
    let mut hub = serve(folder);
    let added = run(folder, &["component", "add", "pricing.jar"]);
    assert_eq!(added.status.code(), Some(0), "{}", text(&added.stderr));
    assert_eq!(run(folder, &["run", "pricing.quote.total", "--input", "[1]"]).status.code(), Some(0));
    let left = jvms(hub.id());
    assert!(!left.is_empty());
    hub.kill().unwrap();
    hub.wait().unwrap();
    // The end of its wire ends a JVM by itself, without a hub that would reap it.
    let begun = Instant::now();
    let alive = |pid: &String| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.contains("(java)") && !stat.contains(") Z ")
    };
    while left.iter().any(alive) && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!left.iter().any(alive), "{left:?}");
    let mut next = serve(folder);
    assert!(!left.iter().any(alive), "what the killed hub left is gone before the next one takes commands");
    assert_eq!(run(folder, &["run", "pricing.quote.total", "--input", "[4]"]).status.code(), Some(0));
    next.kill().unwrap();
    next.wait().unwrap();
}

/// A jar whose method leaves a child that bears no mark of the hub.
const LEAVER: &str = "public class Leaver { public static long leave() throws Exception { \
    ProcessBuilder child = new ProcessBuilder(\"/bin/sleep\", \"1000006\"); child.environment().clear(); \
    java.lang.reflect.Method pid = Process.class.getMethod(\"pid\"); return (Long) pid.invoke(child.start()); } }";

/// Tells whether a process is there and has not ended; a stopped one has not.
fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with(['Z', 'X']))
}

#[test]
fn a_jvm_that_outlives_its_wire_and_what_another_left_are_gone_before_the_next_hub_takes_commands() {
    let test =
        "enact::jar::a_jvm_that_outlives_its_wire_and_what_another_left_are_gone_before_the_next_hub_takes_commands";
    if !has_javac(test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    jar(folder);
    std::fs::write(folder.join("Leaver.java"), LEAVER).unwrap();
    for (program, args) in [
        ("javac", &["--release", "8", "-Xlint:-options", "-d", "leaver", "Leaver.java"][..]),
        ("jar", &["cf", "leaver.jar", "-C", "leaver", "."]),
    ] {
        let made = Command::new(program).current_dir(folder).args(args).output().unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
    }
    let leaver = "component: leaver\nversion: 1.0.0\njar: { path: leaver.jar, java: \">=9\" }\nservices:\n  s:\n    \
                  leave: { kind: command, call: { class: Leaver, method: leave } }\n";
    std::fs::write(folder.join("leaver.yaml"), leaver).unwrap();
    // Whose parent dies is a child of this process then, and of its session: a group without any such parent is orphaned, and
    // the system would let a stopped member of it go on.
    rustix::process::set_child_subreaper(Pid::from_raw(1)).unwrap();
    let mut hub = serve(folder);
    for path in ["pricing.jar", "leaver.yaml"] {
        let added = run(folder, &["component", "add", path]);
        assert_eq!(added.status.code(), Some(0), "{path}: {}", text(&added.stderr));
    }
    let left = run(folder, &["run", "leaver.s.leave"]);
    let child: i32 = text(&left.stdout).trim().parse().unwrap_or_else(|_| panic!("{}", text(&left.stderr)));
    let leavers: Vec<i32> = jvms(hub.id()).iter().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(run(folder, &["run", "pricing.quote.total", "--input", "[1]"]).status.code(), Some(0));
    let all: Vec<i32> = jvms(hub.id()).iter().map(|pid| pid.parse().unwrap()).collect();
    // One that answered and is stopped will not see the end of its wire; the other one ends by itself, without its child.
    let parent_of = |pid: i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse::<i32>().ok())
    };
    let parent = parent_of(child).unwrap();
    let stopped: Vec<i32> = all.iter().copied().filter(|pid| *pid != parent).collect();
    assert!(leavers.contains(&parent) && !stopped.is_empty(), "{leavers:?} {all:?} {child}");
    for pid in &stopped {
        kill_process(Pid::from_raw(*pid).unwrap(), Signal::STOP).unwrap();
    }
    hub.kill().unwrap();
    hub.wait().unwrap();
    let begun = Instant::now();
    while alive(parent) && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let outlived: Vec<i32> = stopped.iter().copied().chain([child]).filter(|pid| alive(*pid)).collect();
    let mut next = serve(folder);
    let still: Vec<i32> = outlived.iter().copied().filter(|pid| alive(*pid)).collect();
    next.kill().unwrap();
    next.wait().unwrap();
    for pid in &still {
        // A test that fails leaves nothing either.
        let _ = kill_process(Pid::from_raw(*pid).unwrap(), Signal::KILL);
    }
    assert!(!alive(parent), "the end of its wire ends a JVM");
    assert_eq!(outlived.len(), stopped.len() + 1, "{outlived:?} of {stopped:?} and {child} outlived the hub");
    assert!(still.is_empty(), "a stopped JVM ({stopped:?}) or a child without a mark ({child}) is still there");
}

#[test]
fn runtimes_that_the_configuration_names_come_first_and_an_empty_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let home = folder.join("runtimes/jdk-33");
    std::fs::create_dir_all(home.join("bin")).unwrap();
    std::fs::write(home.join("bin/java"), "").unwrap();
    std::fs::write(home.join("release"), "JAVA_VERSION=\"33.0.1\"\n").unwrap();
    std::fs::write(folder.join("enact.yaml"), "java:\n  homes: [runtimes, nothing]\n").unwrap();
    let shown = run(folder, &["config", "show"]);
    let shown = text(&shown.stdout);
    let line = shown.lines().find(|line| line.contains("java.homes")).unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains("/runtimes,") && line.contains("enact.yaml:2"), "{line}");
    let opened = run(folder, &["session", "open", "s-1"]);
    assert_eq!(opened.status.code(), Some(0), "{}", text(&opened.stderr));
    let doctor = text(&run(folder, &["doctor"]).stdout);
    let first = format!("java: Java 33.0.1 in {}", home.canonicalize().unwrap().display());
    assert!(doctor.contains(&first), "{doctor}");
    assert!(doctor.contains("`java.homes` names") && doctor.contains("/nothing, where no Java is"), "{doctor}");
}

#[test]
fn components_that_name_a_jvm_share_it_and_a_check_leaves_it_alone() {
    if !has_javac("enact::jar::components_that_name_a_jvm_share_it_and_a_check_leaves_it_alone") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    jar(folder);
    for (name, java) in [("alpha", ">=8"), ("beta", ">=11"), ("gamma", ">=8"), ("delta", "8..10")] {
        let jar = format!("jar: {{ path: pricing.jar, jvm: legacy, java: \"{java}\", ");
        let other = DESCRIPTOR.replace("jar: { ", &jar).replace("component: pricing", &format!("component: {name}"));
        let other = other.replace(", input: { $ref: basket.json }", "");
        std::fs::write(folder.join(format!("{name}.yaml")), other).unwrap();
    }
    let mut hub = serve(folder);
    for name in ["alpha", "beta"] {
        let added = run(folder, &["component", "add", &format!("{name}.yaml")]);
        assert_eq!(added.status.code(), Some(0), "{}", text(&added.stderr));
    }
    let total = |name: &str| {
        let total = run(folder, &["run", &format!("{name}.quote.total"), "--input", "[1, 2]"]);
        assert_eq!((text(&total.stdout).trim(), total.status.code()), ("3", Some(0)), "{}", text(&total.stderr));
    };
    let settled = |what: &str| {
        let begun = Instant::now();
        loop {
            match &jvms(hub.id())[..] {
                [only] => return only.clone(),
                other => assert!(begun.elapsed() < Duration::from_secs(30), "{what}: {other:?}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    total("alpha");
    total("beta");
    let both = settled("the process of both");
    let checked = run(folder, &["component", "check", "gamma.yaml"]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    assert_eq!(settled("the process after the check"), both);
    let refused = run(folder, &["component", "add", "delta.yaml"]);
    let says = text(&refused.stderr);
    assert!(says.contains("delta 1.0.0 cannot share the JVM legacy with beta 1.0.0"), "{says}");
    assert_ne!(refused.status.code(), Some(0));
    let removed = run(folder, &["component", "remove", "beta", "1.0.0"]);
    assert_eq!(removed.status.code(), Some(0), "{}", text(&removed.stderr));
    total("alpha");
    hub.kill().unwrap();
    hub.wait().unwrap();
}
