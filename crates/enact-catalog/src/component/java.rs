//! `call:` of a jar — a method of a class, or its `main(String[])`.

use enact_model::descriptor::{Call, JavaCall, JavaMain, JavaMethod, JavaParam, Stdin, Stdout};

use super::call::{self, Around};
use crate::fault::Faults;
use crate::fields::{self, Fields};
use crate::yaml::{Mark, Node, cut};

/// Keys of a method.
const METHOD_KEYS: [&str; 4] = ["class", "method", "params", "returns_type"];
/// Keys of a main class.
const RUN_KEYS: [&str; 6] = ["run", "args", "stdin", "stdout", "success", "output_max"];
/// Every key of a `call` of a jar.
pub const KEYS: [&str; 10] =
    ["class", "method", "params", "returns_type", "run", "args", "stdin", "stdout", "success", "output_max"];
/// Most parameters of a method, as in a class file.
const PARAMS_MAX: usize = 255;
/// Longest name of a type, in bytes.
const TYPE_MAX: usize = 1_024;

/// Reads the call of an operation; without a `call` key it runs the main class of the shape.
pub fn read(node: Option<&Node>, around: &Around<'_>, main: Option<&str>, mark: Mark, faults: &mut Faults) -> Call {
    let nothing = Call::default();
    let Some(node) = node else {
        let Some(class) = main else {
            let hint = "name it: `call: { class: com.acme.Quote, method: total }`, or `main` of the jar";
            faults.hint(mark, "`call` is missing, and the jar has no `main`", hint);
            return nothing;
        };
        return run(class, true, Call { stdout: Stdout::Text, success: vec![0], ..nothing });
    };
    let Some(fields) = Fields::of(node, "call", &KEYS, faults) else { return nothing };
    if fields.get("run").is_some() {
        strange(&fields, &RUN_KEYS, "`run`", faults);
        return main_class(&fields, around, faults);
    }
    if main.is_some() && fields.get("class").is_none() && fields.get("method").is_none() {
        strange(&fields, &RUN_KEYS, "a main class", faults);
        return main_class(&fields, around, faults);
    }
    strange(&fields, &METHOD_KEYS, "a method", faults);
    for key in ["class", "method"] {
        if fields.get(key).is_none() {
            let hint = "name class and method: `call: { class: com.acme.Quote, method: total }`";
            fields.missing(key, "the call", hint, faults);
        }
    }
    let method = JavaMethod {
        class: class(&fields, "class", faults).unwrap_or_default(),
        method: name(&fields, "method", faults).unwrap_or_default(),
        params: params(&fields, faults),
        returns: fields.text("returns_type", faults).map(str::to_owned),
    };
    Call { java: Some(JavaCall::Method(method)), ..nothing }
}

fn run(class: &str, as_asked: bool, call: Call) -> Call {
    Call { java: Some(JavaCall::Run(JavaMain { class: class.to_owned(), as_asked })), ..call }
}

fn main_class(fields: &Fields<'_>, around: &Around<'_>, faults: &mut Faults) -> Call {
    let own = match around.shape {
        Some(enact_model::descriptor::Shape::Jar(shape)) => shape.main.clone(),
        _ => None,
    };
    let class = class(fields, "run", faults).or(own).unwrap_or_default();
    // Templates, as of any program; otherwise the call brings its arguments along.
    let as_asked = fields.get("args").is_none() && fields.get("stdin").is_none();
    let mut call = call::program(fields, around, faults);
    if as_asked {
        call.stdin = Stdin::Empty;
        if fields.get("stdout").is_none() {
            call.stdout = Stdout::Text;
        }
    }
    run(&class, as_asked, call)
}

fn strange(fields: &Fields<'_>, keys: &[&str], what: &str, faults: &mut Faults) {
    for entry in fields.entries().filter(|entry| KEYS.contains(&entry.key.as_str())) {
        if !keys.contains(&entry.key.as_str()) {
            let hint = format!("the keys of {what} are {}", keys.join(", "));
            faults.hint(entry.mark, format!("`{}` means nothing with {what}", entry.key), hint);
        }
    }
}

fn class(fields: &Fields<'_>, key: &str, faults: &mut Faults) -> Option<String> {
    let node = fields.get(key)?;
    let text = fields.text(key, faults)?;
    if !is_class_name(text) {
        let message = format!("`{key}`: `{}` is not the name of a class", cut(text, 60));
        faults.hint(
            node.mark,
            message,
            "write it with its package, such as com.acme.Quote, a nested one as Outer$Inner",
        );
    }
    Some(text.to_owned())
}

fn name(fields: &Fields<'_>, key: &str, faults: &mut Faults) -> Option<String> {
    let node = fields.get(key)?;
    let text = fields.text(key, faults)?;
    if !is_identifier(text) {
        faults.add(node.mark, format!("`{key}`: `{}` is not the name of a method", cut(text, 60)));
    }
    Some(text.to_owned())
}

fn params(fields: &Fields<'_>, faults: &mut Faults) -> Option<Vec<JavaParam>> {
    let items = fields.list("params", faults)?;
    if items.len() > PARAMS_MAX {
        faults.add(fields.mark(), format!("{} parameters are more than {PARAMS_MAX}", items.len()));
        return None;
    }
    let mut params: Vec<JavaParam> = Vec::new();
    for item in items {
        let Some(param) = param(item, faults) else { continue };
        if params.iter().any(|other| other.name == param.name) {
            faults.add(item.mark, format!("the parameter `{}` is named twice", cut(&param.name, 60)));
        }
        params.push(param);
    }
    Some(params)
}

fn param(node: &Node, faults: &mut Faults) -> Option<JavaParam> {
    if let Some(name) = node.scalar() {
        return Some(JavaParam { name: name.to_owned(), of: None });
    }
    let fields = Fields::of(node, "a parameter", &["name", "type"], faults)?;
    if fields.get("name").is_none() {
        fields.missing("name", "the parameter", "say which member of the argument it takes", faults);
    }
    let of = fields.text("type", faults).map(str::to_owned);
    if let (Some(text), Some(node)) = (&of, fields.get("type"))
        && (text.len() > TYPE_MAX || text.chars().any(char::is_control))
    {
        fields::wrong_type(node, "type", "a type such as List[Item]", faults);
    }
    Some(JavaParam { name: fields.text("name", faults)?.to_owned(), of })
}

/// Returns whether a text can be the binary name of a class.
pub fn is_class_name(text: &str) -> bool {
    text.len() <= TYPE_MAX && text.split('.').all(is_identifier)
}

/// Java allows nearly every letter; Scala adds more. What a class file forbids is what can only be a slip.
fn is_identifier(text: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || ".;[/<>:()'\"{},".contains(c);
    !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains(forbidden)
}
