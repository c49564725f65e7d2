//! `call:` — the arguments, standard input and standard output of a program, or the worker's name of the operation.

use enact_model::descriptor::{Argument, Call, Pointer, ProcessMode, Shape, Stdin, Stdout};
use serde_json::Value;

use super::files::{Files, normal_name};
use super::java;
use super::shape::{WORDS_MAX, check_command};
use crate::fault::Faults;
use crate::fields::{self, Fields};
use crate::near::did_you_mean;
use crate::pointer;
use crate::schema::check::check_pointer;
use crate::yaml::{Kind, Mark, Node, cut};

pub const KEYS: [&str; 7] = ["command", "args", "stdin", "stdout", "success", "output_max", "operation"];
/// Keys for a program that is run once.
const ONESHOT_KEYS: [&str; 6] = ["command", "args", "stdin", "stdout", "success", "output_max"];
/// Largest captured output, in bytes.
const OUTPUT_MAX_BYTES: u64 = 64 << 30;

/// What is known while a call is read.
pub struct Around<'a> {
    /// The shape, if it could be read.
    pub shape: Option<&'a Shape>,
    /// The folder of the descriptor.
    pub files: &'a dyn Files,
    /// The input schema, if there is one.
    pub input: Option<&'a Value>,
}

/// Reads the call of an operation; without a `call` key it is the default one.
pub fn read(node: Option<&Node>, around: &Around<'_>, mark: Mark, faults: &mut Faults) -> Call {
    let worker = match around.shape {
        Some(Shape::Jar(shape)) => return java::read(node, around, shape.main.as_deref(), mark, faults),
        Some(Shape::Process(shape)) => shape.mode == ProcessMode::Worker,
        None => false,
    };
    let plain = if worker { Call::default() } else { Call { stdin: Stdin::Json, success: vec![0], ..Call::default() } };
    // Without a shape nobody knows which keys are meant.
    let known: Vec<&str> =
        KEYS.iter().chain(around.shape.is_none().then_some(&java::KEYS).into_iter().flatten()).copied().collect();
    let Some(fields) = node.and_then(|node| Fields::of(node, "call", &known, faults)) else { return plain };
    let strange: &[&str] = if worker { &ONESHOT_KEYS } else { &["operation"] };
    for entry in fields.entries() {
        if strange.contains(&entry.key.as_str()) && around.shape.is_some() {
            let mode = if worker { "worker" } else { "oneshot" };
            let other = if worker { "oneshot" } else { "worker" };
            let hint = format!("leave it out, or say `mode: {other}`");
            faults.hint(entry.mark, format!("`{}` means nothing with `mode: {mode}`", entry.key), hint);
        }
    }
    if worker {
        let operation = fields.text("operation", faults).map(str::to_owned);
        return Call { operation, ..plain };
    }
    program(&fields, around, faults)
}

/// Reads how a program that is run once is called.
pub fn program(fields: &Fields<'_>, around: &Around<'_>, faults: &mut Faults) -> Call {
    let command = fields.get("command").and_then(|node| {
        let mut words = fields.words("command", faults)?;
        if let Some(shape) = around.shape {
            check_command(&mut words, node.mark, shape.files(), around.files, faults);
        }
        Some(words.into_iter().map(|(word, _)| word).collect())
    });
    let args: Vec<Argument> = match fields.list("args", faults) {
        Some(items) if items.len() > WORDS_MAX => {
            faults.add(fields.mark(), format!("{} arguments are more than {WORDS_MAX}", items.len()));
            Vec::new()
        }
        Some(items) => items.iter().filter_map(|item| argument(item, around, faults)).collect(),
        None => Vec::new(),
    };
    let has_args = matches!(fields.get("args").map(|node| &node.kind), Some(Kind::List(items)) if !items.is_empty());
    let stdin = match fields.get("stdin") {
        Some(node) => stdin(node, around, faults).unwrap_or_default(),
        None if has_args => Stdin::Empty,
        None => Stdin::Json,
    };
    let modes = [("json", Stdout::Json), ("text", Stdout::Text), ("ignore", Stdout::Ignore)];
    Call {
        command,
        args,
        stdin,
        stdout: fields.choice("stdout", &modes, faults).unwrap_or_default(),
        success: success(fields, faults),
        output_max_bytes: fields.size_bytes("output_max", 1..=OUTPUT_MAX_BYTES, faults),
        operation: None,
        java: None,
    }
}

fn success(fields: &Fields<'_>, faults: &mut Faults) -> Vec<i32> {
    let Some(items) = fields.list("success", faults) else { return vec![0] };
    let mut codes = Vec::new();
    for item in items {
        match &item.kind {
            Kind::Number(number, _) if number.as_u64().is_some_and(|code| code <= 255) => {
                codes.extend(number.as_u64().map(|code| code as i32));
            }
            _ => faults.hint(
                item.mark,
                format!("{} is not an exit status", item.excerpt()),
                "write numbers from 0 to 255",
            ),
        }
    }
    if items.is_empty() {
        faults.hint(
            fields.get("success").map_or(fields.mark(), |n| n.mark),
            "`success` is empty",
            "leave it out for [0]",
        );
    }
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn argument(node: &Node, around: &Around<'_>, faults: &mut Faults) -> Option<Argument> {
    if let Some(word) = node.scalar() {
        if word.contains('\0') {
            faults.add(node.mark, "an argument cannot hold the character NUL");
        }
        return Some(Argument::Word(word.to_owned()));
    }
    let fields = Fields::of(node, "an argument", &["value", "file", "root", "path", "out"], faults)?;
    let keys: Vec<&str> = fields.entries().map(|entry| entry.key.as_str()).collect();
    match keys.as_slice() {
        ["value"] => Some(Argument::Value(input_pointer(&fields, "value", around, faults)?)),
        ["file"] => Some(Argument::File(input_pointer(&fields, "file", around, faults)?)),
        ["out"] => Some(Argument::Out(scratch_name(&fields, "out", faults)?)),
        ["root", "path"] | ["path", "root"] => {
            let path = input_pointer(&fields, "path", around, faults);
            let root = fields.text("root", faults)?;
            if let Some(shape) = around.shape
                && !shape.roots().contains_key(root)
            {
                let mark = fields.get("root").map_or(node.mark, |n| n.mark);
                let hint = did_you_mean(root, shape.roots().keys().map(String::as_str))
                    .unwrap_or_else(|| "declare it: `process: { roots: { name: ./folder } }`".to_owned());
                faults.hint(mark, format!("the root `{}` is not declared", cut(root, 60)), hint);
            }
            Some(Argument::Root { root: root.to_owned(), path: path? })
        }
        _ => {
            let hint = "write a word, {value: /x}, {file: /x}, {root: name, path: /x} or {out: name}";
            faults.hint(node.mark, "an argument has exactly one form", hint);
            None
        }
    }
}

fn stdin(node: &Node, around: &Around<'_>, faults: &mut Faults) -> Option<Stdin> {
    if node.scalar().is_some() {
        let modes = [("json", true), ("empty", false)];
        return fields::choice(node, "stdin", &modes, faults).map(|json| if json { Stdin::Json } else { Stdin::Empty });
    }
    let fields = Fields::of(node, "stdin", &["text", "file"], faults)?;
    match (fields.get("text").is_some(), fields.get("file").is_some()) {
        (true, false) => Some(Stdin::Text(input_pointer(&fields, "text", around, faults)?)),
        (false, true) => Some(Stdin::File(input_pointer(&fields, "file", around, faults)?)),
        _ => {
            faults.hint(node.mark, "`stdin` has exactly one form", "write json, empty, {text: /x} or {file: /x}");
            None
        }
    }
}

/// Reads a pointer into the input, and follows it through the input schema.
fn input_pointer(fields: &Fields<'_>, key: &str, around: &Around<'_>, faults: &mut Faults) -> Option<Pointer> {
    let node = fields.get(key)?;
    let pointer = read_pointer(node, key, faults)?;
    check_pointer(around.input, &pointer.0, &pointer.0, "input", node.mark, faults);
    Some(pointer)
}

/// Reads a pointer.
pub fn read_pointer(node: &Node, key: &str, faults: &mut Faults) -> Option<Pointer> {
    let text = fields::text(node, key, faults)?;
    pointer::read(text)
        .map_err(|error| {
            let message = format!("`{key}`: `{}` is not a pointer: {error}", cut(text, 60));
            faults.hint(node.mark, message, "write a JSON pointer such as /document");
        })
        .ok()
}

/// Reads the name of a file in the scratch folder.
pub fn scratch_name(fields: &Fields<'_>, key: &str, faults: &mut Faults) -> Option<String> {
    let node = fields.get(key)?;
    let text = fields::text(node, key, faults)?;
    check_scratch_name(text, node.mark, faults)
}

fn check_scratch_name(text: &str, mark: Mark, faults: &mut Faults) -> Option<String> {
    match normal_name(text) {
        Some(name) if name.len() <= 255 => Some(name),
        _ => {
            let message = format!("`{}` is not the name of a file in the scratch folder", cut(text, 60));
            faults.hint(mark, message, "write a relative name such as result.json");
            None
        }
    }
}
