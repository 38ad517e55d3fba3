// Runs test files of the official TypeScript SDK, which are written for Jest, against
// the server that TEST_API_BASE_URL names: node run.mjs FOLDER FILE… It prints one line
// of JSON for each test.
import { build } from "esbuild";
import { expect } from "expect";
import { fn, spyOn } from "jest-mock";

const [folder, ...files] = process.argv.slice(2);
let tests;
globalThis.expect = expect;
globalThis.jest = { fn, spyOn };
globalThis.describe = (name, body) => body();
globalThis.test = globalThis.it = (name, body) => tests.push({ name, body });
test.skip = (name) => tests.push({ name });

for (const [i, file] of files.entries()) {
  tests = [];
  await build({ entryPoints: [`${folder}/${file}`], outfile: `test${i}.mjs`, bundle: true, format: "esm", platform: "node", packages: "external", logLevel: "silent" });
  await import(`./test${i}.mjs`);
  for (const { name, body } of tests) {
    const line = { file, name, skipped: !body };
    try {
      await body?.();
    } catch (e) {
      line.error = e.error?.error?.message ?? String(e.message);
    }
    console.log(JSON.stringify(line));
  }
}
