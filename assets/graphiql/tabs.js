// The documents that a newcomer meets first. Each one is valid against schema.graphql: a test of
// tests/clients holds that.

const openAuctions = `# Ctrl-Enter shows what is on offer now.
# The other tabs take an id from here.
query OpenAuctions {
  auctions(filter: { status: [OPEN] }, orderBy: ENDING_SOON, first: 10) {
    nodes {
      id
      title
      currentPrice
      minimumBid
      endsAt
      leader {
        username
      }
    }
  }
}
`;

const bid = `# 1. Fill in who you are below, run SignIn,
#    and write its token into Headers:
#    {"Authorization": "Bearer TOKEN"}
# 2. Run PlaceBid with an auction's id and
#    an amount of its minimumBid or more.
mutation SignIn($who: SignInInput!) {
  signIn(input: $who) {
    session {
      token
      expiresAt
    }
    user {
      username
    }
    userErrors {
      code
      message
    }
  }
}

mutation PlaceBid($bid: PlaceBidInput!) {
  placeBid(input: $bid) {
    bid {
      amount
      sequence
      placedAt
    }
    auction {
      currentPrice
      minimumBid
      endsAt
      leader {
        username
      }
    }
    userErrors {
      code
      message
      field
    }
  }
}
`;

const watch = `# Each bid shows here as it is accepted,
# until the auction ends.
subscription WatchAuction($auctionId: ID!) {
  auctionUpdated(auctionId: $auctionId) {
    sequence
    kind
    at
    bid {
      amount
      isAutomatic
      bidder {
        username
      }
    }
    auction {
      title
      currentPrice
      minimumBid
      bidCount
      endsAt
      leader {
        username
      }
    }
  }
}
`;

const json = (value) => JSON.stringify(value, null, 2);

/**
 * The tabs of a first visit. `auction` (its `id` and `minimumBid`) fills in the variables; without
 * one they say what belongs there.
 */
export function defaultTabs(auction) {
  const auctionId = auction?.id ?? "AN ID OF THE FIRST TAB";
  const amount = auction?.minimumBid ?? "10000";
  return [
    { query: openAuctions },
    {
      query: bid,
      variables: json({ who: { username: "", password: "" }, bid: { auctionId, amount } }),
    },
    { query: watch, variables: json({ auctionId }) },
  ];
}
