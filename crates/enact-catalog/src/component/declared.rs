//! `produces`, `result`, `emits` and `state`: the effects that are declared without touching the code.

use enact_model::descriptor::{
    Emit, JavaCall, On, Operation, Pointer, ProcessMode, Produce, ProduceFrom, Returns, Shape, StateEffect, Stdout,
    Template,
};
use enact_model::envelope::StateScope;
use enact_model::json::Json;
use enact_model::message::{EVENT_TYPE_RULE, is_event_type};
use enact_model::reference::is_media_type;
use serde_json::Value;

use super::call::{read_pointer, scratch_name};
use super::operation::Place;
use crate::fault::Faults;
use crate::fields::{self, Fields};
use crate::pointer::{self, Piece, Source, source};
use crate::schema::check::check_pointer;
use crate::yaml::{Kind, Mark, Node, cut};

/// Most declared effects of one sort in one operation.
const EFFECTS_MAX: usize = 64;
/// Longest state key, event type or artifact name, in bytes.
const TEXT_MAX: usize = 256;

/// The schemas that pointers are followed through.
pub struct Schemas<'a> {
    /// Of the input.
    pub input: Option<&'a Value>,
    /// Of the output.
    pub output: Option<&'a Value>,
}

/// Where a pointer stands, which decides what it may look into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// In `derived_from` or an artifact's name: only the input.
    BeforeTheEnd,
    /// In `result`: the output is what the program printed.
    InResult,
    /// In an effect of a completed outcome.
    Completed,
    /// In an effect of a failed outcome.
    Failed,
}

/// Reads the declared effects into an operation.
pub fn read(fields: &Fields<'_>, body: &mut Operation, schemas: &Schemas<'_>, place: &Place<'_>, faults: &mut Faults) {
    let mut reader = Reader { schemas, artifacts: 0, more_artifacts: body.returns == Returns::Effects, faults };
    let produces = reader.items(fields, "produces");
    reader.artifacts = produces.len();
    body.produces = produces.iter().filter_map(|node| reader.produce(node)).collect();
    body.result = fields.get("result").and_then(|node| reader.template(node, "result", Stands::InResult));
    body.emits = reader.items(fields, "emits").iter().filter_map(|node| reader.emit(node)).collect();
    body.state = reader.items(fields, "state").iter().filter_map(|node| reader.state(node)).collect();
    check_together(fields, body, produces, place, faults);
}

/// Judges what the keys say together.
fn check_together(fields: &Fields<'_>, body: &mut Operation, nodes: &[Node], place: &Place<'_>, faults: &mut Faults) {
    let stdout_given = fields.get("call").and_then(|call| call.get("stdout")).map(|node| node.mark);
    let mut from_stdout: Option<Mark> = None;
    for (at, node) in nodes.iter().enumerate() {
        if node.get("from").and_then(Node::scalar) == Some("stdout") {
            if from_stdout.is_some() {
                faults.add(node.mark, "two artifacts take standard output");
            }
            from_stdout = Some(node.mark);
        }
        let name = node.get("artifact").and_then(Node::scalar);
        if name.is_some() && nodes.iter().take(at).any(|other| other.get("artifact").and_then(Node::scalar) == name) {
            faults.add(node.mark, format!("two artifacts are called `{}`", cut(name.unwrap_or_default(), 60)));
        }
    }
    let kept = match place.shape {
        Some(Shape::Process(shape)) => (shape.mode == ProcessMode::Worker).then_some(("`mode: worker`", "worker")),
        Some(Shape::Jar(_)) => {
            (!matches!(body.call.java, Some(JavaCall::Run(_)))).then_some(("a method of a class", "method"))
        }
        None => None,
    };
    if let Some((what, who)) = kept {
        if let Some(entry) = fields.entry("produces") {
            let hint = format!("let the {who} return its artifacts: `returns: effects`");
            faults.hint(entry.mark, format!("`produces` means nothing with {what}"), hint);
        }
        return;
    }
    if body.returns == Returns::Effects {
        let mark = fields.entry("returns").map_or(place.mark, |entry| entry.mark);
        if from_stdout.is_some() {
            faults.add(mark, "`returns: effects` and an artifact both take standard output");
        } else if body.call.stdout != Stdout::Json {
            faults.add(stdout_given.unwrap_or(mark), "`returns: effects` needs `stdout: json`");
        }
    } else if !nodes.is_empty() && stdout_given.is_none() && (from_stdout.is_some() || !uses_output(body)) {
        body.call.stdout = Stdout::Ignore;
    }
}

/// Whether `result` is made from what the program prints.
fn uses_output(body: &Operation) -> bool {
    let mut uses = false;
    if let Some(Template(result)) = &body.result {
        pointer::template_pointers(&result.to_value(), "", &mut |_, pointer| {
            uses |= pointer.is_ok_and(|pointer| source(&pointer.0).0 == Source::Output);
        });
    }
    uses
}

struct Reader<'a, 'f> {
    schemas: &'a Schemas<'a>,
    artifacts: usize,
    more_artifacts: bool,
    faults: &'f mut Faults,
}

impl Reader<'_, '_> {
    fn items<'n>(&mut self, fields: &Fields<'n>, key: &str) -> &'n [Node] {
        let items = fields.list(key, self.faults).unwrap_or_default();
        if items.len() > EFFECTS_MAX {
            self.faults.add(fields.mark(), format!("`{key}` has {} entries, more than {EFFECTS_MAX}", items.len()));
        }
        items.get(..EFFECTS_MAX.min(items.len())).unwrap_or_default()
    }

    fn produce(&mut self, node: &Node) -> Option<Produce> {
        let keys = ["artifact", "from", "media_type", "derived_from"];
        let fields = Fields::of(node, "an artifact", &keys, self.faults)?;
        if fields.get("artifact").is_none() {
            fields.missing("artifact", "an artifact", "give it a name, such as `artifact: tables.json`", self.faults);
        }
        let artifact = fields.text("artifact", self.faults).map(str::to_owned);
        if let (Some(name), Some(node)) = (&artifact, fields.get("artifact")) {
            self.artifact_name(name, node.mark);
        }
        let from = match fields.get("from") {
            Some(from) => self.produce_from(from),
            None => {
                fields.missing("from", "an artifact", "say `from: stdout` or `from: { file: name }`", self.faults);
                None
            }
        };
        let media_type = match fields.get("media_type") {
            None => "application/octet-stream".to_owned(),
            Some(node) => {
                let text = fields::text(node, "media_type", self.faults)?;
                if !is_media_type(text) {
                    let message = format!("`{}` is not a media type", cut(text, 60));
                    self.faults.hint(node.mark, message, "write one such as application/json");
                }
                text.to_owned()
            }
        };
        let derived: Vec<&Node> = match fields.get("derived_from") {
            None => Vec::new(),
            Some(Node { kind: Kind::List(items), .. }) => items.iter().collect(),
            Some(node) => vec![node],
        };
        let derived_from =
            derived.into_iter().filter_map(|node| self.pointer(node, "derived_from", Stands::BeforeTheEnd)).collect();
        Some(Produce { artifact: artifact?, from: from?, media_type, derived_from })
    }

    fn artifact_name(&mut self, name: &str, mark: Mark) {
        match pointer::pieces(name) {
            Ok(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::At(pointer) => self.follow(&pointer.0, mark, Stands::BeforeTheEnd),
                        Piece::Text(text) if text.contains(['/', '\0']) => {
                            self.faults.add(mark, format!("the artifact name `{}` holds a /", cut(name, 60)));
                        }
                        Piece::Text(_) => {}
                    }
                }
            }
            Err(error) => {
                self.faults.add(mark, format!("the artifact name `{}` cannot be read: {error}", cut(name, 60)));
            }
        }
        if name.len() > TEXT_MAX {
            self.faults.add(mark, format!("the artifact name is longer than {TEXT_MAX} bytes"));
        }
    }

    fn produce_from(&mut self, node: &Node) -> Option<ProduceFrom> {
        if node.scalar().is_some() {
            return fields::choice(node, "from", &[("stdout", ())], self.faults).map(|()| ProduceFrom::Stdout);
        }
        let fields = Fields::of(node, "from", &["file"], self.faults)?;
        if fields.get("file").is_none() {
            fields.missing("file", "from", "say `from: stdout` or `from: { file: name }`", self.faults);
        }
        scratch_name(&fields, "file", self.faults).map(ProduceFrom::File)
    }

    fn emit(&mut self, node: &Node) -> Option<Emit> {
        if node.scalar().is_some() {
            let event_type = self.event_type(node)?;
            return Some(Emit { event_type, on: On::Completed, key: None, data: None });
        }
        let fields = Fields::of(node, "an event", &["type", "on", "key", "data"], self.faults)?;
        let on = fields.choice("on", &[("completed", On::Completed), ("failed", On::Failed)], self.faults);
        let on = on.unwrap_or_default();
        let stands = if on == On::Failed { Stands::Failed } else { Stands::Completed };
        let event_type = match fields.get("type") {
            Some(node) => self.event_type(node),
            None => {
                fields.missing("type", "an event", "name it, such as `type: quote.issued`", self.faults);
                None
            }
        };
        let key = fields.get("key").and_then(|node| self.pointer(node, "key", stands));
        let data = fields.get("data").and_then(|node| self.template(node, "data", stands));
        Some(Emit { event_type: event_type?, on, key, data })
    }

    fn event_type(&mut self, node: &Node) -> Option<String> {
        let text = fields::text(node, "type", self.faults)?;
        if !is_event_type(text) {
            let message = format!("`{}` is not an event type", cut(text, 60));
            self.faults.hint(node.mark, message, EVENT_TYPE_RULE);
            return None;
        }
        Some(text.to_owned())
    }

    fn state(&mut self, node: &Node) -> Option<StateEffect> {
        let fields = Fields::of(node, "a state effect", &["scope", "set", "delete", "value", "ttl"], self.faults)?;
        let scopes = [("session", StateScope::Session), ("execution", StateScope::Execution)];
        let scope = fields.choice("scope", &scopes, self.faults).unwrap_or(StateScope::Session);
        let ttl_ms = fields.duration_ms("ttl", self.faults);
        let value = fields.get("value").and_then(|node| self.template(node, "value", Stands::Completed));
        let key = match (fields.entry("set"), fields.entry("delete")) {
            (Some(set), None) => {
                if fields.get("value").is_none() {
                    fields.missing(
                        "value",
                        "a state effect",
                        "say what to set, such as `value: /document/id`",
                        self.faults,
                    );
                }
                set
            }
            (None, Some(delete)) => {
                for key in ["value", "ttl"] {
                    if let Some(entry) = fields.entry(key) {
                        self.faults.add(entry.mark, format!("`{key}` means nothing with `delete`"));
                    }
                }
                delete
            }
            _ => {
                self.faults.hint(node.mark, "a state effect sets or deletes", "say `set: key` or `delete: key`");
                return None;
            }
        };
        let text = fields::text(&key.value, &key.key, self.faults)?;
        if text.len() > TEXT_MAX || text.chars().any(char::is_control) {
            let message = format!(
                "the state key `{}` is longer than {TEXT_MAX} bytes or holds a control character",
                cut(text, 60)
            );
            self.faults.add(key.value.mark, message);
        }
        Some(StateEffect { scope, key: text.to_owned(), value, ttl_ms })
    }

    fn pointer(&mut self, node: &Node, key: &str, stands: Stands) -> Option<Pointer> {
        let pointer = read_pointer(node, key, self.faults)?;
        self.follow(&pointer.0, node.mark, stands);
        Some(pointer)
    }

    fn template(&mut self, node: &Node, key: &str, stands: Stands) -> Option<Template> {
        let value = node.to_value();
        let mut found = Vec::new();
        pointer::template_pointers(&value, "", &mut |at, pointer| found.push((node.mark_at(at), pointer)));
        for (mark, pointer) in found {
            match pointer {
                Ok(pointer) => self.follow(&pointer.0, mark, stands),
                Err(error) => {
                    let hint = "a text that begins with / is a pointer; write // for a / in the text itself";
                    self.faults.hint(mark, format!("`{key}` holds a bad pointer: {error}"), hint);
                }
            }
        }
        Some(Template(Json::from(&value)))
    }

    /// Follows a pointer as far as can be seen before anything runs.
    fn follow(&mut self, pointer: &str, mark: Mark, stands: Stands) {
        let (source, rest) = source(pointer);
        let shown = cut(pointer, 60);
        match (source, stands) {
            (Source::Input, _) => check_pointer(self.schemas.input, rest, pointer, "input", mark, self.faults),
            (Source::Output, Stands::Completed) => {
                check_pointer(self.schemas.output, rest, pointer, "output", mark, self.faults);
            }
            (Source::Output, Stands::InResult) => {}
            (Source::Artifacts, Stands::InResult | Stands::Completed) => {
                let inside = match rest.split('/').nth(1) {
                    None => true,
                    Some(index) => {
                        index.parse().is_ok_and(|index: usize| self.more_artifacts || index < self.artifacts)
                    }
                };
                if !inside {
                    let message = format!("`{shown}` leads nowhere: {} artifacts are produced", self.artifacts);
                    self.faults.hint(mark, message, "the first one is /artifacts/0");
                }
            }
            (Source::Failure, Stands::Failed) => {}
            (Source::Failure, _) => {
                self.faults.hint(
                    mark,
                    format!("`{shown}` is only there with `on: failed`"),
                    "for a part of the input write /input/failure",
                );
            }
            (Source::Output | Source::Artifacts, _) => {
                let message = format!("`{shown}` is not there yet or never will be: only the input is");
                self.faults.hint(mark, message, "for a part of the input of that name write /input/…");
            }
        }
    }
}
