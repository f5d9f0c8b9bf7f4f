import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/**
 * Creates a stream, publishes ten orders, and reads from where the last run stopped. Run it twice:
 * {@code java PublishAndConsume.java}
 *
 * The JDK has no JSON library, so the program sends and gets lines, one message a line. Headers carry the position and
 * the end of the stream. A pattern takes two numbers out of JSON answers.
 */
public class PublishAndConsume {
    static final int ATTEMPTS = 5;
    static final String GATEWAY_URL = env("GATEWAY_URL", "http://127.0.0.1:8080");
    static final String STREAM_PATH = "/v1/streams/" + encode(env("STREAM", "example-java"));
    static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    public static void main(String[] args) throws Exception {
        // Creating a stream that exists is not an error.
        call("PUT", STREAM_PATH, "application/json", "{}");
        publishOrders(10);
        consume("billing");
    }

    /**
     * Numbers orders from the last stored one on. The number is the publishing id, so the request may be repeated: a
     * message that the broker has already is counted as a duplicate and not stored again.
     */
    static void publishOrders(int count) throws Exception {
        long first = number("lastPublishingId", call("GET", STREAM_PATH + "/publishers/shop").body()) + 1;
        String lines = LongStream.range(first, first + count)
            .mapToObj(order -> "order " + order + "\n")
            .collect(Collectors.joining());
        String path = STREAM_PATH + "/messages/lines?publisher=shop&firstPublishingId=" + first;
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            HttpResponse<String> answer = call("POST", path, "text/plain", lines);
            System.out.println(answer.body());
            if (answer.statusCode() == 200) return;
            // 207: some messages failed, or their outcome is unknown. Sending the same ids again completes the request.
            Thread.sleep(1000);
        }
        throw new IOException("not everything could be published");
    }

    /**
     * Handles every message from where the consumer stopped last time up to the end of the stream. The offset of a
     * batch is stored when all of the batch is handled. If this program dies before, the batch comes again. A service
     * would add a wait to the query and never leave the loop.
     *
     * Started twice under one name, two programs handle the same messages until one of them is behind: its commit is
     * refused (409), and it goes on where the other one is.
     */
    static void consume(String consumer) throws Exception {
        String offsetPath = STREAM_PATH + "/consumers/" + encode(consumer) + "/offset";
        HttpResponse<String> stored = call("GET", offsetPath);
        // 404: no offset is stored under this name.
        String position = stored.statusCode() == 404 ? "first" : String.valueOf(number("nextOffset", stored.body()));
        for (boolean isAtEnd = false; !isAtEnd; ) {
            HttpResponse<String> batch = call("GET", STREAM_PATH + "/messages/lines?limit=4&offset=" + position);
            if (batch.statusCode() != 200) throw new IOException(batch.statusCode() + " " + batch.body());
            batch.body().lines().forEach(line -> System.out.println("got " + line));
            long nextOffset = batch.headers().firstValueAsLong("stream-next-offset").orElseThrow();
            isAtEnd = batch.headers().firstValue("stream-end-of-stream").orElseThrow().equals("true");
            position = String.valueOf(nextOffset);
            // Stores the last offset that is handled. It is written into the stream, so only when there is a new one.
            if (batch.body().isEmpty()) continue;
            String commit = "{\"offset\":" + (nextOffset - 1) + "}";
            if (call("PUT", offsetPath, "application/json", commit).statusCode() == 409) {
                System.out.println("another program of this name is ahead: continuing where it is");
                position = String.valueOf(number("nextOffset", call("GET", offsetPath).body()));
                isAtEnd = false;
            }
        }
        System.out.println("end of stream");
    }

    static HttpResponse<String> call(String method, String path) throws Exception {
        return call(method, path, "application/json", "");
    }

    /**
     * Sends a request, and sends it again a few times when that can help. Every request of this program may happen
     * twice. A request that may not must not be sent again after a 504, or after a 503 whose sideEffects is not "none".
     *
     * 503: waits for the time in Retry-After. 504: the outcome is unknown, and sending the request again settles it.
     */
    static HttpResponse<String> call(String method, String path, String contentType, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(GATEWAY_URL + path))
            .method(method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body))
            .header("content-type", contentType)
            .timeout(Duration.ofSeconds(90))
            .build();
        for (int attempt = 1; ; attempt++) {
            long pauseSeconds = 1;
            String why;
            try {
                HttpResponse<String> response = CLIENT.send(request, BodyHandlers.ofString());
                int status = response.statusCode();
                boolean mayPass = status == 429 || status >= 502 && status <= 504;
                if (status < 300 || status == 404 || status == 409) return response;
                why = status + " " + response.body();
                if (!mayPass || attempt == ATTEMPTS) throw new IllegalStateException(why);
                pauseSeconds = response.headers().firstValueAsLong("retry-after").orElse(1);
            } catch (IOException error) {
                // There is no answer: the connection was refused or broken.
                if (attempt == ATTEMPTS) throw error;
                why = error.toString();
            }
            System.out.printf("trying again in %d s (%d of %d): %s%n", pauseSeconds, attempt, ATTEMPTS, why);
            Thread.sleep(pauseSeconds * 1000);
        }
    }

    static long number(String name, String json) {
        Matcher matcher = Pattern.compile("\"" + name + "\":(\\d+)").matcher(json);
        if (!matcher.find()) throw new IllegalStateException("no " + name + " in " + json);
        return Long.parseLong(matcher.group(1));
    }

    static String encode(String name) {
        return URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20");
    }

    static String env(String name, String fallback) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? fallback : value;
    }
}
