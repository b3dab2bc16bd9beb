type CamelCase<Name extends string> = Name extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : Name;

/** A request's fields as JavaScript names them; a field that the API gains is here by itself. */
export type CamelCased<Fields> = { [Name in keyof Fields as CamelCase<Name & string>]: Fields[Name] };

/** The names of the wire, for the object's own fields alone: what is in them may be the caller's. */
export function wireNames<Fields extends object>(options: CamelCased<Fields>): Fields {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  ) as Fields;
}
