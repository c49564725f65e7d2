// A component in Scala whose methods take one value of each type and answer with what they were really given.
package sample

import scala.collection.mutable
import scala.concurrent.{ExecutionContext, Future}

case class Line(id: Int, tags: List[String], note: Option[String], price: BigDecimal = BigDecimal("2.5"), kind: String = "plain") {
  val derived: Int = id + 1
  lazy val later: Int = id + 2
}

case class Page[T](items: Seq[T], total: Long)

class Wrapped(val value: Int) {
  private val hidden: Int = value + 1
  def next: Int = hidden
}

sealed trait Colour
case object Red extends Colour

object Weekday extends Enumeration {
  val Sat, Sun = Value
}

object ScalaTypes {
  case class Inner(`is-new`: Boolean, cents: List[Long])
  type Pairs = List[(Int, Int)]

  def ints(value: List[Int]) = seen(value)
  def longs(value: Vector[Long]) = seen(value)
  def seq(value: Seq[Double]) = seen(value)
  def set(value: Set[String]) = seen(value)
  def map(value: Map[String, List[Int]]) = seen(value)
  def byNumber(value: Map[Int, Boolean]) = seen(value)
  def array(value: Array[Long]) = seen(value)
  def some(value: Option[Long]) = seen(value)
  def pair(value: (Int, String)) = seen(value)
  def either(value: Either[String, Int]) = seen(value)
  def big(value: List[BigDecimal]) = seen(value)
  def bigInt(value: BigInt) = seen(value)
  def any(value: List[Any]) = seen(value)
  def alias(value: Pairs) = seen(value)
  def varargs(value: Int*) = seen(value)
  def buffer(value: mutable.Buffer[Int]) = seen(value)
  def line(value: Line) = seen(value)
  def page(value: Page[Line]) = seen(value)
  def inner(value: Inner) = seen(value)
  def wrapped(value: Wrapped) = seen(value)
  def unit(): Unit = ()
  def colour() = List(Red, "Weekday", Weekday.Sat)
  def symbol() = 'sym
  def lazily(value: Int): Future[Stream[Int]] = Future(Stream.from(1).map(_ * value).take(2))(ExecutionContext.global)
  def failing(): Future[Int] = Future[Int](throw new IllegalStateException("later"))(ExecutionContext.global)

  private def seen(value: Any): List[Any] = List(described(value), value)

  private def described(value: Any): String = value match {
    case map: Map[_, _] if map.nonEmpty => s"Map(${described(map.head._1)} -> ${described(map.head._2)})"
    case list: List[_] if list.nonEmpty => s"List(${described(list.head)})"
    case vector: Vector[_]              => s"Vector(${described(vector.head)})"
    case set: Set[_]                    => s"Set(${described(set.head)})"
    case buffer: mutable.Buffer[_] if buffer.getClass.getSimpleName != "WrappedArray" => s"Buffer(${described(buffer.head)})"
    case seq: Seq[_]                    => s"Seq(${described(seq.head)})"
    case (a, b)                         => s"Tuple2(${described(a)}, ${described(b)})"
    case Some(inner)                    => s"Some(${described(inner)})"
    case None                           => "None"
    case Left(inner)                    => s"Left(${described(inner)})"
    case Right(inner)                   => s"Right(${described(inner)})"
    case other                          => other.getClass.getSimpleName.replaceAll("^ScalaTypes\\$", "")
  }
}
