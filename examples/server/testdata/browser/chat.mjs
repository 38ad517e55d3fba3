// Books a table in the chat, in Chromium, and has axe-core look at each page.
import { readFileSync, mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const shots = process.env.WHORL_SCREENSHOTS;
if (shots) mkdirSync(shots, { recursive: true });
const axe = readFileSync("node_modules/axe-core/axe.min.js", "utf8");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"] });
const serious = [], errors = [];
let pages = 0;

async function look(page, name) {
  pages++;
  if (shots) await page.screenshot({ path: `${shots}/chat-${name}.png` });
  await page.evaluate(axe); // by the protocol: the page's policy lets it load nothing
  const { violations } = await page.evaluate(() => window.axe.run());
  for (const v of violations) if (v.impact === "serious" || v.impact === "critical") serious.push(`${name}: ${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`);
  if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) errors.push(name + ": wider than the window");
}

for (const [width, height] of [[1280, 860], [390, 844]]) for (const colorScheme of ["light", "dark"]) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on("pageerror", (e) => errors.push(String(e)));
  page.on("console", (m) => m.type() === "error" && errors.push(m.text()));
  const name = `${width}-${colorScheme}`;
  await page.goto(process.env.URL);
  await look(page, name + "-empty");
  const say = async (text) => { await page.fill("#text", text); await page.click("#send"); };
  await say("hello");
  await page.waitForFunction(() => document.querySelector("#log pre code, #log pre") && document.querySelector("#log").textContent.includes("I book tables"));
  await say("Book a table for two");
  await page.getByRole("button", { name: "Chez Escargot" }).click();
  await page.getByRole("button", { name: "Allow" }).waitFor();
  await look(page, name + "-approval");
  await page.getByRole("button", { name: "Allow" }).click();
  await page.waitForFunction(() => document.querySelector("#log").textContent.includes("Your table is booked"));
  await look(page, name + "-booked");
  // A page that is loaded again has the conversation, and can go on.
  await page.reload();
  await page.waitForSelector("#sessions li");
  await page.locator("#sessions button, #sessions a").first().click();
  await page.waitForFunction(() => document.querySelector("#log").textContent.includes("Your table is booked"));
  await context.close();
}
await browser.close();
console.log(JSON.stringify({ pages, serious, errors }));
