//! Artifacts over HTTP: bytes in, bytes out, in ranges and under conditions.

use serde_json::json;

use crate::bed::Bed;
use crate::http::{Answer, Ask};

async fn put(bed: &Bed, name: &str, kind: &str, bytes: Vec<u8>) -> Answer {
    bed.ask(Ask::new("POST", &format!("/v1/artifacts?name={name}")).raw(kind, bytes)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_comes_out_byte_for_byte_whole_and_in_ranges() {
    let bed = Bed::open().await;
    let bytes: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    let reference = put(&bed, "a.bin", "application/x-test", bytes.clone()).await.is(201);
    let json = reference.json();
    assert_eq!(json["size"], 300_000);
    assert!(reference.header("location").ends_with(json["id"].as_str().unwrap()));
    let digest = json["digest"].as_str().unwrap();
    let path = format!("/v1/artifacts/{digest}");
    for by in [path.clone(), format!("/v1/artifacts/{}", json["id"].as_str().unwrap())] {
        let got = bed.get(&by).await.is(200);
        assert_eq!(got.body, bytes);
        assert_eq!((got.header("content-type"), got.header("accept-ranges")), ("application/x-test", "bytes"));
    }
    let part = bed.ask(Ask::new("GET", &path).with("range", "bytes=100000-100009")).await.is(206);
    assert_eq!(part.body, bytes[100_000..100_010]);
    assert_eq!(part.header("content-range"), "bytes 100000-100009/300000");
    let tail = bed.ask(Ask::new("GET", &path).with("range", "bytes=-5")).await.is(206);
    assert_eq!(tail.body, bytes[299_995..]);
    let outside = bed.ask(Ask::new("GET", &path).with("range", "bytes=300000-")).await.is(416);
    assert_eq!(outside.header("content-range"), "bytes */300000");
    let head = bed.ask(Ask::new("HEAD", &path)).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "300000", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_no_file_could_have_is_refused_before_its_bytes_are_read() {
    let bed = Bed::open().await;
    let long = "n".repeat(256);
    for name in ["%20", "a%0Ab", "a%1B%5B31mred", "a%00", &long] {
        let refused = put(&bed, name, "text/plain", b"abc".to_vec()).await.is(422).json();
        assert!(refused["detail"].as_str().unwrap().contains("1 to 255 bytes without control characters"), "{refused}");
    }
    let most = put(&bed, &long[1..], "text/plain", b"abc".to_vec()).await.is(201).json();
    assert_eq!(most["name"], long[1..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_are_kept() {
    let bed = Bed::open().await;
    let json = put(&bed, "a.txt", "text/plain", b"abc".to_vec()).await.is(201).json();
    let path = format!("/v1/artifacts/{}", json["digest"].as_str().unwrap());
    let tag = bed.get(&path).await.is(200).header("etag").to_owned();
    let ask = |name: &str, value: &str| Ask::new("GET", &path).with(name, value);
    let same = bed.ask(ask("if-none-match", &tag)).await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    bed.ask(ask("if-none-match", "\"other\"")).await.is(200);
    bed.ask(ask("if-match", "\"other\"")).await.is(412);
    let range = ask("range", "bytes=0-0").with("if-range", "\"other\"");
    assert_eq!(bed.ask(range).await.is(200).body, "abc");
    assert_eq!(bed.ask(ask("range", "bytes=0-0").with("if-range", &tag)).await.is(206).body, "a");
    // A weak tag says nothing of bytes, and is good enough where nothing is sent.
    let weak = format!("W/{tag}");
    assert_eq!(bed.ask(ask("range", "bytes=0-0").with("if-range", &weak)).await.is(200).body, "abc");
    bed.ask(ask("if-match", &weak)).await.is(412);
    bed.ask(ask("if-match", &tag)).await.is(200);
    assert_eq!(bed.ask(ask("if-none-match", &weak)).await.status, 304);
    for none in ["bytes=0-+1", "bytes=+0-1", "bytes=-+1"] {
        assert_eq!(bed.ask(ask("range", none)).await.is(200).body, "abc", "{none}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_with_a_strong_tag_are_never_packed() {
    let bed = Bed::open().await;
    let text = "the same again, ".repeat(10_000);
    let json = put(&bed, "a.txt", "text/plain", text.clone().into_bytes()).await.is(201).json();
    let path = format!("/v1/artifacts/{}", json["digest"].as_str().unwrap());
    let whole = bed.ask(Ask::new("GET", &path).with("accept-encoding", "gzip")).await.is(200);
    assert_eq!((whole.header("content-encoding"), whole.body.len()), ("", text.len()));
    let tag = whole.header("etag");
    let rest =
        Ask::new("GET", &path).with("accept-encoding", "gzip").with("range", "bytes=1000-").with("if-range", tag);
    let rest = bed.ask(rest).await.is(206);
    assert_eq!([&whole.body[..1000], &rest.body[..]].concat(), text.as_bytes());
    // What has no tag is packed as before.
    let list = bed.ask(Ask::new("GET", "/v1/components").with("accept-encoding", "gzip")).await;
    assert_eq!((list.status, list.header("content-encoding")), (200, "gzip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_is_named_and_goes_along_as_a_reference() {
    let bed = Bed::open().await;
    let problem = bed.ask(Ask::new("POST", "/v1/artifacts").raw("text/plain", "abc")).await.is(422);
    assert!(problem.text().contains("name"));
    put(&bed, &"x".repeat(300), "text/plain", b"abc".to_vec()).await.is(422);
    // Nothing is a thing, too.
    let empty = put(&bed, "empty", "text/plain", Vec::new()).await.is(201).json();
    assert_eq!(empty["size"], 0);
    let path = format!("/v1/artifacts/{}", empty["digest"].as_str().unwrap());
    assert_eq!(bed.get(&path).await.is(200).body.len(), 0);
    bed.add(
        "reader",
        "
component: reader
version: 1.0.0
process: { command: [cat], mode: oneshot }
services: { f: { read: { kind: query, call: { args: [{ file: /document }], stdout: text } } } }
",
    )
    .await;
    let document = put(&bed, "a.txt", "text/plain", b"abc".to_vec()).await.is(201).json();
    let read = bed.post("/rest/v1/reader/f/read", json!({ "document": document })).await.is(200);
    assert_eq!(read.text(), "\"abc\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sends_no_bytes_reads_none_and_what_was_altered_is_not_sent() {
    let bed = Bed::open().await;
    let json = put(&bed, "a.txt", "text/plain", b"hello".to_vec()).await.is(201).json();
    let digest = json["digest"].as_str().unwrap();
    let path = format!("/v1/artifacts/{digest}");
    bed.get(&path).await.is(200);
    let hex = digest.trim_start_matches("sha256:");
    let file = bed.store().join("artifacts/sha256").join(&hex[..2]).join(&hex[2..]);
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "other").unwrap();
    // Nobody noticed, since nobody looked.
    assert_eq!(bed.ask(Ask::new("HEAD", &path)).await.status, 200);
    let kept = Ask::new("GET", &path).with("if-none-match", &format!("\"{digest}\""));
    assert_eq!(bed.ask(kept).await.status, 304);
    for range in ["bytes=0-", "bytes=0-0"] {
        assert!(bed.ask(Ask::new("GET", &path).with("range", range)).await.status >= 500);
    }
    std::fs::remove_file(&file).unwrap();
    assert!(bed.ask(Ask::new("HEAD", &path)).await.status >= 500);
}
