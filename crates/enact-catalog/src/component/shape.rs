//! `process:` — the program, its files, roots and limits.

use std::collections::BTreeMap;
use std::path::{Component as Part, Path, PathBuf};

use enact_model::descriptor::{IDLE_MS, ProcessMode, ProcessShape};
use enact_model::json::Json;

use super::files::{Files, normal_name};
use crate::fault::Faults;
use crate::fields::{self, Fields};
use crate::near::did_you_mean;
use crate::yaml::{Mark, Node, cut};

/// Most words of a command.
pub const WORDS_MAX: usize = 256;
/// Most files of a package.
pub const FILES_MAX: usize = 256;

pub const KEYS: [&str; 11] = [
    "command",
    "mode",
    "files",
    "roots",
    "env",
    "memory",
    "instances",
    "calls_in_flight",
    "start_timeout",
    "idle",
    "config",
];
/// Keys that mean nothing for a program that is run once.
const WORKER_KEYS: [&str; 5] = ["instances", "calls_in_flight", "start_timeout", "idle", "config"];

/// Reads the shape; what is faulty in it is left at its default.
pub fn read(node: &Node, files: &dyn Files, faults: &mut Faults) -> Option<ProcessShape> {
    let fields = Fields::of(node, "process", &KEYS, faults)?;
    let modes = [("oneshot", ProcessMode::Oneshot), ("worker", ProcessMode::Worker)];
    let mode = fields.choice("mode", &modes, faults);
    if mode.unwrap_or(ProcessMode::Oneshot) == ProcessMode::Oneshot && (mode.is_some() || fields.get("mode").is_none())
    {
        for key in WORKER_KEYS {
            if let Some(entry) = fields.entry(key) {
                let message = format!("`{key}` means nothing for a program that is run once");
                faults.hint(entry.mark, message, "say `mode: worker`, or leave it out");
            }
        }
    }
    let packaged = packaged(&fields, files, faults);
    let mut words = fields.words("command", faults).unwrap_or_default();
    if fields.get("command").is_some() || mode == Some(ProcessMode::Worker) {
        check_command(&mut words, fields.get("command").map_or(node.mark, |n| n.mark), &packaged, files, faults);
    }
    Some(ProcessShape {
        command: words.into_iter().map(|(word, _)| word).collect(),
        mode: mode.unwrap_or(ProcessMode::Oneshot),
        env: env(&fields, faults),
        files: packaged,
        roots: roots(&fields, files, faults),
        memory_bytes: fields.size_bytes("memory", (1 << 20)..=(1 << 40), faults),
        instances: fields.whole("instances", 1..=256, faults).map_or(1, |n| n as u32),
        calls_in_flight: fields.whole("calls_in_flight", 1..=1_024, faults).map_or(1, |n| n as u32),
        start_timeout_ms: fields.duration_ms("start_timeout", faults).unwrap_or(10_000),
        idle_ms: fields.duration_ms("idle", faults).unwrap_or(IDLE_MS),
        config: fields.get("config").map(|node| Json::from(&node.to_value())),
    })
}

fn packaged(
    fields: &Fields<'_>,
    files: &dyn Files,
    faults: &mut Faults,
) -> BTreeMap<String, enact_model::digest::Digest> {
    let mut packaged = BTreeMap::new();
    let names = fields.words("files", faults).unwrap_or_default();
    if names.len() > FILES_MAX {
        let mark = fields.get("files").map_or(fields.mark(), |node| node.mark);
        faults.add(mark, format!("{} files are more than {FILES_MAX}", names.len()));
        return packaged;
    }
    for (name, mark) in names {
        let Some(normal) = normal_name(&name) else {
            let hint = "name it relative to the descriptor, without leaving its folder";
            faults.hint(
                mark,
                format!("the file `{}` lies outside of the folder of the descriptor", cut(&name, 60)),
                hint,
            );
            continue;
        };
        match files.facts(&normal) {
            Ok(facts) => {
                if packaged.insert(normal, facts.digest).is_some() {
                    faults.add(mark, format!("the file `{}` is named twice", cut(&name, 60)));
                }
            }
            Err(error) => faults.add(mark, format!("the file `{}` {error}", cut(&name, 60))),
        }
    }
    packaged
}

/// Judges a command, and brings the names of packaged files in it to the form in which they are packaged.
pub fn check_command(
    words: &mut [(String, Mark)],
    mark: Mark,
    packaged: &BTreeMap<String, enact_model::digest::Digest>,
    files: &dyn Files,
    faults: &mut Faults,
) {
    if words.len() > WORDS_MAX {
        faults.add(mark, format!("a command of {} words is longer than {WORDS_MAX}", words.len()));
    }
    let Some(((program, place), rest)) = words.split_first_mut() else {
        faults.hint(mark, "`command` is empty", "name the program: `command: [java, -jar, tool.jar]`");
        return;
    };
    check_program(program, *place, packaged, files, faults);
    for (word, mark) in rest {
        let Some(normal) = normal_name(word) else { continue };
        if packaged.contains_key(&normal) {
            *word = normal;
        } else if (word.contains('.') || word.contains('/')) && files.facts(&normal).is_ok() {
            let message = format!("`{}` stands beside the descriptor and is not part of the package", cut(word, 60));
            faults.hint(*mark, message, format!("add it: `files: [{normal}]`"));
        }
    }
}

fn check_program(
    program: &mut String,
    mark: Mark,
    packaged: &BTreeMap<String, enact_model::digest::Digest>,
    files: &dyn Files,
    faults: &mut Faults,
) {
    let shown = cut(program, 60);
    if program.trim().is_empty() || program.contains('\0') {
        faults.add(mark, "the name of the program is blank");
    } else if program.starts_with('/') || !program.contains('/') {
        if packaged.contains_key(program.as_str()) {
            let message = format!("`{shown}` without / is looked up in PATH, not in the package");
            faults.hint(mark, message, format!("write ./{program}"));
        } else if let Err(error) = files.program(program) {
            let place = if program.starts_with('/') { "" } else { " in PATH" };
            faults.hint(mark, format!("the program `{shown}` {error}{place}"), "install it, or add it to `files`");
        }
    } else if let Some(normal) = normal_name(program) {
        match (packaged.contains_key(&normal), files.facts(&normal)) {
            (true, Ok(facts)) if facts.executable => *program = format!("./{normal}"),
            (true, Ok(_)) => {
                let hint = format!("chmod +x {normal}, or name its interpreter first");
                faults.hint(mark, format!("the program `{shown}` is not executable"), hint);
            }
            (false, Ok(_)) => {
                let message = format!("the program `{shown}` is not part of the package");
                faults.hint(mark, message, format!("add it: `files: [{normal}]`"));
            }
            (_, Err(error)) => {
                let hint = did_you_mean(&normal, packaged.keys().map(String::as_str))
                    .unwrap_or_else(|| "a program with / is relative to the descriptor".to_owned());
                faults.hint(mark, format!("the program `{shown}` {error}"), hint);
            }
        }
    } else {
        faults.add(mark, format!("the program `{shown}` lies outside of the folder of the descriptor"));
    }
}

pub(super) fn env(fields: &Fields<'_>, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    let Some(map) = fields.get("env").and_then(|node| Fields::any(node, "env", faults)) else { return env };
    for entry in map.entries() {
        if entry.key.is_empty() || entry.key.contains(['=', '\0']) {
            faults.add(entry.mark, format!("`{}` is not a name of an environment variable", cut(&entry.key, 60)));
        }
        match entry.value.scalar() {
            Some(text) if !text.contains('\0') => {
                env.insert(entry.key.clone(), text.to_owned());
            }
            _ => fields::wrong_type(&entry.value, &entry.key, "a text", faults),
        }
    }
    env
}

pub(super) fn roots(fields: &Fields<'_>, files: &dyn Files, faults: &mut Faults) -> BTreeMap<String, PathBuf> {
    let mut roots = BTreeMap::new();
    let Some(map) = fields.get("roots").and_then(|node| Fields::any(node, "roots", faults)) else { return roots };
    for entry in map.entries() {
        if entry.key.is_empty() || !entry.key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
            let message = format!("`{}` is not a name for a root", cut(&entry.key, 60));
            faults.hint(entry.mark, message, "only letters, digits, - and _ may stand in it");
        }
        let Some(text) = fields::text(&entry.value, &entry.key, faults) else { continue };
        let path = plain(&files.folder().join(text));
        if !files.is_folder(&path) {
            let hint = "make it, or name another; a relative root begins at the descriptor";
            faults.hint(entry.value.mark, format!("the root `{}` is no folder: {}", entry.key, path.display()), hint);
        }
        roots.insert(entry.key.clone(), path);
    }
    roots
}

/// Takes `.` and `..` out of an absolute path without looking at the disk.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Part::CurDir => {}
            Part::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}
