// The playground in a real browser that can reach nothing but this server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { house } from "./support/address.mjs";
import { freshPage, launch } from "./support/browser.mjs";
import { PASSWORD, bid, sale } from "./support/house.mjs";

const TITLE = "달항아리 Moon jar";
const GIVE_UP_AFTER_MS = 30_000;
let browser;
let auctionId;
let seller;
let alice;
let bora;

before(async () => {
  browser = await launch();
  ({ auctionId, seller, alice, bora } = await sale({ title: TITLE }));
  await bid(alice, auctionId, 10_000);
});
after(() => browser?.close());

/** Asks again and again, inside the page's own policy: waiting in the page would need `eval`. */
async function until(holds, what) {
  const deadline = Date.now() + GIVE_UP_AFTER_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) assert.fail(`not within ${GIVE_UP_AFTER_MS} ms: ${what}`);
    await sleep(50);
  }
}

/** Opens /graphiql and waits until the page knows the schema. */
async function open(page, link = "") {
  const response = await page.goto(new URL(`/graphiql${link}`, house).href);
  await page.getByLabel("Show Documentation Explorer").click();
  await page.getByText("Root Types").waitFor();
  return response;
}

const link = (parts) => new URLSearchParams(parts).toString();
const execute = (page) => page.locator("button.graphiql-execute-button").click();
const editor = (page, area, text) =>
  page.evaluate(
    ([where, value]) => {
      const { CodeMirror } = document.querySelector(`${where} .CodeMirror`);
      if (value !== undefined) CodeMirror.setValue(value);
      return CodeMirror.getValue();
    },
    [area, text],
  );

/** Opens a tab and waits until GraphiQL has read which operation is in it. */
async function turnTo(page, operation) {
  await page.locator(".graphiql-tab-button").getByText(operation).click();
  const read = () =>
    page.evaluate(
      () => document.querySelector(".graphiql-query-editor .CodeMirror").CodeMirror.operationName,
    );
  await until(async () => (await read()) === operation, `${operation} is open`);
}

/** The answer that the page shows, as soon as it holds this text. */
async function answer(page, text) {
  const shown = () => editor(page, ".graphiql-response");
  await until(async () => (await shown()).includes(text), `${text} is shown`);
  return JSON.parse(await shown()).data;
}

test("the first visit finds tabs that work", async () => {
  const { page, faults } = await freshPage(browser);
  const response = await open(page);
  const policy = response.headers()["content-security-policy"];
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /script-src 'self'(;|$)/);
  assert.equal(await page.title(), "NeighborBid");
  const tabs = await page.locator(".graphiql-tab-button").allTextContents();
  assert.deepEqual(tabs, ["OpenAuctions", "SignIn", "WatchAuction"]);

  await execute(page);
  const { auctions } = await answer(page, auctionId);
  assert.equal(auctions.nodes.find(({ id }) => id === auctionId).title, TITLE);

  // The other tabs come with an open auction filled in, though not necessarily this one.
  await turnTo(page, "WatchAuction");
  await execute(page);
  const { auctionUpdated } = await answer(page, "SNAPSHOT");
  assert.ok(auctionUpdated.auction.title);
  await execute(page);

  await turnTo(page, "SignIn");
  const area = "[aria-label='Variables']";
  const variables = JSON.parse(await editor(page, area));
  variables.who = { username: alice.username, password: PASSWORD };
  await editor(page, area, JSON.stringify(variables));
  await execute(page);
  await page.getByRole("menuitem", { name: "SignIn" }).click();
  const { signIn } = await answer(page, "token");
  assert.equal(signIn.user.username, alice.username);
  assert.deepEqual(faults, []);
});

test("a subscription shows a bid the moment another client places it", async () => {
  const { page, faults } = await freshPage(browser);
  const query = `subscription Live($id: ID!) {
    auctionUpdated(auctionId: $id) {
      kind
      bid { amount bidder { username } }
      auction { title viewerPosition { isSeller } }
    }
  }`;
  const variables = JSON.stringify({ id: auctionId });
  const headers = JSON.stringify({ Authorization: `Bearer ${seller.token}` });
  await open(page, `#${link({ query, variables, headers })}`);
  await execute(page);
  const snapshot = await answer(page, "SNAPSHOT");
  assert.deepEqual(snapshot.auctionUpdated.auction, {
    title: TITLE,
    viewerPosition: { isSeller: true },
  });

  await bid(bora, auctionId, 20_000);
  const { auctionUpdated } = await answer(page, "BID_PLACED");
  assert.deepEqual(auctionUpdated.bid, { amount: "20000", bidder: { username: bora.username } });
  assert.deepEqual(faults, []);
});

test("a link brings a query in Hangul, its variables and its headers", async () => {
  const { page, faults } = await freshPage(browser);
  const query = `# ${TITLE}\nquery Who($title: String!) {
    viewer { user { username } }
    auctions(filter: { query: $title }, first: 1) { nodes { title } }
  }\n`;
  const parts = {
    query,
    variables: JSON.stringify({ title: "달항아리" }),
    headers: JSON.stringify({ authorization: `Bearer ${bora.token}` }),
  };
  await open(page, `?${link(parts)}`);
  assert.equal(await editor(page, ".graphiql-query-editor"), query);
  await execute(page);
  const { viewer, auctions } = await answer(page, bora.username);
  assert.equal(viewer.user.username, bora.username);
  assert.equal(auctions.nodes[0].title, TITLE);

  // The page keeps what was opened, and the same link opens the same tab again.
  await open(page, `?${link(parts)}`);
  assert.equal(await page.locator(".graphiql-tab").count(), 4);
  assert.deepEqual(faults, []);
});

test("the dialogs stay within the page's policy", async () => {
  const { page, faults } = await freshPage(browser);
  await open(page);
  for (const name of ["Open settings dialog", "Open short keys dialog"]) {
    await page.getByLabel(name).click();
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
  }
  assert.deepEqual(faults, []);
});
