//! Tests of the solution descriptor.

use super::*;

const CLAIMS: &str = "solution: claims_intake\ncomponents: { content: ^1, pricing: 1.4.0 }\nintents: { ingest_file: content.files.ingest }\n\
                      allow: { operator: [\"pricing.*\", \"content.*\"], viewer: [\"*.meta.*\"] }\nsinks: [audit]\n";

#[test]
fn a_whole_solution_is_read_and_survives_its_stored_form() {
    let solution = read_solution(CLAIMS, "solution.yaml").unwrap();
    assert_eq!(solution.name.as_str(), "claims-intake");
    assert_eq!(solution.components.values().collect::<Vec<_>>(), ["^1", "=1.4.0"]);
    assert_eq!(solution.intents[&"ingest-file".parse().unwrap()].to_string(), "content.files.ingest");
    let again: Solution = enact_model::json::Json::of(&solution).to().unwrap();
    assert_eq!(again, solution);
}

#[test]
fn every_fault_of_a_solution_is_reported_at_once_with_its_place() {
    let text = "solution: 9\ncomponent: {}\ncomponents: { content: 1, pricing: x }\nintents: { a: contnt.files.x, b: b, A: content.s.o }\n\
                allow: { operator: [pricing], viewer: x }\nsinks: [audit, audit]\n";
    let found = read_solution(text, "s.yaml").unwrap_err();
    let places: Vec<(u32, u32)> = found.iter().map(|fault| (fault.line, fault.column)).collect();
    assert_eq!(
        places,
        [(1, 11), (2, 1), (3, 24), (3, 36), (4, 15), (4, 34), (4, 37), (5, 21), (5, 39), (6, 16)],
        "{found:#?}"
    );
    assert_eq!(found[1].hint.as_deref(), Some("did you mean components?"));
    assert_eq!(found[4].hint.as_deref(), Some("did you mean content?"));
}

#[test]
fn a_pattern_admits_what_it_says() {
    let selector: Selector = "pricing.quote.total".parse().unwrap();
    for (pattern, admitted) in [
        ("pricing.*", true),
        ("*", true),
        ("*.quote.*", true),
        ("pricing.quote.total", true),
        ("*.meta.*", false),
        ("pric.*", false),
        ("pricing.quote", false),
    ] {
        assert_eq!(admits(pattern, &selector), admitted, "{pattern}");
    }
}
