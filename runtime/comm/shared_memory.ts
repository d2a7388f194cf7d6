/** Memory that the ranks of one host share. It lies in a WebAssembly memory, so that vector instructions work on it. */
export interface Segment {
  /** By which the others open it, for as long as its maker has it open. */
  readonly name: string;
  readonly memory: WebAssembly.Memory;
  /** Makes sure that these bytes can be written. @throws Error if there is no room for them */
  reserve(offset: number, bytes: number): void;
  /** Lets go of the memory, at once; what is read from it afterwards is zeros. */
  close(): void;
}

/** Makes segments. */
export interface SharedMemory {
  /** Makes a segment that takes no room until it is reserved. @throws Error if that is not possible here */
  create(bytes: number): Segment;
  /** Opens the segment of another rank. @throws Error if there is none of that name */
  open(name: string, bytes: number): Segment;
}
