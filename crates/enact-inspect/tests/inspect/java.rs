//! What javac makes.

use enact_inspect::Filter;
use enact_inspect::descriptor::warnings;
use serde_json::json;

use crate::made::{class, compiled, descriptor, facts, has, look, told, why, zip};

const SOURCE: &str = r#"
package com.acme;
import java.util.*;
import java.util.concurrent.CompletableFuture;
public class Quote {
    public enum Size { SMALL, LARGE }
    public record Item(String name, int cents, List<String> tags) {}
    public static class Basket {
        private List<Item> items; private Basket inner; public long id;
        public List<Item> getItems() { return items; }
        public void setItems(List<Item> items) { this.items = items; }
        public Basket getInner() { return inner; }
        public void setInner(Basket inner) { this.inner = inner; }
    }
    public static abstract class Shape { public abstract int area(); }
    public static class Named { private final String name; public Named(String name) { this.name = name; } public String getName() { return name; } }
    public static long total(List<Item> basket) { return 0; }
    public static Map<String, Integer> count(Map<String, ? extends List<Integer>> of, boolean deep) { return null; }
    public static int sum(int... numbers) { return 0; }
    public static int sum(String text) { return 0; }
    public static <T extends Comparable<T>> T most(List<T> of) { return null; }
    public static Basket fill(Basket basket, byte[] raw) { return basket; }
    public static CompletableFuture<Optional<String>> later(UUID id) { return null; }
    public static Named name(Named named) { return named; }
    public static int area(Shape shape) { return 0; }
    @Deprecated public static int old(int a) { return a; }
    public static java.io.InputStream open(String path) { return null; }
    public static int read(java.io.InputStream in) { return 0; }
    public static native int outside(int a);
    public static int visit(Map<String, Object> context, String key) { return 0; }
    public static class One { public static final One INSTANCE = new One(); private One() {} public int alone(int a) { return a; } }
    public Optional<Size> find(Size size, java.time.LocalDate day) { return Optional.empty(); }
    public String toString() { return ""; }
    static int hidden() { return 0; }
    private String field; public String getField() { return field; } public void setField(String it) { field = it; }
    public static class Needs { public Needs(int a) {} public int go() { return 0; } public int went() { return 0; } }
    public static class Base<T> { public int base(List<T> of) { return 0; } public T over(T it) { return it; } }
    public record Perhaps(Integer box, int number, OptionalInt maybe, String text, String[] texts) {}
    public static Perhaps perhaps(Perhaps perhaps, Integer box, int number) { return perhaps; }
    public static List<String> texts() { return null; }
    public static Map<String, int[][]> grids() { return null; }
    public static java.time.OffsetDateTime when(java.time.OffsetDateTime when, java.time.Instant at) { return when; }
    public static java.time.LocalDate day() { return null; }
    public static <T extends Comparable<? super T>> boolean isSorted(T[] of) { return true; }
    public static boolean isSorted(int[] of) { return true; }
    public static int waits(java.util.concurrent.Future<String> of) { return 0; }
    public static int classes(Map<Class<?>, String> of) { return 0; }
    public static <E extends Enum<E>> int enums(Map<E, String> of) { return 0; }
    public static int sizes(Map<Size, String> of) { return 0; }
    public static java.util.function.Function<String, String> curried() { return null; }
    public static class Top { public static int drop(ClassLoader of) { return 0; } public int pick(String text) { return 0; } }
    public static class Below extends Top { public int drop() { return 0; } public int pick(int[] of) { return 0; } }
    public static class Stream extends java.io.InputStream { public int read() { return 0; } public int turn(int by) { return 0; } }
    public static class Derived extends Base<String> { public String over(String it) { return it; } }
}
"#;

const TOOL: &str = r#"
package com.acme;
public class Tool {
    static void give() { Runtime.getRuntime().halt(1); }
    static { System.loadLibrary("x"); }
    public static void main(String[] args) {
        switch (args.length) { case 1: System.exit(3); case 2: give(); default: String s = "x" + args.length; }
    }
    public static int one(int a, long b, String c) { return a; }
}
"#;

#[test]
fn methods_are_found_with_their_generic_types_and_schemas() {
    if !has("javac", "enact-inspect::java::methods_are_found_with_their_generic_types_and_schemas") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let jar = compiled(folder.path(), "javac", &["-g", "--release", "17"], SOURCE, "Manifest-Version: 1.0\n");
    let facts = facts(&jar);
    let expected = [
        "Quote.total(basket: List[com.acme.Quote$Item]): long",
        "Quote.count(of: Map[String, List[Integer]], deep: boolean): Map[String, Integer]",
        "Quote.sum(numbers: int[]): int",
        "Quote.sum(text: String): int",
        "Quote.fill(basket: com.acme.Quote$Basket, raw: byte[]): com.acme.Quote$Basket",
        "Quote.later(id: java.util.UUID): java.util.concurrent.CompletableFuture[Optional[String]]",
        "Quote.outside(arg0: int): int",
        "Quote.find(size: com.acme.Quote$Size, day: java.time.LocalDate): Optional[com.acme.Quote$Size]",
        "Quote$One.alone(a: int): int",
        "Quote$Derived.base(of: List[String]): int",
        "Quote$Derived.over(it: String): String",
    ];
    let told = told(&facts);
    for line in expected {
        let line = line.replace("java.util.UUID", "UUID");
        assert!(told.contains(&line), "{line} is not in\n{}", told.join("\n"));
    }
    for hidden in ["old", "hidden", "toString", "getField", "setField", "values", "valueOf", "setItems", "name("] {
        assert!(!told.iter().any(|line| line.contains(&format!(".{hidden}"))), "{hidden} is in\n{}", told.join("\n"));
    }
    assert!(why(&facts, "read(").contains("java.io.InputStream has no form in JSON"));
    assert!(why(&facts, "open(").starts_with("its answer: "));
    assert!(why(&facts, "area(").contains("com.acme.Quote$Shape is abstract"));
    assert!(why(&facts, "name(").contains("none whose parameters have names"));
    assert!(why(&facts, "2 methods").contains("no public constructor without parameters"));
    let input = |method: &str| facts.operations.iter().find(|it| it.method == method).unwrap().input.clone();
    // What a record refers to may be null, in Java as in its schema.
    let item = json!({ "type": "object", "required": ["name", "cents", "tags"], "properties": {
        "name": { "type": ["string", "null"] },
        "cents": { "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX },
        "tags": { "type": ["array", "null"], "items": { "type": "string" } } } });
    assert_eq!(
        input("total"),
        json!({ "type": "object", "required": ["basket"], "properties": { "basket": { "type": "array", "items": item } } })
    );
    let basket = &input("fill")["properties"]["basket"]["properties"];
    assert_eq!(basket["inner"], json!({ "type": ["object", "null"] }), "a class inside of itself ends there");
    assert_eq!(basket["id"]["type"], "integer");
    assert_eq!(input("find")["properties"]["size"], json!({ "type": "string", "enum": ["SMALL", "LARGE"] }));
    assert_eq!(input("find")["properties"]["day"]["format"], "date");
    assert_eq!(input("visit")["required"], json!(["key"]), "the context is given by the hub");
    assert!(input("fill")["properties"]["raw"] == json!({ "type": "string" }), "bytes are base64");
    assert_eq!((facts.java.reached, facts.java.whole), (17, 17));
    assert_eq!(facts.native_methods[0].method, "outside");
}

#[test]
fn schemas_take_what_java_takes_and_what_it_answers() {
    if !has("javac", "enact-inspect::java::schemas_take_what_java_takes_and_what_it_answers") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let jar = compiled(folder.path(), "javac", &["-g", "--release", "17"], SOURCE, "Manifest-Version: 1.0\n");
    let facts = facts(&jar);
    let of = |method: &str| facts.operations.iter().find(|it| it.method == method).unwrap();
    let text = json!({ "type": ["string", "null"] });
    assert_eq!(of("texts").output, Some(json!({ "type": ["array", "null"], "items": text })));
    let numbers = json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX });
    let grid = json!({ "type": ["array", "null"], "items": { "type": ["array", "null"], "items": numbers } });
    assert_eq!(of("grids").output, Some(json!({ "type": ["object", "null"], "additionalProperties": grid })));
    let perhaps = of("perhaps");
    assert_eq!(perhaps.input["required"], json!(["perhaps", "box", "number"]));
    assert_eq!(perhaps.input["properties"]["box"]["type"], json!(["integer", "null"]));
    assert_eq!(perhaps.input["properties"]["number"]["type"], "integer");
    let record = &perhaps.input["properties"]["perhaps"];
    assert_eq!(record["required"], json!(["box", "number", "text", "texts"]), "an OptionalInt may be left out");
    assert_eq!((&record["properties"]["text"], &record["properties"]["number"]), (&text, &numbers));
    assert_eq!(perhaps.output.as_ref().unwrap()["properties"]["texts"]["items"], text);
    // A far year or an offset with seconds is no `date-time`, nor is a time without seconds, which Java reads.
    assert_eq!(of("when").output, Some(text.clone()));
    assert_eq!(of("when").input["properties"]["when"], json!({ "type": "string" }));
    assert_eq!(of("when").input["properties"]["at"], json!({ "type": "string" }));
    assert_eq!(of("day").output, Some(text));
}

#[test]
fn what_the_jvm_would_refuse_is_left_out_and_what_it_would_mix_up_is_told_apart() {
    if !has("javac", "enact-inspect::java::what_the_jvm_would_refuse_is_left_out") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let jar = compiled(folder.path(), "javac", &["-g", "--release", "17"], SOURCE, "Manifest-Version: 1.0\n");
    let facts = facts(&jar);
    assert!(why(&facts, "isSorted(").contains("Comparable has no form in JSON"), "{}", why(&facts, "isSorted("));
    assert!(why(&facts, "waits(").contains("something to wait for"));
    assert!(why(&facts, "classes(").contains("cannot be Class"), "{}", why(&facts, "classes("));
    assert!(why(&facts, "enums(").contains("cannot be java.lang.Enum"));
    assert!(why(&facts, "curried(").contains("java.util.function.Function is a function"));
    assert!(why(&facts, "drop").contains("a static method of this name is called in its place"));
    let of = |class: &str, method: &str| {
        let all = facts.operations.iter().filter(|it| it.class.ends_with(class) && it.method == method);
        all.map(|it| (it.overloads, it.typed)).collect::<Vec<_>>()
    };
    assert_eq!(of("Quote", "sizes"), [(1, false)]);
    assert_eq!(of("$Below", "pick"), [(2, false), (2, false)], "the inherited one counts");
    assert_eq!(of("$Below", "drop"), []);
    assert_eq!(of("$Stream", "turn"), [(1, true)], "what InputStream has is not in the jar");
    let text = descriptor(&facts);
    assert!(text.contains("method: read, params: [] }"), "{text}");
}

const SHOWN: &str = r#"
package com.acme;
import java.io.*;
import java.util.*;
public class Shown {
    public static class Framed { public int size; public java.awt.Point[] getEnds() { return new java.awt.Point[] { new java.awt.Point(1, size) }; } }
    public static Framed framed() { return new Framed(); }
    public static List<Framed> all() { return null; }
    public static Map<String, Optional<Framed>> named() { return null; }
    public static class Holder { public Framed getFramed() { return new Framed(); } }
    public static Holder held() { return new Holder(); }
    public static class Kept { private final int kept; public Kept(int kept, String of) { this.kept = kept; } public Reader getReader() { return new StringReader("x"); } }
    public static Kept kept() { return new Kept(1, ""); }
    public static class Endless { public Endless getNext() { return new Endless(); } }
    public static Endless endless() { return new Endless(); }
    public static class There { public Back getBack() { return new Back(); } }
    public static class Back { public There getThere() { return new There(); } }
    public static There around() { return new There(); }
    public static class Own { public Own getSelf() { return this; } }
    public static Own own() { return new Own(); }

    public static class Perhaps { private Reader reader; public Reader getReader() { return reader; } }
    public static Perhaps perhaps() { return new Perhaps(); }
    public static class Nothing { public Reader getReader() { return null; } }
    public static Nothing nothing() { return new Nothing(); }
    public static class Empty { public java.awt.Point[] getEnds() { return new java.awt.Point[0]; } }
    public static Empty empty() { return new Empty(); }
    public static class Listed { public List<java.awt.Point> getEnds() { List<java.awt.Point> ends = new ArrayList<>(); return ends; } }
    public static Listed listed() { return new Listed(); }
    public static class Chain { private Chain next; public Chain getNext() { return next; } }
    public static Chain chain() { return new Chain(); }
    public static class Mostly { public Reader getReader() { return new StringReader("x"); } }
    public static class Without extends Mostly { public Reader getReader() { return null; } }
    public static Mostly mostly() { return new Without(); }
    public static class Task implements Runnable { public int getNumber() { return 1; } public void run() {} }
    public static class Tasked { public Runnable getTask() { return new Task(); } }
    public static Tasked tasked() { return new Tasked(); }
    public static class Set { public Properties getProperties() { return new Properties(); } }
    public static Set set() { return new Set(); }
    public static class Mine extends java.awt.Point { public int getNumber() { return 1; } }
    public static class Pointed { public java.awt.Point getCorner() { return new Mine(); } }
    public static Pointed pointed() { return new Pointed(); }
    public static int count(Endless of, Framed framed) { return 0; }
}
"#;

#[test]
fn what_the_jvm_could_never_write_is_left_out_and_what_it_may_write_is_not() {
    if !has("javac", "enact-inspect::java::what_the_jvm_could_never_write_is_left_out_and_what_it_may_write_is_not") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let jar = compiled(folder.path(), "javac", &["-g", "--release", "17"], SHOWN, "Manifest-Version: 1.0\n");
    let facts = facts(&jar);
    let point = "its answer: java.awt.Point has no form in JSON (in `ends`)";
    let endless = |class: &str, at: &str| {
        format!("its answer: every com.acme.Shown${class} has another one in it, without end{at}")
    };
    for (method, wanted) in [
        ("framed(", point.to_owned()),
        ("all(", point.to_owned()),
        ("named(", point.to_owned()),
        ("held(", format!("{point} (in `framed`)")),
        // It cannot be made of JSON, and is an answer all the same.
        ("kept(", "its answer: java.io.Reader has no form in JSON (in `reader`)".to_owned()),
        ("endless(", endless("Endless", " (in `next`)")),
        ("around(", endless("There", " (in `there`) (in `back`)")),
        ("own(", endless("Own", " (in `self`)")),
    ] {
        assert_eq!(why(&facts, method), wanted);
    }
    let told = told(&facts);
    for method in ["perhaps", "nothing", "empty", "listed", "chain", "mostly", "tasked", "set", "pointed", "count"] {
        assert!(
            told.iter().any(|line| line.starts_with(&format!("Shown.{method}("))),
            "{method} is not in\n{}",
            told.join("\n")
        );
    }
}

#[test]
fn the_descriptor_names_overloads_apart_and_says_what_to_decide() {
    if !has("javac", "enact-inspect::java::the_descriptor_names_overloads_apart_and_says_what_to_decide") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let jar = compiled(folder.path(), "javac", &["--release", "17"], SOURCE, "Manifest-Version: 1.0\n");
    let text = descriptor(&facts(&jar));
    for part in [
        "component: made\nversion: 1.2.0\njar:\n  path: made-1.2.jar\n  java: \">=17\"\nservices:\n",
        "    sum-int-array:\n",
        "    sum-string:\n",
        "# its last parameter takes any number: give an array",
        "type: \"List[com.acme.Quote$Item]\"",
        "# decide: the jar does not tell the names of its parameters",
        "call: { class: \"com.acme.Quote$Derived\", method: over, params: [{ name: arg0, type: String }] }",
        "# Left out, because JSON cannot call it (",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn a_program_is_an_entry_point_and_what_ends_the_jvm_is_told() {
    if !has("javac", "enact-inspect::java::a_program_is_an_entry_point_and_what_ends_the_jvm_is_told") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let manifest = "Manifest-Version: 1.0\nMain-Class: com.acme.Tool\n";
    let jar = compiled(folder.path(), "javac", &["-parameters", "--release", "8", "-Xlint:-options"], TOOL, manifest);
    let facts = facts(&jar);
    assert!(facts.entry_points[0].of_manifest && facts.entry_points[0].class == "com.acme.Tool");
    let uses = |list: &[enact_inspect::facts::Use]| -> Vec<String> {
        list.iter().map(|it| format!("{} {}", it.method, it.what)).collect()
    };
    assert_eq!(uses(&facts.exits), ["give Runtime.halt", "main System.exit"]);
    assert_eq!(uses(&facts.native_loading), ["<clinit> System.loadLibrary"]);
    assert!(warnings(&facts).iter().any(|line| line.contains("com.acme.Tool.give, com.acme.Tool.main")));
    assert_eq!(told(&facts), ["Tool.one(a: int, b: long, c: String): int"]);
    assert_eq!((facts.java.reached, facts.java.whole), (8, 8));
    let text = descriptor(&facts);
    assert!(text.contains("call: { run: com.acme.Tool }"), "{text}");
    let filter =
        |methods: &[&str]| Filter { methods: methods.iter().map(|it| (*it).to_owned()).collect(), ..Filter::default() };
    let text = descriptor(&look(&[&jar], &filter(&["o*"])).unwrap());
    assert!(text.contains("method: one") && !text.contains("run:"), "{text}");
    assert_eq!(descriptor(&look(&[&jar], &filter(&["none"])).unwrap()), "");
}

#[test]
fn interfaces_that_a_jar_has_services_for_are_told_with_their_classes() {
    let folder = tempfile::tempdir().unwrap();
    let jar = folder.path().join("services.jar");
    let (first, second) = (class("com/acme/First", 52, 0), class("com/acme/Second", 52, 0));
    zip(
        &jar,
        &[
            ("com/acme/First.class", &first),
            ("com/acme/Second.class", &second),
            ("META-INF/services/java.sql.Driver", b"# ours\n\ncom.acme.First # the first\n  com.acme.Second\n"),
            ("META-INF/services/com.acme.Empty", b"# nobody\n"),
            ("META-INF/services/nested/not.one", b"com.acme.First\n"),
        ],
    );
    let found = facts(&jar).service_interfaces;
    let found: Vec<(&str, Vec<&str>)> =
        found.iter().map(|(name, of)| (name.as_str(), of.iter().map(String::as_str).collect())).collect();
    assert_eq!(found, [("com.acme.Empty", vec![]), ("java.sql.Driver", vec!["com.acme.First", "com.acme.Second"]),]);
}
