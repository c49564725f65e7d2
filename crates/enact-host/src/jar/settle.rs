//! What components that share a JVM ask of it, made into one: the widest limits, the Java that suits all of them, and no
//! option or variable that two of them want otherwise.

use std::collections::BTreeMap;

use enact_model::descriptor::{JarShape, JavaRange, Recycle};
use enact_model::observation::{Fault, FaultKind};

/// Most memory for classes that a JVM can be given, in bytes.
const METASPACE_MAX_BYTES: u64 = 64 << 30;

/// Returns the shape of the JVM for all of these, each with its name for people.
///
/// # Errors
/// Two of them contradict each other; the fault names both, and what it is about.
pub(super) fn settle(jvm: &str, all: &[(String, JarShape)]) -> Result<JarShape, Fault> {
    for (at, (late, shape)) in all.iter().enumerate() {
        for (early, other) in all.iter().take(at) {
            if let Some((about, wanted, held)) = contradiction(shape, other) {
                let text = format!(
                    "{late} cannot share the JVM {jvm} with {early}: {about} is {wanted} for the one and {held} for the \
                     other; make them agree, or give one of them another `jvm`"
                );
                return Err(FaultKind::StartFailed.fault(text));
            }
        }
    }
    let mut shapes = all.iter().map(|(_, shape)| shape);
    let first = shapes.next().ok_or_else(|| FaultKind::HostGone.fault(format!("nobody is in the JVM {jvm}")))?;
    let mut joint = JarShape { java: Some(first.wants()), ..first.clone() };
    for shape in shapes {
        widen(&mut joint, shape);
    }
    // Each brings its own of these; here they are nobody's.
    joint.paths.clear();
    joint.files.clear();
    joint.roots.clear();
    (joint.config, joint.main) = (None, None);
    Ok(joint)
}

/// Takes what another needs into a shape. Ranges of which every two meet have a release in common, so that this one exists.
fn widen(joint: &mut JarShape, other: &JarShape) {
    joint.java = joint.wants().and(other.wants());
    joint.memory_bytes = joint.memory_bytes.max(other.memory_bytes);
    // Everyone has classes of his own, whatever they are called.
    joint.metaspace_bytes = joint.metaspace_bytes.saturating_add(other.metaspace_bytes).min(METASPACE_MAX_BYTES);
    joint.threads = joint.threads.max(other.threads);
    joint.instances = joint.instances.max(other.instances);
    joint.calls_in_flight = joint.calls_in_flight.max(other.calls_in_flight);
    joint.start_timeout_ms = joint.start_timeout_ms.max(other.start_timeout_ms);
    joint.warm = joint.warm.max(other.warm);
    joint.idle_ms = joint.idle_ms.max(other.idle_ms);
    let sooner = |one: Option<u64>, two: Option<u64>| [one, two].into_iter().flatten().min();
    joint.recycle = Recycle {
        calls: sooner(joint.recycle.calls, other.recycle.calls),
        age_ms: sooner(joint.recycle.age_ms, other.recycle.age_ms),
        memory_bytes: sooner(joint.recycle.memory_bytes, other.recycle.memory_bytes),
    };
    for option in &other.options {
        if !joint.options.contains(option) {
            joint.options.push(option.clone());
        }
    }
    joint.env.extend(other.env.clone());
}

/// Returns what two shapes want otherwise, and how each wants it.
fn contradiction(one: &JarShape, two: &JarShape) -> Option<(String, String, String)> {
    if one.wants().and(two.wants()).is_none() {
        let text = |range: JavaRange| range.to_string();
        return Some(("what it runs on".to_owned(), text(one.wants()), text(two.wants())));
    }
    let (ours, theirs) = (said(&one.options), said(&two.options));
    let options = ours.into_iter().filter_map(|(what, word)| Some((what, word, *theirs.get(what)?)));
    let variables = one.env.iter().filter_map(|(name, value)| Some((&**name, &**value, two.env.get(name)?.as_str())));
    let mut otherwise = options.chain(variables).filter(|(_, ours, theirs)| ours != theirs);
    otherwise.next().map(|(what, ours, theirs)| (format!("`{what}`"), format!("`{ours}`"), format!("`{theirs}`")))
}

/// Returns the options that set something, by what they set; the last one counts. Others may be said as often as one likes.
fn said(options: &[String]) -> BTreeMap<&str, &str> {
    options.iter().filter_map(|option| Some((set_by(option)?, option.as_str()))).collect()
}

/// Returns what an option sets: `name` of `-Dname=value`, `Name` of `-XX:Name=1` and `-XX:+Name`, `ss` of `-Xss1m`.
fn set_by(option: &str) -> Option<&str> {
    if let Some(rest) = option.strip_prefix("-D").or_else(|| option.strip_prefix("-XX:")) {
        let name = rest.split('=').next().unwrap_or(rest);
        return Some(name.trim_start_matches(['+', '-']));
    }
    let sizes = ["ss", "ms", "mn"];
    option.strip_prefix("-X").and_then(|rest| sizes.into_iter().find(|size| rest.starts_with(size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> JarShape {
        let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
        (value["paths"], value["files"]) = (serde_json::json!([]), serde_json::json!({}));
        serde_json::from_value(value).unwrap()
    }

    fn settled(texts: &[&str]) -> Result<JarShape, String> {
        let all: Vec<_> =
            texts.iter().zip(["a 1.0.0", "b 1.0.0", "c 1.0.0"]).map(|(t, n)| (n.to_owned(), shape(t))).collect();
        settle("legacy", &all).map_err(|fault| fault.message)
    }

    #[test]
    fn limits_are_the_widest_classes_add_up_and_the_java_suits_all() {
        let joint = settled(&[
            r#"{"needs_java": 11, "memory_bytes": 100, "metaspace_bytes": 10, "options": ["-Da=1"], "warm": 0}"#,
            r#"{"java": {"least": 8, "most": 21}, "memory_bytes": 300, "metaspace_bytes": 20, "env": {"X": "1"},
                "recycle": {"calls": 5, "age_ms": 9}}"#,
            r#"{"java": {"least": 17}, "memory_bytes": 200, "options": ["-Da=1", "-Db=2"], "recycle": {"calls": 4}}"#,
        ])
        .unwrap();
        assert_eq!(joint.wants(), JavaRange { least: 17, most: Some(21) });
        assert_eq!((joint.memory_bytes, joint.metaspace_bytes, joint.warm), (300, 30 + JarShape::METASPACE_BYTES, 1));
        assert_eq!((joint.options, joint.env["X"].as_str()), (vec!["-Da=1".to_owned(), "-Db=2".to_owned()], "1"));
        assert_eq!(joint.recycle, Recycle { calls: Some(4), age_ms: Some(9), memory_bytes: None });
    }

    #[test]
    fn a_contradiction_names_both_and_what_it_is_about() {
        for (one, two, says) in [
            (
                r#"{"java": {"least": 8, "most": 11}}"#,
                r#"{"needs_java": 17}"#,
                "Java 17 or newer for the one and Java 8 to 11",
            ),
            (
                r#"{"options": ["-Da.b=1"]}"#,
                r#"{"options": ["-Da.b=2"]}"#,
                "`a.b` is `-Da.b=2` for the one and `-Da.b=1`",
            ),
            (r#"{"options": ["-XX:+UseZGC"]}"#, r#"{"options": ["-XX:-UseZGC"]}"#, "`UseZGC` is"),
            (r#"{"options": ["-Xss1m"]}"#, r#"{"options": ["-Xss2m"]}"#, "`ss` is"),
            (r#"{"env": {"TZ": "UTC"}}"#, r#"{"env": {"TZ": "CET"}}"#, "`TZ` is `CET` for the one and `UTC`"),
        ] {
            let why = settled(&[one, two]).unwrap_err();
            assert!(why.starts_with("b 1.0.0 cannot share the JVM legacy with a 1.0.0: "), "{why}");
            assert!(why.contains(says), "{why}");
        }
        assert!(settled(&[r#"{"options": ["-javaagent:a.jar"]}"#, r#"{"options": ["-javaagent:b.jar"]}"#]).is_ok());
    }
}
