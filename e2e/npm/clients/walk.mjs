// What both TypeScript clients do: list everything that the server offers, call
// every tool, and print one JSON document. The caller looks into it.

const calls = (table) => [
  ["whoami", {}],
  ["query", { sql: "SELECT currentUser() AS me, 1 + 1 AS two" }],
  ["query", { sql: "SELECT number FROM numbers(10000)", max_rows: 3 }],
  ["query", { sql: "SELECT number, toString(number) AS text FROM numbers(150)", format: "json" }],
  ["query", { sql: "SELECT 1 AS a", format: "markdown" }],
  ["query", { sql: "SELECT no_such_column" }],
  ["search_schema", { words: "daily token usage" }],
  ["describe_tables", { tables: [table], samples: true }],
  ["query", { sql: `SELECT currentUser() AS who, authenticatedUser() AS via, count() AS n FROM ${table}` }],
];

// walk uses a connected client and returns what it saw. table is database.table,
// and one that the person may read.
export async function walk(client, table, seen) {
  seen.server = client.getServerVersion();
  seen.instructions = client.getInstructions();
  seen.tools = (await client.listTools()).tools;
  seen.prompts = (await client.listPrompts()).prompts;
  seen.templates = (await client.listResourceTemplates()).resourceTemplates;
  seen.prompt = (await client.getPrompt({ name: "explore", arguments: { topic: "usage" } })).messages;
  seen.resource = (await client.readResource({ uri: `clickhouse://${table.replace(".", "/")}` })).contents;
  seen.calls = [];
  for (const [name, args] of calls(table)) {
    const result = await client.callTool({ name, arguments: args });
    seen.calls.push({ name, args, error: result.isError === true, text: result.content.map((c) => c.text).join("") });
  }
  await client.close();
  return seen;
}

// input reads the arguments, and the token, which is in the environment so that
// it does not show in a list of processes.
export function input() {
  const [, script, url, table, era] = process.argv;
  const token = process.env.PORTERHOUSE_TOKEN;
  if (!url || !table || !token) {
    console.error(`usage: PORTERHOUSE_TOKEN=… node ${script} URL database.table [era]`);
    process.exit(2);
  }
  return { url: new URL(url), table, era, headers: { Authorization: `Bearer ${token}` } };
}
