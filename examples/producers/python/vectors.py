"""Compares the functions of ids.py with Interlock's golden vectors, coordinator/domain/vectors.json."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import ids


def rejected(text: str, bytes_max: int) -> bool:
    try:
        ids.part("text", text, bytes_max)
        return False
    except ids.BadId:
        return True


def workflow_id(v: dict) -> str:
    if "customer" in v:
        return ids.workflow_id(v["tenant"], v["customer"])
    return ids.resource_workflow_id(v["realm"], v["kind"], v["id"])


def comparisons(vectors: dict) -> Iterator[tuple[str, object, object]]:
    """Each section, with what ids.py says and what is expected."""
    for v in vectors["encodings"]:
        yield "encodings", ids.part("text", v["text"]), v["encoded"]
    for v in vectors["rejected_ids"]:
        bytes_max = ids.TENANT_BYTES_MAX if "is_tenant" in v else ids.ID_BYTES_MAX
        yield "rejected ids", rejected(v["text"], bytes_max), True
    for v in vectors["workflow_ids"]:
        yield "workflow ids", workflow_id(v), v["workflow_id"]
    for v in vectors["order_ids"]:
        said = ids.order_id(v["tenant"], v["customer"], v["source"], v["event_id"], v["role"])
        yield "order ids", said, v["order_id"]
    for v in vectors["shards"]:
        for count, expected in v["shard_by_count"].items():
            yield "shards", ids.shard(v["tenant_or_realm"], "", int(count)), expected
    for v in vectors["spread_shards"]:
        said = ids.shard(v["tenant_or_realm"], v["workflow_id"], v["shard_count"], v["spread"])
        yield "spread shards", said, v["shard"]
    for v in vectors["queues"]:
        if "kind" in v:
            shard = ids.shard(v["tenant_or_realm"], "", v["shard_count"])
            yield "queues", ids.task_queue("interlock", v["kind"], shard), v["queue"]
    for v in vectors["hidden_ids"]:
        yield "hidden ids", ids.hidden_id(v["id_key"], v["id"]), v["hidden"]
    for v in vectors["fairness_weights"]:
        yield "weights", ids.FAIRNESS_WEIGHTS[v["plan"]], v["weight"]


def check(file: Path) -> int:
    """Prints how many of each section agree. Exit code 1 if one differs."""
    counts: dict[str, int] = {}
    for section, said, expected in comparisons(json.loads(file.read_text(encoding="utf-8"))):
        if said != expected:
            print(f"{section}: {said!r}, expected {expected!r}", file=sys.stderr)
            return 1
        counts[section] = counts.get(section, 0) + 1
    print(", ".join(f"{section} {count}" for section, count in counts.items()) + ": all as expected")
    return 0
