from __future__ import annotations

import pytest

from accounts.user_agents import describe_client

MOZILLA = "Mozilla/5.0 "
KHTML = " AppleWebKit/537.36 (KHTML, like Gecko) "


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            MOZILLA + "(X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
        ),
        (
            MOZILLA + "(Windows NT 10.0; Win64)" + KHTML + "Chrome/142.0 Safari/537.36",
            "Chrome on Windows",
        ),
        (
            MOZILLA + "(Windows NT 10.0)" + KHTML + "Chrome/142.0 Safari/537.36 Edg/142.0",
            "Edge on Windows",
        ),
        (
            MOZILLA + "(iPhone; CPU iPhone OS 18_0 like Mac OS X)" + KHTML + "Safari/604.1",
            "Safari on iPhone",
        ),
        (
            MOZILLA + "(Linux; Android 15)" + KHTML + "Chrome/142.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("deploy-bot/2.1", "deploy-bot/2.1"),
        ("", "Unknown app"),
    ],
)
def test_user_agent_is_described_as_browser_and_system(said, told):
    assert describe_client(said) == told
