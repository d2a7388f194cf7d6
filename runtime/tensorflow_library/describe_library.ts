import type { TensorflowLibrary } from "./library.ts";

const SOURCES = {
  TENSORFLOW_LIB_DIR: "named by TENSORFLOW_LIB_DIR",
  python: "of Python",
  cache: "of an earlier setup",
};

/** One line for people: version, where it comes from, whether it has CUDA, where it lies. */
export function describeLibrary(library: TensorflowLibrary): string {
  const { version, source, cuda, directory } = library;
  const build = cuda === undefined ? "" : cuda ? ", built for CUDA" : ", built without CUDA";
  return `TensorFlow ${version ?? "of an unknown version"} ${SOURCES[source]}${build}, in ${directory}`;
}
