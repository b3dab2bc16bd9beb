export { type BoxLiteEngineOptions, createBoxLiteEngine } from "./engine.ts";
