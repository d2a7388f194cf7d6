import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { inTemporaryFolder } from "../temporary_folder.ts";

const root = new URL("../../", import.meta.url);

/** How an example is run. */
export interface RunExampleOptions {
  /** Ranks to start with the launcher. Default: the example is run by itself. */
  devices?: number;
  /** Further options of the launcher, with `devices`. Default: none. */
  launcherOptions?: readonly string[];
  /** Where it runs. Default: an empty folder that is removed afterwards. */
  folder?: string;
  /** Where it makes its temporary folders. Default: where the system does. */
  temporary?: string;
  /** What Deno allows. Default: everything (`-A`). */
  permissions?: readonly string[];
}

/** Runs an example to its end and returns the lines that it printed. @throws AssertionError with what it wrote if it fails */
export async function runExample(name: string, args: string[], options: RunExampleOptions = {}): Promise<string[]> {
  const { stdout } = await outputOfExample(name, args, options);
  return stdout.trimEnd().split("\n").map((line) => line.replace(/^\[rank \d+\] /, ""));
}

/** Runs an example to its end and returns all that it wrote. @throws AssertionError with that if it fails */
export async function outputOfExample(
  name: string,
  args: string[],
  options: RunExampleOptions = {},
): Promise<{ stdout: string; stderr: string }> {
  const { folder, devices, launcherOptions = [], temporary, permissions = ["-A"] } = options;
  if (folder === undefined) {
    return await inTemporaryFolder((folder) => outputOfExample(name, args, { ...options, folder }));
  }
  const path = (relative: string) => fileURLToPath(new URL(relative, root));
  const launcher = devices ? [path("launcher/main.ts"), "--devices", `${devices}`, ...launcherOptions] : [];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, ...launcher, path(`examples/${name}`), ...args],
    cwd: folder,
    env: { NO_COLOR: "1", ...(temporary && { TMPDIR: temporary }) },
  }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stdout) + text.decode(stderr));
  return { stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** The number after `name=` in the last line that has it. @throws AssertionError if there is none */
export function valueOf(lines: string[], name: string): number {
  const pattern = new RegExp(`(?:^| )${name}=(-?[\\d.]+)`);
  const found = lines.map((line) => pattern.exec(line)?.[1]).findLast((value) => value !== undefined);
  assert.ok(found !== undefined, `no ${name}= in:\n${lines.join("\n")}`);
  return Number(found);
}
