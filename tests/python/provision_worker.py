"""An adapter for one target, in Python: copy it, and change the class `Target`.

It is a Temporal worker that polls the queue of one target and runs the activity `provision`, as adapters/docs/provision.md
describes. Interlock's own workers do not poll that queue if interlock.toml has

    [targets.crm]
    adapter = "external"

    python3 -m pip install --require-hashes --only-binary :all: -r requirements.txt
    python3 provision_worker.py --address 127.0.0.1:7233 --target crm --base-url http://127.0.0.1:9000

It prints `serving QUEUE` when it is ready. On SIGTERM or SIGINT it finishes the calls in flight and stops.

The class `Target` knows the outside system. The one here accepts `POST /{operation}` with an `Idempotency-Key`, and answers to
`GET /operations/{key}` whether the operation took effect. The class `Attempt` knows the contract and is the same for every target.
"""

import argparse
import asyncio
import http.client
import json
import os
import random
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import NoReturn
from urllib.parse import quote, urlsplit

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import Worker

# The pause between the heartbeats of a call in flight. After 15 s without one, Interlock considers the worker dead.
HEARTBEAT_S = 5.0
# The longest wait within one attempt. The start-to-close time-out is attempt_timeout_ms plus 2 minutes. A retry does longer waits.
WAIT_MAX_MS = 90_000
# The pause before an attempt that does not need to wait.
MOMENT_MS = 50
# The largest difference allowed between the time that an attempt requested for the next one and the time it was scheduled for.
NEXT_AT_TOLERANCE_MS = 5_000
# How long to wait for an answer after the attempt's deadline. Nothing is sent after the deadline.
OVERRUN_S = 5.0


def now_ms() -> int:
    return int(time.time() * 1000)


class NotSent(Exception):
    """The request did not reach the target, so nothing changed there."""


class NoAnswer(Exception):
    """The request was sent, at least in part, and its effect is unknown."""


class Target:
    """The outside system. Translates its answers into outcome classes."""

    def __init__(self, base_url: str, max_apply_delay_ms: int) -> None:
        self.url = urlsplit(base_url)
        # How long after it was sent a request may still take effect: the longest queue or database wait of the target.
        self.max_apply_delay_ms = max_apply_delay_ms

    async def call(self, request: dict, attempt: int, deadline_ms: int) -> dict:
        """Sends one operation and returns its outcome. If the effect is uncertain, the outcome is `ambiguous`, never `transient`."""
        body = {name: request.get(name) for name in ("tenant", "target", "operation", "data", "idempotency_key")}
        body |= {"epoch": request.get("epoch"), "epochs": request.get("epochs", {}), "attempt": attempt}
        headers = {"Idempotency-Key": request["idempotency_key"]}
        if request.get("epoch") is not None:
            # The fencing token. A target that keeps the highest token it has seen can refuse late requests with a lower one.
            headers["X-Interlock-Epoch"] = str(request["epoch"])
        try:
            path = quote(request["operation"], safe="")
            status, retry_after_s, said = await self.exchange("POST", path, headers, body, deadline_ms)
        except NotSent as error:
            return {"class": "unavailable", "detail": str(error)}
        except NoAnswer as error:
            return {"class": "ambiguous", "detail": str(error)}
        return self.outcome(status, retry_after_s, said)

    @staticmethod
    def outcome(status: int, retry_after_s: int | None, said: dict) -> dict:
        code = said.get("code")
        detail = said.get("detail", f"the target answered with status {status}")
        if status in (429, 503):
            # With both statuses the target promises that it changed nothing.
            outcome = {"class": "throttled" if status == 429 else "unavailable", "detail": detail}
            return outcome if retry_after_s is None else outcome | {"retry_after_ms": 1_000 * retry_after_s}
        if status == 401:
            # Wrong credentials are not a fault of the order: it waits until somebody corrects them.
            return {"class": "unavailable", "detail": "the target refuses our credentials (401)"}
        if 200 <= status < 300 and status != 202:
            return {"class": "already_done" if said.get("status") == "already_done" else "done"}
        if status == 409 and code == "in_use":
            return {"class": "in_use", "holder": said.get("holder")}
        if 400 <= status < 500:
            return {"class": "permanent", "code": code or f"http_{status}", "detail": detail}
        # 202 (accepted, not confirmed), 500, 502, 504: the operation may have taken effect.
        return {"class": "ambiguous", "detail": detail}

    async def verify(self, request: dict, deadline_ms: int) -> bool | None:
        """Whether an earlier request of this step took effect. None if that is unknown now."""
        try:
            path = f"operations/{request['idempotency_key']}"
            status, _, said = await self.exchange("GET", path, {}, None, deadline_ms)
        except (NotSent, NoAnswer):
            return None
        applied = said.get("applied")
        return applied if status == 200 and isinstance(applied, bool) else None

    async def exchange(self, method: str, path: str, headers: dict, body: dict | None, deadline_ms: int) -> tuple:
        """Sends one HTTP request and returns status, Retry-After in seconds, and JSON. Uses a thread, since http.client blocks."""
        under_way = asyncio.to_thread(self.exchange_now, method, path, headers, body, deadline_ms)
        try:
            # Socket time-outs apply to each read. This one applies to the whole answer.
            return await asyncio.wait_for(under_way, max(0, deadline_ms - now_ms()) / 1000 + OVERRUN_S)
        except asyncio.TimeoutError:
            raise NoAnswer("the target did not answer within the attempt's time") from None

    def exchange_now(self, method: str, path: str, headers: dict, body: dict | None, deadline_ms: int) -> tuple:
        def left_s() -> float:
            left = (deadline_ms - now_ms()) / 1000
            if left <= 0:
                raise NotSent("the attempt's time was over before it was sent")
            return left

        kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.url.hostname, self.url.port, timeout=left_s())
        try:
            # Connect in a separate step: if this fails, it is certain that nothing was sent.
            connection.connect()
            connection.sock.settimeout(left_s())
        except OSError as error:
            connection.close()
            raise NotSent(f"the target cannot be reached: {error}") from None
        try:
            text = None if body is None else json.dumps(body)
            whole = f"{self.url.path.rstrip('/')}/{path}"
            connection.request(method, whole, text, headers | {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"no answer came: {error or type(error).__name__}") from None
        finally:
            connection.close()
        try:
            said = json.loads(content)
        except ValueError:
            said = {}
        # In seconds. HTTP also allows a date here, which this target never sends.
        retry_after = answer.getheader("Retry-After", "")
        wait_s = int(retry_after) if retry_after.isdigit() else None
        return answer.status, wait_s, said if isinstance(said, dict) else {}


class Attempt:
    """One attempt of one step. It first settles what an earlier attempt may have sent, then sends its own request."""

    def __init__(self, target: Target, request: dict) -> None:
        info = activity.info()
        self.target = target
        self.request = request
        self.number = info.attempt
        self.timeout_ms: int = request["attempt_timeout_ms"]
        self.scheduled_at_ms = int(info.current_attempt_scheduled_time.timestamp() * 1000)
        # The attempt number alone proves nothing: it is 1 again after an operator resets the activity or its workflow.
        self.is_first = (
            info.attempt == 1
            and not info.heartbeat_details
            and info.current_attempt_scheduled_time == info.scheduled_time
            and not request.get("maybe_sent", False)
        )
        self.left_before = self.left_by_the_attempt_before(info.heartbeat_details)
        self.left: dict | None = None
        self.cancelled = asyncio.Event()

    def left_by_the_attempt_before(self, details) -> dict | None:
        """The details of the last heartbeat, if they come from the attempt just before this one. Those of older ones prove nothing."""
        found = details[0] if details and isinstance(details[0], dict) else {}
        # After an operator's reset the numbers start again, so the details must also match the time of the last attempt.
        was_just_before = abs(found.get("next_at", 0) - self.scheduled_at_ms) <= NEXT_AT_TOLERANCE_MS
        return found if found.get("attempt") == self.number - 1 and was_just_before else None

    async def run(self) -> dict:
        """Runs the attempt to its end and sends heartbeats meanwhile. A cancellation arrives in the answer to a heartbeat. It is
        only recorded, since a request that was sent cannot be undone, and Interlock waits for its outcome."""
        work = asyncio.ensure_future(self.carry_out())
        signs_of_life = asyncio.ensure_future(self.live())
        try:
            while True:
                try:
                    return await asyncio.shield(work)
                except asyncio.CancelledError:
                    if work.cancelled():
                        raise
                    self.cancelled.set()
        finally:
            signs_of_life.cancel()

    async def live(self) -> None:
        while True:
            self.beat()
            await asyncio.sleep(HEARTBEAT_S)

    def beat(self) -> None:
        if self.left is None:
            activity.heartbeat()
        else:
            activity.heartbeat(self.left | {"attempt": self.number})

    def leave(self, left: str, until_ms: int | None = None, delay_ms: int | None = None) -> None:
        """Records the state if this attempt ended now: `settled`, or `maybe_sent` until some time. At the end of an attempt
        it also records the pause before the next one."""
        self.left = {"left": left} if until_ms is None else {"left": left, "until": until_ms}
        if delay_ms is not None:
            self.left["next_at"] = now_ms() + delay_ms
        self.beat()

    def in_doubt_until(self) -> int | None:
        """Until when an earlier attempt may have sent its request. None if no request is in flight."""
        if self.left_before is not None:
            return self.left_before.get("until") if self.left_before.get("left") == "maybe_sent" else None
        if not self.is_first:
            # A worker whose attempt timed out may not know it yet, and may send until its own deadline.
            return self.scheduled_at_ms + self.timeout_ms
        return None

    async def carry_out(self) -> dict:
        deadline_ms = now_ms() + self.timeout_ms
        in_doubt_until = self.in_doubt_until()
        if in_doubt_until is not None:
            wait_ms = max(0, in_doubt_until + self.target.max_apply_delay_ms - now_ms())
            await self.wait_out(wait_ms, in_doubt_until)
            deadline_ms += wait_ms
            applied = await self.target.verify(self.request, deadline_ms)
            if applied:
                return {"class": "already_done"}
            if applied is None:
                # The earlier request can no longer take effect, so the next attempt need not wait.
                pause_ms = self.pause_ms()
                self.leave("maybe_sent", in_doubt_until, pause_ms)
                raise failure("unclear", "it cannot be read back what became of an earlier request", pause_ms)
            if wait_ms > 0 and not self.cancelled.is_set():
                # Meanwhile an operator may have made the server start another attempt. So an attempt that waited never sends.
                self.leave("settled", delay_ms=MOMENT_MS)
                raise failure("read_back", "nothing lands any more: the next attempt sends", MOMENT_MS)
        if self.cancelled.is_set():
            self.leave("settled")
            raise failure("interrupted", "the call was cancelled before it was sent")
        expires_at: int | None = self.request.get("expires_at")
        if expires_at is not None and now_ms() >= expires_at:
            return {"class": "permanent", "code": "expired", "detail": "It was not sent while it was worth doing."}
        if now_ms() >= deadline_ms:
            self.leave("settled")
            raise failure("too_late", "the attempt's time was over before its call was sent")
        return self.report(await self.target.call(self.request, self.number, deadline_ms))

    async def wait_out(self, wait_ms: int, in_doubt_until: int) -> None:
        """Waits until an earlier request can no longer take effect."""
        if wait_ms == 0:
            return
        if wait_ms > WAIT_MAX_MS:
            self.leave("maybe_sent", in_doubt_until, wait_ms)
            raise failure("settling", "an earlier request may still land at the target", wait_ms)
        self.leave("maybe_sent", in_doubt_until)
        try:
            await asyncio.wait_for(self.cancelled.wait(), wait_ms / 1000)
        except asyncio.TimeoutError:
            return
        self.leave("maybe_sent", in_doubt_until)
        raise failure("settling", "the call was cancelled while an earlier request might still land")

    def report(self, outcome: dict) -> dict:
        """Returns a final outcome. Raises an error if the attempt must be retried: Temporal's retry policy then retries it."""
        kind = outcome["class"]
        if kind in ("transient", "throttled", "unavailable"):
            pause_ms = outcome.get("retry_after_ms") or self.pause_ms()
            self.leave("settled", delay_ms=pause_ms)
            raise failure(kind, json.dumps(outcome), pause_ms)
        if kind == "ambiguous":
            self.leave("maybe_sent", now_ms(), self.target.max_apply_delay_ms)
            raise failure(kind, json.dumps(outcome), self.target.max_apply_delay_ms)
        return outcome


    def pause_ms(self) -> int:
        """The pause before the next attempt, from the retry policy of the catalog. Up to half of it is random, so that steps that
        failed together are not retried together. The default policy is 1 s, 2 s, 4 s … 1 min."""
        policy = self.request.get("retry") or {"initial_ms": 1_000, "factor_percent": 200, "cap_ms": 60_000}
        pause = policy["initial_ms"] * (policy["factor_percent"] / 100) ** min(self.number - 1, 30)
        return int(min(pause, policy["cap_ms"]) * random.uniform(0.5, 1.0))


def failure(kind: str, detail: str, delay_ms: int | None = None) -> ApplicationError:
    """A retryable failure. If a delay is given, the retry is not earlier. The text must not contain personal data."""
    delay = None if delay_ms is None else timedelta(milliseconds=delay_ms)
    # Benign: such failures are expected. They are not errors of this worker, so its log and metrics should not show them.
    return ApplicationError(detail, type=kind, next_retry_delay=delay, category=ApplicationErrorCategory.BENIGN)


class Adapter:
    def __init__(self, target: Target) -> None:
        self.target = target

    @activity.defn(name="provision")
    async def provision(self, request: dict) -> dict:
        return await Attempt(self.target, request).run()


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("address", "target", "base-url"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--namespace", default="default", help="the namespace of the tenants; run one worker for each namespace")
    parser.add_argument("--prefix", default="interlock", help="INTERLOCK_PREFIX of the installation")
    parser.add_argument("--max-apply-delay-ms", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=20, help="the most concurrent calls of this process")
    arguments = parser.parse_args()
    client = await Client.connect(arguments.address, namespace=arguments.namespace)
    queue = f"{arguments.prefix}.provisioning-{arguments.target}"
    adapter = Adapter(Target(arguments.base_url, arguments.max_apply_delay_ms))
    # A call that waits for a thread would use up its time. So there is a thread for each call, and more for calls whose answer came too late.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2 * arguments.concurrency))
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with Worker(
        client,
        task_queue=queue,
        activities=[adapter.provision],
        max_concurrent_activities=arguments.concurrency,
        graceful_shutdown_timeout=timedelta(seconds=10),
    ):
        print(f"serving {queue}", flush=True)
        await stop.wait()
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
