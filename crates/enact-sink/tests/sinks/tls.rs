//! Redis and NATS over TLS and with credentials, on real servers with certificates of an authority of the test's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_nats::jetstream;
use enact_runtime::sink::{DeliveryResult, Sink};
use enact_sink::Trust;
use enact_sink::nats::{Login, NatsSetup, NatsSink};
use enact_sink::redis::{RedisSetup, RedisSink};
use enact_sink::secret::Secret;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use redis::TlsCertificates;
use tempfile::TempDir;

use crate::bad::message;
use crate::bed::Bed;
use crate::rig::{nats_setup, redis_setup};
use crate::server::Server;

/// An authority of nobody but this test, with the files of a server that it vouches for.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let made = Self { issuer: Issuer::new(params, key), pem, folder: tempfile::tempdir().unwrap() };
        std::fs::write(made.path("ca.pem"), &made.pem).unwrap();
        made.vouch(2090);
        made
    }
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
    /// Writes a certificate for this machine that holds until a year, and its key.
    fn vouch(&self, until: i32) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
        std::fs::write(self.path("cert.pem"), params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
    }
    fn redis(&self, more: &[&str]) -> Option<Server> {
        let [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| self.text(name));
        let own = ["--port", "0", "--tls-port", "PORT", "--tls-auth-clients", "no", "--tls-ca-cert-file", &ca];
        let own = own.into_iter().chain(["--tls-cert-file", &cert, "--tls-key-file", &key]);
        Server::redis(&own.chain(more.iter().copied()).collect::<Vec<_>>())
    }
    fn nats(&self, more: &[&str]) -> Option<Server> {
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| self.text(name));
        let own = ["--tls", "--tlscert", &cert, "--tlskey", &key];
        Server::nats(&own.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
    }
}

fn secret(folder: &Path, name: &str, text: &str) -> Secret {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    Secret::File(path)
}

fn redis_over_tls(port: u16, trust: Trust) -> RedisSetup {
    let endpoint = RedisSetup::endpoint(&format!("rediss://localhost:{port}")).unwrap();
    RedisSetup { endpoint, trust, ..redis_setup(port) }
}

fn nats_over_tls(port: u16, trust: Trust) -> NatsSetup {
    let endpoint = NatsSetup::endpoint(&format!("tls://localhost:{port}")).unwrap();
    NatsSetup { endpoint, trust, ..nats_setup(port) }
}

async fn deliver(sink: &impl Sink) -> DeliveryResult {
    sink.deliver(vec![message(1)]).await.remove(0)
}

#[track_caller]
fn failed(result: DeliveryResult, why: &str) {
    let DeliveryResult::Failed { reason, .. } = result else { panic!("{why:?} was expected, not {result:?}") };
    assert!(reason.contains(why) && !reason.contains("hunter2"), "{why:?} was expected, not {reason}");
}

/// How many entries the stream has, asked over TLS.
async fn entries(port: u16, pem: &str, who: &str) -> u64 {
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem.as_bytes().to_vec()) };
    let client = redis::Client::build_with_tls(format!("rediss://{who}localhost:{port}"), certificates).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("XLEN").arg(RedisSetup::STREAM).query_async(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_over_tls_lets_a_user_of_its_list_in_and_nobody_else() {
    let authority = Authority::new();
    let users = ["--user", "ann", "on", ">right", "~enact:*", "+@all", "--user", "default", "off"];
    let Some(server) = authority.redis(&users) else { return };
    let trust = Trust::File(authority.path("ca.pem"));
    let with = |name: Option<&str>, password: Option<&str>| {
        let (username, word) = (name.map(str::to_owned), password.unwrap_or_default());
        let password = password.map(|_| secret(authority.folder.path(), word, word));
        RedisSink::new(RedisSetup { username, password, ..redis_over_tls(server.port, trust.clone()) })
    };
    assert_eq!(deliver(&with(Some("ann"), Some("right"))).await, DeliveryResult::Delivered);
    assert!(with(Some("ann"), Some("right")).check().await.unwrap().contains("rediss://localhost"));
    for (name, password) in
        [(None, None), (None, Some("right")), (Some("ann"), Some("hunter2")), (Some("bob"), Some("right"))]
    {
        failed(deliver(&with(name, password)).await, "look at username and password");
    }
    // Its list says which keys are ann's.
    let stream = "others:events".parse().unwrap();
    let (username, password) = (Some("ann".to_owned()), Some(secret(authority.folder.path(), "right", "right")));
    let elsewhere = RedisSetup { username, password, stream, ..redis_over_tls(server.port, trust) };
    failed(deliver(&RedisSink::new(elsewhere)).await, "look at username and password");
    assert_eq!(entries(server.port, &authority.pem, "ann:right@").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_over_tls_lets_a_user_a_token_and_an_nkey_in_and_nobody_else() {
    let authority = Authority::new();
    let folder = authority.folder.path();
    let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    let public = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
    let nkeys = authority.text("nkeys.conf");
    std::fs::write(&nkeys, format!("authorization: {{ users: [ {{ nkey: {public} }} ] }}\n")).unwrap();
    let user = |name: &str, word: &str| Login::User { name: name.to_owned(), password: secret(folder, word, word) };
    let token = |word: &str| Login::Token(secret(folder, word, word));
    let nkey = |word: &str| Login::Nkey(secret(folder, word, word));
    let other = "SUAMK2FG4MI6UE3ACF3FK3OIQBCEIEZV7NSWFFEW63UXMRLFM2XLAXK4GY";
    let of_user = vec!["--user", "ann", "--pass", "right"];
    for (args, right, wrong) in [
        (of_user, user("ann", "right"), vec![Login::Nobody, user("ann", "hunter2"), user("bob", "right")]),
        (vec!["--auth", "right"], token("right"), vec![Login::Nobody, token("hunter2")]),
        (vec!["-c", &nkeys], nkey(seed), vec![Login::Nobody, nkey(other), token("right")]),
    ] {
        let Some(server) = authority.nats(&args) else { return };
        let with = |login| {
            NatsSink::new(NatsSetup { login, ..nats_over_tls(server.port, Trust::File(authority.path("ca.pem"))) })
        };
        // It is let in, and there is no stream yet.
        failed(deliver(&with(right)).await, "nats stream add");
        for login in wrong {
            failed(deliver(&with(login)).await, "does not let this user in");
        }
    }
}

/// Messages wait while a sink is not trusted, and all of them come once it is.
async fn repaired(sink: Arc<dyn Sink>, why: &str, repair: impl AsyncFnOnce()) -> usize {
    let mut bed = Bed::open(sink, 1_000).await;
    for n in 0..3 {
        bed.say("default", &format!("k{n}"), n).await;
    }
    crate::bed::eventually("it says why", async || bed.reason().await.contains(why)).await;
    assert_eq!(bed.lag().pending, 3, "nothing is lost");
    repair().await;
    bed.delivered().await;
    bed.close().await;
    3
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_server_that_is_not_trusted_loses_nothing_and_is_delivered_to_after_the_repair() {
    let (authority, other) = (Authority::new(), Authority::new());
    let Some(mut server) = authority.redis(&[]) else { return };
    let ca = authority.path("trusted.pem");
    let port = server.port;
    let sink = || Arc::new(RedisSink::new(redis_over_tls(port, Trust::File(ca.clone()))));
    failed(deliver(&*sink()).await, "trusted.pem holds no certificates");
    // Another authority, until its file is replaced.
    std::fs::write(&ca, &other.pem).unwrap();
    assert!(sink().check().await.unwrap_err().contains("is not trusted"));
    let came = repaired(sink(), "is not trusted", async || std::fs::write(&ca, &authority.pem).unwrap()).await;
    assert_eq!(entries(server.port, &authority.pem, "").await, came as u64);
    // A certificate that has expired, until the server has a new one.
    server.stop();
    authority.vouch(2021);
    server.start();
    let sink = sink();
    let came = came
        + repaired(sink, "certificate", async || {
            server.stop();
            authority.vouch(2090);
            server.start();
        })
        .await;
    assert_eq!(entries(server.port, &authority.pem, "").await, came as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nats_server_that_is_not_trusted_loses_nothing_and_is_delivered_to_after_the_repair() {
    let (authority, other) = (Authority::new(), Authority::new());
    let Some(mut server) = authority.nats(&[]) else { return };
    let port = server.port;
    let events = async || {
        let options = async_nats::ConnectOptions::new().add_root_certificates(authority.path("ca.pem"));
        jetstream::new(options.connect(format!("tls://localhost:{port}")).await.unwrap())
    };
    enact_dial::connect::settle_on_ring();
    let subjects = vec![NatsSetup::SUBJECT.to_owned()];
    let config = jetstream::stream::Config { name: "EVENTS".to_owned(), subjects, ..Default::default() };
    events().await.create_stream(config).await.unwrap();
    let ca = authority.path("trusted.pem");
    let sink = || Arc::new(NatsSink::new(nats_over_tls(port, Trust::File(ca.clone()))));
    failed(deliver(&*sink()).await, "trusted.pem holds no certificates");
    std::fs::write(&ca, &other.pem).unwrap();
    assert!(sink().check().await.unwrap_err().contains("is not trusted"));
    let came = repaired(sink(), "is not trusted", async || std::fs::write(&ca, &authority.pem).unwrap()).await;
    server.stop();
    authority.vouch(2021);
    server.start();
    let came = came
        + repaired(sink(), "is not trusted", async || {
            server.stop();
            authority.vouch(2090);
            server.start();
        })
        .await;
    let stream = events().await.get_stream("EVENTS").await.unwrap();
    assert_eq!(stream.cached_info().state.messages, came as u64);
}
