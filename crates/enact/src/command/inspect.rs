//! `enact component inspect`: looks into jars, in this process, and prints a descriptor or every fact.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use enact_inspect::descriptor::{OPERATIONS_MAX, Wish, printable, warnings, write};
use enact_inspect::{Facts, Filter, Jars, survey};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;

/// How many classes are read before progress is drawn again.
const STEP: usize = 256;

/// Look into jars and print a descriptor that calls them; needs no Java and no hub.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --package or --class the packages of the main class or of the file's name are taken, not the libraries in a \
                  fat jar.\n\n\
                  Examples:\n  enact component inspect pricing-assembly.jar > component.yaml\n  \
                  enact component inspect tool.jar lib/*.jar --class 'com.acme.*Service' --kind query\n  \
                  enact component inspect tool.jar --json"
)]
pub struct InspectArgs {
    /// Jars of one class path, in their order
    #[arg(required = true, value_name = "JAR")]
    jars: Vec<PathBuf>,
    /// Only classes of packages that fit, with those below [may be repeated; * is any text]
    #[arg(long, value_name = "PATTERN")]
    package: Vec<String>,
    /// Only classes whose whole or last name fits [may be repeated]
    #[arg(long, value_name = "PATTERN")]
    class: Vec<String>,
    /// Only methods whose name fits [may be repeated]
    #[arg(long, value_name = "PATTERN")]
    method: Vec<String>,
    /// What every operation is said to be; a query may run again, so say it only of what changes nothing
    #[arg(long, value_enum, default_value = "command")]
    kind: Kind,
    /// Most operations in the descriptor
    #[arg(long, value_name = "NUMBER", default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..=OPERATIONS_MAX as i64))]
    limit: u16,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Command,
    Query,
}

/// Every fact, and what follows from them.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    facts: &'a Facts,
    warnings: Vec<String>,
    descriptor: Option<&'a str>,
}

impl InspectArgs {
    /// Carries the command out.
    ///
    /// # Errors
    /// A file that is no jar, or jars with nothing to call.
    pub fn carry_out(self, out: &mut Output) -> Result<(), Failure> {
        let mut jars = Jars::open(&self.jars)?;
        let filter = Filter { packages: self.package, classes: self.class, methods: self.method };
        let facts = survey(&mut jars, &filter, &mut |done, all| {
            if done.is_multiple_of(STEP) {
                out.draw_progress(&format!("class {done} of {all}"));
            }
        });
        out.clear_progress();
        let kind = match self.kind {
            Kind::Command => "command",
            Kind::Query => "query",
        };
        let descriptor = write(&facts, &Wish { kind, limit: usize::from(self.limit) });
        let warnings = warnings(&facts);
        if out.json {
            let descriptor = descriptor.as_ref().map(|it| it.text.as_str());
            return out.document(&Document { facts: &facts, warnings, descriptor });
        }
        for warning in &warnings {
            out.note(&format!("note: {warning}"));
        }
        let Some(descriptor) = descriptor else { return Err(nothing(&facts, filter.is_empty())) };
        out.note(&format!("looked at {}", printable(&facts.looked_at)));
        if descriptor.more > 0 {
            out.note(&format!(
                "wrote {} operations; {} more are there: --package, --class and --method choose, --limit writes more",
                descriptor.written, descriptor.more
            ));
        }
        out.bytes(descriptor.text.as_bytes())
    }
}

fn nothing(facts: &Facts, all: bool) -> Failure {
    let jars: Vec<&str> = facts.jars.iter().map(|jar| jar.path.as_str()).collect();
    let hint = match (all, facts.left_out.first(), facts.entry_points.first()) {
        (false, _, _) => {
            "see with `--package '*'` what there is, or with `--json` why methods were left out".to_owned()
        }
        (true, Some(one), _) => format!(
            "{} public methods were left out, such as {}.{}: {}; `--json` lists them",
            facts.left_out.len(),
            one.class,
            one.method,
            one.why
        ),
        (true, None, Some(entry)) => format!("`--class {}` starts what has a main method", entry.class),
        (true, None, None) => {
            "it has no public method that needs no object, and no class that can be made without arguments; \
                               write a small class that calls it, and inspect both jars"
                .to_owned()
        }
    };
    Failure::NothingToCall { jars: jars.join(", "), looked_at: printable(&facts.looked_at), hint: printable(&hint) }
}
