// A function that uses what it finds in Node.js, which the tests call there, too: each record is
// answered with what came of it.

export const handler = (event) =>
  Promise.all(event.records.map(answer)).then((records) => ({ records }));

const answer = ({ recordId, data }) =>
  settled(Buffer.from(data, "base64")).then((found) => {
    const line = Buffer.from(`${JSON.stringify(found)}\n`);
    return { recordId, result: "Ok", data: line.toString("base64") };
  });

function settled(data) {
  const seen = [];
  const note = (what) => (value) => {
    seen.push(`${what} ${value instanceof Error ? value.message : value}`);
    return value;
  };
  const thenable = { then: (resolve) => resolve("thenable") };
  const refused = () => Promise.reject(new Error("refused"));
  const never = new Promise(() => {});
  return Promise.resolve(buffers(data))
    .finally(note("finally"))
    .then((found) => {
      Promise.resolve(thenable).then(note("later"));
      Promise.resolve(1).then(note("at once"));
      const late = refused().catch(note("caught"));
      const race = Promise.race([never, late, "first"]).then(note("race"));
      const any = Promise.any([refused(), never, thenable]).then(note("any"));
      const none = Promise.any([refused()]).catch((error) => error.errors.map(note("none")));
      const mixed = Promise.allSettled([1, refused(), thenable]);
      return Promise.all([race, any, none, mixed, thenable]).then((all) => ({ found, all, seen }));
    });
}

function buffers(data) {
  const text = data.toString();
  const pieces = [data.subarray(1, 4), Buffer.from("\u00fc"), new Uint8Array([0, 255])];
  const encodings = ["utf8", "latin1", "binary", "ascii", "hex", "base64", "base64url"];
  const copy = Buffer.from(data);
  return {
    texts: encodings.map((encoding) => data.toString(encoding)),
    parts: encodings.map((encoding) => data.toString(encoding, 1, 3)),
    read: encodings.slice(0, 4).map((encoding) => Buffer.from(text, encoding).toString("hex")),
    hex: Buffer.from(`${data.toString("hex")}5`, "hex").toString("hex"),
    base64: ["base64", "base64url"].map((name) => Buffer.from(data.toString(name), "base64")),
    sizes: encodings.slice(0, 4).map((encoding) => Buffer.byteLength(text, encoding)),
    joined: Buffer.concat(pieces).toString("hex"),
    same: [copy.equals(data), copy.fill(1).equals(data), Buffer.isBuffer(copy)],
    filled: [Buffer.alloc(3), Buffer.alloc(5, "ab"), Buffer.alloc(2, 7)],
    slice: Buffer.from([1, 2, 3]).slice(-2),
    decoder: new TextDecoder().decode(data),
    encoder: Array.from(new TextEncoder().encode(text)),
    ascii: atob(btoa(data.toString("latin1"))),
  };
}
