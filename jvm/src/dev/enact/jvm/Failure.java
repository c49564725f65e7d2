// What an error frame says: the code, one sentence, and of an exception its class, its stack and its typed detail.
package dev.enact.jvm;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;

import dev.enact.jvm.json.JsonWriter;
import dev.enact.jvm.json.TooLarge;
import dev.enact.jvm.read.BadArgument;
import dev.enact.jvm.write.Unwritable;

/** A failure of a call, as the hub is told of it. */
final class Failure {
    private static final int STACK_CHARS = 8 * 1024;
    private static final int CAUSES_MAX = 100;
    private static final int MESSAGE_CHARS = 4 * 1024;

    private final String code;
    private final String message;
    private String exception;
    private String stack;
    private final Map<String, Object> detail = new LinkedHashMap<>();

    private Failure(String code, String message) {
        this.code = code;
        this.message = message;
    }

    static Failure of(String code, String message) {
        return new Failure(code, message);
    }

    /** A component that shares this JVM and could not be made. */
    static Failure refused(String why) {
        Failure failure = new Failure("unknown_operation", why);
        failure.exception = "InitFailed";
        return failure;
    }

    /** Describes what a method threw. */
    static Failure of(Throwable thrown, boolean cancelled) {
        if (thrown instanceof BadArgument) {
            BadArgument bad = (BadArgument) thrown;
            Failure failure = new Failure("bad_argument", bad.getMessage());
            failure.exception = "BadArgument";
            failure.detail.put("pointer", bad.pointer());
            failure.detail.put("value", bad.value());
            failure.detail.put("type", bad.type());
            return failure;
        }
        if (thrown instanceof TooLarge) {
            Failure failure = new Failure("failed", "the result has " + thrown.getMessage() + ", the limit of a frame");
            failure.exception = "ResultTooLarge";
            return failure;
        }
        if (thrown instanceof Unwritable) {
            Unwritable result = (Unwritable) thrown;
            Failure failure = new Failure("failed", result.getMessage());
            failure.exception = "UnwritableResult";
            failure.detail.put("pointer", result.pointer());
            return failure;
        }
        Throwable cause = unwrapped(thrown);
        ExitHeld exit = find(cause, ExitHeld.class);
        if (exit != null) {
            return exited(exit);
        }
        UnsupportedClassVersionError newer = find(cause, UnsupportedClassVersionError.class);
        String line = newer == null ? line(cause) : JavaVersion.needed(newer);
        Failure failure = new Failure(cancelled ? "cancelled" : "failed", line);
        failure.exception = cause.getClass().getName();
        failure.stack = stack(cause);
        return failure;
    }

    static Failure exited(ExitHeld exit) {
        String message = "the call asked the process to exit with status " + exit.status + "; it was held back";
        Failure failure = new Failure("failed", message);
        failure.exception = "System.exit";
        failure.stack = stack(exit);
        failure.detail.put("exit", (long) exit.status);
        return failure;
    }

    JsonWriter write(JsonWriter frame) {
        frame.name("code").string(code).name("message").string(message);
        if (exception != null) {
            frame.name("exception").string(exception);
        }
        if (stack != null) {
            frame.name("stack").string(stack);
        }
        if (!detail.isEmpty()) {
            frame.name("detail").value(detail);
        }
        return frame;
    }

    /** Takes off what reflection and futures put around an exception. */
    static Throwable unwrapped(Throwable thrown) {
        Throwable inner = thrown;
        while (inner.getCause() != null && inner.getCause() != inner
                && (inner instanceof InvocationTargetException || inner instanceof ExecutionException
                        || inner instanceof CompletionException)) {
            inner = inner.getCause();
        }
        return inner;
    }

    /** Returns the first of a kind in the chain of causes, or null. */
    static <T extends Throwable> T find(Throwable thrown, Class<T> kind) {
        Set<Throwable> seen = Collections.newSetFromMap(new IdentityHashMap<>());
        for (Throwable inner = thrown; inner != null && seen.add(inner); inner = inner.getCause()) {
            if (kind.isInstance(inner)) {
                return kind.cast(inner);
            }
        }
        return null;
    }

    /** Returns whether the heap is full; takes no memory to find out. */
    static boolean isExhausted(Throwable thrown) {
        Throwable inner = thrown;
        for (int i = 0; i < CAUSES_MAX && inner != null; i++) {
            if (inner instanceof OutOfMemoryError) {
                return true;
            }
            inner = inner.getCause();
        }
        return false;
    }

    /** Says in one line what was thrown. */
    static String line(Throwable thrown) {
        String name = thrown.getClass().getName();
        String said = thrown.getMessage();
        String line = said == null || said.isEmpty() ? name : name + ": " + said;
        return line.length() > MESSAGE_CHARS ? line.substring(0, MESSAGE_CHARS) + "…" : line;
    }

    private static String stack(Throwable thrown) {
        StringWriter text = new StringWriter() {
            @Override
            public void write(String piece) {
                if (getBuffer().length() < STACK_CHARS) {
                    super.write(piece);
                }
            }
        };
        thrown.printStackTrace(new PrintWriter(text));
        StringBuffer whole = text.getBuffer();
        return whole.length() > STACK_CHARS ? whole.substring(0, STACK_CHARS) : whole.toString();
    }
}
