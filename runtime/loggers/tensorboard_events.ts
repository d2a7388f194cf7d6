import { PbfWriter } from "./deps.ts";
import type { Histogram } from "./histogram.ts";
import type { PlainValue } from "./hyperparams.ts";

/**
 * TensorBoard's events as protocol buffers. Field numbers are those of tensorboard/compat/proto/{event,summary,tensor}.proto and
 * tensorboard/plugins/hparams/{api,plugin_data}.proto.
 */

/** What one event holds. */
export type EventContent =
  | { kind: "version" }
  | { kind: "scalars"; values: Readonly<Record<string, number>> }
  | { kind: "histogram"; tag: string; histogram: Histogram }
  | { kind: "text"; tag: string; text: string }
  | { kind: "experiment"; params: Readonly<Record<string, PlainValue>>; metrics: readonly string[] }
  | { kind: "sessionStart"; params: Readonly<Record<string, PlainValue>> }
  | { kind: "sessionEnd"; status: "success" | "failed" | "interrupted" };

/** An event: its content, when it was and at which step. */
export interface TensorBoardEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  readonly content: EventContent;
}

const DT_FLOAT = 1, DT_STRING = 7;

/** Encodes an event as the message `tensorboard.Event`. */
export function encodeEvent({ wallTime, step, content }: TensorBoardEvent): Uint8Array {
  const event = new PbfWriter();
  event.writeDoubleField(1, wallTime);
  event.writeVarintField(2, step);
  if (content.kind === "version") event.writeStringField(3, "brain.Event:2");
  else event.writeMessage(5, writeSummary, { wallTime, content });
  return event.finish();
}

interface Summary {
  wallTime: number;
  content: Exclude<EventContent, { kind: "version" }>;
}

function writeSummary({ wallTime, content }: Summary, pbf: PbfWriter): void {
  switch (content.kind) {
    case "scalars":
      for (const [tag, value] of Object.entries(content.values)) {
        writeValue(pbf, tag, (v) => v.writeFloatField(2, value));
      }
      return;
    case "histogram":
      return writeValue(pbf, content.tag, (v) => v.writeMessage(5, writeHistogram, content.histogram));
    case "text":
      return writeValue(pbf, `${content.tag}/text_summary`, (v) => {
        v.writeMessage(8, writeTextTensor, content.text);
        v.writeMessage(9, writePlugin, { name: "text" });
      });
    case "experiment":
      return writeHparams(pbf, "_hparams_/experiment", (data) => {
        data.writeMessage(2, writeExperiment, { wallTime, ...content });
      });
    case "sessionStart":
      return writeHparams(pbf, "_hparams_/session_start_info", (data) => {
        data.writeMessage(3, writeSessionStart, { wallTime, params: content.params });
      });
    case "sessionEnd":
      return writeHparams(pbf, "_hparams_/session_end_info", (data) => {
        data.writeMessage(4, (_, end) => {
          end.writeVarintField(1, content.status === "success" ? 1 : 2);
          end.writeDoubleField(2, wallTime);
        }, undefined);
      });
  }
}

function writeValue(pbf: PbfWriter, tag: string, rest: (pbf: PbfWriter) => void): void {
  pbf.writeMessage(1, (_, value) => {
    value.writeStringField(1, tag);
    rest(value);
  }, undefined);
}

function writeHistogram(histogram: Histogram, pbf: PbfWriter): void {
  pbf.writeDoubleField(1, histogram.min);
  pbf.writeDoubleField(2, histogram.max);
  pbf.writeDoubleField(3, histogram.count);
  pbf.writeDoubleField(4, histogram.sum);
  pbf.writeDoubleField(5, histogram.sumOfSquares);
  pbf.writePackedDouble(6, [...histogram.limits]);
  pbf.writePackedDouble(7, [...histogram.counts]);
}

function writeTextTensor(text: string, pbf: PbfWriter): void {
  pbf.writeVarintField(1, DT_STRING);
  pbf.writeMessage(
    2,
    (_, shape) => shape.writeMessage(2, (_, dim) => dim.writeVarintField(1, 1), undefined),
    undefined,
  );
  pbf.writeBytesField(8, new TextEncoder().encode(text));
}

function writePlugin({ name, content }: { name: string; content?: Uint8Array }, pbf: PbfWriter): void {
  pbf.writeMessage(1, (_, plugin) => {
    plugin.writeStringField(1, name);
    if (content) plugin.writeBytesField(2, content);
  }, undefined);
}

/** The hyperparameters plugin keeps its data in the metadata of a tensor without values. */
function writeHparams(pbf: PbfWriter, tag: string, rest: (data: PbfWriter) => void): void {
  const data = new PbfWriter();
  rest(data);
  writeValue(pbf, tag, (value) => {
    value.writeMessage(8, (_, tensor) => {
      tensor.writeVarintField(1, DT_FLOAT);
      tensor.writeMessage(2, (_, shape) => shape.writeMessage(2, () => {}, undefined), undefined);
    }, undefined);
    value.writeMessage(9, writePlugin, { name: "hparams", content: data.finish() });
  });
}

interface Experiment {
  wallTime: number;
  params: Readonly<Record<string, PlainValue>>;
  metrics: readonly string[];
}

const DATA_TYPES: Readonly<Record<string, number>> = { string: 1, boolean: 2, number: 3 };

function writeExperiment({ wallTime, params, metrics }: Experiment, pbf: PbfWriter): void {
  pbf.writeDoubleField(3, wallTime);
  for (const [name, value] of Object.entries(params)) {
    pbf.writeMessage(4, (_, info) => {
      info.writeStringField(1, name);
      info.writeVarintField(4, DATA_TYPES[typeof value] ?? 1);
    }, undefined);
  }
  for (const tag of metrics) {
    pbf.writeMessage(
      5,
      (_, info) => info.writeMessage(1, (_, name) => name.writeStringField(2, tag), undefined),
      undefined,
    );
  }
}

function writeSessionStart({ wallTime, params }: Omit<Experiment, "metrics">, pbf: PbfWriter): void {
  for (const [name, value] of Object.entries(params)) {
    pbf.writeMessage(1, (_, entry) => {
      entry.writeStringField(1, name);
      entry.writeMessage(2, (_, v) => {
        if (typeof value === "number") v.writeDoubleField(2, value);
        else if (typeof value === "boolean") v.writeBooleanField(4, value);
        else v.writeStringField(3, typeof value === "string" ? value : JSON.stringify(value));
      }, undefined);
    }, undefined);
  }
  pbf.writeDoubleField(5, wallTime);
}
