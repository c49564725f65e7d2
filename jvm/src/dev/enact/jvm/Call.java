// One call: runs its operation on a thread of the pool, and is answered exactly once, whoever answers first.
package dev.enact.jvm;

import java.io.PrintStream;
import java.util.Map;

import dev.enact.jvm.json.Brief;
import dev.enact.jvm.json.JsonWriter;

/** A call between `call` and `ok` or `error`. */
final class Call implements Runnable {
    /** How often a failure is told again while there is no memory to tell it. */
    private static final int TRIES = 100;
    /** How often it is told with all that the exception says; after that, what it says may be what there is no memory for. */
    private static final int WHOLE_TRIES = 2;

    final long id;
    final Map<String, Object> frame;
    final Questions questions;
    private final Operation operation;
    private final Wire wire;
    private final Calls calls;
    private Thread thread;
    private boolean cancelled;
    private boolean answered;

    Call(long id, Map<String, Object> frame, Operation operation, Wire wire, Calls calls, Questions questions) {
        this.id = id;
        this.frame = frame;
        this.operation = operation;
        this.wire = wire;
        this.calls = calls;
        this.questions = questions;
    }

    @Override
    public void run() {
        Exit.awaitGuard();
        if (!begin()) {
            fail(Failure.of("cancelled", "the call was cancelled before it began"));
            return;
        }
        long begun = System.nanoTime();
        try {
            Object result = operation.invoke(this);
            ok(result);
        } catch (Throwable thrown) {
            fail(thrown);
        } finally {
            finish();
            operation.took(System.nanoTime() - begun);
        }
    }

    boolean isQuick() {
        return operation.isQuick();
    }

    private synchronized boolean begin() {
        thread = Thread.currentThread();
        Exit.calling(this);
        return !cancelled;
    }

    /** A cancel that comes late must not interrupt the next call of this thread. */
    private synchronized void finish() {
        thread = null;
        Exit.calling(null);
        Thread.interrupted();
    }

    /** Interrupts the call; whether it listens is its own business, and the hub's to judge. */
    synchronized void cancel() {
        cancelled = true;
        if (thread != null) {
            thread.interrupt();
        }
    }

    synchronized boolean cancelled() {
        return cancelled;
    }

    synchronized Thread thread() {
        return thread;
    }

    synchronized boolean answered() {
        return answered;
    }

    private synchronized boolean claim() {
        boolean first = !answered;
        answered = true;
        return first;
    }

    private void ok(Object result) throws Throwable {
        JsonWriter ok = wire.frame("ok").name("id").number(id).name("output");
        operation.write(result, ok);
        answer(ok);
    }

    /** Sends a line for the log. */
    void log(String line) {
        wire.send(wire.frame("log").name("message").string(line));
    }

    /** Answers with what was thrown; after an exhausted heap the process asks to be replaced. */
    void fail(Throwable thrown) {
        boolean exhausted = Failure.isExhausted(thrown);
        if (exhausted) {
            Reserve.release();
        }
        for (int tried = 0; tried < TRIES; tried++) {
            try {
                fail(tried < WHOLE_TRIES ? described(thrown) : Failure.nameless(thrown, "and there was no memory to say more of it"));
                if (exhausted) {
                    calls.replace(id, "call " + id + " ran out of memory: " + Brief.cut(said(thrown), Brief.MESSAGE_CHARS));
                }
                return;
            } catch (OutOfMemoryError stillFull) {
                Patience.pause();
            }
        }
        // Nothing can be said any more; the hub says it.
        Exit.halt(Exit.EXHAUSTED);
    }

    private Failure described(Throwable thrown) {
        try {
            flush();
            return Failure.of(thrown, cancelled());
        } catch (OutOfMemoryError full) {
            throw full;
        } catch (Throwable another) {
            // Whoever threw it may have overridden its methods.
            return Failure.nameless(thrown, "which cannot be described");
        }
    }

    /** A failure shows what was logged before it, if the component has left something to log to. */
    private static void flush() {
        PrintStream out = System.out;
        try {
            if (out != null) {
                out.flush();
            }
        } catch (RuntimeException itsOwn) {
            // A stream of the component's own; what it threw is not what the call did.
            return;
        }
    }

    private static String said(Throwable thrown) {
        try {
            return thrown.getMessage();
        } catch (Throwable overridden) {
            return null;
        }
    }

    void fail(Failure failure) {
        answer(failure.write(wire.frame("error").name("id").number(id)));
    }

    private void answer(JsonWriter frame) {
        if (claim()) {
            try {
                wire.send(frame);
            } finally {
                calls.answered(this);
            }
        }
    }
}
