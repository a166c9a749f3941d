"""Pages that belong to the installation rather than to a conversation, as a browser sees them."""

from __future__ import annotations

from playwright.sync_api import expect


def test_the_description_of_rest_opens_under_the_strict_policy(server, visit):
    visitor = visit(server)
    page = visitor.goto("/api/docs/")
    expect(page.get_by_text("/api/token/", exact=True).first).to_be_visible()


def test_a_page_that_is_not_there_says_so(server, visit):
    visitor = visit(server)
    visitor.allow("404")
    page = visitor.goto("/nowhere/")
    expect(page.get_by_role("heading").first).to_be_visible()


def test_the_policy_stops_what_somebody_slips_in(server, visit):
    visitor = visit(server)
    page = visitor.goto("/sign-in/")
    visitor.allow("Content Security Policy")
    page.evaluate(
        """() => {
            const script = document.createElement('script');
            script.textContent = 'window.slippedIn = true';
            document.body.append(script);
        }"""
    )
    assert page.evaluate("() => window.slippedIn") is None
    assert any("Content Security Policy" in error for error in visitor.errors)


def test_nonces_are_used_once(server, visit):
    page = visit(server, "Alice").goto()

    def nonces():
        return page.evaluate("() => [...document.querySelectorAll('[nonce]')].map(e => e.nonce)")

    first = nonces()
    page.reload()
    assert first
    assert not set(first) & set(nonces())
