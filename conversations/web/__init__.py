"""The server-rendered pages. They read with queries, write with actions, and work without JavaScript.

signed_in          the decorator of all views for signed-in users
layout             data for scripts, on every page
sidebar            the list of conversations, beside every page
home               first page and browsing public conversations
conversation_page  a conversation, permalinks of messages
timeline           messages as the entries that the template shows
presence           who is online, read receipts
messages           send, edit, delete, react
new_conversations  new groups and direct messages
members            members of a conversation
membership         joining, leaving, read marks, notification level
settings           settings of a conversation, archiving, deleting
people             the card of a person
people_search      searching for people
pwa                manifest, service worker, offline page, sharing, notifications
forms, urls
"""
