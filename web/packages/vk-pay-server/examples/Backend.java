// java Backend.java order NUMBER | quote NUMBER | serve
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public final class Backend {
    static final Map<String, Long> PRICES = Map.of("course-1", 3000L); // fen

    static String env(String name, String otherwise) {
        String value = System.getenv(name);
        if (value != null && !value.isEmpty()) return value;
        if (otherwise == null) throw new IllegalStateException(name + " is not set");
        return otherwise;
    }

    // The functions never redirect, and the key is for them alone.
    static final HttpClient CLIENT = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NEVER)
        .connectTimeout(Duration.ofSeconds(10)).build();

    /** Sends one request. What has no reply or a 5xx is sent again: only for what the API lets you repeat. */
    static Map<?, ?> call(String function, String action, Map<String, ?> data) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(env("PAY_URL", null) + "/" + function))
            .timeout(Duration.ofSeconds(30))
            .header("Authorization", "Bearer " + env("PAY_KEY", null))
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(Json.write(Map.of("url", action, "data", data))))
            .build();
        for (long pause = 500; ; pause *= 2) {
            IOException failure;
            try {
                HttpResponse<String> response = CLIENT.send(request, HttpResponse.BodyHandlers.ofString());
                if (response.statusCode() == 200) return (Map<?, ?>) Json.read(response.body());
                failure = new IOException("HTTP " + response.statusCode() + ": " + response.body());
                if (response.statusCode() < 500) throw new IllegalStateException(failure);
            } catch (IOException error) {
                failure = error;
            }
            if (pause > 1000) throw failure;
            Thread.sleep(pause);
        }
    }

    /** The same number is the same order, however often it is sent. */
    static Map<?, ?> createOrder(String number) throws IOException, InterruptedException {
        Map<String, Object> data = new LinkedHashMap<>();
        data.put("provider", "wxpay");
        data.put("out_trade_no", number);
        data.put("total_fee", PRICES.get("course-1"));
        data.put("subject", "Course 1");
        data.put("type", "course");
        data.put("user_id", "u1");
        data.put("custom", Map.of("course_id", "course-1"));
        data.put("needQRcode", true);
        return call("create-payment", "pay/createPayment", data);
    }

    /** Signs what a page may order by itself, for ten minutes: a JSON Web Token, HS256. */
    static String quote(String number) throws GeneralSecurityException {
        Map<String, Object> claims = new LinkedHashMap<>();
        claims.put("out_trade_no", number);
        claims.put("total_fee", PRICES.get("course-1"));
        claims.put("type", "course");
        claims.put("custom", Map.of("course_id", "course-1"));
        claims.put("exp", Instant.now().getEpochSecond() + 600);
        Base64.Encoder base64 = Base64.getUrlEncoder().withoutPadding();
        String signed = base64.encodeToString(utf8("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"))
            + "." + base64.encodeToString(utf8(Json.write(claims)));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(utf8(env("QUOTE_SECRET", null)), "HmacSHA256"));
        return signed + "." + base64.encodeToString(mac.doFinal(utf8(signed)));
    }

    record Delivery(Map<?, ?> order, String id) {}

    static final class Refused extends Exception {
        Refused(String message) {
            super(message);
        }
    }

    /** Verifies a delivery. Answers the order and what to do once. */
    static Delivery openDelivery(byte[] body, String idempotencyKey) throws Refused, GeneralSecurityException {
        if (!(Json.read(new String(body, StandardCharsets.UTF_8)) instanceof Map<?, ?> order)) {
            throw new IllegalArgumentException("no object");
        }
        // In constant time.
        if (!(order.get("key") instanceof String key)
            || !MessageDigest.isEqual(utf8(key), utf8(env("DELIVERY_KEY", null)))) {
            throw new Refused("wrong key");
        }
        boolean paid = "SUCCESS".equals(order.get("trade_state")) || "REFUND".equals(order.get("trade_state"));
        if (!(order.get("out_trade_no") instanceof String number) || !(order.get("total_fee") instanceof Long) || !paid) {
            throw new IllegalArgumentException("no paid order");
        }
        String expected = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(utf8(number)));
        if (!expected.equals(idempotencyKey)) throw new Refused("Idempotency-Key is not the order's");
        return new Delivery(order, expected);
    }

    /** Does an order once. The file stands for a row of your database, in one transaction with the work. */
    static boolean enrolOnce(Delivery delivery) throws IOException {
        Map<?, ?> order = delivery.order();
        if (!(order.get("course_id") instanceof String course) || !order.get("total_fee").equals(PRICES.get(course))) {
            return false;
        }
        Path done = Files.createDirectories(Path.of(env("DONE_DIR", "done")));
        try {
            Files.createFile(done.resolve(delivery.id()));
            System.out.println("enrolled " + order.get("out_trade_no"));
        } catch (FileAlreadyExistsException known) {
            // It was done before.
        }
        return true;
    }

    static void receive(HttpExchange exchange) throws IOException {
        int status = 200, code = 0;
        String msg = "ok";
        try {
            byte[] body = exchange.getRequestBody().readNBytes(65537);
            if (body.length > 65536) throw new IllegalArgumentException("too large");
            List<String> ids = exchange.getRequestHeaders().getOrDefault("Idempotency-Key", List.of());
            if (!enrolOnce(openDelivery(body, ids.size() == 1 ? ids.get(0) : ""))) {
                code = 1;
                msg = "not the price of the course";
            }
        } catch (Refused error) {
            status = code = 403;
            msg = error.getMessage();
        } catch (IllegalArgumentException error) {
            status = code = 400;
            msg = "not a delivery: " + error.getMessage();
        } catch (IOException | GeneralSecurityException error) {
            System.err.println(error);
            status = 500;
            code = 1;
            msg = "try again";
        }
        byte[] answer = utf8(Json.write(Map.of("code", code, "msg", msg)));
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, answer.length);
        exchange.getResponseBody().write(answer);
        exchange.close();
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            // Show it as a QR code.
            case "order" -> System.out.println(((Map<?, ?>) createOrder(args[1]).get("orderInfo")).get("codeUrl"));
            case "quote" -> System.out.println(quote(args[1]));
            default -> {
                env("DELIVERY_KEY", null);
                int port = Integer.parseInt(env("PORT", "8080"));
                HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
                server.createContext("/", Backend::receive);
                server.setExecutor(Executors.newFixedThreadPool(8));
                server.start();
            }
        }
    }

    /** Java has no JSON of its own. Take the one that your project has; this is enough for the example. */
    static final class Json {
        private final String text;
        private int at;

        private Json(String text) {
            this.text = text;
        }

        /** Maps, lists, texts, booleans, null; whole numbers as Long, others as Double. */
        static Object read(String text) {
            Json json = new Json(text);
            Object value = json.value(0);
            if (json.peek() != 0) throw json.wrong();
            return value;
        }

        static String write(Object value) {
            if (value instanceof Map<?, ?> map) {
                List<String> members = new ArrayList<>();
                map.forEach((key, member) -> members.add(write(key) + ":" + write(member)));
                return "{" + String.join(",", members) + "}";
            }
            if (!(value instanceof String text)) return String.valueOf(value);
            StringBuilder quoted = new StringBuilder("\"");
            for (char c : text.toCharArray()) {
                if (c == '"' || c == '\\') quoted.append('\\').append(c);
                else if (c < ' ') quoted.append(String.format("\\u%04x", (int) c));
                else quoted.append(c);
            }
            return quoted.append('"').toString();
        }

        private Object value(int depth) {
            if (depth > 64) throw wrong();
            switch (peek()) {
                case '{' -> {
                    Map<String, Object> map = new LinkedHashMap<>();
                    at++;
                    for (boolean first = true; !taken('}'); first = false) {
                        if (!first) take(',');
                        if (peek() != '"') throw wrong();
                        String key = string();
                        take(':');
                        map.put(key, value(depth + 1));
                    }
                    return map;
                }
                case '[' -> {
                    List<Object> list = new ArrayList<>();
                    at++;
                    for (boolean first = true; !taken(']'); first = false) {
                        if (!first) take(',');
                        list.add(value(depth + 1));
                    }
                    return list;
                }
                case '"' -> {
                    return string();
                }
                default -> {
                    int start = at;
                    while (at < text.length() && ",:]} \t\r\n".indexOf(text.charAt(at)) < 0) at++;
                    String word = text.substring(start, at);
                    if (word.equals("null")) return null;
                    if (word.equals("true") || word.equals("false")) return word.equals("true");
                    if (word.matches("-?(0|[1-9][0-9]{0,17})")) return Long.valueOf(word);
                    if (word.matches("-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?")) return Double.valueOf(word);
                    throw wrong();
                }
            }
        }

        private String string() {
            StringBuilder read = new StringBuilder();
            for (at++; ; at++) {
                char c = at < text.length() ? text.charAt(at) : 0;
                if (c == '"') {
                    at++;
                    return read.toString();
                }
                if (c < ' ') throw wrong();
                if (c != '\\') {
                    read.append(c);
                    continue;
                }
                at++;
                char escape = at < text.length() ? text.charAt(at) : 0;
                int which = "\"\\/bfnrt".indexOf(escape);
                if (escape == 'u' && at + 4 < text.length()) {
                    read.append((char) HexFormat.fromHexDigits(text, at + 1, at + 5));
                    at += 4;
                } else if (escape != 0 && which >= 0) {
                    read.append("\"\\/\b\f\n\r\t".charAt(which));
                } else {
                    throw wrong();
                }
            }
        }

        /** The next character that is no blank, 0 at the end. */
        private char peek() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
            return at < text.length() ? text.charAt(at) : 0;
        }

        private boolean taken(char wanted) {
            if (peek() != wanted) return false;
            at++;
            return true;
        }

        private void take(char wanted) {
            if (!taken(wanted)) throw wrong();
        }

        private IllegalArgumentException wrong() {
            return new IllegalArgumentException("no JSON at " + at);
        }
    }
}
