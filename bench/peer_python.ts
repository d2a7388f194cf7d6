import { fileURLToPath } from "node:url";

const requirements = fileURLToPath(new URL("./peers/requirements.txt", import.meta.url));

/**
 * A Python with the peers (PyTorch, Lightning): the one given, else a virtual environment in the user's cache, made on the first call.
 * @throws Error if it cannot be made: without Python, pip or network
 */
export async function peerPython(given: string | undefined): Promise<string> {
  if (given) return given;
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
  const folder = `${cache}/weft/bench-python`;
  const python = `${folder}/bin/python`;
  if (!await exists(`${folder}/complete`)) {
    console.error(`making a Python with the peers in ${folder} (some gigabytes, once)`);
    await run("python3", ["-m", "venv", folder]);
    await run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
    await Deno.writeTextFile(`${folder}/complete`, "");
  }
  return python;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function run(command: string, args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args, stdout: "inherit", stderr: "inherit" }).output();
  if (!success) {
    throw new Error(
      `\`${command} ${args.join(" ")}\` failed; give a Python with torch and lightning by --peer-python PATH`,
    );
  }
}
