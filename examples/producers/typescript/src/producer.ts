// A producer of Interlock: sends CloudEvents with Temporal's own SDK, by signal-with-start.
//
// Exit code 0: all events are accepted; 1: not all, or it is not known, and sending them again is safe; 2: wrong usage.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';

import * as ids from './ids.js';
import { type Destination, type Event, orderIds, OutcomeUnknown, send } from './send.js';
import { check as checkVectors } from './vectors.js';

const EVENT_BYTES_MAX = 16 * 1024;
const AGAIN = 'sending the same events again is safe';
const USAGE = `usage: producer.js send [OPTIONS] FILE|-    sends one event, or one on each line; prints the ids of their orders
       producer.js vectors FILE             compares the id functions with Interlock's golden vectors

options of send:
  --address HOST:PORT    [default: TEMPORAL_ADDRESS, else 127.0.0.1:7233]
  --namespace NAMESPACE  [default: TEMPORAL_NAMESPACE, else default]
  --tenant TENANT        [default: default]
  --plan PLAN            free, pro or enterprise [default: free]
  --shards NUMBER        shards of the installation; 1 in dev [default: 16]
  --spread NUMBER        shards that the tenant is spread over [default: 1]
  --prefix PREFIX        first part of the task queues [default: interlock]
  --retry-for SECONDS    for each event [default: 30]
`;

/** Wrong usage: the exit code is 2. */
class Wrong extends Error {}

/** One event, which may take several lines, or one on each line. */
function readEvents(text: string): Event[] {
  try {
    return [checked(1, JSON.parse(text, exact))];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const events: Event[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      events.push(checked(events.length + 1, JSON.parse(line, exact)));
    } catch (error) {
      throw error instanceof SyntaxError ? new Wrong(`line ${index + 1} is not JSON: ${error.message}`) : error;
    }
  }
  return events;
}

/** Refuses a number that JavaScript would round. */
function exact(name: string, value: unknown): unknown {
  if (typeof value === 'number' && (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))) {
    throw new Wrong(`the number in "${name}" is too large to be exact: write it as a text`);
  }
  return value;
}

function checked(number: number, event: any): Event {
  const attributes = ['id', 'source', 'type', 'subject'];
  if (attributes.some((name) => typeof event?.[name] !== 'string')) {
    throw new Wrong(`event ${number} is not a CloudEvent: expected an object with the texts ${attributes.join(', ')}`);
  }
  // When this producer took the event. It stays the same in every attempt, and saves Interlock a look at the clock.
  event.acceptedat ??= new Date().toISOString();
  const size = Buffer.byteLength(JSON.stringify(event));
  if (size > EVENT_BYTES_MAX) throw new Wrong(`event ${number} has ${size} bytes, expected at most ${EVENT_BYTES_MAX}`);
  return event;
}

const OPTIONS = {
  address: { type: 'string' },
  namespace: { type: 'string' },
  tenant: { type: 'string', default: 'default' },
  plan: { type: 'string', default: 'free' },
  shards: { type: 'string', default: '16' },
  spread: { type: 'string', default: '1' },
  prefix: { type: 'string', default: 'interlock' },
  'retry-for': { type: 'string', default: '30' },
} as const;

function positive(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new Wrong(`invalid number "${text}": expected 1 or more`);
  return Number(text);
}

async function sendAll(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const retryForMs = Number(values['retry-for']) * 1000;
  if (positionals.length !== 1 || !(values.plan in ids.FAIRNESS_WEIGHTS) || !(retryForMs >= 0)) throw new Wrong(USAGE);
  const { tenant, plan, prefix } = values;
  const to: Destination = { tenant, plan, prefix, shards: positive(values.shards), spread: positive(values.spread) };
  const bytes = readFileSync(positionals[0] === '-' ? 0 : positionals[0]);
  const events = readEvents(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  for (const event of events) {
    // They throw if an id cannot be sent.
    ids.workflowId(to.tenant, event.subject);
    orderIds(to.tenant, event);
  }
  // Address, namespace, TLS and API key: from TEMPORAL_* and temporal.toml, as in Temporal's own CLI.
  const config = loadClientConnectConfig();
  const address = values.address ?? config.connectionOptions.address ?? '127.0.0.1:7233';
  const connection = Connection.lazy({ ...config.connectionOptions, address });
  const client = new Client({ connection, namespace: values.namespace ?? config.namespace ?? 'default' });
  try {
    return await sendEach(client, to, events, retryForMs);
  } finally {
    await connection.close();
  }
}

async function sendEach(client: Client, to: Destination, events: Event[], retryForMs: number): Promise<number> {
  for (const [index, event] of events.entries()) {
    try {
      await send(client, to, event, retryForMs);
    } catch (error: any) {
      const what = error instanceof OutcomeUnknown ? 'not known whether it was accepted' : 'Temporal refused it';
      console.error(`event ${index + 1} (id "${event.id}", source "${event.source}"): ${what}; ${AGAIN}: ${error.message}`);
      return 1;
    }
    console.log(orderIds(to.tenant, event).join('\n'));
  }
  return 0;
}

async function main(args: string[]): Promise<number> {
  if (args[0] === 'vectors' && args.length === 2) return checkVectors(args[1]);
  if (args[0] !== 'send') {
    console.error(USAGE);
    return 2;
  }
  try {
    return await sendAll(args.slice(1));
  } catch (error: any) {
    // Whatever is wrong before the first event is sent: options, file, ids, configuration.
    console.error(`${error.message}. Nothing was sent.`);
    return 2;
  }
}

process.exitCode = await main(process.argv.slice(2));
