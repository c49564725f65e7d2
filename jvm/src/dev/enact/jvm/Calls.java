// The calls in flight: opened by the reader, ended by whoever answers first, asked for by drain and exit.
package dev.enact.jvm;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

import dev.enact.jvm.json.JsonWriter;

/** Every call that has no answer yet. */
final class Calls {
    /** How long calls may still come that were sent before the hub has read that no more should. */
    static final int LINGER_MS = 100;

    private final Map<Long, Call> open = new ConcurrentHashMap<>();
    private final AtomicLong taken = new AtomicLong();
    private final Wire wire;
    private boolean ending;
    private boolean lingering;
    private int linger;

    Calls(Wire wire) {
        this.wire = wire;
    }

    void open(Call call) {
        taken.incrementAndGet();
        open.put(call.id, call);
    }

    void cancel(long id) {
        Call call = open.get(id);
        if (call != null) {
            call.cancel();
        }
    }

    /** Forgets a call that was answered, and ends the process if that was the last one to wait for. */
    void answered(Call call) {
        open.remove(call.id);
        Exit.answered();
        endIfDone();
    }

    long taken() {
        return taken.get();
    }

    /** Returns whether every answer has gone out. */
    boolean isEmpty() {
        return open.isEmpty();
    }

    /** Returns the calls that have no answer yet; one whose answer is on its way out is done. */
    List<Call> unanswered() {
        List<Call> all = new ArrayList<>();
        for (Call call : open.values()) {
            if (!call.answered()) {
                all.add(call);
            }
        }
        return all;
    }

    /** Returns the only call in flight, or null if there are none or several. */
    Call sole() {
        List<Call> all = unanswered();
        return all.size() == 1 ? all.get(0) : null;
    }

    /** No more calls come: ends when the last is answered. */
    void drain() {
        end(new long[0], "drained", 0);
    }

    /** Tells the hub that this process must be replaced because of a call, and ends when the last is answered. */
    void replace(long culprit, String message) {
        end(new long[] {culprit}, message, LINGER_MS);
    }

    /** May be called again when there was no memory to get to its end. */
    private void end(long[] culprits, String message, int lingerMs) {
        boolean first;
        synchronized (this) {
            first = !ending;
            if (first) {
                linger = lingerMs;
            }
            ending = true;
        }
        if (first) {
            tellExiting(culprits, message, false);
        }
        endIfDone();
    }

    private synchronized void endIfDone() {
        if (!ending || lingering || !open.isEmpty()) {
            return;
        }
        if (linger == 0) {
            Exit.inPeace();
            return;
        }
        new Lingering().start();
        lingering = true;
    }

    /** Loads what the end takes while there is room for classes. */
    void rehearse() {
        new Lingering();
        Reserve.hold();
        Exit.rehearse();
        Failure.of(exhausted(), false).write(wire.frame("error"));
    }

    /** Runs out of memory as a call does, beneath frames of Java's own: telling of those takes classes of their own. */
    private static Throwable exhausted() {
        try {
            return (Throwable) Calls.class.getDeclaredMethod("exhaust").invoke(null);
        } catch (ReflectiveOperationException full) {
            return full;
        }
    }

    private static Object exhaust() {
        throw new OutOfMemoryError("rehearsed");
    }

    /** The hub may have sent calls before it knew that no more should come; they are answered, too. */
    private final class Lingering extends Thread {
        Lingering() {
            super("enact-linger");
            setDaemon(true);
        }

        @Override
        public void run() {
            Patience.sleep(linger);
            synchronized (Calls.this) {
                lingering = false;
                linger = 0;
                endIfDone();
            }
        }
    }

    /** Says that this process ends, because of which calls, and whether with the status that they have asked for. */
    void tellExiting(long[] culprits, String message, boolean asked) {
        JsonWriter frame = wire.frame("exiting").name("culprits").beginArray();
        for (long culprit : culprits) {
            frame.number(culprit);
        }
        frame.endArray().name("message").string(message);
        if (asked) {
            frame.name("asked").bool(true);
        }
        wire.send(frame);
    }
}
