import { qemuConformance } from "./support/conformance.ts";

await qemuConformance("programs");
