//! Tests of compiled schemas.

use super::*;
use serde_json::json;

fn operation(input: Value) -> CompiledOperation {
    let text = json!({"kind": "query", "call": {}, "timeout_ms": 1000, "input": input, "output": {"type": "string"}});
    CompiledOperation::new(serde_json::from_value(text).unwrap())
}

fn faults(schema: Value, value: Value) -> Vec<String> {
    operation(schema).validate_input(&value).iter().map(ToString::to_string).collect()
}

#[test]
fn a_fault_names_the_pointer_and_the_value() {
    let schema = json!({
        "type": "object", "required": ["customer_id"], "additionalProperties": false,
        "properties": {"customer_id": {"type": "string"}, "items": {"type": "array", "items": {"type": "integer", "maximum": 9}},
                       "kind": {"enum": ["small", "large"]}, "day": {"type": "string", "format": "date"}}
    });
    assert!(faults(schema.clone(), json!({"customer_id": "c"})).is_empty());
    assert_eq!(
        faults(schema.clone(), json!({"customer_id": "c", "items": [1, "x"]})),
        ["/items/1: \"x\" is not an integer"]
    );
    assert_eq!(
        faults(schema.clone(), json!({"customer_id": "c", "items": [10]})),
        ["/items/0: 10 is greater than the maximum of 9"]
    );
    assert_eq!(faults(schema.clone(), json!(5)), ["parameters: 5 is not an object"]);
    let two = operation(schema.clone()).validate_input(&json!({"customerid": "c", "kind": "smal"}));
    assert_eq!(two.len(), 3, "{two:?}");
    assert!(two.iter().any(|f| f.hint.as_deref() == Some("is \"customerid\" meant to be it?")), "{two:?}");
    assert!(two.iter().any(|f| f.hint.as_deref() == Some("did you mean small?")), "{two:?}");
    assert!(two.iter().any(|f| f.message == "the schema allows no property \"customerid\""), "{two:?}");
    assert_eq!(
        faults(schema, json!({"customer_id": "c", "day": "tomorrow"})),
        ["/day: \"tomorrow\" is not of the format date"]
    );
}

#[test]
fn an_output_is_judged_by_its_own_schema() {
    let operation = operation(json!(true));
    assert!(operation.validate_output(&json!("fine")).is_empty());
    assert_eq!(operation.validate_output(&json!(null))[0].to_string(), "output: null is not a string");
}

#[test]
fn extra_properties_pass_unless_forbidden_and_defaults_are_not_filled_in() {
    let schema = json!({"type": "object", "properties": {"a": {"default": 1}}, "required": ["a"]});
    assert!(faults(schema.clone(), json!({"a": 1, "b": 2})).is_empty());
    assert_eq!(faults(schema, json!({})), ["parameters: the property \"a\" is missing"]);
}

#[test]
fn no_fault_echoes_more_than_a_hundred_characters_and_there_are_at_most_twenty() {
    let long = "x".repeat(10_000);
    for value in [json!(long), json!([long]), json!({"k": long}), json!({long.clone(): 1}), json!([[long]])] {
        for schema in [
            json!({"type": "integer"}),
            json!({"not": {}}),
            json!({"const": 1}),
            json!({"enum": [1]}),
            json!({"maxLength": 1, "propertyNames": {"maxLength": 3}, "additionalProperties": false}),
            json!({"items": {"type": "null"}}),
            json!({"anyOf": [false, false]}),
        ] {
            for fault in operation(schema).validate_input(&value) {
                assert!(fault.message.chars().count() < 400, "{fault}");
                assert!(!fault.to_string().contains(&"x".repeat(101)), "{fault}");
            }
        }
    }
    let many = operation(json!({"items": {"type": "null"}}));
    assert_eq!(many.validate_input(&json!(vec![1; 5_000])).len(), FAULTS_MAX);
    assert_eq!(many.validate_input(&json!(vec![1; 50_000])).len(), 1);
}

#[test]
fn a_pattern_runs_in_linear_time() {
    let schema = json!({"pattern": "^(a+)+$"});
    let started = std::time::Instant::now();
    assert_eq!(faults(schema, json!(format!("{}b", "a".repeat(50_000)))).len(), 1);
    assert!(started.elapsed().as_secs() < 5);
    assert!(compile(&json!({"pattern": "(?=a)b"})).is_err());
    assert!(compile(&json!({"pattern": "(a)\\1"})).is_err());
}

#[test]
fn nothing_is_fetched() {
    for target in ["https://example.com/x.json", "file:///etc/passwd", "other.json"] {
        assert!(compile(&json!({"$ref": target})).is_err(), "{target}");
    }
}

#[test]
fn a_stored_schema_that_no_longer_compiles_is_a_fault_and_no_panic() {
    assert!(faults(json!({"type": "no-type"}), json!(1))[0].contains("failed to compile"));
}

#[test]
fn a_schema_is_compiled_once() {
    let operation = operation(json!({"type": "integer"}));
    assert!(operation.input.validator.get().is_none());
    operation.validate_input(&json!(1));
    let first = std::ptr::from_ref(operation.input.validator.get().unwrap());
    operation.validate_input(&json!("x"));
    assert_eq!(first, std::ptr::from_ref(operation.input.validator.get().unwrap()));
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let schema = json!({"$defs": {"tree": {"type": "object", "properties": {"child": {"$ref": "#/$defs/tree"}}}}, "$ref": "#/$defs/tree"});
    let deep = (0..60).fold(json!(1), |inner, _| json!({"child": inner}));
    assert_eq!(faults(schema, deep).len(), 1);
}

#[test]
fn numbers_are_judged_as_numbers_however_they_are_written() {
    let judge = |schema: Value, text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        faults(schema, value).is_empty()
    };
    for (schema, fits, does_not) in [
        (json!({"type": "integer"}), ["7", "7.0", "12345678901234567890123"], ["7.5", "0.1", "12345.10"]),
        (json!({"minimum": 7, "maximum": 9}), ["7", "7.000", "9.0"], ["6.999", "9.001", "12345678901234567890123"]),
        (json!({"exclusiveMinimum": 7.5}), ["7.51", "8", "1e3"], ["7.5", "7.50", "-12345678901234567890123"]),
        (json!({"multipleOf": 0.01}), ["1.10", "3", "0.01"], ["1.105", "0.001", "0.015"]),
        (json!({"enum": [1, 2.5]}), ["1", "1.0", "2.50"], ["2", "2.51", "-1"]),
        (json!({"const": 100}), ["100", "100.0", "1e2"], ["101", "10", "100.5"]),
    ] {
        for text in fits {
            assert!(judge(schema.clone(), text), "{text} against {schema}");
        }
        for text in does_not {
            assert!(!judge(schema.clone(), text), "{text} against {schema}");
        }
    }
}
