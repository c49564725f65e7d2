// Type hints of a descriptor: `List[Item]`, `Map<String, List<Int>>`, `Item[]`, `(Int, String)`, read to a type tree.
package dev.enact.jvm.type;

import java.util.ArrayList;
import java.util.List;

/** Reads one hint. */
public final class Hint {
    private final String text;
    private final ClassNames names;
    private int at;

    private Hint(String text, ClassNames names) {
        this.text = text;
        this.names = names;
    }

    /** Returns the type that a hint names. */
    public static TypeTree read(String text, ClassNames names) throws Unresolvable {
        Hint hint = new Hint(text, names);
        TypeTree tree = hint.type();
        if (hint.peek() != 0) {
            throw hint.broken("something follows the type");
        }
        return tree;
    }

    private Unresolvable broken(String why) {
        return new Unresolvable("the hint \"" + text + "\" cannot be read at character " + (at + 1) + ": " + why);
    }

    private char peek() {
        while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
            at++;
        }
        return at < text.length() ? text.charAt(at) : 0;
    }

    private TypeTree type() throws Unresolvable {
        TypeTree tree;
        if (peek() == '(') {
            at++;
            List<TypeTree> parts = args(')');
            tree = TypeTree.of(names.named("scala.Tuple" + parts.size(), parts.size()), parts);
        } else if (peek() == '?') {
            at++;
            tree = TypeTree.of(Object.class);
        } else {
            tree = named();
        }
        while (peek() == '[' && at + 1 < text.length() && text.charAt(at + 1) == ']') {
            at += 2;
            tree = TypeTree.arrayOf(tree);
        }
        return tree;
    }

    private TypeTree named() throws Unresolvable {
        int from = at;
        while (at < text.length() && (Character.isJavaIdentifierPart(text.charAt(at)) || text.charAt(at) == '.')) {
            at++;
        }
        String name = text.substring(from, at);
        if (name.isEmpty()) {
            throw broken("the name of a class was expected");
        }
        List<TypeTree> args = new ArrayList<>();
        char open = peek();
        boolean array = open == '[' && at + 1 < text.length() && text.charAt(at + 1) == ']';
        if ((open == '[' || open == '<') && !array) {
            at++;
            args = args(open == '[' ? ']' : '>');
        }
        if (name.equals("Array") && args.size() == 1) {
            // Scala's `Array[Long]` is `long[]`.
            TypeTree element = args.get(0);
            return TypeTree.arrayOf(element.args.isEmpty() ? TypeTree.of(JavaTypes.primitive(element.raw)) : element);
        }
        Class<?> raw = names.named(name, args.size());
        return args.isEmpty() ? TypeTree.of(raw) : TypeTree.of(raw, args);
    }

    private List<TypeTree> args(char close) throws Unresolvable {
        List<TypeTree> args = new ArrayList<>();
        while (true) {
            args.add(type());
            char next = peek();
            at++;
            if (next == close) {
                return args;
            }
            if (next != ',') {
                throw broken("a comma or " + close + " was expected");
            }
        }
    }
}
