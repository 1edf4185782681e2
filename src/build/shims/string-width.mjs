/** Columns of a text in `wf`'s own help, which is ASCII; yargs and cliui call nothing else with it. */
export default function stringWidth(text) {
  return String(text).length;
}
