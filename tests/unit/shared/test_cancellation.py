from sscsi_shared.cancellation import Cancellation


def test_everyone_hears_it_once() -> None:
    heard: list[str] = []
    cancellation = Cancellation()
    cancellation.on_cancel(lambda: heard.append("before"))
    assert cancellation.reason is None

    cancellation.cancel("first")
    cancellation.cancel("second")
    cancellation.on_cancel(lambda: heard.append("after"))

    assert heard == ["before", "after"]
    assert cancellation.reason == "first"
