// Results as JSON, by what they are at run time: cycles, endless depth and what JSON cannot hold are failures with a place.
package dev.enact.jvm.write;

import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.BaseStream;

import dev.enact.jvm.json.JsonWriter;
import dev.enact.jvm.scala.ScalaLibrary;

/** Writes the results of one component. */
public final class Output {
    /** What the hub accepts. */
    private static final int DEPTH_MAX = 64;

    private final ScalaLibrary scala;
    private final Properties properties = new Properties();
    private final Map<Class<?>, Form> forms = new ConcurrentHashMap<>();

    public Output(ScalaLibrary scala) {
        this.scala = scala;
    }

    /** Writes one result, or the envelope of one with effects; what a getter or a lazy collection throws comes out as it is. */
    public void write(Object value, boolean effects, JsonWriter json) throws Throwable {
        new Pass(json, effects).value(value);
    }

    /** Finds the form of a value, once for each class: to ask for it takes longer than to write most values. */
    private Form form(Object value) {
        Form form = forms.get(value.getClass());
        if (form == null) {
            form = Form.of(value, scala);
            forms.put(value.getClass(), form);
        }
        return form;
    }

    private final class Pass {
        private final JsonWriter json;
        private final boolean effects;
        /** What is being written, from the outside in; few enough to be looked through. */
        private Object[] path = new Object[8];
        private int depth;

        Pass(JsonWriter json, boolean effects) {
            this.json = json;
            this.effects = effects;
        }

        void value(Object value) throws Throwable {
            if (value == null) {
                json.nothing();
            } else if (!scalar(value)) {
                Form form = form(value);
                if (form == Form.TEXT) {
                    json.string(Names.text(value));
                    return;
                }
                enter(value);
                compound(value, form);
                depth--;
            }
        }

        private void enter(Object value) throws Unwritable {
            if (depth >= DEPTH_MAX) {
                throw new Unwritable("the result is nested deeper than " + DEPTH_MAX + " levels", "");
            }
            for (int i = 0; i < depth; i++) {
                if (path[i] == value) {
                    throw new Unwritable("the result has a cycle: it contains itself", "");
                }
            }
            if (depth == path.length) {
                path = Arrays.copyOf(path, DEPTH_MAX);
            }
            path[depth++] = value;
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

        private void compound(Object value, Form form) throws Throwable {
            switch (form) {
                case MAP:
                    json.beginObject();
                    for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                        member(entry.getKey(), entry.getValue());
                    }
                    json.endObject();
                    break;
                case ITEMS:
                    items(((Iterable<?>) value).iterator());
                    break;
                case ITERATOR:
                    items((Iterator<?>) value);
                    break;
                case STREAM:
                    try (BaseStream<?, ?> stream = (BaseStream<?, ?>) value) {
                        items(stream.iterator());
                    }
                    break;
                case ARRAY:
                    array(value);
                    break;
                case OPTIONAL:
                    value(inside(value));
                    break;
                case OBJECT:
                    object(value);
                    break;
                default:
                    ofScala(value, form);
                    break;
            }
        }

        private void member(Object key, Object value) throws Throwable {
            String name = Names.name(key, scala);
            if (name == null) {
                String type = key == null ? "null" : key.getClass().getName();
                throw new Unwritable("the result has a map whose key is " + type + ", which is no name in JSON", "");
            }
            if (effects && value == null && depth == 1 && !name.equals("output")) {
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

        private Object inside(Object optional) {
            if (optional instanceof Optional) {
                return ((Optional<?>) optional).orElse(null);
            }
            if (optional instanceof OptionalInt) {
                return ((OptionalInt) optional).isPresent() ? (Object) ((OptionalInt) optional).getAsInt() : null;
            }
            if (optional instanceof OptionalLong) {
                return ((OptionalLong) optional).isPresent() ? (Object) ((OptionalLong) optional).getAsLong() : null;
            }
            return ((OptionalDouble) optional).isPresent() ? (Object) ((OptionalDouble) optional).getAsDouble() : null;
        }

        private void ofScala(Object value, Form form) throws Throwable {
            switch (form) {
                case SCALA_NUMBER:
                    scalar(scala.number(value));
                    break;
                case SCALA_OPTION:
                    value(scala.orNull(value));
                    break;
                case EITHER:
                    json.beginObject();
                    member(scala.isLeft(value) ? "left" : "right", scala.element(value, 0));
                    json.endObject();
                    break;
                case SCALA_MAP:
                    json.beginObject();
                    for (Iterator<Object> pairs = scala.iterator(value); pairs.hasNext();) {
                        Object pair = pairs.next();
                        member(scala.element(pair, 0), scala.element(pair, 1));
                    }
                    json.endObject();
                    break;
                case SCALA_ITEMS:
                    items(scala.iterator(value));
                    break;
                case UNIT:
                    json.nothing();
                    break;
                case NAME:
                    json.string(scala.name(value));
                    break;
                case TUPLE:
                    tuple(value);
                    break;
                default:
                    product(value);
                    break;
            }
        }

        private void tuple(Object value) throws Throwable {
            json.beginArray();
            int arity = scala.arity(value);
            for (int i = 0; i < arity; i++) {
                try {
                    value(scala.element(value, i));
                } catch (Unwritable deeper) {
                    throw deeper.under(i);
                }
            }
            json.endArray();
        }

        private void product(Object value) throws Throwable {
            int arity = scala.arity(value);
            if (arity == 0 && value.getClass().getName().endsWith("$")) {
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
