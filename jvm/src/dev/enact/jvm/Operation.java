// A method that can be called: from the argument of a call to its parameters, and from what it returns to a value.
package dev.enact.jvm;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

import dev.enact.jvm.json.JsonWriter;
import dev.enact.jvm.read.BadArgument;
import dev.enact.jvm.read.Reader;
import dev.enact.jvm.scala.ScalaLibrary;

/** An operation of a component, resolved. */
final class Operation {
    /** Waking another thread takes about as long. */
    private static final long QUICK_NS = 50_000;
    /** So many slow calls in a row make an operation slow: one alone may only have lost its processor for a while. */
    private static final int SLOW_IN_A_ROW = 3;

    final Method method;
    private final List<Input> inputs;
    private final boolean whole;
    private final Surroundings surroundings;
    private final Instance instance;
    private final boolean effects;
    /** Slow calls since the last quick one; who has not been called is not known to be quick. */
    private volatile int slow = SLOW_IN_A_ROW;

    /** A parameter of the method; the one without a reader is the context. */
    static final class Input {
        final String name;
        private final Reader reader;

        Input(String name, Reader reader) {
            this.name = name;
            this.reader = reader;
        }

        static Input context() {
            return new Input("context", null);
        }

        boolean isContext() {
            return reader == null;
        }
    }

    Operation(Method method, Class<?> target, List<Input> inputs, boolean whole, boolean effects,
            Surroundings surroundings) {
        this.method = method;
        this.inputs = inputs;
        this.whole = whole;
        this.effects = effects;
        this.surroundings = surroundings;
        this.instance = target == null ? null : surroundings.instance(target);
        try {
            // A public method of a class that is not public can be called all the same.
            method.setAccessible(true);
        } catch (RuntimeException ofJavaItself) {
            // Then it is public through and through, or the call says that it is not.
        }
    }

    /** Returns whether one of its parameters is the context; a call of any other operation comes without it. */
    boolean takesContext() {
        for (Input input : inputs) {
            if (input.isContext()) {
                return true;
            }
        }
        return false;
    }

    /** Is told how long a call of it took. */
    void took(long ns) {
        int before = slow;
        int now = ns < QUICK_NS ? 0 : Math.min(before + 1, SLOW_IN_A_ROW);
        if (now != before) {
            // Calls side by side may miss each other's, and no harm is done.
            slow = now;
        }
    }

    /** Returns whether a call of late was over before another thread would have been awake. */
    boolean isQuick() {
        return slow < SLOW_IN_A_ROW;
    }

    /** Calls the method and waits for what it promises. */
    Object invoke(Call call) throws Throwable {
        Thread.currentThread().setContextClassLoader(surroundings.loader);
        Object[] arguments = arguments(call);
        Object result;
        try {
            result = method.invoke(instance == null ? null : instance.get(), arguments);
        } catch (InvocationTargetException thrown) {
            throw thrown.getCause();
        }
        return awaited(result);
    }

    void write(Object result, JsonWriter json) throws Throwable {
        surroundings.output.write(result, effects, json);
    }

    private Object[] arguments(Call call) throws BadArgument {
        Object argument = call.frame.get("argument");
        Object[] values = new Object[inputs.size()];
        Map<?, ?> members = Collections.emptyMap();
        if (!whole && argument instanceof Map) {
            members = (Map<?, ?>) argument;
        } else if (!whole && argument != null) {
            throw new BadArgument(argument, "object", "is not an object whose members are the parameters");
        }
        for (int i = 0; i < values.length; i++) {
            Input input = inputs.get(i);
            if (input.isContext()) {
                values[i] = Context.of(call, surroundings.config);
            } else if (whole) {
                values[i] = input.reader.read(argument);
            } else {
                values[i] = member(input, members, method.getParameterTypes()[i]);
            }
        }
        return values;
    }

    private static Object member(Input input, Map<?, ?> members, Class<?> type) throws BadArgument {
        try {
            if (!members.containsKey(input.name) && !input.reader.optional()) {
                throw BadArgument.missing(type.getName());
            }
            return input.reader.read(members.get(input.name));
        } catch (BadArgument bad) {
            throw bad.under(input.name);
        }
    }

    private Object awaited(Object first) throws Throwable {
        Object result = first;
        ScalaLibrary scala = surroundings.scala;
        while (true) {
            try {
                if (result instanceof Future) {
                    result = awaited((Future<?>) result);
                } else if (result instanceof CompletionStage) {
                    result = awaited(((CompletionStage<?>) result).toCompletableFuture());
                } else if (scala.isFuture(result)) {
                    result = scala.await(result);
                } else {
                    return result;
                }
            } catch (ExecutionException thrown) {
                throw Failure.unwrapped(thrown);
            }
        }
    }

    /** Who is cancelled while waiting cancels what he waits for. */
    private static Object awaited(Future<?> future) throws Exception {
        try {
            return future.get();
        } catch (InterruptedException cancelled) {
            future.cancel(true);
            throw cancelled;
        }
    }
}
