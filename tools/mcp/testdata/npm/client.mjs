// Talks to the MCP server given as the first argument, with the official
// TypeScript SDK, and prints what it sees.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const client = new Client({ name: "test", version: "1" });
await client.connect(new StdioClientTransport({ command: process.argv[2], env: { WHORL_MCP_SERVER: "1" } }));
const { tools } = await client.listTools();
const sum = await client.callTool({ name: "add", arguments: { a: 1, b: 2 } });
const look = await client.callTool({ name: "look", arguments: {} });
const fail = await client.callTool({ name: "fail", arguments: {} });
const bad = await client.callTool({ name: "add", arguments: { a: 1 } });
console.log(JSON.stringify({
  tools: tools.map((t) => t.name), readOnly: tools.find((t) => t.name === "add").annotations.readOnlyHint,
  sum: sum.content[0].text, look: look.content.map((c) => c.type), fail: fail.isError, bad: bad.isError,
}));
await client.close();
