// Queries, mutations and subscriptions over one graphql-transport-ws socket.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLACE_BID, ask, bid, person, post, sale } from "./support/house.mjs";
import { WATCH, client, greetedSocket, only } from "./support/sockets.mjs";

const VIEWER = "{ viewer { user { username } } }";
const subscribe = (id, query, variables) => {
  return { id, type: "subscribe", payload: { query, variables } };
};

test("a query over the socket is answered as the token's owner", async () => {
  const someone = await person("socket");
  const signedIn = client(someone.token);
  const { data } = await only(signedIn.iterate({ query: VIEWER }));
  assert.equal(data.viewer.user.username, someone.username);

  const signedOut = client();
  assert.deepEqual(await only(signedOut.iterate({ query: VIEWER })), { data: { viewer: null } });
});

test("a bid gets the same answer over the socket and over HTTP", async () => {
  const { auctionId, alice } = await sale();
  const variables = { input: { auctionId, amount: "1" } };
  const socket = client(alice.token);
  const bySocket = await only(socket.iterate({ query: PLACE_BID, variables }));

  assert.equal(bySocket.data.placeBid.userErrors[0].code, "BID_TOO_LOW");
  assert.deepEqual(bySocket, await post(PLACE_BID, variables, alice.token));
});

test("many operations share a socket and none hears another", async () => {
  const sales = await Promise.all([sale(), sale(), sale()]);
  const socket = client(sales[0].alice.token);
  const streams = sales.map(({ auctionId }) =>
    socket.iterate({ query: WATCH, variables: { auctionId } }),
  );
  for (const stream of streams) {
    assert.equal((await stream.next()).value.data.auctionUpdated.kind, "SNAPSHOT");
  }
  await Promise.all(sales.map(({ auctionId, bora }, n) => bid(bora, auctionId, 10_000 * (n + 1))));
  const viewer = await only(socket.iterate({ query: VIEWER }));
  assert.equal(viewer.data.viewer.user.username, sales[0].alice.username);

  for (const [n, stream] of streams.entries()) {
    const { kind, auction, bid } = (await stream.next()).value.data.auctionUpdated;
    assert.deepEqual(
      [kind, auction.id, bid.amount],
      ["BID_PLACED", sales[n].auctionId, String(10_000 * (n + 1))],
    );
    await stream.return();
  }
});

test("complete from the client stops the stream and frees its id", async () => {
  const { auctionId, alice, bora } = await sale();
  const socket = await greetedSocket();
  socket.send(subscribe("stopped", WATCH, { auctionId }));
  assert.equal((await socket.next()).id, "stopped");
  socket.send(subscribe("kept", WATCH, { auctionId }));
  assert.equal((await socket.next()).id, "kept");

  socket.send({ id: "stopped", type: "complete" });
  socket.send({ id: "never-heard-of", type: "complete" });
  // Messages are taken in order: once this is answered, the one before has been taken too.
  socket.send(subscribe("order", "{ __typename }"));
  assert.equal((await socket.next()).id, "order");
  assert.deepEqual(await socket.next(), { id: "order", type: "complete" });

  await bid(alice, auctionId, 10_000);
  await bid(bora, auctionId, 20_000);
  for (const amount of ["10000", "20000"]) {
    const { id, payload } = await socket.next();
    assert.deepEqual([id, payload.data.auctionUpdated.bid.amount], ["kept", amount]);
  }
  socket.send(subscribe("stopped", "{ __typename }"));
  assert.deepEqual(await socket.next(), {
    id: "stopped",
    type: "next",
    payload: { data: { __typename: "Query" } },
  });
});

test("a subscription to an unknown auction is an error, not silence", async () => {
  const [gone, known] = [await person("seller"), await person("seller")];
  const strange = (await ask("query ($u: String!) { user(username: $u) { id } }", {
    u: gone.username,
  })).user.id;
  for (const auctionId of ["nonsense", strange]) {
    const socket = await greetedSocket(known.token);
    socket.send(subscribe("unknown", WATCH, { auctionId }));
    const { type, payload } = await socket.next();
    const [error] = type === "error" ? payload : payload.errors;
    assert.equal(error.extensions.code, "NOT_FOUND");
    if (type === "next") assert.equal((await socket.next()).type, "complete");
  }
});

const ROOT_FIELD = 'auctionUpdated(auctionId: "x") { sequence }';
const REFUSED_DOCUMENTS = [
  ["a syntax error", "{"],
  ["an unknown field", "{ nonsense }"],
  ["two root fields", `subscription { a: ${ROOT_FIELD} b: ${ROOT_FIELD} }`],
];
for (const [what, query] of REFUSED_DOCUMENTS) {
  test(`${what} is answered by an error message and the socket lives on`, async () => {
    const socket = await greetedSocket();
    socket.send(subscribe("bad", query));
    const { id, type, payload } = await socket.next();
    assert.deepEqual([id, type], ["bad", "error"]);
    assert.equal(payload[0].extensions.code, "BAD_USER_INPUT");
    socket.send(subscribe("bad", "{ __typename }"));
    assert.equal((await socket.next()).type, "next");
  });
}

test("a subscription by way of a root fragment keeps flowing", async () => {
  const { auctionId, alice } = await sale();
  const watcher = client();
  const query = `subscription ($id: ID!) { ...Root }
    fragment Root on Subscription { auctionUpdated(auctionId: $id) { kind sequence } }`;
  const stream = watcher.iterate({ query, variables: { id: auctionId } });
  assert.equal((await stream.next()).value.data.auctionUpdated.kind, "SNAPSHOT");
  await bid(alice, auctionId, 10_000);
  assert.equal((await stream.next()).value.data.auctionUpdated.kind, "BID_PLACED");
});

test("a socket runs 50 operations; the 51st is refused and the others live on", async () => {
  const { auctionId, alice } = await sale();
  const socket = await greetedSocket();
  for (let n = 1; n <= 50; n++) {
    socket.send(subscribe(`watch ${n}`, WATCH, { auctionId }));
    assert.equal((await socket.next()).type, "next");
  }
  socket.send(subscribe("one too many", WATCH, { auctionId }));
  const { id, type, payload } = await socket.next();
  assert.deepEqual([id, type], ["one too many", "error"]);
  assert.equal(payload[0].extensions.code, "RATE_LIMITED");

  await bid(alice, auctionId, 10_000);
  const heard = new Set();
  while (heard.size < 50) heard.add((await socket.next()).id);
});

test("a token signed out meanwhile no longer bids on an open socket", async () => {
  const { auctionId, alice } = await sale();
  const socket = await greetedSocket(alice.token);
  await post("mutation { signOut { signedOut } }", {}, alice.token);

  socket.send(subscribe("late", PLACE_BID, { input: { auctionId, amount: "10000" } }));
  const answer = await Promise.race([socket.next(), socket.closed]).catch(() => socket.closed);
  if ("code" in answer) {
    assert.ok([4401, 4403].includes(answer.code));
  } else {
    const [error] = answer.type === "error" ? answer.payload : answer.payload.errors;
    assert.equal(error.extensions.code, "UNAUTHENTICATED");
  }
  const { auction } = await ask(`{ auction(id: "${auctionId}") { bidCount } }`);
  assert.equal(auction.bidCount, 0);
});
