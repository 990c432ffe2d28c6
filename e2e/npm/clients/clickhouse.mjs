// ClickHouse's own client for Node does everything that it can, and prints one JSON
// document: what came of each thing. The caller compares the documents of two ways.
//
//   CLICKHOUSE_TOKEN=… | CLICKHOUSE_USER=… CLICKHOUSE_PASSWORD=…  node clickhouse.mjs URL

import { Readable } from "node:stream";
import { ClickHouseLogLevel, createClient } from "@clickhouse/client";

const [, , url] = process.argv;
const { CLICKHOUSE_TOKEN: token, CLICKHOUSE_USER: username, CLICKHOUSE_PASSWORD: password } = process.env;
const open = (config = {}) =>
  createClient({ url, ...(token ? { access_token: token } : { username, password }), log: { level: ClickHouseLogLevel.OFF }, ...config });

const text = async (stream) => {
  let all = "";
  for await (const chunk of stream) all += chunk;
  return all;
};
const rows = async (client, query, more = {}) => (await client.query({ query, format: "JSONCompactEachRow", ...more })).json();
const table = "scratch.from_node";
const create = async (client) => {
  await client.command({ query: `DROP TABLE IF EXISTS ${table}` });
  await client.command({ query: `CREATE TABLE ${table} (n UInt64, s String) ENGINE = MergeTree ORDER BY n` });
};
const stored = (client) => rows(client, `SELECT count(), sum(n), sum(cityHash64(s)) FROM ${table}`);

// things are what the client does, by name; each has a client of its own.
const things = {
  ping: async (c) => (await c.ping()).success,
  "ping by SELECT": async (c) => (await c.ping({ select: true })).success,
  whoami: (c) => rows(c, "SELECT currentUser()"),
  "query as JSON": async (c) => {
    const answer = await (await c.query({ query: "SELECT number AS n, toString(number) AS s FROM numbers(3)" })).json();
    return [answer.meta, answer.data, answer.rows];
  },
  "query as text": async (c) => (await c.query({ query: "SELECT number FROM numbers(5)", format: "CSVWithNames" })).text(),
  "query as Parquet, by exec": async (c) => {
    const { stream } = await c.exec({ query: "SELECT number FROM numbers(10) FORMAT Parquet" });
    let size = 0;
    for await (const chunk of stream) size += chunk.length;
    return size;
  },
  stream: async (c) => {
    const answer = await c.query({ query: "SELECT number FROM numbers(200000)", format: "JSONEachRow" });
    let n = 0;
    for await (const some of answer.stream()) n += some.length;
    return n;
  },
  params: (c) =>
    rows(c, "SELECT {n:UInt8}, {s:String}, {a:Array(String)}, {d:Nullable(Date)}, {m:Map(String, UInt8)}", {
      query_params: { n: 7, s: "it's\ta \\ and ü", a: ["x", "y'z"], d: null, m: { k: 1 } },
    }),
  "params of a form": (c) =>
    rows(c, "SELECT {n:UInt8}, {s:String}, length({a:Array(UInt32)})", {
      use_multipart_params: true,
      query_params: { n: 7, s: "it's\ta \\ and ü", a: Array.from({ length: 20000 }, (_, i) => i) },
    }),
  settings: (c) => rows(c, "SELECT getSetting('max_block_size')", { clickhouse_settings: { max_block_size: "1234" } }),
  query_id: async (c) => {
    const query_id = `node-${process.pid}-${Date.now()}`;
    const answer = await c.query({ query: "SELECT queryID()", format: "TabSeparated", query_id });
    return [answer.query_id === query_id, answer.response_headers["x-clickhouse-query-id"] === query_id, (await answer.text()).trim() === query_id];
  },
  role: (c) => rows(c, "SELECT currentRoles()", { role: "extra" }),
  roles: (c) => rows(c, "SELECT arraySort(currentRoles())", { role: ["extra", "author"] }),
  summary: async (c) => {
    await create(c);
    const { summary } = await c.insert({ table, values: [{ n: 1, s: "one" }, { n: 2, s: "two" }], format: "JSONEachRow" });
    return summary?.written_rows;
  },
  "error before the first byte": async (c) => rows(c, "SELECT nonsense"),
  "error of rights": async (c) => rows(c, "SELECT * FROM safe.secret"),
  "error of syntax": async (c) => rows(c, "SELEC 1"),
  "error in the middle": async (c) => {
    const answer = await c.query({
      query: "SELECT number, throwIf(number = 500000) FROM numbers(1000000)",
      format: "JSONEachRow",
      clickhouse_settings: { max_threads: 1 },
    });
    let n = 0;
    for await (const some of answer.stream()) n += some.length;
    return n;
  },
  "INSERT of values": async (c) => {
    await create(c);
    await c.insert({ table, values: [[1, "one"], [2, "two"]] });
    return stored(c);
  },
  "INSERT of a stream": async (c) => {
    await create(c);
    const values = Readable.from((function* () { for (let n = 0; n < 20000; n++) yield { n, s: `row ${n}` }; })(), { objectMode: true });
    await c.insert({ table, values, format: "JSONEachRow" });
    return stored(c);
  },
  "INSERT of lines": async (c) => {
    await create(c);
    await c.insert({ table, values: Readable.from(["1,one\n", "2,two\n"], { objectMode: false }), format: "CSV" });
    return stored(c);
  },
  "INSERT of chosen columns": async (c) => {
    await create(c);
    await c.insert({ table, values: [{ n: 5 }], format: "JSONEachRow", columns: ["n"] });
    return stored(c);
  },
  "INSERT by exec with values": async (c) => {
    await create(c);
    const { stream } = await c.exec({ query: `INSERT INTO ${table} FORMAT TabSeparated`, values: Readable.from(["9\tnine\n"]) });
    await text(stream);
    return stored(c);
  },
  "INSERT asynchronously": async (c) => {
    await create(c);
    await c.insert({ table, values: [{ n: 1, s: "x" }], format: "JSONEachRow", clickhouse_settings: { async_insert: 1, wait_for_async_insert: 1 } });
    return stored(c);
  },
  "INSERT that fails": async (c) => {
    await create(c);
    await c.insert({ table, values: [{ nonsense: 1 }], format: "JSONEachRow", clickhouse_settings: { input_format_skip_unknown_fields: 0 } });
  },
  "progress in headers": async (c) => {
    const { response_headers: headers } = await c.command({
      query: "SELECT sleepEachRow(0.05) FROM numbers(20) FORMAT Null",
      clickhouse_settings: { send_progress_in_http_headers: 1, http_headers_progress_interval_ms: "100", wait_end_of_query: 1, max_block_size: "1" },
    });
    return String(headers["x-clickhouse-progress"] ?? "").split("}").length > 3;
  },
  abort: async (c) => {
    const control = new AbortController();
    const running = rows(c, "SELECT max(cityHash64(number)) AS from_node_aborted FROM numbers(1000000000000)", { abort_signal: control.signal });
    setTimeout(() => control.abort(), 500);
    return running;
  },
  "session with a temporary table": async () => {
    const c = open({ session_id: `node-${process.pid}`, max_open_connections: 1 });
    try {
      await c.command({ query: "CREATE TEMPORARY TABLE mine (n UInt8)" });
      await c.command({ query: "INSERT INTO mine VALUES (1), (2)" });
      return await rows(c, "SELECT sum(n) FROM mine");
    } finally {
      await c.close();
    }
  },
};

for (const codec of ["gzip", "zstd", "br"]) {
  things[`answer in ${codec}`] = async () => {
    const c = open({ compression: { response: { codec } } });
    try { return await rows(c, "SELECT count(), sum(number) FROM numbers(1000)"); } finally { await c.close(); }
  };
  things[`INSERT in ${codec}`] = async () => {
    const c = open({ compression: { request: { codec } } });
    try {
      await create(c);
      await c.insert({ table, values: Array.from({ length: 1000 }, (_, n) => ({ n, s: "x" })), format: "JSONEachRow" });
      return await stored(c);
    } finally { await c.close(); }
  };
}

const seen = {};
for (const [name, thing] of Object.entries(things)) {
  const client = open();
  try {
    seen[name] = (await thing(client)) ?? null;
  } catch (error) {
    seen[name] = { code: error.code, type: error.type, message: String(error.message).slice(0, 300) };
  }
  await client.close();
}
console.log(JSON.stringify(seen));
