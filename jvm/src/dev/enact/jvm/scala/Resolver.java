// Types of a Scala signature as Java classes: aliases of the library followed, owners tried as packages and as objects.
package dev.enact.jvm.scala;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import dev.enact.jvm.type.TypeTree;

/** Finds the class of each type. */
final class Resolver {
    private static final Map<String, Class<?>> PRIMITIVES = new HashMap<>();
    private static final Map<String, String> ALIASES = new HashMap<>();

    static {
        PRIMITIVES.put("scala.Int", int.class);
        PRIMITIVES.put("scala.Long", long.class);
        PRIMITIVES.put("scala.Short", short.class);
        PRIMITIVES.put("scala.Byte", byte.class);
        PRIMITIVES.put("scala.Double", double.class);
        PRIMITIVES.put("scala.Float", float.class);
        PRIMITIVES.put("scala.Boolean", boolean.class);
        PRIMITIVES.put("scala.Char", char.class);
        PRIMITIVES.put("scala.Any", Object.class);
        PRIMITIVES.put("scala.AnyRef", Object.class);
        PRIMITIVES.put("scala.AnyVal", Object.class);
        PRIMITIVES.put("scala.Predef.String", String.class);
        ALIASES.put("scala.Unit", "scala.runtime.BoxedUnit");
        for (String name : new String[] {"List", "Vector", "Stream", "LazyList"}) {
            ALIASES.put("scala.package." + name, "scala.collection.immutable." + name);
            ALIASES.put("scala." + name, "scala.collection.immutable." + name);
        }
        for (String name : new String[] {"Iterable", "Traversable", "Iterator"}) {
            ALIASES.put("scala.package." + name, "scala.collection." + name);
            ALIASES.put("scala." + name, "scala.collection." + name);
        }
        for (String name : new String[] {"BigDecimal", "BigInt"}) {
            ALIASES.put("scala.package." + name, "scala.math." + name);
            ALIASES.put("scala." + name, "scala.math." + name);
        }
        for (String name : new String[] {"Map", "Set"}) {
            ALIASES.put("scala.Predef." + name, "scala.collection.immutable." + name);
        }
        ALIASES.put("scala.package.Either", "scala.util.Either");
        ALIASES.put("scala.Either", "scala.util.Either");
    }

    private final Pickle pickle;
    private final ScalaLibrary scala;

    Resolver(Pickle pickle, ScalaLibrary scala) {
        this.pickle = pickle;
        this.scala = scala;
    }

    /** Returns the type, or null if any part of it is not understood. */
    TypeTree tree(Pickle.Type type, Map<String, TypeTree> bound) {
        if (type == null || pickle == null) {
            return null;
        }
        if (type.variable) {
            return bound == null ? null : bound.get(type.name);
        }
        List<TypeTree> args = new ArrayList<>();
        for (Pickle.Type arg : type.args) {
            TypeTree tree = tree(arg, bound);
            if (tree == null) {
                return null;
            }
            args.add(tree);
        }
        if (type.name.equals("scala.Array") && args.size() == 1) {
            return TypeTree.arrayOf(args.get(0));
        }
        Class<?> raw = PRIMITIVES.get(type.name);
        if (raw == null) {
            raw = named(type.name);
        }
        return raw == null ? null : TypeTree.of(raw, args);
    }

    private Class<?> named(String name) {
        if (name.equals("scala.package.Seq") || name.equals("scala.Seq") || name.equals("scala.<repeated>") || name.endsWith("package.IndexedSeq")) {
            // Which one it means depends on the version of Scala; the companion of the package knows.
            String simple = name.endsWith("IndexedSeq") ? "IndexedSeq" : "Seq";
            boolean immutable = scala.find("scala.collection.IterableOnce") != null;
            return scala.find("scala.collection." + (immutable ? "immutable." : "") + simple);
        }
        String full = ALIASES.getOrDefault(name, name);
        while (true) {
            Class<?> found = scala.find(full);
            int dot = full.lastIndexOf('.');
            if (found != null || dot < 0) {
                return found;
            }
            full = full.substring(0, dot) + "$" + full.substring(dot + 1);
        }
    }
}
