// The forms that results take in JSON, and which of them the values of a class have.
package dev.enact.jvm.write;

import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.BaseStream;

import dev.enact.jvm.scala.ScalaLibrary;

/** How something is written that is neither null nor a number, a boolean or a string of Java. */
enum Form {
    TEXT, MAP, ITEMS, ITERATOR, STREAM, ARRAY, OPTIONAL, OBJECT,
    SCALA_NUMBER, SCALA_OPTION, EITHER, SCALA_MAP, SCALA_ITEMS, UNIT, NAME, TUPLE, PRODUCT;

    /** Finds the form of a value, which is that of every value of its class; it takes some forty questions. */
    static Form of(Object value, ScalaLibrary scala) {
        // A path is an Iterable of its own parts, so texts are asked for before collections are.
        if (Names.text(value) != null) {
            return TEXT;
        }
        if (value instanceof Map) {
            return MAP;
        }
        if (value instanceof Iterable) {
            return ITEMS;
        }
        if (value instanceof Iterator) {
            return ITERATOR;
        }
        if (value instanceof BaseStream) {
            return STREAM;
        }
        if (value.getClass().isArray()) {
            return ARRAY;
        }
        if (value instanceof Optional || value instanceof OptionalInt || value instanceof OptionalLong
                || value instanceof OptionalDouble) {
            return OPTIONAL;
        }
        return scala.isHere() ? ofScala(value, scala) : OBJECT;
    }

    private static Form ofScala(Object value, ScalaLibrary scala) {
        if (scala.isNumber(value)) {
            return SCALA_NUMBER;
        }
        if (scala.isOption(value)) {
            return SCALA_OPTION;
        }
        if (scala.isEither(value)) {
            return EITHER;
        }
        if (scala.isMap(value)) {
            return SCALA_MAP;
        }
        if (scala.isMany(value)) {
            return SCALA_ITEMS;
        }
        if (scala.isUnit(value)) {
            return UNIT;
        }
        if (scala.isName(value)) {
            return NAME;
        }
        if (scala.isProduct(value)) {
            return scala.isTuple(value.getClass()) ? TUPLE : PRODUCT;
        }
        return OBJECT;
    }
}
