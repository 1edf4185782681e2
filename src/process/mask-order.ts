/** `WF_MASK0`, `WF_MASK1` … hold a `MaskOrder`, as JSON in base64, cut into pieces that a variable can hold. */
export const MASK_VARIABLE = "WF_MASK";
export const PART_CHARACTERS = 96 * 1024;

/** What the masking process is to do; by its environment, which the step does not get. */
export interface MaskOrder {
  readonly values: readonly string[];
  /** Variables that only the step gets. */
  readonly env: Readonly<Record<string, string>>;
}

/** Takes the order out of the environment. Raises a SyntaxError if there is none. */
export function takeOrder(env: Record<string, string | undefined>): MaskOrder {
  let text = "";
  for (let part = 0; env[`${MASK_VARIABLE}${part}`] !== undefined; part++) {
    text += env[`${MASK_VARIABLE}${part}`];
    delete env[`${MASK_VARIABLE}${part}`];
  }
  return JSON.parse(Buffer.from(text, "base64").toString());
}
