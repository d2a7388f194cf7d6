import { configProto, type ConfigProtoOptions } from "./config_proto.ts";
import type { Status } from "./status.ts";
import { type Api, cString } from "./symbols.ts";

/** A TFE_Context: the devices, and what runs ops on them. */
export interface Context extends Disposable {
  readonly pointer: Deno.PointerValue;
  /** TensorFlow's name of the device that tensors are put on, as a C string. */
  readonly device: Uint8Array<ArrayBuffer>;
  readonly onGpu: boolean;
}

/**
 * Starts TensorFlow's eager runtime.
 * @throws Error if it does not start, or if a GPU is asked for and it has none
 */
export function createContext(api: Api, status: Status, options: ConfigProtoOptions): Context {
  const contextOptions = api.TFE_NewContextOptions();
  let pointer: Deno.PointerValue;
  try {
    const config = configProto(options);
    api.TFE_ContextOptionsSetConfig(contextOptions, config, BigInt(config.length), status.pointer);
    status.check("does not take its configuration");
    pointer = api.TFE_NewContext(contextOptions, status.pointer);
    status.check("does not start");
  } finally {
    api.TFE_DeleteContextOptions(contextOptions);
  }
  const wanted = options.gpu === undefined ? "CPU" : "GPU";
  const device = firstDevice(api, status, pointer, wanted);
  if (device === undefined) {
    api.TFE_DeleteContext(pointer);
    throw new Error(
      `this TensorFlow finds no ${wanted}. It needs the build for CUDA, with cuDNN and the other CUDA libraries beside it: ` +
        "`deno task setup --cuda` gets them, `deno task doctor` says what is there",
    );
  }
  return {
    pointer,
    device: cString(device),
    onGpu: wanted === "GPU",
    [Symbol.dispose]: () => api.TFE_DeleteContext(pointer),
  };
}

function firstDevice(api: Api, status: Status, context: Deno.PointerValue, type: string): string | undefined {
  const list = api.TFE_ContextListDevices(context, status.pointer);
  status.check("does not list its devices");
  try {
    for (let i = 0; i < api.TF_DeviceListCount(list); i++) {
      const found = Deno.UnsafePointerView.getCString(api.TF_DeviceListType(list, i, status.pointer)!);
      if (found === type) return Deno.UnsafePointerView.getCString(api.TF_DeviceListName(list, i, status.pointer)!);
    }
  } finally {
    api.TF_DeleteDeviceList(list);
  }
  return undefined;
}
