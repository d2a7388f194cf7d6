/**
 * Opens the TensorFlow of a folder in a process of its own, and closes it again; takes about half a second.
 * @returns its version
 * @throws Error with what that process said, if it cannot be opened here
 */
export async function tryLibrary(directory: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", "--no-lock", import.meta.resolve("./print_version.ts"), directory],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const version = new TextDecoder().decode(stdout).trim();
  if (version) return version;
  const lines = new TextDecoder().decode(stderr).trim().split("\n");
  const reason = lines.find((line) => /error/i.test(line))?.replace(/^.*?Error: /, "") ?? lines.at(-1);
  throw new Error(
    `the TensorFlow in ${directory} cannot be opened on this machine: ${reason || "the process crashed"}`,
  );
}
