// Results as JSON, by what they are at run time: cycles, endless depth and what JSON cannot hold are failures with a place.
package dev.enact.jvm.write;

import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.BaseStream;

import dev.enact.jvm.json.JsonWriter;
import dev.enact.jvm.scala.ScalaLibrary;

/** Writes the results of one component. */
public final class Output {
    /** What the hub accepts. */
    private static final int DEPTH_MAX = 64;

    private final ScalaLibrary scala;
    private final Properties properties = new Properties();

    public Output(ScalaLibrary scala) {
        this.scala = scala;
    }

    /** Writes one result, or the envelope of one with effects; what a getter or a lazy collection throws comes out as it is. */
    public void write(Object value, boolean effects, JsonWriter json) throws Throwable {
        new Pass(json, effects).value(value);
    }

    private final class Pass {
        private final JsonWriter json;
        private final boolean effects;
        private final Set<Object> path = Collections.newSetFromMap(new IdentityHashMap<>());

        Pass(JsonWriter json, boolean effects) {
            this.json = json;
            this.effects = effects;
        }

        void value(Object value) throws Throwable {
            if (value == null || scalar(value)) {
                if (value == null) {
                    json.nothing();
                }
                return;
            }
            String text = Names.text(value);
            if (text != null) {
                json.string(text);
                return;
            }
            if (path.size() >= DEPTH_MAX) {
                throw new Unwritable("the result is nested deeper than " + DEPTH_MAX + " levels", "");
            }
            if (!path.add(value)) {
                throw new Unwritable("the result has a cycle: it contains itself", "");
            }
            try {
                compound(value);
            } finally {
                path.remove(value);
            }
        }

        private boolean scalar(Object value) throws Unwritable {
            if (value instanceof String) {
                json.string((String) value);
            } else if (value instanceof Integer || value instanceof Long || value instanceof Short || value instanceof Byte) {
                json.number(((Number) value).longValue());
            } else if (value instanceof Boolean) {
                json.bool((Boolean) value);
            } else if (value instanceof Double) {
                finite((Double) value);
                json.number((double) (Double) value);
            } else if (value instanceof Float) {
                finite((Float) value);
                json.number((float) (Float) value);
            } else if (value instanceof BigDecimal) {
                json.number((BigDecimal) value);
            } else if (value instanceof BigInteger) {
                json.number((BigInteger) value);
            } else if (value instanceof Number && value.getClass().getName().startsWith("java.util.concurrent.atomic.Atomic")) {
                json.number(((Number) value).longValue());
            } else {
                return false;
            }
            return true;
        }

        private void finite(double value) throws Unwritable {
            if (Double.isNaN(value) || Double.isInfinite(value)) {
                throw new Unwritable("the result has " + value + ", which is no number in JSON", "");
            }
        }

        private void compound(Object value) throws Throwable {
            if (value instanceof Map) {
                json.beginObject();
                for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                    member(entry.getKey(), entry.getValue());
                }
                json.endObject();
            } else if (value instanceof Iterable) {
                items(((Iterable<?>) value).iterator());
            } else if (value instanceof Iterator) {
                items((Iterator<?>) value);
            } else if (value instanceof BaseStream) {
                try (BaseStream<?, ?> stream = (BaseStream<?, ?>) value) {
                    items(stream.iterator());
                }
            } else if (value.getClass().isArray()) {
                array(value);
            } else if (!optional(value) && !ofScala(value)) {
                object(value);
            }
        }

        private void member(Object key, Object value) throws Throwable {
            String name = Names.name(key, scala);
            if (name == null) {
                String type = key == null ? "null" : key.getClass().getName();
                throw new Unwritable("the result has a map whose key is " + type + ", which is no name in JSON", "");
            }
            if (effects && value == null && path.size() == 1 && !name.equals("output")) {
                // A field of an envelope that was not set is an effect that is not wanted.
                return;
            }
            json.name(name);
            try {
                value(value);
            } catch (Unwritable deeper) {
                throw deeper.under(name);
            }
        }

        private void items(Iterator<?> items) throws Throwable {
            json.beginArray();
            for (int i = 0; items.hasNext(); i++) {
                try {
                    value(items.next());
                } catch (Unwritable deeper) {
                    throw deeper.under(i);
                }
            }
            json.endArray();
        }

        private void array(Object array) throws Throwable {
            json.beginArray();
            int count = Array.getLength(array);
            for (int i = 0; i < count; i++) {
                try {
                    value(Array.get(array, i));
                } catch (Unwritable deeper) {
                    throw deeper.under(i);
                }
            }
            json.endArray();
        }

        private boolean optional(Object value) throws Throwable {
            Object inner;
            if (value instanceof Optional) {
                inner = ((Optional<?>) value).orElse(null);
            } else if (value instanceof OptionalInt) {
                inner = ((OptionalInt) value).isPresent() ? (Object) ((OptionalInt) value).getAsInt() : null;
            } else if (value instanceof OptionalLong) {
                inner = ((OptionalLong) value).isPresent() ? (Object) ((OptionalLong) value).getAsLong() : null;
            } else if (value instanceof OptionalDouble) {
                inner = ((OptionalDouble) value).isPresent() ? (Object) ((OptionalDouble) value).getAsDouble() : null;
            } else {
                return false;
            }
            value(inner);
            return true;
        }

        private boolean ofScala(Object value) throws Throwable {
            if (!scala.isHere()) {
                return false;
            }
            Number number = scala.number(value);
            if (number != null) {
                scalar(number);
            } else if (scala.isOption(value)) {
                value(scala.orNull(value));
            } else if (scala.isEither(value)) {
                json.beginObject();
                member(scala.isLeft(value) ? "left" : "right", scala.element(value, 0));
                json.endObject();
            } else if (scala.isMap(value)) {
                json.beginObject();
                for (Iterator<Object> pairs = scala.iterator(value); pairs.hasNext();) {
                    Object pair = pairs.next();
                    member(scala.element(pair, 0), scala.element(pair, 1));
                }
                json.endObject();
            } else if (scala.isMany(value)) {
                items(scala.iterator(value));
            } else if (scala.isUnit(value)) {
                json.nothing();
            } else if (scala.isName(value)) {
                json.string(scala.name(value));
            } else if (scala.isProduct(value)) {
                product(value);
            } else {
                return false;
            }
            return true;
        }

        private void product(Object value) throws Throwable {
            int arity = scala.arity(value);
            String type = value.getClass().getName();
            if (scala.isTuple(value.getClass())) {
                json.beginArray();
                for (int i = 0; i < arity; i++) {
                    try {
                        value(scala.element(value, i));
                    } catch (Unwritable deeper) {
                        throw deeper.under(i);
                    }
                }
                json.endArray();
                return;
            }
            if (arity == 0 && type.endsWith("$")) {
                json.string(scala.prefix(value));
                return;
            }
            List<String> names = properties.caseFields(value, arity, scala);
            json.beginObject();
            for (int i = 0; i < arity; i++) {
                member(names.get(i), scala.element(value, i));
            }
            json.endObject();
        }

        private void object(Object value) throws Throwable {
            List<Properties.Property> all = properties.of(value.getClass());
            if (all.isEmpty()) {
                throw new Unwritable("the result has an instance of " + value.getClass().getName()
                        + ", which has no form in JSON", "");
            }
            json.beginObject();
            for (Properties.Property property : all) {
                member(property.name, property.get(value));
            }
            json.endObject();
        }
    }
}
