package example;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.UUID;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** The ids of Interlock's wire contract: all that a producer computes before it sends an event. The JDK's own classes only. */
final class Ids {
  static final int ID_BYTES_MAX = 250;
  static final int TENANT_BYTES_MAX = 64;
  static final Map<String, Float> FAIRNESS_WEIGHTS = Map.of("free", 1f, "pro", 3f, "enterprise", 10f);

  private static final UUID NAMESPACE_URL = UUID.fromString("6ba7b811-9dad-11d1-80b4-00c04fd430c8");

  private Ids() {}

  /** A text that cannot be part of a workflow id. */
  static final class BadId extends IllegalArgumentException {
    BadId(String message) {
      super(message);
    }
  }

  /** One part of a workflow id: every byte of the UTF-8 is percent-encoded, except A-Za-z0-9._- */
  static String encode(String text) {
    ByteBuffer bytes;
    try {
      bytes = UTF_8.newEncoder().encode(CharBuffer.wrap(text));
    } catch (CharacterCodingException fault) {
      throw new BadId("invalid id: it is not valid Unicode");
    }
    StringBuilder encoded = new StringBuilder();
    while (bytes.hasRemaining()) {
      int b = bytes.get() & 0xff;
      boolean stays = b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || "._-".indexOf(b) >= 0;
      encoded.append(stays ? String.valueOf((char) b) : String.format("%%%02X", b));
    }
    return encoded.toString();
  }

  /** Like encode, for a text that must be an id. The limit counts bytes of the encoded form. */
  static String part(String what, String text, int bytesMax) {
    String encoded = encode(text);
    if (encoded.isEmpty() || encoded.length() > bytesMax) {
      String format = "invalid %s \"%s\": it has %d bytes percent-encoded, expected 1 to %d";
      throw new BadId(format.formatted(what, text, encoded.length(), bytesMax));
    }
    if (encoded.equals(".") || encoded.equals("..")) {
      throw new BadId("invalid %s \"%s\": \".\" and \"..\" are not ids".formatted(what, text));
    }
    return encoded;
  }

  static String workflowId(String tenant, String customer) {
    return part("tenant", tenant, TENANT_BYTES_MAX) + "/customer/" + part("customer", customer, ID_BYTES_MAX);
  }

  static String resourceWorkflowId(String realm, String kind, String resource) {
    String owner = part("realm", realm, TENANT_BYTES_MAX);
    return owner + "/resource/" + part("kind", kind, ID_BYTES_MAX) + "/" + part("resource", resource, ID_BYTES_MAX);
  }

  /** The shard of an entity, of a tenant that is spread over {@code spread} of the {@code shards} shards. */
  static long shard(String tenant, String workflowId, int shards, int spread) {
    return (firstFourBytes(tenant) % shards + firstFourBytes(workflowId) % spread) % shards;
  }

  private static long firstFourBytes(String text) {
    return Integer.toUnsignedLong(ByteBuffer.wrap(digest("SHA-256", text.getBytes(UTF_8))).getInt());
  }

  static String taskQueue(String prefix, String kind, long shard) {
    return "%s.%s.%02d".formatted(prefix, kind, shard);
  }

  /** The id of the order that an event makes. The role is "to" for the receiving customer of number.moved, else null. */
  static String orderId(String tenant, String customer, String source, String eventId, String role) {
    String name = "interlock:order:" + encode(tenant) + "/" + encode(source) + "/" + encode(eventId);
    return customer + "~" + uuid5(role == null ? name : name + "/" + encode(role));
  }

  /** A UUID of version 5 (RFC 9562) in the namespace for URLs. */
  private static UUID uuid5(String name) {
    byte[] text = name.getBytes(UTF_8);
    ByteBuffer hashed = ByteBuffer.allocate(16 + text.length);
    hashed.putLong(NAMESPACE_URL.getMostSignificantBits()).putLong(NAMESPACE_URL.getLeastSignificantBits()).put(text);
    ByteBuffer hash = ByteBuffer.wrap(digest("SHA-1", hashed.array()));
    long high = hash.getLong() & 0xffffffffffff0fffL | 0x5000L;
    long low = hash.getLong() & 0x3fffffffffffffffL | 0x8000000000000000L;
    return new UUID(high, low);
  }

  /** What takes the place of a resource's id in its workflow id if the installation has an INTERLOCK_ID_KEY. */
  static String hiddenId(String idKey, String resource) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(idKey.getBytes(UTF_8), "HmacSHA256"));
      return HexFormat.of().formatHex(mac.doFinal(resource.getBytes(UTF_8)));
    } catch (GeneralSecurityException fault) {
      throw new IllegalStateException(fault);
    }
  }

  private static byte[] digest(String algorithm, byte[] bytes) {
    try {
      return MessageDigest.getInstance(algorithm).digest(bytes);
    } catch (GeneralSecurityException fault) {
      throw new IllegalStateException(fault);
    }
  }
}
