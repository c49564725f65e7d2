//! Classes of Java and Scala that have a form in JSON.

use serde_json::{Value, json};

/// What holds several values, or one later, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// An array.
    List,
    /// An object.
    Map,
    /// The value or null.
    Maybe,
    /// The value once it is there.
    Later,
    /// An array of so many.
    Tuple,
    /// One of several.
    Anything,
}

/// Returns the schema of what is one value in JSON.
pub fn scalar(name: &str) -> Option<Value> {
    let short = ["java.lang.", "scala."].iter().find_map(|package| name.strip_prefix(package)).unwrap_or(name);
    Some(match short {
        "boolean" | "Boolean" => json!({ "type": "boolean" }),
        "byte" | "Byte" => json!({ "type": "integer", "minimum": i8::MIN, "maximum": i8::MAX }),
        "short" | "Short" => json!({ "type": "integer", "minimum": i16::MIN, "maximum": i16::MAX }),
        "int" | "Int" | "Integer" => json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX }),
        "long" | "Long" => json!({ "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX }),
        "float" | "Float" | "double" | "Double" | "Number" => json!({ "type": "number" }),
        "char" | "Char" | "Character" => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
        "String" | "CharSequence" | "StringBuilder" => json!({ "type": "string" }),
        "void" | "Void" | "Unit" | "runtime.BoxedUnit" | "Null" => json!({ "type": "null" }),
        "Object" | "Any" | "AnyRef" | "AnyVal" | "java.io.Serializable" => json!({}),
        "math.BigInt" | "java.math.BigInteger" => json!({ "type": "integer" }),
        "math.BigDecimal" | "java.math.BigDecimal" => json!({ "type": "number" }),
        "java.util.OptionalInt" => json!({ "type": ["integer", "null"], "minimum": i32::MIN, "maximum": i32::MAX }),
        "java.util.OptionalLong" => json!({ "type": ["integer", "null"] }),
        "java.util.OptionalDouble" => json!({ "type": ["number", "null"] }),
        "java.util.UUID" => json!({ "type": "string", "format": "uuid" }),
        "java.time.LocalDate" => json!({ "type": "string", "format": "date" }),
        // Java's times go beyond the year 9999, and its offsets have seconds: `date-time` would refuse what is right.
        "java.time.Instant" | "java.time.OffsetDateTime" | "java.util.Date" => json!({ "type": "string" }),
        "java.net.URI"
        | "java.net.URL"
        | "java.io.File"
        | "java.nio.file.Path"
        | "java.nio.charset.Charset"
        | "java.util.Locale"
        | "java.util.Currency"
        | "java.util.TimeZone"
        | "java.util.regex.Pattern"
        | "Symbol" => json!({ "type": "string" }),
        "java.time.Year" => json!({ "type": "string" }),
        _ => {
            let time = name.strip_prefix("java.time.")?;
            let is_text = matches!(
                time,
                "LocalTime"
                    | "LocalDateTime"
                    | "OffsetTime"
                    | "ZonedDateTime"
                    | "Duration"
                    | "Period"
                    | "YearMonth"
                    | "MonthDay"
                    | "ZoneId"
                    | "ZoneOffset"
                    | "DayOfWeek"
                    | "Month"
            );
            return is_text.then(|| json!({ "type": "string" }));
        }
    })
}

/// Collections of Java that can be made.
const JAVA_LISTS: [&str; 26] = [
    "java.lang.Iterable",
    "java.util.Collection",
    "java.util.List",
    "java.util.Set",
    "java.util.SortedSet",
    "java.util.NavigableSet",
    "java.util.Queue",
    "java.util.Deque",
    "java.util.ArrayList",
    "java.util.LinkedList",
    "java.util.HashSet",
    "java.util.LinkedHashSet",
    "java.util.TreeSet",
    "java.util.ArrayDeque",
    "java.util.Vector",
    "java.util.Stack",
    "java.util.PriorityQueue",
    "java.util.Iterator",
    "java.util.stream.Stream",
    "java.util.AbstractList",
    "java.util.AbstractSet",
    "java.util.AbstractCollection",
    "java.util.concurrent.CopyOnWriteArrayList",
    "java.util.concurrent.CopyOnWriteArraySet",
    "java.util.concurrent.ConcurrentLinkedQueue",
    "java.util.concurrent.ConcurrentLinkedDeque",
];
/// Maps of Java that can be made.
const JAVA_MAPS: [&str; 12] = [
    "java.util.Map",
    "java.util.SortedMap",
    "java.util.NavigableMap",
    "java.util.HashMap",
    "java.util.LinkedHashMap",
    "java.util.TreeMap",
    "java.util.Hashtable",
    "java.util.AbstractMap",
    "java.util.WeakHashMap",
    "java.util.concurrent.ConcurrentMap",
    "java.util.concurrent.ConcurrentHashMap",
    "java.util.concurrent.ConcurrentSkipListMap",
];

/// Returns what a class holds, by its name and the number of its type arguments.
pub fn group(name: &str, arguments: usize) -> Option<Group> {
    if JAVA_LISTS.contains(&name) {
        return Some(Group::List);
    }
    if JAVA_MAPS.contains(&name) {
        return Some(Group::Map);
    }
    match name {
        "java.util.Optional" | "scala.Option" | "scala.Some" | "scala.None$" => return Some(Group::Maybe),
        "java.util.concurrent.CompletableFuture"
        | "java.util.concurrent.CompletionStage"
        | "java.util.concurrent.Future"
        | "scala.concurrent.Future" => return Some(Group::Later),
        "scala.util.Either" | "scala.util.Left" | "scala.util.Right" => return Some(Group::Anything),
        _ => {}
    }
    if let Some(count) = name.strip_prefix("scala.Tuple") {
        return count.parse::<u8>().is_ok().then_some(if arguments > 0 { Group::Tuple } else { Group::Anything });
    }
    let collection = name.strip_prefix("scala.collection.").filter(|rest| !rest.contains('$'))?;
    let kind = collection.rsplit('.').next().unwrap_or(collection);
    // The last word of a collection's name says what it is: `ListMap` is a map, `HashSet` a set.
    if kind.ends_with("Map") {
        return Some(Group::Map);
    }
    let is_list = ["Seq", "List", "Vector", "Set", "Iterable", "Traversable", "Iterator", "Buffer", "Queue", "Stream"];
    let is_list = is_list.iter().any(|it| kind.ends_with(it)) || matches!(kind, "Range" | "LazyList" | "ArraySeq");
    is_list.then_some(Group::List)
}

/// Returns whether a class is a function of Java or Scala.
pub fn is_function(name: &str) -> bool {
    let of_scala = name.strip_prefix("scala.").is_some_and(|it| it.starts_with("Function") || it == "PartialFunction");
    of_scala || name.starts_with("java.util.function.") || name.starts_with("scala.runtime.AbstractFunction")
}

/// Returns whether a class of Java has no form in JSON and none below it has one, as far as Java itself goes: in these packages
/// nothing is a collection, a text or a time but what is named.
pub fn is_never_written(name: &str) -> bool {
    let among = ["java.awt.", "java.io.", "java.net."].iter().any(|package| name.starts_with(package));
    among && scalar(name).is_none() && name != "java.awt.RenderingHints"
}

/// Returns whether the JVM side can make one of those that hold something: of Scala's, an iterator runs once, and what is
/// for many threads or for one purpose of the library is made by its own companion only.
pub fn can_be_made(name: &str) -> bool {
    let Some(collection) = name.strip_prefix("scala.collection.") else { return true };
    let kind = collection.rsplit('.').next().unwrap_or(collection);
    !(kind.ends_with("Iterator") || collection.starts_with("concurrent.") || kind.starts_with("Synchronized"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_are_known_by_their_names() {
        assert_eq!(group("java.util.List", 1), Some(Group::List));
        assert_eq!(group("scala.collection.immutable.ListMap", 2), Some(Group::Map));
        assert_eq!(group("scala.collection.immutable.$colon$colon", 1), None);
        assert_eq!(group("scala.Tuple2", 2), Some(Group::Tuple));
        assert_eq!(group("java.io.InputStream", 0), None);
        assert_eq!(group("scala.collection.immutable.RedBlackTree$NList", 1), None);
        let made = ["scala.collection.Seq", "java.util.Iterator", "scala.collection.mutable.HashMap"];
        assert!(made.into_iter().all(can_be_made));
        assert!(
            !["Iterator", "BufferedIterator", "concurrent.Map"]
                .iter()
                .any(|it| can_be_made(&format!("scala.collection.{it}")))
        );
    }

    #[test]
    fn what_is_never_written_has_no_form() {
        assert!(["java.awt.Point", "java.awt.geom.Point2D$Float", "java.io.Reader"].into_iter().all(is_never_written));
        let written = ["java.io.File", "java.net.URI", "java.io.Serializable", "java.awt.RenderingHints"];
        let unknown = ["java.util.Properties", "java.lang.Runnable", "com.acme.Point"];
        assert!(!written.into_iter().chain(unknown).any(is_never_written));
    }

    #[test]
    fn java_and_scala_have_the_same_numbers() {
        assert_eq!(scalar("int"), scalar("scala.Int"));
        assert_eq!(scalar("java.lang.Integer"), scalar("int"));
        assert_eq!(scalar("java.io.InputStream"), None);
        assert_eq!(scalar("java.time.Duration"), Some(json!({ "type": "string" })));
    }
}
