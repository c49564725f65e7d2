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
        calls.tellExiting(ids, ids.length == 0 ? "something asked the process to exit" : "a call asked the process to exit");
        long end = System.nanoTime() + OTHERS_MS * 1_000_000;
        while (!culprits.containsAll(calls.unanswered()) && System.nanoTime() < end) {
            try {
                Thread.sleep(PAUSE_MS);
            } catch (InterruptedException hurry) {
                break;
            }
        }
        // What becomes of the culprits the hub says, when it has seen the status. The hooks of components run beside this
        // one; one that hangs would keep the process for ever.
        Exit.watch(1);
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
