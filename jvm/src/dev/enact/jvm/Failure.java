// What an error frame says: the code, one sentence, and of an exception its class, its stack and its typed detail.
package dev.enact.jvm;

import java.lang.reflect.InvocationTargetException;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;

import dev.enact.jvm.json.Brief;
import dev.enact.jvm.json.JsonWriter;
import dev.enact.jvm.json.TooLarge;
import dev.enact.jvm.read.BadArgument;
import dev.enact.jvm.write.Unwritable;

/** A failure of a call, as the hub is told of it. */
final class Failure {
    private static final int CAUSES_MAX = 100;

    private final String code;
    private final String message;
    private String exception;
    private String stack;
    private final Map<String, Object> detail = new LinkedHashMap<>();

    private Failure(String code, String message) {
        this.code = code;
        this.message = Brief.cut(message, Brief.MESSAGE_CHARS);
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
        String line = newer == null ? Brief.line(cause) : JavaVersion.needed(newer);
        Failure failure = new Failure(cancelled ? "cancelled" : "failed", line);
        failure.exception = Brief.className(cause);
        failure.stack = Brief.stack(cause);
        return failure;
    }

    /** Says no more of an exception than its class: it does not let itself be asked, or there is no memory for more. */
    static Failure nameless(Throwable thrown, String why) {
        Failure failure = new Failure("failed", "it threw " + Brief.className(thrown) + ", " + why);
        failure.exception = Brief.className(thrown);
        return failure;
    }

    static Failure exited(ExitHeld exit) {
        String message = "the call asked the process to exit with status " + exit.status + "; it was held back";
        Failure failure = new Failure("failed", message);
        failure.exception = "System.exit";
        failure.stack = Brief.stack(exit);
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
}
