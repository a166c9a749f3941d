// Fills the browser's time zone into a field, or offers it next to the profile's setting. The page for signing in
// loads it, so it imports nothing that only the profile needs.

export function connect(field) {
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone) return;
  if (field.dataset.timeZone === "fill") field.value ||= zone;
  else import("chatty/views/zone_offer.js").then(({ offer }) => offer(field, zone));
}
