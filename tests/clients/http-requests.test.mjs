// What the audits leave open: refusals by method, type, size and shape, and what they look like.
import assert from "node:assert/strict";
import { test } from "node:test";
import { graphqlOf, house } from "./support/address.mjs";
import { PASSWORD, person, post } from "./support/house.mjs";

const JSON_TYPE = "application/json";
const GRAPHQL_TYPE = "application/graphql-response+json";

/** Sends a body as it is; answers status, headers and the parsed body. */
async function send(body, headers = {}, method = "POST") {
  const all = { "content-type": JSON_TYPE, accept: GRAPHQL_TYPE, ...headers };
  const response = await fetch(graphqlOf(house), { method, headers: all, body, duplex: "half" });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text && JSON.parse(text) };
}

const operation = (parts) => JSON.stringify(parts);
const TYPENAME = operation({ query: "{ __typename }" });

function assertRefusal({ body }, code) {
  assert.ok(!("data" in body), "a refused request has no data entry");
  assert.equal(typeof body.errors[0].message, "string");
  assert.equal(body.errors[0].extensions.code, code);
}

const REFUSED_BEFORE_GRAPHQL = [
  ["a batch", 400, `[${TYPENAME}]`],
  ["a JSON string", 400, '"{ __typename }"'],
  ["bytes that are not UTF-8", 400, Buffer.from('{"query":"{ __typename } #\xff"}', "latin1")],
  ["text/plain", 415, TYPENAME, { "content-type": "text/plain" }],
  ["a form", 415, "query={__typename}", { "content-type": "application/x-www-form-urlencoded" }],
  ["multipart", 415, TYPENAME, { "content-type": "multipart/form-data; boundary=x" }],
  ["another charset", 415, TYPENAME, { "content-type": "application/json; charset=iso-8859-1" }],
];
for (const [what, status, body, headers] of REFUSED_BEFORE_GRAPHQL) {
  test(`${what} is refused with ${status}`, async () => {
    const answer = await send(body, headers);
    assert.equal(answer.status, status);
    assertRefusal(answer, "BAD_USER_INPUT");
  });
}

const REFUSED_BY_GRAPHQL = [
  ["a variable of the wrong type", { query: "query ($id: ID!) { node(id: $id) { id } }" }],
  ["an unknown operationName", { query: "query A { __typename }", operationName: "B" }],
  ["two operations and no name", { query: "query A { __typename } query B { __typename }" }],
  ["a subscription", { query: 'subscription { auctionUpdated(auctionId: "x") { sequence } }' }],
];
for (const [what, parts] of REFUSED_BY_GRAPHQL) {
  test(`${what} is 400 as ${GRAPHQL_TYPE} and 200 as ${JSON_TYPE}`, async () => {
    const modern = await send(operation(parts));
    assert.equal(modern.status, 400);
    assertRefusal(modern, "BAD_USER_INPUT");

    const legacy = await send(operation(parts), { accept: JSON_TYPE });
    assert.equal(legacy.status, 200);
    assertRefusal(legacy, "BAD_USER_INPUT");
  });
}

test("a quoted charset and capitals are the same media type", async () => {
  const { status } = await send(TYPENAME, { "content-type": 'Application/JSON; charset="UTF-8"' });
  assert.equal(status, 200);
});

test("the better of two accepted types is answered", async () => {
  const both = `${JSON_TYPE};q=0.9, ${GRAPHQL_TYPE}`;
  const { headers } = await send(TYPENAME, { accept: both });
  assert.match(headers.get("content-type"), /^application\/graphql-response\+json/);
});

test("a type that nobody can make is refused with 406", async () => {
  assert.equal((await send(TYPENAME, { accept: "text/html" })).status, 406);
});

test("other methods are refused with 405", async () => {
  for (const method of ["PUT", "DELETE", "PATCH"]) {
    assert.equal((await send(TYPENAME, {}, method)).status, 405, method);
  }
});

test("a mutation over GET is refused and not run", async () => {
  const username = `get-${Date.now()}`;
  const input = `{ username: "${username}", password: "${PASSWORD}" }`;
  const url = new URL(graphqlOf(house));
  url.searchParams.set("query", `mutation { signUp(input: ${input}) { user { id } } }`);
  const { status, headers } = await fetch(url);
  assert.equal(status, 405);
  assert.match(headers.get("allow"), /POST/);
  const { data } = await post(`{ user(username: "${username}") { id } }`);
  assert.equal(data.user, null);
});

test("a body over 64 KiB is refused with 413, announced or not", async () => {
  const long = operation({ query: `{ __typename } #${"x".repeat(64 * 1024)}` });
  assert.equal((await send(long)).status, 413);
  assert.equal((await send(new Blob([long]).stream())).status, 413);
});

test("an unknown token is refused, not taken for nobody", async () => {
  const answer = await send(TYPENAME, { authorization: "Bearer nonsense" });
  assertRefusal(answer, "UNAUTHENTICATED");
});

test("a token is dead once it is signed out", async () => {
  const { token } = await person("leaving");
  const { data } = await post("mutation { signOut { signedOut } }", {}, token);
  assert.equal(data.signOut.signedOut, true);
  const after = await post("{ viewer { user { username } } }", {}, token);
  assert.equal(after.errors[0].extensions.code, "UNAUTHENTICATED");
});

test("another site's page may not read the answers", async () => {
  const preflight = await fetch(graphqlOf(house), {
    method: "OPTIONS",
    headers: { origin: "https://foreign.example", "access-control-request-method": "POST" },
  });
  assert.equal(preflight.headers.get("access-control-allow-origin"), null);
  const { headers } = await send(TYPENAME, { origin: "https://foreign.example" });
  assert.equal(headers.get("access-control-allow-origin"), null);
});
