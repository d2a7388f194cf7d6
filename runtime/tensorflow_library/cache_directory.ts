import { homedir } from "node:os";

/** Options of {@linkcode cacheDirectory}. */
export interface CacheDirectoryOptions {
  /** What `XDG_CACHE_HOME` holds. Default: nothing, so the operating system's usual place below the home folder. */
  cacheHome?: string;
  /** Default: the user's home folder. */
  home?: string;
  /** Default: this machine's. */
  os?: typeof Deno.build.os;
}

/** Where `deno task setup` puts TensorFlow's library when no other folder is asked for. One folder a version lies in it. */
export function cacheDirectory(options: CacheDirectoryOptions = {}): string {
  if (options.cacheHome) return `${options.cacheHome}/weft/tensorflow`;
  const { home = homedir(), os = Deno.build.os } = options;
  return `${home}/${os === "darwin" ? "Library/Caches" : ".cache"}/weft/tensorflow`;
}
