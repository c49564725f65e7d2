// What an object shows of itself: record components, getters, public fields, and the fields of case classes.
package dev.enact.jvm.write;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

import dev.enact.jvm.read.Structures;
import dev.enact.jvm.scala.CaseClasses;
import dev.enact.jvm.scala.ScalaLibrary;

/** Looks at each class once. */
final class Properties {
    private final Map<Class<?>, List<Property>> known = new ConcurrentHashMap<>();
    private final Map<Class<?>, List<String>> cases = new ConcurrentHashMap<>();

    /** A value that can be asked of an object. */
    static final class Property {
        final String name;
        private final Method getter;
        private final Field field;

        Property(String name, Method getter, Field field) {
            this.name = name;
            this.getter = getter;
            this.field = field;
        }

        Object get(Object owner) throws Throwable {
            if (getter == null) {
                return field.get(owner);
            }
            try {
                return getter.invoke(owner);
            } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
            }
        }
    }

    /** Returns the properties of a class; none for the classes of Java itself, whose insides are nobody's business. */
    List<Property> of(Class<?> type) {
        List<Property> properties = known.get(type);
        if (properties == null) {
            properties = look(type);
            known.put(type, properties);
        }
        return properties;
    }

    /** Returns the names of the parameters of a case class. */
    List<String> caseFields(Object value, int arity, ScalaLibrary scala) throws Throwable {
        List<String> names = cases.get(value.getClass());
        if (names == null) {
            names = CaseClasses.names(value, arity, scala);
            cases.put(value.getClass(), names);
        }
        return names;
    }

    private static List<Property> look(Class<?> type) {
        String name = type.getName();
        if (name.startsWith("java.") || name.startsWith("javax.") || name.startsWith("sun.") || name.startsWith("jdk.")) {
            return Collections.emptyList();
        }
        List<Property> record = record(type);
        return record == null ? bean(type) : record;
    }

    private static List<Property> record(Class<?> type) {
        Class<?> parent = type.getSuperclass();
        if (parent == null || !parent.getName().equals("java.lang.Record")) {
            return null;
        }
        try {
            Object components = Class.class.getMethod("getRecordComponents").invoke(type);
            List<Property> all = new ArrayList<>();
            for (int i = 0; i < Array.getLength(components); i++) {
                Object component = Array.get(components, i);
                Method accessor = (Method) component.getClass().getMethod("getAccessor").invoke(component);
                accessor.setAccessible(true);
                all.add(new Property(accessor.getName(), accessor, null));
            }
            return all;
        } catch (ReflectiveOperationException noRecord) {
            return null;
        }
    }

    /** Getters and public fields by name, so that the same object is always the same text. */
    private static List<Property> bean(Class<?> type) {
        Map<String, Property> all = new TreeMap<>();
        for (Field field : type.getFields()) {
            if (!Modifier.isStatic(field.getModifiers())) {
                field.setAccessible(true);
                all.put(field.getName(), new Property(field.getName(), null, field));
            }
        }
        for (Method method : type.getMethods()) {
            String property = property(method);
            if (property != null) {
                method.setAccessible(true);
                all.put(property, new Property(property, method, null));
            }
        }
        return all.isEmpty() ? values(type) : new ArrayList<>(all.values());
    }

    /** The values of a class in Scala: fields with a public method of the same name. */
    private static List<Property> values(Class<?> type) {
        List<Property> all = new ArrayList<>();
        for (Field field : type.getDeclaredFields()) {
            try {
                Method accessor = type.getMethod(field.getName());
                if (!Modifier.isStatic(accessor.getModifiers()) && accessor.getReturnType() == field.getType()) {
                    accessor.setAccessible(true);
                    all.add(new Property(ScalaLibrary.decoded(field.getName()), accessor, null));
                }
            } catch (NoSuchMethodException hidden) {
                continue;
            }
        }
        return all;
    }

    private static String property(Method method) {
        String name = method.getName();
        boolean own = !Modifier.isStatic(method.getModifiers()) && method.getParameterCount() == 0 && !method.isBridge()
                && method.getDeclaringClass() != Object.class && method.getReturnType() != void.class;
        boolean ofGroovy = name.equals("getMetaClass");
        if (!own || ofGroovy || method.getDeclaringClass().getName().startsWith("java.")) {
            return null;
        }
        if (name.startsWith("get") && name.length() > 3 && !Character.isLowerCase(name.charAt(3))) {
            return Structures.decapitalised(name.substring(3));
        }
        boolean asks = name.startsWith("is") && name.length() > 2 && !Character.isLowerCase(name.charAt(2))
                && (method.getReturnType() == boolean.class || method.getReturnType() == Boolean.class);
        return asks ? Structures.decapitalised(name.substring(2)) : null;
    }
}
