//! One walk over every class of the jars, one at a time, and what it found.

use std::collections::{BTreeMap, HashMap};

use crate::class::{Class, NATIVE, PUBLIC, STATIC, Version, code::Code, pool::Callee};
use crate::facts::{Duplicate, EntryPoint, Facts, JarFacts, JavaNeed, Unreadable, Use};
use crate::filter::{Filter, package};
use crate::jars::{Jar, Jars, Layout, Place};
use crate::own::{self, Own};
use crate::scala::{self, Dialect};
use crate::schema::{Below, Schemas};
use crate::{class, method};

/// Most uses, duplicates and unreadable entries of one kind that are listed.
const LISTED_MAX: usize = 10_000;
/// Newest Java whose class files are known to this release.
const NEWEST_JAVA: u16 = 26;

/// What the walk remembers of a class.
struct Note {
    version: Version,
    /// What it extends, where that is in the jars.
    parent: Option<u32>,
    /// The classes that it names, where they are in the jars.
    names: Vec<u32>,
}

/// Walks over every class; `progress` is told how many of how many are done.
pub fn survey(jars: &mut Jars, filter: &Filter, progress: &mut dyn FnMut(usize, usize)) -> Facts {
    let mut facts = Facts { jars: jars.jars.iter().map(jar_facts).collect(), ..Facts::default() };
    let order = order(jars, &mut facts);
    let numbers: HashMap<String, u32> =
        order.iter().enumerate().map(|(number, (name, _))| (name.clone(), number as u32)).collect();
    let own = taken(jars, &order, filter, &mut facts);
    let main = jars.jars.iter().find_map(|jar| jar.manifest.get("Main-Class")).map(str::to_owned);
    let mut notes: Vec<Option<Note>> = Vec::new();
    let mut wanted: Vec<String> = Vec::new();
    for (done, (name, place)) in order.iter().enumerate() {
        progress(done, order.len());
        notes.push(one(jars, name, *place, &numbers, &mut facts));
        let dotted = name.replace('/', ".");
        if own.takes_class(&dotted) && notes.last().is_some_and(Option::is_some) {
            wanted.push(dotted);
        }
    }
    facts.entry_points.sort_by_key(|it| main.as_deref() != Some(&it.class));
    for entry in &mut facts.entry_points {
        entry.of_manifest = main.as_deref() == Some(&entry.class);
        entry.taken =
            own.takes_class(&entry.class) && own.takes_method("main") || entry.of_manifest && filter.is_empty();
    }
    service_interfaces(jars, &mut facts);
    let schemas = Schemas::new(jars, below(&order, &notes));
    operations(schemas, &wanted, filter, main.as_deref(), &mut facts);
    facts.java = java(&order, &notes, &numbers, &facts);
    let of_scala = facts.scala_2_classes + facts.scala_3_classes > 0;
    facts.lacks_library = (of_scala && !numbers.contains_key(scala::LIBRARY_CLASS)).then(|| scala::library(jars));
    facts
}

fn jar_facts(jar: &Jar) -> JarFacts {
    let names = || jar.archive.entries.iter().map(|entry| entry.name.as_str());
    let value = |key: &str| jar.manifest.get(key).map(str::to_owned);
    let is_signature = |name: &str| {
        let name = name.to_ascii_uppercase();
        let ends = [".RSA", ".DSA", ".EC"].iter().any(|end| name.ends_with(end));
        name.starts_with("META-INF/") && ends
    };
    let mut releases: Vec<u16> =
        names().filter_map(|name| name.strip_prefix("META-INF/versions/")?.split_once('/')?.0.parse().ok()).collect();
    releases.sort_unstable();
    releases.dedup();
    let escaping = jar.archive.entries.iter().filter(|entry| entry.escapes()).map(|entry| entry.name.clone());
    JarFacts {
        path: jar.path.to_string_lossy().into_owned(),
        layout: jar.layout,
        entries: jar.archive.entries.len(),
        classes: jar.classes().count(),
        main_class: value(if jar.layout == Layout::SpringBoot { "Start-Class" } else { "Main-Class" })
            .or_else(|| value("Main-Class")),
        module_name: value("Automatic-Module-Name"),
        version: value("Implementation-Version").or_else(|| value("Bundle-Version")),
        class_path: value("Class-Path")
            .map(|it| it.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default(),
        signed: names().any(is_signature),
        multi_release: jar.manifest.is_true("Multi-Release"),
        releases,
        nested_jars: jar.nested.clone(),
        escaping_entries: escaping.take(LISTED_MAX).collect(),
    }
}

/// The classes in the order of the jars, each once; what stands more than once is a fact.
fn order(jars: &Jars, facts: &mut Facts) -> Vec<(String, Place)> {
    let mut order = Vec::with_capacity(jars.len());
    let mut again: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (number, jar) in jars.jars.iter().enumerate() {
        for (entry, name) in jar.classes() {
            let place = Place { jar: number, entry };
            if jars.place(name) == Some(place) {
                *facts.packages.entry(package(&name.replace('/', ".")).to_owned()).or_default() += 1;
                order.push((name.to_owned(), place));
            } else {
                let first = jars.place(name).and_then(|place| jars.jars.get(place.jar)).map(Jar::name);
                again.entry(name.replace('/', ".")).or_insert_with(|| first.into_iter().collect()).push(jar.name());
            }
        }
    }
    let listed = again.into_iter().take(LISTED_MAX);
    facts.duplicates = listed.map(|(class, jars)| Duplicate { class, jars }).collect();
    order
}

/// Which classes are looked at for methods.
fn taken(jars: &Jars, order: &[(String, Place)], filter: &Filter, facts: &mut Facts) -> Filter {
    if !(filter.packages.is_empty() && filter.classes.is_empty()) {
        facts.looked_at = "the classes that were asked for".to_owned();
        return filter.clone();
    }
    let names: Vec<String> = order.iter().map(|(name, _)| name.replace('/', ".")).collect();
    let main = facts.jars.iter().find_map(|jar| jar.main_class.clone());
    let file = jars.jars.first().map(Jar::name).unwrap_or_default();
    let Own { packages, why } = own::own(names.iter().map(String::as_str), main.as_deref(), &file);
    facts.looked_at = if packages.is_empty() {
        format!("all packages, because {why}")
    } else {
        let named = packages.iter().map(|it| if it.is_empty() { "the default package" } else { it });
        format!("{}, because {why}", named.collect::<Vec<_>>().join(", "))
    };
    Filter { packages, ..filter.clone() }
}

/// Reads one class for everything but its methods' types.
fn one(jars: &mut Jars, name: &str, place: Place, numbers: &HashMap<String, u32>, facts: &mut Facts) -> Option<Note> {
    let (jar, entry) = jars
        .jars
        .get(place.jar)
        .map(|jar| (jar.name(), jar.archive.entries.get(place.entry).map(|it| it.name.clone()).unwrap_or_default()))?;
    let unreadable = |why: String, java: Option<u16>| {
        if facts.unreadable.len() < LISTED_MAX {
            facts.unreadable.push(Unreadable { jar, entry, why, java });
        }
    };
    let bytes = match jars.entry(place) {
        Ok(bytes) => bytes,
        Err(error) => {
            unreadable(error.to_string(), None);
            return None;
        }
    };
    let version = match Version::read(bytes) {
        Ok(version) => version,
        Err(error) => {
            unreadable(error.to_string(), None);
            return None;
        }
    };
    *facts.java.classes.entry(version.java()).or_default() += 1;
    let class = match Class::read(bytes) {
        Ok(class) => class,
        Err(error) => {
            let newer = version.java() > NEWEST_JAVA;
            let why =
                if newer { format!("{error}; its format is newer than this enact knows") } else { error.to_string() };
            unreadable(why, Some(version.java()));
            return Some(Note { version, parent: None, names: Vec::new() });
        }
    };
    if *class.name != *name {
        unreadable(format!("it holds the class {}", class.name.replace('/', ".")), Some(version.java()));
    }
    match scala::dialect(&class) {
        Dialect::Two => facts.scala_2_classes += 1,
        Dialect::Three => facts.scala_3_classes += 1,
        Dialect::None => {}
    }
    let dotted = name.replace('/', ".");
    uses(&class, &dotted, facts);
    let is_main = |it: &&class::Member<'_>| {
        it.name == "main" && it.descriptor == "([Ljava/lang/String;)V" && it.is(PUBLIC | STATIC)
    };
    if class.methods.iter().any(|it| is_main(&it)) {
        facts.entry_points.push(EntryPoint { class: dotted, of_manifest: false, taken: false });
    }
    let names = class.pool.classes().filter_map(|name| numbers.get(&*name).copied()).collect();
    let parent = class.parent.as_deref().and_then(|name| numbers.get(name).copied());
    Some(Note { version, parent, names })
}

/// The classes below each one that has some.
fn below(order: &[(String, Place)], notes: &[Option<Note>]) -> Below {
    let mut below = Below::new();
    for ((name, _), note) in order.iter().zip(notes) {
        let parent = note.as_ref().and_then(|note| order.get(note.parent? as usize));
        if let Some((parent, _)) = parent {
            below.entry(parent.replace('/', ".")).or_default().push(name.replace('/', "."));
        }
    }
    below
}

/// What a call does to the whole process, if anything.
fn effect(callee: &Callee<'_>) -> Option<(bool, String)> {
    let what = match (&*callee.class, &*callee.name) {
        ("java/lang/System", "exit") => (true, "System.exit"),
        ("java/lang/Runtime", "exit") => (true, "Runtime.exit"),
        ("java/lang/Runtime", "halt") => (true, "Runtime.halt"),
        ("scala/sys/package$", "exit") => (true, "scala.sys.exit"),
        ("kotlin/system/ProcessKt", "exitProcess") => (true, "kotlin.system.exitProcess"),
        ("java/lang/System", "load") => (false, "System.load"),
        ("java/lang/System", "loadLibrary") => (false, "System.loadLibrary"),
        ("java/lang/Runtime", "load") => (false, "Runtime.load"),
        ("java/lang/Runtime", "loadLibrary") => (false, "Runtime.loadLibrary"),
        _ => return None,
    };
    Some((what.0, what.1.to_owned()))
}

fn uses(class: &Class<'_>, name: &str, facts: &mut Facts) {
    let add = |list: &mut Vec<Use>, method: &str, what: String| {
        if list.len() < LISTED_MAX {
            list.push(Use { class: name.to_owned(), method: method.to_owned(), what });
        }
    };
    for method in class.methods.iter().filter(|method| method.is(NATIVE)) {
        add(&mut facts.native_methods, &method.name, "native".to_owned());
    }
    let effects: HashMap<u16, (bool, String)> =
        class.pool.callees().filter_map(|(index, callee)| Some((index, effect(&callee)?))).collect();
    if effects.is_empty() {
        return;
    }
    for method in &class.methods {
        let Some(code) = method.attribute("Code").and_then(|bytes| Code::read(bytes).ok()) else { continue };
        let mut seen: Vec<u16> = Vec::new();
        for index in code.calls() {
            let Some((exits, what)) = effects.get(&index).filter(|_| !seen.contains(&index)) else { continue };
            seen.push(index);
            let list = if *exits { &mut facts.exits } else { &mut facts.native_loading };
            add(list, &method.name, what.clone());
        }
    }
}

fn service_interfaces(jars: &mut Jars, facts: &mut Facts) {
    let files: Vec<(Place, String)> = jars
        .jars
        .iter()
        .enumerate()
        .flat_map(|(jar, found)| {
            let entries = found.archive.entries.iter().enumerate();
            entries.filter_map(move |(entry, it)| {
                let name = it.name.strip_prefix("META-INF/services/")?;
                let plain = !name.is_empty() && !name.contains('/');
                plain.then(|| (Place { jar, entry }, name.to_owned()))
            })
        })
        .take(LISTED_MAX)
        .collect();
    for (place, interface) in files {
        let Ok(bytes) = jars.entry(place) else { continue };
        let text = String::from_utf8_lossy(bytes).into_owned();
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        let classes: Vec<String> = lines.filter(|line| !line.is_empty()).take(LISTED_MAX).map(str::to_owned).collect();
        facts.service_interfaces.entry(interface).or_default().extend(classes);
    }
}

/// Looks at the methods of the classes that were asked for; those of the main class come first.
fn operations(mut schemas: Schemas<'_>, wanted: &[String], filter: &Filter, main: Option<&str>, facts: &mut Facts) {
    let mut names: Vec<&String> = wanted.iter().collect();
    names.sort_by_key(|name| (Some(name.as_str()) != main, name.as_str()));
    for name in names {
        let Some(bytes) = schemas.jars().class(name) else { continue };
        let Ok(class) = Class::read(&bytes) else { continue };
        let found = method::find(&mut schemas, name, &class, filter);
        let room = LISTED_MAX.saturating_sub(facts.operations.len());
        facts.more_operations += found.operations.len().saturating_sub(room);
        facts.operations.extend(found.operations.into_iter().take(room));
        let room = LISTED_MAX.saturating_sub(facts.left_out.len());
        facts.left_out.extend(found.left_out.into_iter().take(room));
    }
    // What needs no object is offered before what needs one.
    facts.operations.sort_by_key(|it| (Some(it.class.as_str()) != main, !it.is_static));
}

/// Follows the names in classes from what can be called, for the Java that is needed.
fn java(order: &[(String, Place)], notes: &[Option<Note>], numbers: &HashMap<String, u32>, facts: &Facts) -> JavaNeed {
    let mut need = JavaNeed { classes: facts.java.classes.clone(), ..JavaNeed::default() };
    for ((name, _), note) in order.iter().zip(notes) {
        let Some(note) = note else { continue };
        if note.version.java() > need.whole {
            need.whole = note.version.java();
            need.newest_class = name.replace('/', ".");
        }
        if note.version.is_preview() && need.preview.len() < LISTED_MAX {
            need.preview.push(name.replace('/', "."));
        }
    }
    let entry = facts.entry_points.iter().map(|it| &it.class);
    let roots = entry.chain(facts.operations.iter().map(|it| &it.class));
    let mut open: Vec<u32> = roots.filter_map(|name| numbers.get(&name.replace('.', "/")).copied()).collect();
    let mut seen = vec![false; order.len()];
    while let Some(number) = open.pop() {
        let Some(seen) = seen.get_mut(number as usize).filter(|seen| !**seen) else { continue };
        *seen = true;
        let Some(Some(note)) = notes.get(number as usize) else { continue };
        need.reached = need.reached.max(note.version.java());
        open.extend(&note.names);
    }
    if need.reached == 0 {
        need.reached = need.whole;
    }
    need
}
