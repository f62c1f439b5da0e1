// The ids of Interlock's wire contract: all that a producer computes before it sends an event. Node's own modules only.

import { createHash, createHmac } from 'node:crypto';

export const ID_BYTES_MAX = 250;
export const TENANT_BYTES_MAX = 64;
export const FAIRNESS_WEIGHTS: Record<string, number> = { free: 1, pro: 3, enterprise: 10 };

/** A text that cannot be part of a workflow id. */
export class BadId extends Error {}

/** One part of a workflow id: every byte of the UTF-8 is percent-encoded, except A-Za-z0-9._- */
export function encode(text: string): string {
  if (!text.isWellFormed()) throw new BadId(`invalid id ${JSON.stringify(text)}: it is not valid Unicode`);
  const hex = (character: string) => '%' + character.charCodeAt(0).toString(16).toUpperCase();
  return encodeURIComponent(text).replace(/[!'()*~]/g, hex);
}

/** Like encode, for a text that must be an id. The limit counts bytes of the encoded form. */
export function part(what: string, text: string, bytesMax = ID_BYTES_MAX): string {
  const encoded = encode(text);
  if (encoded.length < 1 || encoded.length > bytesMax) {
    throw new BadId(`invalid ${what} "${text}": it has ${encoded.length} bytes percent-encoded, expected 1 to ${bytesMax}`);
  }
  if (encoded === '.' || encoded === '..') throw new BadId(`invalid ${what} "${text}": "." and ".." are not ids`);
  return encoded;
}

export function workflowId(tenant: string, customer: string): string {
  return `${part('tenant', tenant, TENANT_BYTES_MAX)}/customer/${part('customer', customer)}`;
}

export function resourceWorkflowId(realm: string, kind: string, resource: string): string {
  return `${part('realm', realm, TENANT_BYTES_MAX)}/resource/${part('kind', kind)}/${part('resource', resource)}`;
}

function firstFourBytes(text: string): number {
  return createHash('sha256').update(text, 'utf8').digest().readUInt32BE(0);
}

/** The shard of an entity, of a tenant that is spread over `spread` of the `shards` shards. */
export function shardOf(tenant: string, workflowId: string, shards: number, spread = 1): number {
  return ((firstFourBytes(tenant) % shards) + (firstFourBytes(workflowId) % spread)) % shards;
}

export function taskQueue(prefix: string, kind: string, shard: number): string {
  return `${prefix}.${kind}.${String(shard).padStart(2, '0')}`;
}

/** The id of the order that an event makes. `role` is "to" for the receiving customer of number.moved, else null. */
export function orderId(tenant: string, customer: string, source: string, eventId: string, role: string | null = null): string {
  const parts = [tenant, source, eventId, ...(role === null ? [] : [role])];
  return `${customer}~${uuid5('interlock:order:' + parts.map(encode).join('/'))}`;
}

/** A UUID of version 5 in the namespace for URLs of RFC 9562. */
function uuid5(name: string): string {
  const namespace = Buffer.from('6ba7b8119dad11d180b400c04fd430c8', 'hex');
  const bytes = createHash('sha1').update(namespace).update(name, 'utf8').digest().subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x50;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** What takes the place of a resource's id in its workflow id if the installation has an INTERLOCK_ID_KEY. */
export function hiddenId(idKey: string, resource: string): string {
  return createHmac('sha256', idKey).update(resource, 'utf8').digest('hex');
}
