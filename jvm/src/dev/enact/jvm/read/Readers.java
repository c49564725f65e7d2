// The reader of every type that can be read; what cannot be read is found here, when a component is loaded.
package dev.enact.jvm.read;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import dev.enact.jvm.scala.ScalaLibrary;
import dev.enact.jvm.type.TypeTree;
import dev.enact.jvm.type.Unresolvable;

/** Makes readers and keeps them: one for each type of a component. */
public final class Readers {
    private final Map<TypeTree, Reader> made = new LinkedHashMap<>();
    private final Groups groups;
    private final Structures structures;
    private final ScalaReaders scalas;

    public Readers(ScalaLibrary scala) {
        groups = new Groups(this);
        structures = new Structures(this, scala);
        scalas = scala.isHere() ? new ScalaReaders(this, scala) : null;
    }

    /** Returns the reader of a type. */
    public Reader of(TypeTree type) throws Unresolvable {
        Reader known = made.get(type);
        if (known != null) {
            return known;
        }
        LateReader late = new LateReader();
        int before = made.size();
        made.put(type, late);
        try {
            late.made = make(type);
        } catch (Unresolvable | RuntimeException | LinkageError broken) {
            // What was made since may stand on the one that is broken.
            List<TypeTree> all = new ArrayList<>(made.keySet());
            made.keySet().removeAll(all.subList(before, all.size()));
            throw broken;
        }
        made.put(type, late.made);
        return late.made;
    }

    /** Returns the reader of a parameter; it is refused if nobody can know what its elements are. */
    public Reader checked(TypeTree type) throws Unresolvable {
        ScalaReaders.refuseErased(type, "its type " + type);
        return of(type);
    }

    private Reader make(TypeTree type) throws Unresolvable {
        Class<?> raw = type.raw;
        if (raw == Object.class || raw == java.io.Serializable.class || raw == Comparable.class) {
            return new Plain();
        }
        Reader reader = Scalars.of(raw);
        if (reader == null) {
            reader = Texts.of(raw);
        }
        if (reader == null) {
            reader = groups.of(type);
        }
        if (reader == null && scalas != null) {
            reader = scalas.of(type);
        }
        return reader == null ? structures.of(type) : reader;
    }
}
