//! The command line of `cargo xtask`: finds the task that was asked for and ends with its exit status.

use std::process::ExitCode;

use xtask::options::Options;
use xtask::{bench, demo, fixtures, image, jars, javas, jvm, libraries, mutants, report, setup, soak, suite, torture};

const USAGE: &str = "\
usage: cargo xtask TASK [OPTIONS]

tasks:
  demo                 shows the main job from beginning to end, on real input
  test [--full]        sets up, then runs every test; --full adds a browser, real jars, every Java, the image, the demo and every mutation
  mutants [ID…]        breaks the code with mutations/*.patch and expects the named tests to notice
  torture [--rounds N | --minutes M] [--seed S]
                       kills the real hub again and again and holds what is left against an outside ledger
  soak [--minutes M] [--kill-every S] [--json]
                       loads the real hub for an hour while it is killed: nothing lost, memory flat, p99 steady
  bench [--json] [--seconds N] [--row NAME]…
                       measures the hub beside the floor that the disk sets
  jvm                  builds the Java side of the jar host from jvm/src (needs javac)
  fixtures             fetches what demo and tests feed on into target/fixtures
  image                starts a hub in the run stage of packaging/Containerfile, in a chroot (needs root and debootstrap)
  jars                 takes hundreds of real jars through `enact component inspect`
  javas                runs the tests of the jar host on Java 11, 21 and 25
  libraries            calls Jackson and Guava of Spark and of Debian side by side in one JVM
  setup                looks for what the machine must have, and installs what is missing

options:
  -y, --yes            installs what is missing without asking (CI=true says the same)
  --no-install         installs nothing; what cannot run is skipped, with its reason, and counted
  --keep               demo: leaves its folder behind
";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let task = words.next().unwrap_or_default();
    if task == "bench" {
        return report::end(bench::bench(words), 1);
    }
    if task == "torture" {
        return report::end(torture::torture(words), 1);
    }
    if task == "soak" {
        return report::end(soak::soak(words), 1);
    }
    let options = match Options::parse(words) {
        Ok(options) => options,
        Err(failure) => return report::end(Err(failure), 2),
    };
    let result = match task.as_str() {
        "demo" => demo::run(&options),
        "test" => suite::run(&options),
        "mutants" => mutants::run(&options),
        "image" => image::task(),
        "jars" => jars::task(&options),
        "javas" => javas::task(&options),
        "jvm" => jvm::build(),
        "libraries" => libraries::task(&options),
        "fixtures" => fixtures::fetch(&setup::ensure(&options, &[setup::Need::Pip])).map(|_| ()),
        "setup" => {
            let _here = setup::ensure(&options, setup::Need::ALL);
            Ok(())
        }
        "help" | "-h" | "--help" => {
            report::say(USAGE);
            Ok(())
        }
        _ => {
            report::say(USAGE);
            return ExitCode::from(2);
        }
    };
    report::end(result, 1)
}
