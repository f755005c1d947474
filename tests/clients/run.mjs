// Starts servers of a built `neighborbid` and runs the tests against them:
//   npm ci && node run.mjs PATH_TO_NEIGHBORBID [arguments for node --test]
//
// The run fails as well when a server does not leave cleanly, or when `neighborbid audit` finds its
// database broken afterwards.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const [binary, ...testArguments] = process.argv.slice(2);
if (!binary || !existsSync(binary)) {
  quit(`usage: node run.mjs PATH_TO_NEIGHBORBID; no such file: ${binary ?? "(none given)"}`);
}
if (!existsSync(join(here, "node_modules"))) quit("node_modules is missing: run `npm ci` first");

const folder = mkdtempSync(join(tmpdir(), "neighborbid-clients-"));
const servers = [];
process.on("exit", () => {
  for (const { child } of servers) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

const house = await start("house", []);
// A second server with the settings that would get in the way of every other test.
const tight = await start("tight", [
  ...["--connection-init-timeout-seconds", "1"],
  ...["--socket-ping-seconds", "1"],
  ...["--allow-origin", "https://shop.example"],
]);
const tests = await run(process.execPath, testCommand(), {
  NEIGHBORBID_URL: house.url,
  NEIGHBORBID_TIGHT_URL: tight.url,
  NEIGHBORBID_BINARY: resolve(binary),
});
const leftWell = await Promise.all(servers.map(stop));
const sound = servers.map(audit);
process.exitCode = tests === 0 && [...leftWell, ...sound].every(Boolean) ? 0 : 1;

/** The command of `npm test`, so that both ways run the same. */
function testCommand() {
  const { scripts } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
  return [...scripts.test.split(" ").slice(1), ...testArguments];
}

async function start(name, flags) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const database = `sqlite://${join(folder, name)}.db?mode=rwc`;
  const log = join(folder, `${name}.log`);
  const output = openSync(log, "w");
  const child = spawn(
    resolve(binary),
    [
      "serve",
      ...["--listen", `127.0.0.1:${port}`],
      ...["--admin-listen", "off"],
      ...["--database-url", database],
      ...["--payments", "simulated"],
      ...["--rate-limit", "off"],
      ...flags,
    ],
    { stdio: ["ignore", output, output] },
  );
  const server = { name, url, database, log, child };
  server.left = new Promise((done) => child.once("exit", (code, signal) => done(code ?? signal)));
  servers.push(server);
  await ready(server);
  return server;
}

async function ready({ name, url, log, child }) {
  const deadline = Date.now() + 60_000;
  while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(50);
  }
  quit(`the server "${name}" did not become ready:\n${readFileSync(log, "utf8")}`);
}

/** Asks the server to leave; true when it did so with success within the promised 10 s. */
async function stop({ name, log, child, left }) {
  child.kill("SIGTERM");
  const code = await Promise.race([left, sleep(15_000, "nothing", { ref: false })]);
  if (code !== 0) {
    console.error(`the server "${name}" left with ${code}:\n${readFileSync(log, "utf8")}`);
  }
  return code === 0;
}

function audit({ name, database }) {
  const flags = ["audit", "--database-url", database];
  const { status, stdout, stderr } = spawnSync(resolve(binary), flags, { encoding: "utf8" });
  if (status !== 0) console.error(`the audit of "${name}" says ${status}:\n${stdout}${stderr}`);
  return status === 0;
}

function run(command, flags, environment) {
  const options = { cwd: here, stdio: "inherit", env: { ...process.env, ...environment } };
  return new Promise((done) => spawn(command, flags, options).once("exit", done));
}

function freePort() {
  return new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

function quit(message) {
  console.error(message);
  process.exit(1);
}
