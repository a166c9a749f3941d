// The favicon with a number.

/** The address of the picture. */
export function iconWith(number) {
  const size = number.length > 1 ? 30 : 36;
  const picture = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><path d="M32 4a28 28 0 1 1-13.5 52.5L4 60l3.5-14.5A28 28 0 0 1 32 4z" fill="#4f39f6"/><circle cx="42" cy="42" r="22" fill="#d4183d"/><text x="42" y="53" font-family="system-ui,sans-serif" font-weight="700" font-size="${size}" text-anchor="middle" fill="#fff">${number}</text></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(picture)}`;
}
