//! A descriptor of what was found, in YAML, with the decisions that are left to a person.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::facts::{Facts, Operation};
use crate::jars::Layout;
use crate::types::last;
use crate::yaml::{comment, flow, member, scalar};
use crate::{name, types};

/// Most operations that a component may have.
pub const OPERATIONS_MAX: usize = 1_000;
/// Most lines of what is left out.
const LEFT_OUT_MAX: usize = 20;

/// What somebody wants of the descriptor.
#[derive(Debug, Clone)]
pub struct Wish {
    /// `command` or `query`, for every operation.
    pub kind: &'static str,
    /// Most operations that are written.
    pub limit: usize,
}

/// A descriptor.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// The YAML.
    pub text: String,
    /// How many operations it has.
    pub written: usize,
    /// How many more there are.
    pub more: usize,
}

/// One operation as it will be written.
struct Piece<'a> {
    class: &'a str,
    /// Names of which the first free one is taken.
    names: Vec<String>,
    told: String,
    notes: Vec<String>,
    call: Value,
    input: Value,
    output: Option<Value>,
}

/// Writes the descriptor of what was found; nothing if nothing can be called.
pub fn write(facts: &Facts, wish: &Wish) -> Option<Descriptor> {
    let mut pieces: Vec<Piece<'_>> =
        facts.entry_points.iter().filter(|it| it.taken).map(|it| program(&it.class)).collect();
    pieces.extend(facts.operations.iter().map(method));
    let limit = wish.limit.clamp(1, OPERATIONS_MAX);
    let more = pieces.len().saturating_sub(limit) + facts.more_operations;
    pieces.truncate(limit);
    if pieces.is_empty() {
        return None;
    }
    let mut text = head(facts);
    // Every operation of a class stands together, in the order in which the classes come first.
    let mut classes: Vec<&str> = Vec::new();
    for piece in &pieces {
        if !classes.contains(&piece.class) {
            classes.push(piece.class);
        }
    }
    let mut services = BTreeSet::new();
    for class in classes {
        let near = class.rsplit(['.', '$']).nth(1).unwrap_or_default();
        let names = [last(class).to_owned(), format!("{near}-{}", last(class)), class.to_owned()];
        let _ =
            write!(text, "\n  # {}\n  {}:\n", comment(class), scalar(&name::fresh(&names, "service", &mut services)));
        let mut taken = BTreeSet::new();
        for piece in pieces.iter().filter(|piece| piece.class == class) {
            operation(piece, wish, &mut taken, &mut text);
        }
    }
    tail(facts, more, pieces.len(), &mut text);
    Some(Descriptor { text, written: pieces.len(), more })
}

fn head(facts: &Facts) -> String {
    let mut out = String::new();
    let files: Vec<String> = facts.jars.iter().map(|jar| jar.path.clone()).collect();
    let folder = files.first().and_then(|file| Path::new(file).parent()).unwrap_or_else(|| Path::new(""));
    let names: Vec<String> = files.iter().map(|file| beside(folder, Path::new(file))).collect();
    let first = names.first().cloned().unwrap_or_default();
    let (word, version) = word_and_version(&first);
    let version = version
        .or_else(|| facts.jars.first().and_then(|jar| three_numbers(jar.version.as_deref()?)))
        .unwrap_or_else(|| "1.0.0".to_owned());
    let _ = writeln!(out, "# Read from {} by `enact component inspect`.", comment(&names.join(", ")));
    out.push_str("# Put it beside the jar as component.yaml; `enact component check .` reads it, `enact component add .` takes it.\n");
    out.push_str(
        "# Decide of each operation: `kind: query` if it changes nothing, `idempotent: true` if it may run twice.\n",
    );
    let _ = writeln!(out, "component: {}", scalar(&name::of(&word, "component")));
    let _ = writeln!(out, "version: {version}");
    out.push_str("jar:\n");
    if let Some(library) = &facts.lacks_library {
        let _ = writeln!(
            out,
            "  # Add {library}: no class of Scala is loaded without it. Put its jar beside this file and name it in `paths`, too."
        );
    }
    match names.as_slice() {
        [one] => member("path", &json!(one), 2, &mut out),
        several => member("paths", &json!(several), 2, &mut out),
    }
    let java = &facts.java;
    if java.reached < java.whole {
        let _ = writeln!(
            out,
            "  # What is called here reaches classes for Java {}; {} needs Java {}. Raise it if it is loaded after all.",
            java.reached,
            comment(&java.newest_class),
            java.whole
        );
    }
    if java.preview.is_empty() {
        let _ = writeln!(out, "  java: {}", scalar(&format!(">={}", java.reached.max(8))));
    } else {
        let _ = writeln!(out, "  java: {}\n  options: [\"--enable-preview\"]", scalar(&java.whole.to_string()));
    }
    out.push_str("services:");
    out
}

/// The path of a jar as a descriptor beside the first one names it.
fn beside(folder: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(folder).ok().or_else(|| file.file_name().map(Path::new)).unwrap_or(file);
    inside.to_string_lossy().into_owned()
}

/// The name and the version in a file name such as `tabula-1.0.5-jar-with-dependencies.jar`.
fn word_and_version(file: &str) -> (String, Option<String>) {
    let file = file.rsplit('/').next().unwrap_or(file);
    let stem = file.strip_suffix(".jar").or_else(|| file.strip_suffix(".war")).unwrap_or(file);
    let is_digit = |at: usize| stem.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let Some((at, _)) = stem.char_indices().find(|(at, it)| matches!(it, '-' | '_') && is_digit(at + 1)) else {
        let plain = ["-assembly", "-all", "-fat", "-uber", "-shaded", "-standalone", "-jar-with-dependencies"];
        let word = plain.iter().find_map(|end| stem.strip_suffix(end)).unwrap_or(stem);
        return (word.to_owned(), None);
    };
    let (word, rest) = stem.split_at_checked(at).unwrap_or((stem, ""));
    // Of `spark-core_2.12-3.5.7` the last one is its own; the first is that of its Scala.
    let scala = stem.get(at..=at) == Some("_");
    let own =
        if scala { rest.split('-').skip(1).find(|it| it.starts_with(|it: char| it.is_ascii_digit())) } else { None };
    (word.to_owned(), three_numbers(own.unwrap_or(rest.trim_start_matches(['-', '_']))))
}

/// The first three numbers of a version; what is missing is nought.
fn three_numbers(text: &str) -> Option<String> {
    let text = text.trim_start_matches('v');
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    let numbers: Vec<u32> = text.get(..end)?.split('.').filter_map(|part| part.parse().ok()).collect();
    let at = |index: usize| numbers.get(index).copied().unwrap_or(0);
    (!numbers.is_empty()).then(|| format!("{}.{}.{}", at(0), at(1), at(2)))
}

fn program(class: &str) -> Piece<'_> {
    let input = json!({ "type": "object", "properties": {
        "args": { "type": "array", "items": { "type": "string" } }, "stdin": { "type": "string" } } });
    Piece {
        class,
        names: vec!["run".to_owned(), "run-main".to_owned()],
        told: format!("{}.main(args), in a JVM of its own for each call", last(class)),
        notes: Vec::new(),
        call: json!({ "run": class }),
        input,
        output: Some(json!({ "type": "object", "properties": {
            "stdout": { "type": "string" }, "exit": { "type": "integer" } } })),
    }
}

fn method(operation: &Operation) -> Piece<'_> {
    let parameter = |it: &crate::facts::Parameter| {
        // What the jar does not tell is left to reflection, unless the type tells overloads apart. Where Scala 2 says that
        // anything may stand in a type of its own, the JVM wants to hear it; what Scala 3 says of that nobody here knows.
        let said_by_scala = it.is.is_of_scala() && !operation.erased;
        if it.is.is_vague() && operation.overloads == 1 && !operation.typed && !said_by_scala {
            json!({ "name": it.name })
        } else {
            json!({ "name": it.name, "type": it.is.plain().hint(operation.scala) })
        }
    };
    let parameters: Vec<Value> = operation.parameters.iter().map(parameter).collect();
    let mut call = json!({ "class": operation.class, "method": operation.method });
    if !parameters.is_empty() || operation.overloads > 1 || operation.typed {
        call["params"] = Value::Array(parameters);
    }
    let types: Vec<String> = operation.parameters.iter().map(|it| it.is.short()).collect();
    let named: Vec<String> = operation.parameters.iter().map(|it| it.name.clone()).collect();
    let by = |words: &[String]| format!("{}-{}", operation.method, words.join("-"));
    let mut names = Vec::new();
    if operation.overloads == 1 || operation.parameters.is_empty() {
        names.push(operation.method.clone());
    }
    if operation.parameters.len() > 3 {
        names.push(format!("{}-{}", operation.method, operation.parameters.len()));
    }
    if !operation.parameters.is_empty() {
        names.extend([by(&types), by(&named)]);
    }
    let told: Vec<String> = operation.parameters.iter().map(|it| format!("{}: {}", it.name, it.is)).collect();
    let told =
        format!("{}.{}({}): {}", types::last(&operation.class), operation.method, told.join(", "), operation.result);
    let mut notes = operation.notes.clone();
    if operation.parameters.iter().any(|it| !it.named) {
        notes.push("decide: the jar does not tell the names of its parameters; call them what they are".to_owned());
    }
    let (input, output) = (operation.input.clone(), operation.output.clone());
    Piece { class: &operation.class, names, told, notes, call, input, output }
}

fn operation(piece: &Piece<'_>, wish: &Wish, taken: &mut BTreeSet<String>, out: &mut String) {
    let _ = writeln!(out, "    # {}", comment(&piece.told));
    for note in &piece.notes {
        let _ = writeln!(out, "    # {}", comment(note));
    }
    let _ = writeln!(out, "    {}:", scalar(&name::fresh(&piece.names, "operation", taken)));
    let _ = writeln!(out, "      kind: {}", wish.kind);
    match piece.call.get("params").filter(|_| flow(&piece.call).len() > 100) {
        Some(Value::Array(parameters)) if !parameters.is_empty() => {
            out.push_str("      call:\n");
            for key in ["class", "method"] {
                member(key, piece.call.get(key).unwrap_or(&Value::Null), 8, out);
            }
            out.push_str("        params:\n");
            for parameter in parameters {
                let _ = writeln!(out, "          - {}", flow(parameter));
            }
        }
        _ => member("call", &piece.call, 6, out),
    }
    member("input", &piece.input, 6, out);
    if let Some(output) = &piece.output {
        member("output", output, 6, out);
    }
}

fn tail(facts: &Facts, more: usize, written: usize, out: &mut String) {
    if more > 0 {
        let _ = writeln!(
            out,
            "\n# {more} more operations were found beside these {written}. `--package`, `--class` and `--method` choose among them,\n\
             # `--limit` writes more; `--json` lists all of them."
        );
    }
    if !facts.left_out.is_empty() {
        let _ = writeln!(out, "\n# Left out, because JSON cannot call it ({}):", facts.left_out.len());
        for one in facts.left_out.iter().take(LEFT_OUT_MAX) {
            let _ = writeln!(out, "#   {}.{}: {}", comment(last(&one.class)), comment(&one.method), comment(&one.why));
        }
        if facts.left_out.len() > LEFT_OUT_MAX {
            let _ = writeln!(out, "#   and {} more; `--json` lists them", facts.left_out.len() - LEFT_OUT_MAX);
        }
    }
}

/// Returns what somebody should know before the jar is used, one line each.
pub fn warnings(facts: &Facts) -> Vec<String> {
    let mut out = Vec::new();
    for jar in &facts.jars {
        let name = jar.path.rsplit('/').next().unwrap_or(&jar.path);
        layout(jar, name, &mut out);
        if jar.classes == 0 {
            out.push(format!("{name} has no classes"));
        }
        if jar.signed {
            out.push(format!("{name} is signed: nothing of it may be changed, or Java refuses its classes"));
        }
        if jar.multi_release || !jar.releases.is_empty() {
            let releases: Vec<String> = jar.releases.iter().map(ToString::to_string).collect();
            let used = if jar.multi_release {
                "which take their place there"
            } else {
                "which no Java takes, as Multi-Release is not set"
            };
            out.push(format!("{name} has other classes for Java {}, {used}", releases.join(", ")));
        }
        if !jar.class_path.is_empty() {
            let names = crate::jars::some(&jar.class_path, 5);
            out.push(format!("{name} looks for jars beside it, which must be named in `paths`: {names}"));
        }
        if !jar.escaping_entries.is_empty() {
            let names = crate::jars::some(&jar.escaping_entries, 3);
            out.push(format!("{name} has names that lead out of it; do not unpack it: {names}"));
        }
    }
    uses(
        "is the outcome of its call up to Java 23; from Java 24 on it ends the whole JVM",
        &facts.exits,
        facts,
        &mut out,
    );
    uses("loads code that is not Java's; what breaks it breaks the JVM", &facts.native_loading, facts, &mut out);
    if !facts.native_methods.is_empty() {
        out.push(format!("{} methods are not Java's (`--json` lists them)", facts.native_methods.len()));
    }
    if let Some(first) = facts.duplicates.first() {
        let count = facts.duplicates.len();
        out.push(format!(
            "{count} classes stand more than once, such as {}: Java loads it from the first jar that has it, and of one jar the last one",
            first.class
        ));
    }
    if let Some(first) = facts.unreadable.first() {
        let java = first.java.map(|java| format!(" (for Java {java})")).unwrap_or_default();
        let count = facts.unreadable.len();
        out.push(format!("{count} entries could not be read, such as {}: {}{java}", first.entry, first.why));
    }
    if let Some(first) = facts.java.preview.first() {
        let count = facts.java.preview.len();
        out.push(format!(
            "{count} classes use preview features, which only Java {} reads, such as {first}",
            facts.java.whole
        ));
    }
    if let Some(library) = &facts.lacks_library {
        out.push(format!(
            "the classes are of Scala, and its library is in none of the jars: nothing of them can be called, and of most types \
             nobody knows what they are; name {library} (its jar) as well: `enact component inspect {} {library}….jar`",
            facts.jars.iter().map(|jar| jar.path.as_str()).collect::<Vec<_>>().join(" ")
        ));
    }
    if facts.scala_3_classes > 0 {
        out.push(format!(
            "{} classes are of Scala 3: what stands inside of a type, such as the Int of List[Int], is not read; where `check` asks \
             for it, say it in the `type` of a parameter",
            facts.scala_3_classes
        ));
    }
    out.iter().map(|line| printable(line)).collect()
}

/// Writes a text for a terminal: what would steer it, or turn its writing around, stands as `\u{1b}`.
pub fn printable(text: &str) -> String {
    let steers = |it: char| {
        it.is_control() || matches!(it, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        if steers(it) { out.extend(it.escape_unicode()) } else { out.push(it) }
    }
    out
}

fn layout(jar: &crate::facts::JarFacts, name: &str, out: &mut Vec<String>) {
    let (what, folder) = match jar.layout {
        Layout::Plain if jar.nested_jars.is_empty() => return,
        Layout::Plain => {
            let names = crate::jars::some(&jar.nested_jars, 3);
            out.push(format!(
                "{name} has jars inside, which Java does not look into; unpack those that are needed: {names}"
            ));
            return;
        }
        Layout::SpringBoot => ("a Spring Boot jar", "BOOT-INF"),
        Layout::War => ("a web application", "WEB-INF"),
    };
    out.push(format!(
        "{name} is {what}: its classes and {} jars stand in {folder}, where Java does not find them by itself. To call methods: \
         `unzip {name} '{folder}/*' && jar --create --file classes.jar -C {folder}/classes .`, then \
         `enact component inspect classes.jar {folder}/lib/*.jar`. Only `run` works on it as it is, if it has a main class of its own",
        jar.nested_jars.len()
    ));
}

fn uses(does: &str, uses: &[crate::facts::Use], facts: &Facts, out: &mut Vec<String>) {
    // What stands in a class that is called here is nearer than what stands in a library.
    let near = |it: &&crate::facts::Use| {
        let called = facts.operations.iter().any(|one| one.class == it.class);
        !(called || facts.entry_points.iter().any(|one| one.taken && one.class == it.class))
    };
    let mut sorted: Vec<&crate::facts::Use> = uses.iter().collect();
    sorted.sort_by_key(near);
    let Some(first) = sorted.first() else { return };
    let names: Vec<String> = sorted.iter().map(|it| format!("{}.{}", it.class, it.method)).collect();
    out.push(format!("{} {does}; it is called in {}", first.what, crate::jars::some(&names, 3)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_tells_a_name_and_a_version() {
        let told = |file| word_and_version(file);
        assert_eq!(told("tabula-1.0.5-jar-with-dependencies.jar"), ("tabula".to_owned(), Some("1.0.5".to_owned())));
        assert_eq!(told("spark-core_2.12-3.5.7.jar"), ("spark-core".to_owned(), Some("3.5.7".to_owned())));
        assert_eq!(told("guava-31.1-jre.jar"), ("guava".to_owned(), Some("31.1.0".to_owned())));
        assert_eq!(told("pricing-assembly.jar"), ("pricing".to_owned(), None));
        assert_eq!(told("log4j-1.2-api-2.20.0.jar").0, "log4j");
    }
}
