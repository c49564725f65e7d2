//! Holds `docs/descriptor.md` to what is read: every example is one, and every key has its row.

use crate::component::files::MemoryFiles;
use crate::component::read_component;
use crate::solution::read_solution;

const PAGE: &str = include_str!("../../../docs/descriptor.md");

fn files() -> MemoryFiles {
    let mut files = MemoryFiles::default()
        .file("tabula.jar", b"jar", false)
        .file("rating-assembly.jar", b"jar 11", false)
        .file("lib/money.jar", b"jar", false)
        .file("invoicing-assembly.jar", b"jar", false)
        .file("worker.py", b"#!/usr/bin/env python3", true)
        .file("schemas/basket.json", br#"{"type": "object"}"#, false);
    files.folders.push("/package/documents".into());
    files
}

/// Returns the blocks that begin with a fence of this kind, and the line at which each begins.
fn blocks(kind: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, line) in PAGE.lines().enumerate() {
        match &mut open {
            Some(_) if line.trim() == "```" => found.extend(open.take()),
            Some((_, text)) => {
                text.push_str(line);
                text.push('\n');
            }
            None if line.trim() == format!("```yaml {kind}") => open = Some((at + 1, String::new())),
            None => {}
        }
    }
    found
}

fn accept(line: usize, text: &str) {
    if let Err(faults) = read_component(text, "component.yaml", &files()) {
        panic!("the example in line {line} of docs/descriptor.md is refused: {faults:#?}\n{text}");
    }
}

#[test]
fn every_component_in_the_page_is_read_as_it_stands() {
    let found = blocks("component");
    assert!(found.len() >= 2, "{found:?}");
    for (line, text) in found {
        accept(line, &text);
    }
}

#[test]
fn every_operation_in_the_page_is_read_inside_a_component() {
    let found = blocks("operation");
    assert!(found.len() >= 8, "{found:?}");
    for (line, text) in found {
        let body: String = text.lines().map(|line| format!("      {line}\n")).collect();
        let component = format!(
            "component: c\nversion: 1.0.0\nprocess:\n  command: [java, -jar, tabula.jar]\n  files: [tabula.jar]\n  \
             roots: {{ documents: ./documents }}\nservices:\n  quote:\n    op:\n{body}    withdraw: {{ kind: command, idempotent: true }}\n    \
             status: {{ kind: query }}\n"
        );
        accept(line, &component);
    }
}

#[test]
fn every_solution_in_the_page_is_read_as_it_stands() {
    let found = blocks("solution");
    assert!(!found.is_empty());
    for (line, text) in found {
        if let Err(faults) = read_solution(&text, "solution.yaml") {
            panic!("the example in line {line} of docs/descriptor.md is refused: {faults:#?}");
        }
    }
}

#[test]
fn every_key_that_is_read_has_its_row_in_the_page() {
    let keys = crate::component::documented_keys().into_iter().chain(crate::solution::KEYS);
    for key in keys {
        // Keys of one meaning may share a row.
        let named = |line: &str| {
            line.strip_prefix("| ").is_some_and(|rest| {
                rest.split(" | ").next().is_some_and(|cell| cell.split(", ").any(|one| one == format!("`{key}`")))
            })
        };
        let row = PAGE.lines().any(named);
        assert!(row, "docs/descriptor.md has no row for `{key}`");
    }
}
