//! References, artifacts and lineage; never bytes.

use enact_model::id::ReferenceId;
use enact_model::observation::FaultKind;
use enact_model::payload::Payload;
use enact_model::record::{Body, RecordFilter};
use enact_model::reference::Reference;
use enact_runtime::api::{ArtifactName, Direction, Lineage, ReferenceFilter, Request, Response};
use serde_json::{Value, json};

use crate::bed::{Bed, draft, failure, output, records_in, refusal};

/// What stands in every artifact of these tests and may stand nowhere else.
const MARK: &str = "THE-BYTES-THEMSELVES";

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
      emits: [{ type: copied, data: /output }]
      state: [{ scope: session, set: last, value: /artifacts/0 }]
    envelope: { kind: query, returns: effects, call: { stdin: json, command: [cat] } }
    echo: { kind: query, call: { stdin: json, command: [cat] } }
    large: { kind: query, call: { command: [sh, -c, 'printf "\"%0*d\"" "$1" 7', sh], args: [{ value: /size }] } }
"#;

fn made(view: &enact_runtime::api::ExecutionView) -> ReferenceId {
    output(view)["copy"]["id"].as_str().unwrap().parse().unwrap()
}

async fn references(bed: &Bed, filter: ReferenceFilter) -> Vec<Reference> {
    match bed.ask(Request::References(ReferenceFilter { limit: 100, ..filter })).await {
        Response::References(page) => page.items,
        other => panic!("{other:?}"),
    }
}

async fn lineage(bed: &Bed, reference: ReferenceId, direction: Direction, depth: u32, limit: u32) -> Lineage {
    match bed.ask(Request::Lineage { reference, direction, depth, limit }).await {
        Response::Lineage(lineage) => *lineage,
        other => panic!("{other:?}"),
    }
}

async fn copy(bed: &Bed, of: ReferenceId, name: &str) -> ReferenceId {
    made(&bed.run("maker.s.copy", json!({ "document": { "id": of.to_string() }, "name": name })).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_response_record_or_row_has_the_bytes_of_an_artifact() {
    let bed = Bed::open().await;
    bed.add(MAKER).await;
    let document = bed.put("document.txt", MARK.as_bytes()).await;
    let view = bed.run("maker.s.copy", json!({ "document": document, "name": "copy.txt" })).await;
    let id = made(&view);
    bed.delivered().await;
    let owner = "default".to_owned();
    for request in [
        Request::Execution { execution: view.execution.id },
        Request::References(ReferenceFilter::default()),
        Request::Reference { reference: id },
        Request::Lineage { reference: id, direction: Direction::Both, depth: 9, limit: 9 },
        Request::Records { filter: RecordFilter::default(), limit: 1_000 },
        Request::Outbox { state: None, limit: 9, before: None },
        Request::StateList { scope: enact_model::envelope::StateScope::Session, owner, limit: 9, cursor: None },
    ] {
        let answer = bed.ask(request.clone()).await;
        assert!(!matches!(answer, Response::Refused(_)), "{request:?}: {answer:?}");
        let text = serde_json::to_string(&answer).unwrap();
        assert!(text.contains("ref_") && !text.contains(MARK), "{request:?}: {text}");
    }
    assert!(!serde_json::to_string(&bed.events()).unwrap().contains(MARK));
    let target = bed.path("got.txt").display().to_string();
    let got = bed.ask(Request::ArtifactGet { reference: ArtifactName::Reference(id), target: target.clone() }).await;
    assert!(matches!(got, Response::Done { .. }) && !format!("{got:?}").contains(MARK), "{got:?}");
    assert_eq!(std::fs::read_to_string(target).unwrap(), MARK);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_and_outputs_above_the_limit_become_artifacts_and_no_record_has_them() {
    let mut bed = Bed::open().await;
    bed.add(MAKER).await;
    let large = json!({ "mark": MARK, "text": "x".repeat(100_000) });
    let view = bed.run("maker.s.echo", large.clone()).await;
    assert!(matches!(view.execution.intent.parameters, Payload::Stored { size, .. } if size > 100_000));
    let records = bed.records(view.execution.id).await;
    let text = serde_json::to_string(&records).unwrap();
    assert!(!text.contains(MARK) && text.len() < 20_000, "{} bytes", text.len());
    let row = serde_json::to_string(&view.execution).unwrap();
    assert!(!row.contains(MARK));
    assert_eq!(output(&view), large, "what was stored is what was said");
    // An output that no door would show is there by its digest and size alone.
    let view = bed.run("maker.s.large", json!({ "size": 3_000_000 })).await;
    assert_eq!(view.output, None);
    let outcome = serde_json::to_string(view.outcome().unwrap()).unwrap();
    assert!(outcome.contains("digest") && outcome.len() < 1_000, "{outcome}");
    bed.restart().await;
    assert_eq!(bed.look(view.execution.id).await, view);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn references_are_registered_read_and_listed_by_what_they_are() {
    let mut bed = Bed::open().await;
    bed.add(MAKER).await;
    let document = bed.put("document.txt", b"abc").await;
    let view = bed.run("maker.s.copy", json!({ "document": document, "name": "copy.csv" })).await;
    let execution = view.execution.id;
    bed.restart().await;
    let names = |found: Vec<Reference>| found.into_iter().map(|r| r.name).collect::<Vec<_>>();
    assert_eq!(names(references(&bed, ReferenceFilter::default()).await), ["copy.csv", "document.txt"]);
    let by = |filter| references(&bed, filter);
    assert_eq!(names(by(ReferenceFilter { made_by: Some(execution), ..Default::default() }).await), ["copy.csv"]);
    assert_eq!(names(by(ReferenceFilter { name: Some("none".into()), ..Default::default() }).await), [""; 0]);
    assert_eq!(by(ReferenceFilter { digest: document.digest, ..Default::default() }).await.len(), 2);
    let text = ReferenceFilter { media_type: Some("text/plain".into()), ..Default::default() };
    assert_eq!(by(text).await.len(), 2);
    let unknown = Request::Reference { reference: ReferenceId::from_parts(1, 1) };
    assert_eq!(refusal(bed.ask(unknown).await).conclusion.code, enact_engine::conclude::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_again_is_the_same_reference_and_other_content_is_a_conflict_or_another_one() {
    let bed = Bed::open().await;
    let one = bed.put("document.txt", b"abc").await;
    let position = bed.hub().status().position;
    assert_eq!(bed.put("document.txt", b"abc").await.id, one.id);
    assert_eq!(bed.hub().status().position, position, "the same again is no record");
    let path = bed.path("document.txt").display().to_string();
    let other_type = Request::ArtifactPut { path, name: None, media_type: Some("text/csv".into()) };
    let refused = refusal(bed.ask(other_type).await);
    assert_eq!(refused.conclusion.code, enact_engine::conclude::REFERENCE_CONFLICT);
    assert_ne!(bed.put("document.txt", b"abcd").await.id, one.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_and_its_provenance_commit_with_the_outcome_that_made_them() {
    let bed = Bed::open().await;
    bed.add(MAKER).await;
    let document = bed.put("document.txt", b"abc").await;
    let view = bed.run("maker.s.copy", json!({ "document": document, "name": "copy.txt" })).await;
    let records = bed.records(view.execution.id).await;
    let kinds = crate::bed::kinds(&records);
    let all = ["AttemptObserved", "ReferenceRegistered", "ProvenanceAdded", "StateSet", "MessageQueued", "Settled"];
    assert_eq!(kinds[2..], all);
    // One batch: no position between them.
    assert!(records[2..].windows(2).all(|pair| pair[1].lsn == pair[0].lsn.plus(1)), "{records:?}");
    let chain = lineage(&bed, made(&view), Direction::Up, 0, 0).await;
    assert_eq!(
        chain.nodes.iter().map(|(d, r)| (*d, r.name.as_str())).collect::<Vec<_>>(),
        [(0, "copy.txt"), (1, "document.txt")]
    );
    assert_eq!(chain.edges[0].made_by, view.execution.id);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lineage_is_followed_both_ways_over_many_hops_and_says_when_it_was_cut() {
    let bed = Bed::open().await;
    bed.add(MAKER).await;
    let first = bed.put("0", b"abc").await.id;
    let mut chain = vec![first];
    for number in 1..=4 {
        chain.push(copy(&bed, *chain.last().unwrap(), &number.to_string()).await);
    }
    let sibling = copy(&bed, first, "sibling").await;
    let ids = |lineage: &Lineage| lineage.nodes.iter().map(|(_, r)| r.id).collect::<Vec<_>>();
    let up = lineage(&bed, chain[4], Direction::Up, 0, 0).await;
    assert_eq!(ids(&up), chain.iter().rev().copied().collect::<Vec<_>>());
    assert!(up.complete && up.edges.len() == 4);
    let down = lineage(&bed, first, Direction::Down, 0, 0).await;
    assert_eq!(down.nodes.len(), 6);
    assert!(ids(&down).contains(&sibling));
    let both = lineage(&bed, chain[2], Direction::Both, 0, 0).await;
    assert!(both.nodes.len() == 5 && !ids(&both).contains(&sibling), "{both:?}");
    let near = lineage(&bed, chain[4], Direction::Up, 2, 0).await;
    assert_eq!((near.nodes.len(), near.complete), (3, false));
    assert!(near.cut_by.unwrap().contains("depth"));
    let few = lineage(&bed, first, Direction::Down, 0, 3).await;
    assert_eq!((few.nodes.len(), few.complete), (3, false));
    assert!(few.cut_by.unwrap().contains("nodes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_to_a_reference_that_is_not_registered_refuses_all_effects() {
    let bed = Bed::open().await;
    bed.add(MAKER).await;
    let document = bed.put("document.txt", b"abc").await;
    let envelope = |from: &str| {
        json!({
            "output": 1,
            "events": [{ "type": "made" }],
            "references": [{ "name": "there", "uri": "https://example.org/there", "media_type": "text/html" }],
            "derived": [{ "from": [from], "to": "reference:there" }],
        })
    };
    bed.run("maker.s.envelope", envelope(&document.id.to_string())).await;
    let unknown = ReferenceId::from_parts(1, 1).to_string();
    for from in [unknown.as_str(), "artifact:none", "nonsense"] {
        let view = bed.run("maker.s.envelope", envelope(from)).await;
        assert_eq!(failure(&view).kind, Some(FaultKind::EffectRefused), "{from}");
    }
    // A reference of another tenant is not registered for this one.
    let foreign = draft("maker.s.envelope", envelope(&document.id.to_string()));
    let answer = bed.submit_as("other", foreign, crate::bed::LIMIT).await;
    assert_eq!(failure(&crate::bed::accepted(answer)).kind, Some(FaultKind::EffectRefused));
    bed.delivered().await;
    assert_eq!(bed.events().len(), 1);
    assert_eq!(references(&bed, ReferenceFilter::default()).await.len(), 2);
    let filter = RecordFilter { kinds: vec!["ProvenanceAdded".into()], ..RecordFilter::default() };
    let edges = records_in(bed.ask(Request::Records { filter, limit: 10 }).await);
    assert!(
        matches!(&edges[..], [record] if matches!(&record.body, Body::ProvenanceAdded { edge } if edge.from == document.id))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_that_was_altered_or_removed_on_disk_is_a_typed_failure() {
    let bed = Bed::open().await;
    bed.add(MAKER).await;
    let document = bed.put("document.txt", b"abc").await;
    let file = find(&bed.config.store.join("artifacts"), &document.digest.unwrap().hex()[2..]);
    let run = async || bed.run("maker.s.copy", json!({ "document": document, "name": "copy.txt" })).await;
    let get = async || {
        let target = bed.path("target").display().to_string();
        refusal(bed.ask(Request::ArtifactGet { reference: ArtifactName::Reference(document.id), target }).await)
    };
    let mut permissions = std::fs::metadata(&file).unwrap().permissions();
    #[allow(clippy::permissions_set_readonly_false)]
    permissions.set_readonly(false);
    std::fs::set_permissions(&file, permissions).unwrap();
    std::fs::write(&file, b"abd").unwrap();
    assert_eq!(failure(&run().await).kind, Some(FaultKind::ArtifactAltered));
    assert_eq!(get().await.conclusion.code, enact_engine::conclude::STORE_CORRUPTED);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(failure(&run().await).kind, Some(FaultKind::ArtifactMissing));
    assert_eq!(get().await.conclusion.code, enact_engine::conclude::STORE_CORRUPTED);
    bed.is_well().await;
}

fn find(folder: &std::path::Path, end: &str) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.display().to_string().ends_with(end) {
                return path;
            }
        }
    }
    panic!("no file of the artifact store ends with {end}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_the_tenant_does_not_have_is_refused_before_anything_runs() {
    let bed = Bed::open().await;
    bed.add(MAKER).await;
    let document = bed.put("document.txt", b"abc").await;
    let intent: Value = json!({ "document": document, "name": "copy.txt" });
    let answer = bed.submit_as("other", draft("maker.s.copy", intent), crate::bed::LIMIT).await;
    let Response::Rejected(rejection) = answer else { panic!("{answer:?}") };
    assert_eq!(rejection.conclusion.code, enact_engine::conclude::REFERENCE_UNKNOWN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_nobody_can_read_is_the_callers_and_an_artifact_that_is_gone_is_the_stores() {
    use enact_engine::conclude as code;
    let bed = Bed::open().await;
    let fifo = bed.path("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let path = fifo.display().to_string();
    let put = |path: String| Request::ArtifactPut { path, name: None, media_type: None };
    let none = bed.path("none").display().to_string();
    for request in [put(path.clone()), put(none), Request::ComponentCheck { path: path.clone() }] {
        let refused = refusal(bed.ask(request.clone()).await);
        assert_eq!(refused.conclusion.code, code::FILE_UNUSABLE, "{request:?}: {refused:?}");
    }
    let refused = refusal(bed.ask(put(path)).await);
    assert!(refused.conclusion.message.ends_with("it is not a regular file"), "{refused:?}");
    let kept = bed.put("kept.txt", b"kept").await;
    std::fs::remove_dir_all(bed.path("store/artifacts/sha256")).unwrap();
    let target = bed.path("copy").display().to_string();
    let refused = refusal(bed.ask(Request::ArtifactGet { reference: ArtifactName::Reference(kept.id), target }).await);
    assert_eq!(refused.conclusion.code, code::STORE_CORRUPTED, "{refused:?}");
}
