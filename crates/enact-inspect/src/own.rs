//! Which packages of a fat jar are its own, and which came along.

use std::collections::BTreeMap;

use crate::filter::package;

/// Libraries that stand in most fat jars.
const LIBRARIES: [&str; 44] = [
    "java.",
    "javax.",
    "jakarta.",
    "kotlin.",
    "kotlinx.",
    "scala.",
    "groovy.",
    "clojure.",
    "akka.",
    "cats.",
    "zio.",
    "shapeless.",
    "io.netty.",
    "io.grpc.",
    "io.micrometer.",
    "io.vertx.",
    "io.circe.",
    "com.google.",
    "com.fasterxml.",
    "com.sun.",
    "com.typesafe.",
    "com.thoughtworks.",
    "com.zaxxer.",
    "com.ibm.icu.",
    "org.apache.",
    "org.slf4j.",
    "org.springframework.",
    "org.hibernate.",
    "org.eclipse.",
    "org.w3c.",
    "org.xml.",
    "org.bouncycastle.",
    "org.joda.",
    "org.json.",
    "org.json4s.",
    "org.jboss.",
    "org.yaml.",
    "org.objectweb.",
    "org.checkerframework.",
    "org.codehaus.",
    "org.intellij.",
    "org.jetbrains.",
    "org.codehaus.",
    "ch.qos.",
];
/// Words of a file name that name nothing.
const PLAIN_WORDS: [&str; 14] = [
    "jar",
    "with",
    "dependencies",
    "assembly",
    "all",
    "fat",
    "uber",
    "shaded",
    "standalone",
    "snapshot",
    "release",
    "final",
    "core",
    "java",
];

/// The packages that are taken when nobody says which, and why these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Packages, each with those below it; empty for all.
    pub packages: Vec<String>,
    /// Why, for people.
    pub why: String,
}

/// Tells own packages from what came along.
pub fn own<'a>(classes: impl Iterator<Item = &'a str>, main: Option<&str>, file: &str) -> Own {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for class in classes {
        *counts.entry(package(class).to_owned()).or_default() += 1;
    }
    let all = |why: &str| Own { packages: Vec::new(), why: why.to_owned() };
    let Some(common) = common(counts.keys()) else { return all("it has no classes") };
    if common.contains('.') {
        return all("all of its packages are below one");
    }
    let is_library = |package: &str| LIBRARIES.iter().any(|it| format!("{package}.").starts_with(it));
    if let Some(main) = main.filter(|main| counts.contains_key(package(main)) && !is_library(package(main))) {
        let packages = vec![family(package(main))];
        return Own { packages, why: format!("that is the package of its main class {main}") };
    }
    let words: Vec<String> = file
        .split(|it: char| !it.is_ascii_alphanumeric())
        .filter(|word| word.len() >= 3 && word.starts_with(|it: char| it.is_ascii_alphabetic()))
        .map(str::to_ascii_lowercase)
        .filter(|word| !PLAIN_WORDS.contains(&word.as_str()))
        .collect();
    let named = |package: &&String| package.split('.').any(|part| words.iter().any(|word| part == word));
    let mut found: Vec<String> = counts.keys().filter(named).map(|package| family(package)).collect();
    found.dedup();
    if !found.is_empty() && found.len() <= 4 {
        return Own { packages: found, why: "that is what its file is called".to_owned() };
    }
    let mut rest: Vec<String> = counts.keys().filter(|it| !is_library(it)).map(|package| family(package)).collect();
    rest.dedup();
    if rest.is_empty() || rest.len() > 40 {
        return all("nothing tells what is its own");
    }
    Own { packages: rest, why: "everything else is a well-known library".to_owned() }
}

/// The first two parts of a package: who made it, and mostly what.
fn family(package: &str) -> String {
    package.split('.').take(2).collect::<Vec<_>>().join(".")
}

fn common<'a>(mut packages: impl Iterator<Item = &'a String>) -> Option<String> {
    let mut common: Vec<&str> = packages.next()?.split('.').collect();
    for package in packages {
        let same = common.iter().zip(package.split('.')).take_while(|(one, other)| *one == other).count();
        common.truncate(same);
    }
    Some(common.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_packages_are_told_from_the_main_class_the_file_or_what_is_left() {
        let fat = ["com.acme.tool.Main", "com.acme.Deep", "org.slf4j.Logger", "io.netty.Buffer"];
        let packages = |main, file| own(fat.iter().copied(), main, file).packages;
        assert_eq!(packages(Some("com.acme.tool.Main"), "x.jar"), ["com.acme"]);
        assert_eq!(packages(None, "netty-4.1-all.jar"), ["io.netty"]);
        assert_eq!(packages(None, "x.jar"), ["com.acme"]);
        assert_eq!(packages(Some("org.springframework.Launcher"), "x.jar"), ["com.acme"]);
        let one = own(["com.acme.a.A", "com.acme.b.B"].into_iter(), None, "x.jar");
        assert!(one.packages.is_empty(), "{one:?}");
    }
}
