// Waiting until memory is free again: a call that fills the heap unwinds soon, and the frames of others must not be lost.
package dev.enact.jvm;

import java.io.IOException;

import dev.enact.jvm.json.Malformed;

/** Tries again what needs memory. */
final class Patience {
    private static final int TRIES = 200;
    private static final int PAUSE_MS = 10;

    private Patience() {
    }

    /** Something that takes memory. */
    interface Taking<T> {
        T take() throws IOException, Malformed;
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

    static <T> T whileTheHeapIsFull(Taking<T> taking) throws IOException, Malformed {
        for (int tried = 1;; tried++) {
            try {
                return taking.take();
            } catch (OutOfMemoryError full) {
                if (tried == TRIES) {
                    throw full;
                }
                pause();
            }
        }
    }
}
