import { canonicalForm } from "../src/review/canon.ts";
import { formatForm } from "../src/review/canon-form.ts";
const t = performance.now();
const form = await canonicalForm(process.argv[2]!);
console.error(form.length, performance.now()-t, process.memoryUsage().rss/1e6);
if (process.argv[3]) for (const x of formatForm(form)) process.stdout.write(x);
