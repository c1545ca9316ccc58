import { Emitter } from "@socket.io/component-emitter";

class Encoder {
  encode(packet) {
    return [JSON.stringify(packet, (_, value) => (typeof value === "bigint" ? `${value}n` : value))];
  }
}

class Decoder extends Emitter {
  add(text) {
    const isBig = (value) => typeof value === "string" && /^-?\d+n$/.test(value);
    const packet = JSON.parse(text, (_, value) => (isBig(value) ? BigInt(value.slice(0, -1)) : value));
    this.emitReserved("decoded", packet);
  }

  destroy() {}
}

export const parser = { Encoder, Decoder };
