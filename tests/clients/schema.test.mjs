// schema.graphql as a document: well-formed, described throughout, Relay-shaped, and the same as
// what the server serves.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  buildClientSchema,
  buildSchema,
  findBreakingChanges,
  findDangerousChanges,
  getIntrospectionQuery,
  parse,
  validate,
  validateSchema,
} from "graphql";
import { ask } from "./support/house.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const FILE = here("../../schema.graphql");
const schema = buildSchema(readFileSync(FILE, "utf8"));

const RULES = [
  "arguments-have-descriptions",
  "defined-types-are-used",
  "deprecations-have-a-reason",
  "descriptions-are-capitalized",
  "enum-values-all-caps",
  "enum-values-have-descriptions",
  "fields-are-camel-cased",
  "fields-have-descriptions",
  "input-object-values-are-camel-cased",
  "input-object-values-have-descriptions",
  "relay-connection-arguments-spec",
  "relay-connection-types-spec",
  "relay-page-info-spec",
  "types-are-capitalized",
  "types-have-descriptions",
];

test("schema.graphql is a valid schema", () => {
  assert.deepEqual(validateSchema(schema), []);
});

test("the linter finds nothing to remark", async () => {
  const linter = here("node_modules/graphql-schema-linter/lib/cli.js");
  const flags = [linter, "--format", "compact", "--rules", RULES.join(","), FILE];
  const remarks = await new Promise((done) => {
    execFile(process.execPath, flags, (failure, out, err) => done(failure ? out + err : ""));
  });
  assert.equal(remarks, "");
});

test("the server serves exactly schema.graphql", async () => {
  const served = buildClientSchema(await ask(getIntrospectionQuery()));
  const changes = [
    ...findBreakingChanges(schema, served),
    ...findBreakingChanges(served, schema),
    ...findDangerousChanges(schema, served),
    ...findDangerousChanges(served, schema),
  ];
  // What the specification itself brings (Float, @deprecated) differs between libraries.
  const own = changes.filter(
    ({ type, description }) => type !== "DIRECTIVE_LOCATION_REMOVED" && !/^Standard scalar/.test(description),
  );
  assert.deepEqual(own, []);
});

test("the playground's tabs are valid", async () => {
  const source = readFileSync(here("../../assets/graphiql/tabs.js"), "utf8");
  const { defaultTabs } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  for (const { query, variables } of defaultTabs()) {
    assert.deepEqual(validate(schema, parse(query)), []);
    if (variables) JSON.parse(variables);
  }
});
