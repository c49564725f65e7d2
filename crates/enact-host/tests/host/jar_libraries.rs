//! Libraries that nobody here made, in versions that contradict each other, side by side in one JVM.

use std::collections::BTreeMap;
use std::path::Path;

use enact_host::conformance::Target;
use enact_host::contract::Host;
use enact_model::descriptor::{JavaCall, JavaMethod, JavaParam, Returns};
use enact_model::digest::Digest;
use serde_json::json;

use crate::jar::{call, output, started};
use crate::jars::{Jars, changed, shape_of, skip, without_java};

const JACKSON: &str = "com.fasterxml.jackson.databind.ObjectMapper";
const OBJECTS: &str = "com.google.common.base.Objects";
const STRINGS: &str = "com.google.common.base.Strings";

/// A component whose class path is the jars of a folder as they are, with one operation, `echo`.
fn of_folder(jars: &Jars, folder: &Path, name: &str, method: (&str, &str), params: &[&str]) -> Target {
    let unnamed = |name: &&str| JavaParam { name: (*name).to_owned(), of: None };
    let method = JavaMethod {
        class: method.0.to_owned(),
        method: method.1.to_owned(),
        params: Some(params.iter().map(unnamed).collect()),
        returns: None,
    };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let digest: Digest = jars.bench.artifacts.put(&std::fs::read(&path).unwrap());
        files.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), digest);
    }
    changed(&jars.component(name, |_| {}), |component| {
        let shape = shape_of(component);
        shape.paths = files.keys().cloned().collect();
        shape.files = files.clone();
        shape.jvm = Some("libraries".parse().unwrap());
        let operations = component.services.values_mut().next().unwrap();
        operations.retain(|name, _| name.as_str() == "echo");
        for operation in operations.values_mut() {
            (operation.call.java, operation.returns) = (Some(JavaCall::Method(method.clone())), Returns::Output);
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jackson_and_guava_of_spark_and_of_debian_run_side_by_side_in_one_process() {
    let test = "jar_libraries::jackson_and_guava_of_spark_and_of_debian_run_side_by_side_in_one_process";
    if without_java(test) {
        return;
    }
    let Some(folder) = std::env::var_os("ENACT_TEST_LIBRARIES") else {
        return skip(test, "the libraries of Spark and of Debian are fetched by `cargo xtask test --full` alone");
    };
    let folder = Path::new(&folder);
    let jars = Jars::bare(|_| {});
    let add = async |of: &str, name: &str, method: (&str, &str), params: &[&str]| {
        started(&jars, of_folder(&jars, &folder.join(of), name, method, params)).await
    };
    let version = (JACKSON, "version");
    let newer = add("spark", "jackson-of-spark", version, &[]).await;
    let older = add("debian", "jackson-of-debian", version, &[]).await;
    // One was taken out of Guava long before the other came into it.
    let (goes, comes) = ((OBJECTS, "firstNonNull"), (STRINGS, "lenientFormat"));
    let goes = add("spark", "guava-of-spark", goes, &["first", "second"]).await;
    let comes = add("debian", "guava-of-debian", comes, &["template", "args"]).await;
    for _ in 0..3 {
        let seen = [
            call(&jars, &newer, json!(null)).await,
            call(&jars, &older, json!(null)).await,
            call(&jars, &goes, json!({"first": null, "second": "second"})).await,
            call(&jars, &comes, json!({"template": "%s and %s", "args": ["one", 2]})).await,
        ];
        let [newer, older, goes, comes] = seen.each_ref().map(output);
        let version = |said: &serde_json::Value| (said["majorVersion"].clone(), said["minorVersion"].clone());
        assert_eq!(version(&newer), (json!(2), json!(15)), "{newer}");
        assert_eq!(version(&older), (json!(2), json!(14)), "{older}");
        assert_eq!((goes, comes), (json!("second"), json!("one and 2")));
        assert!(seen.iter().all(|one| one.instance == seen[0].instance), "they are in one process");
    }
    jars.host.shutdown().await;
}
