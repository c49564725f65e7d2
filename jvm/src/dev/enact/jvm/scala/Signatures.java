// What Scala's compiler says of parameters beside the class file's own word: names and types that were not erased.
package dev.enact.jvm.scala;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import dev.enact.jvm.type.JavaTypes;
import dev.enact.jvm.type.TypeTree;

/** Reads the Scala signature of a class; where there is none, or it is not understood, nothing is said. */
public final class Signatures {
    private Signatures() {
    }

    /** The parameters of one method or constructor. */
    public static final class Members {
        public final List<String> names = new ArrayList<>();
        final List<Pickle.Type> types = new ArrayList<>();
        final Resolver resolver;

        Members(Resolver resolver) {
            this.resolver = resolver;
        }

        /** Returns whether the erased parameters may be these. */
        public boolean fits(Class<?>[] erased) {
            for (int i = 0; i < erased.length; i++) {
                TypeTree tree = resolver.tree(types.get(i), null);
                if (tree != null && tree.raw != Object.class && !same(tree.raw, erased[i])) {
                    return false;
                }
            }
            return true;
        }

        /** Returns the types as Scala knows them, and as reflection does where Scala's word is not understood. */
        public List<TypeTree> types(List<TypeTree> reflected, Map<String, TypeTree> bound) {
            List<TypeTree> all = new ArrayList<>();
            for (int i = 0; i < reflected.size(); i++) {
                TypeTree known = resolver.tree(types.get(i), bound);
                TypeTree own = reflected.get(i);
                boolean usable = known != null && JavaTypes.fits(known.raw, own.raw);
                all.add(usable ? known : own);
            }
            return all;
        }

        private static boolean same(Class<?> said, Class<?> erased) {
            return JavaTypes.boxed(said) == JavaTypes.boxed(erased);
        }
    }

    /** Returns the parameters of the primary constructor, or null. */
    public static Members constructor(Class<?> owner, ScalaLibrary scala) {
        List<Members> all = methods(owner, "<init>", scala);
        return all.isEmpty() ? null : all.get(0);
    }

    /** Returns the parameters of every method of that name in a class or object. */
    public static List<Members> methods(Class<?> owner, String name, ScalaLibrary scala) {
        List<Members> found = new ArrayList<>();
        boolean module = owner.getName().endsWith("$");
        String plain = module ? owner.getName().substring(0, owner.getName().length() - 1) : owner.getName();
        try {
            Pickle pickle = scala.pickle(plain);
            if (pickle == null) {
                return found;
            }
            for (List<Pickle.Parameter> parameters : pickle.methods(plain, module, name)) {
                Members members = new Members(new Resolver(pickle, scala));
                for (Pickle.Parameter parameter : parameters) {
                    members.names.add(ScalaLibrary.decoded(parameter.name));
                    members.types.add(parameter.type);
                }
                found.add(members);
            }
        } catch (RuntimeException notUnderstood) {
            // A form that is not known; what reflection says is used, and hints say the rest.
            found.clear();
        }
        return found;
    }
}
