/** Ten boxes at once (or as many as the first argument says), each with a part of the work. */
import { BoxRunClient } from "boxrun-sdk";

const count = Number(process.argv[2] ?? 10);
await using client = new BoxRunClient();

async function square(number: number): Promise<number> {
  await using box = await client.create("base", { cpu: 1, memoryMb: 256 });
  const { stdout } = await box.shell(`echo $((${number} * ${number}))`, { check: true });
  return Number(stdout);
}

const squares = await Promise.all(Array.from({ length: count }, (_, number) => square(number)));
console.log(squares.join(" "));
