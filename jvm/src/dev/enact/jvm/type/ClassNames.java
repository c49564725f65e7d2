// Which class a name in a hint means: primitives of both languages, the neighbours of the method, then the usual imports.
package dev.enact.jvm.type;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Finds classes by simple, nested or full names. */
public final class ClassNames {
    private static final Map<String, Class<?>> SIMPLE = new HashMap<>();
    private static final String[] JAVA = {"java.util.", "java.math.", "java.time.", "java.net.", "java.util.stream.", "java.io.",
        "java.nio.file.", "java.util.concurrent."};
    private static final String[] SCALA = {"scala.collection.immutable.", "scala.math.", "scala.util.", "scala.",
        "scala.collection.", "scala.collection.mutable.", "scala.concurrent."};

    static {
        Class<?>[] primitives = {int.class, long.class, short.class, byte.class, double.class, float.class, boolean.class, char.class};
        for (Class<?> primitive : primitives) {
            SIMPLE.put(primitive.getName(), primitive);
            SIMPLE.put(JavaTypes.boxed(primitive).getSimpleName(), JavaTypes.boxed(primitive));
        }
        SIMPLE.put("Int", int.class);
        SIMPLE.put("Char", char.class);
        SIMPLE.put("void", void.class);
        SIMPLE.put("Any", Object.class);
        SIMPLE.put("AnyRef", Object.class);
        SIMPLE.put("Object", Object.class);
        SIMPLE.put("String", String.class);
        SIMPLE.put("Number", Number.class);
    }

    private final Class<?> neighbour;
    private final ClassLoader loader;
    private final Memory memory;
    private final boolean scalaFirst;

    /** Looks first beside a class and inside of it, then in the usual packages of one language, then of the other. */
    public ClassNames(Class<?> neighbour, ClassLoader loader, Memory memory, boolean scalaFirst) {
        this.neighbour = neighbour;
        this.loader = loader;
        this.memory = memory;
        this.scalaFirst = scalaFirst;
    }

    /** Returns the class of that name that takes so many arguments. */
    Class<?> named(String name, int args) throws Unresolvable {
        Class<?> simple = SIMPLE.get(name);
        if (simple != null) {
            return simple;
        }
        for (String candidate : candidates(name)) {
            Class<?> found = find(candidate);
            if (found != null && (args == 0 || found.getTypeParameters().length == args)) {
                return found;
            }
        }
        throw new Unresolvable("there is no class " + name + (args == 0 ? "" : " with " + args + " type arguments")
                + " beside " + neighbour.getName() + " or in the usual packages");
    }

    private List<String> candidates(String name) {
        List<String> all = new ArrayList<>();
        String around = neighbour.getName();
        // Inside of the class, of its object, and of the classes around it.
        for (int cut = around.length(); cut > 0; cut = around.lastIndexOf('$', cut - 1)) {
            String outer = around.substring(0, cut);
            all.add(outer + (outer.endsWith("$") ? "" : "$") + name.replace('.', '$'));
        }
        int dot = around.lastIndexOf('.');
        String home = dot < 0 ? "" : around.substring(0, dot + 1);
        all.add(home + name);
        all.add(home + name.replace('.', '$'));
        all.add(name);
        for (int cut = name.lastIndexOf('.'); cut > 0; cut = name.lastIndexOf('.', cut - 1)) {
            all.add(name.substring(0, cut) + "$" + name.substring(cut + 1).replace('.', '$'));
        }
        all.add("java.lang." + name);
        for (String[] packages : scalaFirst ? new String[][] {SCALA, JAVA} : new String[][] {JAVA, SCALA}) {
            for (String start : packages) {
                all.add(start + name);
            }
        }
        return all;
    }

    private Class<?> find(String name) {
        if (memory.isAbsent(name)) {
            return null;
        }
        try {
            return Class.forName(name, false, loader);
        } catch (ClassNotFoundException | LinkageError notHere) {
            memory.keepAbsent(name);
            return null;
        }
    }
}
