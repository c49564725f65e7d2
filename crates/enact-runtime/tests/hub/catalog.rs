//! Components: added whole or not at all, kept over a restart, and followed by new versions while old ones finish.

use enact_model::id::Name;
use enact_runtime::api::{ComponentView, Request, Response};
use serde_json::json;

use crate::bed::{Bed, draft, eventually, output, refusal};
use crate::failure::{READY, worker};

fn one(name: &str, version: &str, handles: &str) -> String {
    format!(
        "component: {name}\nversion: {version}\nprocess: {{ command: [echo, '\"{version}\"'] }}\nservices: {{ s: {{ o: {{ kind: query, handles: [{handles}] }} }} }}\n"
    )
}

async fn components(bed: &Bed) -> Vec<ComponentView> {
    match bed.ask(Request::Components).await {
        Response::Components(components) => components,
        other => panic!("{other:?}"),
    }
}

async fn refused(bed: &Bed, yaml: &str) -> enact_runtime::api::Refusal {
    refusal(bed.ask(Request::ComponentAdd { path: bed.component(yaml) }).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn components_are_added_described_listed_and_removed_and_a_restart_keeps_them() {
    let mut bed = Bed::open().await;
    bed.add(&one("alpha", "1.0.0", "do_alpha")).await;
    bed.add(&one("beta", "1.0.0", "do_beta")).await;
    let before = components(&bed).await;
    bed.restart().await;
    let names = |list: &[ComponentView]| list.iter().map(|c| format!("{} {}", c.name, c.state)).collect::<Vec<_>>();
    assert_eq!(names(&components(&bed).await), names(&before));
    assert_eq!(output(&bed.run("do_alpha", json!({})).await), json!("1.0.0"));
    let name: Name = "beta".parse().unwrap();
    let described = bed.ask(Request::ComponentDescribe { name: name.clone(), version: None }).await;
    assert!(matches!(described, Response::Described(_)), "{described:?}");
    let (version, reason) = ("1.0.0".to_owned(), "over".to_owned());
    bed.ask(Request::ComponentDrain { name: name.clone(), version: version.clone(), reason: reason.clone() }).await;
    let removed = bed.ask(Request::ComponentRemove { name, version, reason }).await;
    assert!(matches!(removed, Response::Done { .. }), "{removed:?}");
    bed.restart().await;
    let answer = bed.submit_as("default", draft("do_beta", json!({})), crate::bed::LIMIT).await;
    assert!(matches!(answer, Response::Rejected(_)), "{answer:?}");
    let Response::IntentTypes(types) = bed.ask(Request::IntentTypes { solution: None }).await else { panic!() };
    assert_eq!(types.iter().map(|t| t.intent_type.as_str()).collect::<Vec<_>>(), ["alpha.s.o", "do-alpha"]);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_handlers_of_one_intent_type_are_refused_by_name_until_a_solution_decides() {
    let bed = Bed::open().await;
    bed.add(&one("alpha", "1.0.0", "ship")).await;
    let refused = refused(&bed, &one("beta", "1.0.0", "ship")).await;
    assert_eq!(refused.conclusion.code, enact_engine::conclude::CATALOG_CONFLICT);
    let text = refused.conclusion.to_string();
    assert!(text.contains("alpha.s.o") && text.contains("beta.s.o"), "{text}");
    let path = bed.path("solution.yaml");
    std::fs::write(&path, "solution: default\ncomponents: { alpha: ^1 }\nintents: { ship: alpha.s.o }\n").unwrap();
    let bound = bed.ask(Request::SolutionBind { path: path.display().to_string() }).await;
    assert!(matches!(bound, Response::Done { .. }), "{bound:?}");
    bed.add(&one("beta", "1.0.0", "ship")).await;
    let view = bed.run("ship", json!({})).await;
    assert_eq!(view.execution.pin.name.as_str(), "alpha");
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_solution_that_is_not_there_is_told_as_one() {
    let bed = Bed::open().await;
    for path in ["nowhere.yaml", "nowhere"] {
        let path = bed.path(path).display().to_string();
        let refused = crate::bed::refusal(bed.ask(Request::SolutionBind { path: path.clone() }).await).conclusion;
        assert_eq!(refused.code, enact_engine::conclude::FILE_UNUSABLE);
        let hint = refused.hint.unwrap();
        assert!(refused.message.contains(&path) && hint.contains("solution.yaml"), "{}: {hint}", refused.message);
        assert!(!hint.contains("component"), "{hint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_cannot_run_here_is_not_added_and_says_why() {
    let bed = Bed::open().await;
    let program = |program: &str| {
        format!(
            "component: gamma\nversion: 1.0.0\nprocess: {{ command: [{program}] }}\nservices: {{ s: {{ o: {{ kind: query }} }} }}\n"
        )
    };
    let missing = refused(&bed, &program("no-such-program-anywhere")).await;
    assert!(
        missing.conclusion.message.contains("no-such-program-anywhere")
            || missing.faults.iter().any(|f| f.message.contains("no-such-program-anywhere")),
        "{missing:?}"
    );
    let file = bed.path("not-executable");
    std::fs::write(&file, "#!/bin/sh\n").unwrap();
    let refused_file = refused(&bed, &program(&file.display().to_string())).await;
    assert_eq!(refused_file.conclusion.code, enact_engine::conclude::DESCRIPTOR_INVALID, "{refused_file:?}");
    let five = "component: UPPER CASE!\nversion: one\nprocess: { command: [sh], instances: 2 }\nservices: { s: { o: { kind: maybe, timeout: soon } } }\n";
    let refused_five = refused(&bed, five).await;
    assert!(refused_five.faults.len() >= 5, "{refused_five:?}");
    assert!(refused_five.faults.iter().all(|fault| fault.at.contains("component.yaml")), "{refused_five:?}");
    assert_eq!(components(&bed).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_work_is_not_added_and_says_why() {
    let bed = Bed::open().await;
    let knows = |names: &str| READY.replace("OPERATIONS", names);
    let refusal = r#"f "{\"type\":\"init_error\",\"message\":\"no database\"}""#;
    let refuses = knows("").replace(r#"f "{\"type\":\"ready\",\"operations\":[]}""#, refusal);
    assert!(refuses.contains("no database"));
    for (program, said) in [
        ("echo no licence >&2; exit 7", vec!["before it was ready", "exit status 7", "no licence"]),
        ("sleep 1000", vec!["was not ready after 300 ms"]),
        (&refuses, vec!["no database"]),
        (&knows(r#"\"other\",\"more\""#), vec!["does not know the operations o", "other, more"]),
    ] {
        let refused = refused(&bed, &worker("delta", program)).await;
        assert_eq!(refused.conclusion.code, enact_engine::conclude::DESCRIPTOR_INVALID, "{refused:?}");
        let message = &refused.conclusion.message;
        assert!(said.iter().all(|part| message.contains(part)), "{message}");
        assert!(refused.conclusion.hint.is_some());
        assert_eq!(components(&bed).await, []);
    }
    // The same version can be added once it works, and its first instance is kept for the first call.
    bed.add(&worker("delta", &knows(r#"\"o\",\"more\""#))).await;
    assert_eq!(components(&bed).await[0].host, "ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_catalog_refuses_leaves_what_is_running_alone() {
    let bed = Bed::open().await;
    bed.add(&one("alpha", "1.0.0", "go")).await;
    assert_eq!(output(&bed.run("go", json!({})).await), json!("1.0.0"));
    let other = one("alpha", "1.0.0", "go").replace("echo", "printf");
    assert_eq!(refused(&bed, &other).await.conclusion.code, enact_engine::conclude::CATALOG_CONFLICT);
    assert_eq!(output(&bed.run("go", json!({})).await), json!("1.0.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_finishes_on_the_version_it_began_with_also_over_a_restart() {
    let (mut bed, puppet) = Bed::with_puppet().await;
    puppet.shut();
    let old = bed.begin(draft("puppet.play.again", json!({}))).await;
    eventually("it runs", async || puppet.runs_of(old).len() == 1).await;
    bed.add(&crate::puppet::COMPONENT.replace("1.0.0", "2.0.0")).await;
    let new = bed.begin(draft("puppet.play.again", json!({}))).await;
    eventually("it runs too", async || puppet.runs_of(new).len() == 1).await;
    let states = components(&bed).await;
    let state = |version: &str| {
        let view = states.iter().find(|view| view.version == version).unwrap();
        (view.state.clone(), view.open_executions)
    };
    assert_eq!((state("1.0.0"), state("2.0.0")), (("draining".into(), 1), ("active".into(), 1)));
    let (name, version) = ("puppet".parse().unwrap(), "1.0.0".to_owned());
    refusal(bed.ask(Request::ComponentRemove { name, version, reason: "too early".into() }).await);
    bed.restart().await;
    puppet.open();
    bed.settled(old).await;
    bed.settled(new).await;
    let versions = |id| puppet.runs_of(id).into_iter().map(|run| run.version).collect::<Vec<_>>();
    assert_eq!((versions(old), versions(new)), (vec!["1.0.0".to_owned(); 2], vec!["2.0.0".to_owned(); 2]));
    let accepted = bed.records(old).await.remove(0);
    let enact_model::record::Body::IntentAccepted(accepted) = accepted.body else { panic!("{accepted:?}") };
    assert_eq!(*accepted.pin.version, *"1.0.0");
    bed.is_well().await;
}
