//! Tests of the YAML reader.

use super::*;
use crate::fault::DescriptorFault;

fn read(text: &str) -> (Option<Node>, Vec<DescriptorFault>) {
    let mut faults = Faults::new("t.yaml");
    let node = parse(text, &mut faults);
    (node, faults.into_sorted())
}

fn fault(text: &str) -> String {
    let (_, faults) = read(text);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].to_string()
}

#[test]
fn every_key_and_value_knows_its_line_and_column() {
    let (node, faults) = read("a: 1\nb:\n  - x\n  - {c: [true, 1.10]}\n");
    assert!(faults.is_empty());
    let node = node.unwrap();
    assert_eq!(node.mark_at("/b"), Mark { line: 2, column: 1 });
    assert_eq!(node.mark_at("/b/0"), Mark { line: 3, column: 5 });
    assert_eq!(node.mark_at("/b/1/c/1"), Mark { line: 4, column: 16 });
    assert_eq!(node.mark_at("/b/1/nothing"), node.mark_at("/b/1"));
    assert_eq!(node.to_value(), serde_json::json!({"a": 1, "b": ["x", {"c": [true, 1.1]}]}));
    assert_eq!(node.get("a").unwrap().scalar(), Some("1"));
}

#[test]
fn what_yaml_allows_and_a_descriptor_does_not_is_refused_with_its_place() {
    assert_eq!(fault("a: 1\nb: 2\na: 3\n"), "t.yaml:3:1: the key `a` stands twice, first in line 1");
    assert!(fault("a: &x [1]\nb: *x\n").contains(":2:4: aliases are refused"));
    assert!(fault("a: 1\n---\nb: 2\n").contains("a second document"));
    assert!(fault("a: !!python/object x\n").contains("the tag"));
    assert!(fault("a: .nan\n").contains("`.nan` is not a finite number"));
    assert!(fault("a: [1, 2\n").contains("this is not YAML"));
    assert!(fault("? [a]\n: b\n").contains("a key must be a text"));
    assert!(fault("").contains("empty"));
}

#[test]
fn size_depth_and_count_are_limited() {
    assert!(fault(&"x".repeat(TEXT_MAX_BYTES + 1)).contains("are more than"));
    assert!(fault(&format!("a: {}{}", "[".repeat(70), "]".repeat(70))).contains("deeper than 64"));
    assert!(fault(&"[".repeat(100_000)).contains("recursion limit exceeded"));
    let deep: String = (0..80).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    assert!(fault(&deep).contains("deeper than 64"));
    assert!(fault(&format!("[{}]", "1,".repeat(NODES_MAX + 1))).contains("more than 100000 values"));
}

#[test]
fn an_alias_bomb_costs_nothing() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let inner = vec![format!("*a{}", n - 1); 10].join(", ");
        text.push_str(&format!("a{n}: &a{n} [{inner}]\n"));
    }
    let (_, faults) = read(&text);
    assert_eq!(faults.len(), 110);
}

#[test]
fn scalars_follow_the_core_schema_of_yaml_1_2() {
    let (node, faults) = read("[yes, on, 0x1F, 0o17, +5, 1.4.0, 1e3, '5', ~, 2001-01-01, 18446744073709551615]");
    assert!(faults.is_empty(), "{faults:?}");
    let expected = serde_json::json!(["yes", "on", 31, 15, 5, "1.4.0", 1000.0, "5", null, "2001-01-01", u64::MAX]);
    assert_eq!(node.unwrap().to_value(), expected);
}
