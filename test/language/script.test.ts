// biome-ignore-all lint/suspicious/noTemplateCurlyInString: shell text is full of them
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { asCommand, load, oneStep, problems, workflow } from "./rig.ts";

function script(run: string, shell = "bash"): string {
  const [step] = workflow(oneStep(`shell: ${shell}`, `run: ${JSON.stringify(run)}`)).steps;
  return asCommand(step).script.text;
}

const V = "${WF_V_INPUTS_X}";

const rows: [written: string, becomes: string][] = [
  ["echo {{inputs.x}}", `echo "${V}"`],
  ['echo "{{inputs.x}}"', `echo "${V}"`],
  ['echo "a{{ inputs.x }}b"c{{inputs.x}}d', `echo "a${V}b"c"${V}"d`],
  ['echo "$(basename {{inputs.x}})"', `echo "$(basename "${V}")"`],
  ['echo "$(basename "{{inputs.x}}")" {{inputs.x}}', `echo "$(basename "${V}")" "${V}"`],
  ["echo `basename {{inputs.x}}`", `echo \`basename "${V}"\``],
  ['echo "`basename {{inputs.x}}` {{inputs.x}}"', `echo "\`basename "${V}"\` ${V}"`],
  ["echo ${A:-{{inputs.x}}}", `echo \${A:-"${V}"}`],
  ['echo "${A:-{{inputs.x}}}"', `echo "\${A:-${V}}"`],
  ['echo "${A#{{inputs.x}}}"', `echo "\${A#"${V}"}"`],
  ["echo a # it's {{inputs.x}}\necho {{inputs.x}}", `echo a # it's {{inputs.x}}\necho "${V}"`],
  ["echo a#{{inputs.x}} $# {{inputs.x}}", `echo a#"${V}" $# "${V}"`],
  [
    "case {{inputs.x}} in {{inputs.x}}) echo {{inputs.x}};; esac",
    `case "${V}" in "${V}") echo "${V}";; esac`,
  ],
  [
    'echo "$(case a in a) echo b;; (c) d;; esac; echo {{inputs.x}})"',
    `echo "$(case a in a) echo b;; (c) d;; esac; echo "${V}")"`,
  ],
  [
    'echo "$(echo case a in; echo {{inputs.x}})" {{inputs.x}}',
    `echo "$(echo case a in; echo "${V}")" "${V}"`,
  ],
  [
    "cat <<EOF\n'{{inputs.x}}' $(echo {{inputs.x}})\nEOF\necho {{inputs.x}}",
    `cat <<EOF\n'${V}' $(echo "${V}")\nEOF\necho "${V}"`,
  ],
  [
    'cat <<-A <<B\n\t{{inputs.x}}\n\tA\n"{{inputs.x}}\nB\necho {{inputs.x}}',
    `cat <<-A <<B\n\t${V}\n\tA\n"${V}\nB\necho "${V}"`,
  ],
  ["cat <<'E'\nit's \"\nE\necho {{inputs.x}}", `cat <<'E'\nit's "\nE\necho "${V}"`],
  ["cat <<< {{inputs.x}}", `cat <<< "${V}"`],
  ["echo $((1 + 2)) {{inputs.x}}", `echo $((1 + 2)) "${V}"`],
  ["echo $(( $(echo {{inputs.x}}) + 1 ))", `echo $(( $(echo "${V}") + 1 ))`],
  ["echo $((echo a); (echo {{inputs.x}}))", `echo $((echo a); (echo "${V}"))`],
  ["echo \\' {{inputs.x}} \\\" {{inputs.x}}", `echo \\' "${V}" \\" "${V}"`],
  ["echo 'a'\\''b' {{inputs.x}}", `echo 'a'\\''b' "${V}"`],
  ["echo $'it\\'s' {{inputs.x}}", `echo $'it\\'s' "${V}"`],
  ["f() { echo {{inputs.x}}; }; f", `f() { echo "${V}"; }; f`],
  ["a=({{inputs.x}} b) && echo {{inputs.x}}", `a=("${V}" b) && echo "${V}"`],
  ["docker ps --format '{{.Names}}' {{inputs.x}}", `docker ps --format '{{.Names}}' "${V}"`],
  ["echo '\\{{inputs.x}}'", "echo '{{inputs.x}}'"],
];

for (const [written, becomes] of rows) {
  test(`run: ${written}`, () => assert.equal(script(written), becomes));
}

const unsafe = [
  "echo '{{inputs.x}}'",
  "echo $'{{inputs.x}}'",
  'echo "a" \'b"{{inputs.x}}"\'',
  "echo $(( {{inputs.x}} ))",
  "echo $(( (1 + {{inputs.x}}) * 2 ))",
  'echo "$((1 + {{inputs.x}}))"',
  "echo $[ {{inputs.x}} ]",
  "(( {{inputs.x}} > 1 ))",
  "for ((i = {{inputs.x}}; i < 3; i++)); do :; done",
  "echo ${A:{{inputs.x}}}",
  "echo ${A[{{inputs.x}}]}",
  "echo ${{{inputs.x}}}",
  "echo ${{ inputs.x }}",
  "cat <<'EOF'\n{{inputs.x}}\nEOF",
  'cat <<"EOF"\n{{inputs.x}}\nEOF',
  "cat <<\\EOF\n{{inputs.x}}\nEOF",
  "cat <<A <<'B'\nA\n{{inputs.x}}\nB",
  "cat <<{{inputs.x}}\nE\n",
];

for (const run of unsafe) {
  test(`run: ${run} is refused`, () => {
    assert.match(
      problems(oneStep("shell: bash", `run: ${JSON.stringify(run)}`)).join(),
      /^UNSAFE_REFERENCE \d+:\d+$/,
    );
  });
}

test("a template in a comment is no name that has to exist", () => {
  assert.deepEqual(problems(oneStep("run: 'true # {{inputs.nope}} {{'")), []);
});

test("variables are listed once, however often they are used", () => {
  const [step] = workflow(oneStep("run: echo {{inputs.x}} {{ inputs.x }} {{inputs.y}}")).steps;
  assert.deepEqual(
    asCommand(step).script.variables.map(({ name, path }) => [name, path.text]),
    [
      ["WF_V_INPUTS_X", "inputs.x"],
      ["WF_V_INPUTS_Y", "inputs.y"],
    ],
  );
});

// Each prints the value as one line between < and >, in every shell at hand.
const contexts = [
  "printf '<%s>' {{inputs.x}}",
  "printf '<%s>' \"{{inputs.x}}\"",
  "printf '<%s>' \"$(printf '%s.' {{inputs.x}})\"",
  "printf '<%s>' \"`printf '%s.' {{inputs.x}}`\"",
  "printf '<%s>' ${NO_SUCH_VARIABLE:-{{inputs.x}}}",
  "printf '<%s>' \"${NO_SUCH_VARIABLE:-{{inputs.x}}}\"",
  "A={{inputs.x}}; printf '<%s>' \"$A\"",
  "case {{inputs.x}} in {{inputs.x}}) printf '<%s>' {{inputs.x}};; *) echo other;; esac",
  "cat <<EOF\n<{{inputs.x}}>\nEOF",
  "A=prefix{{inputs.x}}; printf '<%s>' \"${A#prefix}\"",
  "A={{inputs.x}}tail; printf '<%s>' \"${A#{{inputs.x}}}\"",
];

for (const shell of ["sh", "bash"]) {
  test(`whatever a value is, ${shell} takes it as data`, () => {
    const scripts = contexts.map((each) => script(each, shell));
    const value = fc.oneof(
      fc.constantFrom(
        "$(echo hacked)",
        "`echo hacked`",
        "'; echo hacked; '",
        '"; echo hacked; "',
        "a  b",
        "*",
        "~",
        "$HOME",
        "\\",
        "-n",
        "a\nb",
        "é}",
        "#",
      ),
      fc.string({
        unit: fc.constantFrom("'", '"', "$", "`", "\\", " ", "*", "\n", "(", ")", "{", "}", ";", "a", "é"),
        minLength: 1,
        maxLength: 12,
      }),
    );
    fc.assert(
      fc.property(value, (text) => {
        const input = `x${text}x`;
        const expected = ["", "", ".", ".", "", "", "", "", "", "", null].map((end) =>
          end === null ? "<tail>" : `<${input}${end}>`,
        );
        const all = scripts.map((each) => `( ${each}\n)\nprintf '\\001'`).join("\n");
        const ran = spawnSync(shell, ["-c", all], {
          env: { PATH: process.env.PATH, WF_V_INPUTS_X: input },
          encoding: "utf8",
        });
        const printed = ran.stdout.split("\u0001").slice(0, -1);
        assert.deepEqual(
          printed.map((each) => each.replace(/>\n$/, ">")),
          expected,
          ran.stderr,
        );
      }),
      { numRuns: 40 },
    );
  });
}

test("no script makes the scanner fail, and what is outside of templates stays as it is", () => {
  const piece = fc.constantFrom(
    "{{inputs.x}}",
    "'",
    '"',
    "$(",
    "$((",
    "))",
    ")",
    "(",
    "`",
    "${A",
    ":-",
    "}",
    "<<E\n",
    "\nE\n",
    "\\",
    "#",
    " ",
    "\n",
    "case a in",
    "esac",
    "$'",
    "[",
    "]",
    "$",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      const run = `:${pieces.join("")}`;
      const loaded = load(oneStep("shell: bash", `run: ${JSON.stringify(run)}`));
      if (!loaded.ok) {
        assert.ok(
          loaded.problems.every(({ code }) => code === "UNSAFE_REFERENCE" || code === "BAD_TEMPLATE"),
        );
        return;
      }
      const text = asCommand(loaded.workflow.steps[0]).script.text;
      const plain = (each: string) => each.replace(/"?\$\{WF_V_INPUTS_X\}"?|\\?\{\{(inputs\.x\}\})?/g, "");
      assert.equal(plain(text).replaceAll('"', ""), plain(run).replaceAll('"', ""));
    }),
    { numRuns: 500 },
  );
});
