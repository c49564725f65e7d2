// The parameters of case classes: their names as Scala tells them, or as the fields of the class show them.
package dev.enact.jvm.scala;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Knows what belongs to the parameters of a case class and what is only in its body. */
public final class CaseClasses {
    private CaseClasses() {
    }

    /** Returns the names of the parameters of an instance, in their order. */
    public static List<String> names(Object value, int arity, ScalaLibrary scala) throws Throwable {
        List<String> names = new ArrayList<>();
        if (scala.namesElements()) {
            for (int i = 0; i < arity; i++) {
                names.add(scala.elementName(value, i));
            }
            return names;
        }
        Signatures.Members said = Signatures.constructor(value.getClass(), scala);
        if (said != null && said.names.size() >= arity) {
            return new ArrayList<>(said.names.subList(0, arity));
        }
        List<Field> fields = fields(value.getClass());
        for (int i = 0; i < arity; i++) {
            names.add(i < fields.size() ? ScalaLibrary.decoded(fields.get(i).getName()) : "_" + (i + 1));
        }
        return names;
    }

    /** Returns the fields that may be parameters: Scala 2.12 puts those of lazy values before them. */
    public static List<Field> fields(Class<?> type) {
        Set<String> lazy = new HashSet<>();
        for (Method method : type.getDeclaredMethods()) {
            if (method.getName().endsWith("$lzycompute")) {
                lazy.add(method.getName().substring(0, method.getName().length() - "$lzycompute".length()));
            }
        }
        List<Field> fields = new ArrayList<>();
        for (Field field : type.getDeclaredFields()) {
            boolean own = !Modifier.isStatic(field.getModifiers()) && !field.isSynthetic();
            if (own && !field.getName().startsWith("bitmap$") && !lazy.contains(field.getName())) {
                fields.add(field);
            }
        }
        return fields;
    }
}
