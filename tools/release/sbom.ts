import { z } from "zod";
import { type Inputs, pinsOf } from "./guest/inputs.ts";

/** What the bundler wrote down of the npm packages in `boxrun`. */
const componentsSchema = z.array(z.object({ name: z.string(), version: z.string(), license: z.string() }));

/** What all artefacts of a release are made of, as CycloneDX 1.6 has it; nothing in it tells when or where. */
export function billOfMaterials(options: {
  readonly version: string;
  /** `packages.json` of the bundle. */
  readonly packages: unknown;
  readonly inputs: Inputs;
  readonly node: string;
}): object {
  const { version, inputs, node } = options;
  const npm = componentsSchema.parse(options.packages).map(({ name, version: at, license }) => ({
    ...{ type: "library", name, version: at, purl: `pkg:npm/${name.replace("@", "%40")}@${at}` },
    licenses: [{ expression: license }],
  }));
  const debian = pinsOf(inputs).map((pin) => ({
    ...{ type: "library", name: pin.package, version: pin.version },
    purl: `pkg:deb/debian/${pin.package}@${encodeURIComponent(pin.version)}?arch=amd64`,
    hashes: [{ alg: "SHA-256", content: pin.sha256 }],
    properties: [{ name: "source", value: pin.source }],
  }));
  const tools = [
    {
      type: "platform",
      name: "node",
      version: node.replace(/^v/, ""),
      purl: `pkg:generic/node@${node.replace(/^v/, "")}`,
    },
    {
      type: "framework",
      name: "go",
      version: inputs.go.replace(/^go/, ""),
      purl: `pkg:golang/std@${inputs.go.replace(/^go/, "")}`,
    },
  ];
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: { type: "application", name: "boxrun", version, licenses: [{ license: { id: "Apache-2.0" } }] },
    },
    components: [...npm, ...debian, ...tools],
  };
}
