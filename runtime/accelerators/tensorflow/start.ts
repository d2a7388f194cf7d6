import { countCudaDevices } from "../../devices/cuda_devices.ts";
import { cudaLibraries } from "../../tensorflow_library/cuda_libraries.ts";
import { tensorflowConfiguration } from "../../tensorflow_library/configure.ts";
import { findLibrary } from "../../tensorflow_library/find_library.ts";
import type { LoadOptions } from "../accelerator.ts";
import { TensorflowBinding } from "./binding.ts";
import type { ConfigProtoOptions } from "./config_proto.ts";
import { createContext } from "./context.ts";
import { giveBackPages } from "./give_back_pages.ts";
import { openLibrary } from "./open_library.ts";
import { Status } from "./status.ts";

/** A binding that runs, and how. */
export interface StartedTensorflow {
  readonly binding: TensorflowBinding;
  readonly intraOpThreads: number;
  readonly interOpThreads: number;
  /** What the context was made with. */
  readonly config: ConfigProtoOptions;
  /** The folder of the library. */
  readonly directory: string;
}

/**
 * Finds TensorFlow, opens it and starts its eager runtime, without making it tfjs's backend. Blocks for some 0.3 s while the library is
 * opened.
 * @throws Error with where it was looked for, if there is none, and what the dynamic linker or TensorFlow says, if it does not start
 */
export async function startTensorflow(kind: "cpu" | "cuda", options: LoadOptions = {}): Promise<StartedTensorflow> {
  const { deviceIndex = 0, localWorldSize = 1 } = options;
  const { library, misses } = await findLibrary({ cuda: kind === "cuda" });
  if (!library) {
    throw new Error(
      `found no TensorFlow: ${misses.join("; ")}. Run \`deno task setup${kind === "cuda" ? " --cuda" : ""}\` to get it`,
    );
  }
  const opened = openLibrary(library.directory, { before: kind === "cuda" ? cudaLibraries(library.directory) : [] });
  const { intraOpThreads, interOpThreads } = threads(localWorldSize);
  const status = new Status(opened.api);
  const gpu = kind === "cuda" ? visibleGpu(deviceIndex) : undefined;
  const config = { intraOpThreads, interOpThreads, gpu };
  const context = createContext(opened.api, status, config);
  // From here on what goes wrong is thrown, and a line for every op that fails would say it again.
  opened.setLogLevel("errors");
  giveBackPages(library.directory);
  return {
    binding: new TensorflowBinding(opened, status, context),
    intraOpThreads,
    interOpThreads,
    config,
    directory: library.directory,
  };
}

/** Cores are shared among the ranks of the host. */
function threads(localWorldSize: number): { intraOpThreads: number; interOpThreads: number } {
  const share = Math.max(1, Math.floor(navigator.hardwareConcurrency / Math.max(1, localWorldSize)));
  const { intraOpThreads = share, interOpThreads = share } = tensorflowConfiguration();
  return { intraOpThreads, interOpThreads };
}

/** The index among the GPUs that this process sees: where the launcher hides all but its own from a rank, that is the first. */
function visibleGpu(deviceIndex: number): number {
  return countCudaDevices().count === 1 ? 0 : deviceIndex;
}
