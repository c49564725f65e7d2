//! The few rules that a machine must hold, or they drift: arrows between rooms, first lines, lengths, names, ledgers.
#![allow(clippy::unwrap_used, reason = "a rule that cannot be read is broken, and the panic says where")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use xtask::claims::{self, Claim, TestName};
use xtask::{shell, tree};

/// Rooms on top: they may see every other, and no other may see them.
const TOP: &[&str] = &["enact-bench", "enact-simulation", "enact-torture", "xtask"];

/// Which rooms a room below the top may see.
const ARROWS: &[(&str, &[&str])] = &[
    ("enact-model", &[]),
    ("enact-catalog", &["enact-model"]),
    ("enact-dial", &[]),
    ("enact-engine", &["enact-catalog", "enact-model"]),
    ("enact-host", &["enact-model"]),
    ("enact-inspect", &["enact-model"]),
    ("enact-store", &["enact-model"]),
    ("enact-runtime", &["enact-catalog", "enact-engine", "enact-host", "enact-inspect", "enact-model", "enact-store"]),
    ("enact-server", &["enact-catalog", "enact-dial", "enact-engine", "enact-model", "enact-runtime"]),
    ("enact-sink", &["enact-dial", "enact-model", "enact-runtime"]),
    (
        "enact",
        &[
            "enact-server",
            "enact-catalog",
            "enact-dial",
            "enact-engine",
            "enact-host",
            "enact-inspect",
            "enact-model",
            "enact-runtime",
            "enact-sink",
            "enact-store",
        ],
    ),
];

/// Most lines of code in a file, its unit tests, comments and empty lines apart.
const LINES_MAX: usize = 500;

/// Files that are longer, with their length: the list may only shrink, and the numbers too.
const LONGER: &[(&str, usize)] = &[];

/// Names that say nothing of what lives there.
const EMPTY_NAMES: &[&str] = &["mod", "utils", "util", "common", "helpers", "helper", "manager", "impl"];

/// Every claim of the scope of this release; ids are never reused.
const CLAIMS: &str = "I1 I2 I3 I4 I5 I6 R1 R2 R3 R4 R5 C1 C2 C3 L1 L2 L3 L4 L5 L6 L7 L9 L10 L11 L12 L13 \
    W1 W2 W3 W4 W5 W6 W7 W8 O1 O2 O3 O4 O5 O6 O7 S1 S2 S3 D1 D2 D3 D4 D5 D6 D7 H1 H2 H3 H4 H5 H6 H7 H8 H9 H10 H11 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 U1 Q1";

/// Which of them must be marked ◆.
const MARKED: &str = "I5 I6 R2 C2 L2 L4 L5 L7 L12 W4 W5 W6 O1 O3 O4 S2 D2 D4 H2 H4 H5 H10 H11 A1 A3 A4 A5 A8 A9 Q1";

/// Claims that name no test yet: the list may only shrink.
const TESTS_PENDING: &str = "";

/// Marked claims without a mutation yet: the list may only shrink.
const MUTATIONS_PENDING: &str = "";

fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

fn sources() -> Vec<(String, String)> {
    let root = shell::root();
    let files = tree::files(&root).unwrap();
    let rust = files.into_iter().filter(|name| name.ends_with(".rs"));
    rust.map(|name| (name.clone(), fs::read_to_string(root.join(&name)).unwrap())).collect()
}

fn ledger() -> Vec<Claim> {
    claims::read(&shell::root()).unwrap()
}

#[track_caller]
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn packages() -> Vec<serde_json::Value> {
    let mut cargo = shell::cargo();
    cargo.current_dir(shell::root()).args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let metadata: serde_json::Value = serde_json::from_str(&shell::text(&mut cargo).unwrap()).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn dependencies(package: &serde_json::Value) -> impl Iterator<Item = (&str, bool)> {
    let list = package["dependencies"].as_array().unwrap();
    list.iter().map(|one| (one["name"].as_str().unwrap(), one["path"].is_string()))
}

#[test]
fn arrows_between_rooms_point_down_only() {
    let mut faults = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let Some((_, allowed)) = ARROWS.iter().find(|(room, _)| *room == name) else {
            assert!(TOP.contains(&name), "the room {name} has no place in ARROWS, and is not on top");
            continue;
        };
        for (other, ours) in dependencies(&package) {
            if ours && !allowed.contains(&other) {
                faults.push(format!("{name} must not see {other}"));
            }
        }
    }
    none(&faults);
}

#[test]
fn every_direct_dependency_has_its_line_in_the_docs() {
    let text = fs::read_to_string(shell::root().join("docs/dependencies.md")).unwrap();
    let lines: BTreeMap<&str, Vec<&str>> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, rest)| (name, rest.trim_matches([' ', '|']).split('|').map(str::trim).collect()))
        .collect();
    let packages = packages();
    let used: BTreeSet<&str> =
        packages.iter().flat_map(dependencies).filter(|(_, ours)| !ours).map(|(name, _)| name).collect();
    let mut faults = Vec::new();
    for name in &used {
        match lines.get(name) {
            None => faults.push(format!("docs/dependencies.md has no line for {name}")),
            Some(cells) if cells.len() < 2 || cells.iter().any(|cell| cell.is_empty()) => {
                faults.push(format!("docs/dependencies.md: the line of {name} lacks its reason or its licence"));
            }
            Some(_) => {}
        }
    }
    faults.extend(
        lines
            .keys()
            .filter(|name| !used.contains(*name))
            .map(|name| format!("docs/dependencies.md has a line for {name}, which no room depends on")),
    );
    none(&faults);
}

#[test]
fn every_source_file_says_in_its_first_line_what_lives_there() {
    let faults: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| !text.lines().next().is_some_and(|line| line.starts_with("//! ") && line.len() > 12))
        .map(|(name, _)| format!("{name}: its first line must be `//! …`"))
        .collect();
    none(&faults);
}

#[test]
fn no_file_grows_beyond_what_one_can_read() {
    let mut faults = Vec::new();
    let mut longer: BTreeMap<&str, usize> = LONGER.iter().copied().collect();
    for (name, text) in sources() {
        if name.contains("/tests/") || name.ends_with("/tests.rs") {
            continue;
        }
        let lines = lines_of_code(&text);
        match longer.remove(name.as_str()) {
            None if lines > LINES_MAX => faults.push(format!("{name}: {lines} lines of code, more than {LINES_MAX}")),
            Some(known) if lines > known => {
                faults.push(format!("{name}: {lines} lines of code, it may only shrink ({known})"))
            }
            Some(known) if lines <= LINES_MAX || lines + 20 < known => {
                faults
                    .push(format!("{name}: {lines} lines of code by now; lower its number in LONGER, or take it out"));
            }
            _ => {}
        }
    }
    faults.extend(longer.keys().map(|name| format!("{name} is in LONGER and does not exist")));
    none(&faults);
}

fn lines_of_code(text: &str) -> usize {
    let production = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text);
    let code = production.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    code.count()
}

#[test]
fn names_of_files_are_nouns_that_say_something() {
    let faults: Vec<String> = sources()
        .into_iter()
        .filter_map(|(name, _)| {
            let path = Path::new(&name);
            let mut parts = path.iter().map(|part| part.to_string_lossy().trim_end_matches(".rs").to_owned());
            let empty = parts.find(|part| EMPTY_NAMES.contains(&part.as_str()))?;
            Some(format!("{name}: {empty:?} does not say what lives there"))
        })
        .collect();
    none(&faults);
}

#[test]
fn nothing_is_left_for_later() {
    let banned = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("unimplemented", "!"), concat!("todo", "!(")];
    let mut faults = Vec::new();
    for (name, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            faults.extend(
                banned.iter().filter(|word| line.contains(**word)).map(|word| format!("{name}:{}: {word}", number + 1)),
            );
        }
    }
    none(&faults);
}

#[test]
fn no_file_names_the_host_of_a_registry() {
    let hosts = [
        concat!("crates", ".io"),
        concat!("pypi", ".org"),
        concat!("pythonhosted", ".org"),
        concat!("npmjs", ".org"),
        concat!("npmjs", ".com"),
        concat!("deb.debian", ".org"),
        concat!("repo1", ".maven"),
        concat!("docker", ".io"),
    ];
    let root = shell::root();
    let mut faults = Vec::new();
    // The lock file is cargo's own and names the index by its well-known address.
    for name in tree::files(&root).unwrap().iter().filter(|name| *name != "Cargo.lock") {
        let text = String::from_utf8_lossy(&fs::read(root.join(name)).unwrap()).into_owned();
        faults.extend(hosts.iter().filter(|host| text.contains(**host)).map(|host| format!("{name} names {host}")));
    }
    none(&faults);
}

#[test]
fn every_claim_of_the_scope_has_exactly_one_line() {
    let ledger = ledger();
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for claim in &ledger {
        if !seen.insert(claim.id.as_str()) {
            faults.push(format!("{} has two lines", claim.id));
        }
        if claim.marked != words(MARKED).contains(claim.id.as_str()) {
            faults.push(format!("{} must {}be marked ◆", claim.id, if claim.marked { "not " } else { "" }));
        }
    }
    faults.extend(words(CLAIMS).difference(&seen).map(|id| format!("{id} has no line in docs/claims.md")));
    faults.extend(seen.difference(&words(CLAIMS)).map(|id| format!("{id} is not in the scope; add it to CLAIMS")));
    none(&faults);
}

#[test]
fn every_claim_names_a_test_that_exists() {
    let mut faults = Vec::new();
    let pending = words(TESTS_PENDING);
    let ledger = ledger();
    let sources = sources();
    for claim in &ledger {
        match (claim.tests.is_empty(), pending.contains(claim.id.as_str())) {
            (true, false) => faults.push(format!("{} names no test", claim.id)),
            (false, true) => faults.push(format!("{} names its tests by now; take it out of TESTS_PENDING", claim.id)),
            _ => {}
        }
        for test in claim.tests.iter().filter(|test| !exists(&sources, test)) {
            faults.push(format!("{}: there is no test {test}", claim.id));
        }
    }
    none(&faults);
}

/// Looks for the function, marked as a test, in a file of the package that fits the path in the name.
fn exists(sources: &[(String, String)], test: &TestName) -> bool {
    let folder = if test.package == "xtask" { "xtask/".to_owned() } else { format!("crates/{}/", test.package) };
    let mut path: Vec<&str> = test.path.iter().map(String::as_str).collect();
    while path.last().is_some_and(|last| *last == "tests") {
        path.pop();
    }
    sources.iter().filter(|(name, _)| name.starts_with(&folder)).any(|(name, text)| {
        let stem: PathBuf = Path::new(name.strip_prefix(&folder).unwrap_or(name)).with_extension("");
        let stem: Vec<&str> = stem.iter().filter_map(|part| part.to_str()).collect();
        let stem = stem.strip_suffix(&["tests"]).unwrap_or(&stem);
        (stem.ends_with(&path) || path.iter().all(|part| makes_module(text, part) || stem.contains(part)))
            && has_test(text, &test.function)
    })
}

/// By itself, or through a macro that is given the name of the module it makes.
fn makes_module(text: &str, name: &str) -> bool {
    let made = text.contains("mod $module") && text.contains(&format!("! {{ {name}, "));
    made || text.contains(&format!("mod {name}"))
}

fn has_test(text: &str, function: &str) -> bool {
    // A macro that makes one test for each line `name: …` of its call.
    if text.contains("fn $name()") && text.lines().any(|line| line.trim().starts_with(&format!("{function}: "))) {
        return true;
    }
    let needle = format!("fn {function}(");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.iter().enumerate().filter(|(_, line)| line.contains(&needle)).any(|(at, _)| {
        let above = lines.get(at.saturating_sub(6)..at).unwrap_or_default();
        above
            .iter()
            .rev()
            .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
            .any(|line| line.contains("test"))
    })
}

#[test]
fn every_marked_claim_has_a_mutation_and_every_patch_a_claim() {
    let root = shell::root();
    let mut faults = Vec::new();
    let pending = words(MUTATIONS_PENDING);
    let ledger = ledger();
    let mut named = BTreeSet::new();
    for claim in &ledger {
        let waits = pending.contains(claim.id.as_str());
        match (claim.marked && claim.mutations.is_empty(), waits) {
            (true, false) => faults.push(format!("{} is marked ◆ and names no patch", claim.id)),
            (false, true) => {
                faults.push(format!("{} has its patch by now; take it out of MUTATIONS_PENDING", claim.id))
            }
            _ => {}
        }
        for patch in &claim.mutations {
            named.insert(patch.clone());
            if !root.join("mutations").join(patch).is_file() {
                faults.push(format!("{}: there is no mutations/{patch}", claim.id));
            }
            if claim.tests.is_empty() {
                faults.push(format!("{}: {patch} has no test that could notice it", claim.id));
            }
        }
    }
    let patches = tree::files(&root).unwrap();
    let patches =
        patches.iter().filter_map(|name| name.strip_prefix("mutations/")?.ends_with(".patch").then_some(name));
    for name in patches {
        let file = name.trim_start_matches("mutations/");
        if !named.contains(file) {
            faults.push(format!("{name} belongs to no line of docs/claims.md"));
        }
    }
    none(&faults);
}

#[test]
fn the_rules_themselves_tell_good_from_bad() {
    assert_eq!(lines_of_code("//! a\n\nfn a() {}\n// b\n\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\n"), 1);
    assert!(has_test("#[test]\nfn a_b() {\n", "a_b"));
    assert!(has_test("#[tokio::test]\n#[allow(x)]\nasync fn a_b() {\n", "a_b"));
    assert!(!has_test("fn a_b() {\n", "a_b"));
    assert!(!has_test("#[test]\nfn a_bc() {\n", "a_b"));
    let sources = [("crates/enact-store/src/log/reader.rs".to_owned(), "#[test]\nfn a_b() {".to_owned())];
    let test = |text: &str| {
        let mut parts: Vec<String> = text.split("::").map(str::to_owned).collect();
        TestName { function: parts.pop().unwrap(), package: parts.remove(0), path: parts }
    };
    assert!(exists(&sources, &test("enact-store::log::reader::tests::a_b")));
    assert!(!exists(&sources, &test("enact-host::log::reader::tests::a_b")));
    assert!(!exists(&sources, &test("enact-store::log::writer::tests::a_b")));
}
