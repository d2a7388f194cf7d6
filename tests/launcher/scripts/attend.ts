/**
 * Tells the witness of the test that this process lives, and holds the connection until it does not.
 * @returns `told`: resolves when the witness says something to it
 */
export async function attend(name: string): Promise<{ told: Promise<unknown> }> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(Deno.env.get("WITNESS")) });
  await connection.write(new TextEncoder().encode(name));
  // Reading keeps the process alive, and the connection from being collected.
  return { told: connection.read(new Uint8Array(1)) };
}

if (import.meta.main) await attend(Deno.args[0]);
if (import.meta.main) console.log("attending");
