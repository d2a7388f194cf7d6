import { libraryFiles } from "../../tensorflow_library/library_files.ts";
import { type Api, cString, SYMBOLS } from "./symbols.ts";
import { withoutInformation } from "./without_information.ts";

/** What is called of the C library: `dlopen` with flags of our choice, and a copy to foreign memory that costs one call. */
const C_LIBRARY = {
  dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
  dlerror: { parameters: [], result: "pointer" },
  memcpy: { parameters: ["pointer", "buffer", "usize"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * RTLD_LAZY and RTLD_NODELETE as the two systems number them. On Linux RTLD_LOCAL and RTLD_DEEPBIND too: TensorFlow brings an LLVM of its
 * own, and so do WebGPU's software devices; a process that mixes their symbols crashes.
 */
const FLAGS = { linux: 0x1 | 0x8 | 0x1000, darwin: 0x1 | 0x8 | 0x80 } as Record<string, number>;
const C_LIBRARY_FILE = { linux: "libc.so.6", darwin: "libSystem.B.dylib" } as Record<string, string>;

/** `absl::SetMinLogLevel` as TensorFlow 2.21 exports it. */
const SET_MIN_LOG_LEVEL = "_ZN4absl12lts_2025081414SetMinLogLevelENS0_18LogSeverityAtLeastE";

/** An opened TensorFlow. */
export interface OpenedLibrary {
  readonly api: Api;
  /** Copies bytes into foreign memory. */
  readonly copyTo: (target: Deno.PointerObject, source: Uint8Array<ArrayBuffer>) => void;
  /** Sets the least that TensorFlow writes to standard error. Does nothing to another version than 2.21. */
  readonly setLogLevel: (level: LogLevel) => void;
  /** E.g. `2.21.0`. */
  readonly version: string;
}

/** The least that is written. */
export type LogLevel = "information" | "warnings" | "errors";

const opened = new Map<string, OpenedLibrary>();

/** Options of {@linkcode openLibrary}. */
export interface OpenLibraryOptions {
  /**
   * Libraries to open before, in this order, so that TensorFlow finds them open when it asks for them by name. One that cannot be opened is
   * left to TensorFlow to miss. Default: none.
   */
  before?: readonly string[];
}

/**
 * Opens the libraries of a folder; blocks for some 0.3 s, once. They stay open until the process ends: TensorFlow's threads may run
 * while it exits, so the libraries are pinned (RTLD_NODELETE), whoever closes them.
 * @throws Error with what the dynamic linker says, or what symbol is missing
 */
export function openLibrary(directory: string, options: OpenLibraryOptions = {}): OpenedLibrary {
  const before = opened.get(directory);
  if (before) return before;
  const files = libraryFiles();
  const flags = FLAGS[Deno.build.os];
  if (!files || flags === undefined) throw new Error(`TensorFlow's library cannot be opened on ${Deno.build.os}`);
  const { dlopen, dlerror, memcpy } = Deno.dlopen(C_LIBRARY_FILE[Deno.build.os], C_LIBRARY).symbols;
  let setLogLevel: OpenedLibrary["setLogLevel"] = () => {};
  for (const path of options.before ?? []) dlopen(cString(path), flags);
  for (const [index, file] of files.entries()) {
    const path = `${directory}/${file}`;
    // The framework speaks while it is opened, before it can be told not to.
    const handle = index === 0 ? withoutInformation(() => dlopen(cString(path), flags)) : dlopen(cString(path), flags);
    if (!handle) {
      const reason = dlerror();
      throw new Error(
        `cannot open ${path}: ${
          reason ? Deno.UnsafePointerView.getCString(reason) : "the dynamic linker gave no reason"
        }. ` +
          "Run `deno task setup --force`, or name another TensorFlow by TENSORFLOW_LIB_DIR",
      );
    }
    if (index === 0) {
      setLogLevel = findSetLogLevel(path);
      setLogLevel("warnings"); // before the second library, which would announce its build for every rank
    }
  }
  const path = `${directory}/${files[1]}`;
  let api: Api;
  try {
    api = Deno.dlopen(path, SYMBOLS).symbols;
  } catch (cause) {
    throw new Error(
      `${path} is no TensorFlow that can be used: ${cause instanceof Error ? cause.message : cause}. ` +
        "Version 2.21 is what this runtime is tested with: `deno task setup` gets it",
      { cause },
    );
  }
  const library: OpenedLibrary = {
    api,
    copyTo: (target, source) => void memcpy(target, source, BigInt(source.byteLength)),
    setLogLevel,
    version: Deno.UnsafePointerView.getCString(api.TF_Version()!),
  };
  opened.set(directory, library);
  return library;
}

/** Of one version only: one of another version talks. */
function findSetLogLevel(framework: string): (level: LogLevel) => void {
  try {
    const name = SET_MIN_LOG_LEVEL;
    const { symbols } = Deno.dlopen(framework, { [name]: { parameters: ["i32"], result: "void" } });
    return (level) => symbols[name]({ information: 0, warnings: 1, errors: 2 }[level]);
  } catch {
    return () => {};
  }
}
