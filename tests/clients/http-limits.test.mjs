// What one request may ask for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { getIntrospectionQuery } from "graphql";
import { ask, auctionOf, person, post } from "./support/house.mjs";

const aliases = (count) =>
  `{ ${Array.from({ length: count }, (_, n) => `a${n}: __typename`).join(" ")} }`;

/** Pages of one, so that depth alone can be too much. */
const deep = (turns) => {
  const [open, close] = ["bids(first: 1) { nodes { auction { ", "} } } "];
  return `{ auctions(first: 1) { nodes { ${open.repeat(turns)} id ${close.repeat(turns)} } } }`;
};

async function assertLimited(query, variables) {
  const { data, errors } = await post(query, variables);
  assert.equal(data ?? null, null);
  assert.equal(errors[0].extensions.code, "BAD_USER_INPUT");
}

test("30 aliases are answered and 31 refused", async () => {
  assert.equal(Object.keys(await ask(aliases(30))).length, 30);
  await assertLimited(aliases(31));
});

test("a query may be 15 levels deep", async () => {
  // auctions, nodes, four times three levels, id: 15.
  await ask(deep(4));
  await assertLimited(deep(5));
});

test("the standard introspection stays within the limits", async () => {
  const { __schema } = await ask(getIntrospectionQuery({ descriptions: true }));
  assert.equal(__schema.subscriptionType.name, "Subscription");
});

test("a page holds 1 to 100", async () => {
  const page = `query ($id: ID!, $first: Int, $last: Int) {
    auction(id: $id) { bids(first: $first, last: $last) { nodes { id } } }
  }`;
  const id = await auctionOf(await person("seller"));
  await ask(page, { id, first: 1 });
  await ask(page, { id, last: 100 });
  for (const size of [0, -1, 101]) {
    for (const end of ["first", "last"]) {
      const { errors } = await post(page, { id, [end]: size });
      assert.equal(errors[0].extensions.code, "BAD_USER_INPUT", `${end}: ${size}`);
    }
  }
});
