"""``report.html`` as a reader has it: whole, offline, accessible, with the figures of ``report.json``."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.chromium import chromium
from support.commands import BOXES_OPTIONS, Command, names_in
from support.moving_boxes import write_street_recording

from perception.cli import run

HOSTILE = 'street <img src=x onerror="alert(1)">'
PHONE_PX = 360
MEASURE = """<script>
const wide = [...document.querySelectorAll("body *")].filter(
  e => !e.closest(".scroll") && !e.closest("svg") && e.getBoundingClientRect().right > window.innerWidth + 0.5);
document.body.dataset.width = window.innerWidth;
document.body.dataset.wide = wide.map(e => e.outerHTML.slice(0, 80)).join(" | ");
</script></body>"""


CUT_TABLES = """<script>
const cut = [...document.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth);
document.body.dataset.cut = cut.map(e => e.ariaLabel).join(" | ");
</script></body>"""


class Elements(HTMLParser):
    """All elements of a page with their attributes, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.found if attribute in attributes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run over a recording with one object that nobody can see."""
    place = tmp_path_factory.mktemp("page")
    recording = write_street_recording(place / HOSTILE.replace("/", ""))
    path = recording / "objects.csv"
    rows = path.read_text().splitlines()
    with path.open(newline="") as stream:
        header = next(csv.reader(stream))
    ghost = {"camera": "front", "frame_index": "3", "id": "99", "class": "pedestrian"}
    ghost |= {"x1": "120", "y1": "40", "x2": "130", "y2": "90"}
    path.write_text("\n".join([*rows, ",".join(ghost.get(name, "") for name in header)]) + "\n")
    code = run(["evaluate", *BOXES_OPTIONS, str(recording), "--failures", "4", "--output", str(place / "out")])
    assert code == 0
    return place / "out"


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def host_of(address: str) -> str:
    return address.partition("//")[2].partition("/")[0] or address.partition(":")[0]


def with_script(page: str, script: str, folder: Path) -> Path:
    """A copy of ``page``, which itself forbids scripts, that ends with ``script``."""
    copy = folder / "page.html"
    allowed = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    copy.write_text(allowed.replace("</body>", script), encoding="utf-8")
    return copy


def at(report: dict[str, Any], path: str) -> Any:
    value: Any = report
    for key in path.split("."):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def test_the_figures_are_those_of_report_json(folder: Path, page: str) -> None:
    report = json.loads((folder / "report.json").read_text())
    figures = [attributes for attributes in Elements(page).named("data") if "data-figure" in attributes]
    assert len(figures) >= 6
    for figure in figures:
        assert float(figure["value"]) == at(report, figure["data-figure"]), figure
    assert report["summary"] in page


def test_it_loads_nothing_and_links_only_to_itself(page: str) -> None:
    elements = Elements(page)
    assert not elements.named("script") and not elements.named("link") and not elements.named("iframe")
    assert all(source.startswith("data:image/jpeg;base64,") for source in elements.values("src"))
    assert not re.search(r"url\(|@import|https?://", page)
    ids = elements.values("id")
    assert len(ids) == len(set(ids))
    links = elements.values("href")
    assert links and {link.removeprefix("#") for link in links} <= set(ids)
    assert len(page.encode()) <= 5_000_000


def test_all_pictures_have_alternatives_and_all_tables_headers(page: str) -> None:
    elements = Elements(page)
    assert elements.named("img") and all(len(image["alt"]) > 20 for image in elements.named("img"))
    charts = elements.named("svg")
    assert len(charts) >= 8
    assert all(chart["role"] == "img" and len(chart["aria-label"]) > 30 for chart in charts)
    assert all(header["scope"] in ("row", "col") for header in elements.named("th"))
    assert elements.named("html")[0]["lang"] == "en"


def test_names_are_escaped(page: str) -> None:
    assert "<img src=x" not in page
    assert "onerror" not in {name for _, attributes in Elements(page).found for name in attributes}


def test_scenes_and_failures_are_shown_and_linked(folder: Path, page: str) -> None:
    report = json.loads((folder / "report.json").read_text())
    elements = Elements(page)
    kinds = {scene["kind"] for scene in report["scenes"]}
    assert {"worst", "best"} <= kinds
    shots = [one["id"] for one in elements.named("figure") if one.get("class") == "shot"]
    assert len(shots) == len(report["scenes"]) + len(report["failures"])
    assert {f"#scene-{number}" for number in range(1, len(report["scenes"]) + 1)} <= set(elements.values("href"))
    assert len(elements.named("img")) == len(shots)


def test_the_confusion_matrix_is_that_of_the_report(folder: Path) -> None:
    confusion = json.loads((folder / "report.json").read_text())["confusion"]
    names, counts = confusion["class_names"], confusion["counts"]
    missed = counts[names.index("pedestrian")]
    assert missed[-1] == 1 and sum(missed) == 1


def test_nothing_overflows_on_a_phone_and_no_request_leaves(page: str, tmp_path: Path) -> None:
    copy = with_script(page, MEASURE, tmp_path)
    with recording_proxy() as (address, requests):
        proxy = (f"--proxy-server={address}", "--proxy-bypass-list=<-loopback>")
        shown = Elements(chromium(copy, f"--window-size={PHONE_PX},800", "--dump-dom", *proxy))
        body = shown.named("body")[0]
        assert body["data-wide"] == ""
        assert int(body["data-width"]) <= 500
        # A browser has calls of its own; a host that the page asks for stands in it.
        assert [asked for asked in requests if host_of(asked) in page] == []
        # The proxy would have seen one.
        control = tmp_path / "control.html"
        control.write_text('<img src="http://shop.test/logo.png">')
        chromium(control, "--dump-dom", *proxy)
        assert "http://shop.test/logo.png" in requests


@pytest.mark.parametrize("width_px", [1000, 1400])
def test_no_table_is_cut_on_a_screen(page: str, tmp_path: Path, width_px: int) -> None:
    copy = with_script(page, CUT_TABLES, tmp_path)
    shown = Elements(chromium(copy, f"--window-size={width_px},900", "--dump-dom"))
    assert shown.named("body")[0]["data-cut"] == ""


def test_it_is_printed_on_few_pages(folder: Path, tmp_path: Path) -> None:
    paper = tmp_path / "report.pdf"
    chromium(folder / "report.html", f"--print-to-pdf={paper}", "--no-pdf-header-footer")
    content = paper.read_bytes()
    assert content.startswith(b"%PDF")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 20


class recording_proxy:  # noqa: N801 - used as a function
    """A proxy that answers nothing and keeps what it was asked for."""

    def __enter__(self) -> tuple[str, list[str]]:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_error(404)

            do_CONNECT = do_POST = do_GET  # noqa: N815 - the server's names

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}", asked

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_stdout_belongs_to_the_file_that_goes_there(boxes_command: Command, street_recording: Path) -> None:
    ran = boxes_command("evaluate", street_recording, "--max-frames", "6", "--no-save", "--json", "-")
    assert ran.code == 0, ran.err
    report = json.loads(ran.out)
    assert report["detection"][0]["overall"]["ap50"] == pytest.approx(1.0)
    assert "Detection" in ran.err and not Path("runs").exists()


def test_markdown_and_csv_beside_the_page(boxes_command: Command, street_recording: Path) -> None:
    ran = boxes_command("evaluate", street_recording, "--markdown", "report.md", "--csv", "figures.csv")
    assert ran.code == 0, ran.err
    report = json.loads((ran.folder / "report.json").read_text())
    text = Path("report.md").read_text()
    assert report["summary"] in text.replace("\\", "") and "| Class | Objects | AP |" in text
    rows = dict(csv.reader(io.StringIO(Path("figures.csv").read_text())))
    assert float(rows["detection.vehicles.overall.ap50"]) == report["detection"][0]["overall"]["ap50"]
    assert float(rows["forecasting.tracked.horizons.1.0.expected.fde_px"]) >= 0
    assert "report.html" in names_in(ran.folder)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--json", "-", "--csv", "-"], "--json and --csv: would be written to one place"),
        (["--markdown", "."], "--markdown .: is a folder"),
    ],
)
def test_files_that_cannot_be_written_are_refused_before_the_run(
    boxes_command: Command, street_recording: Path, options: list[str], sentence: str
) -> None:
    ran = boxes_command("evaluate", street_recording, *options)
    assert ran.code == 2 and sentence in ran.sentence
    assert not Path("runs").exists()
