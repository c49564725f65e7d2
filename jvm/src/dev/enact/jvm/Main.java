// Where the JVM of a jar begins: takes file descriptor 0 for the frames, then serves until the hub is gone.
package dev.enact.jvm;

import java.io.ByteArrayInputStream;

/** The entry point; what the hub must know of this process stands in the environment. */
public final class Main {
    private Main() {
    }

    /** Serves frames on file descriptor 0 and never returns. */
    public static void main(String[] args) {
        Wire wire = new Wire();
        // What a component reads from its standard input must not be frames.
        System.setIn(new ByteArrayInputStream(new byte[0]));
        try {
            new Worker(wire).serve();
        } catch (Throwable broken) {
            Exit.broken(broken);
        }
        // Nobody is there any more to whom anything could be said: no hook is run, nothing is waited for.
        Exit.halt(0);
    }
}
