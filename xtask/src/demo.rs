//! `cargo xtask demo`: the main job from beginning to end, on real input, as a user would type it.
//!
//! Everything happens in a folder of its own with a store of its own; only processes that the demo started are ended,
//! each by its pid. What the story tells is checked while it is told, and the exit status says whether all of it was so.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::demo::hub::Hub;
use crate::failure::{Failure, Outcome, Place};
use crate::fixtures::{self, Fixtures};
use crate::options::Options;
use crate::report::{Stages, say, seconds, table};
use crate::setup::{self, Need};
use crate::shell;

mod answer;
mod crash;
mod documents;
mod http;
mod hub;
mod lines;
mod redis;
mod trouble;
mod warm;
mod wire;

/// What enact.yaml says until there is more to say.
const CONFIG: &str = "store: ./store\nsinks:\n  audit: { file: ./events.jsonl }\nlimits: { running: 8 }\n";

/// What happened, line by line, for the table at the end.
#[derive(Debug, Default)]
pub struct Told {
    rows: Vec<Vec<String>>,
    broken: usize,
}

impl Told {
    /// Notes what was shown; a thing that was not so fails the demo at its end, after the rest was told.
    pub fn so(&mut self, what: impl Into<String>, seen: impl Into<String>, fact: bool) {
        self.broken += usize::from(!fact);
        self.rows.push(vec![what.into(), seen.into(), if fact { "yes" } else { "NO" }.to_owned()]);
    }

    fn skipped(&mut self, what: &str, why: &str) {
        self.rows.push(vec![
            what.to_owned(),
            why.lines().next().unwrap_or(why).chars().take(60).collect(),
            "skipped".to_owned(),
        ]);
    }
}

/// Sets up, builds and tells the story.
///
/// # Errors
/// Something that the story tells was not so, or could not be tried.
pub fn run(options: &Options) -> Outcome<()> {
    let begin = Instant::now();
    let mut stages = Stages::default();
    let here = stages.run("what this machine needs", |_| {
        let needs: &[Need] = if fixtures::cached() { Need::WITHOUT_PIP } else { Need::ALL };
        let needs: Vec<Need> = needs.iter().copied().filter(|need| *need != Need::Python).collect();
        Ok(setup::ensure(options, &needs))
    })?;
    let fixtures = stages.run("a real fat JAR and real PDFs", |stages| {
        let fetched = fixtures::fetch(&here);
        Ok(match fetched {
            Ok(fixtures) if here.has(Need::Java) => Ok(fixtures),
            Ok(_) => Err(here.why_not(Need::Java)),
            Err(failure) => Err(failure.to_string()),
        }
        .inspect_err(|why| stages.skip("steps 1 to 3, the documents", why.as_str())))
    })?;
    // The dev profile: its dependencies are optimised, and a newcomer waits half as long for it.
    let binary = stages.run("building enact", |_| build())?;
    let folder = make_folder(fixtures.as_ref().ok())?;
    let missing = |need| (!here.has(need)).then(|| here.why_not(need));
    let old = || (!http::curl_works()).then(|| "this curl is older than 7.84".to_owned());
    let no_curl = missing(Need::Curl).or_else(old).inspect(|why| stages.skip("steps 7 and 8, over HTTP", why.as_str()));
    let no_redis = missing(Need::Redis).inspect(|why| stages.skip("step 8, a Redis Stream", why.as_str()));
    let compilers =
        [Need::Javac, Need::Scalac].into_iter().find(|need| !here.has(*need)).map(|need| here.why_not(need));
    match &compilers {
        None => stages.run("a Scala assembly", |_| warm::build(&folder))?,
        Some(why) => stages.skip("step 6, a Scala assembly kept warm", why.as_str()),
    }
    let mut told = Told::default();
    let found = Found { fixtures: fixtures.as_ref(), no_compiler: compilers, no_curl, no_redis };
    let result = story(&mut stages, &binary, &folder, &found, &mut told);
    say(format!("\n── what happened, in {} with {} skipped\n", seconds(begin.elapsed()), stages.skipped()));
    say(table(&["what", "seen", "so?"], &told.rows));
    let keep = options.keep || result.is_err() || told.broken > 0;
    where_next(&folder, &binary, keep);
    if !keep {
        fs::remove_dir_all(&folder).doing(|| format!("remove {}", folder.display()))?;
    }
    result?;
    if told.broken == 0 { Ok(()) } else { Err(Failure::to(format!("show {} of the things above", told.broken))) }
}

/// What the story can be told with, and why not where something is missing.
struct Found<'a> {
    fixtures: Result<&'a Fixtures, &'a String>,
    no_compiler: Option<String>,
    no_curl: Option<String>,
    no_redis: Option<String>,
}

fn story(stages: &mut Stages, binary: &Path, folder: &Path, found: &Found, told: &mut Told) -> Outcome<()> {
    say(format!("\nEverything below happens in {}; its enact.yaml says:\n", folder.display()));
    say(indented(&fs::read_to_string(folder.join("enact.yaml")).doing(|| "read enact.yaml".to_owned())?));
    let mut hub = Hub::start(binary, folder)?;
    match found.fixtures {
        Ok(fixtures) => documents::tell(stages, &hub, folder, fixtures, told)?,
        Err(why) => {
            for step in ["1 a fat JAR as a component", "2 a PDF becomes a reference", "3 its tables, derived from it"] {
                told.skipped(step, why);
            }
        }
    }
    stages.run("4. programs that misbehave, and one that does not", |_| trouble::tell(&hub, told))?;
    stages.run("5. kill -9 in the middle of a hundred executions", |_| crash::tell(&mut hub, folder, told))?;
    match &found.no_compiler {
        None => stages.run("6. a Scala assembly, kept warm", |_| warm::tell(&mut hub, folder, told))?,
        Some(why) => told.skipped("6 a Scala assembly, kept warm", why),
    }
    over_http(stages, &mut hub, folder, found, told)?;
    hub.stop()
}

/// The same over HTTP, and its events in a Redis Stream.
fn over_http(stages: &mut Stages, hub: &mut Hub, folder: &Path, found: &Found, told: &mut Told) -> Outcome<()> {
    if let Some(why) = &found.no_curl {
        told.skipped("7 the same over HTTP", why);
        told.skipped("8 its events in a Redis Stream", why);
        return Ok(());
    }
    let lines = lines::Lines::read(&shell::root())?;
    let redis = stages.run("7. the same over HTTP, from the lines of the README", |_| {
        say("the hub starts again, with a port that is known and one more sink where there is Redis");
        let redis = found.no_redis.is_none().then(|| redis::Redis::start(folder)).transpose()?;
        hub.stop()?;
        if let Some(redis) = &redis {
            let config = format!("{CONFIG}outbox: {{ default_sinks: [audit, stream] }}\n")
                .replace("sinks:\n", &format!("sinks:\n  stream: {}\n", redis.configuration()));
            say(indented(&config));
            fs::write(folder.join("enact.yaml"), config).doing(|| "write enact.yaml".to_owned())?;
        }
        hub.listen_on(redis::free_port()?);
        hub.serve()?;
        hub.show(&["component", "add", "orders"])?;
        let named = |document: &&PathBuf| document.ends_with(http::DOCUMENT);
        match found.fixtures.map(|fixtures| fixtures.documents.iter().find(named)) {
            Ok(Some(document)) => http::documents(hub, &lines, document, told)?,
            Ok(None) => told.skipped("7 a document by POST /v1/artifacts", "there is no such document"),
            Err(why) => told.skipped("7 a document by POST /v1/artifacts", why),
        }
        http::failure(hub, &lines, told)?;
        http::stream(hub, &lines, folder, told)?;
        Ok(redis)
    })?;
    match (&redis, &found.no_redis) {
        (Some(redis), _) => {
            // By intent, and as a function.
            let analyses = if found.fixtures.is_ok() { 2 } else { 0 };
            stages.run("8. its events in a Redis Stream, and kill -9 on the way", |_| {
                redis::tell(hub, &lines, redis, analyses, told)
            })
        }
        (None, why) => {
            told.skipped("8 its events in a Redis Stream", why.as_deref().unwrap_or("there is no Redis"));
            Ok(())
        }
    }
}

pub(crate) fn build() -> Outcome<PathBuf> {
    let root = shell::root();
    say("$ cargo build --package enact");
    shell::run(shell::cargo().current_dir(&root).args(["build", "--locked", "--package", "enact", "--bin", "enact"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    Ok(target.join("debug/enact"))
}

fn make_folder(fixtures: Option<&Fixtures>) -> Outcome<PathBuf> {
    let folder = std::env::temp_dir().join(format!("enact-demo-{}", std::process::id()));
    fs::create_dir(&folder).doing(|| format!("make {}", folder.display()))?;
    let examples = shell::root().join("examples");
    for name in ["content", "trouble", "jar-scala-pricing", "jar-java", "orders"] {
        let to = folder.join(name);
        fs::create_dir(&to).doing(|| format!("make {}", to.display()))?;
        copy(&examples.join(name).join("component.yaml"), &to.join("component.yaml"))?;
    }
    if let Some(fixtures) = fixtures {
        copy(&fixtures.jar, &folder.join("content/tabula.jar"))?;
        let documents = folder.join("content/documents");
        fs::create_dir(&documents).doing(|| format!("make {}", documents.display()))?;
        for document in &fixtures.documents {
            copy(document, &documents.join(document.file_name().unwrap_or_default()))?;
        }
    }
    fs::write(folder.join("enact.yaml"), CONFIG).doing(|| "write enact.yaml".to_owned())?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> Outcome<()> {
    fs::copy(from, to).doing(|| format!("copy {} to {}", from.display(), to.display())).map(|_| ())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn where_next(folder: &Path, binary: &Path, keep: bool) {
    say("\nwhere to look next:");
    if keep {
        let (folder, binary) = (folder.display(), binary.display());
        say(format!("  cd {folder} && {binary} execution list     what is left of this demo"));
        say(format!("  cd {folder} && {binary} wal show           every record of it"));
    } else {
        say("  cargo xtask demo --keep         the same, and the store stays for you to look into");
    }
    say("  examples/content/component.yaml  the whole integration of the JAR: no line of it was changed");
    say("  README.md                        five minutes to a first result of your own");
}
