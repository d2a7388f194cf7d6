/** Says where Python's TensorFlow lies, without importing it. */
const PROGRAM = `
import importlib.util, os
spec = importlib.util.find_spec("tensorflow")
print(os.path.dirname(spec.origin) if spec and spec.origin else "")
`;

/** By what was asked: starting Python costs 20 ms, and more where PATH holds a shim of it. */
const answers = new Map<string, Promise<{ directory: string } | { miss: string }>>();

/**
 * The folder of the TensorFlow that a Python on PATH has. Asked once a process.
 * @param commands what to try, in this order. Default: `python3`, `python`
 * @returns the folder, or why there is none, as a clause. Never throws or asks for a permission
 */
export function pythonTensorflow(
  commands: readonly string[] = ["python3", "python"],
): Promise<{ directory: string } | { miss: string }> {
  const key = commands.join("\n");
  const answer = answers.get(key) ?? askAll(commands);
  answers.set(key, answer);
  return answer;
}

async function askAll(commands: readonly string[]): Promise<{ directory: string } | { miss: string }> {
  let asked: string | undefined;
  for (const command of commands) {
    if ((await Deno.permissions.query({ name: "run", command })).state !== "granted") {
      return { miss: `Python can be asked for its TensorFlow only with --allow-run` };
    }
    const directory = await ask(command);
    if (directory) return { directory };
    if (directory !== undefined) asked ??= command;
  }
  return { miss: asked ? `${asked} has no tensorflow package` : `no Python on PATH (${commands.join(", ")})` };
}

/** The folder, empty if this Python has no TensorFlow, undefined if there is no such Python. */
async function ask(command: string): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args: ["-c", PROGRAM],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      signal: AbortSignal.timeout(20_000),
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined;
  }
}
