// Watchers who ask the same share one execution an event. What depends on the viewer is never
// shared between viewers, and where one begins never shows in what another gets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLACE_BID, ask, bid, sale } from "./support/house.mjs";
import { client } from "./support/sockets.mjs";

const OWN = `subscription ($auctionId: ID!) {
  auctionUpdated(auctionId: $auctionId) {
    sequence auction { viewerPosition { isLeading maximum highestBid } }
  }
}`;

const FROM = `subscription ($auctionId: ID!, $after: Int) {
  auctionUpdated(auctionId: $auctionId, after: $after) { sequence kind }
}`;

const begin = (who, query, variables) => {
  const stream = client(who?.token).iterate({ query, variables });
  return async () => (await stream.next()).value.data.auctionUpdated;
};

test("one document asked by several viewers shows each only what is theirs", async () => {
  const { auctionId, alice, bora } = await sale();
  const everybody = [alice, bora, alice, undefined, bora];
  const watchers = everybody.map((who) => begin(who, OWN, { auctionId }));
  for (const next of watchers) await next();
  const input = { auctionId, amount: "10000", maximum: "77777" };
  await ask(PLACE_BID, { input }, alice.token);
  const seen = await Promise.all(watchers.map((next) => next()));
  for (const [n, who] of everybody.entries()) {
    const { viewerPosition } = seen[n].auction;
    if (who === alice) {
      assert.deepEqual(viewerPosition, { isLeading: true, maximum: "77777", highestBid: "10000" });
    } else if (who === bora) {
      assert.deepEqual(viewerPosition, { isLeading: false, maximum: null, highestBid: null });
    } else {
      assert.equal(viewerPosition, null);
    }
  }
});

test("watchers of one document who begin at different places each get their own", async () => {
  const { auctionId, alice, bora } = await sale();
  for (const amount of [10_000, 20_000, 30_000]) await bid(amount % 20_000 ? alice : bora, auctionId, amount);
  const places = [undefined, 1, 2, 3, 4, null];
  const watchers = places.map((after) => begin(undefined, FROM, { auctionId, after }));
  await bid(bora, auctionId, 40_000);
  for (const [n, after] of places.entries()) {
    const wanted = after === undefined || after === null ? [5] : [2, 3, 4, 5].slice(after - 1);
    const got = [];
    while (got.at(-1) !== 5) got.push((await watchers[n]()).sequence);
    if (after) assert.deepEqual(got, wanted, `after ${after}`);
    else assert.ok(got[0] === 4 || got[0] === 5, `a snapshot first: ${got}`);
  }
});
