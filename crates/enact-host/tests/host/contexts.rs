//! A call carries its context if its operation takes it, and does not where the worker has said that it does not (C3).

use std::time::Duration;

use enact_host::conformance::{Target, call_of, no_port};
use enact_host::contract::{Call, CancelToken, Host, HostObservation, HostSeen, Secrets};
use enact_model::descriptor::{JavaCall, JavaMethod, JavaParam, Returns, Shape};
use enact_model::json::Json;
use serde_json::{Value, json};

use crate::jar::{AMPLE, output, started};
use crate::jars::{Jars, changed, compile_with, shape_of, without_java};
use crate::shapes::{Bench, Worker};

fn call_with_a_secret(target: &Target) -> Call {
    let mut call = call_of(target, Json::of(&json!({ "key": "k" })), AMPLE);
    call.secrets = Secrets::new([("API_KEY".to_owned(), "hunter2".to_owned())].into());
    call
}

/// What a context says of a call, its secret included.
fn told(call: &Call) -> Value {
    let mut told = serde_json::to_value(&call.context).unwrap();
    told["secrets"] = json!({ "API_KEY": "hunter2" });
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_is_given_the_context_of_every_call_but_of_those_that_it_says_do_without() {
    let bench = Bench::new();
    for (mode, without) in [("plain", &[][..]), ("without", &["bare"])] {
        let Shape::Process(shape) = Worker::component(mode, mode, |_| {}).component.shape.clone() else {
            unreachable!("it is a process")
        };
        let target = Target::of(mode, shape, &["frame", "bare"], "frame");
        bench.host.start(target.component.clone(), target.digest).await.unwrap();
        for operation in ["frame", "bare"] {
            let target = target.at(operation);
            let call = call_with_a_secret(&target);
            let (told, trace) = (told(&call), call.context.trace().to_owned());
            let seen = bench.host.invoke(call, no_port(), CancelToken::never()).await;
            let HostSeen::Replied(reply) = &seen.seen else { panic!("{:?}", seen.seen) };
            let frame = reply.output.to_value();
            let wanted = if without.contains(&operation) { None } else { Some(&told) };
            assert_eq!(frame.get("context"), wanted, "{operation} of {mode}");
            // The rest is there either way.
            assert_eq!((&frame["argument"], &frame["trace"]), (&json!({ "key": "k" }), &json!(trace)));
            assert!(frame["budget_ms"].as_u64().is_some_and(|ms| ms > 0 && ms <= 30_000), "{frame}");
            let text = reply.output.as_str();
            assert_eq!(text.contains("hunter2"), wanted.is_some(), "{text}");
        }
    }
}

const TAKERS: &str = r#"
import java.lang.reflect.Field;
import java.util.*;

public class Takers {
    static Object said(Map<String, Object> context) {
        Map<String, Object> said = new TreeMap<>();
        for (Map.Entry<String, Object> entry : context.entrySet()) {
            if (entry.getValue() == null || !entry.getValue().getClass().getName().contains("Lambda")) {
                said.put(entry.getKey(), entry.getValue());
            }
        }
        return said;
    }
    public static Object byType(String key, Map<String, Object> given) { return said(given); }
    public static Object byHintOfItsOwn(Object given) { return said((Map<String, Object>) given); }
    public static Object byNameInParams(Map<String, Object> it) { return said(it); }
    public static Object byNameInTheClassFile(String key, Map<String, Object> context) { return said(context); }
    public static Object byNameAlone(Map<String, Object> whole, Map<String, Object> context) { return said(context); }
    public Object ofAnObject(String key, Map<String, Object> context) { return said(context); }
    public static Object asEffects(String key, Map<String, Object> context) { return Collections.singletonMap("output", said(context)); }
    public static Object bare(String key) throws Exception { return frame().keySet(); }
    public static Object bareMap(Map<String, Object> other) throws Exception { return frame().keySet(); }
    public static Object bareEffects(String key) throws Exception { return Collections.singletonMap("output", frame().keySet()); }

    /** What the call that runs here came with, as a component finds it that reaches into the classes of the JVM side. */
    static Map<String, Object> frame() throws Exception {
        Field calling = Class.forName("dev.enact.jvm.Exit", true, ClassLoader.getSystemClassLoader()).getDeclaredField("CALLING");
        calling.setAccessible(true);
        Object call = ((ThreadLocal<?>) calling.get(null)).get();
        Field frame = call.getClass().getDeclaredField("frame");
        frame.setAccessible(true);
        return (Map<String, Object>) frame.get(call);
    }
}
"#;

/// Names and types, the types empty where the descriptor leaves them out.
type Params = Option<&'static [(&'static str, &'static str)]>;

/// Methods, the types that the descriptor names for their parameters (or no parameters at all), and whether they answer effects.
const METHODS: [(&str, Params, bool); 10] = [
    ("byType", Some(&[("key", ""), ("given", "enact.context")]), false),
    ("byHintOfItsOwn", Some(&[("given", "enact.context")]), false),
    ("byNameInParams", Some(&[("context", "")]), false),
    ("byNameInTheClassFile", Some(&[("key", "")]), false),
    ("byNameAlone", None, false),
    ("ofAnObject", Some(&[("key", "")]), false),
    ("asEffects", Some(&[("key", "")]), true),
    ("bare", Some(&[("key", "")]), false),
    ("bareMap", Some(&[("key", "Map[String, Object]")]), false),
    ("bareEffects", Some(&[("key", "")]), true),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn java_code_that_takes_its_context_has_it_whichever_way_and_no_other_call_carries_it() {
    let test = "contexts::java_code_that_takes_its_context_has_it_whichever_way_and_no_other_call_carries_it";
    if without_java(test) {
        return;
    }
    let jars = Jars::new(false);
    let digest = jars.bench.artifacts.put(&compile_with(&[("Takers.java", TAKERS)], "8", &["-parameters"]));
    for shared in [false, true] {
        let name = if shared { "shared" } else { "own" };
        let target = jars.component(name, |shape| shape.jvm = shared.then(|| "legacy".parse().unwrap()));
        let target = changed(&target, |component| {
            shape_of(component).files = [("probes.jar".to_owned(), digest)].into();
            let operations = component.services.get_mut(&target.service).unwrap();
            let like = operations.get(&target.operation).unwrap().clone();
            operations.clear();
            for (called, params, effects) in METHODS {
                let param = |(name, of): &(&str, &str)| JavaParam {
                    name: (*name).to_owned(),
                    of: (!of.is_empty()).then(|| (*of).to_owned()),
                };
                let mut operation = like.clone();
                operation.returns = if effects { Returns::Effects } else { Returns::Output };
                operation.call.java = Some(JavaCall::Method(JavaMethod {
                    class: "Takers".to_owned(),
                    method: called.to_owned(),
                    params: params.map(|params| params.iter().map(param).collect()),
                    returns: None,
                }));
                operations.insert(called.to_lowercase().parse().unwrap(), operation);
            }
        });
        let target = started(&jars, target).await;
        for (called, _, _) in METHODS {
            let target = target.at(&called.to_lowercase());
            let mut call = call_with_a_secret(&target);
            if called == "bareMap" {
                call.argument = Json::of(&json!({ "key": { "context": 1 } }));
            }
            let told = told(&call);
            let seen: HostObservation = jars.host.invoke(call, no_port(), CancelToken::never()).await;
            let given = output(&seen);
            if called.starts_with("bare") {
                let carried: Vec<&str> = given.as_array().unwrap().iter().filter_map(Value::as_str).collect();
                assert!(carried.contains(&"argument") && !carried.contains(&"context"), "{called}, {name}: {given}");
                continue;
            }
            for (field, value) in told.as_object().unwrap() {
                assert_eq!(&given[field], value, "{field} of {called}, {name}");
            }
            assert!(given["budget_ms"].as_u64().is_some_and(|ms| Duration::from_millis(ms) <= AMPLE), "{given}");
        }
    }
    jars.host.shutdown().await;
}
