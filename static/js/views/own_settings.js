// My own settings of a conversation, saved at once. The socket also reports them, but not while it is closed.

/** @param {import("chatty/views/page.js").Page} page */
export async function setFavourite({ rest, conversationList }, id, isOn) {
  const path = `conversations/${id}/favourite/`;
  apply(conversationList, await (isOn ? rest.put(path) : rest.delete(path)));
}

/** @param {import("chatty/views/page.js").Page} page */
export async function setLevel({ rest, conversationList }, id, level) {
  apply(conversationList, await rest.patch(`conversations/${id}/level/`, { level }));
}

function apply(conversationList, conversation) {
  conversationList.applyConversation({ type: "conversation", change: "level", conversation });
}
