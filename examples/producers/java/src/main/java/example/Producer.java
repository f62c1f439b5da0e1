package example;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowClientOptions;
import io.temporal.envconfig.ClientConfigProfile;
import io.temporal.serviceclient.RpcRetryOptions;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A producer of Interlock: sends CloudEvents with Temporal's own SDK, by signal-with-start.
 *
 * <p>Exit code 0: all events are accepted; 1: not all, or it is not known, and sending them again is safe; 2: wrong usage.
 */
public final class Producer {
  private static final int EVENT_BYTES_MAX = 16 * 1024;
  private static final String AGAIN = "sending the same events again is safe";
  private static final List<String> ATTRIBUTES = List.of("id", "source", "type", "subject");
  private static final Set<String> OPTIONS =
      Set.of("--address", "--namespace", "--tenant", "--plan", "--shards", "--spread", "--prefix", "--retry-for");
  private static final String USAGE =
      """
      usage: producer send [OPTIONS] FILE|-    sends one event, or one on each line; prints the ids of their orders
             producer vectors FILE             compares the id functions with Interlock's golden vectors

      options of send:
        --address HOST:PORT    [default: TEMPORAL_ADDRESS, else 127.0.0.1:7233]
        --namespace NAMESPACE  [default: TEMPORAL_NAMESPACE, else default]
        --tenant TENANT        [default: default]
        --plan PLAN            free, pro or enterprise [default: free]
        --shards NUMBER        shards of the installation; 1 in dev [default: 16]
        --spread NUMBER        shards that the tenant is spread over [default: 1]
        --prefix PREFIX        first part of the task queues [default: interlock]
        --retry-for SECONDS    for each event [default: 30]
      """;
  // Numbers keep all their digits.
  private static final ObjectMapper JSON =
      new ObjectMapper()
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  private Producer() {}

  /** Wrong usage: the exit code is 2. */
  private static final class Wrong extends RuntimeException {
    Wrong(String message) {
      super(message);
    }
  }

  public static void main(String[] arguments) throws Exception {
    System.exit(run(List.of(arguments)));
  }

  private static int run(List<String> arguments) throws Exception {
    if (arguments.size() == 2 && arguments.get(0).equals("vectors")) {
      return Vectors.check(Path.of(arguments.get(1)));
    }
    if (arguments.isEmpty() || !arguments.get(0).equals("send")) {
      System.err.print(USAGE);
      return 2;
    }
    try {
      return sendAll(arguments.subList(1, arguments.size()));
    } catch (Wrong | Ids.BadId | IOException error) {
      System.err.println(error.getMessage() + ". Nothing was sent.");
      return 2;
    }
  }

  private static int sendAll(List<String> arguments) throws IOException, InterruptedException {
    Map<String, String> options = new HashMap<>();
    String file = readOptions(arguments, options);
    Sender.Destination to =
        new Sender.Destination(
            options.getOrDefault("--tenant", "default"),
            options.getOrDefault("--plan", "free"),
            options.getOrDefault("--prefix", "interlock"),
            positive(options.getOrDefault("--shards", "16")),
            positive(options.getOrDefault("--spread", "1")));
    Duration retryFor = seconds(options.getOrDefault("--retry-for", "30"));
    if (!Ids.FAIRNESS_WEIGHTS.containsKey(to.plan())) {
      throw new Wrong("invalid plan \"" + to.plan() + "\": expected free, pro or enterprise");
    }
    byte[] bytes = file.equals("-") ? System.in.readAllBytes() : Files.readAllBytes(Path.of(file));
    List<JsonNode> events = readEvents(UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
    for (JsonNode event : events) {
      // They throw if an id cannot be sent.
      Ids.workflowId(to.tenant(), event.get("subject").textValue());
      Sender.orderIds(to.tenant(), event);
    }
    WorkflowClient client = connect(options, retryFor);
    try {
      return sendEach(new Sender(client, to), to.tenant(), events, retryFor);
    } finally {
      client.getWorkflowServiceStubs().shutdownNow();
    }
  }

  private static int sendEach(Sender sender, String tenant, List<JsonNode> events, Duration retryFor)
      throws InterruptedException {
    for (int i = 0; i < events.size(); i++) {
      JsonNode event = events.get(i);
      String name = "event %d (id %s, source %s)".formatted(i + 1, event.get("id"), event.get("source"));
      try {
        sender.send(event, retryFor);
      } catch (Sender.OutcomeUnknown error) {
        System.err.printf("%s: not known whether it was accepted; %s: %s%n", name, AGAIN, error.getCause().getMessage());
        return 1;
      } catch (RuntimeException error) {
        System.err.printf("%s: Temporal refused it; %s: %s%n", name, AGAIN, Sender.statusOf(error).getMessage());
        return 1;
      }
      Sender.orderIds(tenant, event).forEach(System.out::println);
    }
    return 0;
  }

  /** Address, namespace, TLS and API key: from TEMPORAL_* and temporal.toml, as in Temporal's own CLI. Connects at the first call. */
  private static WorkflowClient connect(Map<String, String> options, Duration retryFor) throws IOException {
    ClientConfigProfile profile = ClientConfigProfile.load();
    WorkflowServiceStubsOptions.Builder service = WorkflowServiceStubsOptions.newBuilder(profile.toWorkflowServiceStubsOptions());
    if (options.containsKey("--address")) {
      service.setTarget(options.get("--address"));
    }
    Duration attempt = retryFor.compareTo(Sender.ATTEMPT_MAX) < 0 ? retryFor : Sender.ATTEMPT_MAX;
    // The sender itself sends again.
    service.setRpcTimeout(attempt).setRpcRetryOptions(RpcRetryOptions.newBuilder().setMaximumAttempts(1).validateBuildWithDefaults());
    WorkflowClientOptions.Builder client = WorkflowClientOptions.newBuilder(profile.toWorkflowClientOptions());
    if (options.containsKey("--namespace")) {
      client.setNamespace(options.get("--namespace"));
    }
    return WorkflowClient.newInstance(WorkflowServiceStubs.newServiceStubs(service.build()), client.build());
  }

  /** One event, which may take several lines, or one on each line. */
  private static List<JsonNode> readEvents(String text) {
    try {
      return List.of(checked(1, JSON.readTree(text)));
    } catch (JsonProcessingException notOne) {
      // One on each line, then.
    }
    List<JsonNode> events = new ArrayList<>();
    String[] lines = text.split("\n");
    for (int i = 0; i < lines.length; i++) {
      if (!lines[i].isBlank()) {
        try {
          events.add(checked(events.size() + 1, JSON.readTree(lines[i])));
        } catch (JsonProcessingException error) {
          throw new Wrong("line " + (i + 1) + " is not JSON: " + error.getOriginalMessage());
        }
      }
    }
    return events;
  }

  private static JsonNode checked(int number, JsonNode event) throws JsonProcessingException {
    if (!(event instanceof ObjectNode attributes) || !ATTRIBUTES.stream().allMatch(name -> event.path(name).isTextual())) {
      String expected = "expected an object with the texts " + String.join(", ", ATTRIBUTES);
      throw new Wrong("event " + number + " is not a CloudEvent: " + expected);
    }
    if (!event.has("acceptedat")) {
      // When this producer took the event. It stays the same in every attempt, and saves Interlock a look at the clock.
      attributes.put("acceptedat", Instant.now().truncatedTo(ChronoUnit.MILLIS).toString());
    }
    int size = JSON.writeValueAsBytes(event).length;
    if (size > EVENT_BYTES_MAX) {
      throw new Wrong("event " + number + " has " + size + " bytes, expected at most " + EVENT_BYTES_MAX);
    }
    return event;
  }

  /** Reads the options into the map, and returns the file. */
  private static String readOptions(List<String> arguments, Map<String, String> options) {
    int next = 0;
    while (next + 2 < arguments.size() && OPTIONS.contains(arguments.get(next))) {
      options.put(arguments.get(next), arguments.get(next + 1));
      next += 2;
    }
    if (next != arguments.size() - 1 || arguments.get(next).startsWith("--")) {
      throw new Wrong("wrong usage\n" + USAGE);
    }
    return arguments.get(next);
  }

  private static int positive(String text) {
    if (!text.matches("[1-9][0-9]{0,8}")) {
      throw new Wrong("invalid number \"" + text + "\": expected 1 or more");
    }
    return Integer.parseInt(text);
  }

  private static Duration seconds(String text) {
    if (!text.matches("[0-9]{1,6}([.][0-9]{1,3})?")) {
      throw new Wrong("invalid time \"" + text + "\": expected seconds");
    }
    return Duration.ofMillis((long) (Double.parseDouble(text) * 1000));
  }
}
