// Compares the functions of ids.ts with Interlock's golden vectors, coordinator/domain/vectors.json.

import { readFileSync } from 'node:fs';

import * as ids from './ids.js';

function isRejected(text: string, bytesMax: number): boolean {
  try {
    ids.part('text', text, bytesMax);
    return false;
  } catch (error) {
    return error instanceof ids.BadId;
  }
}

/** Each section, with what ids.ts says and what is expected. */
function* comparisons(vectors: any): Generator<[section: string, said: unknown, expected: unknown]> {
  for (const v of vectors.encodings) yield ['encodings', ids.part('text', v.text), v.encoded];
  for (const v of vectors.rejected_ids) {
    const bytesMax = 'is_tenant' in v ? ids.TENANT_BYTES_MAX : ids.ID_BYTES_MAX;
    yield ['rejected ids', isRejected(v.text, bytesMax), true];
  }
  for (const v of vectors.workflow_ids) {
    const said = 'customer' in v ? ids.workflowId(v.tenant, v.customer) : ids.resourceWorkflowId(v.realm, v.kind, v.id);
    yield ['workflow ids', said, v.workflow_id];
  }
  for (const v of vectors.order_ids) {
    yield ['order ids', ids.orderId(v.tenant, v.customer, v.source, v.event_id, v.role), v.order_id];
  }
  for (const v of vectors.shards) {
    for (const [count, expected] of Object.entries(v.shard_by_count)) {
      yield ['shards', ids.shardOf(v.tenant_or_realm, '', Number(count)), expected];
    }
  }
  for (const v of vectors.spread_shards) {
    yield ['spread shards', ids.shardOf(v.tenant_or_realm, v.workflow_id, v.shard_count, v.spread), v.shard];
  }
  for (const v of vectors.queues.filter((v: any) => 'kind' in v)) {
    const shard = ids.shardOf(v.tenant_or_realm, '', v.shard_count);
    yield ['queues', ids.taskQueue('interlock', v.kind, shard), v.queue];
  }
  for (const v of vectors.hidden_ids) yield ['hidden ids', ids.hiddenId(v.id_key, v.id), v.hidden];
  for (const v of vectors.fairness_weights) yield ['weights', ids.FAIRNESS_WEIGHTS[v.plan], v.weight];
}

/** Prints how many of each section agree. Exit code 1 if one differs. */
export function check(file: string): number {
  const counts = new Map<string, number>();
  for (const [section, said, expected] of comparisons(JSON.parse(readFileSync(file, 'utf8')))) {
    if (said !== expected) {
      console.error(`${section}: ${said}, expected ${expected}`);
      return 1;
    }
    counts.set(section, (counts.get(section) ?? 0) + 1);
  }
  console.log([...counts].map(([section, count]) => `${section} ${count}`).join(', ') + ': all as expected');
  return 0;
}
