from sscsi_driver.said import MAX_REMEMBERED, Said


def test_the_same_again_is_no_news_until_it_was_over() -> None:
    said = Said()
    assert said.is_news("a", "denied")
    assert not said.is_news("a", "denied")
    assert said.is_news("b", "denied")
    assert said.is_news("a", "not found")
    assert said.is_news("a", "denied")
    said.over("a")
    said.over("never")
    assert said.is_news("a", "denied")


def test_it_is_bounded() -> None:
    said = Said()
    for number in range(MAX_REMEMBERED + 1):
        said.is_news(str(number), "x")
    assert said.is_news("0", "x"), "the oldest was forgotten"
    assert not said.is_news(str(MAX_REMEMBERED), "x")
