//! Components and solutions that come over the network, and what is no package.

use enact_runtime::api::Role;
use serde_json::json;

use crate::bed::Bed;
use crate::http::{Answer, Ask};

const DESCRIPTOR: &str = "component: far\nversion: 1.0.0\nprocess: { command: [sh, ./say.sh], files: [say.sh] }\nservices:\n  s:\n    \
    say: { kind: query, call: { stdout: text, stdin: empty } }\n";

fn tar(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, text) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        // By hand, since the builder refuses what a stranger may send.
        let field = &mut header.as_gnu_mut().unwrap().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

async fn send(bed: &Bed, query: &str, body: Vec<u8>, token: &str) -> Answer {
    let path = format!("/v1/components{query}");
    bed.ask(Ask::new("POST", &path).raw("application/x-tar", body).token(token)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_checked_and_added_as_a_tar_and_a_solution_as_its_yaml() {
    let bed = Bed::open().await;
    let admin = bed.token("default", Role::Admin);
    let package = tar(&[("./component.yaml", DESCRIPTOR), ("./say.sh", "echo from far\n")]);
    let checked = send(&bed, "?check=true", package.clone(), &admin).await.is(200).json();
    assert_eq!((&checked["component"], &checked["operations"]), (&json!("far"), &json!(1)));
    bed.get("/v1/components/far").await.is(404);
    // As `tar -cf - .` writes it: the folder itself comes first.
    let mut whole = tar::Builder::new(Vec::new());
    let mut root = tar::Header::new_gnu();
    root.set_entry_type(tar::EntryType::Directory);
    root.set_mode(0o755);
    root.set_size(0);
    whole.append_data(&mut root, "./", std::io::empty()).unwrap();
    let whole = [whole.into_inner().unwrap()[..512].to_vec(), package.clone()].concat();
    send(&bed, "?check=true", whole, &admin).await.is(200);
    send(&bed, "", package, &admin).await.is(201);
    assert_eq!(bed.post("/rest/v1/far/s/say", json!({})).await.is(200).json(), "from far\n");
    let yaml = b"solution: shop\ncomponents: { far: \">=1.0.0\" }\n".to_vec();
    bed.ask(Ask::new("POST", "/v1/solutions").raw("application/yaml", yaml).token(&admin)).await.is(201);
    assert!(bed.get("/v1/solutions").await.is(200).text().contains("shop"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_package_is_refused_by_name_and_nothing_outside_is_written() {
    let bed = Bed::open().await;
    let admin = bed.token("default", Role::Admin);
    let outside = std::path::Path::new("/enact-writes-nothing-here");
    let mut link = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    link.append_link(&mut header, "say.sh", "/etc/passwd").unwrap();
    let whole = tar(&[("component.yaml", DESCRIPTOR), ("say.sh", "echo\n")]);
    for (body, said) in [
        (b"this is no tar at all, whatever it says".repeat(40), "no tar"),
        (whole[..whole.len() / 3].to_vec(), "the file `say.sh` does not exist"),
        (whole[..700].to_vec(), "no tar"),
        (Vec::new(), "component.yaml"),
        (tar(&[("../component.yaml", DESCRIPTOR)]), "no path inside"),
        (tar(&[("/enact-writes-nothing-here", "x")]), "no path inside"),
        (link.into_inner().unwrap(), "neither a file nor a folder"),
        (tar(&[("say.sh", "1"), ("./say.sh", "2")]), "cannot be made"),
        (tar(&[("component.yaml", DESCRIPTOR)]), "say.sh"),
    ] {
        let answer = send(&bed, "", body, &admin).await;
        assert!((400..500).contains(&answer.status), "{said}: {answer:?}");
        assert!(answer.text().contains(said), "{said}: {}", answer.text());
        assert!(!answer.text().contains("/tmp/") && !answer.text().contains("/package/"), "{}", answer.text());
    }
    assert!(!outside.exists());
    bed.get("/v1/components/far").await.is(404);

    let operator = bed.token("default", Role::Operator);
    send(&bed, "", whole.clone(), &operator).await.is(403);
    let form = Ask::new("POST", "/v1/components").raw("text/plain", whole).token(&admin);
    bed.ask(form).await.is(415);
    let odd = Ask::new("POST", "/v1/solutions").raw("application/yaml", b"solution: [".to_vec()).token(&admin);
    let odd = bed.ask(odd).await;
    assert!((400..500).contains(&odd.status) && odd.text().contains("solution.yaml"), "{odd:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_and_its_components_tell_of_themselves_whoever_asks() {
    let bed = Bed::open().await;
    let viewer = bed.token("default", Role::Viewer);
    for name in ["enact", "text"] {
        for question in ["help", "describe", "components", "services", "operations", "schema", "tree", "version"] {
            let path = format!("/rest/v1/{name}/meta/{question}");
            let got = bed.ask(Ask::new("GET", &path).token(&viewer)).await.is(200).text();
            assert_eq!(bed.post(&path, json!({})).await.is(200).text(), got, "{path}");
        }
    }
    let schema = bed.get("/rest/v1/text/meta/schema?operation=words.typed").await.is(200).json();
    assert_eq!(schema["text.words.typed"]["input"]["required"], json!(["n"]));
    let near = bed.get("/rest/v1/text/meta/tre").await.is(404).json();
    assert!(near["hint"].as_str().unwrap().contains("tree"), "{near}");
    bed.get("/rest/v1/txt/meta/tree").await.is(404);
    bed.get("/rest/v1/text/meta/tree?versoin=1").await.is(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_of_the_command_line_is_answered_as_over_the_socket_but_for_what_names_files() {
    let bed = Bed::open().await;
    let admin = bed.token("default", Role::Admin);
    let ask = |question: serde_json::Value| Ask::new("POST", "/v1/ask").json(&question).token(&admin);
    let listed = bed.ask(ask(json!("components"))).await.is(200).json();
    assert_eq!(listed["components"][0]["name"], "text");
    for (question, route) in [
        (json!({ "component_add": { "path": "/etc" } }), "/v1/components"),
        (json!({ "component_check": { "path": "/etc" } }), "check=true"),
        (json!({ "solution_bind": { "path": "/etc/passwd" } }), "/v1/solutions"),
        (json!({ "artifact_put": { "path": "/etc/passwd" } }), "/v1/artifacts"),
        (
            json!({ "artifact_get": { "reference": { "digest": format!("sha256:{}", "0".repeat(64)) }, "target": "/x" } }),
            "/v1/artifacts",
        ),
    ] {
        let refused = bed.ask(ask(question)).await;
        assert!((400..500).contains(&refused.status) && refused.text().contains(route), "{refused:?}");
    }
    bed.ask(ask(json!({ "no_such": {} }))).await.is(400);
    bed.post("/v1/ask", json!("doctor")).await.is(403);
}
