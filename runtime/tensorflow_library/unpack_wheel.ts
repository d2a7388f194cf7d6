import { once } from "node:events";
import { createWriteStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
// @ts-types="npm:@types/yauzl@3.4.0"
import yauzl from "npm:yauzl@3.4.0";

/** Options of {@linkcode unpackWheel}. */
export interface UnpackWheelOptions {
  /** Where the files go, by their path in the wheel. */
  folder: string;
  /** A file is unpacked if one of these matches its path. */
  needed: readonly RegExp[];
  /** Told each file before it is unpacked. Default: nobody is. */
  onFile?: (path: string, bytes: number) => void;
  /** Stops between two files, or within one. */
  signal?: AbortSignal;
}

/**
 * Unpacks the needed files of a wheel, which is a zip file. Their checksums are verified.
 * @returns how many files were unpacked
 * @throws Error if the wheel is damaged, or a path leads out of the folder
 */
export async function unpackWheel(wheel: string, options: UnpackWheelOptions): Promise<number> {
  const { folder, needed, onFile, signal } = options;
  const zip = await new Promise<yauzl.ZipFile>((resolve, reject) => {
    yauzl.open(wheel, { lazyEntries: true, autoClose: false }, (error, zip) => error ? reject(error) : resolve(zip));
  }).catch((cause) => {
    throw new Error(`${wheel} is damaged: ${cause instanceof Error ? cause.message : cause}`, { cause });
  });
  let files = 0;
  try {
    for (let entry; (entry = await nextEntry(zip));) {
      signal?.throwIfAborted();
      const { fileName: path, uncompressedSize } = entry;
      if (path.endsWith("/") || !needed.some((pattern) => pattern.test(path))) continue;
      onFile?.(path, uncompressedSize);
      const target = `${folder}/${path}`;
      await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
      const stream = await new Promise<Readable>((resolve, reject) => {
        zip.openReadStream(entry, (error, stream) => error ? reject(error) : resolve(stream));
      });
      let checksum = 0;
      stream.on("data", (chunk: Uint8Array) => checksum = crc32(chunk, checksum));
      await pipeline(stream, createWriteStream(target), { signal });
      if (checksum !== entry.crc32) throw new Error(`${wheel} is damaged: ${path} has another checksum than it should`);
      // The upper half holds the file's mode where the archive was made on Unix.
      if (entry.externalFileAttributes >>> 16 & 0o111) await Deno.chmod(target, 0o755);
      files++;
    }
  } finally {
    zip.close();
  }
  return files;
}

/** The next entry, undefined after the last. */
async function nextEntry(zip: yauzl.ZipFile): Promise<yauzl.Entry | undefined> {
  const controller = new AbortController();
  try {
    const { signal } = controller;
    // `once` rejects when the zip file emits an error.
    const next = Promise.race([
      once(zip, "entry", { signal }).then(([entry]) => entry as yauzl.Entry),
      once(zip, "end", { signal }).then(() => undefined),
    ]);
    zip.readEntry();
    return await next;
  } finally {
    controller.abort();
  }
}
