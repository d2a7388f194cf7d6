/** The two shared libraries of a TensorFlow 2 wheel that hold its C API, by operating system; the first is opened first. */
const FILES: Partial<Record<typeof Deno.build.os, readonly [framework: string, api: string]>> = {
  linux: ["libtensorflow_framework.so.2", "libtensorflow_cc.so.2"],
  darwin: ["libtensorflow_framework.2.dylib", "libtensorflow_cc.2.dylib"],
};

/**
 * Names of the files that a folder must hold to be used as a TensorFlow: the framework, then the library that exports the C API.
 * @returns undefined where there is no such TensorFlow (anything but Linux and macOS)
 */
export function libraryFiles(os: typeof Deno.build.os = Deno.build.os): readonly [string, string] | undefined {
  return FILES[os];
}

/** Which of a TensorFlow's files a folder lacks. Empty: it can be used. */
export function missingFiles(directory: string, os: typeof Deno.build.os = Deno.build.os): string[] {
  return (libraryFiles(os) ?? []).filter((file) => !isFile(`${directory}/${file}`));
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
