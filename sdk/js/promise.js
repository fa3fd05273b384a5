// A `Promise` whose jobs are run when somebody says so. QuickJS runs those of its own after an
// export has returned, which is too late for a transform: it has to return what comes of them. So
// functions for Lambda are given this one as the global `Promise`. Functions with `await` in their
// source use the engine's own, whatever is global; compilers for older languages, such as
// TypeScript and esbuild, make functions of them that use the global one.

/** Jobs that wait, in order. */
const jobs = [];

const PENDING = "pending";
const FULFILLED = "fulfilled";
const REJECTED = "rejected";

/** What ECMAScript says of promises, without subclasses. */
export class JobPromise {
  #state = PENDING;
  #value;
  #reactions = [];

  constructor(executor) {
    const { resolve, reject } = this.#functions();
    try {
      executor(resolve, reject);
    } catch (error) {
      reject(error);
    }
  }

  /** Runs all jobs. What the promise is settled with then; undefined where it is still pending. */
  static settled(promise) {
    while (jobs.length > 0) jobs.shift()();
    if (promise.#state === PENDING) return undefined;
    return { isFulfilled: promise.#state === FULFILLED, value: promise.#value };
  }

  /** The two functions of an executor: whichever is called first decides. */
  #functions() {
    let isCalled = false;
    const once = (decide) => (value) => {
      if (isCalled) return;
      isCalled = true;
      decide(value);
    };
    return {
      resolve: once((value) => this.#resolve(value)),
      reject: once((error) => this.#settle(REJECTED, error)),
    };
  }

  #resolve(value) {
    if (value === this) {
      this.#settle(REJECTED, new TypeError("a promise cannot be resolved with itself"));
      return;
    }
    let then;
    try {
      then = value !== null && ["object", "function"].includes(typeof value) && value.then;
    } catch (error) {
      this.#settle(REJECTED, error);
      return;
    }
    if (typeof then !== "function") {
      this.#settle(FULFILLED, value);
      return;
    }
    jobs.push(() => {
      const { resolve, reject } = this.#functions();
      try {
        then.call(value, resolve, reject);
      } catch (error) {
        reject(error);
      }
    });
  }

  #settle(state, value) {
    [this.#state, this.#value] = [state, value];
    jobs.push(...this.#reactions);
    this.#reactions = [];
  }

  then(onFulfilled, onRejected) {
    return new JobPromise((resolve, reject) => {
      const react = () => {
        const isFulfilled = this.#state === FULFILLED;
        const handler = isFulfilled ? onFulfilled : onRejected;
        if (typeof handler !== "function") {
          (isFulfilled ? resolve : reject)(this.#value);
          return;
        }
        try {
          resolve(handler(this.#value));
        } catch (error) {
          reject(error);
        }
      };
      if (this.#state === PENDING) this.#reactions.push(react);
      else jobs.push(react);
    });
  }

  catch(onRejected) {
    return this.then(undefined, onRejected);
  }

  finally(work) {
    const after = (outcome) => JobPromise.resolve(work()).then(outcome);
    return this.then(
      (value) => after(() => value),
      (error) => after(() => JobPromise.reject(error)),
    );
  }

  static resolve(value) {
    return value instanceof JobPromise ? value : new JobPromise((resolve) => resolve(value));
  }

  static reject(error) {
    return new JobPromise((_, reject) => reject(error));
  }

  static withResolvers() {
    let functions;
    const promise = new JobPromise((resolve, reject) => (functions = { resolve, reject }));
    return { promise, ...functions };
  }

  static all(promises) {
    return gathered(promises, (promise, keep, _, reject) => promise.then(keep, reject));
  }

  static allSettled(promises) {
    return gathered(promises, (promise, keep) =>
      promise.then(
        (value) => keep({ status: FULFILLED, value }),
        (reason) => keep({ status: REJECTED, reason }),
      ),
    );
  }

  static race(promises) {
    return new JobPromise((resolve, reject) => {
      for (const promise of promises) JobPromise.resolve(promise).then(resolve, reject);
    });
  }

  static any(promises) {
    const refuse = (errors, resolve, reject) => {
      reject(new AggregateError(errors, "All promises were rejected"));
    };
    return gathered(promises, (promise, keep, resolve) => promise.then(resolve, keep), refuse);
  }

  get [Symbol.toStringTag]() {
    return "Promise";
  }
}

/** Watches each of these; what is kept of them is, once it is all there, in their order. */
function gathered(promises, watch, end = (values, resolve) => resolve(values)) {
  return new JobPromise((resolve, reject) => {
    const all = [...promises].map((promise) => JobPromise.resolve(promise));
    const values = new Array(all.length);
    let left = all.length;
    if (left === 0) end(values, resolve, reject);
    all.forEach((promise, place) => {
      const keep = (value) => {
        values[place] = value;
        left -= 1;
        if (left === 0) end(values, resolve, reject);
      };
      watch(promise, keep, resolve, reject);
    });
  });
}
