import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Prints what Java itself makes of time zones and of patterns of DateTimeFormatter, in the locale
 * of the United States:
 *
 * <pre>
 * java JavasTexts.java zones    > ../zone/javas_zones.txt
 * java JavasTexts.java texts    > javas_texts.tsv
 * java JavasTexts.java refusals > javas_refusals.txt
 * </pre>
 *
 * The files beside it were printed by OpenJDK 17.0.15.
 */
class JavasTexts {
    /** What the API's model lets CustomTimeZone be made of. */
    private static final String ZONE = "[a-zA-Z/_]+";

    /** Letters whose number in a row decides what they mean, each with more than have a meaning. */
    private static final String LETTERS = "GuyYMLDdwWeEcqQaHhKkmsSnANzVOXxZ";

    private static final String[] INSTANTS = {
        "2018-08-27T10:30:05.678Z",
        "1970-01-01T00:00:00Z",
        "1999-12-31T23:59:59.999Z",
        "2000-02-29T12:00:00.001Z",
        "2016-12-25T00:05:09.010Z",
        "2016-12-31T12:34:56.789Z",
        "2017-01-01T11:59:59.100Z",
        "2022-12-31T13:00:00.050Z",
        "2023-01-01T01:01:01.001Z",
        "2023-11-14T22:13:20Z",
        "2024-03-10T09:59:59.999Z",
        "2024-03-10T10:00:00Z",
        "2024-09-30T22:30:30.999Z",
        "2024-11-03T08:30:00.5Z",
        "2024-11-03T09:30:00.5Z",
        "2024-12-29T06:07:08.009Z",
        "2026-05-17T17:45:00.120Z",
        "2032-02-29T23:00:00Z",
    };

    private static final String WINTER = "2024-01-15T12:00:00Z";
    private static final String SUMMER = "2024-07-15T12:00:00Z";

    private static final String[] ZONES = {
        "UTC", "America/Los_Angeles", "Asia/Kolkata", "Europe/Berlin", "Pacific/Apia",
        "America/St_Johns", "Asia/Tokyo",
    };

    private static final String[] PATTERNS = {
        "yyyy/MM/dd/HH/", "YYYY-'W'ww", "'year='yyyy'/month='MM'/day='dd", "''", "''''",
        "'it''s 'HH", "yyyy''MM", "''yyyy''", "'''yyyy'''", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "h a",
        "[yyyy[-MM]]", "yyyyMMddHHmmssSSS", "EEEE, d MMMM y", "~yyyy~", "y_M-d.H:m,s;S n",
        "QQQ yyyy", "e c w W", "VV/z",
    };

    public static void main(String[] arguments) {
        switch (arguments[0]) {
            case "zones" -> zones();
            case "texts" -> texts();
            case "refusals" -> refusals();
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    private static Iterable<String> ids() {
        TreeSet<String> ids = new TreeSet<>(ZoneId.getAvailableZoneIds());
        ids.removeIf(id -> !id.matches(ZONE) || id.startsWith("SystemV/"));
        return ids;
    }

    /** A line for each set of names: short and long ones, of winter and of summer; then its zones. */
    private static void zones() {
        Map<String, List<String>> zones = new TreeMap<>();
        for (String id : ids()) {
            TimeZone zone = TimeZone.getTimeZone(id);
            List<String> names = new ArrayList<>();
            for (boolean isSummer : new boolean[] {false, true}) {
                for (int style : new int[] {TimeZone.SHORT, TimeZone.LONG}) {
                    names.add(zone.getDisplayName(isSummer, style, Locale.US));
                }
            }
            zones.computeIfAbsent(String.join("|", names), names_ -> new ArrayList<>()).add(id);
        }
        zones.forEach((names, ids) -> {
            System.out.println(names);
            ids.forEach(id -> System.out.println("\t" + id));
        });
    }

    private static String text(String pattern, String zone, String instant) {
        DateTimeFormatter formatter = DateTimeFormatter.ofPattern(pattern, Locale.US);
        return formatter.withZone(ZoneId.of(zone)).format(Instant.parse(instant));
    }

    private static void print(String pattern, String zone, String instant) {
        String text = text(pattern, zone, instant);
        long millis = Instant.parse(instant).toEpochMilli();
        System.out.println(pattern + "\t" + zone + "\t" + millis + "\t" + text);
    }

    private static void texts() {
        for (String pattern : known()) {
            // Many digits in a row differ by the zeros before them only.
            int step = pattern.matches("[uyYSnAN]{6,}") ? 6 : 1;
            for (int at = 0; at < INSTANTS.length; at += step) {
                print(pattern, ZONES[(pattern.length() + at) % ZONES.length], INSTANTS[at]);
            }
        }
        for (String id : ids()) {
            for (String instant : new String[] {WINTER, SUMMER}) {
                print("MM-dd HH:mm xxx z, zzzz", id, instant);
            }
        }
    }

    /** Java takes years of more than ten digits, and fails once it prints them. */
    private static boolean isKnown(String pattern) {
        try {
            text(pattern, ZONES[0], INSTANTS[0]);
            return true;
        } catch (IllegalArgumentException | ArrayIndexOutOfBoundsException refused) {
            return false;
        }
    }

    private static List<String> runs() {
        List<String> runs = new ArrayList<>();
        for (char letter : LETTERS.toCharArray()) {
            for (int count = 1; count <= 21; count++) {
                runs.add(String.valueOf(letter).repeat(count));
            }
        }
        return runs;
    }

    private static List<String> known() {
        List<String> known = runs();
        known.removeIf(run -> !isKnown(run));
        known.addAll(List.of(PATTERNS));
        return known;
    }

    private static void refusals() {
        List<String> all = runs();
        for (char letter = 'A'; letter <= 'z'; letter++) {
            if (Character.isLetter(letter) && LETTERS.indexOf(letter) < 0) {
                all.add(String.valueOf(letter));
            }
        }
        all.addAll(List.of("'open", "'''", "yyyy'", "{", "#", "]", "[yyyy]]", "yyyy{MM"));
        for (String pattern : all) {
            if (!isKnown(pattern)) {
                System.out.println(pattern);
            }
        }
    }
}
