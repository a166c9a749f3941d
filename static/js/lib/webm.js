// Browsers write a recording while it goes on, so they don't say how long it is, and players can neither show that nor
// be moved to a place. It is added to the part of the file that describes it.

// Names of elements.
const INFO = 0x1549a966;
const UNIT = 0x2ad7b1;
const DURATION = 0x4489;
const HEAD = 4_096; // bytes in which the description is
const NANOSECONDS = 1_000_000_000;

/**
 * The parts of a WebM that says how long it is.
 * @param {Blob} blob
 * @returns {Promise<BlobPart[]>}
 */
export async function withDuration(blob, seconds) {
  const head = new Uint8Array(await blob.slice(0, HEAD).arrayBuffer());
  const at = head.findIndex((_byte, index) => numberOf(head.subarray(index, index + 4)) === INFO);
  if (at < 0) return [blob];
  const { start, end } = elementAt(head, at);
  if (end < start || end > head.length) return [blob];
  const kept = [];
  let unit = 1_000_000;
  for (let next = start; next < end; ) {
    const element = elementAt(head, next);
    const content = head.subarray(element.start, element.end);
    if (element.name === UNIT) unit = numberOf(content);
    if (element.name !== DURATION) kept.push(head.subarray(next, element.end));
    next = element.end;
  }
  const duration = new DataView(new ArrayBuffer(11));
  duration.setUint16(0, DURATION);
  duration.setUint8(2, 0x88); // eight bytes follow
  duration.setFloat64(3, (seconds * NANOSECONDS) / unit);
  const size = kept.reduce((sum, { length }) => sum + length, duration.byteLength);
  const name = new DataView(new ArrayBuffer(8));
  name.setUint32(0, INFO);
  name.setUint32(4, 0x10000000 + size); // a size of four bytes
  return [head.slice(0, at), name, ...kept, duration, blob.slice(end)];
}

/** {name, start, end}: the content of the element at this place is from `start` to `end`. */
function elementAt(bytes, at) {
  const nameEnd = at + widthOf(bytes[at]);
  const name = numberOf(bytes.subarray(at, nameEnd));
  const start = nameEnd + widthOf(bytes[nameEnd]);
  const size = numberOf(bytes.subarray(nameEnd, start)) - 2 ** (7 * (start - nameEnd));
  return { name, start, end: start + size };
}

/** How many bytes a number takes, which its first one says. */
function widthOf(byte) {
  return Math.clz32(byte) - 23;
}

function numberOf(bytes) {
  return bytes.reduce((number, byte) => number * 256 + byte, 0);
}
