/** Options of {@linkcode fakePython}. */
export interface FakePythonOptions {
  /** What it says when asked where its TensorFlow is. Default: the empty string, nowhere. */
  tensorflow?: string;
  /** The wheel that its pip "downloads"; absent: it has no pip. */
  wheel?: string;
  /** The exit code of its pip when it downloads. Default: 0. */
  pipCode?: number;
  /** The name of the file. Default: `python3`. */
  name?: string;
}

/** Writes a program to a folder that behaves like Python as far as it is asked here. @returns its path */
export async function fakePython(folder: string, options: FakePythonOptions = {}): Promise<string> {
  const { tensorflow = "", wheel, pipCode = 0, name = "python3" } = options;
  const path = `${folder}/${name}`;
  await Deno.writeTextFile(
    path,
    `#!/bin/sh
if [ "$1" = -c ]; then echo "${tensorflow}"; exit 0; fi
if [ -z "${wheel ?? ""}" ]; then echo "No module named pip" >&2; exit 1; fi
if [ "$3" = --version ]; then echo pip; exit 0; fi
for argument; do case "$argument" in --dest=*) cp "${wheel}" "\${argument#--dest=}/" ;; esac; done
echo "$@" > "${folder}/arguments"
exit ${pipCode}
`,
  );
  await Deno.chmod(path, 0o755);
  return path;
}
