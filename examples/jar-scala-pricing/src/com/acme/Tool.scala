package com.acme

/** The same on the command line: `java -jar pricing-assembly.jar 2.50 7.95` prints what they cost together. */
object Tool {
  def main(args: Array[String]): Unit = {
    val items = args.toList.map(price => Item(price, BigDecimal(price)))
    println(new Quote().total(Basket(items, None)).amount)
  }
}
