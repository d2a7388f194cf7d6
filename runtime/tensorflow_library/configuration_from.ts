import type { TensorflowConfiguration } from "./configure.ts";

/**
 * What environment variables say of TensorFlow: `TENSORFLOW_LIB_DIR`, `XDG_CACHE_HOME`, `TF_NUM_INTRAOP_THREADS`,
 * `TF_NUM_INTEROP_THREADS`. Of the threads 0 means what it means to TensorFlow: the default.
 * @throws RangeError naming the variable and its value, if that is no number of threads
 *
 * @example
 * ```ts
 * const { intraOpThreads } = configurationFrom({ TF_NUM_INTRAOP_THREADS: "2" });
 * console.assert(intraOpThreads === 2);
 * ```
 */
export function configurationFrom(variables: Readonly<Record<string, string | undefined>>): TensorflowConfiguration {
  const threads = (name: string): number | undefined => {
    const text = variables[name]?.trim();
    if (!text) return undefined;
    if (!/^\d{1,5}$/.test(text)) {
      throw new RangeError(
        `The environment variable ${name}=${text} must be a number of threads: set it to 1 or more, or unset it`,
      );
    }
    return Number(text) || undefined;
  };
  return {
    libraryDirectory: variables.TENSORFLOW_LIB_DIR || undefined,
    cacheHome: variables.XDG_CACHE_HOME || undefined,
    intraOpThreads: threads("TF_NUM_INTRAOP_THREADS"),
    interOpThreads: threads("TF_NUM_INTEROP_THREADS"),
  };
}
