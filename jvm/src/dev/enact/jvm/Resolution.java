// From an entry of the descriptor to an operation: the class, the one method that is meant, and a reader for each parameter.
package dev.enact.jvm;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Parameter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;

import dev.enact.jvm.scala.Signatures;
import dev.enact.jvm.type.ClassNames;
import dev.enact.jvm.type.Hint;
import dev.enact.jvm.type.JavaTypes;
import dev.enact.jvm.type.TypeTree;
import dev.enact.jvm.type.Unresolvable;

/** Resolves one operation; nothing of the component is run, its classes are not even initialised. */
final class Resolution {
    private final Surroundings surroundings;
    private final String className;
    private final String methodName;
    private final List<Said> said;
    private final boolean effects;
    /** Whether the method that is looked at has the types that the descriptor names. */
    private boolean exact;

    /** A parameter as the descriptor names it. */
    private static final class Said {
        final String name;
        final String hint;

        Said(Object entry) {
            Map<?, ?> map = entry instanceof Map ? (Map<?, ?>) entry : Collections.emptyMap();
            name = map.get("name") == null ? String.valueOf(entry) : map.get("name").toString();
            hint = map.get("type") == null ? null : map.get("type").toString();
        }

        boolean isContext() {
            return "enact.context".equals(hint);
        }
    }

    private Resolution(Map<?, ?> entry, Surroundings surroundings) {
        this.surroundings = surroundings;
        className = String.valueOf(entry.get("class"));
        methodName = String.valueOf(entry.get("method"));
        effects = Boolean.TRUE.equals(entry.get("effects"));
        Object params = entry.get("params");
        if (params instanceof List) {
            said = new ArrayList<>();
            for (Object one : (List<?>) params) {
                said.add(new Said(one));
            }
        } else {
            said = null;
        }
    }

    static Operation resolve(Map<?, ?> entry, Surroundings surroundings) throws Unresolvable {
        Resolution resolution = new Resolution(entry, surroundings);
        Operation operation = resolution.operation();
        if (surroundings.memory.isNew()) {
            resolution.foresee(JavaTypes.tree(operation.method.getGenericReturnType(), Collections.emptyMap()));
        }
        Object returns = entry.get("returns");
        if (returns instanceof String) {
            // Results are written by what they are; a hint that means nothing is a mistake all the same.
            Hint.read((String) returns, resolution.names(operation.method.getDeclaringClass(), false));
        }
        return operation;
    }

    /** Has Scala's word on what is returned remembered: the first call asks for it, when somebody waits. */
    private void foresee(TypeTree result) {
        for (TypeTree part : result.args) {
            foresee(part);
        }
        try {
            surroundings.readers.of(result);
        } catch (Unresolvable | RuntimeException | LinkageError notRead) {
            // It is only written.
        }
    }

    private ClassNames names(Class<?> owner, boolean scalaFirst) {
        return new ClassNames(owner, surroundings.loader, surroundings.memory, scalaFirst);
    }

    private Class<?> load(String name) throws Unresolvable {
        if (surroundings.memory.isAbsent(name)) {
            return null;
        }
        try {
            return Class.forName(name, false, surroundings.loader);
        } catch (ClassNotFoundException missing) {
            surroundings.memory.keepAbsent(name);
            return null;
        }
    }

    private Operation operation() throws Unresolvable {
        Class<?> owner = load(className);
        Class<?> module = load(className + "$");
        if (owner == null && module == null) {
            throw new Unresolvable("there is no class " + className + " on the class path");
        }
        List<Method> all = new ArrayList<>();
        if (owner != null) {
            collect(owner, true, all);
        }
        if (all.isEmpty() && module != null) {
            collect(module, false, all);
        }
        if (all.isEmpty() && owner != null) {
            collect(owner, false, all);
        }
        if (all.isEmpty()) {
            throw new Unresolvable(missing(owner == null ? module : owner));
        }
        List<Method> fitting = new ArrayList<>();
        // Those with the very types that were named; others may take them, too.
        List<Operation> named = new ArrayList<>();
        Unresolvable first = null;
        Operation found = null;
        for (Method method : all) {
            try {
                exact = true;
                Operation operation = operation(method);
                if (exact && said != null) {
                    named.add(operation);
                }
                fitting.add(method);
                found = operation;
            } catch (Unresolvable other) {
                first = first == null ? other : first;
            }
        }
        if (fitting.size() == 1) {
            return found;
        }
        if (named.size() == 1) {
            return named.get(0);
        }
        if (fitting.isEmpty()) {
            throw all.size() == 1 ? first
                    : new Unresolvable("no " + methodName + " of " + className + " fits; there are " + signatures(all) + "; " + first.getMessage());
        }
        throw new Unresolvable(methodName + " of " + className + " is overloaded: " + signatures(fitting)
                + "; name the one that is meant by the types in params");
    }

    private void collect(Class<?> owner, boolean isStatic, List<Method> all) {
        for (Method method : owner.getMethods()) {
            boolean meant = method.getName().equals(methodName) && !method.isBridge() && !method.isSynthetic();
            if (meant && Modifier.isStatic(method.getModifiers()) == isStatic) {
                add(method, all);
            }
        }
    }

    /** Of methods that differ in nothing but what they return the one counts that says most of it. */
    private static void add(Method method, List<Method> all) {
        for (int i = 0; i < all.size(); i++) {
            Method other = all.get(i);
            if (Arrays.equals(other.getParameterTypes(), method.getParameterTypes())) {
                if (other.getReturnType().isAssignableFrom(method.getReturnType())) {
                    all.set(i, method);
                }
                return;
            }
        }
        all.add(method);
    }

    private String missing(Class<?> owner) {
        for (Method method : owner.getDeclaredMethods()) {
            if (method.getName().equals(methodName)) {
                return methodName + " of " + className + " is not public";
            }
        }
        return className + " has no method " + methodName;
    }

    private static String signatures(List<Method> methods) {
        List<String> texts = new ArrayList<>();
        for (Method method : methods) {
            List<String> types = new ArrayList<>();
            for (Class<?> type : method.getParameterTypes()) {
                types.add(type.getSimpleName());
            }
            texts.add(method.getName() + "(" + String.join(", ", types) + ")");
        }
        Collections.sort(texts);
        return String.join(", ", texts);
    }

    private Operation operation(Method method) throws Unresolvable {
        Class<?> owner = method.getDeclaringClass();
        Class<?> target = null;
        if (!Modifier.isStatic(method.getModifiers())) {
            target = load(className);
            Class<?> module = load(className + "$");
            if (module != null && owner.isAssignableFrom(module) && (target == null || !owner.isAssignableFrom(target))) {
                target = module;
            }
            checkInstance(target);
        }
        int count = method.getParameterCount();
        if (said != null && said.size() != count && said.size() + contexts(method) != count) {
            throw new Unresolvable(method.getName() + " has " + count + " parameters, and params names " + said.size());
        }
        Signatures.Members scala = scala(method);
        List<TypeTree> types = types(method, scala);
        List<Operation.Input> inputs = new ArrayList<>();
        int next = 0;
        for (int i = 0; i < count; i++) {
            boolean unnamed = said == null || said.size() != count;
            boolean context = unnamed && isContext(method, i, scala);
            Said one = said == null || context ? null : said.get(next++);
            if (context || one != null && (one.isContext() || one.hint == null && one.name.equals("context") && types.get(i).raw == Map.class)) {
                if (!types.get(i).raw.isAssignableFrom(java.util.HashMap.class)) {
                    throw new Unresolvable("the context is a java.util.Map, and parameter " + (i + 1) + " is " + types.get(i));
                }
                inputs.add(Operation.Input.context());
                continue;
            }
            exact = exact && one != null && one.hint != null;
            String name = one == null ? name(method, i, scala) : one.name;
            TypeTree type = one == null || one.hint == null ? types.get(i) : hinted(one, types.get(i), owner);
            inputs.add(new Operation.Input(name, reader(type, name == null ? "parameter " + (i + 1) : name)));
        }
        int given = 0;
        for (Operation.Input input : inputs) {
            given += input.isContext() ? 0 : 1;
        }
        boolean whole = said == null && given == 1;
        for (Operation.Input input : inputs) {
            if (!whole && !input.isContext() && input.name == null) {
                throw new Unresolvable("the parameters of " + signatures(Collections.singletonList(method))
                        + " have no names in the class file; name them in params");
            }
        }
        return new Operation(method, target, inputs, whole, effects, surroundings);
    }

    private void checkInstance(Class<?> target) throws Unresolvable {
        if (target.getName().endsWith("$")) {
            return;
        }
        boolean makeable = !Modifier.isAbstract(target.getModifiers());
        try {
            target.getConstructor();
        } catch (NoSuchMethodException needsMore) {
            makeable = false;
        }
        boolean kept;
        try {
            kept = target.getField("INSTANCE").getType() == target;
        } catch (NoSuchFieldException none) {
            kept = false;
        }
        if (!makeable && !kept) {
            throw new Unresolvable(methodName + " is no static method, and " + className
                    + " has no public constructor without parameters to make an instance by");
        }
    }

    private Signatures.Members scala(Method method) {
        if (!surroundings.scala.isHere()) {
            return null;
        }
        Class<?> owner = method.getDeclaringClass();
        List<Signatures.Members> candidates = new ArrayList<>();
        if (Modifier.isStatic(method.getModifiers())) {
            // A static method of Scala forwards to the object of the same name.
            Class<?> module = surroundings.scala.find(owner.getName() + "$");
            if (module != null) {
                candidates = Signatures.methods(module, method.getName(), surroundings.scala);
            }
        } else {
            candidates = Signatures.methods(owner, method.getName(), surroundings.scala);
        }
        for (Signatures.Members candidate : candidates) {
            if (candidate.names.size() == method.getParameterCount() && candidate.fits(method.getParameterTypes())) {
                return candidate;
            }
        }
        return null;
    }

    private static List<TypeTree> types(Method method, Signatures.Members scala) {
        List<TypeTree> types = new ArrayList<>();
        for (java.lang.reflect.Type type : method.getGenericParameterTypes()) {
            types.add(JavaTypes.tree(type, Collections.emptyMap()));
        }
        return scala == null ? types : scala.types(types, Collections.emptyMap());
    }

    private static String name(Method method, int index, Signatures.Members scala) {
        if (scala != null) {
            return scala.names.get(index);
        }
        Parameter parameter = method.getParameters()[index];
        return parameter.isNamePresent() ? parameter.getName() : null;
    }

    private static int contexts(Method method) {
        int count = 0;
        for (int i = 0; i < method.getParameterCount(); i++) {
            count += isContext(method, i, null) ? 1 : 0;
        }
        return count;
    }

    /** A map that is called `context` is the context, if the class file or the Scala signature tells how it is called. */
    private static boolean isContext(Method method, int index, Signatures.Members scala) {
        return method.getParameterTypes()[index] == Map.class && "context".equals(name(method, index, scala));
    }

    private TypeTree hinted(Said one, TypeTree declared, Class<?> owner) throws Unresolvable {
        boolean ofScala = declared.raw.getName().startsWith("scala.");
        TypeTree hinted = null;
        for (boolean scalaFirst : new boolean[] {ofScala, !ofScala}) {
            hinted = Hint.read(one.hint, names(owner, scalaFirst));
            if (JavaTypes.fits(hinted.raw, declared.raw)) {
                exact = exact && hinted.raw == declared.raw;
                return hinted;
            }
        }
        throw new Unresolvable("the hint \"" + one.hint + "\" of " + one.name + " means " + hinted + ", and the parameter is " + declared);
    }

    private dev.enact.jvm.read.Reader reader(TypeTree type, String name) throws Unresolvable {
        try {
            return surroundings.readers.checked(type);
        } catch (Unresolvable broken) {
            throw broken.in(name);
        }
    }
}
