//! The options that tasks share.

use crate::failure::{Failure, Outcome};

/// The options that tasks share, and the words that are no option.
#[derive(Debug, Default, Clone)]
pub struct Options {
    /// Installs what is missing without asking.
    pub yes: bool,
    /// Installs nothing; skips are counted.
    pub no_install: bool,
    /// Leaves the demo's folder behind.
    pub keep: bool,
    /// Adds what takes long.
    pub full: bool,
    /// What is no option, such as the ids of mutations.
    pub names: Vec<String>,
}

impl Options {
    /// Reads the words after the task's name; `CI=true` in the environment is `--yes`.
    ///
    /// # Errors
    /// An option that does not exist, or two that exclude each other.
    pub fn parse(words: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut options =
            Self { yes: std::env::var("CI").is_ok_and(|ci| ci == "true" || ci == "1"), ..Self::default() };
        for word in words {
            match word.as_str() {
                "-y" | "--yes" => options.yes = true,
                "--no-install" => options.no_install = true,
                "--keep" => options.keep = true,
                "--full" => options.full = true,
                option if option.starts_with('-') => {
                    return Err(Failure::to(format!("understand the option {option}")).hint("see `cargo xtask help`"));
                }
                _ => options.names.push(word),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Outcome<Options> {
        Options::parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn words_that_are_no_option_are_names_in_order() {
        let options = parse("L2 --no-install W6 --full").unwrap();
        assert_eq!(options.names, ["L2", "W6"]);
        assert!(options.no_install && options.full && !options.keep);
    }

    #[test]
    fn an_option_that_does_not_exist_is_named() {
        assert!(parse("--fulll").unwrap_err().to_string().contains("--fulll"));
    }
}
