package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// The ids of Interlock's wire contract: all that a producer computes before it sends an event.

const (
	idBytesMax     = 250
	tenantBytesMax = 64
)

// fairnessWeights are by the tenant's plan.
var fairnessWeights = map[string]float32{"free": 1, "pro": 3, "enterprise": 10}

// encode makes one part of a workflow id: every byte of the UTF-8 is percent-encoded, except A-Za-z0-9._-
func encode(text string) string {
	var encoded strings.Builder
	for i := range len(text) {
		b := text[i]
		switch {
		case 'A' <= b && b <= 'Z', 'a' <= b && b <= 'z', '0' <= b && b <= '9', strings.IndexByte("._-", b) >= 0:
			encoded.WriteByte(b)
		default:
			fmt.Fprintf(&encoded, "%%%02X", b)
		}
	}
	return encoded.String()
}

// part is like encode, for a text that must be an id. The limit counts bytes of the encoded form.
func part(what, text string, bytesMax int) (string, error) {
	encoded := encode(text)
	switch {
	case !utf8.ValidString(text):
		return "", fmt.Errorf("invalid %s %q: it is not valid UTF-8", what, text)
	case len(encoded) < 1 || len(encoded) > bytesMax:
		const format = "invalid %s %q: it has %d bytes percent-encoded, expected 1 to %d"
		return "", fmt.Errorf(format, what, text, len(encoded), bytesMax)
	case encoded == "." || encoded == "..":
		return "", fmt.Errorf(`invalid %s %q: "." and ".." are not ids`, what, text)
	}
	return encoded, nil
}

// customerWorkflowID is the id of the workflow of a customer.
func customerWorkflowID(tenant, customer string) (string, error) {
	t, err := part("tenant", tenant, tenantBytesMax)
	if err != nil {
		return "", err
	}
	c, err := part("customer", customer, idBytesMax)
	if err != nil {
		return "", err
	}
	return t + "/customer/" + c, nil
}

func firstFourBytes(text string) uint64 {
	hash := sha256.Sum256([]byte(text))
	return uint64(binary.BigEndian.Uint32(hash[:4]))
}

// shardOf is the shard of an entity, of a tenant that is spread over spread of the shards.
func shardOf(tenant, workflowID string, shards, spread uint64) uint64 {
	return (firstFourBytes(tenant)%shards + firstFourBytes(workflowID)%spread) % shards
}

func taskQueue(prefix, kind string, shard uint64) string {
	return fmt.Sprintf("%s.%s.%02d", prefix, kind, shard)
}

// orderID is the id of the order that an event makes. role is "to" for the receiving customer of number.moved, else "".
func orderID(tenant, customer, source, eventID, role string) string {
	name := "interlock:order:" + encode(tenant) + "/" + encode(source) + "/" + encode(eventID)
	if role != "" {
		name += "/" + encode(role)
	}
	return customer + "~" + uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)).String()
}

// hiddenID takes the place of a resource's id in its workflow id if the installation has an INTERLOCK_ID_KEY.
func hiddenID(idKey, resource string) string {
	mac := hmac.New(sha256.New, []byte(idKey))
	mac.Write([]byte(resource))
	return hex.EncodeToString(mac.Sum(nil))
}
