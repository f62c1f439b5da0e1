package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
	"unicode/utf8"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

const (
	eventBytesMax = 16 * 1024
	attemptMax    = 10 * time.Second
	pauseMin      = 100 * time.Millisecond
	pauseMax      = 5 * time.Second
)

// An event is a CloudEvent: its attributes, each as the JSON that was read, so that no number is changed on the way.
type event struct {
	attributes                    map[string]json.RawMessage
	id, source, kind, subject     string
	receivingCustomer, acceptedAt string
}

// readEvents reads one event, which may take several lines, or one on each line.
func readEvents(text []byte) ([]event, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("the input is not UTF-8")
	}
	lines := [][]byte{text}
	if !json.Valid(text) {
		lines = bytes.Split(text, []byte("\n"))
	}
	var events []event
	for number, line := range lines {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if !json.Valid(line) {
			return nil, fmt.Errorf("line %d is not JSON", number+1)
		}
		event, err := readEvent(line)
		if err != nil {
			return nil, fmt.Errorf("event %d %w", len(events)+1, err)
		}
		events = append(events, event)
	}
	return events, nil
}

func readEvent(text []byte) (event, error) {
	var read event
	err := json.Unmarshal(text, &read.attributes)
	for name, value := range map[string]*string{
		"id": &read.id, "source": &read.source, "type": &read.kind, "subject": &read.subject,
	} {
		// "null" is read as no text.
		if err == nil && json.Unmarshal(read.attributes[name], &value) != nil || value == nil {
			err = errors.New(name)
		}
	}
	if err != nil {
		return event{}, errors.New("is not a CloudEvent: expected an object with the texts id, source, type, subject")
	}
	if _, has := read.attributes["acceptedat"]; !has {
		// When this producer took the event. It stays the same in every attempt, and saves Interlock a look at the clock.
		now, _ := json.Marshal(time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"))
		read.attributes["acceptedat"] = now
	}
	var moved struct {
		To struct {
			CustomerID string `json:"customer_id"`
		}
	}
	if read.kind == "number.moved" && json.Unmarshal(read.attributes["data"], &moved) == nil {
		read.receivingCustomer = moved.To.CustomerID
	}
	compact, err := json.Marshal(read.attributes)
	if err == nil && len(compact) > eventBytesMax {
		err = fmt.Errorf("has %d bytes, expected at most %d", len(compact), eventBytesMax)
	}
	return read, err
}

// orderIDs are those of the orders that an event makes: one, or two if a number moves from one customer to another.
func (e event) orderIDs(tenant string) []string {
	orders := []string{orderID(tenant, e.subject, e.source, e.id, "")}
	if e.receivingCustomer != "" {
		orders = append(orders, orderID(tenant, e.receivingCustomer, e.source, e.id, "to"))
	}
	return orders
}

// A destination is where the events of a tenant go.
type destination struct {
	tenant, plan, prefix string
	shards, spread       uint64
}

// signalWithStart starts the customer's entity if it does not run, and signals the event to it. Durable when it returns.
func (d destination) signalWithStart(ctx context.Context, temporalClient client.Client, e event) error {
	workflowID, err := customerWorkflowID(d.tenant, e.subject)
	if err != nil {
		return err
	}
	options := client.StartWorkflowOptions{
		TaskQueue:                taskQueue(d.prefix, "entity", shardOf(d.tenant, workflowID, d.shards, d.spread)),
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		Priority:                 temporal.Priority{FairnessKey: d.tenant, FairnessWeight: fairnessWeights[d.plan]},
	}
	start := map[string]string{"tenant_id": d.tenant, "entity_id": e.subject}
	_, err = temporalClient.SignalWithStartWorkflow(ctx, workflowID, "submit", e.attributes, options, "CustomerEntity", start)
	return err
}

// errUnknown is wrapped by an error after which the event may have been accepted or not.
var errUnknown = errors.New("not known whether it was accepted")

// send sends one event, again and again while it is not known whether it was accepted, for at most this long.
func (d destination) send(ctx context.Context, temporalClient client.Client, e event, retryFor time.Duration) error {
	deadline, pause := time.Now().Add(retryFor), pauseMin
	for {
		attempt, cancel := context.WithTimeout(ctx, min(attemptMax, max(time.Until(deadline), pauseMin)))
		err := d.signalWithStart(attempt, temporalClient, e)
		cancel()
		if err == nil || !willPass(err) {
			return err
		}
		jitter := pause/2 + rand.N(pause/2)
		if time.Now().Add(jitter).After(deadline) {
			return fmt.Errorf("%w: %w", errUnknown, err)
		}
		time.Sleep(jitter)
		pause = min(2*pause, pauseMax)
	}
}

// willPass tells whether to send the event again. Interlock recognises it by its source and id.
func willPass(err error) bool {
	var unavailable *serviceerror.Unavailable
	var exhausted *serviceerror.ResourceExhausted
	var late *serviceerror.DeadlineExceeded
	return errors.As(err, &unavailable) || errors.As(err, &exhausted) || errors.As(err, &late) ||
		errors.Is(err, context.DeadlineExceeded)
}
