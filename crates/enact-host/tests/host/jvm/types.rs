//! Each conversion in both directions, and each value that does not suit its type.

use serde_json::{Value, json};

use super::machine::{Machine, java_classes};
use super::{config, entry, refused};

fn machine(test: &str, methods: &[&str]) -> Option<Machine> {
    let classes = java_classes(test)?;
    let mut operations = json!({});
    for method in methods {
        operations[format!("types.{method}")] = entry("sample.Types", method, &[]);
    }
    operations["types.hinted"] = entry("sample.Types", "hinted", &[("value", "List[Short]")]);
    operations["types.shape"] = entry("sample.Types", "shape", &[("value", "Point")]);
    operations["types.two"] = entry("sample.Types", "two", &[("first", ""), ("second", "")]);
    Some(Machine::start(&config(&classes, &operations), &[]).unwrap())
}

/// Method, argument, what Java was given, and the output if it is not the argument again.
fn good() -> Vec<(&'static str, Value, &'static str, Option<Value>)> {
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    vec![
        ("aBoolean", json!(true), "Boolean", None),
        ("aByte", json!(-128), "Byte", None),
        ("aShort", json!(32767), "Short", None),
        ("anInt", json!(-2_147_483_648_i64), "Integer", None),
        ("anInt", number("1e3"), "Integer", Some(json!(1000))),
        ("anInt", number("7.0"), "Integer", Some(json!(7))),
        ("aLong", json!(i64::MIN), "Long", None),
        ("aFloat", json!(1.5), "Float", None),
        ("aDouble", json!(0.1), "Double", None),
        ("aDouble", number("-0.0"), "Double", None),
        ("aFloat", number("-0e3"), "Float", Some(number("-0.0"))),
        ("anInt", number("-0.0"), "Integer", Some(json!(0))),
        ("anything", number("-0.0"), "Double", None),
        ("aChar", json!("é"), "Character", None),
        ("boxedInt", json!(null), "null", None),
        ("bigInteger", number("123456789012345678901234567890"), "BigInteger", None),
        ("bigDecimal", number("12345678901234567890.1234567890"), "BigDecimal", None),
        ("bigDecimal", number("1.10"), "BigDecimal", None),
        ("text", json!("a\u{1f600}\n\"\\ \u{7f}"), "String", None),
        ("text", json!(null), "null", None),
        ("number", json!(3), "Integer", None),
        ("anything", json!({"a": [1, null, {"b": true}]}), "LinkedHashMap<String, ArrayList<Integer>>", None),
        ("color", json!("GREEN"), "Color", None),
        ("optional", json!(3), "Optional", None),
        ("optional", json!(null), "Optional", None),
        ("optionalInt", json!(3), "OptionalInt", None),
        ("optionalLong", json!(null), "OptionalLong", None),
        ("ints", json!([1, 2]), "int[]", None),
        ("grid", json!([[1.5], [], [2.5, 3.5]]), "double[][]", None),
        ("lists", json!([[[1, 2]], []]), "List[]", None),
        ("bytes", json!("aGVsbG8="), "byte[]", None),
        ("list", json!([1, null]), "ArrayList<Integer>", None),
        ("raw", json!(["a", 1]), "ArrayList<String>", None),
        ("nested", json!([{"a": [1]}]), "ArrayList<LinkedHashMap<String, ArrayList<Short>>>", None),
        ("set", json!([3, 1]), "LinkedHashSet<Long>", None),
        ("sorted", json!(["b", "a"]), "TreeSet<String>", Some(json!(["a", "b"]))),
        ("deque", json!(["x", "y"]), "ArrayDeque<Character>", None),
        ("collection", json!([1.5]), "ArrayList<Double>", None),
        ("iterator", json!([1]), "Byte", Some(json!(1))),
        ("map", json!({"b": 1, "a": 2}), "LinkedHashMap<String, Integer>", None),
        ("byColor", json!({"RED": 1}), "LinkedHashMap<Color, Integer>", None),
        ("byNumber", json!({"10": "a"}), "TreeMap<Integer, String>", None),
        ("byDate", json!({"2026-01-31": "a"}), "LinkedHashMap<LocalDate, String>", None),
        ("instant", json!("2026-01-31T12:00:05.250Z"), "Instant", None),
        ("instant", json!("2026-01-31T12:00:05+01:00"), "Instant", Some(json!("2026-01-31T11:00:05Z"))),
        ("date", json!("2026-01-31"), "LocalDate", None),
        ("time", json!("12:00:05"), "LocalTime", None),
        ("dateTime", json!("2026-01-31T12:00:05"), "LocalDateTime", None),
        ("offset", json!("2026-01-31T12:00:05+01:00"), "OffsetDateTime", None),
        ("time", json!("12:30"), "LocalTime", Some(json!("12:30:00"))),
        ("dateTime", json!("2026-01-31T12:30:00"), "LocalDateTime", None),
        ("offsetTime", json!("12:30-05:00"), "OffsetTime", Some(json!("12:30:00-05:00"))),
        ("offset", json!("2026-01-31T12:30Z"), "OffsetDateTime", Some(json!("2026-01-31T12:30:00Z"))),
        ("offset", json!("2026-01-31T12:30:00.250+05:30"), "OffsetDateTime", None),
        ("offset", json!("+12026-01-31T12:30:00Z"), "OffsetDateTime", None),
        ("zoned", json!("2026-01-31T12:30:00+01:00[Europe/Berlin]"), "ZonedDateTime", None),
        ("instant", json!("+1000000000-12-31T23:59:59.999999999Z"), "Instant", None),
        ("locale", json!("de-DE"), "Locale", None),
        ("locale", json!("de_DE"), "Locale", Some(json!("de-DE"))),
        ("locale", json!("zh_TW_#Hant"), "Locale", Some(json!("zh-Hant-TW"))),
        ("locale", json!("de__POSIX"), "Locale", Some(json!("de-POSIX"))),
        ("zoned", json!("2026-01-31T12:00:05+01:00[Europe/Berlin]"), "ZonedDateTime", None),
        ("duration", json!("PT1M5S"), "Duration", None),
        ("period", json!("P1Y2M"), "Period", None),
        ("month", json!("2026-01"), "YearMonth", None),
        ("zone", json!("Europe/Berlin"), "String", None),
        ("oldDate", json!("2026-01-31T12:00:05Z"), "Date", None),
        ("uuid", json!("123e4567-e89b-12d3-a456-426614174000"), "UUID", None),
        ("uri", json!("https://example.org/a?b=c"), "URI", None),
        (
            "bean",
            json!({"active": true, "inner": {"name": "i"}, "name": "n", "points": [{"x": 1, "y": 2}], "unknown": 1}),
            "Bean",
            Some(json!({"active": true, "inner": {"active": false, "inner": null, "name": "i", "points": null},
                "name": "n", "points": [{"x": 1, "y": 2}]})),
        ),
        ("open", json!({"number": 3}), "Open", Some(json!({"maybe": null, "number": 3}))),
        ("point", json!({"x": 1, "y": 2}), "Point", None),
        ("named", json!({"title": "t"}), "Named", None),
        ("page", json!({"items": [{"x": 1, "y": 2}], "next": "n"}), "Page", None),
        ("page", json!({"items": []}), "Page", Some(json!({"items": [], "next": null}))),
        ("tree", json!({"leaves": [{"leaves": [], "name": "b"}], "name": "a"}), "Tree", None),
        ("entry", json!({"key": "k", "values": [1], "color": "RED"}), "Entry", None),
        ("entry", json!({"key": "k"}), "Entry", Some(json!({"key": "k", "values": null, "color": null}))),
        ("varargs", json!(["a", "b"]), "String[]", None),
        ("generic", json!("a"), "String", None),
    ]
}

#[test]
fn every_type_goes_both_ways() {
    let methods: Vec<&str> = good().iter().map(|(method, ..)| *method).chain(["stream", "nothing", "empty"]).collect();
    let Some(mut machine) = machine("Java types, both ways", &methods) else { return };
    for (method, argument, seen, output) in good() {
        let answer = machine.output(&format!("types.{method}"), &argument);
        assert_eq!(answer[0], seen, "{method} {argument}");
        let expected = output.unwrap_or_else(|| argument.clone());
        assert_eq!(answer[1].to_string(), expected.to_string(), "{method} {argument}");
    }
    assert_eq!(machine.output("types.stream", &json!([1, 2])), json!([2, 3]));
    assert_eq!(machine.output("types.nothing", &json!({})), json!(null));
    assert_eq!(machine.output("types.empty", &json!(null)), json!(null));
    assert_eq!(machine.output("types.two", &json!({"second": "abc", "first": 4})), json!(7));
    let hinted = machine.output("types.hinted", &json!({"value": [7]}));
    assert_eq!(hinted, json!(["ArrayList<Short>", [7]]));
    let shape = machine.output("types.shape", &json!({"value": {"x": 1, "y": 2}}));
    assert_eq!(shape[0], "Point");
    assert!(machine.close().success());
}

/// Method, argument, the pointer to what does not suit, and a part of the sentence that says so.
fn bad() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    vec![
        ("aByte", json!(128), "", "128 does not fit byte"),
        ("aShort", json!(-32769), "", "does not fit short"),
        ("anInt", json!(2_147_483_648_i64), "", "does not fit int"),
        ("anInt", number("1.5"), "", "1.5 does not fit int"),
        ("anInt", number("1e400000000"), "", "does not fit int"),
        ("anInt", json!("1"), "", "\"1\" is not an int"),
        ("anInt", json!(null), "", "null is not an int"),
        ("aLong", number("9223372036854775808"), "", "does not fit long"),
        ("aFloat", number("1e39"), "", "does not fit float"),
        ("aDouble", number("1e309"), "", "does not fit double"),
        ("bigInteger", number("1e999999999"), "", "does not fit BigInteger"),
        ("aBoolean", json!("true"), "", "is not a boolean"),
        ("aChar", json!("ab"), "", "is not a char"),
        ("text", json!(1), "", "1 is not a String"),
        ("color", json!("BLUE"), "", "is none of [RED, GREEN]"),
        ("optionalInt", json!(2_147_483_648_i64), "", "does not fit int"),
        ("list", json!({"a": 1}), "", "is not an array"),
        ("list", json!([1, 2_147_483_648_i64]), "/1", "does not fit"),
        ("nested", json!([{"a/b~": [1, 70000]}]), "/0/a~1b~0/1", "70000 does not fit"),
        ("map", json!([]), "", "is not an object"),
        ("byColor", json!({"BLUE": 1}), "/BLUE", "is none of"),
        ("byNumber", json!({"x": "a"}), "/x", "is not an Integer"),
        ("byNumber", json!({"1": "a", "1.0": "b"}), "/1.0", "is the same key as another name beside it"),
        ("byLocale", json!({"de-DE": 1, "de_DE": 2}), "/de_DE", "is the same key"),
        ("byDecimal", json!({"1": 1, "1.0": 2}), "", "has two names that are the same key"),
        ("locale", json!("!!"), "", "\"!!\" is not a Locale"),
        ("locale", json!("de_!!"), "", "is not a Locale"),
        ("locale", json!("a_b_c_d_e"), "", "is not a Locale"),
        ("grid", json!([[1.5], [null]]), "/1/0", "null is not a double"),
        ("bytes", json!("*"), "", "is not a byte[]"),
        ("instant", json!("yesterday"), "", "is not a Instant"),
        ("uuid", json!("1-1-1-1-1"), "", "is not a UUID"),
        ("bean", json!({"points": [{"x": 1}]}), "/points/0/y", "null is not an int"),
        ("bean", json!([]), "", "is not an object"),
        (
            "point",
            json!({"x": -1, "y": 1}),
            "",
            "is refused by Point: java.lang.IllegalArgumentException: x is negative",
        ),
        ("two", json!({"first": 1}), "/second", "is missing"),
        ("two", json!([1]), "", "is not an object whose members are the parameters"),
    ]
}

#[test]
fn what_does_not_suit_is_named_by_pointer_value_and_type() {
    let methods: Vec<&str> = bad().iter().map(|(method, ..)| *method).collect();
    let Some(mut machine) = machine("Java types, refused", &methods) else { return };
    for (method, argument, pointer, sentence) in bad() {
        let failure = machine.failure(&format!("types.{method}"), &argument, "bad_argument");
        let message = failure["message"].as_str().unwrap();
        assert!(message.contains(sentence), "{method} {argument}: {message}");
        assert_eq!(failure["detail"]["pointer"], pointer, "{method} {argument}: {message}");
        assert!(failure["detail"]["type"].is_string() && failure["detail"]["value"].is_string());
    }
    let answer = machine.output("types.anInt", &json!(1));
    assert_eq!(answer, json!(["Integer", 1]));
}

#[test]
fn what_cannot_be_resolved_is_said_at_the_start_and_all_of_it() {
    let Some(classes) = java_classes("operations that cannot be resolved") else { return };
    let why = refused(
        classes,
        json!({
            "a.gone": entry("com.acme.Gone", "total", &[]),
            "a.none": entry("sample.Vices", "none", &[]),
            "a.hidden": entry("sample.Vices", "hidden", &[]),
            "a.over": entry("sample.Vices", "over", &[("value", "")]),
            "a.count": entry("sample.Types", "two", &[("first", "")]),
            "a.hint": entry("sample.Types", "hinted", &[("value", "List[Nowhere]")]),
            "a.other": entry("sample.Types", "anInt", &[("value", "String")]),
            "a.shape": entry("sample.Types", "shape", &[]),
            "a.thread": entry("sample.Vices", "iterators", &[]),
            "a.unmade": entry("sample.Vices$Unmade", "get", &[]),
            "a.good": entry("sample.Types", "anInt", &[]),
        }),
    );
    for part in [
        "a.gone: there is no class com.acme.Gone",
        "a.none: sample.Vices has no method none",
        "a.hidden: hidden of sample.Vices is not public",
        "a.over: over of sample.Vices is overloaded: over(Object), over(String), over(int)",
        "a.count: two has 2 parameters, and params names 1",
        "a.hint: there is no class Nowhere",
        "a.other: the hint \"String\" of value means java.lang.String, and the parameter is int",
        "a.shape: value: sample.Types$Shape is abstract",
        "a.thread: value: java.lang.Thread has no form in JSON",
        "a.unmade: get is no static method",
    ] {
        assert!(why.contains(part), "{part:?} is not in:\n{why}");
    }
    assert!(!why.contains("a.good"), "{why}");
}

#[test]
fn an_overloaded_method_is_chosen_by_the_types_in_params() {
    let Some(classes) = java_classes("overloaded methods") else { return };
    let operations = json!({
        "a.int": entry("sample.Vices", "over", &[("value", "int")]),
        "a.text": entry("sample.Vices", "over", &[("value", "String")]),
        "a.two": entry("sample.Vices", "over", &[("one", ""), ("two", "")]),
        "a.any": entry("sample.Vices", "over", &[("value", "Object")]),
        "a.none": {"class": "sample.Vices", "method": "over", "params": []},
        "a.instance": entry("sample.Vices", "instance", &[]),
    });
    let mut machine = Machine::start(&config(&classes, &operations), &[]).unwrap();
    assert_eq!(machine.output("a.int", &json!({"value": 1})), "int");
    assert_eq!(machine.output("a.text", &json!({"value": "1"})), "text");
    assert_eq!(machine.output("a.two", &json!({"one": 1, "two": 2})), "two");
    assert_eq!(machine.output("a.any", &json!({"value": "1"})), "any");
    assert_eq!(machine.output("a.none", &json!({})), "none");
    assert_eq!(machine.output("a.instance", &json!({})), "an instance of Vices");
}
