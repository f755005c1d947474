// Starts the playground: one fetcher for HTTP and WebSocket, and the tabs to begin with.
//
// A link may bring a tab of its own: /graphiql?query=…&variables=…&headers=…, the last two as JSON.
// The same may stand after a # instead, which the browser never sends: the place for a token.
import { defaultTabs } from "./tabs.js";

const endpoint = new URL("/graphql", location.href);
const socket = new URL(endpoint);
socket.protocol = endpoint.protocol === "https:" ? "wss:" : "ws:";

const send = GraphiQL.createFetcher({
  url: endpoint.href,
  // Headers reach the server as connection_init's payload when a subscription starts.
  subscriptionUrl: socket.href,
  enableIncrementalDelivery: false,
});

/** HTTP ignores the case of header names and connection_init does not: send them all lower-case. */
function fetcher(request, options) {
  const headers = Object.entries(options?.headers ?? {});
  const lowerCased = Object.fromEntries(headers.map(([name, it]) => [name.toLowerCase(), it]));
  return send(request, { ...options, headers: lowerCased });
}

/** An open auction to fill in the variables; a first visit works without one too. */
async function anOpenAuction() {
  const query = `query AnOpenAuction {
    auctions(filter: { status: [OPEN] }, orderBy: MOST_BIDS, first: 1) { nodes { id minimumBid } }
  }`;
  try {
    const answer = await fetcher({ query });
    return answer.data?.auctions.nodes[0];
  } catch {
    return undefined;
  }
}

function linkedTab() {
  const link = new URLSearchParams(location.hash.slice(1) || location.search);
  const query = link.get("query");
  if (query === null) return undefined;
  // Never null: GraphiQL would take the variables of the former visit instead.
  return { query, variables: link.get("variables") ?? "", headers: link.get("headers") ?? "" };
}

// A link differing only after the # does not load the page anew by itself.
addEventListener("hashchange", () => location.reload());

const linked = linkedTab();
const tabs = defaultTabs(await anOpenAuction());

const playground = React.createElement(
  GraphiQL,
  {
    fetcher,
    ...linked,
    defaultTabs: linked ? [linked, ...tabs] : tabs,
    defaultQuery: "# Ctrl-Space lists what may stand here.\n",
    defaultEditorToolsVisibility: true,
    // Other playgrounds on this host and port keep their tabs apart from ours.
    storage: GraphiQL.createLocalStorage({ namespace: "neighborbid" }),
  },
  React.createElement(GraphiQL.Logo, null, "NeighborBid"),
);
ReactDOM.createRoot(document.getElementById("graphiql")).render(playground);
