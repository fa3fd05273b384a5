// A transform that writes ASCII letters large and drops records that begin with a `#`. build.mjs
// makes a component of it for the world transformer-simple.

export const lifecycle = {
  describe() {
    return { name: "upper", version: "1" };
  },
  init() {},
};

export const transformSimple = {
  transform(records) {
    return records.map(({ index, data }) =>
      data[0] === 0x23
        ? { index, status: "dropped", data: new Uint8Array(), partitionKeys: [] }
        : { index, status: "ok", data: data.map(upper), partitionKeys: [] },
    );
  },
};

function upper(byte) {
  return byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
}
