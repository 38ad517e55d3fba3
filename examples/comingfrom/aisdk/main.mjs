import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { anthropic } from '@ai-sdk/anthropic';
import { generateText, isStepCount, tool } from 'ai';
import { z } from 'zod';

// region answer
const weather = tool({
  description: 'Tells the weather of a city.',
  inputSchema: z.object({ city: z.string().describe('Name of the city, in English') }),
  execute: async ({ city }) => {
    if (city !== 'Lisbon') {
      throw new Error(`no station in "${city}"; give the English name`);
    }
    return '18 °C, light rain';
  },
});

async function answer(guide, file, question) {
  const messages = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
  messages.push({ role: 'user', content: question });
  const result = await generateText({
    model: anthropic('claude-opus-5-5'),
    maxOutputTokens: 16_000,
    instructions: guide,
    messages,
    tools: { weather },
    stopWhen: isStepCount(100),
    providerOptions: { anthropic: { cacheControl: { type: 'ephemeral' } } }, // off by default
  });
  writeFileSync(file, JSON.stringify([...messages, ...result.responseMessages]));
  return result.text;
}
// endregion

if (process.argv.length !== 5) {
  console.error('usage: main.mjs GUIDE FILE QUESTION; GUIDE holds the system prompt, FILE keeps the conversation');
  process.exit(1);
}
const [guide, file, question] = process.argv.slice(2);
console.log(await answer(readFileSync(guide, 'utf8'), file, question));
