// Giving memory back: what calls have left behind is collected once nobody has called for a while.
package dev.enact.jvm;

/**
 * Looks whether there are no calls. Java collects when it wants to allocate, so that a component that nobody calls any more
 * would keep for ever the heap that its last load has filled.
 */
final class Rest {
    /** How long nobody must have called. */
    private static final long AFTER_MS = Long.getLong("enact.rests.after_ms", 10_000);
    /** A heap that has grown by less since the last time is left as it is, in bytes. */
    private static final long WORTH_BYTES = 16 << 20;
    /** A heap that may grow to this is not collected: with much in it a call that comes just then would wait for long. */
    private static final long HEAP_MAX_BYTES = 1L << 30;

    private final Calls calls;
    private long taken = -1;
    private long sinceNs;
    private boolean rested;
    private long leftBytes;

    Rest(Calls calls) {
        this.calls = calls;
    }

    /** Returns how often to look, in nanoseconds. */
    static long everyNs() {
        return AFTER_MS * 1_000_000;
    }

    /** Collects if nobody has called for long enough, once until somebody has. */
    void look() {
        long now = System.nanoTime();
        long count = calls.taken();
        if (count != taken || !calls.isEmpty()) {
            taken = count;
            sinceNs = now;
            rested = false;
        } else if (!rested && now - sinceNs >= everyNs()) {
            rested = true;
            Runtime runtime = Runtime.getRuntime();
            if (runtime.maxMemory() < HEAP_MAX_BYTES && runtime.totalMemory() - leftBytes >= WORTH_BYTES) {
                System.gc();
                leftBytes = runtime.totalMemory();
            }
        }
    }
}
