"""The page in a real browser: sorted, filtered, a record opened; nothing logged, nothing loaded from outside."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

import pytest

from bench import recorded
from bench.metrics import Metric
from bench.reporting import report
from tests import made_up
from tests.made_up import Contestant
from tests.small_cells import wait_for

pytestmark = pytest.mark.browser
FLAGS = (
    "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update "
    "disable-sync disable-dev-shm-usage"
)
SHOTS = os.environ.get("BENCH_SCREENSHOTS")  # a folder to keep pictures in, for a person to look at


@pytest.fixture(scope="module")
def driver(tmp_path_factory) -> Iterator:
    """Headless Chromium that writes down its console and its network."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or pytest.fail("chromium is not installed")
    for flag in FLAGS.split():
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def few(tmp_path_factory, patch) -> Path:
    """A page with two leaderboards, a failed cell, a stale record and a published number."""
    out = tmp_path_factory.mktemp("few")
    made_up.install(patch)
    old = made_up.record(made_up.FEW[1], 7)
    old.protocol = "v0"
    longer = [made_up.record(c, seed, budget="20ep") for c in made_up.FEW[:2] for seed in range(10)]
    for record in longer:
        record.metrics["linear_top1@1%"] = record.metrics["linear_top1"] / 2
    made_up.write(out, [*made_up.few(), old, *longer])
    line = "made_up_track,resnet18,10ep,alpha,linear_top1,70.9,online linear probe,somebody's README"
    (out / "published.csv").write_text(f"dataset,backbone,budget,method,metric,value,protocol,source\n{line}\n")
    report.write(report.render(out)[0])
    return out / report.PAGE


@pytest.fixture
def page(driver, few):
    """The few, freshly opened at desktop size; afterwards nothing may have been logged or loaded from outside."""
    resize(driver, 1280)
    for kind in ("browser", "performance"):
        driver.get_log(kind)  # forget what earlier tests left
    load(driver, few)
    yield driver
    assert driver.get_log("browser") == []
    assert outside(driver) == []


def load(driver, path: Path, state: str = "") -> None:
    driver.get("about:blank")
    driver.get(path.as_uri() + state)
    wait_for(lambda: driver.execute_script("return document.body.dataset.ready"))


def resize(driver, width: int) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 640}
    )


def outside(driver) -> list[str]:
    """Addresses asked for that are not on this disk or in the page."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if urlparse(url).scheme not in ("file", "data", "blob", "about")]


def find(driver, css: str):
    return driver.find_element("css selector", css)


def methods(driver) -> list[str]:
    return [row.get_attribute("data-method") for row in driver.find_elements("css selector", "#board-table tr[data-method]")]


def texts(driver, css: str) -> list[str]:
    return driver.execute_script("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", css)


def picture(driver, name: str) -> None:
    if SHOTS:
        driver.save_screenshot(str(Path(SHOTS) / f"{name}.png"))


def test_it_shows_the_leaderboard_and_the_charts(page):
    assert methods(page) == ["alpha", "beta", "gamma", "supervised_made_up", "beta"]
    text = find(page, "#board-table").text
    assert "1 (1–2)" in text and "70.9 [1]" in text and "5; 1 diverged" in text and "not ranked" in text.lower()
    assert find(page, "tr[data-method=alpha] b").text.startswith("65.99")
    for chart in ("cost", "curves", "detection"):
        assert page.find_elements("css selector", f"#{chart} svg.main-svg")
        assert find(page, f"#{chart}").get_attribute("aria-label")
    assert "P = 0.72" in find(page, "#matrix").text


def test_sorting(page):
    head = "//th[button[@data-sort='images_per_second']]"
    find(page, "[data-sort=images_per_second]").click()
    assert methods(page)[:3] == ["gamma", "beta", "alpha"]
    assert page.find_element("xpath", head).get_attribute("aria-sort") == "descending"
    page.switch_to.active_element.send_keys("\n")  # the keyboard goes on where the mouse was
    assert methods(page)[:3] == ["alpha", "beta", "gamma"]
    assert page.find_element("xpath", head).get_attribute("aria-sort") == "ascending"


def test_filtering(page):
    find(page, "#filter").send_keys("gam, BET")
    assert methods(page) == ["beta", "gamma", "beta"]
    find(page, "#stale").click()
    assert methods(page) == ["beta", "gamma"]
    assert find(page, "#status").text.startswith("2 of 5 methods")
    assert len(page.find_elements("css selector", "#matrix tbody tr")) == 2
    page.refresh()  # the address keeps the choice
    wait_for(lambda: page.execute_script("return document.body.dataset.ready"))
    assert methods(page) == ["beta", "gamma"]


def test_a_record_opens_behind_a_number(page):
    find(page, "tr[data-method=gamma] button.link").click()
    dialog = find(page, "#record")
    assert dialog.is_displayed() and "gamma on made_up_track" in dialog.text
    assert "60.03 ± 0.81" in dialog.text
    find(page, "[data-seed='2']").click()
    assert (
        "Seed 2: ok" in dialog.text
        and '"momentum": 0.9' in dialog.text.replace("sgd_", "")
        and "a made-up machine" in dialog.text
    )
    assert page.find_elements("css selector", "#record-curve svg.main-svg")
    picture(page, "record")
    find(page, "[data-seed='5']").click()
    assert "RuntimeError: made up" in dialog.text
    page.switch_to.active_element.send_keys("\ue00c")  # escape
    wait_for(lambda: not dialog.is_displayed())
    assert page.switch_to.active_element.text == "gamma"  # focus returns to where it was


def test_another_leaderboard(page):
    assert "linear@1%" not in find(page, "#board-table thead").text
    find(page, "#board option:nth-child(2)").click()
    assert methods(page) == ["alpha", "beta"] and "linear@1%" in find(page, "#board-table thead").text
    find(page, "#cost-metric option[value='linear_top1@1%']").click()
    find(page, "[data-sort='linear_top1@1%']").click()
    assert "linear@1% against" in find(page, "#cost").get_attribute("aria-label")
    find(page, "tr[data-method=alpha] button").click()
    assert "linear@1%" in find(page, "#record-body").text
    find(page, "#close").click()
    find(page, "#board option:nth-child(1)").click()
    assert find(page, "#cost-metric").get_attribute("value") == "linear_top1"
    find(page, "#board option:nth-child(2)").click()
    assert "bootstrap (BCa)" in find(page, "tr[data-method=alpha] td span").get_attribute("title")
    assert not find(page, "#published-section").is_displayed() or "10ep" in find(page, "#published").text


def test_a_link_names_its_leaderboard(page, few):
    load(page, few, "#board=made_up_track%2C+resnet18%2C+20ep")
    assert methods(page) == ["alpha", "beta"] and find(page, "#board").get_attribute("value").endswith("20ep")
    load(page, few, "#board=1.5")  # of an older page
    assert find(page, "#board").get_attribute("value").endswith("10ep") and len(methods(page)) == 5


def test_intervals_end_at_100_percent(driver, tmp_path, patch):
    made_up.install(patch)
    made = [made_up.record(made_up.FEW[0], seed) for seed in range(3)]
    for one, accuracy in zip(made, (0.999, 0.93, 0.98), strict=True):
        one.metrics["linear_top1"] = accuracy
    load(driver, opened(tmp_path, made))
    assert texts(driver, "tr[data-method=alpha] td")[1] == "96.97 (88.11–100.00)"
    above, below = driver.execute_script(
        "const e = document.getElementById('cost').data[1].error_y; return [e.array[0], e.arrayminus[0]]"
    )
    assert (above, below) == (pytest.approx(100 - 96.97, abs=0.01), pytest.approx(96.97 - 88.11, abs=0.01))


def test_a_curve_that_cannot_be_drawn_is_left_out(driver, tmp_path, patch):
    made_up.install(patch)
    made = [made_up.record(made_up.FEW[0], seed) for seed in range(3)]
    made[0].curve, made[1].curve = [{"loss": 1.0}], [{"progress": 0.5, "loss": None}]
    load(driver, opened(tmp_path, made))
    driver.get_log("browser")
    find(driver, "tr[data-method=alpha] button").click()
    for seed, drawn in ((0, False), (1, False), (2, True)):
        find(driver, f"[data-seed='{seed}']").click()
        assert bool(driver.find_elements("css selector", "#record-curve svg.main-svg")) == drawn
    assert driver.get_log("browser") == []


def test_a_page_without_records_shows_no_empty_sections(driver, tmp_path):
    load(driver, opened(tmp_path, []))
    assert texts(driver, "#status") == ["No record yet."]
    assert [e.text for e in driver.find_elements("css selector", "h2") if e.is_displayed()] == ["Leaderboard"]
    for theme in ("light", "dark", ""):
        find(driver, "#theme").click()
        assert driver.execute_script("return document.documentElement.dataset.theme") == theme


def opened(out: Path, made: list) -> Path:
    """The page of these records."""
    made_up.write(out, made)
    report.write(report.render(out)[0])
    return out / report.PAGE


def test_what_concerns_several_metrics_tracks_and_trials(driver, tmp_path, patch):
    tracks = ("made_up_track", "another_track")
    made_up.install(patch, names=tracks)
    made = [made_up.record(c, seed, track) for track in tracks for c in made_up.FEW for seed in range(3)]
    for record in made:
        record.metrics["error"] = 1 - record.metrics["linear_top1"]
        record.evaluators = {"errors": {"version": 1, "columns": {"error": vars(Metric("error", "error", better="lower"))}}}
    names = recorded.trials(made_up.searched({"simclr": 0.5}, {})[0], "simclr", 3)
    searched = made_up.searched(dict(zip(names, (0.5, 0.6, 0.9), strict=True)), {"simclr": 0.8, names[2]: 0.85})
    made_up.write(tmp_path, [*made, *searched])
    report.write(report.render(tmp_path)[0])
    load(driver, tmp_path / report.PAGE)
    assert find(driver, "#ranks tbody tr").text.split() == ["alpha", "1", "1", "1", "1", "1"]
    heads, numbers = (texts(driver, f"#tau {part} tr:first-child > *") for part in ("thead", "tbody"))
    of_linear = dict(zip(heads, numbers, strict=True))
    assert of_linear["error"] == "1.00"  # less error is as good as more accuracy
    assert "another_track, made_up_track" in find(driver, "#tracks h3").text and "alpha" in find(driver, "#tracks tbody th").text
    assert "+5.00" in find(driver, "#tuning tbody").text and "simclr" in find(driver, "#tuning tbody th").text
    assert driver.find_elements("css selector", "#trials-0 svg.main-svg")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_screen_in_both_themes(page, theme, width):
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
    resize(page, width)
    page.refresh()
    wait_for(lambda: page.execute_script("return document.body.dataset.ready"))
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    names = "[...document.querySelectorAll('#board-table th.name, #matrix th.name')]"
    assert page.execute_script(f"return {names}.every((name) => name.scrollWidth <= name.clientWidth)")
    ground = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}[theme]
    picture(page, f"{theme}-{width}")


def test_every_control_has_a_name(page):
    unnamed = page.execute_script(
        "return [...document.querySelectorAll('button, select, input')]"
        ".filter((e) => !(e.labels?.length || e.textContent.trim() || e.ariaLabel)).map((e) => e.outerHTML)"
    )
    assert unnamed == []


def test_five_thousand_records(driver, tmp_path_factory, patch):
    """20 methods x 10 tracks x 25 seeds: made in 20 seconds, below 10 MB, and usable."""
    out = tmp_path_factory.mktemp("many")
    contestants = [
        Contestant(f"method_{i:02}", 0.5 + 0.01 * i, speed=800 + 50 * (i * 7 % 20), detects=i % 3 == 0) for i in range(20)
    ]
    tracks = [f"track_{i}" for i in range(10)]
    made_up.install(patch, contestants, tracks)
    for track in tracks:
        made_up.write(out, (made_up.record(c, seed, track, points=60) for c in contestants for seed in range(25)))
    begun = time.process_time()  # of one thread: what a machine without other work would take
    report.write(report.render(out)[0])
    assert time.process_time() - begun < 20
    page = out / report.PAGE
    assert page.stat().st_size < 10e6
    begun = time.perf_counter()
    load(driver, page)
    assert time.perf_counter() - begun < 10
    begun = time.perf_counter()
    find(driver, "#board option:nth-child(10)").click()
    find(driver, "#filter").send_keys("method_1")
    assert time.perf_counter() - begun < 10
    assert len(methods(driver)) == 10
