// The closing handshake of RFC 6455, as clients and a browser see it: whoever closes a socket hears
// the server's own close in answer, and is not left to wait for it.
import assert from "node:assert/strict";
import { test } from "node:test";
import WebSocket from "ws";
import { house, socketOf } from "./support/address.mjs";
import { freshPage, launch } from "./support/browser.mjs";
import { auctionOf, person } from "./support/house.mjs";
import { PROTOCOL, WATCH, client } from "./support/sockets.mjs";

/** The close as the client's own API tells it. */
function closeOf(socket) {
  const facts = ({ code, reason, wasClean }) => ({ code, reason, wasClean });
  return new Promise((done) => socket.addEventListener("close", (event) => done(facts(event))));
}

/** A socket after its handshake, with a subscription that runs if there is an auction for one. */
async function opened(auctionId) {
  const socket = new WebSocket(socketOf(house), PROTOCOL);
  const message = () => new Promise((done) => socket.once("message", done));
  await new Promise((done, fail) => socket.once("open", done).once("error", fail));
  socket.send('{"type":"connection_init"}');
  await message();
  if (auctionId) {
    const payload = { query: WATCH, variables: { auctionId } };
    socket.send(JSON.stringify({ id: "1", type: "subscribe", payload }));
    await message();
  }
  return socket;
}

for (const [code, reason] of [[1000, "Normal Closure"], [1001, ""], [4321, "of my own"]]) {
  test(`a close with ${code} is answered with ${code}`, async () => {
    const auctionId = await auctionOf(await person("seller"));
    for (const socket of [await opened(), await opened(auctionId)]) {
      const closed = closeOf(socket);
      socket.close(code, reason);
      assert.deepEqual(await closed, { code, reason, wasClean: true });
    }
  });
}

test("a close without a code is answered by one without", async () => {
  const socket = await opened();
  const closed = closeOf(socket);
  socket.close();
  assert.deepEqual(await closed, { code: 1005, reason: "", wasClean: true });
});

test("a close before anything was said is answered too", async () => {
  const socket = new WebSocket(socketOf(house), PROTOCOL);
  await new Promise((done, fail) => socket.once("open", done).once("error", fail));
  const closed = closeOf(socket);
  socket.close(1000);
  assert.deepEqual(await closed, { code: 1000, reason: "", wasClean: true });
});

test("what we close is closed cleanly as well", async () => {
  const socket = await opened();
  const closed = closeOf(socket);
  socket.send("{");
  assert.deepEqual(await closed, { code: 4400, reason: "Invalid message", wasClean: true });
});

test("a lazy client that subscribes again at once is served by a new socket", async () => {
  const auctionId = await auctionOf(await person("seller"));
  const happened = [];
  const lazy = client(undefined, {
    lazyCloseTimeout: 0,
    on: {
      connected: () => happened.push("connected"),
      closed: ({ code, wasClean }) => happened.push([code, wasClean]),
    },
  });
  for (let turn = 0; turn < 5; turn++) {
    const updates = lazy.iterate({ query: WATCH, variables: { auctionId } });
    assert.equal((await updates.next()).value.data.auctionUpdated.kind, "SNAPSHOT");
    await updates.return();
  }
  const sockets = happened.filter((what) => what === "connected").length;
  assert.equal(sockets, 5);
  const closes = happened.filter((what) => what !== "connected");
  assert.ok(closes.length >= 4);
  for (const close of closes) assert.deepEqual(close, [1000, true]);
});

test("Chromium sees a clean close, and subscribes again without a wait", async () => {
  const browser = await launch();
  try {
    const { page } = await freshPage(browser);
    await page.goto(new URL("/healthz", house).href);
    const closes = await page.evaluate(
      async ([url, protocol]) => {
        const seen = [];
        for (const close of [[1000, "Normal Closure"], [4321, "of my own"], []]) {
          const socket = new WebSocket(url, protocol);
          const next = (what) =>
            new Promise((done) => socket.addEventListener(what, done, { once: true }));
          await next("open");
          socket.send('{"type":"connection_init"}');
          await next("message");
          const closed = next("close");
          socket.close(...close);
          const { code, wasClean } = await closed;
          seen.push([code, wasClean]);
        }
        return seen;
      },
      [socketOf(house), PROTOCOL],
    );
    assert.deepEqual(closes, [[1000, true], [4321, true], [1005, true]]);
  } finally {
    await browser.close();
  }
});
