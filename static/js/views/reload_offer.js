// Offers to reload the page if a part of it couldn't be loaded, such as after an update of the server.

import { button, element } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

export function offerReload() {
  if (document.getElementById("reload-offer")) return;
  const reload = button("button button--quiet", t("connection.stopped.way"), () => location.reload());
  const bar = element("div", "connection-bar", element("p", "", t("reload")), reload);
  bar.id = "reload-offer";
  document.getElementById("main").prepend(bar);
  import("chatty/views/live_region.js").then(({ announce }) => announce(t("reload"))).catch(() => {});
}
