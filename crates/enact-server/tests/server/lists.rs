//! Lists page by page while others write, and searched by what their items are.

use std::collections::BTreeSet;

use enact_model::id::ExecutionId;
use enact_model::time::Timestamp;
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::http::Ask;

/// Walks a list to its end and returns what `id` finds in its items; `write` makes another one after each page.
async fn walk(bed: &Bed, path: &str, id: &str, write: impl AsyncFn()) -> Vec<String> {
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = bed.get(&format!("{path}{cursor}")).await.is(200).json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2, "{path}: {page}");
        seen.extend(items.iter().map(|item| item.pointer(id).unwrap().as_str().unwrap().to_owned()));
        write().await;
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert!(pages >= 3, "{path}: {pages}");
    seen
}

/// The cursor of a list holds for the same list only, and one that was made up for none.
async fn is_refused_elsewhere(bed: &Bed, path: &str, others: &[&str]) {
    let next = bed.get(path).await.is(200).json()["next"].as_str().unwrap().to_owned();
    // How many are asked for may change.
    bed.get(&format!("{}&cursor={next}", path.replace("limit=2", "limit=1"))).await.is(200);
    for other in others {
        let refused = bed.get(&format!("{other}&cursor={next}")).await.is(422);
        assert!(refused.text().contains("is no cursor of this list"), "{other}: {}", refused.text());
    }
    let (place, mark) = next.split_once('.').unwrap();
    for made_up in [place.to_owned(), format!("{place}."), format!(".{mark}"), format!("x.{mark}")] {
        bed.get(&format!("{path}&cursor={made_up}")).await.is(422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_have_pages_without_gap_or_repetition_while_more_are_promised() {
    let bed = Bed::open().await;
    let keep = async || {
        bed.run("text.words.keep", json!({})).await;
    };
    for _ in 0..7 {
        keep().await;
    }
    let whole = bed.get("/v1/outbox?limit=1000").await.is(200).json();
    assert_eq!(whole["next"], Value::Null, "that is all of it");
    let whole: Vec<&str> =
        whole["items"].as_array().unwrap().iter().map(|row| row["message"]["id"].as_str().unwrap()).collect();
    assert_eq!(whole.len(), 7);
    assert_eq!(walk(&bed, "/v1/outbox?limit=2", "/message/id", keep).await, whole);
    is_refused_elsewhere(
        &bed,
        "/v1/outbox?limit=2",
        &["/v1/outbox?state=delivered&limit=2", "/v1/references?limit=2", "/v1/executions?limit=2"],
    )
    .await;
    // A page of those in one state has those alone, and its cursor is of that list.
    let dead = bed.get("/v1/outbox?state=dead&limit=2").await.is(200).json();
    assert_eq!((&dead["items"], &dead["next"]), (&json!([]), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn references_have_pages_without_gap_or_repetition_while_more_are_registered() {
    let bed = Bed::open().await;
    let number = std::sync::atomic::AtomicU32::new(0);
    let put = async |kind: &str| {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let ask = Ask::new("POST", &format!("/v1/artifacts?name=a{number}")).raw(kind, number.to_string());
        bed.ask(ask).await.is(201).json()["id"].as_str().unwrap().to_owned()
    };
    let (mut all, mut texts) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        texts.insert(0, put("text/plain").await);
        all.insert(0, texts[0].clone());
        all.insert(0, put("text/csv").await);
    }
    let more = async || {
        put("text/plain").await;
    };
    // Of what came in the same millisecond either may be the first.
    let set = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<_>>();
    let seen = walk(&bed, "/v1/references?limit=2", "/id", more).await;
    assert_eq!((seen.len(), set(&seen)), (12, set(&all)));
    let late = bed.get("/v1/references?media_type=text/plain&limit=1000").await.is(200).json();
    let late: Vec<String> =
        late["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    assert!(late.len() > texts.len() && texts.iter().all(|id| late.contains(id)));
    let seen = walk(&bed, "/v1/references?media_type=text/plain&limit=2", "/id", more).await;
    assert_eq!(seen, late, "each once, and none of those that came meanwhile");
    is_refused_elsewhere(
        &bed,
        "/v1/references?media_type=text/plain&limit=2",
        &["/v1/references?limit=2", "/v1/references?media_type=text/csv&limit=2", "/v1/outbox?limit=2"],
    )
    .await;
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
    items.iter().map(|item| item["execution"]["id"].as_str().unwrap().to_owned()).collect()
}

/// Runs one in a session and returns its id; whatever is begun next has a later time.
async fn run_in(bed: &Bed, intent_type: &str, session: Option<&str>) -> ExecutionId {
    let draft = json!({ "intent_type": intent_type, "parameters": {}, "session_id": session });
    let answer = bed.post("/v1/intents", draft).await.is(202).json();
    let id: ExecutionId = answer["execution_id"].as_str().unwrap().parse().unwrap();
    bed.get(&format!("/v1/executions/{id}?wait=30s")).await.is(200);
    while Timestamp::from_system(std::time::SystemTime::now()).0 <= id.time_ms() {
        tokio::task::yield_now().await;
    }
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_are_found_by_session_time_and_the_text_of_their_failure() {
    let bed = Bed::open().await;
    let mut begun = Vec::new();
    for number in 0..9 {
        let session = [Some("s-1"), Some("s-2"), None][number % 3];
        begun.push(run_in(&bed, ["text.words.echo", "text.words.fail"][number % 2], session).await);
    }
    let find = async |query: &str| ids(&bed.get(&format!("/v1/executions?{query}")).await.is(200).json());
    let newest_first = |numbers: &[usize]| numbers.iter().map(|number| begun[*number].to_string()).collect::<Vec<_>>();
    let time = |number: usize| Timestamp(begun[number].time_ms()).to_string();

    assert_eq!(find("session=s-1").await, newest_first(&[6, 3, 0]));
    assert_eq!(find("session=s-1&outcome=failed").await, newest_first(&[3]));
    assert_eq!(find("session=default").await, newest_first(&[8, 5, 2]));
    assert_eq!(find("session=s-3").await, newest_first(&[]));
    // The first is inside, the last is not.
    assert_eq!(find(&format!("since={}", time(6))).await, newest_first(&[8, 7, 6]));
    assert_eq!(find(&format!("until={}", time(2))).await, newest_first(&[1, 0]));
    assert_eq!(find(&format!("since={}&until={}", time(3), time(6))).await, newest_first(&[5, 4, 3]));
    assert_eq!(find(&format!("since={}&until={}", time(6), time(3))).await, newest_first(&[]));
    assert_eq!(find(&format!("since={}&until={}&session=s-2", time(1), time(7))).await, newest_first(&[4, 1]));
    assert_eq!(find("text=ended%20with%20status%203").await, newest_first(&[7, 5, 3, 1]));
    assert_eq!(find("text=ended%20with%20status%203&session=s-2").await, newest_first(&[7, 1]));
    assert_eq!(find("text=ended%20with%20status%204").await, newest_first(&[]));
    // Pages of a search go on in it.
    let path = format!("/v1/executions?session=s-1&until={}&limit=1", time(6));
    let first = bed.get(&path).await.is(200).json();
    let next = first["next"].as_str().unwrap();
    let second = bed.get(&format!("{path}&cursor={next}")).await.is(200).json();
    assert_eq!((ids(&first), ids(&second)), (newest_first(&[3]), newest_first(&[0])));
    bed.get(&format!("/v1/executions?session=s-2&until={}&limit=1&cursor={next}", time(6))).await.is(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_found_by_session_and_time() {
    let bed = Bed::open().await;
    let mut begun = Vec::new();
    for number in 0..4 {
        begun.push(run_in(&bed, "text.words.echo", [Some("s-1"), Some("s-2")][number % 2]).await.to_string());
    }
    let find =
        async |query: &str| bed.get(&format!("/v1/records?limit=1000{query}")).await.is(200).json()["items"].take();
    let text = |records: &Value| records.to_string();
    let own = find("&session=s-1").await;
    assert!(text(&own).contains(&begun[0]) && text(&own).contains(&begun[2]));
    assert!(!text(&own).contains(&begun[1]) && !text(&own).contains(&begun[3]), "{own}");
    assert_eq!(find("&session=s-3").await, json!([]));

    let all = find("").await;
    let all = all.as_array().unwrap();
    let at = all.iter().position(|record| record.to_string().contains(&begun[2])).unwrap();
    let time = |record: &Value| Timestamp(record["time"].as_u64().unwrap());
    let (cut, times): (_, Vec<_>) = (time(&all[at]), all.iter().map(time).collect());
    let after = find(&format!("&since={cut}")).await;
    let before = find(&format!("&until={cut}")).await;
    let (after, before) = (after.as_array().unwrap(), before.as_array().unwrap());
    // Both have some, and together they are all of it.
    assert!(!after.is_empty() && !before.is_empty());
    assert_eq!(after.len(), times.iter().filter(|time| **time >= cut).count());
    assert_eq!([&before[..], &after[..]].concat(), *all);
    let settled = find(&format!("&kinds=Settled&session=s-2&since={cut}")).await;
    assert_eq!(settled.as_array().unwrap().len(), 1, "{settled}");
    assert!(text(&settled).contains(&begun[3]));
}
