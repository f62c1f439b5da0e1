"""The ids of Interlock's wire contract: all that a producer computes before it sends an event. Standard library only."""

import hashlib
import hmac
import uuid
from urllib.parse import quote

ID_BYTES_MAX = 250
TENANT_BYTES_MAX = 64
FAIRNESS_WEIGHTS = {"free": 1.0, "pro": 3.0, "enterprise": 10.0}


class BadId(ValueError):
    """A text that cannot be part of a workflow id."""


def encode(text: str) -> str:
    """One part of a workflow id: every byte of the UTF-8 is percent-encoded, except A-Za-z0-9._-"""
    try:
        return quote(text, safe="").replace("~", "%7E")
    except UnicodeEncodeError as error:
        raise BadId(f"invalid id {text!r}: it is not valid Unicode") from error


def part(what: str, text: str, bytes_max: int = ID_BYTES_MAX) -> str:
    """Like encode, for a text that must be an id. The limit counts bytes of the encoded form."""
    encoded = encode(text)
    if not 1 <= len(encoded) <= bytes_max:
        raise BadId(f'invalid {what} "{text}": it has {len(encoded)} bytes percent-encoded, expected 1 to {bytes_max}')
    if encoded in (".", ".."):
        raise BadId(f'invalid {what} "{text}": "." and ".." are not ids')
    return encoded


def tenant_part(tenant: str) -> str:
    return part("tenant", tenant, TENANT_BYTES_MAX)


def workflow_id(tenant: str, customer: str) -> str:
    return f"{tenant_part(tenant)}/customer/{part('customer', customer)}"


def resource_workflow_id(realm: str, kind: str, resource: str) -> str:
    return f"{part('realm', realm, TENANT_BYTES_MAX)}/resource/{part('kind', kind)}/{part('resource', resource)}"


def first_four_bytes(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def shard(tenant: str, workflow_id: str, shards: int, spread: int = 1) -> int:
    """The shard of an entity, of a tenant that is spread over `spread` of the `shards` shards."""
    return (first_four_bytes(tenant) % shards + first_four_bytes(workflow_id) % spread) % shards


def task_queue(prefix: str, kind: str, shard: int) -> str:
    return f"{prefix}.{kind}.{shard:02}"


def order_id(tenant: str, customer: str, source: str, event_id: str, role: str | None = None) -> str:
    """The id of the order that an event makes. `role` is "to" for the receiving customer of number.moved, else None."""
    parts = [tenant, source, event_id] + ([role] if role else [])
    name = "interlock:order:" + "/".join(encode(text) for text in parts)
    return f"{customer}~{uuid.uuid5(uuid.NAMESPACE_URL, name)}"


def hidden_id(id_key: str, resource: str) -> str:
    """What takes the place of a resource's id in its workflow id if the installation has an INTERLOCK_ID_KEY."""
    return hmac.new(id_key.encode(), resource.encode(), hashlib.sha256).hexdigest()
