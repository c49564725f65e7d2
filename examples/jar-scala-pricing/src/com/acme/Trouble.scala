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

  /** Writes where nothing may be written: the whole process dies of it. */
  def segfault(address: Long): Unit = {
    val field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe")
    field.setAccessible(true)
    val unsafe = field.get(null)
    unsafe.getClass.getMethod("putAddress", classOf[Long], classOf[Long]).invoke(unsafe, Long.box(address), Long.box(1L))
  }
}
