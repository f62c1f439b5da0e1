// A producer of Interlock: sends CloudEvents with Temporal's own SDK, by signal-with-start.
//
// Exit code 0: all events are accepted; 1: not all, or it is not known, and sending them again is safe; 2: wrong usage.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"
)

const usage = `usage: producer send [OPTIONS] FILE|-    sends one event, or one on each line; prints the ids of their orders
       producer vectors FILE             compares the id functions with Interlock's golden vectors
`

const again = "sending the same events again is safe"

func main() {
	arguments := append(os.Args[1:], "", "")
	switch {
	case arguments[0] == "send":
		os.Exit(sendAll(arguments[1 : len(arguments)-2]))
	case arguments[0] == "vectors" && len(os.Args) == 3:
		if err := checkVectors(arguments[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
}

// sendAll sends the events of a file, and returns the exit code.
func sendAll(arguments []string) int {
	flags := flag.NewFlagSet("send", flag.ExitOnError) // exits with 2
	address := flags.String("address", "", "host:port (default TEMPORAL_ADDRESS, else 127.0.0.1:7233)")
	namespace := flags.String("namespace", "", "(default TEMPORAL_NAMESPACE, else default)")
	var to destination
	flags.StringVar(&to.tenant, "tenant", "default", "")
	flags.StringVar(&to.plan, "plan", "free", "the tenant's plan: free, pro, enterprise")
	flags.Uint64Var(&to.shards, "shards", 16, "shards of the installation; 1 in dev")
	flags.Uint64Var(&to.spread, "spread", 1, "shards that the tenant is spread over")
	flags.StringVar(&to.prefix, "prefix", "interlock", "first part of the task queues")
	retryFor := flags.Float64("retry-for", 30, "seconds, for each event")
	_ = flags.Parse(arguments)
	if flags.NArg() != 1 || to.shards < 1 || to.spread < 1 || fairnessWeights[to.plan] == 0 {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	events, err := to.eventsOf(flags.Arg(0))
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v. Nothing was sent.\n", err)
		return 2
	}
	temporalClient, err := connect(*address, *namespace)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer temporalClient.Close()
	for number, event := range events {
		err := to.send(context.Background(), temporalClient, event, time.Duration(*retryFor*float64(time.Second)))
		if err != nil {
			name := fmt.Sprintf("event %d (id %q, source %q)", number+1, event.id, event.source)
			if errors.Is(err, errUnknown) {
				fmt.Fprintf(os.Stderr, "%s: %v; %s\n", name, err, again)
			} else {
				fmt.Fprintf(os.Stderr, "%s: Temporal refused it: %v; %s\n", name, err, again)
			}
			return 1
		}
		fmt.Println(strings.Join(event.orderIDs(to.tenant), "\n"))
	}
	return 0
}

// eventsOf reads the events of a file, and checks that each can be sent.
func (d destination) eventsOf(file string) ([]event, error) {
	input := os.Stdin
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		input = opened
	}
	text, err := io.ReadAll(input)
	if err != nil {
		return nil, err
	}
	events, err := readEvents(text)
	for _, event := range events {
		if err == nil {
			_, err = customerWorkflowID(d.tenant, event.subject)
		}
	}
	return events, err
}

// connect takes address, namespace, TLS and API key from TEMPORAL_* and temporal.toml, as Temporal's own CLI does. It connects at the
// first call.
func connect(address, namespace string) (client.Client, error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, err
	}
	options.HostPort = cmp.Or(address, options.HostPort, "127.0.0.1:7233")
	options.Namespace = cmp.Or(namespace, options.Namespace, "default")
	options.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	return client.NewLazyClient(options)
}
