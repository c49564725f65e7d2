// What holds several values or none: arrays, collections, maps and the optionals of Java.
package dev.enact.jvm.read;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Modifier;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.stream.BaseStream;
import java.util.stream.Stream;

import dev.enact.jvm.json.Brief;
import dev.enact.jvm.type.JavaTypes;
import dev.enact.jvm.type.TypeTree;
import dev.enact.jvm.type.Unresolvable;

/** Readers of Java's groups. */
final class Groups {
    private static final Class<?>[] COLLECTIONS = {ArrayList.class, LinkedHashSet.class, TreeSet.class, ArrayDeque.class};
    private static final Class<?>[] MAPS =
            {LinkedHashMap.class, TreeMap.class, ConcurrentHashMap.class, ConcurrentSkipListMap.class};

    private final Readers readers;

    Groups(Readers readers) {
        this.readers = readers;
    }

    /** Makes something of a list that was read. */
    interface Finish {
        Object of(List<Object> items) throws BadArgument;
    }

    Reader of(TypeTree type) throws Unresolvable {
        Class<?> raw = type.raw;
        if (raw.isArray()) {
            return array(type);
        }
        if (raw == Optional.class) {
            return optional(readers.of(type.arg(0)), raw);
        }
        if (raw == OptionalInt.class) {
            return optional(Scalars.of(int.class), raw);
        }
        if (raw == OptionalLong.class) {
            return optional(Scalars.of(long.class), raw);
        }
        if (raw == OptionalDouble.class) {
            return optional(Scalars.of(double.class), raw);
        }
        if (Map.class.isAssignableFrom(raw)) {
            return map(type);
        }
        if (Collection.class.isAssignableFrom(raw) || raw == Iterable.class) {
            TypeTree as = JavaTypes.as(type, raw == Iterable.class ? Iterable.class : Collection.class);
            Constructor<?> make = constructor(raw, COLLECTIONS, type);
            return list(readers.of(as.arg(0)), type, new Finish() {
                @Override
                public Object of(List<Object> items) throws BadArgument {
                    return fill(make, items);
                }
            });
        }
        if (raw == Iterator.class) {
            return list(readers.of(type.arg(0)), type, List::iterator);
        }
        if (raw == Stream.class || raw == BaseStream.class) {
            return list(readers.of(type.arg(0)), type, List::stream);
        }
        return null;
    }

    private static Reader optional(Reader inner, Class<?> type) {
        return new Reader() {
            @Override
            public Object read(Object json) throws BadArgument {
                Object value = json == null ? null : inner.read(json);
                if (type == OptionalInt.class) {
                    return value == null ? OptionalInt.empty() : OptionalInt.of((Integer) value);
                }
                if (type == OptionalLong.class) {
                    return value == null ? OptionalLong.empty() : OptionalLong.of((Long) value);
                }
                if (type == OptionalDouble.class) {
                    return value == null ? OptionalDouble.empty() : OptionalDouble.of((Double) value);
                }
                return Optional.ofNullable(value);
            }

            @Override
            public boolean optional() {
                return true;
            }
        };
    }

    /** Reads an array of JSON, item by item. */
    static Reader list(Reader item, TypeTree type, Finish finish) {
        return new Reader() {
            @Override
            public Object read(Object json) throws BadArgument {
                if (json == null) {
                    return null;
                }
                if (!(json instanceof List)) {
                    throw new BadArgument(json, type.toString(), "is not an array");
                }
                List<?> from = (List<?>) json;
                List<Object> items = new ArrayList<>(from.size());
                for (int i = 0; i < from.size(); i++) {
                    try {
                        items.add(item.read(from.get(i)));
                    } catch (BadArgument bad) {
                        throw bad.under(i);
                    }
                }
                return finish.of(items);
            }
        };
    }

    private Reader array(TypeTree type) throws Unresolvable {
        Class<?> element = type.raw.getComponentType();
        return list(readers.of(type.arg(0)), type, new Finish() {
            @Override
            public Object of(List<Object> items) {
                Object array = Array.newInstance(element, items.size());
                for (int i = 0; i < items.size(); i++) {
                    Array.set(array, i, items.get(i));
                }
                return array;
            }
        });
    }

    private Reader map(TypeTree type) throws Unresolvable {
        TypeTree as = JavaTypes.as(type, Map.class);
        Keys keys = Keys.of(as.arg(0));
        Reader values = readers.of(as.arg(1));
        Constructor<?> make = constructor(type.raw, MAPS, type);
        return new Reader() {
            @Override
            public Object read(Object json) throws BadArgument {
                if (json == null) {
                    return null;
                }
                @SuppressWarnings("unchecked")
                Map<Object, Object> map = (Map<Object, Object>) made(make);
                List<Object[]> pairs = pairs(json, keys, values, type);
                for (Object[] pair : pairs) {
                    map.put(pair[0], pair[1]);
                }
                if (map.size() != pairs.size()) {
                    // A sorted map holds 1.0 and 1.00 to be the same.
                    throw new BadArgument(json, type.toString(), "has two names that are the same key");
                }
                return map;
            }
        };
    }

    /** Reads the members of an object as pairs of key and value. */
    static List<Object[]> pairs(Object json, Keys keys, Reader values, TypeTree type) throws BadArgument {
        if (!(json instanceof Map)) {
            throw new BadArgument(json, type.toString(), "is not an object");
        }
        List<Object[]> pairs = new ArrayList<>();
        Set<Object> seen = new HashSet<>();
        for (Map.Entry<?, ?> member : ((Map<?, ?>) json).entrySet()) {
            String name = (String) member.getKey();
            try {
                Object key = keys.read(name);
                if (!(key instanceof String) && !seen.add(key)) {
                    throw new BadArgument(name, type.toString(), "is the same key as another name beside it");
                }
                pairs.add(new Object[] {key, values.read(member.getValue())});
            } catch (BadArgument bad) {
                throw bad.under(name);
            }
        }
        return pairs;
    }

    /** Returns the constructor without parameters of the class, or of the first usual class that may stand for it. */
    private static Constructor<?> constructor(Class<?> raw, Class<?>[] usual, TypeTree type) throws Unresolvable {
        Class<?> concrete = raw;
        if (raw.isInterface() || Modifier.isAbstract(raw.getModifiers())) {
            concrete = null;
            for (Class<?> candidate : usual) {
                if (raw.isAssignableFrom(candidate)) {
                    concrete = candidate;
                    break;
                }
            }
        }
        try {
            if (concrete != null) {
                return concrete.getConstructor();
            }
        } catch (NoSuchMethodException needsMore) {
            throw new Unresolvable(type + " has no public constructor without parameters");
        }
        throw new Unresolvable(type + " is abstract; name a class that can be made, by a hint");
    }

    private static Object made(Constructor<?> make) throws BadArgument {
        try {
            return make.newInstance();
        } catch (ReflectiveOperationException refused) {
            throw Structures.refused(refused, null, make.getDeclaringClass());
        }
    }

    private static Object fill(Constructor<?> make, List<Object> items) throws BadArgument {
        if (make.getDeclaringClass() == ArrayList.class) {
            return items;
        }
        @SuppressWarnings("unchecked")
        Collection<Object> collection = (Collection<Object>) made(make);
        try {
            collection.addAll(items);
        } catch (NullPointerException | ClassCastException | IllegalArgumentException refused) {
            throw new BadArgument(null, make.getDeclaringClass().getName(), "in it is refused: " + Brief.line(refused));
        }
        return collection;
    }
}
