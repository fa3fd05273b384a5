// `node build.mjs COMPONENTIZE_JS WIT WORLD COMPONENT` makes a component of upper.js with
// StarlingMonkey. The first argument is the module of @bytecodealliance/componentize-js.

import { writeFile } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

const [module, witPath, worldName, output] = process.argv.slice(2);
const { componentize } = await import(pathToFileURL(module));
const sourcePath = fileURLToPath(new URL("upper.js", import.meta.url));
const { component } = await componentize({ sourcePath, witPath, worldName });
await writeFile(output, component);
