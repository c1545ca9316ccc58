// Raw TCP: HTTP requests and WebSocket frames written byte by byte, wrong ones included.
import net from 'node:net';
import { randomBytes } from 'node:crypto';
import { Inbox, withResolvers, within } from './wire.mjs';

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** One client frame. `claim` announces another length than the payload has; `rsv` is a number of three bits. */
export function frame(opcode, payload = '', { fin = true, rsv = 0, masked = true, claim } = {}) {
  const body = Buffer.from(payload);
  const length = BigInt(claim ?? body.length);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const maskBit = masked ? 0x80 : 0;
  let head;
  if (length < 126n) {
    head = Buffer.from([first, maskBit | Number(length)]);
  } else if (length < 65_536n) {
    head = Buffer.from([first, maskBit | 126, 0, 0]);
    head.writeUInt16BE(Number(length), 2);
  } else {
    head = Buffer.from([first, maskBit | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.writeBigUInt64BE(length, 2);
  }
  if (!masked) return Buffer.concat([head, body]);
  const key = randomBytes(4);
  for (let i = 0; i < body.length; i++) body[i] ^= key[i & 3];
  return Buffer.concat([head, key, body]);
}

/** A TCP connection on which a WebSocket was opened; sends any bytes, reads frames. */
export class RawWebSocket {
  #inbox = new Inbox();
  #bytes = Buffer.alloc(0);

  static async open(server, target = '/socket.io/?EIO=4&transport=websocket', headers = []) {
    const raw = new RawWebSocket();
    const opened = withResolvers();
    raw.tcp = net.connect(server.port, server.host);
    raw.tcp.on('error', () => {}); // a reset ends in `close`, too
    raw.closed = new Promise((resolve) => raw.tcp.once('close', resolve));
    raw.closed.then(() => {
      const error = new Error('the TCP connection is closed');
      opened.reject(error);
      raw.#inbox.end(error);
    });
    raw.tcp.on('data', (chunk) => {
      raw.#bytes = Buffer.concat([raw.#bytes, chunk]);
      if (!raw.status) raw.#readHead(opened.resolve);
      if (raw.status) raw.#readFrames();
    });
    raw.tcp.write(openingRequest(server, target, headers));
    await within(opened.promise, 'the answer to the opening handshake');
    if (raw.status !== 101) throw new Error(`the WebSocket was refused: ${raw.status}`);
    return raw;
  }

  #readHead(done) {
    const end = this.#bytes.indexOf('\r\n\r\n');
    if (end < 0) return;
    this.status = Number(this.#bytes.subarray(9, 12).toString());
    this.#bytes = this.#bytes.subarray(end + 4);
    done();
  }

  #readFrames() {
    for (;;) {
      const bytes = this.#bytes;
      if (bytes.length < 2) return;
      let start = 2;
      let length = bytes[1] & 0x7f;
      if (length === 126) {
        if (bytes.length < 4) return;
        [length, start] = [bytes.readUInt16BE(2), 4];
      } else if (length === 127) {
        if (bytes.length < 10) return;
        [length, start] = [Number(bytes.readBigUInt64BE(2)), 10];
      }
      if (bytes.length < start + length) return;
      this.#bytes = bytes.subarray(start + length);
      const payload = bytes.subarray(start, start + length);
      this.#inbox.push({ opcode: bytes[0] & 0x0f, first: bytes[0], masked: bytes[1] >= 0x80, payload });
    }
  }

  send(...frames) {
    this.tcp.write(Buffer.concat(frames));
  }

  /** Resolves when the kernel has taken the bytes, or the connection is gone. */
  flush(...frames) {
    const written = new Promise((resolve) => this.tcp.write(Buffer.concat(frames), resolve));
    return Promise.race([written, this.closed]);
  }

  text(...messages) {
    this.send(...messages.map((message) => frame(TEXT, message)));
  }

  next(what = 'a frame', ms) {
    return this.#inbox.next(what, ms);
  }

  /** The next text message, Engine.IO pings answered. */
  async nextText(what) {
    for (;;) {
      const { opcode, payload } = await this.next(what);
      if (opcode !== TEXT) throw new Error(`expected text, got opcode ${opcode}: ${payload.toString('hex')}`);
      if (payload.toString() !== '2') return payload.toString();
      this.text('3');
    }
  }

  /** The code of the server's close frame (1005 if it has none), undefined if TCP ended without one. */
  async closeCode(ms) {
    for (;;) {
      const got = await this.next('a close frame', ms).catch((error) => {
        if (error.message.startsWith('waited')) throw error;
      });
      if (!got) return undefined;
      if (got.opcode === CLOSE) return got.payload.length < 2 ? 1005 : got.payload.readUInt16BE(0);
    }
  }

  /** TCP has ended, from the server's side or by reset. */
  ended(what = 'the server to end the connection', ms) {
    return within(this.closed, what, ms);
  }

  /** Ends with RST. */
  reset() {
    this.tcp.resetAndDestroy();
  }
}

export function openingRequest(server, target, headers = []) {
  return [
    `GET ${target} HTTP/1.1`,
    `Host: ${server.host}:${server.port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
    '\r\n',
  ].join('\r\n');
}

/**
 * Writes bytes on a new TCP connection and resolves with the status of the answer, or 0 if the connection ended
 * without one. The connection is dropped then.
 */
export function statusOf(server, bytes, ms) {
  const { promise, resolve } = withResolvers();
  let answer = '';
  const tcp = net.connect(server.port, server.host);
  tcp.on('error', () => {});
  tcp.on('close', () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0)));
  tcp.on('data', (chunk) => {
    answer += chunk.toString('latin1');
    if (answer.includes('\r\n')) tcp.destroy();
  });
  tcp.write(bytes);
  return within(promise, 'an answer or the end of the connection', ms).finally(() => tcp.destroy());
}

/** Writes bytes on a new TCP connection and resets it as soon as they are sent. */
export function writeAndReset(server, bytes) {
  const tcp = net.connect(server.port, server.host);
  const closed = new Promise((resolve) => tcp.once('close', resolve));
  tcp.on('error', () => {});
  tcp.write(bytes, () => tcp.resetAndDestroy());
  return within(closed, 'the reset');
}
