// The Scala library of a component, whichever version it is, used by names: enact itself knows no Scala.
package dev.enact.jvm.scala;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

import dev.enact.jvm.type.Memory;

/** What of Scala is needed to read and write its values; where there is no Scala, nothing is an instance of anything. */
public final class ScalaLibrary {
    private final ClassLoader loader;
    private final Memory memory;
    private final Map<String, Pickle> pickles = new HashMap<>();
    public final Class<?> option;
    public final Class<?> either;
    public final Class<?> map;
    public final Class<?> iterable;
    public final Class<?> product;
    public final Class<?> bigDecimal;
    public final Class<?> bigInt;
    private final Class<?> iterator;
    private final Class<?> unit;
    private final Class<?> symbol;
    private final Class<?> enumValue;
    private final Class<?> future;
    /** Methods by class and name, each looked up once: a lookup costs more than a call, and so does making one key of both. */
    private final Map<Class<?>, Map<String, Method>> methods = new ConcurrentHashMap<>();
    private final Map<String, Object> modules = new ConcurrentHashMap<>();

    public ScalaLibrary(ClassLoader loader, Memory memory) {
        this.loader = loader;
        this.memory = memory;
        option = find("scala.Option");
        either = find("scala.util.Either");
        map = find("scala.collection.Map");
        iterable = find("scala.collection.Iterable");
        product = find("scala.Product");
        bigDecimal = find("scala.math.BigDecimal");
        bigInt = find("scala.math.BigInt");
        iterator = find("scala.collection.Iterator");
        unit = find("scala.runtime.BoxedUnit");
        symbol = find("scala.Symbol");
        enumValue = find("scala.Enumeration$Value");
        future = find("scala.concurrent.Future");
    }

    public boolean isHere() {
        return option != null;
    }

    /** Returns a class of the library, or null. */
    public Class<?> find(String name) {
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

    /** Returns the signature of the top-level class around a class, or null; it is read once. */
    synchronized Pickle pickle(String className) {
        String top = className.indexOf('$') < 0 ? className : className.substring(0, className.indexOf('$'));
        if (!pickles.containsKey(top)) {
            pickles.put(top, Pickle.of(className, this, memory));
        }
        return pickles.get(top);
    }

    private static boolean is(Class<?> type, Object value) {
        return type != null && type.isInstance(value);
    }

    public boolean isOption(Object value) {
        return is(option, value);
    }

    public boolean isEither(Object value) {
        return is(either, value);
    }

    public boolean isMap(Object value) {
        return is(map, value);
    }

    public boolean isProduct(Object value) {
        return is(product, value);
    }

    public boolean isUnit(Object value) {
        return is(unit, value);
    }

    public boolean isFuture(Object value) {
        return is(future, value);
    }

    /** Returns whether Scala writes it as a name: a symbol, a value of an enumeration. */
    public boolean isName(Object value) {
        return is(symbol, value) || is(enumValue, value);
    }

    public String name(Object value) throws Throwable {
        return is(symbol, value) ? (String) call(value, symbol, "name") : value.toString();
    }

    public boolean isNumber(Object value) {
        return is(bigDecimal, value) || is(bigInt, value);
    }

    /** Returns the Java number inside of a BigDecimal or BigInt. */
    public Number number(Object value) throws Throwable {
        return (Number) (is(bigDecimal, value) ? call(value, bigDecimal, "bigDecimal") : call(value, bigInt, "bigInteger"));
    }

    /** Returns whether it is a collection or an iterator. */
    public boolean isMany(Object value) {
        return is(iterable, value) || is(iterator, value);
    }

    /** Goes through a collection; what Scala throws on the way comes out as it is. */
    public Iterator<Object> iterator(Object many) throws Throwable {
        Object inner = is(iterator, many) ? many : call(many, iterable, "iterator");
        Method hasNext = method(iterator, "hasNext");
        Method next = method(iterator, "next");
        return new Iterator<Object>() {
            @Override
            public boolean hasNext() {
                return (Boolean) unchecked(inner, hasNext);
            }

            @Override
            public Object next() {
                return unchecked(inner, next);
            }
        };
    }

    /** Returns whether it is one of the tuples. */
    public boolean isTuple(Class<?> type) {
        String name = type.getName();
        return name.startsWith("scala.Tuple") && name.length() > 11 && Character.isDigit(name.charAt(11));
    }

    /** Returns what is in an option, or null. */
    public Object orNull(Object some) throws Throwable {
        return (Boolean) call(some, option, "isEmpty") ? null : call(some, option, "get");
    }

    public boolean isLeft(Object value) throws Throwable {
        return (Boolean) call(value, either, "isLeft");
    }

    public Object element(Object value, int index) throws Throwable {
        return invoke(method(product, "productElement", int.class), value, index);
    }

    /** Returns whether products tell the names of their elements, as those of Scala 2.13 and later do. */
    boolean namesElements() {
        // Asked for a method with parameters that is not there, Java makes its message by streams: a tenth of a short start.
        for (Method method : product.getMethods()) {
            if (method.getName().equals("productElementName")) {
                return true;
            }
        }
        return false;
    }

    String elementName(Object value, int index) throws Throwable {
        return (String) invoke(method(product, "productElementName", int.class), value, index);
    }

    public int arity(Object value) throws Throwable {
        return (Integer) call(value, product, "productArity");
    }

    public String prefix(Object value) throws Throwable {
        return (String) call(value, product, "productPrefix");
    }

    /** Waits for a future of Scala; what it failed with is thrown. */
    public Object await(Object value) throws Throwable {
        Object forever = call(module("scala.concurrent.duration.Duration"), null, "Inf");
        Object await = module("scala.concurrent.Await");
        for (Method method : await.getClass().getMethods()) {
            if (method.getName().equals("result") && method.getParameterCount() == 2) {
                return invoke(method, await, value, forever);
            }
        }
        throw new NoSuchMethodException("scala.concurrent.Await.result");
    }

    public Object some(Object valueOrNull) throws ReflectiveOperationException {
        Object companion = module("scala.Option");
        return method(companion.getClass(), "apply", Object.class).invoke(companion, valueOrNull);
    }

    /** Returns the only instance of a Scala object. */
    public Object module(String name) throws ReflectiveOperationException {
        Object known = modules.get(name);
        if (known == null) {
            known = Class.forName(name + "$", true, loader).getField("MODULE$").get(null);
            modules.put(name, known);
        }
        return known;
    }

    private static final String[][] SIGNS = {{"$tilde", "~"}, {"$eq", "="}, {"$less", "<"}, {"$greater", ">"},
        {"$bang", "!"}, {"$hash", "#"}, {"$percent", "%"}, {"$up", "^"}, {"$amp", "&"}, {"$bar", "|"}, {"$times", "*"},
        {"$div", "/"}, {"$plus", "+"}, {"$minus", "-"}, {"$colon", ":"}, {"$bslash", "\\"}, {"$qmark", "?"}, {"$at", "@"}};

    /** Returns a name as it stands in the source: `is-new` is `is$minusnew` in a class file. */
    public static String decoded(String name) {
        if (name.indexOf('$') < 0) {
            return name;
        }
        String text = name;
        for (String[] sign : SIGNS) {
            text = text.replace(sign[0], sign[1]);
        }
        return text;
    }

    private Method method(Class<?> owner, String name, Class<?>... parameters) throws NoSuchMethodException {
        Map<String, Method> own = methods.get(owner);
        if (own == null) {
            own = new ConcurrentHashMap<>();
            methods.put(owner, own);
        }
        Method known = own.get(name);
        if (known == null) {
            known = owner.getMethod(name, parameters);
            own.put(name, known);
        }
        return known;
    }

    private Object call(Object target, Class<?> type, String name) throws Throwable {
        return invoke(method(type == null ? target.getClass() : type, name), target);
    }

    private static Object invoke(Method method, Object target, Object... arguments) throws Throwable {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }

    private static Object unchecked(Object target, Method method) {
        try {
            return invoke(method, target);
        } catch (Throwable thrown) {
            throw ScalaLibrary.<RuntimeException>sneaky(thrown);
        }
    }

    /** Scala checks no exceptions, and neither may this. */
    @SuppressWarnings("unchecked")
    private static <T extends Throwable> T sneaky(Throwable thrown) throws T {
        throw (T) thrown;
    }
}
