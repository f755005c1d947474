// Where the servers under test are. Without them nothing here can be judged, so a missing address
// is a refusal, never a skipped test.

function setting(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set; \`node run.mjs PATH_TO_NEIGHBORBID\` starts what is needed`);
    process.exit(1);
  }
  return value;
}

/** The server with its default settings. */
export const house = new URL(setting("NEIGHBORBID_URL"));
/** The server with one second for connection_init that lets `https://shop.example` in. */
export const tight = new URL(setting("NEIGHBORBID_TIGHT_URL"));
/** The program, for tests that start and stop nodes of their own. */
export const binary = setting("NEIGHBORBID_BINARY");

export const graphqlOf = (server) => new URL("/graphql", server).href;
export const socketOf = (server) => graphqlOf(server).replace(/^http/, "ws");
