// Objects with named members: records, case classes, immutables made by their constructor, and beans with setters.
package dev.enact.jvm.read;

import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import dev.enact.jvm.json.Brief;
import dev.enact.jvm.scala.ScalaLibrary;
import dev.enact.jvm.type.JavaTypes;
import dev.enact.jvm.type.TypeTree;
import dev.enact.jvm.type.Unresolvable;

/** Readers of classes that are neither known nor a group. */
public final class Structures {
    private final Readers readers;
    private final Constructors constructors;

    Structures(Readers readers, ScalaLibrary scala) {
        this.readers = readers;
        this.constructors = new Constructors(scala);
    }

    Reader of(TypeTree type) throws Unresolvable {
        Class<?> raw = type.raw;
        if (raw.isInterface() || Modifier.isAbstract(raw.getModifiers())) {
            throw new Unresolvable(type + " is abstract and can be made of no JSON; name a class that can, by a hint");
        }
        if (raw.getName().startsWith("java.") || raw.getName().startsWith("scala.")) {
            throw new Unresolvable(type + " has no form in JSON");
        }
        Making making = constructors.of(type);
        if (making != null) {
            return constructed(type, making);
        }
        Constructor<?> empty = empty(raw);
        if (empty == null) {
            throw new Unresolvable(type + " can be made of no JSON: it has no constructor without parameters, and no single "
                    + "one whose parameters have names (compile it with -parameters, or add @ConstructorProperties)");
        }
        return bean(type, empty);
    }

    private static Constructor<?> empty(Class<?> raw) {
        try {
            Constructor<?> empty = raw.getDeclaredConstructor();
            boolean inner = raw.getEnclosingClass() != null && !Modifier.isStatic(raw.getModifiers());
            if (inner || Modifier.isPrivate(empty.getModifiers())) {
                return null;
            }
            empty.setAccessible(true);
            return empty;
        } catch (NoSuchMethodException | RuntimeException notHere) {
            return null;
        }
    }

    private Reader constructed(TypeTree type, Making making) throws Unresolvable {
        int count = making.names.size();
        Reader[] inner = new Reader[count];
        for (int i = 0; i < count; i++) {
            String where = type.raw.getSimpleName() + "." + making.names.get(i);
            making.check(i, where);
            try {
                inner[i] = readers.of(making.types.get(i));
            } catch (Unresolvable broken) {
                throw broken.in(where);
            }
        }
        return new Reader() {
            @Override
            public Object read(Object json) throws BadArgument {
                if (json == null) {
                    return null;
                }
                Map<?, ?> members = members(json, type);
                Object[] arguments = new Object[count];
                for (int i = 0; i < count; i++) {
                    String name = making.names.get(i);
                    Object value = members.get(name);
                    if (value == null && !members.containsKey(name) && making.hasDefault(i)) {
                        arguments[i] = making.fallback(i, json);
                        continue;
                    }
                    try {
                        if (value == null && making.strict && !inner[i].optional()) {
                            String expected = making.types.get(i).toString();
                            throw members.containsKey(name) ? new BadArgument(null, expected, "is not allowed")
                                    : BadArgument.missing(expected);
                        }
                        arguments[i] = inner[i].read(value);
                    } catch (BadArgument bad) {
                        throw bad.under(name);
                    }
                }
                try {
                    return making.constructor.newInstance(arguments);
                } catch (ReflectiveOperationException | IllegalArgumentException refused) {
                    throw refused(refused, json, type.raw);
                }
            }
        };
    }

    private static Map<?, ?> members(Object json, TypeTree type) throws BadArgument {
        if (!(json instanceof Map)) {
            throw new BadArgument(json, type.toString(), "is not an object");
        }
        return (Map<?, ?>) json;
    }

    /** A property that can be set, by its field or its method. */
    private static final class Property {
        private final Field field;
        private final Method setter;
        Reader reader;

        Property(Field field, Method setter) {
            this.field = field;
            this.setter = setter;
        }

        void set(Object bean, Object value) throws ReflectiveOperationException {
            if (setter == null) {
                field.set(bean, value);
            } else {
                setter.invoke(bean, value);
            }
        }
    }

    private Reader bean(TypeTree type, Constructor<?> empty) throws Unresolvable {
        Map<String, TypeTree> bound = JavaTypes.bindings(type);
        Map<String, Property> properties = new LinkedHashMap<>();
        Map<String, Type> types = new LinkedHashMap<>();
        for (Field field : type.raw.getFields()) {
            int modifiers = field.getModifiers();
            if (!Modifier.isStatic(modifiers) && !Modifier.isFinal(modifiers)) {
                field.setAccessible(true);
                properties.put(field.getName(), new Property(field, null));
                types.put(field.getName(), field.getGenericType());
            }
        }
        for (Method method : type.raw.getMethods()) {
            String name = method.getName();
            boolean sets = name.startsWith("set") && name.length() > 3 && method.getParameterCount() == 1;
            if (sets && !Modifier.isStatic(method.getModifiers()) && !method.isBridge()) {
                method.setAccessible(true);
                String property = decapitalised(name.substring(3));
                properties.put(property, new Property(null, method));
                types.put(property, method.getGenericParameterTypes()[0]);
            }
        }
        if (properties.isEmpty() && type.raw.getDeclaredFields().length > 0) {
            throw new Unresolvable(type + " can be made of no JSON: it has no setters and no public fields");
        }
        for (Map.Entry<String, Property> property : properties.entrySet()) {
            try {
                property.getValue().reader = readers.of(JavaTypes.tree(types.get(property.getKey()), bound));
            } catch (Unresolvable broken) {
                // Many beans have setters for what no caller gives; only who gives it is told.
                property.getValue().reader = new Refusing(broken.in(type.raw.getSimpleName() + "." + property.getKey()));
            }
        }
        return new Reader() {
            @Override
            public Object read(Object json) throws BadArgument {
                if (json == null) {
                    return null;
                }
                Map<?, ?> members = members(json, type);
                try {
                    Object bean = empty.newInstance();
                    for (Map.Entry<?, ?> member : members.entrySet()) {
                        Property property = properties.get(member.getKey());
                        if (property != null) {
                            set(bean, property, (String) member.getKey(), member.getValue());
                        }
                    }
                    return bean;
                } catch (ReflectiveOperationException refused) {
                    throw refused(refused, json, type.raw);
                }
            }
        };
    }

    private static void set(Object bean, Property property, String name, Object json) throws BadArgument {
        try {
            property.set(bean, property.reader.read(json));
        } catch (BadArgument bad) {
            throw bad.under(name);
        } catch (ReflectiveOperationException refused) {
            throw refused(refused, json, bean.getClass()).under(name);
        }
    }

    /** Reads nothing, and says why. */
    private static final class Refusing extends Reader {
        private final Unresolvable why;

        Refusing(Unresolvable why) {
            this.why = why;
        }

        @Override
        public Object read(Object json) throws BadArgument {
            throw new BadArgument(json, "unknown", "cannot be read: " + why.getMessage());
        }
    }

    /** The name of a property as beans spell it: `getURL` is `URL`, `getName` is `name`. */
    public static String decapitalised(String name) {
        if (name.length() > 1 && Character.isUpperCase(name.charAt(0)) && Character.isUpperCase(name.charAt(1))) {
            return name;
        }
        return Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }

    /** A constructor or setter that throws refuses the argument; an error of the machine is none of the argument's. */
    static BadArgument refused(Exception thrown, Object json, Class<?> type) {
        Throwable cause = thrown instanceof InvocationTargetException ? thrown.getCause() : thrown;
        if (cause instanceof Error) {
            throw (Error) cause;
        }
        return new BadArgument(json, type.getName(), "is refused by " + type.getSimpleName() + ": " + Brief.line(cause));
    }

    /** A way to make an object by its constructor. */
    static final class Making {
        final Constructor<?> constructor;
        final List<String> names;
        final List<TypeTree> types;
        /** Whether null and what is missing are refused, as Scala would have it. */
        final boolean strict;
        private final List<Method> defaults = new ArrayList<>();
        private Class<?> companion;
        /** The companion itself; asked for at the first call, because that initialises it. */
        private Object module;

        Making(Constructor<?> constructor, List<String> names, List<TypeTree> types, boolean strict) {
            this.constructor = constructor;
            this.names = names;
            this.types = types;
            this.strict = strict;
            constructor.setAccessible(true);
        }

        /** Takes the defaults of a Scala constructor from the companion. */
        void defaultsOf(Class<?> companion) {
            this.companion = companion;
            for (int i = 1; i <= names.size(); i++) {
                Method found;
                try {
                    found = companion.getMethod("$lessinit$greater$default$" + i);
                } catch (NoSuchMethodException none) {
                    found = null;
                }
                defaults.add(found);
            }
        }

        boolean hasDefault(int index) {
            return index < defaults.size() && defaults.get(index) != null;
        }

        Object fallback(int index, Object json) throws BadArgument {
            try {
                if (module == null) {
                    module = companion.getField("MODULE$").get(null);
                }
                return defaults.get(index).invoke(module);
            } catch (ReflectiveOperationException refused) {
                throw refused(refused, json, constructor.getDeclaringClass());
            }
        }

        void check(int index, String where) throws Unresolvable {
            ScalaReaders.refuseErased(types.get(index), where);
        }
    }
}
