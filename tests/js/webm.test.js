import { withDuration } from "chatty/lib/webm.js";
import { equal } from "tests/assert.js";

const EBML = [0x1a, 0x45, 0xdf, 0xa3, 0x80];
const SEGMENT = [0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const INFO = [0x15, 0x49, 0xa9, 0x66];
const UNIT = [0x2a, 0xd7, 0xb1, 0x83, 0x0f, 0x42, 0x40]; // 1,000,000 nanoseconds
const PROGRAM = [0x4d, 0x80, 0x82, 0x68, 0x69];
const NO_LENGTH = [0x44, 0x89, 0x84, 0, 0, 0, 0];
const LENGTH = [0x44, 0x89, 0x88, 0x40, 0x97, 0x70, 0, 0, 0, 0, 0]; // 1,500 as a float
const SOUND = [0x1f, 0x43, 0xb6, 0x75, 0xff, 1, 2, 3];

async function change(bytes) {
  const parts = await withDuration(new Blob([new Uint8Array(bytes)]), 1.5);
  return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
}

export async function test_recording_says_how_long_it_is() {
  const described = [...EBML, ...SEGMENT, ...INFO, 0x10, 0, 0, 23, ...UNIT, ...PROGRAM, ...LENGTH, ...SOUND];
  for (const info of [
    [0x80 + 12, ...UNIT, ...PROGRAM],
    [0x40, 19, ...UNIT, ...NO_LENGTH, ...PROGRAM],
  ])
    equal(await change([...EBML, ...SEGMENT, ...INFO, ...info, ...SOUND]), described);
}

export async function test_recording_that_is_not_understood_stays_as_it_is() {
  for (const bytes of [
    [],
    [...EBML, ...SEGMENT, ...SOUND],
    [...EBML, ...SEGMENT, ...INFO],
    [...EBML, ...SEGMENT, ...INFO, 0x80 + 100, ...UNIT],
  ])
    equal(await change(bytes), bytes);
}
