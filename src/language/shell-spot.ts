/**
 * Where in a shell script a template stands. `word`: outside of double quotes, so its reference has to bring its own;
 * `quoted`: where a reference is one word as it is; `comment`: where nothing is read; `unsafe`: where a reference
 * would not be replaced, or its value would be read as something else than data.
 */
export type Spot =
  | { readonly kind: "word" | "quoted" | "comment" }
  | { readonly kind: "unsafe"; readonly why: string; readonly hint: string };

export const SINGLE: Spot = {
  kind: "unsafe",
  why: "stands in single quotes, where the shell replaces nothing",
  hint: "use double quotes",
};
export const HERE: Spot = {
  kind: "unsafe",
  why: "stands in a here-document with a quoted delimiter, where the shell replaces nothing",
  hint: "write the delimiter without quotes (and a backslash before each $ that is meant as it is)",
};
export const ARITHMETIC: Spot = {
  kind: "unsafe",
  why: "stands in an arithmetic expression, where the shell would run its value as code",
  hint: "check the value first, or compute with another program, such as expr",
};
export const NAME: Spot = {
  kind: "unsafe",
  why: "stands where the shell expects the name of a variable",
  hint: "write {{ path }} without the $ before it",
};
export const DELIMITER: Spot = {
  kind: "unsafe",
  why: "stands in the delimiter of a here-document",
  hint: "use a fixed word as the delimiter",
};
