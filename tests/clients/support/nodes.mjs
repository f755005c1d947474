// Nodes of a house of a test's own, on one SQLite file: to be stopped, started again on the same
// port, or to take over from one another. Whatever a test starts is gone when it ends.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { binary } from "./address.mjs";

const leftovers = [];
const children = new Set();
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));
// So ends what takes too long.
process.once("SIGTERM", () => process.exit(1));
afterEach(async () => {
  for (const clear of leftovers.splice(0).reverse()) await clear();
});

/** A database for nodes: nobody else's. */
export function database() {
  const folder = mkdtempSync(join(tmpdir(), "neighborbid-nodes-"));
  leftovers.push(() => rmSync(folder, { recursive: true, force: true }));
  return `sqlite://${join(folder, "house.db")}?mode=rwc`;
}

/** A node that serves `databaseUrl`: `{ url, stop, start }`; `start` brings it back to its port. */
export async function node(databaseUrl) {
  const port = await freePort();
  const url = new URL(`http://127.0.0.1:${port}`);
  const flags = [
    ...["--listen", `127.0.0.1:${port}`],
    ...["--admin-listen", "off"],
    ...["--database-url", databaseUrl],
    ...["--payments", "simulated"],
    ...["--rate-limit", "off"],
  ];
  let child;
  let left;
  const start = async () => {
    child = spawn(binary, ["serve", ...flags], { stdio: "ignore" });
    children.add(child);
    left = new Promise((done) => child.once("exit", (code, signal) => done(code ?? signal)));
    await ready(url, child);
  };
  /** As operators stop it; it must leave with success. */
  const stop = async () => {
    child.kill("SIGTERM");
    const code = await left;
    if (code !== 0) throw new Error(`the node left with ${code}`);
  };
  leftovers.push(async () => {
    child.kill("SIGKILL");
    await left;
  });
  await start();
  return { url, start, stop };
}

async function ready(url, child) {
  const deadline = Date.now() + 60_000;
  while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    const answer = await fetch(new URL("/readyz", url)).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(20);
  }
  throw new Error(`the node at ${url} did not become ready`);
}

/** Below the ports that systems give away: nobody takes it while its node is down. */
async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const isFree = await new Promise((done) => {
      const probe = createServer().once("error", () => done(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => done(true)));
    });
    if (isFree) return port;
  }
}
