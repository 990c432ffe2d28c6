// A person signs in with Chromium, with the keyboard alone, and looks closely at every
// page on the way.
//   node chromium.mjs MCP_URL CLIENT_ID DEVICE_CODE DIRECTORY WIDTH light|dark
// The client's redirect URI is http://127.0.0.1/callback, and the provider is the
// demo's. DIRECTORY gets a screenshot of each page. The result says what was seen, and
// "faults" everything that should not have been.
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { inspect } from "./look.mjs";
import { Callback } from "./login.mjs";
import { tell } from "./talk.mjs";

const [, , mcp, client, code, directory, width, colorScheme] = process.argv;
const house = new URL(mcp).origin;
const callback = await Callback.listen();
const verifier = randomBytes(32).toString("base64url");
const state = randomBytes(16).toString("base64url");
const faults = [];

const authorize = new URL("/authorize", house);
authorize.search = new URLSearchParams({
  response_type: "code", client_id: client, redirect_uri: callback.redirect, state, resource: mcp,
  scope: "clickhouse:read clickhouse:write offline_access", code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
});

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: Number(width), height: 800 }, colorScheme, reducedMotion: "reduce" });
const page = await context.newPage();

// Nothing is loaded but pages, and these only from this machine.
const here = new Set(["127.0.0.1"]);
context.on("request", (request) => {
  if (!here.has(new URL(request.url()).hostname)) faults.push(`a request to ${request.url()}`);
  if (request.resourceType() !== "document" && !request.url().endsWith("/favicon.ico")) faults.push(`${request.resourceType()} is loaded: ${request.url()}`);
});
page.on("console", (message) => {
  const { url } = message.location();
  const expected = url.endsWith("/favicon.ico") || (url.includes("evil.example.com") && message.text().includes("status of 400"));
  if (["error", "warning"].includes(message.type()) && !expected) faults.push(`console at ${page.url()}: ${message.text()}`);
});
page.on("pageerror", (problem) => faults.push(`at ${page.url()}: ${problem}`));

const pages = [];
async function see(name) {
  pages.push(name);
  await page.screenshot({ path: join(directory, `${name}-${width}-${colorScheme}.png`), fullPage: true });
  for (const fault of await inspect(page, Number(width))) faults.push(`${name} (${page.url()}): ${fault}`);
}

// press goes to a button with the Tab key and presses Enter.
async function press(name) {
  const button = page.getByRole("button", { name }).first();
  for (let steps = 0; steps < 40; steps++) {
    if (await button.evaluate((b) => b === document.activeElement)) {
      await Promise.all([page.waitForEvent("framenavigated"), page.keyboard.press("Enter")]);
      await page.waitForLoadState("load");
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`the Tab key never comes to ${name} at ${page.url()}: ${await page.locator("body").innerText()}`);
}

// wary clicks on Allow as somebody does who was made to click twice while the page came
// up, and then as one who has looked at it. Nothing is sent: the form is stopped.
async function wary(name) {
  if (!(await page.evaluate(() => matchMedia("(hover: hover)").matches))) faults.push("this browser has no pointer that hovers");
  await page.evaluate(() => {
    window.sent = 0;
    document.forms[0].onsubmit = (event) => { event.preventDefault(); window.sent++; };
  });
  const button = page.getByRole("button", { name: "Allow" });
  await button.scrollIntoViewIfNeeded();
  const box = await button.boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const sent = () => page.evaluate(() => window.sent);
  let quick = false;
  for (let tries = 0; tries < 10 && !quick; tries++) { // a busy machine may be too slow to be quick
    await page.mouse.move(1, 1);
    const before = await sent();
    const began = Date.now();
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.up();
    quick = Date.now() - began < 600;
    if (quick && (await sent()) > before) faults.push(`${name}: Allow takes a click at once`);
  }
  if (!quick) faults.push(`${name}: nothing is quick enough here to click at once`);
  const before = await sent();
  await page.waitForTimeout(1000);
  await page.mouse.down();
  await page.mouse.up();
  if ((await sent()) !== before + 1) faults.push(`${name}: Allow takes no click after a second`);
  await page.mouse.move(1, 1);
  await page.evaluate(() => { document.forms[0].onsubmit = null; });
}

const began = Date.now();
await page.goto(authorize.href);
await see("chooser");
await press(/demo/i);
await see("provider");
await press(/alice/i);
await see("consent");
const cookies = await context.cookies(house);
const consent = page.url();
const looked = Date.now();
await wary("consent");
const waited = Date.now() - looked;
await press("Allow");
const back = (await callback.back).searchParams;
if (back.get("state") !== state || back.get("iss") !== house) faults.push(`sent back with ${[...back.keys()]}`);
const took = Date.now() - began - waited;

const token = await (await fetch(`${house}/token`, {
  method: "POST",
  body: new URLSearchParams({ grant_type: "authorization_code", code: back.get("code"), redirect_uri: callback.redirect, client_id: client, code_verifier: verifier }),
})).json();

// Another site cannot show our pages within its own.
const other = createServer((_, response) => response.end(`<!doctype html><iframe src="${consent.replaceAll("&", "&amp;")}"></iframe>`));
await new Promise((up) => other.listen(0, "127.0.0.1", up));
const framing = await context.newPage();
await framing.goto(`http://127.0.0.1:${other.address().port}/`); // until the frame has loaded, too
const inside = framing.frames()[1];
if (inside?.url() !== "chrome-error://chromewebdata/") faults.push(`another site shows ${inside?.url()} within its own`);
await framing.close();
other.close();

await page.goto(`${house}/device`);
await see("device-code");
await page.keyboard.type(code.toLowerCase()); // the field has the focus
await press("Go on");
await see("device-ask");
await wary("device-ask");
await press("Allow");
await see("device-done");
await page.goto(authorize.href.replace(/redirect_uri=[^&]*/, "redirect_uri=https%3A%2F%2Fevil.example.com%2F"));
await see("problem");
await page.goto(`${house}/signin/out`);
await see("signout");
await press("Sign out");
await see("signed-out");
await page.goto(authorize.href);
if (!(await page.getByRole("button", { name: /demo/i }).count())) faults.push(`after signing out, ${page.url()} asks nobody to sign in`);
await browser.close();
callback.close();
tell({ pages, faults, took, token: token.access_token, cookies });
