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
  // What a sub-agent does is in the fold of its call, while it works and when the page is loaded again.
  await say("How are the reviews?");
  await page.waitForFunction(() => document.querySelector("#log").textContent.includes("bring some time") && document.querySelector(".acts"));
  const critic = async (when) => {
    const call = page.locator("details.call", { has: page.locator(":scope > summary > strong", { hasText: /^critic$/ }) });
    if (await call.getByText("Guests praise the soup").isVisible()) errors.push(`${name}: ${when} the sub-agent's text is not folded`);
    await call.locator(":scope > summary").click();
    await call.getByText("Guests praise the soup").first().waitFor();
    await call.getByText("read_reviews").waitFor();
    if (await page.evaluate(() => [...document.querySelectorAll("#log > .message")].some((m) => m.textContent.includes("Guests praise")))) errors.push(`${name}: ${when} the sub-agent's text is the assistant's`);
  };
  await critic("while it works");
  await page.evaluate(() => { const log = document.querySelector("#log"); log.scrollTop = log.scrollHeight; });
  if (await page.evaluate(() => [...document.querySelectorAll("#log > .call > summary > .state")].some((s) => s.textContent !== "✓"))) errors.push(name + ": a call has no end");
  await look(page, name + "-subagent");
  // What is said can't become markup, nor a link that runs; it is seen as it is being written.
  const hostile = 'Is <img src=x onerror=alert(1)> and [this](javascript:alert(1)) **bold** or ![p](https://evil.example/p.png)?';
  await say(hostile);
  await page.getByText("Try again").waitFor();
  const found = await page.evaluate(() => {
    const answer = [...document.querySelectorAll(".message:not(.mine)")].at(-1);
    return { text: answer.textContent, bad: document.querySelectorAll("#log img, #log script, #log a:not([href^='https://'])").length, links: [...answer.querySelectorAll("a")].map((a) => a.href + " " + a.rel) };
  });
  if (found.bad || !found.text.includes("<img src=x") || found.links.join() !== "https://evil.example/p.png noopener noreferrer nofollow") errors.push(name + ": " + JSON.stringify(found));
  // A run is stopped in the middle of an answer, and what was said is said anew in a copy.
  await say("slowly");
  await page.getByRole("button", { name: "Stop" }).waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll(".message:not(.mine)")].at(-1).querySelector("table"));
  await look(page, name + "-writing");
  await say("Also this");
  await page.waitForFunction(() => document.querySelector(".pending")?.textContent === "Also this");
  await page.getByRole("button", { name: "Stop" }).click();
  await page.waitForFunction(() => document.querySelector("#status").textContent.includes("stopped") && document.querySelector("#stop").hidden);
  const before = page.url(), edits = page.getByRole("button", { name: "Edit" });
  await edits.last().click();
  await page.getByRole("button", { name: "Cancel" }).click();
  if (await page.inputValue("#text") !== "" || page.url() !== before) errors.push(name + ": the edit was not given up");
  await edits.first().click();
  if (await page.inputValue("#text") !== "hello") errors.push(name + ": the box has not what was said");
  await look(page, name + "-editing");
  await say("good evening");
  await page.waitForFunction(() => document.querySelector(".mine .words")?.textContent === "good evening" && document.querySelector(".acts"));
  const fork = await page.evaluate(() => [document.querySelectorAll(".mine").length, document.querySelector(".mine .words").textContent, document.querySelectorAll("#sessions li").length].join());
  if (fork !== "1,good evening,2" || page.url() === before) errors.push(name + ": the fork has " + fork);
  await page.getByText("Try again").dblclick(); // which makes one copy
  await page.waitForFunction(() => document.querySelectorAll("#sessions li").length === 3 && document.querySelector(".acts"));
  // A conversation is deleted, and the others stay.
  page.on("dialog", (d) => d.accept());
  await page.locator("#sessions .away").first().click();
  await page.waitForFunction(() => document.querySelectorAll("#sessions li").length === 2);
  await page.waitForFunction(() => /^\$\d\.\d\d left this month$/.test(document.querySelector("#cost").textContent));
  await page.goto(before);
  await page.reload();
  // A page that is loaded again has the conversation, and can go on.
  await page.waitForFunction(() => document.querySelector("#log").textContent.includes("Your table is booked"));
  await page.waitForTimeout(500);
  await critic("loaded again");
  await context.close();
}
await browser.close();
console.log(JSON.stringify({ pages, serious, errors }));
