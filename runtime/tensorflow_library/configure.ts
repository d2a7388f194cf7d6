/** How TensorFlow is found and started. What is absent is left to its default. */
export interface TensorflowConfiguration {
  /** What `TENSORFLOW_LIB_DIR` holds: the folder of the libraries; nothing else is looked at then. Default: search. */
  libraryDirectory?: string;
  /** What `XDG_CACHE_HOME` holds. Default: the operating system's usual place. */
  cacheHome?: string;
  /** Threads that one op may use (`TF_NUM_INTRAOP_THREADS`). Default: the cores divided by the local ranks. */
  intraOpThreads?: number;
  /** Ops of a compiled step that may run side by side (`TF_NUM_INTEROP_THREADS`). Default: the cores divided by the local ranks. */
  interOpThreads?: number;
  /** What to ask for Python's TensorFlow. Default: `python3`, `python`. */
  pythonCommands?: readonly string[];
}

let configuration: TensorflowConfiguration = {};

/**
 * Sets how TensorFlow is found and started from now on; a TensorFlow that already runs stays as it is. The libraries do not read the
 * environment: whoever does, calls this with what the variables hold.
 * @throws RangeError for a number of threads that is none
 */
export function configureTensorflow(wanted: TensorflowConfiguration): void {
  for (const name of ["intraOpThreads", "interOpThreads"] as const) {
    const threads = wanted[name];
    if (threads !== undefined && !(Number.isSafeInteger(threads) && threads > 0 && threads < 2 ** 31)) {
      throw new RangeError(`\`${name}: ${threads}\` must be a whole number of threads, at least 1`);
    }
  }
  configuration = { ...wanted };
}

/** What {@linkcode configureTensorflow} was given. */
export function tensorflowConfiguration(): Readonly<TensorflowConfiguration> {
  return configuration;
}
