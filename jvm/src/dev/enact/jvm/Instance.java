// The object that methods are called on which are not static: made at the first call, kept as long as the JVM.
package dev.enact.jvm;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;

/** The one instance of a class; a constructor that failed is tried again by the next call. */
final class Instance {
    private final Class<?> type;
    private volatile Object made;

    Instance(Class<?> type) {
        this.type = type;
    }

    Object get() throws ReflectiveOperationException {
        Object known = made;
        if (known != null) {
            return known;
        }
        synchronized (this) {
            if (made == null) {
                made = type.getName().endsWith("$") ? type.getField("MODULE$").get(null) : make();
            }
            return made;
        }
    }

    private Object make() throws ReflectiveOperationException {
        try {
            Field field = type.getField("INSTANCE");
            if (Modifier.isStatic(field.getModifiers()) && field.getType() == type) {
                return field.get(null);
            }
        } catch (NoSuchFieldException ordinary) {
            // Only the objects of Kotlin and some old singletons have it.
        }
        return type.getConstructor().newInstance();
    }
}
