// Written by `python -m docs.script_types`: edit the structs in conversations/wire/, conversations/frames.py,
// conversations/protocol.py and conversations/web/page_data.py instead.

declare namespace Wire {
  interface Auth {
    type: "auth";
    token: string;
  }

  interface AuthExpiringFrame {
    type: "auth_expiring";
    seconds: number;
  }

  interface Author {
    id: number;
    name: string;
  }

  /** What happened to a message. `emoji`: of a reaction. `on`: of a reaction or a pin. */
  interface Change {
    action: "created" | "deleted" | "edited" | "notice" | "pinned" | "reacted";
    user: number | null;
    emoji?: string;
    on?: boolean;
  }

  /** The messages that changed after a version. */
  interface Changes {
    type: "changes";
    /** Sorted by version. */
    messages: Message[];
    /** Your position after applying these changes. */
    version: number;
    /** There are more: repeat the request from version. */
    more: boolean;
    /** You are too far behind: load the latest page instead. */
    reset: boolean;
  }

  /** A conversation as you see it as a member. */
  interface Conversation {
    id: number;
    kind: "group" | "direct";
    access: "open" | "closed";
    /** In a direct message, the other person's name. */
    name: string;
    /** A group without a name. `name` lists the other members. */
    unnamed: boolean;
    topic: string;
    /** Counts the changes. Pass it as `since_version` to get later ones. */
    version: number;
    last_seq: number;
    last_read_seq: number;
    last_text_at: string;
    /** The message or notice with last_seq. Null if there is none. */
    last: LastMessage | null;
    /** Number of messages from others in the 200 entries after last_read_seq. */
    unread: number;
    /** There are more entries after those 200. */
    unread_more: boolean;
    /** The seqs of unread messages that mention you. */
    mentions: number[];
    /** Your role. */
    role: "owner" | "admin" | "member";
    /** Which messages you are notified of. */
    level: "all" | "mentions" | "nothing";
    /** You have it among your favourites. */
    favourite: boolean;
    archived: boolean;
    /** Who can send messages. */
    posting: "everyone" | "admins";
    /** Who can add people. */
    adding: "everyone" | "admins";
    /** Who can invite people. */
    inviting: "everyone" | "admins";
    /** Who can change name and topic. */
    renaming: "everyone" | "admins";
    /** Who can mention everyone with @all. */
    mentioning_all: "everyone" | "admins";
    /** Who can pin messages. */
    pinning: "everyone" | "admins";
    /** Seconds between two messages of a member. 0: slow mode is off. */
    slow_mode: number;
    /** What you can do now, by the names of permissions. */
    can: string[];
    /** The other person in a direct message (you, for notes to yourself). Null for groups. */
    other: Person | null;
    /** What that person is up to. */
    status: Status | null;
  }

  interface ConversationFrame {
    type: "conversation";
    change: "added" | "role" | "level" | "favourite";
    conversation: Conversation;
  }

  /** A page of your conversations. */
  interface Conversations {
    results: Conversation[];
    /** URL of the next page. Null on the last page. */
    next: string | null;
  }

  /**
   * `key` and `conversation`: of the rejected frame, where they are known. `retry_after`:
   * seconds.
   */
  interface ErrorFrame {
    type: "error";
    code: string;
    detail: string;
    retry: boolean;
    key?: string;
    conversation?: number;
    retry_after?: number;
  }

  /** A file of a message. */
  interface File {
    id: string;
    name: string;
    /** In bytes. */
    size: number;
    /** How it can be shown. `file`: it can only be downloaded. */
    kind: "image" | "audio" | "video" | "text" | "file";
    /** The media type, found from its bytes. */
    type: string;
    /** What a picture shows, as its author wrote it. */
    alt: string;
    /** Of pictures and videos, in pixels. */
    width: number | null;
    height: number | null;
    /** Of audio and videos, in seconds, where it is known. */
    duration: number | null;
    /** For members of the conversation only. */
    url: string;
    /**
     * A smaller version of a picture, with the same proportions: at most 840 pixels wide and high.
     * With `large.webp` instead of `small.webp`, at most 1,920. Null if the picture itself is
     * small.
     */
    thumbnail: string | null;
    animated: boolean;
  }

  /** An upload that is sent with a message. */
  interface FileReference {
    /** The id of a complete upload of yours. */
    upload: string;
    /** What a picture shows, for people who can't see it. One line. */
    alt?: string;
  }

  /** A conversation of which you are no longer a member. */
  interface GoneConversation {
    id: number;
  }

  interface GoneFrame {
    type: "conversation";
    change: "removed" | "deleted";
    conversation: GoneConversation;
  }

  interface HeartbeatFrame {
    type: "heartbeat";
  }

  interface HelloFrame {
    type: "hello";
    user: Person;
    epoch: string;
    /** Of the scripts, styles and templates. */
    build: string;
    /** Seconds between heartbeats. */
    heartbeat: number;
    limits: Limits;
    conversations: Conversation[];
    /** When the user gets no notifications. */
    quiet_hours?: QuietHours | null;
  }

  /** A page of messages. */
  interface History {
    type: "history";
    /** Oldest first. */
    messages: Message[];
    /** The version this page reflects. Pass it as since_version to get later changes. */
    position: number;
    has_older: boolean;
    has_newer: boolean;
  }

  /** For someone who has asked to join a group: where the request is now. */
  interface JoinRequestFrame {
    type: "join_request";
    conversation: number;
    state: "waiting" | "declined" | "accepted";
  }

  /** For the owners and admins of a group: how many people are asking to join. */
  interface JoinRequestsFrame {
    type: "join_requests";
    conversation: number;
    waiting: number;
  }

  /** A file of the last message of a conversation. */
  interface LastFile {
    kind: "image" | "audio" | "video" | "text" | "file";
    type: string;
    duration: number | null;
  }

  /** The last message or notice of a conversation. */
  interface LastMessage {
    seq: number;
    version: number;
    kind: "text" | "created" | "joined" | "left" | "added" | "removed" | "role" | "renamed" | "topic" | "access" | "archived" | "unarchived" | "permissions" | "pinned";
    author: Author | null;
    /** The beginning as one line. Empty if deleted, or a notice. */
    excerpt: string;
    notice: Notice | null;
    created_at: string;
    deleted_at: string | null;
    /** Of a message without text. Left out otherwise. */
    files?: LastFile[];
  }

  interface Limits {
    /** Code points of a message. */
    body: number;
    /** Bytes of a frame from the client. */
    frame: number;
    /** Files of a message. */
    files: number;
    /** Bytes of a file. */
    file: number;
  }

  /** The reader. */
  interface Me {
    id: number;
    name: string;
    /** Avatar colour, 0 to 11. */
    hue: number;
    /** URL of the picture, which changes with it. Null: show initials on the avatar colour. */
    picture: string | null;
    time_zone: string;
    /** Of times: `h12` or `h23`. */
    hour_cycle: string;
    /** Without notifications, if there are any. */
    quiet_hours?: QuietHours;
  }

  /** A member of a conversation. */
  interface Member {
    user: Person;
    role: "owner" | "admin" | "member";
    joined_at: string;
    /** The last message they have read. Null in large conversations. */
    last_read_seq: number | null;
    status: Status | null;
    /** They have Chatty open. Null in large conversations. */
    online: boolean | null;
    /** False: their account is deactivated, so mentions don't reach them. */
    active: boolean;
  }

  interface Members {
    results: Member[];
  }

  /** A message, or a notice about something that happened in the conversation. */
  interface Message {
    id: number;
    conversation: number;
    /** Its number in the conversation: 1, 2, 3 and so on, without gaps. */
    seq: number;
    /** The conversation's version after the message last changed. */
    version: number;
    kind: "text" | "created" | "joined" | "left" | "added" | "removed" | "role" | "renamed" | "topic" | "access" | "archived" | "unarchived" | "permissions" | "pinned";
    author: Person | null;
    key: string | null;
    /** Markdown as written, without blank lines before it and white space after it. */
    body: string;
    /** The body as sanitised HTML. */
    html: string;
    /** The beginning as one line of plain text, for quotes. */
    excerpt: string;
    /** Null for kind text; set for all other kinds. */
    notice: Notice | null;
    /** Ids of the members it mentions. */
    mentions: number[];
    reply_to: Quote | null;
    created_at: string;
    edited_at: string | null;
    deleted_at: string | null;
    reactions: Reaction[];
    /** Left out if there are none. */
    files?: File[];
    /** True if it mentions everyone else in the group. Left out otherwise. */
    mentions_all?: boolean;
    /** Left out if it is not pinned. */
    pinned?: Pin;
  }

  interface MessageFrame {
    type: "message";
    conversation: number;
    version: number;
    message: Message;
    change: Change;
  }

  /** What happened in the conversation. */
  interface Notice {
    /** What happened, as a sentence. */
    text: string;
    /** The same for programs, such as the user, the role, or the old and new value. */
    data: Record<string, any>;
  }

  /** The conversation that the page shows. */
  interface OpenConversation {
    id: number;
    kind: string;
    last_seq: number;
    last_read_seq: number;
    archived: boolean;
    /** Role -> word -> setting, see access.words_by_role(). */
    permissions: Record<string, any>;
    /** The words that remain while it is archived. */
    in_archive: string[];
    /** The others. Null if there are too many for presence. */
    members: Participant[] | null;
    /** The messages of the page, as REST returns them. */
    history: History;
  }

  interface PageData {
    user: Me;
    epoch: string;
    /** Of the scripts, styles and templates. */
    build: string;
    /** See writer_of() in layout.py. */
    writer: string;
    /** Null on pages without one. */
    conversation: OpenConversation | null;
    /** Those in the sidebar, in its order. */
    conversations: Conversation[];
    urls: Urls;
    limits: PageLimits;
    /** Messages may be kept for reading offline. */
    offline_reading: boolean;
  }

  interface PageLimits {
    /** Code points of a message. */
    body: number;
  }

  /** Another member of the open conversation, for presence and read receipts. */
  interface Participant {
    id: number;
    name: string;
    hue: number;
    /** Their read mark. */
    seq: number;
    /** Earlier messages don't count as seen by this person. */
    since: number;
    online: boolean;
  }

  /** A page of people. */
  interface People {
    results: Person[];
    /** URL of the next page. Null on the last page. */
    next: string | null;
  }

  /** A person. Never includes their email address. */
  interface Person {
    id: number;
    name: string;
    /** Avatar colour, 0 to 11. */
    hue: number;
    /** URL of the picture, which changes with it. Null: show initials on the avatar colour. */
    picture: string | null;
  }

  interface PersonFrame {
    type: "person";
    user: Person;
    status?: Status | null;
  }

  /** Who pinned a message, and when. */
  interface Pin {
    user: Author;
    at: string;
  }

  interface Ping {
    type: "ping";
  }

  interface PongFrame {
    type: "pong";
  }

  interface PresenceFrame {
    type: "presence";
    online: number[];
    offline: number[];
    reset: boolean;
  }

  /** A public conversation, as people who are not members can see it. */
  interface PublicConversation {
    id: number;
    name: string;
    topic: string;
    members_count: number;
    /** You are a member. */
    joined: boolean;
    /** You were removed and can't join again. */
    removed: boolean;
  }

  /** A page of public conversations. */
  interface PublicConversations {
    results: PublicConversation[];
    /** URL of the next page. Null on the last page. */
    next: string | null;
  }

  /** Each day from `start` up to `end`, also past midnight, by the clocks of a time zone. */
  interface QuietHours {
    /** Such as `22:00`. */
    start: string;
    /** Such as `08:00`. */
    end: string;
    /** The time zone. */
    zone: string;
  }

  interface QuietHoursFrame {
    type: "quiet_hours";
    quiet_hours: QuietHours | null;
  }

  /** The quoted message, as it is now. */
  interface Quote {
    id: number;
    seq: number;
    /** The version of the quoted message. */
    version: number;
    author: Person | null;
    excerpt: string;
    deleted: boolean;
  }

  /** Everyone who reacted to a message with one emoji. */
  interface Reaction {
    emoji: string;
    count: number;
    /** Ids of the first 20 users who added it. */
    users: number[];
    /** The names of the first 6 of these users, in the same order. */
    names: string[];
  }

  interface Read {
    type: "read";
    conversation: number;
    seq: number;
  }

  interface ReadFrame {
    type: "read";
    conversation: number;
    user: number;
    seq: number;
  }

  interface ReadMark {
    user: number;
    seq: number;
  }

  /** Someone who was removed from a conversation and can't join again. */
  interface Removal {
    user: Person;
    removed_at: string;
  }

  interface Removals {
    results: Removal[];
  }

  interface SeenFrame {
    type: "seen";
    conversation: number;
    marks: ReadMark[];
  }

  /** The fields of the content are beside the others. Content.within() returns it. */
  interface Send {
    type: "send";
    /** Markdown. It can only be empty in a message with files. */
    body: string;
    /** Id of a message in this conversation. */
    reply_to?: number | null;
    /** Uploads, in the order in which they are shown. Without any, there must be a text. */
    files?: FileReference[];
    conversation: number;
    key: string;
  }

  interface SentFrame {
    type: "sent";
    key: string;
    conversation: number;
    id: number;
    seq: number;
    version: number;
  }

  /** What a person is up to. */
  interface Status {
    emoji: string;
    text: string;
    /** When it ends. Null: when they remove it. */
    until: string | null;
  }

  interface Sync {
    type: "sync";
    conversation: number;
    version: number;
  }

  interface SyncedFrame {
    type: "synced";
    conversation: number;
    from: number;
    version: number;
    messages: Message[];
    more: boolean;
    reset: boolean;
  }

  interface Typing {
    type: "typing";
    conversation: number;
  }

  interface TypingFrame {
    type: "typing";
    conversation: number;
    user: Typist;
  }

  interface Typist {
    id: number;
    name: string;
  }

  interface UpgradeFrame {
    type: "upgrade";
    subprotocols: string[];
    detail: string;
  }

  interface Urls {
    socket: string;
    api: string;
    home: string;
    sign_in: string;
  }

  type ServerFrame =
    | AuthExpiringFrame
    | ConversationFrame
    | ErrorFrame
    | GoneFrame
    | HeartbeatFrame
    | HelloFrame
    | JoinRequestFrame
    | JoinRequestsFrame
    | MessageFrame
    | PersonFrame
    | PongFrame
    | PresenceFrame
    | QuietHoursFrame
    | ReadFrame
    | SeenFrame
    | SentFrame
    | SyncedFrame
    | TypingFrame
    | UpgradeFrame;

  type ClientFrame =
    | Auth
    | Ping
    | Read
    | Send
    | Sync
    | Typing;
}
