//! A fat jar that somebody else made.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::made::{descriptor, facts, skip, told, why};

#[test]
fn tabula_is_read_at_once_and_its_own_api_is_told_from_its_libraries() {
    let Some(folder) = std::env::var_os("ENACT_TEST_FIXTURES") else {
        let name = "enact-inspect::real::tabula_is_read_at_once_and_its_own_api_is_told_from_its_libraries";
        return skip(name, "the fixtures were not fetched");
    };
    let jar = PathBuf::from(folder).join("tabula-1.0.5-jar-with-dependencies.jar");
    let begin = Instant::now();
    let facts = facts(&jar);
    let took = begin.elapsed();
    println!("tabula: {took:?} for {} classes", facts.packages.values().sum::<usize>());
    // A release build takes a quarter of a second; this one is not optimised and shares the machine with other tests.
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(facts.unreadable.is_empty() && facts.duplicates.is_empty());
    assert_eq!((facts.java.reached, facts.java.whole), (8, 8));
    assert_eq!(facts.entry_points[0].class, "technology.tabula.CommandLineApp");
    assert!(facts.exits.iter().any(|it| it.class == "technology.tabula.CommandLineApp" && it.method == "main"));
    assert!(facts.operations.iter().all(|it| it.class.starts_with("technology.tabula.")));
    assert!(told(&facts).contains(&"Utils.parsePagesOption(pagesSpec: String): List[Integer]".to_owned()));
    // Its rectangles show their corners, which are Java's own points, whenever they are asked.
    for method in ["boundingBoxOf(", "merge(", "empty(", "getBounds(", "findSpreadsheetsFromCells("] {
        let left_out = why(&facts, method);
        assert_eq!(left_out, "its answer: java.awt.geom.Point2D has no form in JSON (in `points`)", "{method}");
    }
    let kept = ["Utils.overlap", "Line.verticalOverlap", "CommandLineApp.parseFloatList", "ProjectionProfile.smooth"];
    assert!(kept.iter().all(|it| told(&facts).iter().any(|line| line.starts_with(it))), "{:?}", told(&facts));
    let text = descriptor(&facts);
    assert!(text.contains("component: tabula\nversion: 1.0.5\n"), "{text}");
    assert!(text.contains("call: { run: technology.tabula.CommandLineApp }"), "{text}");
}
