// Sends one event to the entity of its customer, again and again while it is not known whether it was accepted.

import { setTimeout } from 'node:timers/promises';

import { Client, isGrpcServiceError, WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/client';

import * as ids from './ids.js';

const ATTEMPT_MS_MAX = 10_000;
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 5_000;
// gRPC's codes DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED and UNAVAILABLE. After these, the event may have been accepted or not. Interlock
// recognises it by its source and id, so it can be sent again.
const WILL_PASS = [4, 8, 14];

/** A CloudEvent with the attributes that Interlock needs. */
export interface Event {
  id: string;
  source: string;
  type: string;
  subject: string;
  [attribute: string]: unknown;
}

/** Where the events of a tenant go. */
export interface Destination {
  tenant: string;
  plan: string;
  prefix: string;
  shards: number;
  spread: number;
}

/** It is not known whether the event was accepted. */
export class OutcomeUnknown extends Error {}

/** The orders that an event makes: one, or two if a number moves from one customer to another. */
export function orderIds(tenant: string, event: Event): string[] {
  const orders = [ids.orderId(tenant, event.subject, event.source, event.id)];
  const receiving = (event.data as { to?: { customer_id?: unknown } } | null | undefined)?.to?.customer_id;
  if (event.type === 'number.moved' && typeof receiving === 'string') {
    orders.push(ids.orderId(tenant, receiving, event.source, event.id, 'to'));
  }
  return orders;
}

/** Starts the customer's entity if it does not run, and signals the event to it. Durable when it returns. */
async function signalWithStart(client: Client, to: Destination, event: Event): Promise<void> {
  const workflowId = ids.workflowId(to.tenant, event.subject);
  await client.workflow.signalWithStart('CustomerEntity', {
    workflowId,
    taskQueue: ids.taskQueue(to.prefix, 'entity', ids.shardOf(to.tenant, workflowId, to.shards, to.spread)),
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    priority: { fairnessKey: to.tenant, fairnessWeight: ids.FAIRNESS_WEIGHTS[to.plan] },
    args: [{ tenant_id: to.tenant, entity_id: event.subject }],
    signal: 'submit',
    signalArgs: [event],
  });
}

/** Sends one event, for at most this long. Rejects with OutcomeUnknown, or with the error of Temporal. */
export async function send(client: Client, to: Destination, event: Event, retryForMs: number): Promise<void> {
  const deadline = Date.now() + retryForMs;
  for (let pause = PAUSE_MS_MIN; ; pause = Math.min(pause * 2, PAUSE_MS_MAX)) {
    try {
      const attempt = Math.min(ATTEMPT_MS_MAX, Math.max(deadline - Date.now(), PAUSE_MS_MIN));
      return await client.withDeadline(Date.now() + attempt, () => signalWithStart(client, to, event));
    } catch (error) {
      const cause = causeOf(error);
      if (!WILL_PASS.includes(cause.code)) throw cause;
      const jitter = pause / 2 + (Math.random() * pause) / 2;
      if (Date.now() + jitter >= deadline) throw new OutcomeUnknown(cause.message);
      await setTimeout(jitter);
    }
  }
}

/** The error of gRPC that an error of the SDK wraps. */
function causeOf(error: any): { code: number; message: string } {
  return isGrpcServiceError(error?.cause) ? error.cause : error;
}
