import { fileURLToPath } from "node:url";

const requirements = fileURLToPath(new URL("./peers/requirements.txt", import.meta.url));
/** Runs pip, whose progress goes to where errors go: what a benchmark prints may go to a file. */
const PIP_ON_STDERR = "import os, runpy; os.dup2(2, 1); runpy.run_module('pip', run_name='__main__', alter_sys=True)";

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
    console.error(`making a Python with the peers in ${folder}: some 6 GB, once; what pip says shows how far it is`);
    const begun = performance.now();
    await run("python3", ["-m", "venv", folder]);
    await run(python, ["-c", PIP_ON_STDERR, "install", "--disable-pip-version-check", "-r", requirements]);
    await Deno.writeTextFile(`${folder}/complete`, "");
    console.error(`the Python with the peers is there, after ${((performance.now() - begun) / 1000).toFixed(0)} s`);
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
