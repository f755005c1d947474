// GraphQL over server-sent events, by its reference client and by plain fetch.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { afterEach, test } from "node:test";
import { createClient } from "graphql-sse";
import { graphqlOf, house, tight } from "./support/address.mjs";
import { PASSWORD, PLACE_BID, ask, bid, bidInTurns, sale } from "./support/house.mjs";
import { WATCH } from "./support/sockets.mjs";

const leftovers = [];
afterEach(() => leftovers.splice(0).forEach((close) => close()));

/** The reference client, one connection an operation. It does not retry: a test says so. */
function client(token, options = {}) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const created = createClient({ url: graphqlOf(house), headers, retryAttempts: 0, ...options });
  leftovers.push(() => created.dispose());
  return created;
}

const updates = (iterator) => async () => (await iterator.next()).value.data.auctionUpdated;

/** A raw stream: its response, and its text until it ends. */
async function events(server, body, headers = {}) {
  const response = await fetch(graphqlOf(server), {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream", ...headers },
    body: JSON.stringify(body),
  });
  return { response, text: () => response.text() };
}

const CANCEL = `mutation ($input: CancelAuctionInput!) {
  cancelAuction(input: $input) { userErrors { code } }
}`;

test("a watcher sees the snapshot and each bid in order", async () => {
  const { auctionId, alice, bora } = await sale();
  const iterator = client().iterate({ query: WATCH, variables: { auctionId } });
  const next = updates(iterator);
  const snapshot = await next();
  assert.deepEqual([snapshot.kind, snapshot.auction.currentPrice], ["SNAPSHOT", "10000"]);
  await bidInTurns([alice, bora], auctionId, 4);
  for (const turn of [1, 2, 3, 4]) {
    const event = await next();
    assert.deepEqual([event.kind, event.sequence], ["BID_PLACED", snapshot.sequence + turn]);
    assert.equal(event.auction.currentPrice, String(10_000 * turn));
  }
});

test("with `after`, what followed comes first, then live", async () => {
  const { auctionId, alice, bora } = await sale();
  const first = updates(client().iterate({ query: WATCH, variables: { auctionId } }));
  const { sequence } = await first();
  await bidInTurns([alice, bora], auctionId, 5);
  const variables = { auctionId, after: sequence + 2 };
  const next = updates(client().iterate({ query: WATCH, variables }));
  for (const turn of [3, 4, 5]) {
    const event = await next();
    assert.deepEqual([event.kind, event.sequence], ["BID_PLACED", sequence + turn]);
  }
  await bid(alice, auctionId, 90_000);
  assert.equal((await next()).sequence, sequence + 6);
});

test("the stream ends by itself after the final event", async () => {
  const { auctionId, seller } = await sale();
  const seen = [];
  const stream = client().iterate({ query: WATCH, variables: { auctionId } });
  for await (const { data } of stream) {
    seen.push(data.auctionUpdated.kind);
    if (seen.length === 1) {
      await ask(CANCEL, { input: { id: auctionId, reason: "broken" } }, seller.token);
    }
  }
  assert.deepEqual(seen, ["SNAPSHOT", "CANCELLED"]);
});

test("a bid over events meets the same judge", async () => {
  const { auctionId, alice, bora } = await sale();
  const run = (someone, amount) => {
    const variables = { input: { auctionId, amount } };
    return client(someone.token).iterate({ query: PLACE_BID, variables });
  };
  const collect = async (stream) => {
    const all = [];
    for await (const result of stream) all.push(result);
    return all;
  };
  const [won] = await collect(run(alice, "20000"));
  assert.equal(won.data.placeBid.bid.amount, "20000");
  const [lost] = await collect(run(bora, "20000"));
  assert.equal(lost.data.placeBid.userErrors[0].code, "BID_TOO_LOW");
  assert.equal(lost.data.placeBid.auction.currentPrice, "20000");
});

test("what is refused before it runs is an event, then the stream completes", async () => {
  const { response, text } = await events(house, { query: "subscription { nothing }" });
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type"), /^text\/event-stream/);
  const [next, complete] = (await text()).trim().split("\n\n");
  assert.match(next, /^event: ?next\ndata: ?\{"errors":\[/);
  assert.match(complete, /^event: ?complete\ndata:/);
});

test("an unknown auction is an error, not silence", async () => {
  const variables = { auctionId: "auc_00000000000000000000000000000000" };
  const { response, text } = await events(house, { query: WATCH, variables });
  assert.equal(response.status, 200);
  assert.match(await text(), /NOT_FOUND[^]*event: ?complete/);
});

test("a dead token is refused at the door", async () => {
  const headers = { authorization: "Bearer nonsense" };
  const { response } = await events(house, { query: "{ __typename }" }, headers);
  assert.equal(response.status, 401);
});

test("a stream ends with an error when its token is signed out", async () => {
  const post = async (query, variables, token) => {
    const headers = { "content-type": "application/json" };
    if (token) headers.authorization = `Bearer ${token}`;
    const body = JSON.stringify({ query, variables });
    return (await fetch(graphqlOf(tight), { method: "POST", headers, body })).json();
  };
  const input = { username: `anna-${randomBytes(4).toString("hex")}`, password: PASSWORD };
  const { data } = await post(
    `mutation ($input: SignUpInput!) { signUp(input: $input) { session { token } } }`,
    { input },
  );
  const { token } = data.signUp.session;
  const body = { query: "subscription { viewerUpdated { wallet { available } } }" };
  const { response, text } = await events(tight, body, { authorization: `Bearer ${token}` });
  assert.equal(response.status, 200);
  await post("mutation { signOut { signedOut } }", {}, token);
  const seen = await text();
  // The wallet may have been told before, or not.
  const [error, complete] = seen.trim().split("\n\n").filter((event) => event !== ":").slice(-2);
  assert.match(error, /^event: ?next\ndata: ?\{"errors":.*UNAUTHENTICATED/);
  assert.match(complete, /^event: ?complete\ndata:/);
});
