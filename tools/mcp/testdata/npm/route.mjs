// Its schema is of draft 07, with the tuples of zod 3.
import { z } from "zod3";
import { zodToJsonSchema } from "zod-to-json-schema";
import { serve } from "./server.mjs";

const route = z.object({
  from: z.tuple([z.number(), z.number()]),
  to: z.tuple([z.number(), z.number()]),
  speed: z.number().positive().optional(),
  name: z.string().describe("of the route"),
});
await serve({ name: "route", inputSchema: zodToJsonSchema(route) }, (a) => route.safeParse(a));
