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
    private final Map<Long, Call> open = new ConcurrentHashMap<>();
    private final AtomicLong taken = new AtomicLong();
    private final Wire wire;
    private boolean ending;

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
        synchronized (this) {
            if (ending && open.isEmpty()) {
                Exit.inPeace();
            }
        }
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
        List<Call> all = new ArrayList<>(open.values());
        all.removeIf(Call::answered);
        return all;
    }

    /** Returns the only call in flight, or null if there are none or several. */
    Call sole() {
        List<Call> all = unanswered();
        return all.size() == 1 ? all.get(0) : null;
    }

    /** No more calls come: ends when the last is answered. */
    void drain() {
        end(new long[0], "drained");
    }

    /** Tells the hub that this process must be replaced because of a call, and ends when the last is answered. */
    void end(long[] culprits, String message) {
        synchronized (this) {
            if (ending) {
                return;
            }
            ending = true;
        }
        tellExiting(culprits, message);
        synchronized (this) {
            if (open.isEmpty()) {
                Exit.inPeace();
            }
        }
    }

    void tellExiting(long[] culprits, String message) {
        JsonWriter frame = wire.frame("exiting").name("culprits").beginArray();
        for (long culprit : culprits) {
            frame.number(culprit);
        }
        wire.send(frame.endArray().name("message").string(message));
    }
}
