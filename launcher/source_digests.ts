import { relative } from "node:path";
import { fileURLToPath } from "node:url";

/** Where this runtime lies. */
const ROOT = new URL("../", import.meta.url);
/** So much of a digest tells sources apart. */
const DIGITS = 12;

/** A digest of bytes, cut short. */
async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex().slice(0, DIGITS);
}

/**
 * Digests of a script and of the modules that it imports from files, by their path from the script's folder. Not of this runtime's own, nor
 * of packages, whose versions the imports name. Without the permission to run Deno, of the script alone.
 */
export async function scriptDigests(script: URL): Promise<Record<string, string>> {
  if (script.protocol !== "file:") return { [script.href]: "an address" };
  const folder = fileURLToPath(new URL(".", script));
  const files = new Set([fileURLToPath(script), ...await importedFiles(script)]);
  const digests = [...files].map(async (file) =>
    [relative(folder, file), await digestOf(await Deno.readFile(file))] as const
  );
  return Object.fromEntries((await Promise.all(digests)).sort());
}

/** The files of the module graph, as `deno info` finds them without running anything. */
async function importedFiles(script: URL): Promise<string[]> {
  const command = Deno.execPath();
  if (Deno.permissions.querySync({ name: "run", command }).state !== "granted") return [];
  const { success, stdout } = await new Deno.Command(command, {
    args: ["info", "--json", script.href],
    stdout: "piped",
    stderr: "null",
  }).output();
  if (!success) return [];
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: { specifier: string }[] };
  return modules.map(({ specifier }) => specifier)
    .filter((specifier) => specifier.startsWith("file:") && !isOfThisRuntime(specifier))
    .filter((specifier) => !specifier.includes("/node_modules/"))
    .map((specifier) => fileURLToPath(specifier));
}

function isOfThisRuntime(specifier: string): boolean {
  return ["runtime/", "strategies/", "launcher/", "mod.ts"].some((part) => specifier.startsWith(ROOT.href + part));
}

/** Which Weft this is: the address that it was loaded from, or a digest of its sources. */
export async function weftVersion(): Promise<string> {
  if (ROOT.protocol !== "file:") return ROOT.href;
  const digests: string[] = [await digestOf(await Deno.readFile(new URL("mod.ts", ROOT)))];
  for (const folder of ["launcher", "runtime", "strategies"]) {
    for (const file of await sourcesIn(new URL(`${folder}/`, ROOT))) {
      digests.push(file.href.slice(ROOT.href.length), await digestOf(await Deno.readFile(file)));
    }
  }
  return await digestOf(new TextEncoder().encode(digests.join("\n")));
}

async function sourcesIn(folder: URL): Promise<URL[]> {
  const files: URL[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) files.push(...await sourcesIn(new URL(`${name}/`, folder)));
    else if (name.endsWith(".ts")) files.push(new URL(name, folder));
  }
  return files.sort((a, b) => a.href < b.href ? -1 : 1);
}
