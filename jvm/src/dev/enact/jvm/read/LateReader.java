// A reader that is named before it is made: types that contain themselves need it.
package dev.enact.jvm.read;

/** Stands for another reader. */
final class LateReader extends Reader {
    Reader made;

    @Override
    public Object read(Object json) throws BadArgument {
        return made.read(json);
    }

    @Override
    public boolean optional() {
        return made != null && made.optional();
    }
}
