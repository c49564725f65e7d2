// What the operations of one component share: its classes, its Scala, its readers and its configuration.
package dev.enact.jvm;

import java.lang.reflect.Modifier;
import java.util.HashMap;
import java.util.Map;

import dev.enact.jvm.read.Readers;
import dev.enact.jvm.scala.ScalaLibrary;
import dev.enact.jvm.write.Output;

/** One component in this JVM. */
final class Surroundings {
    final ClassLoader loader;
    final ScalaLibrary scala;
    final Readers readers;
    final Output output;
    final Object config;
    private final Map<Class<?>, Object> instances = new HashMap<>();

    Surroundings(ClassLoader loader, ScalaLibrary scala, Readers readers, Output output, Object config) {
        this.loader = loader;
        this.scala = scala;
        this.readers = readers;
        this.output = output;
        this.config = config;
    }

    /** Returns the one instance of a class that methods are called on; it is made at the first call. */
    Object instance(Class<?> type) throws ReflectiveOperationException {
        synchronized (instances) {
            Object made = instances.get(type);
            if (made == null) {
                made = type.getName().endsWith("$") ? type.getField("MODULE$").get(null) : create(type);
                instances.put(type, made);
            }
            return made;
        }
    }

    private static Object create(Class<?> type) throws ReflectiveOperationException {
        try {
            java.lang.reflect.Field field = type.getField("INSTANCE");
            if (Modifier.isStatic(field.getModifiers()) && field.getType() == type) {
                return field.get(null);
            }
        } catch (NoSuchFieldException ordinary) {
            // Only the objects of Kotlin and enums with one constant have it.
        }
        return type.getConstructor().newInstance();
    }
}
