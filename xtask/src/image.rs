//! The image of `packaging/Containerfile` without a container engine: the Debian that it names, the run stage of the recipe typed into it,
//! and a hub that is started, asked for its health and ended there as the image says.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::failure::{Failure, Outcome, Place};
use crate::report::{Stages, must, say};
use crate::{demo, shell};

/// How long fetching and unpacking a Debian may take.
const DEBIAN_MAX: Duration = Duration::from_secs(15 * 60);
/// How long everything in it may take.
const IMAGE_MAX: Duration = Duration::from_secs(5 * 60);

/// Carries the recipe out as far as it goes here, in namespaces of its own, of which nothing is left.
const SCRIPT: &str = r#"
set -eu
mount -t proc proc "$ROOT/proc"
cat /etc/resolv.conf > "$ROOT/etc/resolv.conf"
env -i PATH="$PATH" chroot "$ROOT" sh -ec "$RUN"
as_image="env -i PATH=$PATH HOME=$HOME_OF $ENV ENACT_HTTP_LISTEN=0.0.0.0:0 chroot --userspec=$USER_OF $ROOT"
$as_image $START > "$ROOT/said" &
hub=$!
left=600
until grep -q 'listens on' "$ROOT/said"; do
  kill -0 $hub
  left=$((left - 1))
  [ $left -gt 0 ]
  sleep 0.1
done
cat "$ROOT/said"
$as_image $HEALTH
kill -s "$STOP" $hub
wait $hub
echo 'the hub ended as it was told'
"#;

/// The run stage of the recipe: what stands after its last `FROM`.
struct Recipe {
    text: String,
}

impl Recipe {
    fn read(root: &Path) -> Outcome<Self> {
        let path = root.join("packaging/Containerfile");
        let text = fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
        let text = text.replace("\\\n", " ");
        let (_, stage) = text.rsplit_once("\nFROM ").ok_or_else(|| Failure::to("find the run stage of the recipe"))?;
        Ok(Self { text: format!("FROM {stage}") })
    }

    /// Returns what follows an instruction.
    fn of(&self, instruction: &str) -> Outcome<String> {
        let mut lines = self.text.lines().filter_map(|line| line.strip_prefix(instruction)?.strip_prefix(' '));
        let found = lines.next().map(|rest| rest.split_whitespace().collect::<Vec<_>>().join(" "));
        found.ok_or_else(|| Failure::to(format!("find {instruction} in the run stage of the recipe")))
    }

    /// Returns the words of an instruction in its JSON form.
    fn words(&self, instruction: &str) -> Outcome<String> {
        let line = self.of(instruction)?;
        let array = line.find('[').and_then(|at| line.get(at..)).unwrap_or_default();
        let words: Vec<String> = serde_json::from_str(array).unwrap_or_default();
        must(!words.is_empty(), || format!("{instruction} has its words in JSON"))?;
        Ok(words.join(" "))
    }
}

/// Says why it cannot be tried here.
fn why_not() -> Option<String> {
    let is_root = shell::text(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !is_root {
        return Some("a chroot is made by root alone".to_owned());
    }
    let missing = ["debootstrap", "unshare", "chroot"]
        .into_iter()
        .find(|program| !shell::works(Command::new(program).arg("--version")))
        .map(|program| format!("{program} is not here"));
    missing.or_else(|| {
        let mounts = shell::works(Command::new("unshare").args(["--mount", "--pid", "--fork", "true"]));
        (!mounts).then(|| "this machine gives no namespaces".to_owned())
    })
}

/// Tries it, or says why it was skipped.
///
/// # Errors
/// The recipe's run stage cannot be typed, or the hub does not serve in it as the image says.
pub fn run(stages: &mut Stages) -> Outcome<()> {
    if let Some(why) = why_not() {
        stages.skip("the run stage of the image", why);
        return Ok(());
    }
    let checkout = shell::root();
    let recipe = Recipe::read(&checkout)?;
    let from = recipe.of("FROM")?;
    let suite = from.strip_prefix("debian:").and_then(|tag| tag.strip_suffix("-slim"));
    let suite = suite.ok_or_else(|| Failure::to(format!("find a Debian in {from}")))?;
    let folder = tempfile::tempdir_in(checkout.join("target")).doing(|| "make a folder".to_owned())?;
    let root = folder.path().join("root");
    say(format!("fetching a Debian {suite} into {}", root.display()));
    let mut fetch = Command::new("debootstrap");
    let fetched = shell::run_within(fetch.args(["--variant=minbase", suite]).arg(&root), DEBIAN_MAX)?;
    if !fetched.success {
        let why = fetched.output.lines().last().unwrap_or("debootstrap says nothing").to_owned();
        stages.skip("the run stage of the image", why);
        return Ok(());
    }
    let binary = demo::build()?;
    let copy = recipe.of("COPY")?;
    let target = copy.split(' ').next_back().unwrap_or_default().trim_start_matches('/').to_owned();
    fs::copy(&binary, root.join(target)).doing(|| "copy the binary".to_owned())?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SCRIPT]).env("ROOT", &root);
    command.env("RUN", recipe.of("RUN")?).env("ENV", recipe.of("ENV")?).env("USER_OF", recipe.of("USER")?);
    command.env("HOME_OF", recipe.of("VOLUME")?).env("HEALTH", recipe.words("HEALTHCHECK")?);
    command.env("START", format!("{} {}", recipe.words("ENTRYPOINT")?, recipe.words("CMD")?));
    command.env("STOP", recipe.of("STOPSIGNAL")?.trim_start_matches("SIG"));
    let ended = shell::run_within(&mut command, IMAGE_MAX)?;
    say(&ended.output);
    must(ended.success && ended.output.contains("the hub ended as it was told"), || {
        "a hub serves in the run stage of packaging/Containerfile".to_owned()
    })
}

/// The task of its own.
///
/// # Errors
/// As [`run`].
pub fn task() -> Outcome<()> {
    let mut stages = Stages::default();
    let result = stages.run("the run stage of the image", run);
    stages.print();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_stage_is_what_stands_after_the_last_from() {
        let recipe = Recipe::read(&shell::root()).unwrap();
        assert!(recipe.of("FROM").unwrap().starts_with("debian:"));
        assert!(recipe.of("RUN").unwrap().contains("useradd") && !recipe.text.contains("cargo build"));
        assert_eq!(recipe.words("ENTRYPOINT").unwrap(), "enact");
        assert!(recipe.of("WORKDIR").is_err());
    }
}
