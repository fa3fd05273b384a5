// The function as a transform.

import { fromLambda } from "./millrace/sdk/js/lambda.js";
import { handler } from "./handler.js";

export const { lifecycle, transformSimple } = fromLambda(handler, { name: "answers" });
