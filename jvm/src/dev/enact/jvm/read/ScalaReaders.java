// Scala's own types: options, collections, maps, tuples, Either, and its numbers.
package dev.enact.jvm.read;

import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

import dev.enact.jvm.scala.ScalaLibrary;
import dev.enact.jvm.type.TypeTree;
import dev.enact.jvm.type.Unresolvable;

/** Readers of what comes from Scala's library. Classes and no lambdas, of which the first one would cost a start a tenth. */
final class ScalaReaders {
    private final Readers readers;
    private final ScalaLibrary scala;

    ScalaReaders(Readers readers, ScalaLibrary scala) {
        this.readers = readers;
        this.scala = scala;
    }

    /** Refuses a type of Scala of whose elements nobody said what they are: `List[Int]` is `List<Object>` to reflection. */
    static void refuseErased(TypeTree type, String where) throws Unresolvable {
        boolean ofScala = type.raw.getName().startsWith("scala.");
        int expected = ofScala ? type.raw.getTypeParameters().length : 0;
        for (int i = 0; i < Math.max(expected, type.args.size()); i++) {
            if (ofScala && type.arg(i).isErased()) {
                throw new Unresolvable(where + ": the elements of " + type.raw.getSimpleName() + " were erased by the compiler; "
                        + "say what they are by a hint, such as type: \"" + type.raw.getSimpleName() + "[Int]\"");
            }
            refuseErased(type.arg(i), where);
        }
    }

    Reader of(TypeTree type) throws Unresolvable {
        Class<?> raw = type.raw;
        if (raw == scala.option) {
            Reader inner = readers.of(type.arg(0));
            return new Made(raw, true) {
                @Override
                Object make(Object json) throws ReflectiveOperationException, BadArgument {
                    return scala.some(json == null ? null : inner.read(json));
                }
            };
        }
        if (raw == scala.bigDecimal) {
            return number(raw, BigDecimal.class);
        }
        if (raw == scala.bigInt) {
            return number(raw, BigInteger.class);
        }
        if (raw == scala.either) {
            return either(type);
        }
        if (raw.getName().equals("scala.runtime.BoxedUnit")) {
            return new Made(raw, true) {
                @Override
                Object make(Object json) throws ReflectiveOperationException {
                    return raw.getField("UNIT").get(null);
                }
            };
        }
        if (scala.isTuple(raw)) {
            return tuple(type);
        }
        if (scala.map != null && scala.map.isAssignableFrom(raw)) {
            return map(type);
        }
        boolean many = raw.getName().startsWith("scala.collection.") && !raw.getName().equals("scala.collection.Iterator");
        return many ? collection(type) : null;
    }

    /** Reads something that may be refused by Scala. */
    private abstract static class Made extends Reader {
        private final Class<?> raw;
        private final boolean optional;

        Made(Class<?> raw, boolean optional) {
            this.raw = raw;
            this.optional = optional;
        }

        abstract Object make(Object json) throws ReflectiveOperationException, BadArgument;

        @Override
        public final Object read(Object json) throws BadArgument {
            try {
                return make(json);
            } catch (ReflectiveOperationException refused) {
                throw Structures.refused(refused, json, raw);
            }
        }

        @Override
        public final boolean optional() {
            return optional;
        }
    }

    private Reader number(Class<?> raw, Class<?> java) throws Unresolvable {
        Reader inner = Scalars.of(java);
        Constructor<?> wrapping;
        try {
            wrapping = raw.getConstructor(java);
        } catch (NoSuchMethodException other) {
            throw new Unresolvable(raw.getName() + " of this Scala is not known");
        }
        return new Made(raw, false) {
            @Override
            Object make(Object json) throws ReflectiveOperationException, BadArgument {
                Object value = inner.read(json);
                return value == null ? null : wrapping.newInstance(value);
            }
        };
    }

    private Reader either(TypeTree type) throws Unresolvable {
        Reader left = readers.of(type.arg(0));
        Reader right = readers.of(type.arg(1));
        Class<?> raw = type.raw;
        return new Reader() {
            @Override
            public Object read(Object json) throws BadArgument {
                Map<?, ?> members = json instanceof Map ? (Map<?, ?>) json : null;
                if (members == null || members.size() != 1) {
                    throw new BadArgument(json, type.toString(), "is not {\"left\": …} or {\"right\": …}");
                }
                String side = (String) members.keySet().iterator().next();
                if (!side.equals("left") && !side.equals("right")) {
                    throw new BadArgument(json, type.toString(), "is not {\"left\": …} or {\"right\": …}");
                }
                boolean isLeft = side.equals("left");
                try {
                    Object inner = (isLeft ? left : right).read(members.get(side));
                    Object module = scala.module(isLeft ? "scala.util.Left" : "scala.util.Right");
                    return module.getClass().getMethod("apply", Object.class).invoke(module, inner);
                } catch (BadArgument bad) {
                    throw bad.under(side);
                } catch (ReflectiveOperationException refused) {
                    throw Structures.refused(refused, json, raw);
                }
            }
        };
    }

    private Reader tuple(TypeTree type) throws Unresolvable {
        int count = type.raw.getTypeParameters().length;
        Reader[] parts = new Reader[count];
        for (int i = 0; i < count; i++) {
            parts[i] = readers.of(type.arg(i));
        }
        Constructor<?> constructor = type.raw.getConstructors()[0];
        return new Made(type.raw, false) {
            @Override
            Object make(Object json) throws ReflectiveOperationException, BadArgument {
                if (!(json instanceof List) || ((List<?>) json).size() != count) {
                    throw new BadArgument(json, type.toString(), "is not an array of " + count);
                }
                Object[] values = new Object[count];
                for (int i = 0; i < count; i++) {
                    try {
                        values[i] = parts[i].read(((List<?>) json).get(i));
                    } catch (BadArgument bad) {
                        throw bad.under(i);
                    }
                }
                return constructor.newInstance(values);
            }
        };
    }

    private Reader collection(TypeTree type) throws Unresolvable {
        Builders builders = new Builders(type);
        return Groups.list(readers.of(type.arg(0)), type, new Groups.Finish() {
            @Override
            public Object of(List<Object> items) throws BadArgument {
                try {
                    return builders.build(items);
                } catch (ReflectiveOperationException refused) {
                    throw Structures.refused(refused, null, type.raw);
                }
            }
        });
    }

    private Reader map(TypeTree type) throws Unresolvable {
        Keys keys = Keys.of(type.arg(0));
        Reader values = readers.of(type.arg(1));
        Builders builders = new Builders(type);
        Class<?> pair = scala.find("scala.Tuple2");
        Constructor<?> constructor = pair.getConstructors()[0];
        return new Made(type.raw, false) {
            @Override
            Object make(Object json) throws ReflectiveOperationException, BadArgument {
                List<Object[]> pairs = Groups.pairs(json, keys, values, type);
                Object[] tuples = new Object[pairs.size()];
                for (int i = 0; i < tuples.length; i++) {
                    tuples[i] = constructor.newInstance(pairs.get(i));
                }
                return builders.build(Arrays.asList(tuples));
            }
        };
    }

    /** The companion of a collection makes builders, in every version of Scala. */
    private final class Builders {
        private final Class<?> companion;
        /** The companion itself; asked for at the first call, because that initialises it. */
        private Object module;
        private final Method newBuilder;
        private final Method add;
        private final Method result;

        Builders(TypeTree type) throws Unresolvable {
            companion = scala.find(type.raw.getName() + "$");
            Class<?> builder = scala.find("scala.collection.mutable.Builder");
            try {
                if (companion == null || builder == null) {
                    throw new NoSuchMethodException();
                }
                newBuilder = companion.getMethod("newBuilder");
                add = builder.getMethod("$plus$eq", Object.class);
                result = builder.getMethod("result");
            } catch (NoSuchMethodException none) {
                throw new Unresolvable(type + " cannot be made of JSON; List, Vector, Seq, Set and Map can");
            }
        }

        Object build(List<Object> items) throws ReflectiveOperationException {
            if (module == null) {
                module = companion.getField("MODULE$").get(null);
            }
            Object builder = newBuilder.invoke(module);
            for (Object item : items) {
                add.invoke(builder, item);
            }
            return result.invoke(builder);
        }
    }
}
