// What a test needs before it can begin: people with money, auctions, bids. Plain fetch, to the
// house that all tests share or to a `server` of the test's own.
import { randomBytes } from "node:crypto";
import { graphqlOf, house } from "./address.mjs";

/** Posts one operation; answers the GraphQL response as it came. */
export async function post(query, variables, token, server = house) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const body = JSON.stringify({ query, variables });
  const response = await fetch(graphqlOf(server), { method: "POST", headers, body });
  return response.json();
}

/** Posts one operation that must succeed; answers its data. */
export async function ask(query, variables, token, server) {
  const { data, errors } = await post(query, variables, token, server);
  if (errors) throw new Error(`refused: ${JSON.stringify(errors)}`);
  return data;
}

/** Runs a mutation of one field that must have no user errors; answers that field. */
async function change(query, input, token, server) {
  const [payload] = Object.values(await ask(query, { input }, token, server));
  if (payload.userErrors.length) throw new Error(JSON.stringify(payload.userErrors));
  return payload;
}

export const TITLE = "청자 찻잔 Celadon cup";
export const PASSWORD = "correct horse battery staple";

/** A new signed-in person: `{ token, id, username }`. */
export async function person(name, server) {
  const username = `${name}-${randomBytes(4).toString("hex")}`;
  const { session, user } = await change(
    `mutation ($input: SignUpInput!) {
      signUp(input: $input) {
        session { token } user { id username } userErrors { code message }
      }
    }`,
    { username, password: PASSWORD },
    undefined,
    server,
  );
  return { token: session.token, ...user };
}

/** A new person with enough money for every test. */
export async function bidder(name, server) {
  const someone = await person(name, server);
  await change(
    `mutation ($input: WalletAmountInput!) {
      depositToWallet(input: $input) { userErrors { code message } }
    }`,
    { amount: "100000000", idempotencyKey: randomBytes(8).toString("hex") },
    someone.token,
    server,
  );
  return someone;
}

/** A new open auction of `seller`, starting at 10,000 for an hour; answers its id. */
export async function auctionOf(seller, details = {}, server = house) {
  const endsAt = new Date(Date.now() + 3_600_000).toISOString();
  const { auction } = await change(
    `mutation ($input: CreateAuctionInput!) {
      createAuction(input: $input) { auction { id } userErrors { code message field } }
    }`,
    { title: TITLE, description: "A cup.", startingPrice: "10000", endsAt, ...details },
    seller.token,
    server,
  );
  return auction.id;
}

/** One auction with two people that can bid on it. */
export async function sale(details, server) {
  const seller = await person("seller", server);
  const [alice, bora] = await Promise.all([bidder("alice", server), bidder("보라", server)]);
  return { auctionId: await auctionOf(seller, details, server), seller, alice, bora };
}

export const PLACE_BID = `mutation PlaceBid($input: PlaceBidInput!) {
  placeBid(input: $input) {
    bid { id amount sequence bidder { username } }
    auction { currentPrice minimumBid bidCount }
    userErrors { code message field }
  }
}`;

/** Places a bid that must be accepted. */
export async function bid(someone, auctionId, amount, server) {
  return change(PLACE_BID, { auctionId, amount: String(amount) }, someone.token, server);
}

/** `count` bids in turns, 10,000 apart: more than any increment at these prices asks for. */
export async function bidInTurns(people, auctionId, count) {
  for (let turn = 1; turn <= count; turn++) {
    await bid(people[turn % people.length], auctionId, turn * 10_000);
  }
}
