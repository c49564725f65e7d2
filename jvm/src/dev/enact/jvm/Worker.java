// The loop of frames: greets the hub, makes the components, hands calls to threads, and answers what is not a call.
package dev.enact.jvm;

import java.io.IOException;
import java.util.Collections;
import java.util.Map;

import dev.enact.jvm.json.Brief;
import dev.enact.jvm.json.JsonWriter;
import dev.enact.jvm.json.Malformed;
import dev.enact.jvm.type.Memory;

/** One JVM, seen from the hub. */
final class Worker implements Crew.Reading {
    private static final int PROTOCOL = 1;
    private static final int THREADS = 16;
    /** The property by which the hub says when exits are to be held back: `later` is after the first answer. */
    private static final String GUARD = "enact.exits.held";
    private final Wire wire;
    private final Calls calls;
    private final Questions questions;
    private final Crew crew;
    /** Made by the thread of `init`, read by every other. */
    private volatile Components components;

    Worker(Wire wire) {
        this.wire = wire;
        this.calls = new Calls(wire);
        this.questions = new Questions(wire);
        this.crew = new Crew(this, new Rest(calls));
    }

    /** Serves until the hub has closed the wire. */
    void serve() throws Exception {
        String nonce = System.getenv("ENACT_INSTANCE");
        String runtime = "java " + System.getProperty("java.version");
        wire.send(wire.frame("hello").name("protocol").number(PROTOCOL).name("nonce").string(nonce == null ? "" : nonce)
                .name("runtime").string(runtime));
        crew.lead();
    }

    @Override
    public Call next() throws IOException, Malformed {
        while (true) {
            Map<String, Object> frame = wire.read();
            if (frame == null) {
                return null;
            }
            Call call = taken(frame);
            if (call != null) {
                return call;
            }
        }
    }

    private Call taken(Map<String, Object> frame) {
        for (int tried = 1;; tried++) {
            try {
                return take(frame);
            } catch (OutOfMemoryError full) {
                Patience.again(tried, full);
            }
        }
    }

    /** Acts on a frame, or returns the call that it is. */
    private Call take(Map<String, Object> frame) {
        switch (String.valueOf(frame.get("type"))) {
            case "init":
                init(frame);
                break;
            case "call":
                return call(frame);
            case "cancel":
                calls.cancel(number(frame, "id"));
                break;
            case "context_ok":
            case "context_error":
                questions.answered(number(frame, "request"), frame);
                break;
            case "ping":
                wire.send(wire.frame("pong").name("nonce").number(number(frame, "nonce")));
                break;
            case "stats":
                wire.send(Figures.write(wire.frame("stats"), calls));
                break;
            case "drain":
                calls.drain();
                break;
            default:
                // A newer hub may say more; what a call needs is never optional.
                break;
        }
        return null;
    }

    static long number(Map<String, Object> frame, String name) {
        Object value = frame.get(name);
        return value instanceof Number ? ((Number) value).longValue() : -1;
    }

    /** Makes the components on a thread of its own: a static initialiser must not keep a ping from its answer. */
    private void init(Map<String, Object> frame) {
        long limit = number(frame, "frame_max_bytes");
        if (limit > 0 && limit < Integer.MAX_VALUE) {
            wire.limit((int) limit);
        }
        // Java takes its time for a guard; meanwhile the components are made.
        Exit.guard(calls, !"later".equals(System.getProperty(GUARD)));
        new Making(frame).start();
    }

    private final class Making extends Thread {
        private final Map<String, Object> frame;

        Making(Map<String, Object> frame) {
            super("enact-init");
            this.frame = frame;
            setDaemon(true);
        }

        @Override
        public void run() {
            try {
                make(frame);
            } catch (InitFailed failed) {
                wire.send(wire.frame("init_error").name("message").string(failed.getMessage()));
            } catch (Throwable other) {
                wire.send(wire.frame("init_error").name("message").string(Brief.line(other)));
            }
        }
    }

    private void make(Map<String, Object> frame) throws InitFailed {
        Object config = frame.get("config");
        Map<?, ?> said = config instanceof Map ? (Map<?, ?>) config : null;
        if (said == null) {
            throw new InitFailed("init has no config");
        }
        Memory memory = new Memory(frame.get("memory"), !(said.get("components") instanceof Map));
        Components made = Components.make(said, memory);
        int count = (int) Math.max(number(frame, "calls_in_flight"), 1);
        Object threadsSaid = said.get("threads");
        count = Math.max(count, threadsSaid instanceof Number ? ((Number) threadsSaid).intValue() : THREADS);
        components = made;
        crew.allow(count);
        Exit.awaitGuard();
        JsonWriter ready = wire.frame("ready").name("operations").beginArray();
        for (String name : made.operations.keySet()) {
            ready.string(name);
        }
        ready.endArray().name("without_context").beginArray();
        for (Map.Entry<String, Operation> operation : made.operations.entrySet()) {
            if (!operation.getValue().takesContext()) {
                ready.string(operation.getKey());
            }
        }
        ready.endArray();
        if (!made.refused.isEmpty()) {
            ready.name("refused").value(made.refused);
        }
        if (frame.get("memory") == null) {
            memory.write(ready.name("memory"));
        }
        wire.send(ready);
        // When memory runs out there is none for the classes that say so. Nobody waits for this.
        calls.rehearse();
    }

    private Call call(Map<String, Object> frame) {
        String name = String.valueOf(frame.get("operation"));
        Components made = components;
        Map<String, Operation> known = made == null ? Collections.emptyMap() : made.operations;
        String whole = frame.get("service") + "." + name;
        Operation operation = known.get(whole);
        if (operation == null) {
            operation = known.get(name);
        }
        Call call = new Call(number(frame, "id"), frame, operation, wire, calls, questions);
        calls.open(call);
        if (operation == null) {
            String refusal = made == null ? null : made.refusal(name, whole);
            call.fail(refusal == null
                    ? Failure.of("unknown_operation", "there is no operation " + whole) : Failure.refused(refusal));
            return null;
        }
        return call;
    }
}
