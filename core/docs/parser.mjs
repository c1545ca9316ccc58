class Encoder {
  encode(packet) {
    return [JSON.stringify(packet, (_, value) => (typeof value === "bigint" ? `${value}n` : value))];
  }
}

const isBig = (value) => typeof value === "string" && /^-?\d+n$/.test(value);

class Decoder {
  on(_decoded, listener) {
    this.listener = listener;
  }

  off() {}

  add(text) {
    this.listener(JSON.parse(text, (_, value) => (isBig(value) ? BigInt(value.slice(0, -1)) : value)));
  }

  destroy() {}
}

export const parser = { Encoder, Decoder };
