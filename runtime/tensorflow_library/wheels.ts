/** A wheel of PyPI, as `pip download` is asked for it. */
export interface Wheel {
  /** Name on PyPI. */
  readonly project: string;
  readonly version: string;
  /** Tags for which pip is to choose, so that any Python can download it. The C libraries are the same for all Pythons. */
  readonly platforms: readonly string[];
  /** Which files of the wheel are needed, by the beginning and the end of their path. */
  readonly needed: readonly RegExp[];
  /** sha256 of the wheel, as hexadecimal digits; undefined for a version that is not pinned here. */
  readonly sha256: string | undefined;
}

/** The version that this runtime is tested with. */
export const PINNED_VERSION = "2.21.0";

/** sha256 of TensorFlow's wheels for CPython 3.11. */
const TENSORFLOW: Readonly<Record<string, { project: string; platforms: string[]; sha256: string }>> = {
  "linux x86_64": {
    project: "tensorflow-cpu",
    platforms: ["manylinux_2_27_x86_64", "manylinux_2_17_x86_64"],
    sha256: "2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c",
  },
  "linux x86_64 cuda": {
    project: "tensorflow",
    platforms: ["manylinux_2_27_x86_64", "manylinux_2_17_x86_64"],
    sha256: "9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124",
  },
  "linux aarch64": {
    project: "tensorflow",
    platforms: ["manylinux_2_27_aarch64", "manylinux_2_17_aarch64"],
    sha256: "4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c",
  },
  "darwin aarch64": {
    project: "tensorflow",
    platforms: ["macosx_12_0_arm64"],
    sha256: "51f46f4806139d01fc7920cc72a4c75876f80649bf40ff083ab6212ceb43ca88",
  },
};

/** The CUDA libraries that TensorFlow 2.21 opens: NVIDIA's wheels for Linux on x64, what pip chose for `tensorflow[and-cuda]==2.21.0`. */
const CUDA: readonly (readonly [project: string, version: string, sha256: string])[] = [
  ["nvidia-cublas-cu12", "12.9.3.13", "d7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72"],
  ["nvidia-cuda-cupti-cu12", "12.8.90", "ea0cb07ebda26bb9b29ba82cda34849e73c166c18162d3913575b0c9db9a6182"],
  ["nvidia-cuda-nvcc-cu12", "12.9.86", "5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0"],
  ["nvidia-cuda-nvrtc-cu12", "12.9.86", "210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4"],
  ["nvidia-cuda-runtime-cu12", "12.9.79", "25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3"],
  ["nvidia-cudnn-cu12", "9.28.0.42", "9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375"],
  ["nvidia-cufft-cu12", "11.4.1.4", "c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28"],
  ["nvidia-curand-cu12", "10.3.10.19", "49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e"],
  ["nvidia-cusolver-cu12", "11.7.5.82", "15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88"],
  ["nvidia-cusparse-cu12", "12.5.10.65", "73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78"],
  ["nvidia-nccl-cu12", "2.32.3", "bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c"],
  ["nvidia-nvjitlink-cu12", "12.9.86", "e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9"],
];

/** The two libraries that hold the C API, and the licences of all that is in them. */
const TENSORFLOW_FILES = [
  /^tensorflow\/libtensorflow_(cc|framework)\.(so\.2|2\.dylib)$/,
  /^tensorflow[^/]*\.dist-info\/(licenses\/)?(LICENSE|NOTICE|AUTHORS)/,
  /^tensorflow\/THIRD_PARTY_NOTICES/,
];

/** Libraries, and what XLA compiles kernels with. */
const CUDA_FILES = [
  /^nvidia\/[^/]+\/lib\/.+\.so[.\d]*$/,
  /^nvidia\/cuda_nvcc\/(bin|nvvm)\//,
  /^nvidia[^/]*\/.*(License|LICENSE)/,
];

/** Options of {@linkcode wheelsFor}. */
export interface WheelsOptions {
  /** Default: {@linkcode PINNED_VERSION}. Another is not pinned: only what the package index says of it can be checked. */
  version?: string;
  /** Whether to get the build for CUDA, with the CUDA libraries. Default: false. */
  cuda?: boolean;
  /** Default: this machine's. */
  os?: string;
  /** Default: this machine's. */
  arch?: string;
}

/**
 * The wheels that hold TensorFlow's library for a machine, TensorFlow's own first.
 * @throws RangeError if there is none for it
 */
export function wheelsFor(options: WheelsOptions = {}): readonly Wheel[] {
  const { version = PINNED_VERSION, cuda = false, os = Deno.build.os, arch = Deno.build.arch } = options;
  const entry = TENSORFLOW[`${os} ${arch}${cuda ? " cuda" : ""}`];
  if (!entry) {
    throw new RangeError(
      cuda && TENSORFLOW[`${os} ${arch}`]
        ? `there is no TensorFlow with CUDA for ${os} on ${arch}, only for Linux on x64: leave out --cuda`
        : `there is no TensorFlow for ${os} on ${arch}: leave the accelerator at auto, which takes wasm`,
    );
  }
  const { project, platforms, sha256 } = entry;
  const pinned = version === PINNED_VERSION;
  const tensorflow = { project, version, platforms, needed: TENSORFLOW_FILES, sha256: pinned ? sha256 : undefined };
  if (!cuda) return [tensorflow];
  const cudaPlatforms = [
    "manylinux_2_27_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux_2_12_x86_64",
  ];
  return [
    tensorflow,
    ...CUDA.map(([project, version, sha256]) => ({
      project,
      version,
      platforms: cudaPlatforms,
      needed: CUDA_FILES,
      sha256,
    })),
  ];
}
