//! The curl lines of the story over HTTP, read from the README: what it prints is what the demo types.

use std::collections::BTreeMap;
use std::path::Path;

use crate::failure::{Failure, Outcome, Place};

/// What stands before the block.
const MARK: &str = "<!-- `cargo xtask demo` types these lines -->";

/// The lines by their place in the story.
pub struct Lines {
    /// A document goes in and its reference is kept.
    pub upload: Vec<String>,
    /// It is analysed by intent.
    pub analyze: Vec<String>,
    /// The same as a function; then the bytes that came of it, and what those are made from.
    pub function: Vec<String>,
    /// A program that fails: the answer, and what is found by its text.
    pub failure: Vec<String>,
    /// An execution that takes a while, and its events.
    pub stream: Vec<String>,
    /// Its events after the last one that was seen.
    pub resume: Vec<String>,
    /// An order under its own name as the key.
    pub order: Vec<String>,
    /// The messages that are not yet known to be in Redis.
    pub pending: Vec<String>,
}

impl Lines {
    /// Reads them from the README of a checkout.
    ///
    /// # Errors
    /// There is no such block, a step is missing, or there is one that nobody types.
    pub fn read(root: &Path) -> Outcome<Self> {
        Self::of(&std::fs::read_to_string(root.join("README.md")).doing(|| "read README.md".to_owned())?)
    }

    fn of(readme: &str) -> Outcome<Self> {
        let block = readme.split_once(MARK).and_then(|(_, after)| after.split_once("```sh\n"));
        let block = block.and_then(|(_, block)| block.split_once("```")).map(|(block, _)| block);
        let block = block.ok_or_else(|| Failure::to(format!("find the block below {MARK} in README.md")))?;
        let mut steps: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut step = "";
        for line in block.lines().filter(|line| !line.trim().is_empty()) {
            match line.strip_prefix("# ") {
                Some(comment) => step = comment.split_once(':').map_or(comment, |(name, _)| name),
                None => steps.entry(step).or_default().push(line.to_owned()),
            }
        }
        let mut take = |name: &str| {
            let missing = || Failure::to(format!("find the lines of `# {name}:` below {MARK} in README.md"));
            steps.remove(name).ok_or_else(missing)
        };
        let lines = Self {
            upload: take("upload")?,
            analyze: take("analyze")?,
            function: take("function")?,
            failure: take("failure")?,
            stream: take("stream")?,
            resume: take("resume")?,
            order: take("order")?,
            pending: take("pending")?,
        };
        match steps.into_keys().next() {
            Some(name) => Err(Failure::to(format!("find a place in the story for `# {name}:` of README.md"))),
            None => Ok(lines),
        }
    }
}

/// Splits a line that keeps an answer, `name="$(…)"`, from its name.
pub fn assigned(line: &str) -> Option<&str> {
    let (name, _) = line.split_once("=\"$(").filter(|_| line.ends_with(")\""))?;
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    plain.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_the_story_stands_in_the_readme_and_no_other() {
        let readme = std::fs::read_to_string(crate::shell::root().join("README.md")).unwrap();
        Lines::of(&readme).unwrap();
        let more = readme.replace("# pending:", "# nowhere: told\ncurl\n# pending:");
        assert!(Lines::of(&more).err().unwrap().to_string().contains("nowhere"));
        let less = readme.replace("# resume:", "# order:");
        assert!(Lines::of(&less).err().unwrap().to_string().contains("resume"));
    }

    #[test]
    fn a_line_that_keeps_its_answer_is_told_from_one_that_shows_it() {
        assert_eq!(assigned(r#"document="$(curl -sf "$hub/v1/artifacts")""#), Some("document"));
        assert_eq!(assigned(r#"curl -sf "$hub/v1/executions?text=a""#), None);
        assert_eq!(assigned(r#"curl -sf "$hub/x" -H a="$(b)""#), None);
    }
}
