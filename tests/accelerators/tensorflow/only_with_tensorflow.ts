import { processEnvironment } from "../../../runtime/environments/process_environment.ts";
import { configureTensorflow } from "../../../runtime/tensorflow_library/configure.ts";
import { findLibrary } from "../../../runtime/tensorflow_library/find_library.ts";

const environment = processEnvironment();
configureTensorflow({
  libraryDirectory: environment.TENSORFLOW_LIB_DIR || undefined,
  cacheHome: environment.XDG_CACHE_HOME || undefined,
});
const { library, misses } = await findLibrary();
if (!library) {
  console.log(`skipped: what needs TensorFlow, because ${misses.join("; ")}. \`deno task setup\` gets it`);
}

/** The TensorFlow of this machine; undefined: tests that need it are skipped, and the reason is printed. */
export const tensorflowLibrary = library;

/** Registers a test that is skipped on a machine without TensorFlow. */
export function tensorflowTest(name: string, run: (t: Deno.TestContext) => void | Promise<void>): void {
  Deno.test({ name, ignore: !library, fn: run });
}
