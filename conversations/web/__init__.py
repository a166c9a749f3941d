"""The pages. They read through queries, write through actions, and work without any script.

shell     who may come in, and what stands around every page: the list, the data for scripts
timeline  messages -> what the template of a conversation shows
reading   home, browse, conversation, permalink
writing   send, edit, delete, react
managing  opening conversations, members, settings, one's own view of them
device    manifest, service worker, the page without a connection, sharing, notifications
"""
