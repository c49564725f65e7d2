// Which constructor makes an object, and how its parameters are called.
package dev.enact.jvm.read;

import java.lang.annotation.Annotation;
import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Parameter;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

import dev.enact.jvm.scala.CaseClasses;
import dev.enact.jvm.scala.ScalaLibrary;
import dev.enact.jvm.scala.Signatures;
import dev.enact.jvm.type.JavaTypes;
import dev.enact.jvm.type.TypeTree;

/** Finds the constructors of records, of Scala's classes and of immutables. */
final class Constructors {
    private final ScalaLibrary scala;

    Constructors(ScalaLibrary scala) {
        this.scala = scala;
    }

    /** Returns how a class is made, or null if no constructor's parameters have names. */
    Structures.Making of(TypeTree type) {
        Structures.Making making = record(type);
        if (making == null && scala.isHere()) {
            making = scalaClass(type);
        }
        return making == null ? immutable(type) : making;
    }

    /** Records are newer than the Java this is compiled for, so they are asked by name. */
    private static Structures.Making record(TypeTree type) {
        Class<?> parent = type.raw.getSuperclass();
        if (parent == null || !parent.getName().equals("java.lang.Record")) {
            return null;
        }
        try {
            Object components = Class.class.getMethod("getRecordComponents").invoke(type.raw);
            int count = Array.getLength(components);
            Class<?>[] erased = new Class<?>[count];
            List<String> names = new ArrayList<>();
            List<TypeTree> types = new ArrayList<>();
            Map<String, TypeTree> bound = JavaTypes.bindings(type);
            for (int i = 0; i < count; i++) {
                Object component = Array.get(components, i);
                Class<?> described = component.getClass();
                erased[i] = (Class<?>) described.getMethod("getType").invoke(component);
                names.add((String) described.getMethod("getName").invoke(component));
                types.add(JavaTypes.tree((Type) described.getMethod("getGenericType").invoke(component), bound));
            }
            return new Structures.Making(type.raw.getDeclaredConstructor(erased), names, types, false);
        } catch (ReflectiveOperationException noRecord) {
            return null;
        }
    }

    private Structures.Making scalaClass(TypeTree type) {
        Class<?> raw = type.raw;
        boolean caseClass = scala.product.isAssignableFrom(raw);
        Signatures.Members said = Signatures.constructor(raw, scala);
        Constructor<?> constructor = null;
        List<String> names = null;
        if (said != null) {
            for (Constructor<?> candidate : raw.getDeclaredConstructors()) {
                if (candidate.getParameterCount() == said.names.size() && said.fits(candidate.getParameterTypes())) {
                    constructor = candidate;
                    names = said.names;
                }
            }
        }
        if (constructor == null && caseClass) {
            constructor = byFields(raw);
            if (constructor != null) {
                names = new ArrayList<>();
                List<Field> fields = CaseClasses.fields(raw);
                for (int i = 0; i < constructor.getParameterCount(); i++) {
                    names.add(ScalaLibrary.decoded(fields.get(i).getName()));
                }
            }
        }
        if (constructor == null || !caseClass && names.isEmpty()) {
            return null;
        }
        List<TypeTree> types = types(constructor, type);
        if (said != null && names == said.names) {
            types = said.types(types, JavaTypes.bindings(type));
        }
        Structures.Making making = new Structures.Making(constructor, names, types, true);
        Class<?> companion = scala.find(raw.getName() + "$");
        if (companion != null) {
            making.defaultsOf(companion);
        }
        return making;
    }

    private static List<TypeTree> types(Constructor<?> constructor, TypeTree type) {
        Map<String, TypeTree> bound = JavaTypes.bindings(type);
        List<TypeTree> types = new ArrayList<>();
        Type[] generic = constructor.getGenericParameterTypes();
        Class<?>[] erased = constructor.getParameterTypes();
        for (int i = 0; i < erased.length; i++) {
            types.add(JavaTypes.tree(generic.length == erased.length ? generic[i] : erased[i], bound));
        }
        return types;
    }

    /** A case class keeps its parameters in its first fields, in their order. */
    private static Constructor<?> byFields(Class<?> raw) {
        List<Field> fields = CaseClasses.fields(raw);
        for (Constructor<?> candidate : raw.getDeclaredConstructors()) {
            Class<?>[] parameters = candidate.getParameterTypes();
            boolean same = parameters.length <= fields.size();
            for (int i = 0; same && i < parameters.length; i++) {
                same = fields.get(i).getType() == parameters[i];
            }
            if (same && (parameters.length > 0 || fields.isEmpty())) {
                return candidate;
            }
        }
        return null;
    }

    private static Structures.Making immutable(TypeTree type) {
        Constructor<?> single = null;
        for (Constructor<?> candidate : type.raw.getConstructors()) {
            List<String> names = properties(candidate);
            if (names != null) {
                return new Structures.Making(candidate, names, types(candidate, type), false);
            }
            if (candidate.getParameterCount() == 0) {
                return null;
            }
            single = candidate;
        }
        if (single == null || type.raw.getConstructors().length > 1) {
            return null;
        }
        List<String> names = new ArrayList<>();
        for (Parameter parameter : single.getParameters()) {
            if (!parameter.isNamePresent()) {
                return null;
            }
            names.add(parameter.getName());
        }
        return new Structures.Making(single, names, types(single, type), false);
    }

    /** The annotation is not in every Java runtime, so it is asked by name. */
    private static List<String> properties(Constructor<?> constructor) {
        for (Annotation annotation : constructor.getAnnotations()) {
            if (annotation.annotationType().getSimpleName().equals("ConstructorProperties")) {
                try {
                    Method value = annotation.annotationType().getMethod("value");
                    List<String> names = Arrays.asList((String[]) value.invoke(annotation));
                    return names.size() == constructor.getParameterCount() ? names : null;
                } catch (ReflectiveOperationException other) {
                    return null;
                }
            }
        }
        return null;
    }
}
