// The corners of graphql-transport-ws: what a client does wrong has a close code of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { house, tight } from "./support/address.mjs";
import { auctionOf, person } from "./support/house.mjs";
import { WATCH, bareSocket, greetedSocket, upgradeStatus } from "./support/sockets.mjs";

const INIT = { type: "connection_init" };
const TYPENAME = { id: "1", type: "subscribe", payload: { query: "{ __typename }" } };

async function assertCloses(socket, code) {
  const closing = await socket.closed;
  assert.equal(closing.code, code, closing.reason);
}

const MALFORMED = [
  ["text that is not JSON", "{"],
  ["JSON that is not a message", "[]"],
  ["a message without a type", {}],
  ["an unknown type", { type: "start" }],
  ["subscribe without an id", { type: "subscribe", payload: { query: "{ __typename }" } }],
  ["subscribe with an empty id", { ...TYPENAME, id: "" }],
  ["subscribe without a payload", { id: "1", type: "subscribe" }],
  ["subscribe without a query", { id: "1", type: "subscribe", payload: {} }],
  ["variables that are a list", { ...TYPENAME, payload: { query: "{ a }", variables: [1] } }],
  ["complete without an id", { type: "complete" }],
];
for (const [what, message] of MALFORMED) {
  test(`${what} closes with 4400`, async () => {
    const socket = await greetedSocket();
    socket.send(message);
    await assertCloses(socket, 4400);
  });
}

test("a connection_init payload that is not an object closes with 4400", async () => {
  const socket = await bareSocket();
  socket.send({ ...INIT, payload: "Bearer" });
  await assertCloses(socket, 4400);
});

test("connection_init without a token is taken in each of its spellings", async () => {
  for (const init of [INIT, { ...INIT, payload: null }, { ...INIT, payload: {} }]) {
    const socket = await bareSocket();
    socket.send(init);
    assert.equal((await socket.next()).type, "connection_ack");
  }
});

test("subscribe before connection_ack closes with 4401", async () => {
  const socket = await bareSocket();
  socket.send(TYPENAME);
  await assertCloses(socket, 4401);
});

test("a bad token in connection_init closes with 4403", async () => {
  for (const authorization of ["Bearer nonsense", "nonsense", "Bearer ", 7]) {
    const socket = await bareSocket();
    socket.send({ ...INIT, payload: { authorization } });
    await assertCloses(socket, 4403);
  }
});

test("a subprotocol that is unknown, or none, closes with 4406", async () => {
  const none = await bareSocket({ protocols: [] });
  await assertCloses(none, 4406);
  // As a header, because the client would by itself refuse an answer that picks no protocol.
  const legacy = { "sec-websocket-protocol": "graphql-ws" };
  await assertCloses(await bareSocket({ protocols: [], headers: legacy }), 4406);
});

test("the right subprotocol is found among others", async () => {
  const socket = await bareSocket({ protocols: ["graphql-ws", "graphql-transport-ws"] });
  socket.send(INIT);
  assert.equal((await socket.next()).type, "connection_ack");
});

test("no connection_init within its time closes with 4408", async () => {
  await assertCloses(await bareSocket({}, tight), 4408);
});

test("an id that is still running closes with 4409", async () => {
  const socket = await greetedSocket();
  const variables = { auctionId: await auctionOf(await person("seller")) };
  const watch = { id: "same", type: "subscribe", payload: { query: WATCH, variables } };
  socket.send(watch);
  assert.equal((await socket.next()).type, "next");
  socket.send(watch);
  await assertCloses(socket, 4409);
});

test("a second connection_init closes with 4429", async () => {
  const acknowledged = await greetedSocket();
  acknowledged.send(INIT);
  await assertCloses(acknowledged, 4429);

  const eager = await bareSocket();
  eager.send(INIT);
  eager.send(INIT);
  await assertCloses(eager, 4429);
});

test("a message over 64 KiB closes with 1009", async () => {
  const socket = await greetedSocket();
  const query = `{ __typename } #${"x".repeat(64 * 1024)}`;
  socket.send({ ...TYPENAME, payload: { query } });
  await assertCloses(socket, 1009);
});

test("a ping is answered by a pong before and after the handshake", async () => {
  const socket = await bareSocket();
  socket.send({ type: "ping" });
  assert.equal((await socket.next()).type, "pong");
  socket.send(INIT);
  assert.equal((await socket.next()).type, "connection_ack");
  socket.send({ type: "pong" });
  socket.send({ type: "ping", payload: { any: "thing" } });
  assert.equal((await socket.next()).type, "pong");
});

test("only pages of this server may open a socket", async () => {
  assert.equal(await upgradeStatus(house, {}), 101);
  assert.equal(await upgradeStatus(house, { origin: house.origin }), 101);
  assert.equal(await upgradeStatus(house, { origin: "https://foreign.example" }), 403);
  assert.equal(await upgradeStatus(house, { origin: "null" }), 403);
  // Another port is another site.
  assert.equal(await upgradeStatus(house, { origin: tight.origin }), 403);
});

test("an allowed origin may open a socket and read answers", async () => {
  const origin = "https://shop.example";
  assert.equal(await upgradeStatus(tight, { origin }), 101);
  assert.equal(await upgradeStatus(tight, { origin: "https://foreign.example" }), 403);
  const preflight = await fetch(new URL("/graphql", tight), {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type",
    },
  });
  assert.ok(preflight.ok);
  assert.equal(preflight.headers.get("access-control-allow-origin"), origin);
  const allowed = preflight.headers.get("access-control-allow-headers").toLowerCase();
  assert.match(allowed, /authorization/);
  assert.match(allowed, /content-type/);
});
