// Its schema has the patterns of zod 4.3.6, with look-aheads.
import { z } from "zod4";
import { serve } from "./server.mjs";

const mail = z.object({
  to: z.email(),
  at: z.iso.datetime().optional(),
  subject: z.string().min(1).describe("one line"),
  tags: z.array(z.string()).default([]),
});
await serve({ name: "send", inputSchema: z.toJSONSchema(mail, { io: "input" }) }, (a) => mail.safeParse(a));
