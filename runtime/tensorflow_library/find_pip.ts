/**
 * The command line that runs pip, e.g. `["python3", "-m", "pip"]`.
 * @param pythons what to try, in this order. Default: `python3`, `python`
 * @throws Error with what to install, if there is none
 */
export async function findPip(pythons: readonly string[] = ["python3", "python"]): Promise<string[]> {
  let python: string | undefined;
  for (const command of pythons) {
    const pip = await succeeds(command, ["-m", "pip", "--version"]);
    if (pip) return [command, "-m", "pip"];
    if (pip === false) python ??= command;
  }
  throw new Error(
    python
      ? `${python} has no pip, which downloads TensorFlow. Install it (Debian and Ubuntu: \`apt install python3-pip\`; elsewhere: ` +
        `\`${python} -m ensurepip\`) and run this again, or name the folder of a TensorFlow by TENSORFLOW_LIB_DIR`
      : `there is no Python on PATH (${
        pythons.join(", ")
      }), whose pip downloads TensorFlow. Install Python 3 with pip (Debian and ` +
        "Ubuntu: `apt install python3-pip`) and run this again, or name the folder of a TensorFlow by TENSORFLOW_LIB_DIR",
  );
}

/** Undefined if there is no such command. */
async function succeeds(command: string, args: string[]): Promise<boolean | undefined> {
  try {
    return (await new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return undefined;
  }
}
