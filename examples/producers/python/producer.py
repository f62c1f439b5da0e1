"""A producer of Interlock: sends CloudEvents with Temporal's own SDK, by signal-with-start.

Exit code 0: all events are accepted; 1: not all, or it is not known, and sending them again is safe; 2: wrong usage.
"""

import argparse
import asyncio
import json
import os
import random
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NoReturn

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

import ids
import vectors

EVENT_BYTES_MAX = 16 * 1024
ATTEMPT_S_MAX = 10.0
PAUSE_S_MIN, PAUSE_S_MAX = 0.1, 5.0
AGAIN = "sending the same events again is safe"
# After these, the event may have been accepted or not. Interlock recognises it by its source and id, so it can be sent again.
WILL_PASS = {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED}


class BadEvent(ValueError):
    """Text that is not an event that can be sent."""


def read_events(text: str) -> list[dict]:
    """One event, which may take several lines, or one on each line."""
    try:
        events = [json.loads(text)]
    except ValueError:
        events = [read_line(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    for number, event in enumerate(events, 1):
        check(number, event)
    return events


def read_line(number: int, line: str) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        raise BadEvent(f"line {number} is not JSON: {error}") from error


def check(number: int, event: object) -> None:
    attributes = ["id", "source", "type", "subject"]
    if not isinstance(event, dict) or any(not isinstance(event.get(name), str) for name in attributes):
        raise BadEvent(f"event {number} is not a CloudEvent: expected an object with the texts {', '.join(attributes)}")
    # When this producer took the event. It stays the same in every attempt, and saves Interlock a look at the clock.
    event.setdefault("acceptedat", datetime.now(timezone.utc).isoformat(timespec="milliseconds"))
    size = len(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))
    if size > EVENT_BYTES_MAX:
        raise BadEvent(f"event {number} has {size} bytes, expected at most {EVENT_BYTES_MAX}")


def order_ids(tenant: str, event: dict) -> list[str]:
    """The orders that an event makes: one, or two if a number moves from one customer to another."""
    orders = [ids.order_id(tenant, event["subject"], event["source"], event["id"])]
    data = event.get("data")
    if event["type"] == "number.moved" and isinstance(data, dict) and isinstance(data.get("to"), dict):
        receiving = data["to"].get("customer_id")
        if isinstance(receiving, str):
            orders.append(ids.order_id(tenant, receiving, event["source"], event["id"], "to"))
    return orders


async def signal_with_start(client: Client, arguments: argparse.Namespace, event: dict) -> None:
    """Starts the customer's entity if it does not run, and signals the event to it. Durable when it returns."""
    tenant, customer = arguments.tenant, event["subject"]
    workflow_id = ids.workflow_id(tenant, customer)
    shard = ids.shard(tenant, workflow_id, arguments.shards, arguments.spread)
    await client.start_workflow(
        "CustomerEntity",
        {"tenant_id": tenant, "entity_id": customer},
        id=workflow_id,
        task_queue=ids.task_queue(arguments.prefix, "entity", shard),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        priority=Priority(fairness_key=tenant, fairness_weight=ids.FAIRNESS_WEIGHTS[arguments.plan]),
        start_signal="submit",
        start_signal_args=[event],
        rpc_timeout=timedelta(seconds=ATTEMPT_S_MAX),
    )


async def send(client: Client, arguments: argparse.Namespace, event: dict) -> None:
    """Sends one event, again and again while it is not known whether it was accepted, for at most --retry-for seconds."""
    clock = asyncio.get_running_loop().time
    deadline, pause = clock() + arguments.retry_for, PAUSE_S_MIN
    while True:
        try:
            return await signal_with_start(client, arguments, event)
        except (RPCError, RuntimeError) as error:
            # The SDK connects at the first call, and raises RuntimeError if there is no server.
            if isinstance(error, RPCError) and error.status not in WILL_PASS:
                raise
            jitter = random.uniform(pause / 2, pause)
            if clock() + jitter >= deadline:
                raise TimeoutError(str(error)) from error
        await asyncio.sleep(jitter)
        pause = min(pause * 2, PAUSE_S_MAX)


async def send_all(arguments: argparse.Namespace) -> int:
    try:
        text = sys.stdin.buffer.read() if arguments.file == "-" else Path(arguments.file).read_bytes()
        events = read_events(text.decode())
        for event in events:
            # Raise on an id that cannot be sent.
            ids.workflow_id(arguments.tenant, event["subject"])
            order_ids(arguments.tenant, event)
    except (OSError, ValueError) as error:
        print(f"{error}. Nothing was sent.", file=sys.stderr)
        return 2
    # Address, namespace, TLS and API key: from TEMPORAL_* and temporal.toml, as in Temporal's own CLI.
    config = ClientConfig.load_client_connect_config()
    config["target_host"] = arguments.address or config.get("target_host", "127.0.0.1:7233")
    config["namespace"] = arguments.namespace or config.get("namespace", "default")
    client = await Client.connect(**config, lazy=True)
    for number, event in enumerate(events, 1):
        name = f"event {number} (id {event['id']!r}, source {event['source']!r})"
        try:
            await send(client, arguments, event)
        except TimeoutError as error:
            print(f"{name}: not known whether it was accepted; {AGAIN}: {error}", file=sys.stderr)
            return 1
        except RPCError as error:
            print(f"{name}: Temporal refused it; {AGAIN}: {error.status.name}: {error}", file=sys.stderr)
            return 1
        print("\n".join(order_ids(arguments.tenant, event)), flush=True)
    return 0


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    sending = commands.add_parser("send", help="send one event, or one on each line; prints the ids of their orders")
    sending.add_argument("--address", help="host:port [default: TEMPORAL_ADDRESS, else 127.0.0.1:7233]")
    sending.add_argument("--namespace", help="[default: TEMPORAL_NAMESPACE, else default]")
    sending.add_argument("--tenant", default="default")
    sending.add_argument("--plan", default="free", choices=ids.FAIRNESS_WEIGHTS, help="the tenant's plan")
    sending.add_argument("--shards", type=positive, default=16, help="shards of the installation; 1 in dev")
    sending.add_argument("--spread", type=positive, default=1, help="shards that the tenant is spread over")
    sending.add_argument("--prefix", default="interlock", help="first part of the task queues")
    sending.add_argument("--retry-for", type=float, default=30.0, metavar="SECONDS", help="for each event")
    sending.add_argument("file", metavar="FILE", help="or - for stdin")
    checking = commands.add_parser("vectors", help="compare the id functions with Interlock's golden vectors")
    checking.add_argument("file", metavar="FILE", type=Path)
    return parser.parse_args()


def leave(code: int) -> NoReturn:
    """Ends the process without tearing down the interpreter.

    The SDK's own threads may still release Python objects then, which crashes the interpreter: temporalio/sdk-python#300.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    arguments = parse()
    leave(vectors.check(arguments.file) if arguments.command == "vectors" else asyncio.run(send_all(arguments)))
