// Memory that is kept back, so that a full heap can still be reported.
package dev.enact.jvm;

/** A few bytes for the last words. */
final class Reserve {
    private static volatile byte[] held;

    private Reserve() {
    }

    static void hold() {
        held = new byte[1 << 20];
    }

    static void release() {
        held = null;
    }
}
