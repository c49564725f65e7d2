// One call: runs its operation on a thread of the pool, and is answered exactly once, whoever answers first.
package dev.enact.jvm;

import java.util.Map;

import dev.enact.jvm.json.JsonWriter;
import dev.enact.jvm.json.TooLarge;
import dev.enact.jvm.write.Unwritable;

/** A call between `call` and `ok` or `error`. */
final class Call implements Runnable {
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
        if (!begin()) {
            fail(Failure.of("cancelled", "the call was cancelled before it began"));
            return;
        }
        try {
            Object result = operation.invoke(this);
            ok(result);
        } catch (Throwable thrown) {
            fail(thrown);
        } finally {
            finish();
        }
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
        try {
            operation.write(result, ok);
        } catch (TooLarge large) {
            throw new Unwritable("the result has " + large.getMessage() + ", the limit of a frame", "");
        }
        if (claim()) {
            try {
                wire.send(ok);
            } finally {
                calls.answered(this);
            }
        }
    }

    /** Answers with what was thrown; after an exhausted heap the process asks to be replaced. */
    void fail(Throwable thrown) {
        Failure failure;
        boolean exhausted = false;
        try {
            failure = Failure.of(thrown, cancelled());
            exhausted = Failure.find(thrown, OutOfMemoryError.class) != null;
        } catch (Throwable another) {
            // Whoever threw it may have overridden its methods, or there is no memory for its stack.
            failure = Failure.of("failed", "it threw " + thrown.getClass().getName() + ", which cannot be described");
        }
        if (exhausted) {
            Reserve.release();
        }
        fail(failure);
        if (exhausted) {
            calls.end(new long[] {id}, "call " + id + " ran out of memory: " + thrown.getMessage());
        }
    }

    void fail(Failure failure) {
        if (claim()) {
            try {
                wire.send(failure.write(wire.frame("error").name("id").number(id)));
            } finally {
                calls.answered(this);
            }
        }
    }
}
