// A call of a handler, and what it comes to: Lambda takes what it returns, what the promise that it
// returns is settled with, or what it hands to its callback.
//
// QuickJS runs what waits for its own promises after an export has returned, and shows nobody what
// they are settled with. So handlers are given a `Promise` of ours, and an async function without
// `await` is watched: as it is done when it returns, it has settled its promise by then.

import { JobPromise } from "./promise.js";

const EnginePromise = globalThis.Promise;
const AsyncFunction = (async () => {}).constructor;
globalThis.Promise = JobPromise;

const ADVICE =
  "nothing here goes on after the call: have a compiler make a function for ES2016 of it, for " +
  "example `esbuild handler.js --bundle --format=esm --target=es2016`";

/** A handler that can be called. */
export class Handler {
  #handler;

  constructor(handler) {
    if (typeof handler !== "function") throw new TypeError("the handler is no function");
    if (handler instanceof AsyncFunction && mayWait(handler)) {
      throw new Error(`the handler is an async function with await, and ${ADVICE}`);
    }
    this.#handler = handler;
  }

  /** What the handler answers; throws what it throws. */
  answer(event, context) {
    let told;
    const callback = (error, value) => {
      const isFulfilled = error === undefined || error === null;
      told ??= { isFulfilled, value: isFulfilled ? value : error };
    };
    const values = [event, context, callback];
    const isAsync = this.#handler instanceof AsyncFunction;
    const returned = isAsync ? returnedBy(this.#handler, values) : this.#handler(...values);
    const promise = returned instanceof JobPromise ? returned : JobPromise.resolve();
    const outcome = JobPromise.settled(promise);
    if (told) return valueOf(told);
    if (!outcome || returned instanceof EnginePromise) {
      throw new Error(`the handler's promise is not settled, and ${ADVICE}`);
    }
    return returned instanceof JobPromise ? valueOf(outcome) : returned;
  }
}

/** Whether an async function may end later than its call: where its source does not say. */
const mayWait = (handler) => /\bawait\b|\[native code\]/.test(handler);

function valueOf({ isFulfilled, value }) {
  if (!isFulfilled) throw value;
  return value;
}

/**
 * What an async function returns, or throws, which nobody can ask its promise. If that is an object,
 * the engine looks for its method `then`, and no function of the handler's is at work: it has
 * returned. If there is no such look it threw, most likely the error that was made last, or returned
 * no object.
 */
function returnedBy(handler, values) {
  const [limit, prepare] = [Error.stackTraceLimit, Error.prepareStackTrace];
  let [returned, error, frames, isAsking] = [undefined, undefined, 0, false];
  Error.stackTraceLimit = FRAMES_MAX;
  Error.prepareStackTrace = (made, sites) => {
    if (isAsking) frames = sites.length;
    else error = made;
    return sites.map(shown).join("\n");
  };
  const depth = () => {
    isAsking = true;
    new Error().stack;
    isAsking = false;
    return frames;
  };
  const own = depth();
  // Between the call below and a look is nobody but its getter.
  const looked = (object) => {
    if (depth() === own + 2) returned = { object };
  };
  const restored = [Object, JobPromise, EnginePromise].map((kind) => watch(kind, looked));
  try {
    handler(...values);
  } finally {
    for (const restore of restored) restore();
    [Error.stackTraceLimit, Error.prepareStackTrace] = [limit, prepare];
  }
  if (!returned && error) throw error;
  return returned?.object;
}

/** Tells of each look for `then` of objects of this kind; what it returns ends that. */
function watch({ prototype }, looked) {
  const before = Object.getOwnPropertyDescriptor(prototype, "then");
  Object.defineProperty(prototype, "then", {
    configurable: true,
    get() {
      looked(this);
      return before?.value;
    },
    set(value) {
      const property = { value, configurable: true, enumerable: true, writable: true };
      Object.defineProperty(this, "then", property);
    },
  });
  return () => {
    delete prototype.then;
    if (before) Object.defineProperty(prototype, "then", before);
  };
}

/** Frames of a stack that are told: more than there are. */
const FRAMES_MAX = 10_000;

const shown = (site) => {
  const place = `${site.getFileName()}:${site.getLineNumber()}:${site.getColumnNumber()}`;
  return `    at ${site.getFunctionName() ?? "<anonymous>"} (${place})`;
};
