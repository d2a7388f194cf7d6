import zeromq from "npm:zeromq@6.8.0/package.json" with { type: "json" };

/** A prebuilt library of the npm package `zeromq`, as its `build/manifest.json` describes it. */
interface Build {
  os: string;
  arch: string;
  libc: string;
  abi: number;
  path: string;
}

let chosen: string | undefined;

/**
 * Names the libzmq to load instead of the one in the npm package `zeromq`: what `LIBZMQ_PATH` holds. It counts for
 * everything that is opened afterwards.
 * @param path a shared library that exports `zmq_*` (4.2 or later), or undefined for the npm package's
 */
export function setLibzmqPath(path: string | undefined): void {
  chosen = path || undefined;
}

/** What {@linkcode setLibzmqPath} was given. */
export function libzmqPath(): string | undefined {
  return chosen;
}

/**
 * The path of the libzmq inside the npm package `zeromq` that fits this machine: its addon exports all `zmq_*` symbols.
 * @throws Error if the package has none for this platform, or cannot be found on disk
 */
export function bundledLibzmq(): string {
  // The static import above is what makes Deno fetch the package; the resolved address then is its place in the cache.
  const root = import.meta.resolve("npm:zeromq@6.8.0/package.json");
  if (!root.startsWith("file:")) {
    throw new Error(
      `the npm package ${zeromq.name}@${zeromq.version} is not on disk (it resolves to ${root}); set LIBZMQ_PATH to a libzmq 4.2 or later`,
    );
  }
  let manifest: Record<string, string>;
  try {
    manifest = JSON.parse(Deno.readTextFileSync(new URL("./build/manifest.json", root)));
  } catch (cause) {
    throw new Error(
      `cannot read build/manifest.json of the npm package ${zeromq.name}@${zeromq.version}; ` +
        `run \`deno cache --reload npm:zeromq@${zeromq.version}\` or set LIBZMQ_PATH to a libzmq 4.2 or later`,
      { cause },
    );
  }
  const build = chooseBuild(manifest, platform());
  return decodeURIComponent(new URL(`./build/${build.path}`, root).pathname).replace(/^\/([A-Za-z]:)/, "$1");
}

/** What a build must fit. */
export interface Platform {
  os: string;
  arch: string;
  libc: string;
}

function platform(): Platform {
  const { os, arch, target } = Deno.build;
  return {
    os: os === "windows" ? "win32" : os,
    arch: arch === "aarch64" ? "arm64" : "x64",
    libc: os === "windows" ? "msvc" : os === "darwin" ? "libc" : target.endsWith("musl") ? "musl" : "glibc",
  };
}

/**
 * The newest build for a platform in the package's manifest, whose keys are themselves JSON.
 * @throws Error if there is none, listing those there are
 */
export function chooseBuild(manifest: Record<string, string>, wanted: Platform): { path: string } {
  const builds = Object.entries(manifest).map(([key, path]): Build => {
    const { os, arch, libc, abi } = JSON.parse(key);
    return { os, arch, libc, abi, path: path.replaceAll("\\", "/") };
  });
  const fits = builds.filter((build) =>
    build.os === wanted.os && build.arch === wanted.arch && build.libc === wanted.libc
  );
  if (fits.length === 0) {
    const offered = [...new Set(builds.map(({ os, arch, libc }) => `${os}-${arch}-${libc}`))].join(", ");
    throw new Error(
      `the npm package ${zeromq.name} has no libzmq for ${wanted.os}-${wanted.arch}-${wanted.libc} (it has ${offered}); ` +
        `install libzmq and set LIBZMQ_PATH to its shared library`,
    );
  }
  return fits.reduce((best, build) => build.abi > best.abi ? build : best);
}
