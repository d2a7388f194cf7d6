/**
 * Opens the TensorFlow of a folder and prints its version: `deno run -A print_version.ts FOLDER`. A process of its own, as a library
 * that does not fit the machine may end it.
 */
import { libraryFiles } from "./library_files.ts";

const [directory] = Deno.args;
const [framework, api] = libraryFiles() ?? [];
// The second finds the first where it lies already open.
Deno.dlopen(`${directory}/${framework}`, {});
const { symbols } = Deno.dlopen(`${directory}/${api}`, { TF_Version: { parameters: [], result: "pointer" } });
await Deno.stdout.write(new TextEncoder().encode(Deno.UnsafePointerView.getCString(symbols.TF_Version()!) + "\n"));
// TensorFlow's threads may run: no library is closed, and nothing of it is asked on the way out.
Deno.kill(Deno.pid, "SIGKILL");
