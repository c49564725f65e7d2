//! Tests of declared effects.

use enact_model::envelope::StateScope;

use super::*;

fn operation(extra: Value) -> Operation {
    let mut value = json!({"kind": "query", "call": {"stdout": "json"}, "timeout_ms": 1});
    value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    serde_json::from_value(value).unwrap()
}

fn id(number: u128) -> ReferenceId {
    ReferenceId::from_parts(1, number)
}

fn analyze() -> Operation {
    operation(json!({
        "call": {"args": [{"word": "-f"}, {"file": "/document"}], "stdout": "ignore"},
        "produces": [{"artifact": "{/document/id}.json", "from": "stdout", "media_type": "application/json", "derived_from": ["/document", "/document"]}],
        "emits": [{"event_type": "content.analyzed", "key": "/document/id", "data": {"tables": "/artifacts/0", "n": "/output/artifacts"}},
                  {"event_type": "content.failed", "on": "failed", "key": "/document", "data": {"code": "/failure/code"}}],
        "state": [{"scope": "session", "key": "last", "value": "/document/id", "ttl_ms": 5}, {"scope": "execution", "key": "old"}]
    }))
}

#[test]
fn the_effects_of_a_completed_outcome_are_what_is_declared() {
    for document in [json!(id(7)), json!({"id": id(7), "name": "a.pdf"})] {
        let (input, artifact) = (json!({"document": document}), json!({"id": id(8)}));
        let declared = evaluate(&analyze(), &input, &Value::Null, std::slice::from_ref(&artifact)).unwrap();
        assert_eq!(declared.output, Some(Json::from(&json!({"artifacts": [artifact]}))));
        assert_eq!(declared.state.len(), 2);
        assert_eq!((declared.state[0].scope, declared.state[0].ttl_ms), (StateScope::Session, Some(5)));
        assert_eq!(declared.state[0].value, Some(Json::from(&json!(id(7)))));
        assert_eq!(declared.state[1].value, None);
        assert_eq!(declared.events.len(), 1);
        assert_eq!(declared.events[0].key, Some(id(7).to_string()));
        assert_eq!(declared.events[0].data, Some(Json::from(&json!({"tables": artifact, "n": [artifact]}))));
        assert_eq!(declared.derived, [Derived { artifact: 0, from: vec![id(7)] }]);
        assert_eq!(referenced(&analyze(), &input), [(Pointer("/document".into()), id(7))]);
        assert_eq!(artifact_name(&analyze().produces[0], &input).unwrap(), format!("{}.json", id(7)));
    }
}

#[test]
fn a_failed_outcome_has_only_the_events_that_are_declared_for_failure() {
    let input = json!({"document": id(7)});
    let events = evaluate_failed(&analyze(), &input, &json!({"code": 12})).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event_type, "content.failed");
    assert_eq!(events[0].key, Some(id(7).to_string()));
    assert_eq!(events[0].data, Some(Json::from(&json!({"code": 12}))));
}

#[test]
fn an_output_without_a_result_is_left_as_it_is_and_a_result_replaces_it() {
    let plain = operation(json!({"emits": [{"event_type": "a"}]}));
    let declared = evaluate(&plain, &json!({}), &json!({"n": 1}), &[]).unwrap();
    assert_eq!((declared.output, declared.events[0].data.clone()), (None, None));
    let made = operation(
        json!({"result": {"n": "/output/n", "who": "/who", "gone": "/gone"}, "state": [{"scope": "session", "key": "k", "value": "/output"}]}),
    );
    let declared = evaluate(&made, &json!({"who": "x"}), &json!({"n": 1}), &[]).unwrap();
    let expected = Json::from(&json!({"gone": null, "n": 1, "who": "x"}));
    assert_eq!((declared.output, declared.state[0].value.clone()), (Some(expected.clone()), Some(expected)));
}

#[test]
fn an_effect_that_cannot_be_had_is_named() {
    let reason = |op: &Operation, input: Value| evaluate(op, &input, &Value::Null, &[]).unwrap_err();
    let keyed = operation(json!({"emits": [{"event_type": "a", "key": "/k"}]}));
    assert_eq!(reason(&keyed, json!({"k": [1]})), fault("emits[0].key", EffectReason::KeyNotScalar));
    assert_eq!(reason(&keyed, json!({"k": "x".repeat(5_000)})), fault("emits[0].key", EffectReason::KeyTooLong));
    assert_eq!(evaluate(&keyed, &json!({}), &Value::Null, &[]).unwrap().events[0].key, None);
    let large = operation(json!({"state": [{"scope": "session", "key": "k", "value": "/v"}]}));
    let found = reason(&large, json!({"v": "x".repeat(70_000)}));
    assert_eq!(found.reason, EffectReason::TooLarge(70_002));
    assert_eq!(reason(&analyze(), json!({})).reason, EffectReason::ArtifactMissing(0));
    let produce = &analyze().produces[0];
    for bad in [json!({}), json!({"document": {"id": "a/b"}})] {
        assert_eq!(artifact_name(produce, &bad).unwrap_err().reason, EffectReason::BadName, "{bad}");
    }
}

#[test]
fn the_concurrency_key_tells_values_apart_and_is_bounded() {
    let gated = operation(json!({"concurrency": {"limit": 1, "key": "/k"}}));
    let key = |input: Value| concurrency_key(&gated, &input).unwrap();
    assert_eq!(key(json!({"k": "1"})), "\"1\"");
    assert_eq!(key(json!({"k": 1})), "1");
    assert_eq!(key(json!({})), "null");
    assert!(key(json!({"k": "x".repeat(1_000)})).starts_with("sha256:"));
    assert_eq!(concurrency_key(&operation(json!({"concurrency": {"limit": 1}})), &json!({})), None);
}

#[test]
fn numbers_keep_every_digit_in_keys_values_and_results() {
    let operation = operation(json!({
        "result": {"total": "/output/total", "id": "/id"},
        "emits": [{"event_type": "paid", "key": "/id", "data": {"total": "/output/total"}}],
        "state": [{"scope": "session", "key": "last", "value": "/output/total"}],
        "concurrency": {"limit": 1, "key": "/id"}
    }));
    let value = |text: &str| Json::parse(text).unwrap().to_value();
    let output = value(r#"{"total":12345678901234567890123.10}"#);
    let mut keys = Vec::new();
    for id in ["12345678901234567891", "12345678901234567892", "123456789012345678901", "123456789012345678902"] {
        let input = value(&format!(r#"{{"id":{id}}}"#));
        let declared = evaluate(&operation, &input, &output, &[]).unwrap();
        let text = |json: &Option<Json>| json.as_ref().unwrap().as_str().to_owned();
        assert_eq!(text(&declared.output), format!(r#"{{"id":{id},"total":12345678901234567890123.10}}"#));
        assert_eq!(text(&declared.state[0].value), "12345678901234567890123.10");
        assert_eq!(text(&declared.events[0].data), r#"{"total":12345678901234567890123.10}"#);
        assert_eq!(declared.events[0].key.as_deref(), Some(id));
        keys.extend(concurrency_key(&operation, &input));
    }
    keys.dedup();
    assert_eq!(keys.len(), 4, "two ids are two keys");
}
