// Two ways to the socket: graphql-ws as applications use it, and a bare one that can misbehave.
// Whatever a test opens is closed when it ends, however it ends.
import { afterEach } from "node:test";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { house, socketOf } from "./address.mjs";

export const PROTOCOL = "graphql-transport-ws";

export const WATCH = `subscription Watch($auctionId: ID!, $after: Int) {
  auctionUpdated(auctionId: $auctionId, after: $after) {
    sequence kind at
    bid { amount isAutomatic sequence bidder { username } }
    auction { id title currentPrice minimumBid bidCount endsAt sequence leader { username } }
  }
}`;

const leftovers = [];
afterEach(() => Promise.all(leftovers.splice(0).map((close) => close())));

/** The reference client. It does not retry: a test that wants that says so. */
export function client(token, options = {}) {
  const created = createClient({
    url: socketOf(house),
    webSocketImpl: WebSocket,
    connectionParams: token ? { authorization: `Bearer ${token}` } : undefined,
    retryAttempts: 0,
    ...options,
  });
  leftovers.push(() => created.dispose());
  return created;
}

/** The one result of a query or mutation sent over the socket. */
export async function only(operations) {
  const results = [];
  for await (const result of operations) results.push(result);
  if (results.length !== 1) throw new Error(`${results.length} results where one is due`);
  return results[0];
}

/** A bare socket: `send`, `next` message, `closed` with its code. Opens without connection_init. */
export async function bareSocket({ protocols = [PROTOCOL], headers } = {}, server = house) {
  const socket = new WebSocket(socketOf(server), protocols, { headers });
  leftovers.push(() => socket.terminate());
  const waiting = [];
  const arrived = [];
  let closing;
  const closed = new Promise((done) => {
    socket.once("close", (code, reason) => done((closing = { code, reason: reason.toString() })));
  });
  closed.then(() => waiting.splice(0).forEach(({ fail }) => fail(ended(closing))));
  socket.on("message", (text) => {
    const message = JSON.parse(text);
    // A server may ask at any time whether we are still here.
    if (message.type === "ping") return socket.send('{"type":"pong"}');
    waiting.length ? waiting.shift().done(message) : arrived.push(message);
  });
  await new Promise((done, fail) => socket.once("open", done).once("error", fail));
  socket.on("error", () => {});
  return {
    closed,
    send: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
    next: () =>
      arrived.length
        ? Promise.resolve(arrived.shift())
        : closing
          ? Promise.reject(ended(closing))
          : new Promise((done, fail) => waiting.push({ done, fail })),
  };
}

const ended = ({ code, reason }) => new Error(`the socket closed with ${code} ${reason}`);

/** A bare socket after its handshake. */
export async function greetedSocket(token) {
  const socket = await bareSocket();
  const payload = token ? { authorization: `Bearer ${token}` } : undefined;
  socket.send({ type: "connection_init", payload });
  const { type } = await socket.next();
  if (type !== "connection_ack") throw new Error(`${type} where connection_ack is due`);
  return socket;
}

/** The HTTP status that a WebSocket upgrade with these headers gets: 101 when it is let in. */
export function upgradeStatus(server, headers) {
  return new Promise((done, fail) => {
    const socket = new WebSocket(socketOf(server), PROTOCOL, { headers });
    socket.once("open", () => (socket.close(), done(101)));
    socket.once("unexpected-response", (request, response) => {
      request.destroy();
      done(response.statusCode);
    });
    socket.once("error", fail);
  });
}
