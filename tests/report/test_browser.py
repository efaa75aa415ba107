"""The page in a browser: filter, order, dark, print, hostile names, thousands of callers."""

import io
import json
import shutil

import pytest

from callerid.report.page import page
from tests.conftest import ROOT, record
from tests.parts import needs
from tests.report.made import HOSTILE, NOW, ORIGIN, named, of_logs

SYNC = pytest.importorskip("playwright.sync_api")
VIOLATIONS = """
window.broken = [];
document.addEventListener("securitypolicyviolation", (event) => broken.push(event.violatedDirective));
window.addEventListener("error", (event) => broken.push(event.message));
"""


@pytest.fixture(scope="module")
def browser():
    """The system's Chromium, headless."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        needs("chromium", "the report is looked at in a browser (apt-get install chromium)")
    with SYNC.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page from a file, without any network, and holds it to its own security policy."""
    contexts = []

    def open_(text: str, **options: object):
        path = tmp_path / "report.html"
        path.write_text(text, encoding="utf-8")
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        context.add_init_script(VIOLATIONS)
        tab = context.new_page()
        tab.requests = []
        tab.on("request", lambda request: tab.requests.append(request.url))
        tab.goto(path.as_uri())
        return tab

    yield open_
    for context in contexts:
        for tab in context.pages:
            assert tab.evaluate("broken") == []
            assert [url for url in tab.requests if not url.startswith(("file:", "data:"))] == []
        context.close()


@pytest.fixture(scope="module")
def example(book) -> str:
    """The page of the example logs."""
    from callerid.report import logs
    from callerid.sources import files

    paths = files.find([str(ROOT / "examples" / "logs")])
    return page(logs.read(paths, book, since=None, until=None, now=NOW)[0], ORIGIN)


@pytest.fixture(scope="module")
def thousands(tmp_path_factory, book) -> str:
    """The page of 5,000 callers."""
    records = [named(number, f"repo:acme/app{number:04}:ref:refs/heads/main") for number in range(1, 5_000)]
    return page(of_logs(tmp_path_factory.mktemp("many"), [*records, record(9_999)], book), ORIGIN)


def column(tab, number: int) -> list[str]:
    return tab.locator(f"#table > tbody > tr > td:nth-child({number})").all_inner_texts()


def test_the_number_that_is_asked_for_is_the_first_and_largest_on_the_page(opened, example):
    tab = opened(example, viewport={"width": 1200, "height": 800})
    assert tab.locator("#share").inner_text() == "83.8 %"
    largest = tab.evaluate("""() => [...document.body.querySelectorAll("p, h1, h2, dd, td")]
        .reduce((a, b) => parseFloat(getComputedStyle(b).fontSize) > parseFloat(getComputedStyle(a).fontSize) ? b : a).id""")
    assert largest == "share"


def test_the_filter_finds_callers_by_name_owner_origin_and_target(opened, example):
    tab = opened(example)
    assert len(column(tab, 1)) == 16
    for words, names in (
        ("nightly", ["nightly-export"]),
        ("WEB@example.com", ["release"]),
        ("admin_role 222222222222", ["work_api"]),
        ("token.actions", ["repo:acme-app/app:environment:production", "release"]),
        ("no such caller", []),
    ):
        tab.fill("#filter", words)
        assert tab.locator("#table .open").all_inner_texts() == names
    assert tab.locator("#shown").inner_text() == "0 of 16 callers"


def test_the_choices_narrow_the_table(opened, example):
    tab = opened(example)
    tab.select_option("#kind", "findings")
    assert len(column(tab, 1)) == 8
    tab.select_option("#cloud", "AWS")
    assert len(column(tab, 1)) == 5
    tab.select_option("#kind", "unlisted")
    tab.select_option("#cloud", "")
    assert all("not in the caller book" in text for text in column(tab, 1))


def test_a_heading_orders_the_table_and_says_how(opened, example):
    tab = opened(example)
    heading = tab.locator("#table th", has_text="accesses")
    heading.locator("button").click()
    numbers = [int(text) for text in column(tab, 4)]
    assert numbers == sorted(numbers, reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"
    heading.locator("button").press("Enter")
    assert [int(text) for text in column(tab, 4)] == sorted(numbers)
    assert heading.get_attribute("aria-sort") == "ascending"
    tab.locator("#table th button", has_text="caller").click()
    names = tab.locator("#table .open").all_inner_texts()
    assert names == sorted(names, key=str.lower)


def test_a_caller_opens_to_what_it_reached(opened, example):
    tab = opened(example)
    tab.fill("#filter", "batch-team")
    tab.locator("#table .open").click()
    inside = tab.locator("tr.inside").inner_text()
    assert "cc-test-target@my-gcp-project" in inside
    assert "2026-11-02 02:00" in inside
    tab.locator("#table .open").click()
    assert tab.locator("tr.inside").count() == 0


def test_dark_and_light_differ_and_both_can_be_read(opened, example):
    brightness = """() => ["color", "backgroundColor"].map((name) =>
        getComputedStyle(document.querySelector("section"))[name].match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0) / 3)"""
    ink, paper = opened(example, color_scheme="light").evaluate(brightness)
    assert paper - ink > 150
    ink, paper = opened(example, color_scheme="dark").evaluate(brightness)
    assert ink - paper > 150


def test_on_paper_everything_is_there_and_on_white(opened, example):
    from pypdf import PdfReader

    tab = opened(example, color_scheme="dark")
    text = "\n".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(tab.pdf(format="A4"))).pages)
    for said in ("83.8 %", "Who reaches what", "nightly-export", "What was observed", "principalSet", "identities:"):
        assert said in text
    assert "Filter" not in text
    tab.emulate_media(media="print", color_scheme="dark")
    assert tab.evaluate("getComputedStyle(document.querySelector('section')).backgroundColor") == "rgb(255, 255, 255)"


def test_a_phone_scrolls_tables_and_not_the_page(opened, example):
    tab = opened(example, viewport={"width": 390, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_hostile_names_are_shown_and_do_nothing(opened, tmp_path, book):
    records = [named(number, name) for number, name in enumerate(HOSTILE, 1)]
    tab = opened(page(of_logs(tmp_path, records, book), ORIGIN))
    assert tab.title().startswith("callerid: who crossed")
    names = tab.locator("#table .open").all_inner_texts()
    assert "</script><script>document.title='stolen'</script>" in names
    assert HOSTILE[3] in names
    assert tab.locator("script").count() == 2
    assert tab.locator("img").count() == 0
    for button in tab.locator("#table .open").all():
        button.click()
    assert tab.title().startswith("callerid: who crossed")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_policy_refuses_a_script_that_is_not_the_pages_own(browser, tmp_path, example):
    """What a hole in the escaping would let in does not run."""
    path = tmp_path / "holed.html"
    path.write_text(
        example.replace(
            "<main>", "<main><script>document.title='stolen'</script><img src=x onerror=document.title='stolen'>"
        )
    )
    context = browser.new_context(offline=True)
    context.add_init_script(VIOLATIONS)
    tab = context.new_page()
    tab.goto(path.as_uri())
    assert tab.title().startswith("callerid: who crossed")
    assert {"script-src-elem", "img-src"} <= set(tab.evaluate("broken"))
    context.close()


def test_without_its_script_the_page_still_tells_everything_but_the_whole_table(opened, browser, tmp_path, example):
    path = tmp_path / "plain.html"
    path.write_text(example)
    context = browser.new_context(offline=True, java_script_enabled=False)
    tab = context.new_page()
    tab.goto(path.as_uri())
    assert tab.locator("#share").inner_text() == "83.8 %"
    assert tab.locator("#table > tbody > tr").count() == 16
    assert not tab.locator("#controls").is_visible()
    context.close()


def test_thousands_of_callers_stay_usable(opened, thousands):
    tab = opened(thousands)
    assert tab.locator("#shown").inner_text() == "5,000 of 5,000 callers"
    assert tab.locator("#table > tbody > tr").count() == 100
    assert tab.locator("#page").inner_text() == "1 of 50"
    tab.click("#on")
    assert tab.locator("#page").inner_text() == "2 of 50"
    tab.fill("#filter", "app4321")
    assert tab.locator("#table .open").all_inner_texts() == ["repo:acme/app4321:ref:refs/heads/main"]
    tab.fill("#filter", "")
    tab.locator("#table th button", has_text="findings").click()
    tab.locator("#table th button", has_text="findings").click()
    assert tab.locator("#table .open").first.inner_text() == "nightly-export"


def test_the_data_of_thousands_of_callers_is_small(thousands):
    data = thousands.partition('id="data">')[2].partition("</script>")[0]
    assert len(json.loads(data)) == 5_000
    assert len(data) < 400 * 5_000
    assert len(thousands) < 8 << 20
