import type { FileOutput, OutputValue } from "./event.ts";
import type { Json } from "./json.ts";

/** An output as one JSON value; `ofFile` says what stands for an artifact. */
export function outputJson(output: OutputValue, ofFile: (file: FileOutput) => Json): Json {
  if ("list" in output) return output.list.map((each) => (each === null ? null : outputJson(each, ofFile)));
  return "file" in output ? ofFile(output) : output.value;
}

/** The artifacts in an output. */
export function* filesOf(output: OutputValue): Generator<FileOutput> {
  if ("file" in output) yield output;
  else if ("list" in output) for (const each of output.list) if (each !== null) yield* filesOf(each);
}

/** The output with its artifacts renamed. */
export function mapFiles(output: OutputValue, rename: (file: FileOutput) => FileOutput): OutputValue {
  if ("list" in output) return { list: output.list.map((each) => each && mapFiles(each, rename)) };
  return "file" in output ? rename(output) : output;
}
