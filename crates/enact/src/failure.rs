//! Why a command did not end well: one type, one way to its conclusion, one place where it is shown and becomes an exit status.

pub mod report;

use std::io;
use std::path::PathBuf;

use enact_model::conclusion::{Conclusion, DetailCode};
use enact_model::id::ExecutionId;
use enact_model::json::{JsonError, JsonFault};
use enact_model::limits::PARAMETERS_TOO_LARGE_HINT;
use enact_model::outcome::Outcome;
use enact_model::record::Rejection;
use enact_model::taxonomy::{Category, Cause, Disposition, Interpretation, Responsibility, Symptom};
use enact_runtime::api::Refusal;
use enact_runtime::backup::BackupError;

use crate::config;
use crate::door::OpenFailure;
use crate::door::remote::RemoteError;
use crate::socket::client::ClientError;
use crate::socket::server::BindError;

/// Why a command did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration has faults.
    #[error(transparent)]
    Config(#[from] config::Faults),
    /// The hub did not do it.
    #[error("{}", .0.conclusion.message)]
    Refused(Box<Refusal>),
    /// The intent was not admitted.
    #[error("{}", .0.conclusion.message)]
    Rejected(Box<Rejection>),
    /// The execution is settled and not completed; it was shown already where that is one document.
    #[error("{}", .conclusion.message)]
    Settled {
        /// The execution.
        execution: ExecutionId,
        /// What its outcome means.
        conclusion: Box<Conclusion>,
    },
    /// The command stopped waiting before the execution was settled.
    #[error("{message}")]
    NotYet {
        /// The execution.
        execution: ExecutionId,
        /// What a person should know.
        message: String,
    },
    /// The log, the tables or the hub are not as they should be; what is wrong was shown already.
    #[error("{problems} problem{} found", if *.problems == 1 { " was" } else { "s were" })]
    Unsound {
        /// How many.
        problems: usize,
    },
    /// The hub was not reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The store could not be opened in this process.
    #[error(transparent)]
    Open(#[from] OpenFailure),
    /// A hub on another machine gave no answer.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The socket could not be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The door over HTTP could not be opened.
    #[error(transparent)]
    Http(#[from] enact_server::BindError),
    /// Tokens could not be read or changed.
    #[error(transparent)]
    Token(#[from] enact_server::access::TokenError),
    /// Secrets could not be read or changed.
    #[error(transparent)]
    Vault(#[from] enact_sink::vault::VaultError),
    /// The configuration names no file of secrets.
    #[error("failed to find the file of secrets: secrets.file is not set")]
    NoVault,
    /// A file that the command line names could not be read or written.
    #[error("failed to use {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A path that is no text.
    #[error("failed to name the path {}: it is not UTF-8", .0.display())]
    PathNotText(PathBuf),
    /// The input is no JSON that is taken.
    #[error("failed to read {from} as JSON at byte {}: {}", .error.offset, .error.kind)]
    Input {
        /// Where it came from.
        from: String,
        /// Why.
        error: JsonError,
    },
    /// The input is JSON and does not fit.
    #[error("failed to read the parameters: {0}")]
    Misfit(String),
    /// Standard output cannot be written.
    #[error("failed to write the answer: {0}")]
    Output(io::Error),
    /// A store could not be copied, verified or put back.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// It is done where the hub is.
    #[error("failed to do it from here: {what} is a matter of the machine of the hub")]
    NotRemote {
        /// What.
        what: String,
    },
    /// Nobody reads standard output any more.
    #[error("nobody reads the answer")]
    PipeClosed,
    /// The system refused something that a command needs.
    #[error("failed to {what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// The hub answered something else.
    #[error("failed to understand the hub: its answer does not fit the question")]
    Unexpected,
    /// A file is not read as a jar.
    #[error(transparent)]
    Inspect(#[from] enact_inspect::Error),
    /// A jar has nothing that a descriptor could call.
    #[error("failed to find anything to call in {jars}: looked at {looked_at}")]
    NothingToCall {
        /// The jars.
        jars: String,
        /// What was looked at, and why.
        looked_at: String,
        /// The way out.
        hint: String,
    },
    /// A second signal came.
    #[error("ended by a second signal")]
    EndedAtOnce,
}

/// Returns what it means that a secret could not be found or kept.
fn vault(error: &enact_sink::vault::VaultError) -> Conclusion {
    use enact_sink::vault::VaultError as E;
    let (symptom, cause, disposition) = match error {
        E::Unknown { .. } => (Symptom::NotFound, Cause::Relation, Disposition::FixInput),
        E::Name(_) | E::Value(_) | E::BadKey { .. } => (Symptom::FormatError, Cause::Format, Disposition::FixInput),
        E::NoKey { .. } | E::OtherKey { .. } | E::OpenKey { .. } => {
            (Symptom::Unavailable, Cause::Permission, Disposition::FixInput)
        }
        E::KeyThere { .. } => (Symptom::Duplicate, Cause::Conflict, Disposition::FixInput),
        E::Altered { .. } => (Symptom::Corrupted, Cause::Corruption, Disposition::Escalation),
        E::Newer { .. } => (Symptom::Unsupported, Cause::Format, Disposition::Escalation),
        E::Io { .. } | E::Random => (Symptom::Unavailable, Cause::Permission, Disposition::Escalation),
    };
    let code = DetailCode {
        category: Category::Configuration,
        symptom,
        cause,
        interpretation: Interpretation::ConfigurationFailure,
        disposition,
        responsibility: Responsibility::SystemAdmin,
    };
    let conclusion = Conclusion::new(code, error.to_string());
    match error.hint() {
        Some(hint) => conclusion.hint(hint),
        None => conclusion,
    }
}

/// Returns what it means that a token could not be made, found or kept.
fn token(error: &enact_server::access::TokenError) -> Conclusion {
    use enact_server::access::TokenError as E;
    let (symptom, cause, disposition, hint) = match error {
        E::Unknown(_) => {
            (Symptom::NotFound, Cause::Relation, Disposition::FixInput, "`enact token list` shows what there is")
        }
        E::Taken(_) => {
            (Symptom::Duplicate, Cause::Conflict, Disposition::FixInput, "name it otherwise, or revoke the other one")
        }
        E::Name(_) => {
            (Symptom::FormatError, Cause::Format, Disposition::FixInput, "write a name such as ci or billing-2")
        }
        E::Io { .. } => (
            Symptom::Unavailable,
            Cause::Permission,
            Disposition::Escalation,
            "the folder belongs to the owner of the store",
        ),
        E::Malformed { .. } => (
            Symptom::Corrupted,
            Cause::Corruption,
            Disposition::Escalation,
            "restore the file, or remove it: every token is void then",
        ),
        E::Newer { .. } => (
            Symptom::Unsupported,
            Cause::Format,
            Disposition::Escalation,
            "use the release that wrote it, or a newer one",
        ),
    };
    let code = DetailCode {
        category: Category::Security,
        symptom,
        cause,
        interpretation: Interpretation::DomainFailure,
        disposition,
        responsibility: Responsibility::SystemAdmin,
    };
    Conclusion::new(code, error.to_string()).hint(hint)
}

/// Returns what it means that a store could not be copied, verified or put back.
fn backup(error: &BackupError) -> Conclusion {
    let (symptom, cause, disposition, hint) = match error {
        BackupError::Taken(_) => {
            (Symptom::Duplicate, Cause::Conflict, Disposition::FixInput, "name a folder that is not there yet")
        }
        BackupError::NoBackup(_) => {
            (Symptom::NotFound, Cause::Relation, Disposition::FixInput, "`enact store backup` makes one")
        }
        BackupError::Damaged { .. } => {
            (Symptom::Corrupted, Cause::Corruption, Disposition::Escalation, "use another backup; nothing was written")
        }
        BackupError::Open(_)
        | BackupError::Read(_)
        | BackupError::Copy(_)
        | BackupError::Artifacts(_)
        | BackupError::Io { .. } => {
            (Symptom::Unavailable, Cause::Unknown, Disposition::Escalation, "see that the disk is there and has room")
        }
    };
    let code = DetailCode {
        category: Category::Datastore,
        symptom,
        cause,
        interpretation: Interpretation::SystemFailure,
        disposition,
        responsibility: Responsibility::SystemAdmin,
    };
    Conclusion::new(code, error.told()).hint(hint)
}

/// Returns what it means that a hub on another machine gave no answer.
fn remote(error: &RemoteError) -> Conclusion {
    use RemoteError as E;
    let (category, symptom, cause, disposition, hint) = match error {
        E::NoAddress => (
            Category::Configuration,
            Symptom::Missing,
            Cause::Format,
            Disposition::FixInput,
            "write --url https://host:port, or set client.url or ENACT_CLIENT_URL",
        ),
        E::Token(_) => (
            Category::Security,
            Symptom::NotFound,
            Cause::Relation,
            Disposition::FixInput,
            "name where the token is: --token file:PATH or env:NAME",
        ),
        E::Unreachable(_) => (
            Category::Network,
            Symptom::Unavailable,
            Cause::Unknown,
            Disposition::RetryLater,
            "nothing was done; --ca FILE names certificates that the system does not trust",
        ),
        E::Lost(_) => (
            Category::Network,
            Symptom::Unavailable,
            Cause::Unknown,
            Disposition::RetryLater,
            "whether it was carried out is not known; with --key an intent may be sent again",
        ),
        E::Between { .. } => (
            Category::Network,
            Symptom::Unavailable,
            Cause::Unknown,
            Disposition::RetryLater,
            "ask again when the hub is back; whether it was carried out is not known, with --key an intent may be sent again",
        ),
        E::Odd { .. } => (
            Category::Network,
            Symptom::FormatError,
            Cause::Format,
            Disposition::FixInput,
            "something else answers there, or a hub of another release",
        ),
    };
    let code = DetailCode {
        category,
        symptom,
        cause,
        interpretation: Interpretation::NetworkFailure,
        disposition,
        responsibility: Responsibility::User,
    };
    Conclusion::new(code, error.to_string()).hint(hint)
}

impl Failure {
    /// Makes the failure of a file.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// Returns what it means; the exit status follows from it.
    pub fn conclusion(&self) -> Conclusion {
        use Category as C;
        use Disposition::{Escalation, FixInput, RetryLater};
        use Interpretation as I;
        use Responsibility::{Developer, SystemAdmin, User};
        use Symptom as S;
        let make = |category, symptom, cause, interpretation, disposition, responsibility| {
            let code = DetailCode { category, symptom, cause, interpretation, disposition, responsibility };
            Conclusion::new(code, self.to_string())
        };
        match self {
            Self::Config(faults) => faults.conclusion(),
            Self::Refused(refusal) => refusal.conclusion.clone(),
            Self::Rejected(rejection) => rejection.conclusion.clone(),
            Self::Settled { conclusion, .. } => (**conclusion).clone(),
            Self::NotYet { execution, .. } => {
                make(C::Operation, S::Unavailable, Cause::Timeout, I::DomainFailure, RetryLater, User).hint(format!(
                    "`enact execution watch {execution}` goes on waiting, `enact execution cancel {execution}` ends it"
                ))
            }
            Self::Unsound { .. } => {
                make(C::Datastore, S::InvariantViolation, Cause::Inconsistency, I::Defect, Escalation, SystemAdmin)
            }
            Self::Client(error) => match error {
                ClientError::Refused(refusal) => refusal.conclusion.clone(),
                ClientError::NoHub => {
                    make(C::Service, S::NotFound, Cause::Relation, I::SystemFailure, RetryLater, SystemAdmin)
                        .hint("`enact serve` starts a hub on this store")
                }
                ClientError::Denied(_) => make(
                    C::Security,
                    S::PermissionDenied,
                    Cause::Permission,
                    I::ConfigurationFailure,
                    Escalation,
                    SystemAdmin,
                )
                .hint("the socket belongs to the user who runs the hub"),
                ClientError::Lost | ClientError::Silent => {
                    make(C::Service, S::Unavailable, Cause::Unknown, I::SystemFailure, RetryLater, SystemAdmin)
                        .hint("whether it was carried out is not known; `enact status` tells whether the hub is there")
                }
                ClientError::Frame(_) => {
                    make(C::Service, S::FormatError, Cause::Format, I::Defect, Escalation, Developer)
                }
            },
            Self::Remote(error) => remote(error),
            Self::Open(failure) => failure.conclusion(),
            Self::Bind(_) => make(C::System, S::Unavailable, Cause::Unknown, I::SystemFailure, Escalation, SystemAdmin),
            Self::Http(enact_server::BindError::Tls(_)) => {
                make(C::Configuration, S::Invalid, Cause::Format, I::ConfigurationFailure, FixInput, SystemAdmin)
                    .hint("look at `http.tls.certificate` and `http.tls.key`: a chain in PEM, and the key of its first certificate")
            }
            Self::Http(_) => {
                make(C::Configuration, S::Unavailable, Cause::Conflict, I::ConfigurationFailure, FixInput, SystemAdmin)
                    .hint("name another address by `http.listen`, or `off`; ENACT_HTTP_LISTEN sets it, too")
            }
            Self::Token(error) => token(error),
            Self::Vault(error) => vault(error),
            Self::NoVault => {
                make(C::Configuration, S::NotFound, Cause::Relation, I::ConfigurationFailure, FixInput, SystemAdmin)
                    .hint("name it in enact.yaml: `secrets: { file: ./secrets, key_file: ./secrets.key }`")
            }
            Self::File { .. } => make(C::Argument, S::NotFound, Cause::Relation, I::DomainFailure, FixInput, User),
            Self::Backup(error) => backup(error),
            Self::NotRemote { .. } => {
                make(C::Argument, S::Unsupported, Cause::Policy, I::DomainFailure, FixInput, User)
                    .hint("run the command there, without `client`")
            }
            Self::PathNotText(_) => make(C::Argument, S::Unsupported, Cause::Format, I::DomainFailure, FixInput, User),
            Self::Input { error, .. } if matches!(error.kind, JsonFault::TooLarge(_)) => {
                make(C::Argument, S::Illegal, Cause::Limit, I::DomainFailure, FixInput, User)
                    .hint(PARAMETERS_TOO_LARGE_HINT)
            }
            Self::Input { .. } => make(C::Argument, S::SyntaxError, Cause::Format, I::DomainFailure, FixInput, User)
                .hint("write JSON, @file for a file or - for standard input"),
            Self::Misfit(_) => make(C::Argument, S::Invalid, Cause::Format, I::DomainFailure, FixInput, User)
                .hint("`version` and `operation` are all that there is to say"),
            Self::Inspect(error) => {
                let conclusion = make(C::Argument, S::FormatError, Cause::Format, I::DomainFailure, FixInput, User);
                match error.hint() {
                    Some(hint) => conclusion.hint(hint),
                    None => conclusion,
                }
            }
            Self::NothingToCall { hint, .. } => {
                make(C::Argument, S::NotFound, Cause::Relation, I::DomainFailure, FixInput, User).hint(hint.clone())
            }
            Self::Output(_) | Self::System { .. } => {
                make(C::System, S::Unavailable, Cause::Unknown, I::SystemFailure, Escalation, SystemAdmin)
            }
            Self::PipeClosed => make(C::System, S::Unavailable, Cause::Policy, I::Success, RetryLater, User),
            Self::Unexpected => make(C::Service, S::Unexpected, Cause::Inconsistency, I::Defect, Escalation, Developer)
                .hint("the hub may be of another release; `enact status` shows it"),
            Self::EndedAtOnce => {
                make(C::System, S::Unavailable, Cause::Policy, I::SystemFailure, RetryLater, SystemAdmin)
                    .hint("what was acknowledged is in the log and goes on at the next start")
            }
        }
    }
}

/// Returns what an outcome that is not completed means.
pub fn of_outcome(outcome: &Outcome) -> Option<Conclusion> {
    let make = |disposition, message: String| {
        let code = DetailCode {
            category: Category::Operation,
            symptom: Symptom::Unavailable,
            cause: Cause::Policy,
            interpretation: Interpretation::DomainFailure,
            disposition,
            responsibility: Responsibility::User,
        };
        Conclusion::new(code, message)
    };
    match outcome {
        Outcome::Completed { .. } => None,
        Outcome::Failed { conclusion, .. } | Outcome::CompensationFailed { conclusion } => Some(conclusion.clone()),
        Outcome::Cancelled { reason, may_have_run } => {
            let disposition = if *may_have_run { Disposition::Escalation } else { Disposition::RetryLater };
            let mut conclusion = make(disposition, format!("it was cancelled: {reason}"));
            conclusion.may_have_run = *may_have_run;
            Some(conclusion)
        }
        Outcome::Compensated => Some(make(Disposition::RetryLater, "it was undone".to_owned())),
    }
}
