// Assertions on what the frames cannot show well: the reader and writer of JSON, hints, and readers by themselves.
package unit;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Random;

import dev.enact.jvm.json.JsonReader;
import dev.enact.jvm.json.JsonWriter;
import dev.enact.jvm.json.Malformed;
import dev.enact.jvm.json.MemberNames;
import dev.enact.jvm.json.TooLarge;
import dev.enact.jvm.read.BadArgument;
import dev.enact.jvm.read.Readers;
import dev.enact.jvm.scala.ScalaLibrary;
import dev.enact.jvm.type.ClassNames;
import dev.enact.jvm.type.Hint;
import dev.enact.jvm.type.Memory;
import dev.enact.jvm.type.Unresolvable;
import dev.enact.jvm.write.Output;

public final class Conversions {
    private static final MemberNames NAMES = new MemberNames();
    private static int count;

    private Conversions() {
    }

    public static void main(String[] args) throws Throwable {
        what_is_no_json_is_refused();
        json_is_read_exactly();
        a_member_that_is_left_unread_is_its_bytes();
        a_name_is_what_stands_there_whatever_came_before();
        text_goes_both_ways();
        any_bytes_are_json_or_malformed();
        a_writer_keeps_its_limit();
        hints_are_read_in_both_spellings();
        hints_that_mean_nothing_are_named();
        what_was_read_is_written_again();
        a_broken_type_leaves_no_half_reader();
        System.out.println(count + " passed, 0 failed");
    }

    private static void same(Object found, Object expected) {
        count++;
        if (!(found == null ? expected == null : found.equals(expected))) {
            throw new AssertionError("found " + found + ", expected " + expected);
        }
    }

    private static Object read(String text) throws Malformed {
        return JsonReader.read(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String written(Object value) throws Throwable {
        JsonWriter json = new JsonWriter(1 << 20);
        new Output(new ScalaLibrary(Conversions.class.getClassLoader(), new Memory(null, true))).write(value, false, json);
        return new String(json.frame(), JsonWriter.HEADER, json.length() - JsonWriter.HEADER, StandardCharsets.UTF_8);
    }

    private static void what_is_no_json_is_refused() {
        String[] texts = {"", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "tru", "nul", "01",
            "-", "1.", ".5", "1e", "1e+", "+1", "\"", "\"\\x\"", "\"\\u12\"", "\"\n\"", "1 2", "[1}", "NaN", "{\"a\" 1}", "1e99999999999"};
        for (String text : texts) {
            try {
                Object value = read(text);
                throw new AssertionError(text + " was read as " + value);
            } catch (Malformed refused) {
                count++;
            }
        }
        byte[][] noText = {{'"', (byte) 0xc0, (byte) 0x80, '"'}, {'"', (byte) 0xff, '"'}, {'"', (byte) 0xe2, (byte) 0x82, '"'}};
        for (byte[] bytes : noText) {
            try {
                throw new AssertionError("read as " + JsonReader.read(bytes));
            } catch (Malformed refused) {
                count++;
            }
        }
        StringBuilder deep = new StringBuilder();
        for (int i = 0; i < 100_000; i++) {
            deep.append('[');
        }
        try {
            throw new AssertionError(read(deep.toString()));
        } catch (Malformed refused) {
            count++;
        }
    }

    private static void json_is_read_exactly() throws Malformed {
        same(read("0"), 0L);
        same(read("-0"), 0L);
        same(read("9223372036854775807"), Long.MAX_VALUE);
        same(read("-9223372036854775808"), Long.MIN_VALUE);
        same(read("9223372036854775808"), new BigInteger("9223372036854775808"));
        same(read("1.10"), new BigDecimal("1.10"));
        same(read("1e3"), new BigDecimal("1e3"));
        // Up to 18 signs a number is counted in a long, beyond that Java reads it.
        for (String text : new String[] {"0.00", "-0.5", "-12.25", "0.0000000000000001", "9999999999999999.9", "99999999999999999.9"}) {
            same(read(text), new BigDecimal(text));
        }
        same(read("-0.00"), -0.0);
        same(read(" [ 1 , true , null , \"a\" ] ").toString(), "[1, true, null, a]");
        same(read("{\"b\":1,\"a\":{}}").toString(), "{b=1, a={}}");
        same(read("\"\\u00e9\\n\\\"\\/\\ud83d\\ude00\""), "é\n\"/😀");
        same(read("[\"plain until \\t\",\"\",\"caf\u00e9\",\"\\\\\"]").toString(), "[plain until \t, , caf\u00e9, \\]");
    }

    private static void a_member_that_is_left_unread_is_its_bytes() throws Malformed {
        String[] values = {"{}", "{\"a\":[1,{\"b\":\"}]\\\"\"}],\"unread\":2}", "[[],[\"]\"]]", "\"a,\\\\\"", "1.5e3", "null"};
        for (String value : values) {
            String text = "{\"first\":1, \"unread\" : " + value + ",\"last\":{\"unread\":[true]}}";
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            Map<?, ?> frame = (Map<?, ?>) JsonReader.read(bytes, 0, bytes.length, "unread", NAMES);
            same(new String((byte[]) frame.get("unread"), StandardCharsets.UTF_8), value);
            same(JsonReader.read((byte[]) frame.get("unread")), read(value));
            same(String.valueOf(frame.get("first")) + frame.get("last"), "1{unread=[true]}");
        }
        for (String text : new String[] {"{\"unread\":", "{\"unread\":}", "{\"unread\":\"a", "{\"unread\":[1", "{\"unread\":\"\\"}) {
            try {
                byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
                throw new AssertionError(text + " was read as " + JsonReader.read(bytes, 0, bytes.length, "unread", NAMES));
            } catch (Malformed refused) {
                count++;
            }
        }
    }

    private static void a_name_is_what_stands_there_whatever_came_before() throws Malformed {
        Random random = new Random(13);
        String[] signs = {"a", "b", "A", "\u00e9", "\\n", "\\\"", " "};
        for (int i = 0; i < 20_000; i++) {
            StringBuilder name = new StringBuilder();
            for (int j = random.nextInt(random.nextInt(20) == 0 ? 50 : 4); j > 0; j--) {
                name.append(signs[random.nextInt(signs.length)]);
            }
            byte[] bytes = ("{\"" + name + "\":{\"" + name + "\":1}}").getBytes(StandardCharsets.UTF_8);
            Object found = JsonReader.read(bytes, 0, bytes.length, null, NAMES);
            String expected = (String) read("\"" + name + "\"");
            if (!found.equals(java.util.Collections.singletonMap(expected, java.util.Collections.singletonMap(expected, 1L)))) {
                throw new AssertionError(name + " was read as " + found);
            }
        }
        count++;
    }

    private static void text_goes_both_ways() throws Throwable {
        Random random = new Random(7);
        for (int i = 0; i < 2000; i++) {
            StringBuilder text = new StringBuilder();
            for (int j = random.nextInt(40); j > 0; j--) {
                int code = random.nextInt(4) == 0 ? random.nextInt(0x110000) : random.nextInt(0x100);
                text.appendCodePoint(code >= 0xd800 && code < 0xe000 ? '?' : code);
            }
            same(read(written(text.toString())), text.toString());
        }
    }

    /** Whatever comes, nothing but a value or the one exception comes out. */
    private static void any_bytes_are_json_or_malformed() {
        Random random = new Random(11);
        String alphabet = "{}[]\",:\\0123456789.eE+-truefalsn u\u00e9";
        byte[] signs = alphabet.getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < 200_000; i++) {
            byte[] bytes = new byte[random.nextInt(24)];
            for (int j = 0; j < bytes.length; j++) {
                bytes[j] = signs[random.nextInt(signs.length)];
            }
            try {
                JsonReader.read(bytes);
            } catch (Malformed refused) {
                continue;
            }
        }
        count++;
    }

    private static void a_writer_keeps_its_limit() throws Throwable {
        for (int limit = 1; limit < 40; limit++) {
            JsonWriter json = new JsonWriter(limit);
            try {
                json.string("0123456789\n");
                same(json.length() - JsonWriter.HEADER <= limit, true);
            } catch (TooLarge large) {
                same(limit < 20, true);
            }
        }
    }

    private static String hint(String text) throws Unresolvable {
        return Hint.read(text, new ClassNames(sample.Types.class, Conversions.class.getClassLoader(), new Memory(null, true), false)).toString();
    }

    private static void hints_are_read_in_both_spellings() throws Unresolvable {
        same(hint("Int"), "int");
        same(hint("List[Int]"), "java.util.List<int>");
        same(hint("List<Integer>"), "java.util.List<java.lang.Integer>");
        same(hint("Map[String, List[Point]]"), "java.util.Map<java.lang.String, java.util.List<sample.Types$Point>>");
        same(hint("Map<String,List<Point>>"), hint("Map[String, List[Point]]"));
        same(hint("int[][]"), "int[][]");
        same(hint("Array[Long]"), "long[]");
        same(hint("List[Point][]"), "java.util.List<sample.Types$Point>[]");
        same(hint("Types.Point"), "sample.Types$Point");
        same(hint("sample.Types.Point"), "sample.Types$Point");
        same(hint("Vices"), "sample.Vices");
        same(hint("Page[?]"), "sample.Types$Page<java.lang.Object>");
    }

    private static void hints_that_mean_nothing_are_named() {
        for (String text : new String[] {"", "List[", "List[Int", "Nowhere", "List[Int]]", "Map[Int]", "List[Int>", "[]", "Lists[Int]"}) {
            try {
                throw new AssertionError(text + " was read as " + hint(text));
            } catch (Unresolvable refused) {
                count++;
            }
        }
    }

    private static void what_was_read_is_written_again() throws Throwable {
        Readers readers = new Readers(new ScalaLibrary(Conversions.class.getClassLoader(), new Memory(null, true)));
        String[][] cases = {{"Map[String, List[Long]]", "{\"a\":[1,2]}"}, {"Point[]", "[{\"x\":1,\"y\":2}]"},
            {"Object", "{\"a\":[1,2.5,\"x\",null,true,12345678901234567890]}"}, {"BigDecimal", "1.10"}, {"BigInteger", "123456789012345678901"}};
        for (String[] one : cases) {
            ClassNames names = new ClassNames(sample.Types.class, Conversions.class.getClassLoader(), new Memory(null, true), false);
            same(written(readers.of(Hint.read(one[0], names)).read(read(one[1]))), one[1]);
        }
        Map<?, ?> plain = (Map<?, ?>) readers.of(dev.enact.jvm.type.TypeTree.of(Object.class)).read(read("{\"a\":[1,3000000000,0.1]}"));
        List<?> items = (List<?>) plain.get("a");
        same(items.get(0).getClass(), Integer.class);
        same(items.get(1).getClass(), Long.class);
        same(items.get(2).getClass(), Double.class);
    }

    private static void a_broken_type_leaves_no_half_reader() throws Throwable {
        Readers readers = new Readers(new ScalaLibrary(Conversions.class.getClassLoader(), new Memory(null, true)));
        for (int i = 0; i < 2; i++) {
            for (Class<?> type : new Class<?>[] {Left.class, Right.class}) {
                try {
                    throw new AssertionError(readers.of(dev.enact.jvm.type.TypeTree.of(type)));
                } catch (Unresolvable refused) {
                    count++;
                }
            }
        }
        try {
            throw new AssertionError(readers.of(dev.enact.jvm.type.TypeTree.of(int.class)).read("1"));
        } catch (BadArgument bad) {
            same(bad.getMessage(), "the argument: \"1\" is not an int");
        }
    }

    /** Two that need each other, and something that cannot be. */
    public static final class Left {
        public Left(Right right) { }
    }

    public static final class Right {
        public Right(Left left, Thread thread) { }
    }
}
