/** What Deno takes before a script, besides `run`: a process started in these ways has flags that `deno run` does not know. */
const OTHER_COMMANDS = [
  ...["add", "approve-scripts", "audit", "bench", "bump-version", "bundle", "check", "clean", "compile", "completions"],
  ...[
    "coverage",
    "create",
    "deploy",
    "desktop",
    "doc",
    "eval",
    "fmt",
    "init",
    "install",
    "jupyter",
    "link",
    "lint",
    "lsp",
  ],
  ...["outdated", "publish", "remove", "repl", "sandbox", "serve", "task", "test", "types", "uninstall", "update", "x"],
];

/** Flags that would make ranks collide (an inspector's port), restart by themselves, or load everything anew. */
const NOT_FOR_RANKS =
  /^(--watch|--watch-hmr|--watch-exclude|--no-clear-screen|--inspect|--inspect-brk|--inspect-wait|--reload|-r)(=|$)/;

/**
 * The flags with which to start a rank, so that it gets what this process was given: permissions, configuration, lock file and the rest, beginning
 * with `run`. They are read from this process's own command line; where that is out of reach, permissions that are granted in full are named.
 */
export async function denoFlags(): Promise<string[]> {
  const commandLine = await ownCommandLine();
  return (commandLine && flagsFrom(commandLine, Deno.args)) ?? ["run", ...grantedPermissions()];
}

/**
 * Takes the flags out of a command line `deno [run] FLAGS SCRIPT ARGS`.
 * @returns the flags from `run` on, or undefined if it is no such command line
 */
export function flagsFrom(commandLine: readonly string[], args: readonly string[]): string[] | undefined {
  const end = commandLine.length - args.length;
  if (end < 2 || !args.every((arg, index) => commandLine[end + index] === arg)) return undefined;
  const flags = commandLine.slice(1, end - 1);
  const command = flags.find((flag) => !flag.startsWith("-"));
  if (command !== undefined && OTHER_COMMANDS.includes(command)) return undefined;
  const kept = flags.filter((flag) => !NOT_FOR_RANKS.test(flag));
  if (command === "run") kept.splice(kept.indexOf("run"), 1);
  return ["run", ...kept];
}

async function ownCommandLine(): Promise<string[] | undefined> {
  try {
    if (Deno.build.os === "linux") {
      // Deno shows /proc/self to a process with all permissions only; another program may read it for the rest.
      const bytes = grantedPermissions()[0] === "-A"
        ? await Deno.readFile("/proc/self/cmdline")
        : await outputOf("cat", [`/proc/${Deno.pid}/cmdline`]);
      return new TextDecoder().decode(bytes).replace(/\0$/, "").split("\0");
    }
    const line = new TextDecoder().decode(await outputOf("ps", ["-ww", "-o", "args=", "-p", String(Deno.pid)])).trim();
    const tail = Deno.args.join(" ");
    if (!line.endsWith(tail)) return undefined;
    return [...line.slice(0, line.length - tail.length).trim().split(/\s+/), ...Deno.args];
  } catch {
    return undefined;
  }
}

async function outputOf(command: string, args: string[]): Promise<Uint8Array> {
  if (Deno.permissions.querySync({ name: "run", command }).state !== "granted") {
    throw new Error(`may not run ${command}`);
  }
  const { success, stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
  if (!success) throw new Error(`${command} failed`);
  return stdout;
}

function grantedPermissions(): string[] {
  const kinds = ["read", "write", "net", "env", "run", "ffi", "sys", "import"] as const;
  const granted = kinds.filter((name) =>
    Deno.permissions.querySync({ name } as Deno.PermissionDescriptor).state === "granted"
  );
  return granted.length === kinds.length ? ["-A"] : granted.map((name) => `--allow-${name}`);
}
