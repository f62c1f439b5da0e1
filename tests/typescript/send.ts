// Sends an event twice with a client that is generated from the gateway's description, and prints the results. Arguments: URL of the
// gateway, token, tenant, event as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./gateway.js";

declare const process: { argv: string[] };

const [baseUrl, token, tenant, event] = process.argv.slice(2);
const body: components["schemas"]["CloudEvent"] = JSON.parse(event);
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
for (let attempt = 0; attempt < 2; attempt += 1) {
  const { data, error } = await client.POST("/v1/tenants/{tenant}/events", { params: { path: { tenant } }, body });
  if (error) throw new Error(`${error.code}: ${error.detail}`);
  for (const result of data?.results ?? []) console.log(result.status, result.order_id);
}
