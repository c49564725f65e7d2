package com.acme

import scala.concurrent.{ExecutionContext, Future}

/** A pricing service as it was written years ago: it knows nothing of who calls it. */
class Quote {
  def total(basket: Basket): Money = {
    val sum = basket.items.map(item => item.price * item.count).sum
    val price = basket.coupon.fold(sum)(coupon => sum * (100 - Quote.percent(coupon)) / 100)
    Money(price.setScale(2, BigDecimal.RoundingMode.HALF_UP), "EUR")
  }

  /** The same, later. */
  def later(basket: Basket): Future[Money] = Future(total(basket))(ExecutionContext.global)

  /** How many of what, by sku. */
  def count(basket: Basket): Map[String, Int] =
    basket.items.groupBy(_.sku).map { case (sku, items) => sku -> items.map(_.count).sum }

  def cheapest(items: List[Item]): Option[Item] = if (items.isEmpty) None else Some(items.minBy(_.price))

  def average(cents: List[Int]): Either[String, Double] =
    if (cents.isEmpty) Left("nothing to average") else Right(cents.sum.toDouble / cents.size)
}

object Quote {
  def percent(coupon: String): Int = coupon match {
    case "TEN"  => 10
    case "HALF" => 50
    case other  => throw new IllegalArgumentException("no coupon " + other)
  }
}
