// Everything that is written in this browser and not sent yet, and the sending itself.

import { Drafts } from "chatty/chat/drafts.js";
import { Outbox } from "chatty/chat/outbox.js";
import { OutboxStorage } from "chatty/chat/outbox_storage.js";
import { Sender } from "chatty/chat/sender.js";

export class Sending {
  /** `scope`, `writer`: see Drafts. `chat`: a Chat. */
  constructor({ me, scope, writer, chat, rest, t }) {
    const sender = new Sender({ me, connection: chat.connection, rest, t });
    chat.use(sender);
    this.drafts = new Drafts(scope, writer);
    this.outbox = new Outbox({
      scope,
      storage: new OutboxStorage(scope),
      deliver: sender.createDeliver(),
    });
    // Resolves once the messages of earlier pages are in the outbox.
    this.loaded = sender.use(this.outbox);
  }

  /** The number of unsent texts, not including those from before a restore. */
  get size() {
    return this.outbox.size + this.drafts.size;
  }
}
