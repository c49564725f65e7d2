// What the operations of one component share: its classes, its Scala, its readers and its configuration.
package dev.enact.jvm;

import java.util.HashMap;
import java.util.Map;

import dev.enact.jvm.read.Readers;
import dev.enact.jvm.scala.ScalaLibrary;
import dev.enact.jvm.type.Memory;
import dev.enact.jvm.write.Output;

/** One component in this JVM. */
final class Surroundings {
    final ClassLoader loader;
    final Memory memory;
    final ScalaLibrary scala;
    final Readers readers;
    final Output output;
    final Object config;
    private final Map<Class<?>, Instance> instances = new HashMap<>();

    Surroundings(ClassLoader loader, Memory memory, ScalaLibrary scala, Readers readers, Output output, Object config) {
        this.loader = loader;
        this.memory = memory;
        this.scala = scala;
        this.readers = readers;
        this.output = output;
        this.config = config;
    }

    /** Returns the one instance of a class that methods are called on. */
    Instance instance(Class<?> type) {
        Instance known = instances.get(type);
        if (known == null) {
            known = new Instance(type);
            instances.put(type, known);
        }
        return known;
    }
}
