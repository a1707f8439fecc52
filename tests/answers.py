"""What a channel answers to one part, for tests that ask it of one by one."""

import asyncio
from collections.abc import Sequence

from hopwire.channels import Channel
from hopwire.model import Answer, Handover


def answer_to(channel: Channel, handover: Handover) -> asyncio.Future[Answer]:
    """Submit the part now; its answer comes later."""
    said: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def on_answers(answers: Sequence[tuple[Handover, Answer]]) -> None:
        ((about, answer),) = answers
        assert about is handover
        said.set_result(answer)

    channel.submit([handover], on_answers)
    return said
