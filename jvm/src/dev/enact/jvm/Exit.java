// Ending the process: exits of components are held back where Java allows it, told of where it does not.
package dev.enact.jvm;

import java.io.PrintStream;

/** The one place where this process ends, and where it is kept from ending. */
final class Exit {
    private static final ThreadLocal<Call> CALLING = new ThreadLocal<>();
    /** How long the hooks of components may take when everything is answered. */
    static final int HOOKS_MS = 1000;
    /** The status of a process that has no memory left to say so. */
    static final int EXHAUSTED = 3;
    /** The guard that is not there yet. */
    private static volatile Guarding guard;
    private static volatile boolean ours;
    private static boolean begun;

    private Exit() {
    }

    /** Says which call the current thread runs from now on. */
    static void calling(Call call) {
        CALLING.set(call);
    }

    /**
     * Has the exits of components held back, where Java allows it; elsewhere the last words are said. Either at once, on a
     * thread of its own, or once the first call is answered: Java takes a third of a short start to make a guard.
     */
    static void guard(Calls calls, boolean atOnce) {
        Guarding guarding = new Guarding(calls, !atOnce);
        guard = guarding;
        if (atOnce) {
            guarding.begin();
        } else {
            Runtime.getRuntime().addShutdownHook(new LastWords(calls));
        }
    }

    /** Is told that a call was answered. */
    static void answered() {
        Guarding coming = guard;
        if (coming != null) {
            coming.begin();
        }
    }

    /** Waits for a guard that is being made. */
    static void awaitGuard() {
        Guarding coming = guard;
        if (coming != null) {
            coming.await();
        }
    }

    private static final class Guarding extends Thread {
        private final Calls calls;
        private final boolean lastWords;
        private boolean begun;

        Guarding(Calls calls, boolean lastWords) {
            super("enact-guard");
            this.calls = calls;
            this.lastWords = lastWords;
            setDaemon(true);
        }

        synchronized void begin() {
            if (!begun) {
                begun = true;
                start();
            }
        }

        void await() {
            synchronized (this) {
                if (!begun) {
                    return;
                }
            }
            try {
                join();
            } catch (InterruptedException hurry) {
                // Whoever is interrupted before he has begun goes on without a guard.
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void run() {
            boolean held;
            try {
                held = ExitGuard.install(calls);
            } catch (UnsupportedOperationException | LinkageError | SecurityException notHere) {
                held = false;
            }
            if (!held && !lastWords) {
                Runtime.getRuntime().addShutdownHook(new LastWords(calls));
            }
            guard = null;
        }
    }

    /** Ends the process because the wire cannot be trusted any more. */
    static void broken(Throwable why) {
        say("enact: " + why);
        halt(why instanceof OutOfMemoryError ? EXHAUSTED : 1);
    }

    /** A component may have taken the stream away. */
    private static void say(String line) {
        PrintStream err = System.err;
        if (err != null) {
            err.println(line);
        }
    }

    /** Ends the process at once. */
    static void halt(int status) {
        ours = true;
        Runtime.getRuntime().halt(status);
    }

    /** Ends the process and lets the hooks of components run, but not for ever. */
    static void inPeace() {
        ours = true;
        synchronized (Exit.class) {
            if (begun) {
                return;
            }
            begun = true;
        }
        new Watching().start();
        // On a thread of its own: the hooks must not wait for locks that the last call's thread holds.
        new Leaving().start();
    }

    /** Loads what the end takes while there is room for classes. */
    static void rehearse() {
        new Watching();
        try {
            // Nothing is removed; but what ends a process is there from now on.
            Runtime.getRuntime().removeShutdownHook(new Leaving());
        } catch (IllegalStateException ending) {
            // The first call was quicker, and asked for the end.
            return;
        }
    }

    /** Lets the hooks run; a class, because a lambda is one that is only made when it is needed. */
    private static final class Leaving extends Thread {
        Leaving() {
            super("enact-exit");
            setDaemon(true);
        }

        @Override
        public void run() {
            Runtime.getRuntime().exit(0);
        }
    }

    /** Waits for the hooks, not for ever. */
    private static final class Watching extends Thread {
        Watching() {
            super("enact-end");
            setDaemon(true);
        }

        @Override
        public void run() {
            Patience.sleep(HOOKS_MS);
            Runtime.getRuntime().halt(0);
        }
    }

    static boolean isOurs() {
        return ours;
    }

    /** A component asks to exit: its call is answered, and the exception keeps it from going on. */
    static ExitHeld held(int status, Calls calls) {
        ExitHeld exit = new ExitHeld(status);
        Call call = CALLING.get();
        if (call == null) {
            // A thread of the component's own. With one call in flight it can only be that call's.
            call = calls.sole();
        }
        if (call != null) {
            call.fail(Failure.exited(exit));
        } else {
            say("enact: exit " + status + " on " + Thread.currentThread() + " was held back");
        }
        return exit;
    }
}
