// A greeting in plain Java, and a counter that uses its context: no class of enact's is needed for either.
package com.acme;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

public final class Greeting {
    private Greeting() {
    }

    public static String hello(String name, int times) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < times; i++) {
            text.append(i == 0 ? "" : " ").append("Hello ").append(name).append('!');
        }
        return text.toString();
    }

    /** Counts visits in the state of the session; the change commits with the outcome or not at all. */
    @SuppressWarnings("unchecked")
    public static Map<String, Object> visit(Map<String, Object> context) {
        Function<Object, Object> state = (Function<Object, Object>) context.get("state");
        Function<Object, Object> version = (Function<Object, Object>) context.get("state_version");
        Number held = (Number) state.apply("visits");
        int visits = held == null ? 1 : held.intValue() + 1;
        Map<String, Object> change = new LinkedHashMap<>();
        change.put("scope", "session");
        change.put("set", "visits");
        change.put("value", visits);
        change.put("if_version", version.apply("visits"));
        Map<String, Object> envelope = new LinkedHashMap<>();
        envelope.put("output", Collections.singletonMap("visits", visits));
        envelope.put("state", Collections.singletonList(change));
        return envelope;
    }
}
