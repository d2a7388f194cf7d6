/** A TensorFlow on this machine whose C API can be called. */
export interface TensorflowLibrary {
  /** The folder that holds the shared libraries. */
  readonly directory: string;
  /** E.g. `2.21.0`; undefined where nothing beside the files tells it. */
  readonly version: string | undefined;
  /** How it was found. */
  readonly source: "TENSORFLOW_LIB_DIR" | "python" | "cache";
  /** Whether it was built for CUDA; undefined where nothing beside the files tells it. */
  readonly cuda: boolean | undefined;
}

/** What {@linkcode findLibrary} found, and what it did not. */
export interface LibrarySearch {
  readonly library: TensorflowLibrary | undefined;
  /** One clause for each place that was looked at in vain, in order. */
  readonly misses: readonly string[];
}
