import { boxliteConformance } from "./support/conformance.ts";

await boxliteConformance("lifecycle");
