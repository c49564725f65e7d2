//! Templates: the argument vector, standard input and names, filled from the input before anything is started.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use enact_model::descriptor::{Argument, Pointer};
use enact_model::json::Json;
use enact_model::observation::{Fault, FaultKind};
use serde_json::value::RawValue;

use crate::scratch::{BeneathError, open_beneath};

/// The input; numbers are taken from its text, because a float would change long ones.
pub(super) struct Input<'a>(&'a Json);

impl<'a> Input<'a> {
    pub fn new(argument: &'a Json) -> Self {
        Self(argument)
    }

    fn at(&self, pointer: &Pointer) -> Result<&'a str, Fault> {
        // `/input/…` is the form that declared effects use; it means the same here unless the input has such a key.
        let direct = look(self.0.as_str(), &pointer.0);
        let direct = direct.or_else(|| look(self.0.as_str(), pointer.0.strip_prefix("/input")?));
        direct.ok_or_else(|| unfit(format!("the input has nothing at {}", pointer.0)))
    }

    /// Returns the scalar at a pointer as text.
    pub fn scalar(&self, pointer: &Pointer) -> Result<String, Fault> {
        let raw = self.at(pointer)?;
        let text = match raw.bytes().next() {
            Some(b'"') => serde_json::from_str(raw).map_err(|e| unfit(format!("{}: {e}", pointer.0)))?,
            Some(b'{' | b'[' | b'n') | None => {
                return Err(unfit(format!("the value at {} is no scalar", pointer.0)));
            }
            Some(_) => raw.to_owned(),
        };
        if text.contains('\0') {
            return Err(unfit(format!("the value at {} contains a NUL", pointer.0)));
        }
        Ok(text)
    }

    /// Fills `{/pointer}` in a name.
    pub fn fill(&self, name: &str) -> Result<String, Fault> {
        let mut out = String::new();
        let mut rest = name;
        while let Some((before, after)) = rest.split_once("{/") {
            let Some((pointer, after)) = after.split_once('}') else { break };
            out.push_str(before);
            out.push_str(&self.scalar(&Pointer(format!("/{pointer}")))?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// Finds the text of the value at an RFC 6901 pointer in canonical JSON.
fn look<'a>(text: &'a str, pointer: &str) -> Option<&'a str> {
    if pointer.is_empty() {
        return Some(text);
    }
    let mut text = text;
    for token in pointer.strip_prefix('/')?.split('/') {
        let token = token.replace("~1", "/").replace("~0", "~");
        let raw: &RawValue = if text.starts_with('{') {
            serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(text).ok()?.remove(token.as_str())?
        } else {
            let at: usize = token.parse().ok().filter(|at: &usize| at.to_string() == token)?;
            serde_json::from_str::<Vec<&RawValue>>(text).ok()?.get(at).copied()?
        };
        text = raw.get();
    }
    Some(text)
}

/// Returns one argument as the program gets it.
pub(super) fn argument(
    argument: &Argument,
    input: &Input<'_>,
    files: &BTreeMap<Pointer, PathBuf>,
    roots: &BTreeMap<String, PathBuf>,
    scratch: &Path,
) -> Result<OsString, Fault> {
    Ok(match argument {
        Argument::Word(word) => word.into(),
        Argument::Value(pointer) => input.scalar(pointer)?.into(),
        Argument::File(pointer) => file(pointer, files)?.into(),
        Argument::Root { root, path } => {
            let folder = roots.get(root).ok_or_else(|| unfit(format!("no root is called {root}")))?;
            let relative = input.scalar(path)?;
            open_beneath(folder, &relative).map_err(|e| refuse(root, &e))?;
            folder.join(relative).into()
        }
        Argument::Out(name) => scratch.join(name).into(),
    })
}

/// Returns where the reference at a pointer was materialised.
pub(super) fn file<'a>(pointer: &Pointer, files: &'a BTreeMap<Pointer, PathBuf>) -> Result<&'a PathBuf, Fault> {
    files.get(pointer).ok_or_else(|| unfit(format!("the input has no reference at {}", pointer.0)))
}

fn refuse(root: &str, error: &BeneathError) -> Fault {
    let text = match error {
        BeneathError::Escapes(path) => format!("{path:?} leads out of the root {root}"),
        BeneathError::Missing(path) => format!("{path:?} is not in the root {root}"),
        BeneathError::NotAFile(path) => format!("{path:?} in the root {root} is no regular file"),
        BeneathError::Io { path, source } => format!("{path:?} in the root {root} cannot be opened: {source}"),
    };
    FaultKind::InputPathRefused.fault(text)
}

fn unfit(text: String) -> Fault {
    FaultKind::TemplateUnfit.fault(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &Argument) -> Result<String, FaultKind> {
        let json = Json::parse(r#"{"n":1.50,"s":"a b","o":{},"z":null,"up":"../x","in":"ok","l":[7,[8]],"a/b":true}"#);
        let json = json.unwrap();
        let input = Input::new(&json);
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("ok"), "").unwrap();
        let roots = BTreeMap::from([("docs".to_owned(), root.path().to_owned())]);
        argument(template, &input, &BTreeMap::new(), &roots, Path::new("/scratch"))
            .map(|text| text.to_string_lossy().replace(&*root.path().to_string_lossy(), "ROOT"))
            .map_err(|fault| fault.kind)
    }

    #[test]
    fn an_argument_is_filled_or_the_call_does_not_reach_the_program() {
        let at = |text: &str| Pointer(text.to_owned());
        let root = |root: &str, path: &str| Argument::Root { root: root.to_owned(), path: at(path) };
        assert_eq!(fill(&Argument::Value(at("/n"))).as_deref(), Ok("1.50"));
        assert_eq!(fill(&Argument::Value(at("/l/1/0"))).as_deref(), Ok("8"));
        assert_eq!(fill(&Argument::Value(at("/a~1b"))).as_deref(), Ok("true"));
        assert_eq!(fill(&Argument::Value(at("/input/s"))).as_deref(), Ok("a b"));
        assert_eq!(fill(&Argument::Out("o.json".into())).as_deref(), Ok("/scratch/o.json"));
        assert_eq!(fill(&root("docs", "/in")).as_deref(), Ok("ROOT/ok"));
        assert_eq!(fill(&root("docs", "/up")), Err(FaultKind::InputPathRefused));
        assert_eq!(fill(&root("docs", "/s")), Err(FaultKind::InputPathRefused));
        assert_eq!(fill(&root("other", "/in")), Err(FaultKind::TemplateUnfit));
        for pointer in ["/o", "/z", "/none", "/l/2", "/l/01", "none", "/s/0"] {
            assert_eq!(fill(&Argument::Value(at(pointer))), Err(FaultKind::TemplateUnfit), "{pointer}");
        }
        assert_eq!(fill(&Argument::File(at("/s"))), Err(FaultKind::TemplateUnfit));
    }

    #[test]
    fn a_name_is_filled_from_the_input() {
        let json = Json::parse(r#"{"name":"a","n":{"x":12345678901234567890123}}"#).unwrap();
        let input = Input::new(&json);
        assert_eq!(input.fill("t-{/name}-{/n/x}.json").unwrap(), "t-a-12345678901234567890123.json");
        assert_eq!(input.fill("{plain}").unwrap(), "{plain}");
        assert!(input.fill("{/none}").is_err());
    }
}
