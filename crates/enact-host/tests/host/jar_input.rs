//! Jars as people bring them: signed, for several releases of Java, with jars inside, with methods that fit and that do not.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use enact_host::conformance::{Target, call_of, no_port};
use enact_host::contract::{CancelToken, Host, HostObservation, Secrets};
use enact_model::descriptor::{JavaCall, JavaParam, Returns};
use enact_model::json::Json;
use enact_model::observation::{Fault, FaultKind, Reached};
use serde_json::json;

use crate::jar::{AMPLE, call, call_within, output, started};
use crate::jars::{Jars, changed, compile, holds_exits, method, shape_of, without_java};

const ODD: &str = r#"
import java.util.*;
import java.util.stream.*;

public class Odd {
    public static String pick(int value) { return "int"; }
    public static String pick(String value) { return "text"; }
    public static <T> List<T> same(List<T> all) { return all; }
    public static int sum(int... all) { int sum = 0; for (int one : all) sum += one; return sum; }
    private static String hidden() { return ""; }
    public Odd(int needed) { }
    public String ofAnObject() { return ""; }
    public static Stream<Integer> few() { return IntStream.range(0, 3).boxed(); }
    public static Stream<Integer> endless() { return Stream.iterate(1, one -> one + 1); }
    public static Iterator<String> lazy() { return Arrays.asList("a", "b").iterator(); }
    public static Object throwing() { return Throws.VALUE; }
    public static Object exiting() { return Exits.VALUE; }
    public static Object sleeping() { return Sleeps.VALUE; }
    public static String fine() { return "fine"; }
    static class Throws { static final Object VALUE = fail(); static Object fail() { throw new IllegalStateException("no licence"); } }
    static class Exits { static final Object VALUE = fail(); static Object fail() { System.exit(9); return 1; } }
    static class Sleeps { static final Object VALUE = fail(); static Object fail() {
        long end = System.nanoTime() + 60_000_000_000L;
        while (System.nanoTime() < end) Thread.interrupted();
        return 1; } }
}
"#;

/// A component of this jar with an operation for each of these methods, called as they are.
fn of(jars: &Jars, name: &str, jar: &[u8], class: &str, methods: &[&str]) -> Target {
    let digest = jars.bench.artifacts.put(jar);
    let target = jars.component(name, |_| {});
    let made = changed(&target, |component| {
        shape_of(component).files = [("probes.jar".to_owned(), digest)].into();
        let operations = component.services.get_mut(&target.service).unwrap();
        let like = operations.get(&target.operation).unwrap().clone();
        operations.clear();
        for called in methods {
            let mut operation = like.clone();
            (operation.call.java, operation.returns) = (Some(method(class, called)), Returns::Output);
            operations.insert(called.parse().unwrap(), operation);
        }
    });
    made.at(methods[0])
}

#[track_caller]
fn fault(seen: &HostObservation) -> &Fault {
    seen.as_fault().unwrap_or_else(|| panic!("{:?}", seen.seen))
}

fn run(folder: &Path, program: &str, args: &[&str]) {
    let output = Command::new(program).current_dir(folder).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_that_fit_are_called_and_every_one_that_does_not_is_named_before_a_call() {
    let test = "jar_input::methods_that_fit_are_called_and_every_one_that_does_not_is_named_before_a_call";
    if without_java(test) {
        return;
    }
    let jars = Jars::new(false);
    let jar = compile(&[("Odd.java", ODD)], "8");
    let fits = started(&jars, of(&jars, "fits", &jar, "Odd", &["same", "sum", "few", "lazy", "endless"])).await;
    assert_eq!(output(&call(&jars, &fits.at("same"), json!([1, "a", null])).await), json!([1, "a", null]));
    assert_eq!(output(&call(&jars, &fits.at("sum"), json!([1, 2, 3])).await), json!(6));
    assert_eq!(output(&call(&jars, &fits.at("few"), json!(null)).await), json!([0, 1, 2]));
    assert_eq!(output(&call(&jars, &fits.at("lazy"), json!(null)).await), json!(["a", "b"]));
    let endless = call(&jars, &fits.at("endless"), json!(null)).await;
    assert_eq!((fault(&endless).kind, fault(&endless).reached), (FaultKind::OutputTooLarge, Reached::Yes));
    let odd = ["pick", "hidden", "of-an-object", "gone"];
    let odd = changed(&of(&jars, "odd", &jar, "Odd", &odd), |component| {
        let operations = component.services.values_mut().next().unwrap();
        operations.get_mut(&"of-an-object".parse().unwrap()).unwrap().call.java = Some(method("Odd", "ofAnObject"));
    });
    let odd = started(&jars, odd).await;
    let why = jars.host.probe(&odd.component.name, "1.0.0").await.unwrap_err();
    assert_eq!((why.kind, why.reached), (FaultKind::InitRefused, Reached::No));
    for says in [
        "probe.pick: pick of Odd is overloaded: pick(String), pick(int); name the one that is meant by the types in params",
        "probe.hidden: hidden of Odd is not public",
        "probe.of-an-object: ofAnObject is no static method, and Odd has no public constructor without parameters",
        "probe.gone: Odd has no method gone",
    ] {
        assert!(why.message.contains(says), "{says} is not in:\n{}", why.message);
    }
    jars.host.shutdown().await;
}

const KEYED: &str = r#"
import java.util.Map;

public class Keyed {
    public static Object keys(Map<String, Object> given) { return given.get("secrets"); }
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_finds_the_secrets_of_its_call_in_its_context() {
    if without_java("jar_input::a_method_finds_the_secrets_of_its_call_in_its_context") {
        return;
    }
    let jars = Jars::new(false);
    let keyed = of(&jars, "keyed", &compile(&[("Keyed.java", KEYED)], "8"), "Keyed", &["keys"]);
    let keyed = changed(&keyed, |component| {
        let operation = component.services.values_mut().next().unwrap().values_mut().next().unwrap();
        let Some(JavaCall::Method(method)) = &mut operation.call.java else { panic!("it is a method") };
        method.params = Some(vec![JavaParam { name: "given".to_owned(), of: Some("enact.context".to_owned()) }]);
    });
    let keyed = started(&jars, keyed).await;
    let mut asked = call_of(&keyed, Json::null(), AMPLE);
    asked.secrets = Secrets::new([("API_KEY".to_owned(), "hunter2".to_owned())].into());
    let seen = jars.host.invoke(asked, no_port(), CancelToken::never()).await;
    assert_eq!(output(&seen), json!({ "API_KEY": "hunter2" }));
    assert_eq!(output(&call(&jars, &keyed, json!(null)).await), json!(null));
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_initialiser_that_throws_exits_or_sleeps_does_so_in_the_call_that_met_it() {
    let test = "jar_input::a_static_initialiser_that_throws_exits_or_sleeps_does_so_in_the_call_that_met_it";
    if without_java(test) {
        return;
    }
    let jars = Jars::new(false);
    let methods = ["fine", "throwing", "exiting", "sleeping"];
    let target = started(&jars, of(&jars, "odd", &compile(&[("Odd.java", ODD)], "8"), "Odd", &methods)).await;
    let first = call(&jars, &target, json!(null)).await;
    let thrown = call(&jars, &target.at("throwing"), json!(null)).await;
    assert_eq!(fault(&thrown).kind, FaultKind::HandlerBroken);
    assert!(fault(&thrown).evidence.stack.as_ref().is_some_and(|stack| stack.contains("no licence")));
    if holds_exits() {
        let exited = call(&jars, &target.at("exiting"), json!(null)).await;
        assert_eq!((fault(&exited).kind, fault(&exited).evidence.exit_code), (FaultKind::ExitedNonZero, Some(9)));
        assert_eq!(call(&jars, &target, json!(null)).await.instance, first.instance);
    }
    // It listens to nobody, and every other call that needs its class would wait for it.
    let asleep = call_within(&jars, &target.at("sleeping"), json!(null), Duration::from_secs(2)).await;
    assert_eq!(fault(&asleep).kind, FaultKind::DeadlineExceeded);
    let after = call(&jars, &target, json!(null)).await;
    assert_eq!(output(&after), json!("fine"));
    assert_ne!(after.instance, asleep.instance);
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_jar_is_called_and_one_that_was_changed_after_it_was_signed_is_refused() {
    let test = "jar_input::a_signed_jar_is_called_and_one_that_was_changed_after_it_was_signed_is_refused";
    if without_java(test) {
        return;
    }
    let jars = Jars::new(false);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("odd.jar"), compile(&[("Odd.java", ODD)], "8")).unwrap();
    let store = ["-keystore", "keys", "-storepass", "changeit", "-storetype", "PKCS12"];
    let key = ["-genkeypair", "-alias", "acme", "-keyalg", "EC", "-dname", "CN=acme", "-keypass", "changeit"];
    run(folder, "keytool", &[&key[..], &store].concat());
    run(folder, "jarsigner", &[&store[..], &["odd.jar", "acme"]].concat());
    let signed =
        started(&jars, of(&jars, "signed", &fs::read(folder.join("odd.jar")).unwrap(), "Odd", &["fine"])).await;
    assert_eq!(output(&call(&jars, &signed, json!(null)).await), json!("fine"));

    let other = ODD.replace("\"fine\"", "\"forged\"");
    fs::write(folder.join("other.jar"), compile(&[("Odd.java", &other)], "8")).unwrap();
    run(folder, "jar", &["xf", "other.jar", "Odd.class"]);
    run(folder, "jar", &["uf", "odd.jar", "Odd.class"]);
    let forged =
        started(&jars, of(&jars, "forged", &fs::read(folder.join("odd.jar")).unwrap(), "Odd", &["fine"])).await;
    let why = jars.host.probe(&forged.component.name, "1.0.0").await.unwrap_err();
    assert_eq!(why.kind, FaultKind::InitRefused);
    assert!(
        why.message.contains("java.lang.SecurityException") && why.message.contains("Odd.class"),
        "{}",
        why.message
    );
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jar_for_several_releases_gives_the_class_for_the_java_that_runs() {
    if without_java("jar_input::a_jar_for_several_releases_gives_the_class_for_the_java_that_runs") {
        return;
    }
    let jars = Jars::new(false);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let source = |text: &str| format!("public class Which {{ public static String one() {{ return \"{text}\"; }} }}");
    fs::write(folder.join("Which.java"), source("newer")).unwrap();
    run(folder, "javac", &["--release", "11", "-d", "versions", "Which.java"]);
    fs::write(folder.join("which.jar"), compile(&[("Which.java", &source("old"))], "8")).unwrap();
    run(folder, "jar", &["--update", "--file", "which.jar", "--release", "11", "-C", "versions", "."]);
    let jar = fs::read(folder.join("which.jar")).unwrap();
    let wanted = if crate::jars::release() < 11 { "old" } else { "newer" };
    for jvm in [None, Some("legacy")] {
        let target = changed(&of(&jars, jvm.unwrap_or("own"), &jar, "Which", &["one"]), |component| {
            shape_of(component).jvm = jvm.map(|name| name.parse().unwrap());
        });
        let target = started(&jars, target).await;
        assert_eq!(output(&call(&jars, &target, json!(null)).await), json!(wanted), "{jvm:?}");
    }
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jar_with_its_classes_in_jars_inside_says_what_to_do_and_that_helps() {
    if without_java("jar_input::a_jar_with_its_classes_in_jars_inside_says_what_to_do_and_that_helps") {
        return;
    }
    let jars = Jars::new(false);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let library = "package lib; public class Library { public static String name() { return \"inside\"; } }";
    let app = "public class App { public static String name() { return lib.Library.name(); } }";
    let both = compile(&[("lib/Library.java", library), ("App.java", app)], "8");
    fs::write(folder.join("both.jar"), both).unwrap();
    fs::create_dir_all(folder.join("boot/BOOT-INF/lib")).unwrap();
    fs::create_dir_all(folder.join("boot/BOOT-INF/classes")).unwrap();
    run(folder, "jar", &["xf", "both.jar"]);
    run(folder, "jar", &["cf", "boot/BOOT-INF/lib/library.jar", "lib/Library.class"]);
    fs::copy(folder.join("App.class"), folder.join("boot/BOOT-INF/classes/App.class")).unwrap();
    run(folder, "jar", &["cf", "app.jar", "-C", "boot", "."]);
    let nested =
        started(&jars, of(&jars, "nested", &fs::read(folder.join("app.jar")).unwrap(), "App", &["name"])).await;
    let why = jars.host.probe(&nested.component.name, "1.0.0").await.unwrap_err();
    assert_eq!(why.kind, FaultKind::InitRefused);
    let says = "has other jars inside (BOOT-INF/lib); unpack them and name all in `paths`";
    assert!(why.message.contains(says), "{}", why.message);

    run(folder, "jar", &["cf", "classes.jar", "-C", "boot/BOOT-INF/classes", "."]);
    let put = |path: &str| jars.bench.artifacts.put(&fs::read(folder.join(path)).unwrap());
    let files = [("classes.jar", put("classes.jar")), ("library.jar", put("boot/BOOT-INF/lib/library.jar"))];
    let unpacked = changed(&nested, |component| {
        component.version = "1.1.0".to_owned();
        let shape = shape_of(component);
        shape.paths = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        shape.files = files.iter().map(|(name, digest)| ((*name).to_owned(), *digest)).collect();
    });
    let unpacked = started(&jars, unpacked).await;
    assert_eq!(output(&call_within(&jars, &unpacked, json!(null), AMPLE).await), json!("inside"));
    jars.host.shutdown().await;
}
