// Nodes that stop, start again and take over from one another, as the clients of real front ends
// live through it: they resume with `after`, and nothing is missing, nothing comes twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ApolloClient, ApolloLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { tap } from "rxjs";
import { socketOf } from "./support/address.mjs";
import { ask, bid, sale } from "./support/house.mjs";
import { database, node } from "./support/nodes.mjs";
import { WATCH, client } from "./support/sockets.mjs";

const END = `mutation ($input: AuctionIdInput!) {
  endAuctionEarly(input: $input) { auction { status } userErrors { code } }
}`;

/** graphql-ws that comes back for as long as it takes, and tells how its sockets closed. */
function persistent(url, closed, door) {
  return client(undefined, {
    url,
    retryAttempts: Infinity,
    // A node that is down refuses connections; by itself graphql-ws retries those that it had.
    shouldRetry: () => true,
    retryWait: async () => {
      await sleep(20);
      await door?.opens;
    },
    on: { closed: ({ code }) => closed.push(code) },
  });
}

/** Restarts a node; bids that nobody watches come before the client is let back. */
async function restart(house, door, meanwhile) {
  let open;
  door.opens = new Promise((done) => (open = done));
  await house.stop();
  await house.start();
  await meanwhile();
  open();
}

/** What a watcher is given: `seen` waits for so many. */
function record() {
  const updates = [];
  let wake = () => {};
  const seen = async (count) => {
    while (updates.length < count) await new Promise((done) => (wake = done));
  };
  return { updates, seen, take: (update) => (updates.push(update), wake()) };
}

/** A snapshot, `bids` bids and the sale, each once and in order. */
function isWhole(updates, bids) {
  const first = updates[0].sequence;
  assert.deepEqual(
    updates.map(({ sequence, kind }) => [sequence - first, kind]),
    ["SNAPSHOT", ...Array(bids).fill("BID_PLACED"), "SOLD"].map((kind, n) => [n, kind]),
  );
  const prices = updates.slice(1, -1).map(({ auction }) => auction.currentPrice);
  assert.deepEqual(prices, [...prices.keys()].map((n) => String(10_000 * (n + 1))));
}

/** Bids one after another: `more(3, node)` places three through that node. */
function bidding({ auctionId, alice, bora }) {
  let placed = 0;
  return async (count, { url }) => {
    for (let n = 0; n < count; n++) {
      placed += 1;
      await bid([alice, bora][placed % 2], auctionId, placed * 10_000, url);
    }
  };
}

/** Watches with graphql-ws, `after` kept in the variables; the promise is of its completion. */
function watch(socket, auctionId, take) {
  const variables = { auctionId };
  return new Promise((complete, error) => {
    const next = ({ data }) => {
      variables.after = data.auctionUpdated.sequence;
      take(data.auctionUpdated);
    };
    socket.subscribe({ query: WATCH, variables }, { next, complete, error });
  });
}

// Restarts a node three times while bids go on; its watcher, of whatever client, misses nothing.
async function throughRestarts(begin) {
  const house = await node(database());
  const goods = await sale({}, house.url);
  const more = bidding(goods);
  const closed = [];
  const { updates, seen, take } = record();
  const door = {};
  const watching = begin({ url: house.url, closed, door }, goods.auctionId, take);
  await seen(1);
  for (let time = 1; time <= 3; time++) {
    await more(3, house);
    await restart(house, door, () => more(2, house));
    await seen(1 + 5 * time);
  }
  await ask(END, { input: { id: goods.auctionId } }, goods.seller.token, house.url);
  await watching;
  isWhole(updates, 15);
  assert.equal(closed.filter((code) => code === 1001).length, 3, `closed with ${closed}`);
}

test("graphql-ws resumes after restarts of its node", async () => {
  await throughRestarts(({ url, closed, door }, auctionId, take) =>
    watch(persistent(socketOf(url), closed, door), auctionId, take),
  );
});

test("Apollo Client resumes after restarts of its node", async () => {
  // graphql-ws sends the operation's variables again: a link keeps `after` in them.
  const resume = new ApolloLink((operation, forward) =>
    forward(operation).pipe(
      tap(({ data }) => (operation.variables.after = data.auctionUpdated.sequence)),
    ),
  );
  const clients = [];
  await throughRestarts(({ url, closed, door }, auctionId, take) => {
    const socket = new GraphQLWsLink(persistent(socketOf(url), closed, door));
    const apollo = new ApolloClient({ cache: new InMemoryCache(), link: resume.concat(socket) });
    clients.push(apollo);
    return new Promise((complete, error) => {
      const next = ({ error: failed, data }) => (failed ? error(failed) : take(data.auctionUpdated));
      const asked = apollo.subscribe({ query: gql(WATCH), variables: { auctionId } });
      asked.subscribe({ next, complete, error });
    });
  });
  clients.forEach((apollo) => apollo.stop());
});

test("graphql-ws goes on at another node when its own goes away", async () => {
  const url = database();
  const nodes = [await node(url), await node(url)];
  const goods = await sale({}, nodes[0].url);
  const more = bidding(goods);
  const closed = [];
  const { updates, seen, take } = record();
  // Asked for each connection: every time the other one.
  let turn = 0;
  const next = () => socketOf(nodes[turn++ % 2].url);
  const watching = watch(persistent(next, closed), goods.auctionId, take);
  await seen(1);
  for (let move = 0; move < 4; move++) {
    const [here, there] = [nodes[move % 2], nodes[(move + 1) % 2]];
    await more(3, here);
    await seen(1 + 5 * move + 3);
    await here.stop();
    await more(2, there);
    await seen(1 + 5 * (move + 1));
    await here.start();
  }
  const { token } = goods.seller;
  await ask(END, { input: { id: goods.auctionId } }, token, nodes[0].url);
  await watching;
  isWhole(updates, 20);
  assert.equal(closed.filter((code) => code === 1001).length, 4, `closed with ${closed}`);
});
