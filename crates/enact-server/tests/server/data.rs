//! References and lineage as somebody sees them who has nothing but HTTP.

use serde_json::{Value, json};

use crate::bed::Bed;
use crate::http::{Answer, Ask};

/// `copy` makes an artifact of an artifact, `envelope` returns what it was given as its effects.
const MAKER: &str = r#"
component: maker
version: 1.0.0
process: { command: [sh] }
services:
  s:
    copy:
      kind: query
      call: { command: [cat], args: [{ file: /document }] }
      produces: [{ artifact: "{/name}", from: stdout, media_type: text/plain, derived_from: /document }]
      result: { copy: /artifacts/0 }
    envelope: { kind: query, returns: effects, call: { stdin: json, command: [cat] } }
"#;

async fn put(bed: &Bed, name: &str, kind: &str, bytes: &str) -> Answer {
    bed.ask(Ask::new("POST", &format!("/v1/artifacts?name={name}")).raw(kind, bytes.as_bytes().to_vec())).await
}

/// Returns the reference that an execution has made.
async fn made_by(bed: &Bed, execution: &Value) -> Value {
    let id = execution["execution"]["id"].as_str().unwrap();
    let mut made = bed.get(&format!("/v1/references?made_by={id}")).await.is(200).json();
    assert_eq!(made["items"].as_array().unwrap().len(), 1, "{made}");
    made["items"][0].take()
}

async fn copied(bed: &Bed, document: &Value, name: &str) -> Value {
    let view = bed.run("maker.s.copy", json!({ "document": document, "name": name })).await;
    made_by(bed, &view).await
}

fn id(reference: &Value) -> &str {
    reference["id"].as_str().unwrap()
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn references_are_registered_found_by_what_they_are_and_never_their_bytes() {
    let bed = Bed::open().await;
    bed.add("maker", MAKER).await;
    let text = put(&bed, "a.txt", "text/plain", "never-to-be-seen").await.is(201).json();
    let table = put(&bed, "b.csv", "text/csv", "x,y").await.is(201).json();
    // The same again is the same; another kind of the same bytes under its name is a conflict, other bytes are another one.
    assert_eq!(put(&bed, "a.txt", "text/plain", "never-to-be-seen").await.json()["id"], text["id"]);
    assert_eq!(put(&bed, "a.txt", "text/csv", "never-to-be-seen").await.is(409).json()["status"], 409);
    assert_ne!(put(&bed, "b.csv", "text/csv", "x,z").await.is(201).json()["id"], table["id"]);
    let view = bed.run("maker.s.copy", json!({ "document": text, "name": "c.txt" })).await;
    let copy = made_by(&bed, &view).await;
    assert_eq!((copy["name"].as_str(), &copy["digest"]), (Some("c.txt"), &text["digest"]));

    let digest = text["digest"].as_str().unwrap();
    for (query, expected) in [
        ("name=a.txt".to_owned(), vec!["a.txt"]),
        ("media_type=text/csv".to_owned(), vec!["b.csv", "b.csv"]),
        (format!("digest={digest}"), vec!["c.txt", "a.txt"]),
        ("name=nothing".to_owned(), vec![]),
    ] {
        let page = bed.get(&format!("/v1/references?{query}")).await.is(200).json();
        assert_eq!(names(&page), expected, "{query}");
    }
    assert_eq!(bed.get(&format!("/v1/references/{}", id(&text))).await.is(200).json()["name"], "a.txt");
    bed.get("/v1/references/ref_01jd0000000000000000000000").await.is(404);

    // Bytes come out where bytes are asked for, and nowhere else.
    let execution = view["execution"]["id"].as_str().unwrap();
    for path in [
        format!("/v1/references/{}", id(&copy)),
        format!("/v1/references/{}/lineage", id(&copy)),
        "/v1/references".to_owned(),
        "/v1/records?limit=100".to_owned(),
        "/v1/outbox".to_owned(),
        format!("/v1/executions/{execution}/audit"),
    ] {
        let answer = bed.get(&path).await.is(200);
        assert!(!answer.text().contains("never-to-be-seen"), "{path}: {}", answer.text());
    }
    assert_eq!(bed.get(&format!("/v1/artifacts/{}", id(&copy))).await.is(200).text(), "never-to-be-seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn lineage_is_followed_over_many_hops_and_says_where_it_was_cut() {
    let bed = Bed::open().await;
    bed.add("maker", MAKER).await;
    let mut chain = vec![put(&bed, "0", "text/plain", "abc").await.is(201).json()];
    for number in 1..=4 {
        chain.push(copied(&bed, chain.last().unwrap(), &number.to_string()).await);
    }
    let ask = async |of: &Value, query: &str| {
        bed.get(&format!("/v1/references/{}/lineage?{query}", id(of))).await.is(200).json()
    };
    let ids = |lineage: &Value| {
        let nodes = lineage["nodes"].as_array().unwrap();
        nodes.iter().map(|node| node[1]["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let whole: Vec<String> = chain.iter().rev().map(|reference| id(reference).to_owned()).collect();
    let up = ask(&chain[4], "direction=up").await;
    assert_eq!((ids(&up), &up["complete"]), (whole.clone(), &json!(true)));
    assert_eq!(up["edges"].as_array().unwrap().len(), 4);
    let down = ask(&chain[0], "direction=down").await;
    assert_eq!(ids(&down), whole.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(ids(&ask(&chain[2], "direction=both").await).len(), 5);
    for (query, nodes, cut_by) in [("direction=up&depth=2", 3, "depth"), ("direction=up&limit=2", 2, "nodes")] {
        let cut = ask(&chain[4], query).await;
        assert_eq!((ids(&cut).len(), &cut["complete"]), (nodes, &json!(false)), "{query}: {cut}");
        assert!(cut["cut_by"].as_str().unwrap().contains(cut_by), "{query}: {cut}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_to_what_is_not_registered_leaves_nothing_of_its_outcome() {
    let bed = Bed::open().await;
    bed.add("maker", MAKER).await;
    let document = put(&bed, "a.txt", "text/plain", "abc").await.is(201).json();
    let envelope = |from: &str| {
        json!({
            "output": 1,
            "events": [{ "type": "made" }],
            "references": [{ "name": "there", "uri": "https://example.org/there", "media_type": "text/html" }],
            "derived": [{ "from": [from], "to": "reference:there" }],
        })
    };
    let view = bed.run("maker.s.envelope", envelope(id(&document))).await;
    let there = made_by(&bed, &view).await;
    let lineage = bed.get(&format!("/v1/references/{}/lineage?direction=up", id(&there))).await.is(200).json();
    assert_eq!(lineage["edges"][0]["made_by"], view["execution"]["id"], "{lineage}");
    let before = bed.get("/v1/references").await.is(200).json()["items"].as_array().unwrap().len();
    for from in ["ref_01jd0000000000000000000000", "artifact:none", "nonsense"] {
        let draft = json!({ "intent_type": "maker.s.envelope", "parameters": envelope(from) });
        let failed = bed.post("/v1/intents?wait=30s", draft).await;
        assert!(failed.status >= 400, "{from}: {failed:?}");
    }
    let after = bed.get("/v1/references").await.is(200).json()["items"].as_array().unwrap().len();
    let promised = bed.get("/v1/outbox").await.is(200).json()["items"].as_array().unwrap().len();
    assert_eq!((after, promised), (before, 1));
}
