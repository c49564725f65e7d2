// Types as reflection gives them, with their variables replaced by what is known of them.
package dev.enact.jvm.type;

import java.lang.reflect.GenericArrayType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Makes type trees of reflection's types. */
public final class JavaTypes {
    private JavaTypes() {
    }

    /** Returns the type; a variable that is not bound stands for its bound. */
    public static TypeTree tree(Type type, Map<String, TypeTree> bound) {
        return tree(type, bound, Collections.emptySet());
    }

    private static TypeTree tree(Type type, Map<String, TypeTree> bound, Set<Type> within) {
        if (type instanceof Class) {
            return TypeTree.of((Class<?>) type);
        }
        if (type instanceof ParameterizedType) {
            ParameterizedType generic = (ParameterizedType) type;
            List<TypeTree> args = new ArrayList<>();
            for (Type arg : generic.getActualTypeArguments()) {
                TypeTree tree = tree(arg, bound, within);
                // `List<Object>` is what Scala leaves of `List[Int]`.
                args.add(arg == Object.class ? TypeTree.erased() : tree);
            }
            return TypeTree.of((Class<?>) generic.getRawType(), args);
        }
        if (type instanceof GenericArrayType) {
            return TypeTree.arrayOf(tree(((GenericArrayType) type).getGenericComponentType(), bound, within));
        }
        Type upper;
        if (type instanceof WildcardType) {
            upper = ((WildcardType) type).getUpperBounds()[0];
        } else {
            TypeVariable<?> variable = (TypeVariable<?>) type;
            TypeTree known = bound.get(variable.getName());
            if (known != null) {
                return known;
            }
            upper = variable.getBounds()[0];
        }
        // `T extends Comparable<T>` ends nowhere else.
        if (upper == Object.class || within.contains(type)) {
            return TypeTree.erased();
        }
        Set<Type> deeper = new HashSet<>(within);
        deeper.add(type);
        return tree(upper, bound, deeper);
    }

    /** Returns what the type variables of a class stand for in a type. */
    public static Map<String, TypeTree> bindings(TypeTree type) {
        Map<String, TypeTree> bound = new HashMap<>();
        TypeVariable<?>[] variables = type.raw.getTypeParameters();
        for (int i = 0; i < variables.length && i < type.args.size(); i++) {
            bound.put(variables[i].getName(), type.args.get(i));
        }
        return bound;
    }

    /** Returns a type as one of its supertypes: the arguments of `Map` for a class that extends `HashMap<String, T>`. */
    public static TypeTree as(TypeTree type, Class<?> ancestor) {
        if (type.raw == ancestor) {
            return type;
        }
        Map<String, TypeTree> bound = bindings(type);
        List<Type> parents = new ArrayList<>();
        if (type.raw.getGenericSuperclass() != null) {
            parents.add(type.raw.getGenericSuperclass());
        }
        Collections.addAll(parents, type.raw.getGenericInterfaces());
        for (Type parent : parents) {
            TypeTree tree = tree(parent, bound);
            if (ancestor.isAssignableFrom(tree.raw)) {
                return as(tree, ancestor);
            }
        }
        return TypeTree.of(ancestor);
    }

    private static final Map<Class<?>, Class<?>> BOXES = new HashMap<>();

    static {
        Class<?>[][] pairs = {{int.class, Integer.class}, {long.class, Long.class}, {short.class, Short.class},
            {byte.class, Byte.class}, {double.class, Double.class}, {float.class, Float.class},
            {boolean.class, Boolean.class}, {char.class, Character.class}, {void.class, Void.class}};
        for (Class<?>[] pair : pairs) {
            BOXES.put(pair[0], pair[1]);
        }
    }

    /** Returns the class of the objects that stand for a primitive; any other class stands for itself. */
    public static Class<?> boxed(Class<?> type) {
        return BOXES.getOrDefault(type, type);
    }

    /** Returns the primitive whose box a class is; any other class stands for itself. */
    static Class<?> primitive(Class<?> type) {
        for (Map.Entry<Class<?>, Class<?>> pair : BOXES.entrySet()) {
            if (pair.getValue() == type) {
                return pair.getKey();
            }
        }
        return type;
    }

    /** Returns whether a value of one class may be given where the other is declared. */
    public static boolean fits(Class<?> value, Class<?> declared) {
        return boxed(declared).isAssignableFrom(boxed(value));
    }
}
