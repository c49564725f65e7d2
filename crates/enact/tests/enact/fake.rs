//! A hub for tests: a socket in a folder of its own, and a function that answers.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use enact_cli::door::Answers;
use enact_cli::socket::server::Server;
use enact_model::id::ExecutionId;
use enact_model::record::Record;
use enact_runtime::api::{Caller, Refusal, Request, Response};
use tokio::sync::{mpsc, watch};

type Answer = dyn Fn(&Request) -> Response + Send + Sync;

/// Answers what it is told to and remembers what it was asked.
pub struct Fake {
    answer: Box<Answer>,
    pub records: Vec<Record>,
    pub asked: Mutex<Vec<(Caller, Request)>>,
    /// Is told when it is asked to end.
    pub to_end: tokio::sync::Notify,
}

impl Answers for Fake {
    async fn handle(&self, caller: Caller, request: Request) -> Response {
        let response = (self.answer)(&request);
        let ends = matches!(request, Request::Shutdown { .. });
        let forever =
            matches!(&request, Request::Await { wait_ms: 0.., .. }) && matches!(response, Response::Done { .. });
        self.asked.lock().unwrap().push((caller, request));
        if ends {
            self.to_end.notify_one();
        }
        if forever {
            std::future::pending::<()>().await;
        }
        response
    }
    async fn watch(&self, _: Caller, _: ExecutionId) -> Result<mpsc::Receiver<Record>, Box<Refusal>> {
        let (send, receive) = mpsc::channel(1);
        let records = self.records.clone();
        tokio::spawn(async move {
            for record in records {
                if send.send(record).await.is_err() {
                    break;
                }
            }
        });
        Ok(receive)
    }
}

/// A hub that listens, and how it is ended.
pub struct Running {
    pub folder: tempfile::TempDir,
    pub fake: Arc<Fake>,
    pub runtime: tokio::runtime::Runtime,
    end: watch::Sender<bool>,
}

impl Running {
    pub fn new(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        Self::with_records(answer, Vec::new())
    }

    pub fn with_records(answer: impl Fn(&Request) -> Response + Send + Sync + 'static, records: Vec<Record>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let fake =
            Arc::new(Fake { answer: Box::new(answer), records, asked: Mutex::default(), to_end: Default::default() });
        let (end, ended) = watch::channel(false);
        let server = runtime.block_on(async { Server::bind(folder.path()) }).unwrap();
        runtime.spawn(server.serve(Arc::clone(&fake), ended));
        Self { folder, fake, runtime, end }
    }

    pub fn store(&self) -> &Path {
        self.folder.path()
    }

    pub fn run(&self, args: &[&str]) -> Output {
        enact(self.store(), args).output().unwrap()
    }

    pub fn end(&self) {
        self.end.send(true).unwrap();
    }
}

/// The binary with a store and nothing else of the environment.
pub fn enact(store: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
    command
        .env_clear()
        .env("HOME", store)
        .env("USER", "ada")
        .env("ENACT_HTTP_LISTEN", "127.0.0.1:0")
        .current_dir(store);
    command.arg("--store").arg(store).args(args);
    command
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
