import { CheckpointError } from "../core/errors.ts";
import { FORMAT, type Header, MAX_HEADER_BYTES, parseHeader, STRUCTURE_KEY } from "./header.ts";

/** An open file whose header was read and checked. Closes with `using`. */
export interface OpenCheckpoint extends Disposable {
  readonly file: Deno.FsFile;
  readonly header: Header;
  /** The first bytes of the file, up to its tensors. */
  readonly headerBytes: Uint8Array<ArrayBuffer>;
  /** The format and the structure of the state; undefined for a safetensors file that is not ours. */
  readonly state: { format: number; writer: string; tree: unknown } | undefined;
}

/** Opens a file and checks its header against its size, before anything is allocated by what the file says. */
export async function openCheckpoint(path: string): Promise<OpenCheckpoint> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new CheckpointError(`Checkpoint file not found: ${path}`, path, { cause });
    }
    throw new CheckpointError(`Could not open the checkpoint ${path}: ${(cause as Error).message}`, path, { cause });
  }
  try {
    const info = await file.stat();
    if (!info.isFile) throw new Error("it is a folder, not a file");
    const headerBytes = await readHeaderBytes(file, info.size);
    const header = parseHeader(headerBytes.subarray(8), info.size - headerBytes.length);
    const state = parseState(header, path);
    return { file, header, headerBytes, state, [Symbol.dispose]: () => file.close() };
  } catch (error) {
    file.close();
    throw invalid(path, error);
  }
}

/** What is thrown for a damaged file; errors that say it already pass unchanged. */
export function invalid(path: string, error: unknown): CheckpointError {
  if (error instanceof CheckpointError) return error;
  const message = `${path} is not a valid checkpoint: ${(error as Error).message}`;
  const { cause, name } = error as Error;
  // A plain Error is one of this folder's, which the message already repeats.
  const original = cause ?? (name === "Error" ? undefined : error);
  return new CheckpointError(message, path, original === undefined ? undefined : { cause: original });
}

/** Fills `bytes` from where the file stands. @throws Error if the file ends before */
export async function readExactly(
  file: Deno.FsFile,
  bytes: Uint8Array,
  onChunk?: (chunk: Uint8Array) => void,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const count = await file.read(bytes.subarray(at, at + (1 << 20)));
    if (count === null) throw new Error("it was cut short while it was read");
    onChunk?.(bytes.subarray(at, at + count));
    at += count;
  }
}

async function readHeaderBytes(file: Deno.FsFile, fileBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  if (fileBytes < 8) throw new Error(`it is cut short or no checkpoint at all: it has ${fileBytes} bytes`);
  const length = new Uint8Array(8);
  await readExactly(file, length);
  const declared = new DataView(length.buffer).getBigUint64(0, true);
  if (declared > BigInt(MAX_HEADER_BYTES)) throw new Error("it does not begin as a safetensors file does");
  const bytes = Number(declared);
  if (bytes > fileBytes - 8) {
    throw new Error(
      `it is cut short or no checkpoint at all: its header takes ${bytes} bytes, but ${fileBytes - 8} follow`,
    );
  }
  const whole = new Uint8Array(8 + bytes);
  whole.set(length);
  await readExactly(file, whole.subarray(8));
  return whole;
}

function parseState(header: Header, path: string): OpenCheckpoint["state"] {
  const text = header.metadata.get(STRUCTURE_KEY);
  if (text === undefined) return undefined;
  let state: { format?: unknown; writer?: unknown; tree?: unknown };
  try {
    state = JSON.parse(text);
  } catch (cause) {
    throw new Error("the state in its header is not JSON", { cause });
  }
  const { format, tree } = state ?? {};
  if (!Number.isSafeInteger(format) || (format as number) < 1) {
    throw new Error(`it says it has the format ${JSON.stringify(format)}, expected a number from 1 up`);
  }
  const writer = typeof state.writer === "string" ? state.writer : "a newer Weft";
  if (format as number > FORMAT) {
    throw new CheckpointError(
      `${path} has the checkpoint format ${format}, written by ${writer}; this version reads formats up to ${FORMAT}: ` +
        `load it with ${writer} or newer`,
      path,
    );
  }
  return { format: format as number, writer, tree };
}
