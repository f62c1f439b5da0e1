package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// goldenVectors is what a producer needs of coordinator/domain/vectors.json.
type goldenVectors struct {
	Encodings   []struct{ Text, Encoded string }
	RejectedIDs []struct {
		Text     string
		IsTenant *bool `json:"is_tenant"`
	} `json:"rejected_ids"`
	WorkflowIDs []struct {
		Tenant, Customer string
		Realm, Kind, ID  string
		WorkflowID       string `json:"workflow_id"`
	} `json:"workflow_ids"`
	OrderIDs []struct {
		Tenant, Customer, Source, Role string
		EventID                        string `json:"event_id"`
		OrderID                        string `json:"order_id"`
	} `json:"order_ids"`
	Shards []struct {
		Tenant       string            `json:"tenant_or_realm"`
		ShardByCount map[string]uint64 `json:"shard_by_count"`
	}
	SpreadShards []struct {
		Tenant     string `json:"tenant_or_realm"`
		WorkflowID string `json:"workflow_id"`
		ShardCount uint64 `json:"shard_count"`
		Spread     uint64
		Shard      uint64
	} `json:"spread_shards"`
	Queues []struct {
		Tenant     string `json:"tenant_or_realm"`
		ShardCount uint64 `json:"shard_count"`
		Kind       string
		Queue      string
	}
	HiddenIDs []struct {
		IDKey      string `json:"id_key"`
		ID, Hidden string
	} `json:"hidden_ids"`
	FairnessWeights []struct {
		Plan   string
		Weight float32
	} `json:"fairness_weights"`
}

// comparison counts what agrees, and keeps the first difference.
type comparison struct {
	counts     []string
	difference string
}

// section begins with the next line; it is complete when the function has compared its vectors.
func (c *comparison) section(name string, compare func(equal func(said, expected any))) {
	count := 0
	compare(func(said, expected any) {
		count++
		if said != expected && c.difference == "" {
			c.difference = fmt.Sprintf("%s: %v, expected %v", name, said, expected)
		}
	})
	c.counts = append(c.counts, fmt.Sprintf("%s %d", name, count))
}

// checkVectors compares the functions of ids.go with the file, and prints how many of each section agree.
func checkVectors(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var vectors goldenVectors
	if err := json.Unmarshal(text, &vectors); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var c comparison
	compareIDs(&c, &vectors)
	compareRouting(&c, &vectors)
	if c.difference != "" {
		return fmt.Errorf("%s", c.difference)
	}
	fmt.Println(strings.Join(c.counts, ", ") + ": all as expected")
	return nil
}

func compareIDs(c *comparison, vectors *goldenVectors) {
	c.section("encodings", func(equal func(said, expected any)) {
		for _, v := range vectors.Encodings {
			said, _ := part("text", v.Text, idBytesMax)
			equal(said, v.Encoded)
		}
	})
	c.section("rejected ids", func(equal func(said, expected any)) {
		for _, v := range vectors.RejectedIDs {
			bytesMax := idBytesMax
			if v.IsTenant != nil {
				bytesMax = tenantBytesMax
			}
			_, err := part("text", v.Text, bytesMax)
			equal(err != nil, true)
		}
	})
	c.section("workflow ids", func(equal func(said, expected any)) {
		for _, v := range vectors.WorkflowIDs {
			said := encode(v.Realm) + "/resource/" + encode(v.Kind) + "/" + encode(v.ID)
			if v.Customer != "" {
				said, _ = customerWorkflowID(v.Tenant, v.Customer)
			}
			equal(said, v.WorkflowID)
		}
	})
	c.section("order ids", func(equal func(said, expected any)) {
		for _, v := range vectors.OrderIDs {
			equal(orderID(v.Tenant, v.Customer, v.Source, v.EventID, v.Role), v.OrderID)
		}
	})
}

func compareRouting(c *comparison, vectors *goldenVectors) {
	c.section("shards", func(equal func(said, expected any)) {
		for _, v := range vectors.Shards {
			for text, expected := range v.ShardByCount {
				count, _ := strconv.ParseUint(text, 10, 64)
				equal(shardOf(v.Tenant, "", count, 1), expected)
			}
		}
	})
	c.section("spread shards", func(equal func(said, expected any)) {
		for _, v := range vectors.SpreadShards {
			equal(shardOf(v.Tenant, v.WorkflowID, v.ShardCount, v.Spread), v.Shard)
		}
	})
	c.section("queues", func(equal func(said, expected any)) {
		for _, v := range vectors.Queues {
			if v.Kind != "" {
				equal(taskQueue("interlock", v.Kind, shardOf(v.Tenant, "", v.ShardCount, 1)), v.Queue)
			}
		}
	})
	c.section("hidden ids", func(equal func(said, expected any)) {
		for _, v := range vectors.HiddenIDs {
			equal(hiddenID(v.IDKey, v.ID), v.Hidden)
		}
	})
	c.section("weights", func(equal func(said, expected any)) {
		for _, v := range vectors.FairnessWeights {
			equal(fairnessWeights[v.Plan], v.Weight)
		}
	})
}
