// urql, set up as its documentation says: its queries go by GET, unless they are long.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from "@urql/core";
import { graphqlOf, house } from "./support/address.mjs";
import { PLACE_BID, TITLE, sale } from "./support/house.mjs";
import { WATCH, client } from "./support/sockets.mjs";

test("urql queries, bids and watches", async () => {
  const { auctionId, alice } = await sale();
  const socket = client(alice.token);
  const urql = new Client({
    url: graphqlOf(house),
    fetchOptions: { headers: { authorization: `Bearer ${alice.token}` } },
    exchanges: [
      cacheExchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = "", variables }) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
        }),
      }),
    ],
  });

  const query = `query Sale($id: ID!) {
    auction(id: $id) { id title minimumBid }
    viewer { user { username } }
  }`;
  const { data, error } = await urql.query(query, { id: auctionId }).toPromise();
  assert.equal(error, undefined);
  assert.equal(data.auction.title, TITLE);
  assert.equal(data.viewer.user.username, alice.username);

  const kinds = [];
  await new Promise((done, fail) => {
    const { unsubscribe } = urql.subscription(WATCH, { auctionId }).subscribe(async (result) => {
      if (result.error) return fail(result.error);
      kinds.push(result.data.auctionUpdated.kind);
      if (kinds.length === 2) return unsubscribe(), done();
      const input = { auctionId, amount: data.auction.minimumBid };
      const bid = await urql.mutation(PLACE_BID, { input }).toPromise();
      if (bid.data?.placeBid.auction.currentPrice !== "10000") fail(bid.error ?? bid.data);
    });
  });
  assert.deepEqual(kinds, ["SNAPSHOT", "BID_PLACED"]);
});
