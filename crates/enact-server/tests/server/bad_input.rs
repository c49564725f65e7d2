//! What no client should send: each is answered clearly, in bounded memory, and the next one is served.

use std::io::Write;

use enact_engine::conclude as code;
use serde_json::json;

use crate::bed::Bed;
use crate::http::{Ask, bytes};

fn head(bed: &Bed, path: &str, more: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nconnection: close\r\n{more}",
        bed.address
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_headers_and_a_header_without_end_are_refused() {
    let bed = Bed::open().await;
    let many: String = (0..10_000).map(|n| format!("x-{n}: 1\r\n")).collect();
    let answer = bytes(bed.address, (head(&bed, "/v1/intents", &many) + "\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let long = format!("x: {}\r\n\r\n", "y".repeat(300_000));
    let answer = bytes(bed.address, head(&bed, "/v1/intents", &long).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    bed.get("/healthz").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_lies_about_its_length_does_nothing() {
    let bed = Bed::open().await;
    let before = bed.hub().status().position;
    let body = r#"{"intent_type":"text.words.echo","parameters":{}}"#;
    // Less than was said, and then the end.
    let mut stream = tokio::net::TcpStream::connect(bed.address).await.unwrap();
    let text = head(&bed, "/v1/intents", "content-length: 1000\r\n\r\n") + body;
    tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await.unwrap();
    tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap();
    let mut answer = String::new();
    let _ = tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await;
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    // More than was said: what is beyond is no request of its own.
    let text = head(&bed, "/v1/intents", "content-length: 10\r\n\r\n") + body;
    assert!(bytes(bed.address, text.as_bytes()).await.starts_with("HTTP/1.1 400"));
    // Two lengths, and one that is none.
    for lengths in ["content-length: 1\r\ncontent-length: 2\r\n\r\n", "content-length: -1\r\n\r\n"] {
        let answer = bytes(bed.address, head(&bed, "/v1/intents", lengths).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let huge = head(&bed, "/v1/intents", "content-length: 99999999999\r\n\r\n{");
    assert!(bytes(bed.address, huge.as_bytes()).await.starts_with("HTTP/1.1 413"));
    assert_eq!(bed.hub().status().position, before);
    bed.get("/healthz").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_of_gzip_is_cut_at_the_limit() {
    let bed = Bed::open().await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..200 {
        packed.write_all(&zeros).unwrap();
    }
    let bomb = packed.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let ask = Ask::new("POST", "/v1/intents").raw("application/json", bomb).with("content-encoding", "gzip");
    bed.ask(ask).await.is(413);
    let mut small = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    small.write_all(br#"{"intent_type":"text.words.echo","parameters":{}}"#).unwrap();
    let ask = Ask::new("POST", "/v1/intents").raw("application/json", small.finish().unwrap());
    bed.ask(ask.with("content-encoding", "gzip")).await.is(202);
    for unknown in ["zstd", "gzip, gzip", "br"] {
        let ask = Ask::new("POST", "/v1/intents").raw("application/json", "{}").with("content-encoding", unknown);
        assert_eq!(bed.ask(ask).await.is(415).header("accept-encoding"), "gzip");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_a_packed_body_is_taken_and_what_is_none_is_refused() {
    let bed = Bed::open().await;
    let member = |text: &str| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    let put = async |body: Vec<u8>, coding: &str| {
        let ask = Ask::new("POST", "/v1/artifacts?name=a").raw("text/plain", body).with("content-encoding", coding);
        bed.ask(ask).await
    };
    let two = [member("hello"), member("world")].concat();
    for coding in ["gzip", "GZIP", "x-gzip", "identity, gzip"] {
        let kept = put(two.clone(), coding).await.is(201).json();
        assert_eq!(kept["size"], 10, "{coding}");
        let digest = kept["digest"].as_str().unwrap().to_owned();
        assert_eq!(bed.get(&format!("/v1/artifacts/{digest}")).await.is(200).body, "helloworld");
    }
    for (what, body) in [
        ("followed by what is none", [member("hello"), b"garbage".to_vec()].concat()),
        ("cut in its second member", two[..two.len() - 9].to_vec()),
        ("no gzip at all", b"hello".to_vec()),
    ] {
        assert_eq!(put(body, "gzip").await.status, 400, "{what}");
    }
    let sent = b"POST /v1/artifacts?name=a HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n\
                 transfer-encoding: gzip, chunked\r\nconnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let answer = crate::http::bytes(bed.address, sent).await;
    assert!(answer.starts_with("HTTP/1.1 501 ") && answer.contains("only `chunked` is taken"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_none_are_refused_with_what_is_wrong() {
    let bed = Bed::open().await;
    let raw = |body: &[u8]| Ask::new("POST", "/v1/intents").raw("application/json", body.to_vec());
    for (body, status, word) in [
        (&b""[..], 400, "empty"),
        (b"{", 400, "no JSON"),
        (b"\xff\xfe", 400, "no JSON"),
        (b"[]", 400, "does not fit"),
        (br#"{"intent_type":"a","intent_type":"b"}"#, 400, "duplicate"),
        (br#"{"intent_type":"text.words.echo","parameters":{},"metadata":{"a":"1","a":"2"}}"#, 400, "twice"),
        (br#"{"intent_typ":"a"}"#, 400, "intent_typ"),
        (br#"{"intent_type":"text.words.echo","parameters":{"a":1,"a":2}}"#, 422, "twice"),
        (br#"{"intent_type":"text.words.echo","parameters":1e999}"#, 422, "finite"),
        (br#"{"parameters":{}}"#, 422, "intent_type"),
        (br#"{"intent_type":"text.words.echo","parameters":{},"deadline":"0s"}"#, 422, "deadline"),
    ] {
        let answer = bed.ask(raw(body)).await.is(status);
        assert!(answer.text().contains(word), "{word}: {}", answer.text());
    }
    let deep =
        format!(r#"{{"intent_type":"text.words.echo","parameters":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let answer = bed.ask(raw(deep.as_bytes())).await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_do_not_fit_name_the_value() {
    let bed = Bed::open().await;
    for (path, word) in [
        ("/v1/executions?limit=-1", "-1"),
        ("/v1/executions?limit=1000001", "1000001"),
        ("/v1/executions?limt=1", "limt"),
        ("/v1/executions?phase=asleep", "asleep"),
        ("/v1/executions?outcome=zzz", "zzz"),
        ("/v1/executions?intent_type=a%20b/c", "a b/c"),
        ("/v1/executions?since=yesterday", "yesterday"),
        ("/v1/executions?cursor=exe_7", "exe_7"),
        ("/v1/executions?selector=a.b.c.d", "a.b.c.d"),
        ("/v1/records?kinds=Nonsense", "Nonsense"),
        ("/v1/references?digest=abc", "abc"),
        ("/v1/executions/exe_x", "exe_x"),
        ("/v1/executions/exe_01jd0000000000000000000000?wait=soon", "soon"),
        ("/v1/executions/exe_01jd0000000000000000000000?wait=1h", "10m"),
    ] {
        let answer = bed.get(path).await;
        assert!(answer.status == 422 && answer.text().contains(word), "{path}: {answer:?}");
    }
    // A cursor of another list.
    for n in 0..3 {
        bed.run("text.words.echo", json!(n)).await;
    }
    let next = bed.get("/v1/executions?limit=1").await.is(200).json()["next"].as_str().unwrap().to_owned();
    bed.get(&format!("/v1/executions?limit=2&cursor={next}")).await.is(200);
    bed.get(&format!("/v1/executions?limit=2&phase=settled&cursor={next}")).await.is(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_does_not_keep_others_out() {
    let bed = Bed::with(|config| config.hello_limit = std::time::Duration::from_secs(1)).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        let mut stream = tokio::net::TcpStream::connect(bed.address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"POST /v1/int").await.unwrap();
        silent.push(stream);
    }
    assert_eq!(bed.run("text.words.echo", json!({ "n": 1 })).await["output"]["n"], 1);
    for mut stream in silent {
        let mut said = Vec::new();
        let end = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut said);
        let _ = tokio::time::timeout(crate::bed::LIMIT, end).await.expect("it is closed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_http_finds_fault_with_has_a_code_from_which_its_status_follows() {
    let bed = Bed::open().await;
    let admin = bed.token("default", enact_runtime::api::Role::Admin);
    let put = Ask::new("POST", "/v1/artifacts?name=a").raw("text/plain", "hello");
    let digest = bed.ask(put.clone()).await.is(201).json()["digest"].as_str().unwrap().to_owned();
    let get = || Ask::new("GET", &format!("/v1/artifacts/{digest}"));
    let tar = |body: &'static str| Ask::new("POST", "/v1/components").raw("application/x-tar", body).token(&admin);
    for (ask, code, status) in [
        (Ask::new("POST", "/v1/intents").raw("application/json", "{"), code::REQUEST_MALFORMED, 400),
        (tar("no tar at all"), code::REQUEST_MALFORMED, 400),
        (Ask::new("DELETE", "/v1/intents"), code::METHOD_UNSUPPORTED, 405),
        (get().with("if-match", "\"other\""), code::PRECONDITION_FAILED, 412),
        (Ask::new("POST", "/v1/intents").raw("text/plain", "{}"), code::BODY_UNSUPPORTED, 415),
        (put.with("content-encoding", "br"), code::BODY_UNSUPPORTED, 415),
        (get().with("range", "bytes=5-"), code::RANGE_OUTSIDE, 416),
    ] {
        let what = format!("{} {}", ask.method, ask.path);
        let answer = bed.ask(ask).await.is(status).json();
        assert_eq!(answer["code"], json!(code), "{what}: {answer}");
        assert_eq!(answer["disposition"], "fix-input", "{what}: {answer}");
    }
    for (headers, code) in [
        ("content-length: 99999999999\r\n\r\n{", code::BODY_TOO_LARGE),
        ("transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", code::TRANSFER_UNSUPPORTED),
    ] {
        let answer = bytes(bed.address, head(&bed, "/v1/intents", headers).as_bytes()).await;
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_text_in_the_path_is_a_problem_on_every_route() {
    let bed = Bed::open().await;
    let mut asked = 0;
    for route in enact_server::route::ROUTES.iter().filter(|route| route.path.contains('{')) {
        let pieces: Vec<&str> = route.path.split('/').collect();
        for place in (0..pieces.len()).filter(|place| pieces[*place].starts_with('{')) {
            let filled = pieces.iter().enumerate().map(|(n, piece)| match piece.starts_with('{') {
                true if n == place => "%ff",
                true => "x",
                false => piece,
            });
            let path = filled.collect::<Vec<_>>().join("/");
            let answer = bed.ask(Ask::new(route.method, &path).json(&json!({}))).await;
            assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
            answer.is(400);
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_differ_and_two_keys_are_refused() {
    let bed = Bed::open().await;
    let ask = |more: &str| {
        let host = bed.address;
        format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\n{more}connection: close\r\n\r\n").into_bytes()
    };
    let answer = bytes(bed.address, &ask("host: other.example\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("application/problem+json"), "{answer}");
    assert!(bytes(bed.address, &ask("")).await.starts_with("HTTP/1.1 200"));
    let before = bed.hub().status().position;
    let draft = json!({ "intent_type": "text.words.echo", "parameters": {} });
    let keyed = Ask::new("POST", "/v1/intents").json(&draft).with("idempotency-key", "a");
    bed.ask(keyed.with("idempotency-key", "b")).await.is(422);
    assert_eq!(bed.hub().status().position, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_door_takes_a_command_without_a_reason_or_with_a_book_for_one() {
    let bed = Bed::open().await;
    let id = bed.begin("text.words.gate", json!({})).await;
    for (reason, word) in [(" ".to_owned(), "needs a reason"), ("x".repeat(1 << 20), "4096")] {
        let filter = json!({ "open": true });
        for question in [
            json!({ "cancel": { "execution": id, "reason": reason } }),
            json!({ "pause": { "execution": id, "reason": reason } }),
            json!({ "bulk": {
                "action": "cancel", "filter": filter, "reason": reason, "confirm_may_have_run": false,
            } }),
        ] {
            let answer = bed.post("/v1/ask", question).await;
            let said = answer.text();
            // The command line is given the document of the socket, in which it is refused, or a problem.
            assert!(said.contains(word) && said.contains("reason"), "{} {said}", answer.status);
        }
        for path in [format!("/v1/executions/{id}/cancel"), "/v1/executions/cancel".to_owned()] {
            let body = if path.contains(&id) {
                json!({ "reason": reason })
            } else {
                json!({ "filter": filter, "reason": reason })
            };
            let answer = bed.post(&path, body).await.is(422);
            assert!(answer.text().contains(word), "{path}: {}", answer.text());
        }
    }
    let records = bed.get("/v1/records?kinds=StopRequested,PauseRequested").await.is(200).json();
    assert_eq!(records["items"], json!([]));
    std::fs::write(bed.gate(), "").unwrap();
}
