// Reads a list of spans' attributes, and writes what OpenInference makes of each.
import { convertGenAISpanAttributesToOpenInferenceSpanAttributes as convert } from "@arizeai/openinference-genai";
import { readFileSync } from "node:fs";

const spans = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(spans.map((attributes) => convert(attributes))));
