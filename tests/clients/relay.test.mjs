// Paging and refetching as Relay's specifications have it.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { ask, bidInTurns, sale } from "./support/house.mjs";

const BIDS = 7;
let auctionId;
let alice;
let seller;
/** Every bid, newest first. */
let all;

const BIDS_OF = `query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  auction(id: $id) {
    bids(first: $first, after: $after, last: $last, before: $before) {
      edges { cursor node { id amount sequence } }
      nodes { id }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}`;
const page = async (options) => (await ask(BIDS_OF, { id: auctionId, ...options })).auction.bids;
const amounts = ({ edges }) => edges.map(({ node }) => node.amount);

before(async () => {
  let bora;
  ({ auctionId, alice, bora, seller } = await sale());
  await bidInTurns([alice, bora], auctionId, BIDS);
  all = await page({ first: 100 });
});

test("a connection is consistent with itself", () => {
  assert.deepEqual(
    amounts(all),
    [7, 6, 5, 4, 3, 2, 1].map((turn) => String(turn * 10_000)),
  );
  const { edges, nodes, pageInfo } = all;
  assert.deepEqual(nodes.map(({ id }) => id), edges.map(({ node }) => node.id));
  assert.equal(new Set(edges.map(({ cursor }) => cursor)).size, BIDS);
  assert.deepEqual(pageInfo, {
    hasNextPage: false,
    hasPreviousPage: false,
    startCursor: edges[0].cursor,
    endCursor: edges.at(-1).cursor,
  });
});

test("first and after walk forward through everything once", async () => {
  const walked = [];
  let after;
  for (const more of [true, true, false]) {
    const piece = await page({ first: 3, after });
    assert.equal(piece.pageInfo.hasNextPage, more);
    walked.push(...amounts(piece));
    after = piece.pageInfo.endCursor;
  }
  assert.deepEqual(walked, amounts(all));
});

test("last and before walk backward through everything once", async () => {
  const walked = [];
  let before;
  for (const more of [true, true, false]) {
    const piece = await page({ last: 3, before });
    assert.equal(piece.pageInfo.hasPreviousPage, more);
    walked.unshift(...amounts(piece));
    before = piece.pageInfo.startCursor;
  }
  assert.deepEqual(walked, amounts(all));
});

test("after and before bound a page together", async () => {
  const [after, before] = [all.edges[1].cursor, all.edges[5].cursor];
  assert.deepEqual(amounts(await page({ after, before })), amounts(all).slice(2, 5));
  assert.deepEqual(amounts(await page({ after, before, first: 2 })), amounts(all).slice(2, 4));
  assert.deepEqual(amounts(await page({ after, before, last: 2 })), amounts(all).slice(3, 5));
});

test("a page past the end is empty", async () => {
  const { edges, pageInfo } = await page({ first: 3, after: all.edges.at(-1).cursor });
  assert.deepEqual(edges, []);
  assert.equal(pageInfo.hasNextPage, false);
  assert.deepEqual([pageInfo.startCursor, pageInfo.endCursor], [null, null]);
});

test("lists of auctions and a viewer's own lists page the same way", async () => {
  const { viewer } = await ask(
    `{ viewer {
      bids(first: 2) { nodes { amount } pageInfo { hasNextPage } }
      selling(first: 1) { nodes { id } }
    } }`,
    {},
    alice.token,
  );
  assert.equal(viewer.bids.nodes.length, 2);
  assert.equal(viewer.bids.pageInfo.hasNextPage, true);
  assert.deepEqual(viewer.selling.nodes, []);
  const { auctions } = await ask(
    `query ($seller: ID!) {
      auctions(filter: { seller: $seller }, first: 5) { nodes { id } pageInfo { hasNextPage } }
    }`,
    { seller: seller.id },
  );
  assert.deepEqual(auctions, { nodes: [{ id: auctionId }], pageInfo: { hasNextPage: false } });
});

test("node answers for every kind of id, and null for none", async () => {
  const { regions, categories } = await ask("{ regions { id } categories { id } }");
  const known = {
    Auction: auctionId,
    Bid: all.nodes[0].id,
    User: seller.id,
    Region: regions[0].id,
    Category: categories[0].id,
  };
  for (const [__typename, id] of Object.entries(known)) {
    const { node } = await ask("query ($id: ID!) { node(id: $id) { __typename id } }", { id });
    assert.deepEqual(node, { __typename, id });
  }
  assert.equal(new Set(Object.values(known)).size, 5, "an id says its type");
  const { node } = await ask('{ node(id: "nonsense") { id } }');
  assert.equal(node, null);
});
