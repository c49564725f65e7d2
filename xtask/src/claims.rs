//! The ledger of claims, `docs/claims.md`: which test proves what, and which mutations must make it fail.

use std::fs;
use std::path::Path;

use crate::failure::{Failure, Outcome, Place};

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its id, such as `W4`.
    pub id: String,
    /// Whether it is marked ◆: a mutation must make its test fail.
    pub marked: bool,
    /// The tests that prove it.
    pub tests: Vec<TestName>,
    /// The names of the patches in `mutations/`.
    pub mutations: Vec<String>,
}

/// A test as the ledger names it: `package::path::test_name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestName {
    /// The package, such as `enact-store`.
    pub package: String,
    /// What lies between: a module of the library, or the file of an integration test.
    pub path: Vec<String>,
    /// The function.
    pub function: String,
}

impl TestName {
    fn parse(text: &str) -> Option<Self> {
        let mut parts: Vec<String> = text.split("::").map(str::to_owned).collect();
        let function = parts.pop()?;
        if parts.is_empty() {
            return None;
        }
        let package = parts.remove(0).replace('_', "-");
        let name =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        (name(&package) && name(&function) && parts.iter().all(|part| name(part))).then_some(Self {
            package,
            path: parts,
            function,
        })
    }
}

impl std::fmt::Display for TestName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}::", self.package)?;
        for part in &self.path {
            write!(f, "{part}::")?;
        }
        f.write_str(&self.function)
    }
}

/// Reads the ledger.
///
/// # Errors
/// It is not there, or a line of its table cannot be understood; every such line is named.
pub fn read(root: &Path) -> Outcome<Vec<Claim>> {
    let path = root.join("docs/claims.md");
    let text = fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
    parse(&text)
}

fn parse(text: &str) -> Outcome<Vec<Claim>> {
    let mut claims = Vec::new();
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if !line.starts_with("| ") || line.starts_with("| id ") {
            continue;
        }
        match claim(line) {
            Ok(claim) => claims.push(claim),
            Err(fault) => faults.push(format!("docs/claims.md:{}: {fault}", number + 1)),
        }
    }
    if faults.is_empty() { Ok(claims) } else { Err(Failure::to(format!("read the claims:\n{}", faults.join("\n")))) }
}

fn claim(line: &str) -> Result<Claim, String> {
    let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
    let [id, _text, tests, mutations] = cells.as_slice() else {
        return Err(format!("a line has the four cells id, claim, tests, mutation; this one has {}", cells.len()));
    };
    let (id, marked) = match id.strip_suffix('◆') {
        Some(id) => (id.trim(), true),
        None => (*id, false),
    };
    let in_code = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let mut names = Vec::new();
    for text in in_code(tests) {
        names.push(TestName::parse(&text).ok_or(format!("`{text}` has not the form package::path::test_name"))?);
    }
    let mutations = in_code(mutations);
    for name in &mutations {
        let tail = name.strip_prefix(id).and_then(|rest| rest.strip_suffix(".patch"));
        if !tail.is_some_and(|tail| tail.is_empty() || tail.starts_with('-')) {
            return Err(format!("`{name}` is no patch of {id}: {id}.patch or {id}-what-it-breaks.patch"));
        }
    }
    Ok(Claim { id: id.to_owned(), marked, tests: names, mutations })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_tests_and_its_patches() {
        let line = "| W6 ◆ | replay agrees | `enact-engine::apply::tests::a_b`, `enact_store::log::c` | `W6.patch` `W6-order.patch` |";
        let claims = parse(&format!("# t\n\n| id | claim | tests | mutation |\n|---|---|---|---|\n{line}\n")).unwrap();
        let [claim] = claims.as_slice() else { panic!("{claims:?}") };
        assert!(claim.marked);
        assert_eq!(claim.tests[0].to_string(), "enact-engine::apply::tests::a_b");
        assert_eq!(claim.tests[1].package, "enact-store");
        assert_eq!(claim.mutations, ["W6.patch", "W6-order.patch"]);
    }

    #[test]
    fn a_line_that_cannot_be_understood_is_named_with_its_number() {
        let failure = parse("| I1 | a | `nothing` | |\n| I2 | b | `a::b` | `I3.patch` |\n").unwrap_err().to_string();
        assert!(failure.contains("claims.md:1") && failure.contains("claims.md:2"), "{failure}");
    }
}
