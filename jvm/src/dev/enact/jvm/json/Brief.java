// What was thrown, in a bounded text: whatever is long is cut before anything is built from it.
package dev.enact.jvm.json;

import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/** Describes exceptions, also those whose message fills half of the heap. */
public final class Brief {
    /** Longest message of one exception, in UTF-16 units. */
    public static final int MESSAGE_CHARS = 4 * 1024;
    /** Longest name of a class, and longest line of a stack. */
    private static final int NAME_CHARS = 1024;
    private static final int STACK_CHARS = 8 * 1024;

    private Brief() {
    }

    /** Returns a text, or its beginning. */
    public static String cut(String text, int chars) {
        return text == null || text.length() <= chars ? text : text.substring(0, chars) + "…";
    }

    /** Returns the name of the class of something. */
    public static String className(Object value) {
        return cut(value.getClass().getName(), NAME_CHARS);
    }

    /** Returns what an exception says of itself, cut; null if it says nothing. */
    public static String message(Throwable thrown) {
        return cut(thrown.getMessage(), MESSAGE_CHARS);
    }

    /** Says in one line what was thrown. */
    public static String line(Throwable thrown) {
        String said = message(thrown);
        return said == null || said.isEmpty() ? className(thrown) : cut(className(thrown) + ": " + said, MESSAGE_CHARS);
    }

    /** Returns the stack with its causes as Java prints it, up to its limit. */
    public static String stack(Throwable thrown) {
        StringBuilder text = new StringBuilder();
        trace(thrown, "", "", new StackTraceElement[0], text, Collections.newSetFromMap(new IdentityHashMap<>()));
        return text.length() > STACK_CHARS ? text.substring(0, STACK_CHARS) : text.toString();
    }

    private static void trace(Throwable thrown, String indent, String word, StackTraceElement[] around, StringBuilder text,
            Set<Throwable> seen) {
        if (text.length() >= STACK_CHARS) {
            return;
        }
        text.append(indent).append(word);
        if (!seen.add(thrown)) {
            text.append("[CIRCULAR REFERENCE: ").append(line(thrown)).append("]\n");
            return;
        }
        text.append(line(thrown)).append('\n');
        StackTraceElement[] frames = thrown.getStackTrace();
        int own = frames.length;
        for (int outer = around.length; own > 0 && outer > 0 && frames[own - 1].equals(around[outer - 1]); outer--) {
            own--;
        }
        for (int i = 0; i < own && text.length() < STACK_CHARS; i++) {
            text.append(indent).append("\tat ").append(cut(frames[i].toString(), NAME_CHARS)).append('\n');
        }
        if (own < frames.length) {
            text.append(indent).append("\t... ").append(frames.length - own).append(" more\n");
        }
        for (Throwable suppressed : thrown.getSuppressed()) {
            trace(suppressed, indent + "\t", "Suppressed: ", frames, text, seen);
        }
        if (thrown.getCause() != null) {
            trace(thrown.getCause(), indent, "Caused by: ", frames, text, seen);
        }
    }
}
