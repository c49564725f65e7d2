// Waiting until memory is free again: a call that fills the heap unwinds soon, and the frames of others must not be lost.
package dev.enact.jvm;

/** Tries again what needs memory. */
final class Patience {
    private static final int TRIES = 200;
    private static final int PAUSE_MS = 10;

    private Patience() {
    }

    static void pause() {
        sleep(PAUSE_MS);
    }

    /** Sleeps, or less if it is interrupted: whoever waits here is about to answer, there is nothing else to stop. */
    static void sleep(int ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException cancelled) {
            return;
        }
    }

    /** Waits a moment before something is tried again that needed more memory than there was; at last it gives up. */
    static void again(int tried, OutOfMemoryError full) {
        if (tried == TRIES) {
            throw full;
        }
        pause();
    }
}
