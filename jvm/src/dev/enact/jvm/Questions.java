// Context requests: a call asks the hub for state, a reference or its records, and waits for the answer.
package dev.enact.jvm;

import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicLong;

import dev.enact.jvm.json.JsonWriter;

/** What was asked and not answered yet. */
final class Questions {
    private final Map<Long, CompletableFuture<Map<String, Object>>> open = new ConcurrentHashMap<>();
    private final AtomicLong last = new AtomicLong();
    private final Wire wire;

    Questions(Wire wire) {
        this.wire = wire;
    }

    /** Asks for a call, with fields given as names and values in turn, and waits. */
    Map<String, Object> ask(long call, String type, String... fields) {
        long request = last.incrementAndGet();
        CompletableFuture<Map<String, Object>> answer = new CompletableFuture<>();
        open.put(request, answer);
        try {
            JsonWriter frame = wire.frame(type).name("request").number(request).name("call").number(call);
            for (int i = 0; i < fields.length; i += 2) {
                frame.name(fields[i]).string(fields[i + 1]);
            }
            wire.send(frame);
            Map<String, Object> said = answer.get();
            if ("context_error".equals(said.get("type"))) {
                throw new IllegalStateException(type + " was " + said.get("code") + ": " + said.get("message"));
            }
            return said;
        } catch (InterruptedException cancelled) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(type + " was interrupted", cancelled);
        } catch (ExecutionException never) {
            throw new IllegalStateException(never);
        } finally {
            open.remove(request);
        }
    }

    void answered(long request, Map<String, Object> frame) {
        CompletableFuture<Map<String, Object>> waiting = open.get(request);
        if (waiting != null) {
            waiting.complete(frame);
        }
    }
}
