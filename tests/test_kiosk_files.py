"""The files for a kiosk and for a cluster name what is there, and obey what reads them."""

import json
import re
import subprocess
from inspect import signature
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml

from pipelines.draw.node import run_node
from settings import Settings

ROOT = Path(__file__).parent.parent
KIOSK = ROOT / "examples" / "kiosk"
NODE = ROOT / "examples" / "cluster" / "face-value-node.service"
FILES = ("face-value.service", "kiosk-browser.service", "compose.yaml", "start.sh", "policies.json")


def text_of(name: str) -> str:
    return (KIOSK / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
def test_every_setting_that_a_file_names_is_one(name: str) -> None:
    own = {"PROFILE"}  # of the script itself
    named = set(re.findall(r"FACE_VALUE_(\w+)", text_of(name))) - own
    assert named <= {setting.upper() for setting in Settings.model_fields}


def test_the_units_start_what_is_there() -> None:
    for name in FILES[:2]:
        for program in re.findall(
            r"^Exec\w+=%h/face-value/(\S+)(?: (\S+\.py))?", text_of(name), re.MULTILINE
        ):
            assert program[0] == ".venv/bin/python" or (ROOT / program[0]).stat().st_mode & 0o111
            assert not program[1] or (ROOT / program[1]).is_file()


def test_the_unit_of_a_cluster_lets_its_own_network_in_and_nobody_else() -> None:
    unit = NODE.read_text(encoding="utf-8")
    (command,) = re.findall(
        r"^ExecStart=/home/booth/face-value/.venv/bin/python -m (.+)$", unit, re.MULTILINE
    )
    program, verb, option, address = command.split()
    assert (program, verb) == ("pipelines", "cluster")
    assert option.removeprefix("--") in signature(run_node).parameters
    assert "\nIPAddressDeny=any\n" in unit
    (let_in,) = re.findall(r"^IPAddressAllow=localhost (\S+)$", unit, re.MULTILINE)
    network = ip_network(let_in)
    assert network.is_private
    assert ip_address(address) in network


def test_the_script_is_one_for_any_shell_and_keeps_the_browser_within_the_page() -> None:
    assert subprocess.run(["sh", "-n", KIOSK / "start.sh"], check=False).returncode == 0
    script = text_of("start.sh")
    for flag in (
        "--kiosk",
        "--disable-pinch",
        "--hide-crash-restore-bubble",
        "--overscroll-history-navigation=0",
    ):
        assert flag in script
    assert "fake-ui" not in script  # the camera is allowed by policy, for one address


def test_the_policies_allow_the_camera_to_this_address_alone() -> None:
    policies, address = json.loads(text_of("policies.json")), f"127.0.0.1:{Settings().port}"
    assert f"http://{address}" in policies["VideoCaptureAllowedUrls"]
    assert "*" in policies["URLBlocklist"]
    assert address in policies["URLAllowlist"]
    hosts = {re.sub(r"^http://", "", url) for url in policies["VideoCaptureAllowedUrls"]}
    assert hosts == set(policies["URLAllowlist"])
    assert address in text_of("start.sh")


def test_the_containers_settings_make_an_app(monkeypatch: pytest.MonkeyPatch) -> None:
    app = yaml.safe_load(text_of("compose.yaml"))["services"]["app"]
    for name, value in app["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-?(?:\?[^}]*|([^}]*))\}", r"\1", str(value)))
    settings = Settings()
    assert settings.address == "0.0.0.0"
    assert settings.database_url.startswith("postgresql://votes:@database/votes")
    assert not settings.is_booth_local
    assert (ROOT / app["build"]["dockerfile"]).is_file()
    for line in re.findall(r"^COPY (.*) \./?$", text_of("Dockerfile"), re.MULTILINE):
        assert all((ROOT / name).exists() for name in line.split())
