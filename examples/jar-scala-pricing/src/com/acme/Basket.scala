package com.acme

/** What a customer is about to buy. */
case class Item(sku: String, price: BigDecimal, count: Int = 1)

case class Basket(items: List[Item], coupon: Option[String])

case class Money(amount: BigDecimal, currency: String)
