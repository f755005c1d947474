// What a watcher is promised: a snapshot, then every event once and in order, whatever happens to
// its socket.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLACE_BID, ask, bid, bidInTurns, sale } from "./support/house.mjs";
import { WATCH, client, only } from "./support/sockets.mjs";

test("a watcher sees the snapshot, then bids from HTTP and from a socket in order", async () => {
  const { auctionId, alice, bora } = await sale();
  const watcher = client();
  const stream = watcher.iterate({ query: WATCH, variables: { auctionId } });
  const next = async () => (await stream.next()).value.data.auctionUpdated;
  const snapshot = await next();
  assert.deepEqual(
    [snapshot.kind, snapshot.bid, snapshot.auction.currentPrice, snapshot.auction.bidCount],
    ["SNAPSHOT", null, "10000", 0],
  );

  const socket = client(bora.token);
  await bid(alice, auctionId, 10_000);
  const input = { auctionId, amount: "20000" };
  await only(socket.iterate({ query: PLACE_BID, variables: { input } }));
  await bid(alice, auctionId, 30_000);

  const turns = [alice, bora, alice];
  for (const [n, { username }] of turns.entries()) {
    const event = await next();
    const amount = String(10_000 * (n + 1));
    assert.equal(event.kind, "BID_PLACED");
    assert.equal(event.sequence, snapshot.sequence + n + 1);
    assert.equal(event.auction.sequence, event.sequence);
    assert.deepEqual(
      [event.bid.amount, event.bid.sequence, event.bid.bidder.username, event.bid.isAutomatic],
      [amount, event.sequence, username, false],
    );
    // The auction as it was right after this event, however many followed since.
    assert.deepEqual(
      [event.auction.currentPrice, event.auction.bidCount, event.auction.leader.username],
      [amount, n + 1, username],
    );
  }
});

test("an edit before the first bid is an event too", async () => {
  const { auctionId, seller } = await sale({ title: "Cup" });
  const watcher = client();
  const stream = watcher.iterate({ query: WATCH, variables: { auctionId } });
  const { sequence } = (await stream.next()).value.data.auctionUpdated;
  await ask(
    `mutation ($input: UpdateAuctionInput!) {
      updateAuction(input: $input) { userErrors { code } }
    }`,
    { input: { id: auctionId, title: "달항아리" } },
    seller.token,
  );
  const event = (await stream.next()).value.data.auctionUpdated;
  assert.deepEqual([event.kind, event.sequence], ["EDITED", sequence + 1]);
  assert.equal(event.auction.title, "달항아리");
});

test("a watcher whose socket keeps dying misses nothing and hears nothing twice", async () => {
  const BIDS = 40;
  const { auctionId, alice, bora } = await sale();
  const variables = { auctionId };
  const events = [];
  let socket;
  let connections = 0;

  // The client of the reference library reconnects by itself and sends the same variables again:
  // an application has only to keep `after` in them.
  const watcher = client(undefined, {
    retryAttempts: BIDS,
    retryWait: async () => {},
    on: { connected: (opened) => ((socket = opened), (connections += 1)) },
  });
  let bidding;
  await new Promise((done, fail) => {
    watcher.subscribe(
      { query: WATCH, variables },
      {
        next({ data }) {
          const event = data.auctionUpdated;
          const due = variables.after === undefined ? event.sequence : variables.after + 1;
          if (event.sequence !== due) fail(new Error(`${event.sequence} came, ${due} was due`));
          events.push(event);
          variables.after = event.sequence;
          bidding ??= bidInTurns([alice, bora], auctionId, BIDS).catch(fail);
          if (events.length > BIDS) done();
          else if (events.length % 9 === 0) socket.terminate();
        },
        error: fail,
        complete: () => fail(new Error("the stream ended by itself")),
      },
    );
  });
  await bidding;

  const [snapshot, ...bids] = events;
  assert.equal(snapshot.kind, "SNAPSHOT");
  assert.ok(bids.every(({ kind }) => kind === "BID_PLACED"));
  assert.equal(bids.length, BIDS);
  assert.ok(connections > 3, `${connections} connections`);
});

test("`after` replays what was missed, oldest first, then goes on live", async () => {
  const { auctionId, alice, bora } = await sale();
  await bidInTurns([alice, bora], auctionId, 5);
  const { auction } = await ask(`{ auction(id: "${auctionId}") { sequence } }`);

  const watcher = client();
  const variables = { auctionId, after: auction.sequence - 3 };
  const stream = watcher.iterate({ query: WATCH, variables });
  const seen = [];
  while (seen.length < 3) seen.push((await stream.next()).value.data.auctionUpdated);
  await bid(alice, auctionId, 60_000);
  seen.push((await stream.next()).value.data.auctionUpdated);

  assert.deepEqual(
    seen.map(({ kind, sequence, auction }) => [kind, sequence, auction.currentPrice]),
    [30_000, 40_000, 50_000, 60_000].map((price, n) => [
      "BID_PLACED",
      auction.sequence - 2 + n,
      String(price),
    ]),
  );
});
