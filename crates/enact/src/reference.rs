//! The reference of the command line, as it stands in `docs/cli.md`.

use std::fmt::Write as _;

/// What stands before the commands.
const HEAD: &str = include_str!("reference/head.md");

/// What has the other commands below it once more.
const REMOTE: &str = "enact client";

/// Returns the page.
pub fn page() -> String {
    let mut out = HEAD.to_owned();
    let mut command = crate::cli::definition().term_width(100);
    command.build();
    section(&mut command, "enact", &mut out);
    out
}

fn section(command: &mut clap::Command, path: &str, out: &mut String) {
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(out, "\n## {path}\n\n```text\n{}\n```\n", help.join("\n").trim_end());
    if path == REMOTE {
        return;
    }
    for sub in command.get_subcommands_mut().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        let path = format!("{path} {}", sub.get_name());
        // The options of every command stand once, at the top.
        let everywhere =
            |arg: clap::Arg| if arg.is_global_set() || arg.get_id() == "help" { arg.hide(true) } else { arg };
        let mut sub = sub.clone().mut_args(everywhere);
        section(&mut sub, &path, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page, or a rewritten one if `UPDATE_DOCS` is set.
    #[test]
    fn the_page_of_the_command_line_is_the_one_that_the_code_makes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let stands = std::fs::read_to_string(path).unwrap();
        assert!(stands == page(), "docs/cli.md is old; `UPDATE_DOCS=1 cargo nextest run -p enact` writes it");
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command, path: &str) {
            for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
                let path = format!("{path} {}", sub.get_name());
                let example = sub.get_after_help().is_some_and(|help| help.to_string().contains("Example"));
                assert!(example || sub.has_subcommands(), "{path} has no example");
                check(sub, &path);
            }
        }
        let command = crate::cli::definition();
        command.clone().debug_assert();
        check(&command, "enact");
    }
}
