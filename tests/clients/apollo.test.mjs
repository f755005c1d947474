// Apollo Client, set up as its documentation says.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import { graphqlOf, house } from "./support/address.mjs";
import { PLACE_BID, TITLE, sale } from "./support/house.mjs";
import { WATCH, client } from "./support/sockets.mjs";

test("Apollo Client queries, bids and watches", async () => {
  const { auctionId, alice } = await sale();
  const socket = client(alice.token);
  const apollo = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      new HttpLink({
        uri: graphqlOf(house),
        headers: { authorization: `Bearer ${alice.token}` },
      }),
    ),
  });

  const query = gql`
    query Sale($id: ID!) {
      auction(id: $id) { id title minimumBid }
      viewer { user { username } }
    }
  `;
  const { data } = await apollo.query({ query, variables: { id: auctionId } });
  assert.equal(data.auction.title, TITLE);
  assert.equal(data.viewer.user.username, alice.username);

  const input = { auctionId, amount: data.auction.minimumBid };
  const kinds = [];
  await new Promise((done, fail) => {
    const watching = apollo.subscribe({ query: gql(WATCH), variables: { auctionId } }).subscribe({
      error: fail,
      next(event) {
        kinds.push(event.data.auctionUpdated.kind);
        if (kinds.length === 2) return watching.unsubscribe(), done();
        apollo
          .mutate({ mutation: gql(PLACE_BID), variables: { input } })
          .then((bid) => assert.equal(bid.data.placeBid.auction.currentPrice, "10000"))
          .catch(fail);
      },
    });
  });
  assert.deepEqual(kinds, ["SNAPSHOT", "BID_PLACED"]);
  apollo.stop();
});
