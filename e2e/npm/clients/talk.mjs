// A script and its test talk in lines of JSON: the script asks, the test does what a
// person would do and answers.
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export async function ask(question) {
  console.log(JSON.stringify(question));
  const { value, done } = await lines.next();
  if (done) throw new Error("the test has gone");
  return JSON.parse(value);
}

// tell says the last line.
export function tell(result) {
  console.log(JSON.stringify({ result }));
  process.exit(0);
}

// refusal is what a library understood of a refusal: the error of the server and its
// status, or what the library itself minds.
export async function refusal(attempt) {
  try {
    await attempt();
  } catch (problem) {
    const cause = problem.error ? problem : (problem.cause ?? {});
    if (cause.error) return `${cause.error}${cause.status ? ` ${cause.status}` : ""}`;
    if (problem.code === "OAUTH_WWW_AUTHENTICATE_CHALLENGE") return `${(await problem.response.json()).error} ${problem.status}`;
    return `${problem.message}: ${cause.message}`;
  }
  return "not refused";
}
