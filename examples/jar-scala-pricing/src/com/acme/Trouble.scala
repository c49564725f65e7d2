package com.acme

import scala.annotation.tailrec

/** Everything that a component should not do. */
object Trouble {
  def exit(status: Int): String = {
    sys.exit(status)
  }

  def overflow(depth: Int): Int = 1 + overflow(depth + 1)

  def exhaust(): Int = {
    var held = List.empty[Array[Byte]]
    while (true) held = new Array[Byte](1 << 20) :: held
    held.size
  }

  @tailrec
  def spin(turns: Long): Long = spin(turns + 1)

  def endless(): Stream[Int] = Stream.from(1)
}
