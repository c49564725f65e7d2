// The loop of frames: greets the hub, makes the components, hands calls to threads, and answers what is not a call.
package dev.enact.jvm;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

import dev.enact.jvm.json.JsonWriter;
import dev.enact.jvm.json.Malformed;

/** One JVM, seen from the hub. */
final class Worker {
    private static final int PROTOCOL = 1;
    private static final int THREADS = 16;
    private final Wire wire;
    private final Calls calls;
    private final Questions questions;
    private Map<String, Operation> operations;
    private ThreadPoolExecutor threads;

    Worker(Wire wire) {
        this.wire = wire;
        this.calls = new Calls(wire);
        this.questions = new Questions(wire);
    }

    /** Serves until the hub has closed the wire. */
    void serve() throws IOException, Malformed {
        String nonce = System.getenv("ENACT_INSTANCE");
        String runtime = "java " + System.getProperty("java.version");
        wire.send(wire.frame("hello").name("protocol").number(PROTOCOL).name("nonce").string(nonce == null ? "" : nonce)
                .name("runtime").string(runtime));
        Exit.guard(calls);
        for (Map<String, Object> frame = wire.read(); frame != null; frame = wire.read()) {
            Map<String, Object> taken = frame;
            Patience.whileTheHeapIsFull(() -> {
                take(taken);
                return null;
            });
        }
    }

    private void take(Map<String, Object> frame) {
        switch (String.valueOf(frame.get("type"))) {
            case "init":
                init(frame);
                break;
            case "call":
                call(frame);
                break;
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
        Thread maker = new Thread(() -> {
            try {
                make(frame);
            } catch (InitFailed failed) {
                wire.send(wire.frame("init_error").name("message").string(failed.getMessage()));
            } catch (Throwable other) {
                wire.send(wire.frame("init_error").name("message").string(Failure.line(other)));
            }
        }, "enact-init");
        maker.setDaemon(true);
        maker.start();
    }

    private void make(Map<String, Object> frame) throws InitFailed {
        Object config = frame.get("config");
        Map<?, ?> said = config instanceof Map ? (Map<?, ?>) config : null;
        if (said == null) {
            throw new InitFailed("init has no config");
        }
        Map<String, Operation> made = Components.make(String.valueOf(frame.get("component")), said);
        int count = (int) Math.max(number(frame, "calls_in_flight"), 1);
        Object threadsSaid = said.get("threads");
        count = Math.max(count, threadsSaid instanceof Number ? ((Number) threadsSaid).intValue() : THREADS);
        ThreadPoolExecutor pool = new ThreadPoolExecutor(count, count, 1, TimeUnit.MINUTES, new LinkedBlockingQueue<>(),
                new CallThreads());
        pool.prestartAllCoreThreads();
        synchronized (this) {
            operations = made;
            threads = pool;
        }
        JsonWriter ready = wire.frame("ready").name("operations").beginArray();
        for (String name : made.keySet()) {
            ready.string(name);
        }
        wire.send(ready.endArray());
    }

    private void call(Map<String, Object> frame) {
        long id = number(frame, "id");
        String name = String.valueOf(frame.get("operation"));
        Operation operation;
        ThreadPoolExecutor pool;
        synchronized (this) {
            pool = threads;
            operation = operations == null ? null : operations.get(frame.get("service") + "." + name);
            if (operation == null && operations != null) {
                operation = operations.get(name);
            }
        }
        Call call = new Call(id, frame, operation, wire, calls, questions);
        calls.open(call);
        if (operation == null) {
            call.fail(Failure.of("unknown_operation", "there is no operation " + frame.get("service") + "." + name));
            return;
        }
        try {
            pool.execute(call);
        } catch (RejectedExecutionException ending) {
            call.fail(Failure.of("failed", "the JVM is ending"));
        }
    }
}
