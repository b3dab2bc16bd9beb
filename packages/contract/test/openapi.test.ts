import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, it } from "vitest";
import {
  type Operation,
  type OperationExample,
  openApiDocument,
  operationExamples,
  operationIds,
  operations,
} from "../src/index.ts";

describe("the OpenAPI document", () => {
  it("is valid", async () => {
    const validator = new Validator();
    expect(await validator.validate(openApiDocument("1.0.0"))).toEqual({ valid: true });
    expect(validator.version).toBe("3.1");
  });

  it("has for each error the codes that it can have, and says what they look like", () => {
    const { paths } = Object(openApiDocument("1.0.0"));
    const missing = paths["/v1/boxes/{id}"].get.responses[404];
    expect(missing.description).toBe("BOX_NOT_FOUND");
    expect(missing.content["application/json"]).toEqual({
      schema: {
        allOf: [{ $ref: "#/components/schemas/Error" }, { properties: { code: { enum: ["BOX_NOT_FOUND"] } } }],
      },
      examples: { BOX_NOT_FOUND: { value: { code: "BOX_NOT_FOUND", message: 'There is no box "nobody"' } } },
    });
  });

  it("describes both answers of an operation that answers with JSON or with events", () => {
    const { paths } = Object(openApiDocument("1.0.0"));
    expect(Object.keys(paths["/v1/boxes/{id}/stats"].get.responses[200].content)).toEqual([
      ...["application/json", "text/event-stream"],
    ]);
    expect(Object.keys(paths["/v1/boxes/{id}/exec"].post.responses)).toEqual(expect.arrayContaining(["200", "201"]));
  });

  it.each(operationIds)("has examples of %s that are what its schemas say", (id) => {
    const operation: Operation = operations[id];
    const example: OperationExample = operationExamples[id] ?? {};
    const { body, response } = operation;
    if (body?.kind === "json" || body?.kind === "form") expect(() => body.schema.parse(example.body)).not.toThrow();
    if (response.kind === "json") expect(() => response.schema.parse(example.answer)).not.toThrow();
    const events = "events" in response ? response.events : undefined;
    if (events === undefined) return;
    expect(example.events?.length).toBeGreaterThan(0);
    for (const [event, data] of example.events ?? []) expect(() => events[event]?.parse(data), event).not.toThrow();
  });
});
