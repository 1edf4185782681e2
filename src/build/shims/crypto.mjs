// Loading node:crypto takes 2 ms, and most commands have no use for it: it is loaded at the first call.
const load = () => require("node:crypto");

export const createHash = (...given) => load().createHash(...given);
export const randomBytes = (...given) => load().randomBytes(...given);
export const randomInt = (...given) => load().randomInt(...given);
export const randomUUID = (...given) => load().randomUUID(...given);
