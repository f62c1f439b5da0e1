"""Moves a number from A1 to A2, as a producer that knows only the wire contract.

It calls signal-with-start on the customers' entities and queries their state. Interlock does everything else.
Exit code 0: the hand-over happened; 1: it did not; 2: wrong usage.
"""

import argparse
import asyncio
import hashlib
import os
import sys
import uuid
from datetime import datetime, timezone
from typing import NoReturn
from urllib.parse import quote

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

LIMIT_S = 60.0


def part(raw: str) -> str:
    """One part of a workflow id: percent-encoded, except A-Za-z0-9._-"""
    return quote(raw, safe="").replace("~", "%7E")


def shard(tenant: str, count: int) -> int:
    return int.from_bytes(hashlib.sha256(tenant.encode()).digest()[:4], "big") % count


class Producer:
    def __init__(self, client: Client, arguments: argparse.Namespace) -> None:
        self.client = client
        self.tenant = arguments.tenant
        self.queue = f"{arguments.prefix}.entity.{shard(arguments.tenant, arguments.shards):02}"

    def workflow_id(self, customer: str) -> str:
        return f"{part(self.tenant)}/customer/{part(customer)}"

    async def submit(self, event_type: str, customer: str, data: dict) -> None:
        event = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": "/python",
            "type": event_type,
            "subject": customer,
            "data": data,
            # Optional: when the event was submitted. Its place in the order is then the same after any failure, and its
            # admission needs five history events fewer.
            "acceptedat": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        }
        await self.client.start_workflow(
            "CustomerEntity",
            {"tenant_id": self.tenant, "entity_id": customer},
            id=self.workflow_id(customer),
            task_queue=self.queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            priority=Priority(fairness_key=self.tenant, fairness_weight=1.0),
            start_signal="submit",
            start_signal_args=[event],
        )

    async def state(self, customer: str) -> dict:
        return await self.client.get_workflow_handle(self.workflow_id(customer)).query("state")

    async def until(self, what: str, customer: str, is_so) -> None:
        """Queries a customer's state until the condition holds. It pauses between the queries, since each costs the worker work."""
        deadline = asyncio.get_running_loop().time() + LIMIT_S
        while asyncio.get_running_loop().time() < deadline:
            try:
                if is_so(await self.state(customer)):
                    print(what, flush=True)
                    return
            except RPCError as error:
                print(f"no answer yet: {error}", file=sys.stderr)
            await asyncio.sleep(0.2)
        raise TimeoutError(f"not within {LIMIT_S:.0f} s: {what}")


def holds(resource: str):
    return lambda state: [lease["resource"] for lease in state["leases"]] == [resource]


def waits(state: dict) -> bool:
    waiting_for = [order["waiting_for"] for order in state["orders"]]
    return any(waiting is not None and waiting["waits_for"] == "lease" for waiting in waiting_for)


def is_done(count: int):
    return lambda state: not state["orders"] and sum(entry["what"] == "completed" for entry in state["journal"]) == count


async def hand_over(producer: Producer, arguments: argparse.Namespace) -> None:
    a1, a2, number = arguments.giving, arguments.receiving, arguments.number
    resource = f"msisdn/{number}"
    of_a1 = {"imsi": arguments.giving_imsi, "msisdn": f"+{number}"}
    of_a2 = {"imsi": arguments.receiving_imsi, "msisdn": number}
    await producer.submit("number.assigned", a1, of_a1)
    await producer.until(f"{a1} holds {resource}", a1, lambda state: holds(resource)(state) and is_done(1)(state))
    await producer.submit("number.assigned", a2, of_a2)
    await producer.until(f"{a2} waits for {resource}", a2, waits)
    await producer.submit("number.unassigned", a1, of_a1)
    await producer.until(f"{a2} holds {resource}", a2, lambda state: holds(resource)(state) and is_done(1)(state))
    await producer.until(f"{a1} holds nothing", a1, lambda state: not state["leases"] and is_done(2)(state))


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ["address", "tenant", "giving", "giving-imsi", "receiving", "receiving-imsi", "number"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--prefix", default="interlock")
    parser.add_argument("--shards", type=int, default=1)
    arguments = parser.parse_args()
    client = await Client.connect(arguments.address, namespace=arguments.namespace)
    try:
        await hand_over(Producer(client, arguments), arguments)
    except TimeoutError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def leave(code: int) -> NoReturn:
    """Ends the process without tearing down the interpreter.

    The SDK's own threads may still release Python objects then, which crashes the interpreter: temporalio/sdk-python#300.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(asyncio.run(main()))
