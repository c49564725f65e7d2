// Where an exit cannot be held back: a shutdown hook that names the culprits and lets the others finish first.
package dev.enact.jvm;

import java.util.ArrayList;
import java.util.List;

/** Runs when the process ends for a reason that is not ours. */
final class LastWords extends Thread {
    /** How long calls beside the culprit may take to end; their own deadlines are kept by the hub. */
    private static final long OTHERS_MS = 10_000;
    private static final long PAUSE_MS = 5;

    private final Calls calls;

    LastWords(Calls calls) {
        super("enact-last-words");
        this.calls = calls;
    }

    @Override
    public void run() {
        if (Exit.isOurs()) {
            return;
        }
        List<Call> culprits = new ArrayList<>();
        List<Call> others = new ArrayList<>();
        for (Call call : calls.unanswered()) {
            (exits(call) ? culprits : others).add(call);
        }
        long[] ids = new long[culprits.size()];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = culprits.get(i).id;
        }
        String who = ids.length == 0 ? "something" : "a call";
        calls.tellExiting(ids, who + " asked the process to exit", true);
        long now = System.nanoTime();
        // Calls that were sent before the hub has read this are answered, too.
        long lingers = now + Calls.LINGER_MS * 1_000_000L;
        long end = now + OTHERS_MS * 1_000_000;
        while (now < lingers || now < end && !culprits.containsAll(calls.unanswered())) {
            try {
                Thread.sleep(PAUSE_MS);
            } catch (InterruptedException hurry) {
                break;
            }
            now = System.nanoTime();
        }
        // What becomes of the culprits the hub says, when it has seen the status.
        new Hanging(ids).start();
    }

    /** The hooks of components run beside this one; one that hangs would keep the process for ever. */
    private final class Hanging extends Thread {
        private final long[] culprits;

        Hanging(long[] culprits) {
            super("enact-end");
            this.culprits = culprits;
            setDaemon(true);
        }

        @Override
        public void run() {
            Patience.sleep(Exit.HOOKS_MS);
            calls.tellExiting(culprits, "a shutdown hook keeps the process from ending with the status that was asked for", false);
            Runtime.getRuntime().halt(1);
        }
    }

    private static boolean exits(Call call) {
        Thread thread = call.thread();
        if (thread == null) {
            return false;
        }
        for (StackTraceElement frame : thread.getStackTrace()) {
            if ("java.lang.Shutdown".equals(frame.getClassName())) {
                return true;
            }
        }
        return false;
    }
}
