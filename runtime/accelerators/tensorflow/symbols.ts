const P = "pointer", B = "buffer", I = "i32", L = "i64", Z = "usize", V = "void";
/** TF_Output: an operation and the index of one of its outputs. */
const OUTPUT = { struct: ["pointer", "i32"] } as const;

/**
 * The functions of TensorFlow's C API that are called, by their declarations in tensorflow/c/c_api.h, tf_tensor.h, tf_status.h,
 * tf_tstring.h, c_api_function.h, eager/c_api.h and eager/c_api_experimental.h (`TFE_OpReset`, executors, and what concerns
 * collectives).
 */
export const SYMBOLS = {
  TF_Version: { parameters: [], result: P },
  TF_NewStatus: { parameters: [], result: P },
  TF_DeleteStatus: { parameters: [P], result: V },
  TF_GetCode: { parameters: [P], result: I },
  TF_Message: { parameters: [P], result: P },
  TF_SetStatus: { parameters: [P, I, B], result: V },

  TFE_NewContextOptions: { parameters: [], result: P },
  TFE_ContextOptionsSetConfig: { parameters: [P, B, Z, P], result: V },
  TFE_DeleteContextOptions: { parameters: [P], result: V },
  TFE_NewContext: { parameters: [P, P], result: P },
  TFE_DeleteContext: { parameters: [P], result: V },
  TFE_ContextListDevices: { parameters: [P, P], result: P },
  TF_DeviceListCount: { parameters: [P], result: I },
  TF_DeviceListName: { parameters: [P, I, P], result: P },
  TF_DeviceListType: { parameters: [P, I, P], result: P },
  TF_DeleteDeviceList: { parameters: [P], result: V },

  TF_AllocateTensor: { parameters: [I, B, I, Z], result: P },
  TF_DeleteTensor: { parameters: [P], result: V },
  TF_TensorData: { parameters: [P], result: P },
  TF_TensorByteSize: { parameters: [P], result: Z },
  TF_TensorElementCount: { parameters: [P], result: L },
  TF_StringInit: { parameters: [P], result: V },
  TF_StringCopy: { parameters: [P, B, Z], result: V },
  TF_StringDealloc: { parameters: [P], result: V },
  TF_StringGetDataPointer: { parameters: [P], result: P },
  TF_StringGetSize: { parameters: [P], result: Z },

  TFE_NewTensorHandle: { parameters: [P, P], result: P },
  TFE_DeleteTensorHandle: { parameters: [P], result: V },
  TFE_TensorHandleResolve: { parameters: [P, P], result: P },
  TFE_TensorHandleCopyToDevice: { parameters: [P, P, B, P], result: P },
  TFE_TensorHandleDataType: { parameters: [P], result: I },
  TFE_TensorHandleNumDims: { parameters: [P, P], result: I },
  TFE_TensorHandleDim: { parameters: [P, I, P], result: L },

  TFE_NewExecutor: { parameters: ["u8", "u8", I], result: P },
  TFE_DeleteExecutor: { parameters: [P], result: V },
  TFE_ExecutorWaitForAllPendingNodes: { parameters: [P, P], result: V },
  TFE_ExecutorClearError: { parameters: [P], result: V },
  TFE_ContextSetExecutorForThread: { parameters: [P, P], result: V },
  TFE_ContextGetExecutorForThread: { parameters: [P], result: P },

  TFE_NewOp: { parameters: [P, B, P], result: P },
  TFE_OpReset: { parameters: [P, B, P, P], result: V },
  TFE_DeleteOp: { parameters: [P], result: V },
  TFE_OpAddInput: { parameters: [P, P, P], result: V },
  TFE_Execute: { parameters: [P, B, B, P], result: V },
  // The same on a thread of its own: an op that waits for other processes.
  TFE_ExecuteLater: { name: "TFE_Execute", parameters: [P, B, B, P], result: V, nonblocking: true },
  TFE_EnableCollectiveOps: { parameters: [P, B, Z, P], result: V },
  TFE_AbortCollectiveOps: { parameters: [P, P], result: V },
  TFE_OpSetAttrType: { parameters: [P, B, I], result: V },
  TFE_OpSetAttrInt: { parameters: [P, B, L], result: V },
  TFE_OpSetAttrIntList: { parameters: [P, B, B, I], result: V },
  TFE_OpSetAttrBool: { parameters: [P, B, "u8"], result: V },
  TFE_OpSetAttrBoolList: { parameters: [P, B, B, I], result: V },
  TFE_OpSetAttrFloat: { parameters: [P, B, "f32"], result: V },
  TFE_OpSetAttrFloatList: { parameters: [P, B, B, I], result: V },
  TFE_OpSetAttrString: { parameters: [P, B, B, Z], result: V },
  TFE_OpSetAttrShape: { parameters: [P, B, B, I, P], result: V },

  TF_NewGraph: { parameters: [], result: P },
  TF_DeleteGraph: { parameters: [P], result: V },
  TF_GraphOperationByName: { parameters: [P, B], result: P },
  TF_GraphGetOpDef: { parameters: [P, B, P, P], result: V },
  TF_NewBuffer: { parameters: [], result: P },
  TF_DeleteBuffer: { parameters: [P], result: V },
  TF_NewOperation: { parameters: [P, B, B], result: P },
  TF_AddInput: { parameters: [P, OUTPUT], result: V },
  TF_AddInputList: { parameters: [P, B, I], result: V },
  TF_SetAttrType: { parameters: [P, B, I], result: V },
  TF_SetAttrInt: { parameters: [P, B, L], result: V },
  TF_SetAttrIntList: { parameters: [P, B, B, I], result: V },
  TF_SetAttrBool: { parameters: [P, B, "u8"], result: V },
  TF_SetAttrBoolList: { parameters: [P, B, B, I], result: V },
  TF_SetAttrFloat: { parameters: [P, B, "f32"], result: V },
  TF_SetAttrFloatList: { parameters: [P, B, B, I], result: V },
  TF_SetAttrString: { parameters: [P, B, B, Z], result: V },
  TF_SetAttrShape: { parameters: [P, B, B, I], result: V },
  TF_SetAttrTensor: { parameters: [P, B, P, P], result: V },
  TF_FinishOperation: { parameters: [P, P], result: P },
  TF_GraphToFunction: { parameters: [P, B, "u8", I, P, I, B, I, B, P, P, P, P], result: P },
  TF_DeleteFunction: { parameters: [P], result: V },
  TFE_ContextAddFunction: { parameters: [P, P, P], result: V },
  TFE_ContextRemoveFunction: { parameters: [P, B, P], result: V },
  TFE_TensorHandleCopySharingTensor: { parameters: [P, P], result: P },
  TF_NewSessionOptions: { parameters: [], result: P },
  TF_DeleteSessionOptions: { parameters: [P], result: V },
  TF_LoadSessionFromSavedModel: { parameters: [P, P, B, B, I, P, P, P], result: P },
  TF_DeleteSession: { parameters: [P, P], result: V },
  TF_SessionRun: { parameters: [P, P, B, B, I, B, B, I, P, I, P, P], result: V },
} as const satisfies Deno.ForeignLibraryInterface;

/** The opened C API. */
export type Api = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const encoder = new TextEncoder();
const strings = new Map<string, Uint8Array<ArrayBuffer>>();

/** A C string of a name that comes again: of an op, an attribute, a device. It is kept forever. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  let bytes = strings.get(text);
  if (!bytes) strings.set(text, bytes = encoder.encode(text + "\0"));
  return bytes;
}
