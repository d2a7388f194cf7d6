import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { inTemporaryFolder } from "../temporary_folder.ts";

const root = new URL("../../", import.meta.url);

/** How an example is run. */
export interface RunExampleOptions {
  /** Ranks to start with the launcher. Default: the example is run by itself. */
  devices?: number;
  /** Where it runs. Default: an empty folder that is removed afterwards. */
  folder?: string;
  /** What Deno allows. Default: everything (`-A`). */
  permissions?: readonly string[];
}

/** Runs an example to its end and returns the lines that it printed. @throws AssertionError with what it wrote if it fails */
export async function runExample(name: string, args: string[], options: RunExampleOptions = {}): Promise<string[]> {
  const { folder, devices, permissions = ["-A"] } = options;
  if (folder === undefined) return await inTemporaryFolder((folder) => runExample(name, args, { ...options, folder }));
  const path = (relative: string) => fileURLToPath(new URL(relative, root));
  const launcher = devices ? [path("launcher/main.ts"), "--devices", `${devices}`] : [];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, ...launcher, path(`examples/${name}`), ...args],
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stdout) + text.decode(stderr));
  return text.decode(stdout).trimEnd().split("\n").map((line) => line.replace(/^\[rank \d+\] /, ""));
}

/** The number after `name=` in the last line that has it. @throws AssertionError if there is none */
export function valueOf(lines: string[], name: string): number {
  const pattern = new RegExp(`(?:^| )${name}=(-?[\\d.]+)`);
  const found = lines.map((line) => pattern.exec(line)?.[1]).findLast((value) => value !== undefined);
  assert.ok(found !== undefined, `no ${name}= in:\n${lines.join("\n")}`);
  return Number(found);
}
