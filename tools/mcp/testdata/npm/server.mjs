// A server of one tool that gives its arguments back. Call it with the tool.
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

export async function serve(tool, check) {
  const server = new Server({ name: tool.name, version: "1" }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, async () => ({ tools: [tool] }));
  server.setRequestHandler(CallToolRequestSchema, async (request) => {
    const { success, data } = check(request.params.arguments);
    return { isError: !success, content: [{ type: "text", text: success ? JSON.stringify(data) : "refused" }] };
  });
  console.log("server of " + tool.name); // noise, on purpose
  await server.connect(new StdioServerTransport());
}
