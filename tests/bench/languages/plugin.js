import { keep, transform } from "./millrace/sdk/js/transform.js";

// Keeps every record.
export const { lifecycle, transformSimple } = transform(keep);
