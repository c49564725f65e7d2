// What the JVM says of itself when it is asked for figures.
package dev.enact.jvm;


import dev.enact.jvm.json.JsonWriter;

/** Figures for people. */
final class Figures {
    private Figures() {
    }

    static JsonWriter write(JsonWriter frame, Calls calls) {
        Runtime runtime = Runtime.getRuntime();
        frame.name("figures").beginObject();
        frame.name("calls").number(calls.taken());
        frame.name("in_flight").number(calls.unanswered().size());
        frame.name("heap_used_bytes").number(runtime.totalMemory() - runtime.freeMemory());
        frame.name("heap_bytes").number(runtime.totalMemory());
        frame.name("heap_max_bytes").number(runtime.maxMemory());
        frame.name("threads").number(Thread.activeCount());
        return frame.endObject();
    }
}
