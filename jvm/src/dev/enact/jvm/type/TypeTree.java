// A Java type with its arguments, free of variables and wildcards: what readers are made for.
package dev.enact.jvm.type;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** A class and its type arguments; an array has its element as the only argument. */
public final class TypeTree {
    public final Class<?> raw;
    public final List<TypeTree> args;
    /** Whether somebody really said `Object`, as opposed to a type that was erased to it. */
    public final boolean said;

    private TypeTree(Class<?> raw, List<TypeTree> args, boolean said) {
        this.raw = raw;
        this.args = args;
        this.said = said;
    }

    public static TypeTree of(Class<?> raw, List<TypeTree> args) {
        return new TypeTree(raw, args, true);
    }

    public static TypeTree of(Class<?> raw) {
        if (raw.isArray()) {
            return new TypeTree(raw, Collections.singletonList(of(raw.getComponentType())), true);
        }
        return new TypeTree(raw, Collections.emptyList(), true);
    }

    /** Makes an array of something. */
    public static TypeTree arrayOf(TypeTree element) {
        Class<?> raw = java.lang.reflect.Array.newInstance(element.raw, 0).getClass();
        return new TypeTree(raw, Collections.singletonList(element), true);
    }

    /** The type of which reflection knows no more than that it is an object. */
    public static TypeTree erased() {
        return new TypeTree(Object.class, Collections.emptyList(), false);
    }

    /** Returns an argument, or an erased type where it was left out. */
    public TypeTree arg(int index) {
        return index < args.size() ? args.get(index) : erased();
    }

    /** Returns whether nothing is known but that it is an object. */
    public boolean isErased() {
        return raw == Object.class && !said;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof TypeTree)) {
            return false;
        }
        TypeTree tree = (TypeTree) other;
        return raw == tree.raw && said == tree.said && args.equals(tree.args);
    }

    @Override
    public int hashCode() {
        return Arrays.asList(raw, args, said).hashCode();
    }

    @Override
    public String toString() {
        if (raw.isArray()) {
            return args.get(0) + "[]";
        }
        if (args.isEmpty()) {
            return raw.getName();
        }
        StringBuilder text = new StringBuilder(raw.getName()).append('<');
        for (int i = 0; i < args.size(); i++) {
            text.append(i == 0 ? "" : ", ").append(args.get(i));
        }
        return text.append('>').toString();
    }
}
