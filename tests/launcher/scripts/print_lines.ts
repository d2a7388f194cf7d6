/** Prints lines that are easily torn: in pieces, with a character cut in two, and the last without its end. */
const rank = Deno.env.get("RANK");
const bytes = new TextEncoder();
for (let i = 0; i < 200; i++) {
  const line = bytes.encode(`line ${i} of ${rank} é ${"x".repeat(i)}\n`), middle = line.indexOf(0xc3) + 1;
  await Deno.stdout.write(line.subarray(0, middle));
  await Deno.stderr.write(bytes.encode(`error ${i} of ${rank}\n`));
  await Deno.stdout.write(line.subarray(middle));
}
await Deno.stdout.write(bytes.encode(`the end of ${rank}`));
