package example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/** Compares the functions of {@link Ids} with Interlock's golden vectors, coordinator/domain/vectors.json. */
final class Vectors {
  private final JsonNode vectors;
  private final Map<String, Integer> counts = new LinkedHashMap<>();

  private Vectors(JsonNode vectors) {
    this.vectors = vectors;
  }

  /** Prints how many of each section agree. Exit code 1 if one differs. */
  static int check(Path file) throws IOException {
    Vectors check = new Vectors(new ObjectMapper().readTree(file.toFile()));
    try {
      check.ids();
      check.routing();
    } catch (IllegalStateException difference) {
      System.err.println(difference.getMessage());
      return 1;
    }
    String counted = check.counts.entrySet().stream().map(e -> e.getKey() + " " + e.getValue()).collect(Collectors.joining(", "));
    System.out.println(counted + ": all as expected");
    return 0;
  }

  private void equal(String section, Object said, Object expected) {
    if (!said.equals(expected)) {
      throw new IllegalStateException(section + ": " + said + ", expected " + expected);
    }
    counts.merge(section, 1, Integer::sum);
  }

  private void ids() {
    for (JsonNode v : vectors.get("encodings")) {
      equal("encodings", Ids.part("text", text(v, "text"), Ids.ID_BYTES_MAX), text(v, "encoded"));
    }
    for (JsonNode v : vectors.get("rejected_ids")) {
      int bytesMax = v.has("is_tenant") ? Ids.TENANT_BYTES_MAX : Ids.ID_BYTES_MAX;
      equal("rejected ids", isRejected(text(v, "text"), bytesMax), true);
    }
    for (JsonNode v : vectors.get("workflow_ids")) {
      String said =
          v.has("customer")
              ? Ids.workflowId(text(v, "tenant"), text(v, "customer"))
              : Ids.resourceWorkflowId(text(v, "realm"), text(v, "kind"), text(v, "id"));
      equal("workflow ids", said, text(v, "workflow_id"));
    }
    for (JsonNode v : vectors.get("order_ids")) {
      String said = Ids.orderId(text(v, "tenant"), text(v, "customer"), text(v, "source"), text(v, "event_id"), text(v, "role"));
      equal("order ids", said, text(v, "order_id"));
    }
  }

  private void routing() {
    for (JsonNode v : vectors.get("shards")) {
      for (Map.Entry<String, JsonNode> count : v.get("shard_by_count").properties()) {
        long said = Ids.shard(text(v, "tenant_or_realm"), "", Integer.parseInt(count.getKey()), 1);
        equal("shards", said, count.getValue().asLong());
      }
    }
    for (JsonNode v : vectors.get("spread_shards")) {
      int shards = v.get("shard_count").asInt();
      long said = Ids.shard(text(v, "tenant_or_realm"), text(v, "workflow_id"), shards, v.get("spread").asInt());
      equal("spread shards", said, v.get("shard").asLong());
    }
    for (JsonNode v : vectors.get("queues")) {
      if (v.has("kind")) {
        long shard = Ids.shard(text(v, "tenant_or_realm"), "", v.get("shard_count").asInt(), 1);
        equal("queues", Ids.taskQueue("interlock", text(v, "kind"), shard), text(v, "queue"));
      }
    }
    for (JsonNode v : vectors.get("hidden_ids")) {
      equal("hidden ids", Ids.hiddenId(text(v, "id_key"), text(v, "id")), text(v, "hidden"));
    }
    for (JsonNode v : vectors.get("fairness_weights")) {
      equal("weights", Ids.FAIRNESS_WEIGHTS.get(text(v, "plan")), v.get("weight").floatValue());
    }
  }

  /** A text, or null. */
  private static String text(JsonNode v, String name) {
    return v.get(name).textValue();
  }

  private static boolean isRejected(String text, int bytesMax) {
    try {
      Ids.part("text", text, bytesMax);
      return false;
    } catch (Ids.BadId rejected) {
      return true;
    }
  }
}
