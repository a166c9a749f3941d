from __future__ import annotations

import asyncio

import pytest

from chatty.common.threads import DatabaseThreads


@pytest.fixture
async def threads():
    threads = DatabaseThreads(2, "test-jobs")
    yield threads
    await asyncio.get_running_loop().run_in_executor(None, threads.close)
