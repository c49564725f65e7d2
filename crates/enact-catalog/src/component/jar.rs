//! `jar:` — the archives, the Java that they need, the limits of a JVM and what keeps it warm.

use std::collections::BTreeMap;

use enact_model::descriptor::{IDLE_MS, JarShape, JavaRange, Recycle};
use enact_model::digest::Digest;
use enact_model::id::Name;
use enact_model::json::Json;

use super::files::{Files, JarFacts, JarLayout, normal_name};
use super::java::is_class_name;
use super::shape::{FILES_MAX, env, roots};
use crate::fault::Faults;
use crate::fields::{self, Fields};
use crate::quantity;
use crate::yaml::{Kind, Mark, Node, cut};

pub const KEYS: [&str; 18] = [
    "path",
    "paths",
    "java",
    "memory",
    "metaspace",
    "threads",
    "jvm",
    "instances",
    "calls_in_flight",
    "start_timeout",
    "warm",
    "idle",
    "recycle",
    "options",
    "env",
    "roots",
    "config",
    "main",
];
/// Newest release that a requirement may name; a slip such as 177 is a fault.
const RELEASE_MAX: u32 = 99;
/// Threads that a JVM needs for itself.
const THREADS_MIN: u64 = 64;
/// Options that say what a key of their own says, or on which the host relies.
const RESERVED: [(&str, &str); 11] = [
    ("-Xmx", "say `memory`"),
    ("-XX:MaxHeapSize", "say `memory`"),
    ("-XX:MaxMetaspaceSize", "say `metaspace`"),
    ("-cp", "say `paths`"),
    ("-classpath", "say `paths`"),
    ("--class-path", "say `paths`"),
    ("-jar", "say `path`, and `main` for its main class"),
    ("-Xshare", "the hub keeps an archive of classes by itself"),
    ("-XX:SharedArchiveFile", "the hub keeps an archive of classes by itself"),
    ("-XX:ArchiveClassesAtExit", "the hub keeps an archive of classes by itself"),
    ("-XX:+AutoCreateSharedArchive", "the hub keeps an archive of classes by itself"),
];

/// Reads the shape; what is faulty in it is left at its default.
pub fn read(node: &Node, files: &dyn Files, faults: &mut Faults) -> Option<JarShape> {
    let fields = Fields::of(node, "jar", &KEYS, faults)?;
    let (paths, held, needs_java) = archives(&fields, files, faults);
    let instances = fields.whole("instances", 1..=256, faults).unwrap_or(1);
    let warm = fields.whole("warm", 0..=256, faults).unwrap_or(1);
    if warm > instances {
        let mark = fields.get("warm").map_or(node.mark, |node| node.mark);
        faults.hint(mark, format!("`warm` is {warm}, more than the {instances} of `instances`"), "raise `instances`");
    }
    let java = java(&fields, faults);
    let size = |key, range, faults: &mut Faults| fields.size_bytes(key, range, faults);
    Some(JarShape {
        paths,
        files: held,
        java,
        needs_java,
        memory_bytes: size("memory", (8 << 20)..=(1 << 40), faults).unwrap_or(JarShape::MEMORY_BYTES),
        metaspace_bytes: size("metaspace", (16 << 20)..=(1 << 36), faults).unwrap_or(JarShape::METASPACE_BYTES),
        threads: fields.whole("threads", THREADS_MIN..=65_536, faults).map_or(JarShape::THREADS, |n| n as u32),
        jvm: shared(&fields, faults),
        instances: instances as u32,
        calls_in_flight: fields
            .whole("calls_in_flight", 1..=1_024, faults)
            .map_or(JarShape::CALLS_IN_FLIGHT, |n| n as u32),
        start_timeout_ms: fields.duration_ms("start_timeout", faults).unwrap_or(JarShape::START_TIMEOUT_MS),
        warm: warm as u32,
        idle_ms: fields.duration_ms("idle", faults).unwrap_or(IDLE_MS),
        recycle: recycle(&fields, faults),
        options: options(&fields, faults),
        env: env(&fields, faults),
        roots: roots(&fields, files, faults),
        config: fields.get("config").map(|node| Json::from(&node.to_value())),
        main: main(&fields, faults),
    })
}

/// Reads the class path: the names in their order, their digests, and the release that their classes need.
fn archives(
    fields: &Fields<'_>,
    files: &dyn Files,
    faults: &mut Faults,
) -> (Vec<String>, BTreeMap<String, Digest>, u32) {
    let (mut paths, mut held, mut needs, mut classes) = (Vec::new(), BTreeMap::new(), 8, 0);
    if let (Some(_), Some(second)) = (fields.get("path"), fields.entry("paths")) {
        faults.hint(second.mark, "`paths` stands beside `path`", "name every archive in `paths`, in their order");
    }
    let named: Vec<(String, Mark)> = match (fields.get("path"), fields.get("paths"), files.itself()) {
        (Some(node), ..) => fields.text("path", faults).map(|text| (text.to_owned(), node.mark)).into_iter().collect(),
        (None, Some(_), _) => fields.words("paths", faults).unwrap_or_default(),
        (None, None, Some(own)) => vec![(own, fields.mark())],
        (None, None, None) => {
            fields.missing("path", "the jar", "name the archive: `jar: { path: app.jar }`", faults);
            return (paths, held, needs);
        }
    };
    let mark = fields.get("paths").map_or(fields.mark(), |node| node.mark);
    if named.is_empty() && fields.get("paths").is_some() {
        faults.hint(mark, "`paths` is empty", "name at least one archive");
    }
    if named.len() > FILES_MAX {
        faults.add(mark, format!("{} archives are more than {FILES_MAX}", named.len()));
        return (paths, held, needs);
    }
    let before = faults.count();
    for (name, mark) in named {
        let Some((normal, digest, facts)) = archive(&name, mark, files, faults) else { continue };
        needs = facts.needs_java.unwrap_or(needs).max(needs);
        classes += facts.classes;
        if held.insert(normal.clone(), digest).is_some() {
            faults.add(mark, format!("the archive `{}` is named twice", cut(&name, 60)));
        }
        paths.push(normal);
    }
    if classes == 0 && !paths.is_empty() && faults.count() == before {
        let hint = "name the archive that holds the classes, and what it needs, in `paths`";
        faults.hint(mark, format!("there is no class in {}", paths.join(", ")), hint);
    }
    (paths, held, needs)
}

fn archive(name: &str, mark: Mark, files: &dyn Files, faults: &mut Faults) -> Option<(String, Digest, JarFacts)> {
    let shown = cut(name, 60);
    let Some(normal) = normal_name(name) else {
        let hint = "name it relative to the descriptor, without leaving its folder";
        faults.hint(mark, format!("the archive `{shown}` lies outside of the folder of the descriptor"), hint);
        return None;
    };
    if normal.contains(':') {
        faults.hint(mark, format!("the archive `{shown}` cannot stand in a class path"), "rename it without a colon");
        return None;
    }
    let facts = match files.facts(&normal) {
        Ok(facts) => facts,
        Err(error) => {
            faults.add(mark, format!("the archive `{shown}` {error}"));
            return None;
        }
    };
    match files.jar(&normal) {
        Ok(jar) => {
            if jar.layout == JarLayout::Nested {
                let message = format!("`{shown}` keeps its classes in archives inside of itself (BOOT-INF or WEB-INF)");
                let hint = "unpack it (`unzip app.jar -d app`), make a jar of its classes (`jar cf classes.jar -C \
                            app/BOOT-INF/classes .`) and name it and the archives of app/BOOT-INF/lib in `paths`";
                faults.hint(mark, message, hint);
            }
            Some((normal, facts.digest, jar))
        }
        Err(error) => {
            faults.hint(mark, format!("the archive `{shown}` {error}"), "name a jar that `jar tf` can list");
            None
        }
    }
}

/// Reads `java`: `>=11`, `17` or `11..17`.
fn java(fields: &Fields<'_>, faults: &mut Faults) -> Option<JavaRange> {
    let node = fields.get("java")?;
    let Some(text) = node.scalar() else {
        fields::wrong_type(node, "java", "a requirement", faults);
        return None;
    };
    let range = java_range(text);
    if range.is_none() {
        let hint = "write \">=11\", 17 or 11..17; Java 8 is 8, not 1.8";
        faults.hint(node.mark, format!("`java`: {} names no releases of Java", node.excerpt()), hint);
    }
    range
}

/// Reads a requirement of Java releases.
pub(crate) fn java_range(text: &str) -> Option<JavaRange> {
    let release = |text: &str| text.trim().parse::<u32>().ok().filter(|n| (1..=RELEASE_MAX).contains(n));
    if let Some(least) = text.trim().strip_prefix(">=") {
        return Some(JavaRange { least: release(least)?, most: None });
    }
    let (least, most) = match text.split_once("..") {
        Some((least, most)) => (release(least)?, release(most)?),
        None => (release(text)?, release(text)?),
    };
    (least <= most).then_some(JavaRange { least, most: Some(most) })
}

/// Reads whose JVM it is: its own, or the one of a name, which every component that names it shares.
fn shared(fields: &Fields<'_>, faults: &mut Faults) -> Option<Name> {
    let node = fields.get("jvm")?;
    let text = fields.text("jvm", faults)?;
    if text == "own" {
        return None;
    }
    let name = text.parse();
    if name.is_err() {
        let hint = "say `own`, or a name such as `legacy` that other components say, too";
        faults.hint(node.mark, format!("`jvm`: `{}` is no name", cut(text, 60)), hint);
    }
    name.ok()
}

fn recycle(fields: &Fields<'_>, faults: &mut Faults) -> Recycle {
    let Some(node) = fields.get("recycle") else { return Recycle::default() };
    let Some(map) = Fields::of(node, "recycle", &["calls", "age", "memory"], faults) else { return Recycle::default() };
    if map.entries().next().is_none() {
        faults.hint(node.mark, "`recycle` is empty", "say when: calls, age or memory");
    }
    Recycle {
        calls: map.whole("calls", 1..=1_000_000_000_000, faults),
        age_ms: map.quantity("age", quantity::duration_ms, faults),
        memory_bytes: map.size_bytes("memory", (16 << 20)..=(1 << 40), faults),
    }
}

fn options(fields: &Fields<'_>, faults: &mut Faults) -> Vec<String> {
    let mut options = Vec::new();
    for (word, mark) in fields.words("options", faults).unwrap_or_default() {
        if let Some((_, way)) = RESERVED.iter().find(|(prefix, _)| word.starts_with(prefix)) {
            faults.hint(mark, format!("the option `{}` is the hub's own", cut(&word, 60)), *way);
        } else if !word.starts_with('-') || word.contains('\0') {
            let hint = "options begin with -; arguments of a main class stand in `call`";
            faults.hint(mark, format!("`{}` is not an option of the JVM", cut(&word, 60)), hint);
        }
        options.push(word);
    }
    options
}

fn main(fields: &Fields<'_>, faults: &mut Faults) -> Option<String> {
    let node = fields.get("main")?;
    let text = fields.text("main", faults)?;
    if !is_class_name(text) {
        let message = format!("`main`: `{}` is not the name of a class", cut(text, 60));
        faults.hint(node.mark, message, "write it with its package, such as com.acme.Tool");
    }
    Some(text.to_owned())
}

/// Returns whether a descriptor names this archive; what is no descriptor names none.
pub fn names_archive(text: &str, name: &str) -> bool {
    let mut ignored = Faults::new("");
    let Some(root) = crate::yaml::parse(text, &mut ignored) else { return false };
    let Some(jar) = root.get("jar") else { return false };
    let is = |node: &Node| node.scalar().and_then(normal_name).is_some_and(|normal| normal == name);
    let listed = match jar.get("paths").map(|node| &node.kind) {
        Some(Kind::List(items)) => items.iter().any(is),
        _ => false,
    };
    listed || jar.get("path").is_some_and(is)
}

#[cfg(test)]
mod tests;
