from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from realtime_nb.widgets import page_text
from realtime_nb.widgets.page_text import module_text, style_text

NAMES = ["microphone.js", "speaker.js", "capture.worklet.js", "playback.worklet.js"]


@pytest.mark.parametrize("name", NAMES)
def test_a_module_is_one_text_that_imports_nothing(name: str, tmp_path: Path) -> None:
    text = module_text(name)
    assert re.search(r"^import\b", text, re.MULTILINE) is None
    assert not re.search(r"https?://(?!\s|\.|,| or|localhost|\$\{hostname\})", text), (
        "nothing is fetched"
    )
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    file = tmp_path / "module.mjs"
    file.write_text(text, encoding="utf-8")
    subprocess.run([node, "--check", str(file)], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_makes_no_markup_of_texts(name: str) -> None:
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", module_text(name)
    )


def test_a_text_is_made_anew_of_the_files_as_they_are_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_text, "FOLDER", tmp_path)
    (tmp_path / "sum.js").write_text("export const sum = (a, b) => a + b;\n")
    (tmp_path / "twice.js").write_text(
        'import { sum } from "./sum.js";\nimport { sum } from "./sum.js";\n'
        "export function twice(n) { return sum(n, n); }\n"
    )
    (tmp_path / "a.css").write_text(".a {}\n")
    (tmp_path / "b.css").write_text(".b {}\n")
    code = page_text.PageText(lambda: page_text._joined("twice.js"))
    assert code == "const sum = (a, b) => a + b;\nexport function twice(n) { return sum(n, n); }\n"
    styles = style_text.__wrapped__("b.css", "a.css")
    assert styles == ".b {}\n.a {}\n"
    (tmp_path / "sum.js").write_text("export const sum = (a, b) => b + a;\n")
    (tmp_path / "b.css").write_text(".c {}\n")
    assert code.make().startswith("const sum = (a, b) => b + a;\n")
    assert styles.make() == ".c {}\n.a {}\n"
    assert "a + b" in code  # what it was made as, it stays
