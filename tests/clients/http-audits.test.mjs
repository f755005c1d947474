// The GraphQL-over-HTTP specification, judged by graphql-http's own audits.
import assert from "node:assert/strict";
import { test } from "node:test";
import { auditServer } from "graphql-http";
import { graphqlOf, house } from "./support/address.mjs";

test("the graphql-http audits find nothing to remark", async (t) => {
  const results = await auditServer({ url: graphqlOf(house) });

  const counts = { ok: 0, notice: 0, warn: 0, error: 0 };
  for (const { status } of results) counts[status] += 1;
  t.diagnostic(`${results.length} audits: ${JSON.stringify(counts)}`);
  const remarks = results
    .filter(({ status }) => status !== "ok")
    .map(({ id, status, name, reason }) => `${status} ${id} ${name}: ${reason}`);
  assert.deepEqual(remarks, []);
  assert.equal(results.length, 61, "as many audits as when this was written");
});
