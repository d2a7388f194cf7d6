/** Those of the named programs that this machine lacks. Programs of system administrators are looked for too. */
export function missingPrograms(names: string[]): string[] {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin"];
  const exists = (path: string) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  };
  return names.filter((name) => !folders.some((folder) => exists(`${folder}/${name}`)));
}

/** What a program wrote, and how it ended. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. */
export async function runProgram(program: string, args: string[], options: Deno.CommandOptions = {}): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    ...options,
    env: { NO_COLOR: "1", ...options.env },
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
