//! What Scala 2 makes: true types out of its pickled signatures.

use std::path::{Path, PathBuf};

use enact_inspect::Filter;
use enact_inspect::descriptor::warnings;
use serde_json::json;

use crate::made::{compiled, descriptor, facts, has, look, skip, told, why};

const SOURCE: &str = r#"
package com.acme
case class Line(name: String, cents: List[Int], note: Option[String] = None)
case class Basket(lines: Seq[Line], rates: Map[String, BigDecimal], size: Option[Long])
object Quote {
  type Cents = Long
  def total(basket: Basket, rates: Array[Double]): Cents = 0
  def pairs(of: List[(Int, String)]): Map[String, Vector[Int]] = Map.empty
  def each(numbers: Int*): Int = 0
  def lazily(it: => Int): Int = it
  def withContext(a: Int)(b: String)(implicit factor: Double): Int = 0
  def same[T](of: List[T]): List[T] = of
  def over(a: Int): Int = a
  def over(a: List[Int]): Int = 0
  def +(a: Int): Int = a
  val rate = 3
  private[acme] def inside(a: Int): Int = a
  def next(a: java.util.List[String]): java.util.List[Integer] = null
  object Deep { def dig(lines: List[Line]): Int = 0; class Mine { def ore(a: Set[Long]): Int = 1 } }
}
class Beside { def own(a: List[Long]): Int = 0 }
object Beside { def own(a: List[Long]): Int = 1; def other(a: Option[Int]): Int = 0 }
object Program extends App { println("x") }
"#;

#[test]
fn true_types_names_and_case_classes_are_read_from_scala_2() {
    if !has("scalac", "enact-inspect::scala::true_types_names_and_case_classes_are_read_from_scala_2") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let jar = compiled(folder.path(), "scalac", &[], SOURCE, "Manifest-Version: 1.0\n");
    let facts = facts(&jar);
    let told = told(&facts);
    for line in [
        "Quote.total(basket: com.acme.Basket, rates: Array[Double]): Long",
        "Quote.pairs(of: List[Tuple2[Int, String]]): scala.collection.immutable.Map[String, Vector[Int]]",
        "Quote.each(numbers: scala.collection.Seq[Int]): Int",
        "Quote.withContext(a: Int, b: String, factor: Double): Int",
        "Quote.same(of: List[T]): List[T]",
        "Quote.over(a: Int): Int",
        "Quote.over(a: List[Int]): Int",
        "Quote.next(a: List[String]): List[Integer]",
        "Quote$Deep$.dig(lines: List[com.acme.Line]): Int",
        "Beside$.own(a: List[Long]): Int",
        "Beside.other(a: Option[Int]): Int",
    ] {
        let line = line.replace("scala.collection.immutable.Map", "Map");
        assert!(told.contains(&line), "{line} is not in\n{}", told.join("\n"));
    }
    for hidden in ["rate(", "inside(", "copy(", "apply$", "$plus", "unapply("] {
        assert!(!told.iter().any(|line| line.contains(hidden)), "{hidden} is in\n{}", told.join("\n"));
    }
    assert!(why(&facts, "own").contains("of the Scala object is called in its place"));
    assert!(why(&facts, "lazily(").contains("Function0"), "{:?}", facts.left_out);
    let total = facts.operations.iter().find(|it| it.method == "total").unwrap();
    let line = json!({ "type": "object", "required": ["name", "cents"], "properties": {
        "name": { "type": "string" },
        "cents": { "type": "array", "items": { "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX } },
        "note": { "type": ["string", "null"] } } });
    assert_eq!(total.input["properties"]["basket"]["properties"]["lines"]["items"], line);
    assert_eq!(total.input["properties"]["basket"]["required"], json!(["lines", "rates"]));
    let text = descriptor(&facts);
    assert!(text.contains("{ name: rates, type: \"Array[Double]\" }"), "{text}");
    assert!(text.contains("type: \"java.util.List[String]\""), "in Scala `List` is Scala's:\n{text}");
    assert!(text.contains("run: com.acme.Program"), "{text}");
    assert!(text.contains("Scala gives factor implicitly"), "{text}");
}

#[test]
fn the_library_of_scala_is_read_whole() {
    let jar = Path::new("/usr/share/java/scala-library.jar");
    if !jar.is_file() {
        return skip(
            "enact-inspect::scala::the_library_of_scala_is_read_whole",
            "the package scala-library is not installed",
        );
    }
    let filter =
        Filter { packages: vec!["scala.reflect".to_owned(), "scala.concurrent".to_owned()], ..Filter::default() };
    let facts = look(&[jar], &filter).unwrap();
    assert!(facts.unreadable.is_empty(), "{:?}", facts.unreadable);
    assert!(facts.scala_2_classes > 2_000, "{}", facts.scala_2_classes);
    let told = told(&facts);
    for line in ["NameTransformer.encode(name: String): String", "SyncVar.take(timeout: Long): A"] {
        assert!(told.iter().any(|it| it == line), "{line} is not in\n{}", told.join("\n"));
    }
}

#[test]
fn what_scala_made_without_its_library_tells_which_jar_to_add() {
    let test = "enact-inspect::scala::what_scala_made_without_its_library_tells_which_jar_to_add";
    let library =
        PathBuf::from(std::env::var_os("SCALA_LIBRARY").unwrap_or_else(|| "/usr/share/java/scala-library.jar".into()));
    if !has("scalac", test) {
        return;
    }
    if !library.is_file() {
        return skip(test, "there is no library of Scala on this machine");
    }
    let folder = tempfile::tempdir().unwrap();
    let jar = compiled(folder.path(), "scalac", &[], SOURCE, "Manifest-Version: 1.0\n");
    for (name, says) in [
        ("quote_2.11-1.4.0.jar", "scala-library-2.11"),
        ("quote_3-1.4.0.jar", "scala-library-2.13"),
        ("my_quote.jar", "scala-library"),
    ] {
        let named = folder.path().join(name);
        std::fs::copy(&jar, &named).unwrap();
        let alone = facts(&named);
        assert_eq!(alone.lacks_library.as_deref(), Some(says), "{name}");
        assert!(descriptor(&alone).contains(&format!("jar:\n  # Add {says}: ")), "{}", descriptor(&alone));
        let told = warnings(&alone).join("\n");
        assert!(told.contains(&format!("enact component inspect {} {says}", named.display())), "{told}");
        let both = look(&[&named, &library], &Filter::default()).unwrap();
        assert_eq!(both.lacks_library, None);
        assert!(!descriptor(&both).contains("# Add ") && !warnings(&both).join("\n").contains("library is in none"));
    }
}
