//! Components in Scala 2.11: their types both ways, erased types from the signature or a hint, and the example's assembly.

use serde_json::{Value, json};

use super::machine::{Machine, scala_classes};
use super::{config, entry};

fn both(test: &str) -> Option<Value> {
    let [assembly, classes] = scala_classes(test)?;
    Some(json!([assembly, classes]))
}

fn machine(test: &str, class: &str, methods: &[&str]) -> Option<Machine> {
    let path = both(test)?;
    let mut operations = json!({});
    for method in methods {
        operations[format!("s.{method}")] = entry(class, method, &[]);
    }
    let config = json!({"classpath": path, "operations": operations});
    Some(Machine::start(&config, &[]).unwrap())
}

/// Method, argument, what Scala was given, and the output if it is not the argument again.
fn good() -> Vec<(&'static str, Value, &'static str, Option<Value>)> {
    vec![
        ("ints", json!([1, 2]), "List(Integer)", None),
        ("longs", json!([1]), "Vector(Long)", None),
        ("seq", json!([1.5]), "List(Double)", None),
        ("set", json!(["a"]), "Set(String)", None),
        ("map", json!({"a": [1]}), "Map(String -> List(Integer))", None),
        ("byNumber", json!({"7": true}), "Map(Integer -> Boolean)", None),
        ("array", json!([1, 2]), "long[]", None),
        ("some", json!(3), "Some(Long)", None),
        ("some", json!(null), "None", None),
        ("pair", json!([1, "a"]), "Tuple2(Integer, String)", None),
        ("either", json!({"left": "no"}), "Left(String)", None),
        ("either", json!({"right": 3}), "Right(Integer)", None),
        ("big", json!([serde_json::from_str::<Value>("1.10").unwrap()]), "List(BigDecimal)", None),
        ("bigInt", serde_json::from_str("123456789012345678901234567890").unwrap(), "BigInt", None),
        ("any", json!([1, "a", null]), "List(Integer)", None),
        ("alias", json!([[1, 2]]), "List(Tuple2(Integer, Integer))", None),
        ("varargs", json!([1, 2]), "List(Integer)", None),
        ("buffer", json!([1]), "Buffer(Integer)", None),
        ("line", json!({"id": 1, "tags": ["a"], "note": "n", "price": 1.5, "kind": "x"}), "Line", None),
        (
            "line",
            json!({"id": 1, "tags": []}),
            "Line",
            Some(json!({"id": 1, "tags": [], "note": null, "price": 2.5, "kind": "plain"})),
        ),
        (
            "page",
            json!({"items": [{"id": 1, "tags": [], "note": null, "price": 1, "kind": "k"}], "total": 1}),
            "Page",
            None,
        ),
        ("inner", json!({"is-new": true, "cents": [1]}), "Inner", None),
        ("wrapped", json!({"value": 7}), "Wrapped", None),
    ]
}

#[test]
fn every_type_of_scala_goes_both_ways() {
    let methods: Vec<&str> =
        good().iter().map(|(method, ..)| *method).chain(["unit", "colour", "symbol", "lazily", "failing"]).collect();
    let Some(mut machine) = machine("Scala types, both ways", "sample.ScalaTypes", &methods) else { return };
    for (method, argument, seen, output) in good() {
        let answer = machine.output(&format!("s.{method}"), &argument);
        assert_eq!(answer[0], seen, "{method} {argument}");
        let expected = output.unwrap_or_else(|| argument.clone());
        assert_eq!(answer[1].to_string(), expected.to_string(), "{method} {argument}");
    }
    assert_eq!(machine.output("s.unit", &json!({})), json!(null));
    assert_eq!(machine.output("s.colour", &json!({})), json!(["Red", "Weekday", "Sat"]));
    assert_eq!(machine.output("s.symbol", &json!({})), "sym");
    assert_eq!(machine.output("s.lazily", &json!(3)), json!([3, 6]));
    let failure = machine.failure("s.failing", &json!({}), "failed");
    assert_eq!(failure["message"], "java.lang.IllegalStateException: later");
}

#[test]
fn what_does_not_suit_scala_is_named_too() {
    let methods = ["ints", "map", "pair", "either", "line", "big"];
    let Some(mut machine) = machine("Scala types, refused", "sample.ScalaTypes", &methods) else { return };
    let line = |id: i64| json!({"id": id, "tags": [null]});
    for (method, argument, pointer, sentence) in [
        ("ints", json!([1, 2_147_483_648_i64]), "/1", "does not fit int"),
        ("ints", json!(["a"]), "/0", "\"a\" is not an int"),
        ("map", json!({"a": [true]}), "/a/0", "true is not an int"),
        ("pair", json!([1]), "", "is not an array of 2"),
        ("either", json!({"middle": 1}), "", "is not {\"left\": …}"),
        ("line", json!({"tags": []}), "/id", "is missing"),
        ("line", json!({"id": 1, "tags": null}), "/tags", "null is not allowed"),
        ("line", line(99_999_999_999), "/id", "does not fit int"),
        ("big", json!(["1"]), "/0", "is not a BigDecimal"),
    ] {
        let failure = machine.failure(&format!("s.{method}"), &argument, "bad_argument");
        assert_eq!(failure["detail"]["pointer"], pointer, "{method} {argument}: {failure}");
        assert!(failure["message"].as_str().unwrap().contains(sentence), "{method} {argument}: {failure}");
    }
}

/// A trait's methods come to a Java class without their signature: what `List[Int]` holds is known to nobody.
#[test]
fn an_erased_type_is_a_fault_of_the_start_and_a_hint_heals_it() {
    let Some(path) = both("erased types of Scala") else { return };
    let folder = erased(&path);
    let path = json!([path[0], path[1], folder.path()]);
    let operations = |hint: &str| json!({"s.sum": entry("sample.Erased", "sum", &[("values", hint)])});
    let start = |hint: &str| Machine::start(&json!({"classpath": path, "operations": operations(hint)}), &[]);
    let why = start("").err().expect("a refusal");
    for part in ["s.sum: values: ", "were erased by the compiler", "type: \"List[Int]\""] {
        assert!(why.contains(part), "{part:?} is not in:\n{why}");
    }
    for hint in ["List[Int]", "List<Integer>", "scala.collection.immutable.List[Int]"] {
        let mut machine = start(hint).unwrap();
        assert_eq!(machine.output("s.sum", &json!({"values": [1, 2]})), 3, "{hint}");
    }
    let why = start("List[String").err().expect("a refusal");
    assert!(why.contains("cannot be read at character"), "{why}");
}

/// A class in Java that takes a list of Scala's, as `javac` sees it in the bytecode of Scala: a list of objects.
fn erased(path: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("Erased.java");
    let text = "package sample; public class Erased { public static int sum(scala.collection.immutable.List<Object> values) {
        int sum = 0; for (scala.collection.Iterator<Object> i = values.iterator(); i.hasNext();) sum += (Integer) i.next(); return sum; } }";
    std::fs::write(&source, text).unwrap();
    let mut javac = std::process::Command::new("javac");
    let output = javac
        .arg("-nowarn")
        .arg("-cp")
        .arg(path[0].as_str().unwrap())
        .arg("-d")
        .arg(folder.path())
        .arg(&source)
        .output();
    assert!(output.unwrap().status.success());
    folder
}

#[test]
fn the_assembly_of_the_example_answers_and_its_troubles_are_outcomes() {
    if crate::jars::without_exits_held("the_assembly_of_the_example_answers_and_its_troubles_are_outcomes") {
        return;
    }
    let Some([assembly, _]) = scala_classes("the Scala example") else { return };
    let operations = json!({
        "quote.total": entry("com.acme.Quote", "total", &[("basket", "Basket")]),
        "quote.later": entry("com.acme.Quote", "later", &[]),
        "quote.count": entry("com.acme.Quote", "count", &[]),
        "quote.cheapest": entry("com.acme.Quote", "cheapest", &[("items", "List[Item]")]),
        "quote.average": entry("com.acme.Quote", "average", &[]),
        "trouble.exit": entry("com.acme.Trouble", "exit", &[]),
        "trouble.overflow": entry("com.acme.Trouble", "overflow", &[]),
        "trouble.exhaust": entry("com.acme.Trouble", "exhaust", &[]),
        "trouble.endless": entry("com.acme.Trouble", "endless", &[]),
    });
    let mut machine = Machine::start(&config(&assembly, &operations), &[]).unwrap();
    let items = json!([{"sku": "a", "price": 2.5, "count": 2}, {"sku": "b", "price": 0.99}]);
    let basket = json!({"items": items, "coupon": "TEN"});
    let total = machine.output("quote.total", &json!({"basket": basket}));
    assert_eq!(total.to_string(), r#"{"amount":5.39,"currency":"EUR"}"#);
    assert_eq!(machine.output("quote.later", &basket), total);
    assert_eq!(machine.output("quote.count", &basket), json!({"a": 2, "b": 1}));
    let cheapest = machine.output("quote.cheapest", &json!({"items": items}));
    assert_eq!(cheapest, json!({"sku": "b", "price": 0.99, "count": 1}));
    assert_eq!(machine.output("quote.average", &json!([])), json!({"left": "nothing to average"}));
    let failure = machine.failure("quote.total", &json!({"basket": {"items": [], "coupon": "X"}}), "failed");
    assert_eq!(failure["message"], "java.lang.IllegalArgumentException: no coupon X");
    assert_eq!(machine.failure("trouble.exit", &json!(3), "failed")["detail"]["exit"], 3);
    let failure = machine.failure("trouble.overflow", &json!(1), "failed");
    assert_eq!(failure["exception"], "java.lang.StackOverflowError");
    assert!(machine.failure("trouble.endless", &json!({}), "failed")["message"].as_str().unwrap().contains("16777216"));
    assert_eq!(machine.failure("trouble.exhaust", &json!({}), "failed")["exception"], "java.lang.OutOfMemoryError");
    assert_eq!(machine.receive()["type"], "exiting");
}
