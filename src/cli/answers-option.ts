import type { Option } from "./command.ts";

export const ANSWERS_OPTION: Option = {
  kind: "value",
  value: "FIXTURE",
  describe:
    "answer attempts from this fixture instead of making them, where a step is given what it was given there; all else runs",
};
