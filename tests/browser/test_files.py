"""Files of messages: attached, described and ordered, sent once whatever happens, and looked at."""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Error, Locator, Page, Playwright, Route, expect

from tests.browser import chromium
from tests.browser.conftest import PHONE, Visit, Visitor
from tests.browser.rooms import (
    Line,
    Room,
    bubble,
    enter,
    is_stored,
    let_go,
    violations,
    wait_for_held,
    wait_for_line,
    write,
)
from tests.installations import Person, eventually


def picture(colour: str, width: int = 640, height: int = 400) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


def animation() -> bytes:
    frames = [Image.new("RGB", (300, 200), colour) for colour in ("red", "green")]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=300, loop=0)
    return file.getvalue()


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def choose(page: Page, **files: bytes) -> None:
    """`files`: name -> bytes. A name's last underscore stands for its dot."""
    kinds = {"png": "image/png", "gif": "image/gif", "txt": "text/plain"}
    given: Any = []
    for name, content in files.items():
        stem, _, ending = name.rpartition("_")
        kind = kinds.get(ending, "application/octet-stream")
        given.append({"name": f"{stem}.{ending}", "mimeType": kind, "buffer": content})
    page.locator(".composer__files").set_input_files(given)


def tray(page: Page) -> Locator:
    return page.locator(".tray__name")


# The browser gives no access to a real clipboard and no real drag from outside, so their events are made.
_FILES = """([names, type, place]) => {
    const transfer = new DataTransfer();
    for (const name of names) transfer.items.add(new File([`in ${name}`], name, { type: "text/plain" }));
    const event = type === "paste" ? new ClipboardEvent(type, { clipboardData: transfer, bubbles: true })
        : new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true });
    (document.querySelector(place) ?? document.body).dispatchEvent(event);
    return event.defaultPrevented;
}"""


def paste(page: Page, *names: str, place: str = "#composer-body") -> None:
    page.evaluate(_FILES, [names, "paste", place])


def drag(page: Page, kind: str, *names: str) -> bool:
    """Returns whether the browser is kept from opening the files."""
    return bool(page.evaluate(_FILES, [names, kind, ".timeline"]))


def files_of(room: Room) -> list[list[dict[str, Any]]]:
    """The files of each message, oldest first."""
    status, page = room.bob.call("GET", f"/api/conversations/{room.id}/messages/?limit=100")
    assert status == 200
    return [each.get("files", []) for each in page["messages"] if each["kind"] == "text"]


def download(person: Person, url: str) -> bytes:
    headers = {"Authorization": f"Bearer {person.token}"}
    request = urllib.request.Request(person.server.url + url, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: bytes = answer.read()
    return found


def stored_files(page: Page) -> int:
    return int(
        page.evaluate(
            """() => new Promise((resolve) => {
                const opening = indexedDB.open("chatty-files");
                opening.onsuccess = () => {
                    const counting = opening.result.transaction("files").objectStore("files").count();
                    counting.onsuccess = () => resolve(counting.result);
                    opening.result.close();
                };
            })"""
        )
    )


def test_files_are_chosen_pasted_dropped_described_and_ordered(
    visit: Visit, room: Room, bob: Page
) -> None:
    alice = enter(visit(room.server, "Alice"), room)
    choose(alice, harbour_png=picture("navy"), bridge_png=picture("teal"), nothing_txt=b"")
    expect(tray(alice)).to_have_text(["harbour.png", "bridge.png"])
    expect(alice.locator(".toast")).to_have_text("nothing.txt is empty.")
    paste(alice, "pasted.txt", place=".timeline")
    expect(tray(alice)).to_have_text(["harbour.png", "bridge.png", "pasted.txt"])
    assert drag(alice, "dragover", "dropped.txt")
    drag(alice, "dragenter", "dropped.txt")
    expect(alice.locator(".drop")).to_have_text("Drop files to attach them")
    assert drag(alice, "drop", "dropped.txt", "other.txt")
    expect(alice.locator(".drop")).to_have_count(0)
    expect(tray(alice)).to_have_count(5)
    alice.get_by_role("button", name="Remove other.txt").click()
    expect(tray(alice)).to_have_count(4)

    alice.locator(".tray__open").nth(1).focus()
    alice.keyboard.press("Alt+ArrowLeft")
    expect(tray(alice).first).to_have_text("bridge.png")
    alice.keyboard.press("Enter")
    alice.get_by_label("Description for people who can’t see it").fill("A bridge in fog")
    alice.get_by_role("button", name="Move later").click()
    assert violations(alice, exclude=(".toast",)) == []
    alice.reload()
    wait_for_line(alice)
    in_order = ["harbour.png", "bridge.png", "pasted.txt", "dropped.txt"]
    expect(tray(alice)).to_have_text(in_order)  # the draft

    write(alice, "Four files")
    is_stored(alice)
    expect(tray(alice)).to_have_count(0)
    (sent,) = files_of(room)
    assert [each["name"] for each in sent] == in_order
    assert [each["alt"] for each in sent] == ["", "A bridge in fog", "", ""]
    assert download(room.bob, sent[3]["url"]) == b"in dropped.txt"
    for page in (alice, bob):
        expect(page.locator(".files__image")).to_have_count(2)
        expect(page.get_by_alt_text("A bridge in fog")).to_have_js_property("naturalWidth", 640)
        expect(page.locator(".files__card .files__name")).to_have_text(in_order[2:])

    # Without words, and in the row that the server draws.
    choose(bob, reply_heic=picture("red"))  # in Safari, a photo of an iPhone
    expect(tray(bob)).to_have_text("reply.jpg")
    bob.locator("#composer-body").press("Enter")
    is_stored(bob)
    alice.reload()
    expect(alice.locator(".files").nth(1).get_by_alt_text("reply.jpg")).to_be_visible()
    expect(alice.locator(".message__bubble").nth(1)).to_be_hidden()
    assert violations(alice) == []
    alice.goto(f"{room.server.url}/c/browse/")  # where nothing takes files
    wait_for_line(alice)
    assert drag(alice, "dragover", "dropped.txt")


def test_message_that_is_sent_before_its_file_is_shown_has_it(visit: Visit, room: Room) -> None:
    page = enter(visit(room.server, "Alice"), room)
    box = page.locator("#composer-body")
    held: list[Route] = []
    # What takes the file has not loaded yet, or what shows it.
    for module, words in (("attach_start", "At once"), ("attach", "A bit later")):
        page.unroute_all()
        page.reload()
        wait_for_line(page)
        held.clear()
        page.route(re.compile(rf"/js/views/{module}\."), lambda route: held.append(route))
        choose(page, plan_txt=b"Beans first.")
        wait_for_held(page, held)
        page.evaluate("text => (document.getElementById('composer-body').value = text)", words)
        page.locator("#composer [type=submit]").dispatch_event("click")
        expect(box).to_have_value(words)
        expect(bubble(page, words)).to_have_count(0)
        let_go(page, held)
        sent = page.locator("#messages > .message[id]", has_text=words)
        expect(sent).to_contain_text("plan.txt")
        expect(box).to_have_value("")


# The number of messages in the outbox.
_STORED = """() => new Promise((resolve, reject) => {
    const request = indexedDB.open("chatty");
    request.onerror = reject;
    request.onsuccess = () => {
        const count = request.result.transaction("unsent").objectStore("unsent").count();
        count.onerror = reject;
        count.onsuccess = () => {
            request.result.close();
            resolve(count.result);
        };
    };
})"""


def test_upload_that_was_interrupted_arrives_once_and_whole(visit: Visit, room: Room) -> None:
    """The line is lost in the middle, then the tab is closed. The words that follow wait for the file."""
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    alice = enter(visitor, room)
    held = hold_later_pieces(alice)
    whole = noise(2_000_000)
    choose(alice, backup_bin=whole, small_txt=b"beside it")
    expect(tray(alice)).to_have_count(2)
    wait_for_held(alice, held)
    expect(alice.locator(".tray__progress").first).to_be_visible()
    write(alice, "With a file")
    write(alice, "After it")
    pending = alice.locator(".message--pending")
    expect(pending).to_have_count(2)
    expect(pending.first.locator(".files__progress")).to_be_visible()
    eventually(lambda: alice.evaluate(_STORED) == 2)  # they are shown a moment earlier
    line.cut()
    alice.close()
    line.mend()

    again = visitor.new_tab()
    again.goto(room.server.url + room.path)
    # A message whose answer is lost, as on a machine that is busy, is sent again after 15 seconds.
    expect(again.locator("#messages > .message[id] .message__body")).to_have_text(
        ["With a file", "After it"], timeout=30_000
    )
    files, none = files_of(room)
    assert none == []
    assert [each["size"] for each in files] == [len(whole), 9]
    assert download(room.bob, files[0]["url"]) == whole
    visitor.allow("404")


def hold_later_pieces(page: Page) -> list[Route]:
    """Let the first piece of each upload through, and hold the others."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "PATCH" and route.request.headers["upload-offset"] != "0":
            held.append(route)
        else:
            route.continue_()

    page.route("**/api/uploads/*/", hold)
    return held


@pytest.fixture
def start_browser(
    playwright: Playwright, room: Room, tmp_path: Path
) -> Iterator[Callable[[], Visitor]]:
    """start_browser() starts a browser of Alice, each time with the same files on the disk."""
    visitors: list[Visitor] = []

    def start() -> Visitor:
        context = playwright.chromium.launch_persistent_context(
            tmp_path,
            executable_path=chromium.find(playwright.chromium.executable_path),
            args=chromium.ARGUMENTS,
        )
        visitors.append(Visitor(room.server, context, context.pages[0]))
        visitors[-1].watch(visitors[-1].page)
        visitors[-1].be("Alice")
        return visitors[-1]

    yield start
    for visitor in visitors:
        with contextlib.suppress(Error):  # of one that was killed
            visitor.context.close()
    assert [each.complaints() for each in visitors] == [[]] * len(visitors)


def kill_browser(directory: Path) -> None:
    """kill -9 all processes of the browser with this directory."""
    killed = []
    for told in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # one that has ended
            if f"--user-data-dir={directory}\0".encode() in told.read_bytes():
                os.kill(int(told.parent.name), signal.SIGKILL)
                killed.append(told)
    assert killed


@pytest.mark.long
def test_browser_that_is_killed_in_the_middle_of_ten_uploads_sends_each_once(
    start_browser: Callable[[], Visitor], room: Room, tmp_path: Path
) -> None:
    alice = enter(start_browser(), room)
    held = hold_later_pieces(alice)
    contents = {f"file{number}_bin": noise(400_000 + number) for number in range(10)}
    choose(alice, **contents)
    expect(tray(alice)).to_have_count(10)
    write(alice, "Ten files")
    expect(alice.locator(".message--pending")).to_have_count(1)
    eventually(lambda: stored_files(alice) == 10)
    wait_for_held(alice, held)
    assert files_of(room) == []
    kill_browser(tmp_path)

    again = enter(start_browser(), room)
    expect(again.locator("#messages > .message[id] .message__body")).to_have_text("Ten files")
    ((*files,),) = files_of(room)
    assert [each["name"] for each in files] == [f"file{number}.bin" for number in range(10)]
    assert [download(room.bob, each["url"]) for each in files] == list(contents.values())
    eventually(lambda: stored_files(again) == 0)


def test_files_are_attached_without_a_connection(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    alice = enter(visitor, room)
    with alice.expect_response("**/css/components/attach.*"):  # loaded when someone begins to write
        alice.locator("#composer-body").focus()
    line.cut()
    choose(alice, away_png=picture("navy"), away_txt=b"written on a train")
    expect(tray(alice)).to_have_count(2)
    write(alice, "From the train")
    write(alice, "And this")
    pending = alice.locator(".message--pending")
    expect(pending).to_have_count(2)
    expect(pending.first.get_by_alt_text("away.png")).to_have_js_property("naturalWidth", 640)
    line.mend()
    is_stored(alice)
    files, none = files_of(room)
    assert [each["name"] for each in files] == ["away.png", "away.txt"]
    assert none == []
    assert room.bodies() == ["From the train", "And this"]


@pytest.mark.long
def test_what_was_attached_is_removed_from_the_browser(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    alice = enter(visitor, room)
    choose(alice, a_txt=b"first", b_txt=b"second")
    expect(tray(alice)).to_have_count(2)
    alice.get_by_role("button", name="Remove b.txt").click()
    expect(tray(alice)).to_have_text("a.txt")
    alice.get_by_role("button", name="Sign out").click()
    dialog = alice.locator("dialog")
    expect(dialog).to_contain_text("1 message or draft hasn’t been sent.")
    dialog.get_by_role("button", name="Sign out and discard").click()
    alice.wait_for_url("**/sign-in/**")
    assert stored_files(alice) == 0


def test_lightbox_leads_through_the_pictures_of_the_conversation(visit: Visit, room: Room) -> None:
    alice = enter(visit(room.server, "Alice"), room)
    choose(alice, one_png=picture("navy"), two_png=picture("teal"))
    expect(tray(alice)).to_have_count(2)
    write(alice, "Two")
    is_stored(alice)
    sound = b"ID3\4" + bytes(99)
    choose(alice, three_png=picture("purple"), notes_txt=b"line one\nline two", song_mp3=sound)
    expect(tray(alice)).to_have_count(3)
    write(alice, "Three")
    is_stored(alice)
    pictures = alice.locator(".files__picture")
    expect(pictures).to_have_count(3)
    pictures.nth(1).focus()
    alice.keyboard.press("Enter")
    lightbox = alice.get_by_role("dialog")
    title, shown = lightbox.locator(".lightbox__name"), lightbox.locator(".lightbox__image")
    expect(title).to_have_text("two.png")
    assert violations(alice) == []
    alice.keyboard.press("+")
    expect(shown).to_have_css("transform", "matrix(1.5, 0, 0, 1.5, 0, 0)")
    alice.keyboard.press("0")
    expect(shown).to_have_css("transform", "none")
    alice.keyboard.press("ArrowRight")
    expect(title).to_have_text("three.png")
    expect(lightbox.get_by_role("button", name="Next picture")).to_be_hidden()
    alice.keyboard.press("ArrowLeft")
    alice.keyboard.press("ArrowLeft")
    expect(title).to_have_text("one.png")
    alice.keyboard.press("Escape")
    expect(lightbox).to_have_count(0)
    expect(pictures.first).to_be_focused()
    alice.keyboard.press("Tab")  # stays in this message
    expect(alice.locator(".files__player")).to_have_js_property("tabIndex", -1)
    alice.keyboard.press("Escape")  # to the composer, which takes what is typed
    alice.keyboard.type("Nice")
    expect(alice.locator("#composer-body")).to_have_value("Nice")

    alice.locator(".files__card").focus()
    alice.keyboard.press("Enter")
    expect(lightbox.locator(".lightbox__text")).to_have_text("line one\nline two")
    assert violations(alice) == []

    alice.goto(f"{room.server.url}/c/{room.id}/files/")
    pictures.first.click()  # the latest
    expect(title).to_have_text("three.png")
    alice.keyboard.press("ArrowRight")
    expect(title).to_have_text("one.png")
    alice.keyboard.press("Escape")
    expect(pictures.nth(1)).to_be_focused()


@pytest.fixture
def speaker(playwright: Playwright, room: Room) -> Iterator[Page]:
    """Alice with a microphone, which only the full browser has."""
    browser = playwright.chromium.launch(
        executable_path=chromium.find(playwright.chromium.executable_path, whole=True),
        args=[*chromium.ARGUMENTS, "--use-fake-device-for-media-stream"],
    )
    context = browser.new_context(permissions=["microphone"])
    visitor = Visitor(room.server, context, context.new_page())
    visitor.watch(visitor.page)
    visitor.be("Alice")
    yield enter(visitor, room)
    assert visitor.complaints() == []
    browser.close()


@pytest.mark.long
def test_voice_message_is_recorded_and_heard(room: Room, speaker: Page, bob: Page) -> None:
    alice = speaker
    alice.locator(".composer__voice").click()
    time = alice.locator(".voice__time")
    expect(time).to_have_text("0:01")
    assert violations(alice) == []
    alice.get_by_role("button", name="Stop").click()
    expect(alice.locator(".tray__player")).to_be_visible()  # to listen before it is sent
    expect(tray(alice)).to_contain_text("Voice message")
    alice.locator("#composer-body").press("Enter")
    is_stored(alice)
    (((file,),)) = files_of(room)
    assert (file["kind"], file["type"]) == ("audio", "audio/webm")
    assert 1 <= file["duration"] < 60  # browsers don't write it by themselves
    player = bob.locator(".files__player")
    eventually(lambda: player.evaluate("player => player.duration") == file["duration"])
    player.evaluate("player => player.play()")
    expect(player).to_have_js_property("paused", True)  # it has ended
    assert player.evaluate("player => player.currentTime") > 0.5


def test_plain_field_works_without_scripts(visit: Visit, room: Room) -> None:
    page = visit(room.server, "Alice", javascript=False, viewport=PHONE).goto(room.path)
    field, words = page.locator(".composer__files"), page.locator("#composer-body")
    bottom = "(element) => element.getBoundingClientRect().bottom"
    assert field.evaluate(bottom) <= words.evaluate(
        "(element) => element.getBoundingClientRect().top"
    )
    choose(page, one_png=picture("navy"), two_txt=b"words")
    page.locator(".composer__send").click()
    expect(page.get_by_alt_text("one.png")).to_be_visible()
    expect(page.locator(".files__card")).to_contain_text("two.txt")
    expect(page.locator(".composer__voice")).to_be_hidden()


@pytest.mark.long
def test_moving_pictures_stand_still_for_those_who_prefer_it(visit: Visit, room: Room) -> None:
    alice = enter(visit(room.server, "Alice"), room)
    choose(alice, dance_gif=animation())
    expect(tray(alice)).to_have_count(1)
    alice.locator("#composer-body").press("Enter")
    is_stored(alice)
    source = alice.locator(".files__image")
    expect(source).to_have_js_property("complete", True)
    assert source.evaluate("image => image.currentSrc").endswith("/dance.gif")
    alice.emulate_media(reduced_motion="reduce")
    eventually(lambda: source.evaluate("image => image.currentSrc").endswith("/small.webp"))
    alice.reload()
    eventually(lambda: source.evaluate("image => image.currentSrc").endswith("/small.webp"))
