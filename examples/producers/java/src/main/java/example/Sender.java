package example;

import com.fasterxml.jackson.databind.JsonNode;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.temporal.api.enums.v1.WorkflowIdConflictPolicy;
import io.temporal.api.enums.v1.WorkflowIdReusePolicy;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.common.Priority;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/** Sends events to the entities of their customers, by signal-with-start. */
final class Sender {
  static final Duration ATTEMPT_MAX = Duration.ofSeconds(10);

  private static final long PAUSE_MS_MIN = 100;
  private static final long PAUSE_MS_MAX = 5_000;

  /**
   * After these, the event may have been accepted or not. Interlock recognises it by its source and id, so it can be sent again.
   */
  private static final Set<Status.Code> WILL_PASS =
      Set.of(Status.Code.UNAVAILABLE, Status.Code.DEADLINE_EXCEEDED, Status.Code.RESOURCE_EXHAUSTED);

  /** Where the events of a tenant go. */
  record Destination(String tenant, String plan, String prefix, int shards, int spread) {}

  /** It is not known whether the event was accepted. */
  static final class OutcomeUnknown extends Exception {
    OutcomeUnknown(Throwable cause) {
      super(cause);
    }
  }

  private final WorkflowClient client;
  private final Destination to;

  Sender(WorkflowClient client, Destination to) {
    this.client = client;
    this.to = to;
  }

  /** The orders that an event makes: one, or two if a number moves from one customer to another. */
  static List<String> orderIds(String tenant, JsonNode event) {
    String source = event.get("source").textValue();
    String id = event.get("id").textValue();
    List<String> orders = new ArrayList<>();
    orders.add(Ids.orderId(tenant, event.get("subject").textValue(), source, id, null));
    JsonNode receiving = event.at("/data/to/customer_id");
    if (event.get("type").textValue().equals("number.moved") && receiving.isTextual()) {
      orders.add(Ids.orderId(tenant, receiving.textValue(), source, id, "to"));
    }
    return orders;
  }

  /** Sends one event, again and again while it is not known whether it was accepted, for at most this long. */
  void send(JsonNode event, Duration retryFor) throws OutcomeUnknown, InterruptedException {
    long deadline = System.nanoTime() + retryFor.toNanos();
    for (long pause = PAUSE_MS_MIN; ; pause = Math.min(pause * 2, PAUSE_MS_MAX)) {
      try {
        signalWithStart(event);
        return;
      } catch (RuntimeException error) {
        if (!WILL_PASS.contains(Status.fromThrowable(error).getCode())) {
          throw error;
        }
        long jitter = ThreadLocalRandom.current().nextLong(pause / 2, pause);
        if (System.nanoTime() + Duration.ofMillis(jitter).toNanos() >= deadline) {
          throw new OutcomeUnknown(statusOf(error));
        }
        Thread.sleep(jitter);
      }
    }
  }

  /** Starts the customer's entity if it does not run, and signals the event to it. Durable when it returns. */
  private void signalWithStart(JsonNode event) {
    String customer = event.get("subject").textValue();
    String workflowId = Ids.workflowId(to.tenant, customer);
    Priority priority =
        Priority.newBuilder().setFairnessKey(to.tenant).setFairnessWeight(Ids.FAIRNESS_WEIGHTS.get(to.plan)).build();
    WorkflowOptions options =
        WorkflowOptions.newBuilder()
            .setWorkflowId(workflowId)
            .setTaskQueue(Ids.taskQueue(to.prefix, "entity", Ids.shard(to.tenant, workflowId, to.shards, to.spread)))
            .setWorkflowIdConflictPolicy(WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING)
            .setWorkflowIdReusePolicy(WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
            .setPriority(priority)
            .build();
    WorkflowStub entity = client.newUntypedWorkflowStub("CustomerEntity", options);
    Object start = Map.of("tenant_id", to.tenant, "entity_id", customer);
    entity.signalWithStart("submit", new Object[] {event}, new Object[] {start});
  }

  /** The error of gRPC that an error of the SDK wraps, or the error itself. */
  static Throwable statusOf(Throwable error) {
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      if (cause instanceof StatusRuntimeException) {
        return cause;
      }
    }
    return error;
  }
}
