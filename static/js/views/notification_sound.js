// The notification sound: two soft notes, synthesised with Web Audio.

import { canSound } from "chatty/lib/sound.js";

const NOTES = [
  [659.25, 0],
  [987.77, 0.11],
]; // Hz, s
const LOUD = 0.11;
const LENGTH = 0.5; // s
const PATIENCE = 1_500; // ms after which the AudioContext is closed, even if the browser never allowed it

export function playSound() {
  if (!canSound()) return;
  const audio = new AudioContext();
  setTimeout(() => audio.close(), PATIENCE);
  audio.resume().then(
    () => {
      for (const [pitch, at] of NOTES) playNote(audio, pitch, at);
    },
    () => {},
  );
}

function playNote(audio, pitch, at) {
  const start = audio.currentTime + at;
  const volume = audio.createGain();
  volume.gain.setValueAtTime(0, start);
  volume.gain.linearRampToValueAtTime(LOUD, start + 0.012);
  volume.gain.exponentialRampToValueAtTime(0.0001, start + LENGTH);
  const note = audio.createOscillator();
  note.frequency.value = pitch;
  note.connect(volume).connect(audio.destination);
  note.start(start);
  note.stop(start + LENGTH);
}
