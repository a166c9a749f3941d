"""Pages of the installation rather than of a conversation, and their Content Security Policy."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.markers import first_of


def test_api_docs_work_with_the_content_security_policy(server, visit):
    visitor = visit(server)
    page = visitor.goto("/api/docs/")
    expect(page.get_by_text("/api/token/", exact=True).first).to_be_visible()


@pytest.mark.long
def test_missing_page_has_a_heading(server, visit):
    visitor = visit(server)
    visitor.allow("404")
    page = visitor.goto("/nowhere/")
    expect(page.get_by_role("heading").first).to_be_visible()


def test_content_security_policy_blocks_injected_scripts(server, visit):
    visitor = visit(server)
    page = visitor.goto("/password/forgotten/")  # has no script, and so no policy yet
    visitor.allow("Content Security Policy")
    page.evaluate(
        """() => {
            const script = document.createElement('script');
            // Accepted by Trusted Types, so that this is about inline scripts.
            const policy = trustedTypes.createPolicy('chatty', { createScript: (text) => text });
            script.textContent = policy.createScript('window.slippedIn = true');
            document.body.append(script);
        }"""
    )
    assert page.evaluate("() => window.slippedIn") is None
    assert any("Content Security Policy" in error for error in visitor.errors)


@pytest.mark.long
def test_nonces_are_not_reused(server, visit):
    page = visit(server, "Alice").goto()

    def nonces():
        return page.evaluate("() => [...document.querySelectorAll('[nonce]')].map(e => e.nonce)")

    first = nonces()
    page.reload()
    assert first
    assert not set(first) & set(nonces())


# --- help ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", first_of(None, "Alice"), ids=["signed out", "signed in"])
def test_help_contents_and_search_work_without_scripts(server, visit, name):
    page = visit(server, name, javascript=False).goto("/help/")
    section = page.locator("#help-deletion")
    expect(section).not_to_be_in_viewport()
    page.get_by_role("navigation", name="Contents").get_by_role(
        "link", name="What deleting removes"
    ).click()
    expect(section.get_by_role("heading")).to_be_in_viewport()

    page.get_by_label("Search help").fill("backslash")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("1 result for “backslash”")).to_be_visible()
    expect(page.locator("mark")).to_have_text("backslash")
    page.get_by_label("Search help").fill("zzz")
    page.get_by_label("Search help").press("Enter")
    expect(page.get_by_role("heading", name="No results for “zzz”")).to_be_visible()
    page.get_by_role("link", name="Show all topics").click()
    expect(page.locator(".help")).to_have_count(7)


@pytest.mark.long
def test_shortcuts_dialog_links_to_the_help(server, visit):
    page = visit(server, "Alice").goto("/c/browse/")
    expect(page.locator("html[data-connection=online]")).to_be_attached()
    page.locator("#main").press("?")
    page.get_by_role("dialog").get_by_role("link", name="Help").click()
    page.wait_for_url(re.compile("/help/$"))
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    expect(page.locator("html[data-connection=online]")).to_be_attached()
